"""Who may ask: the keys that were made, each kept as the hash of its secret."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from rewards.journal.records import ApiKey
from rewards.journal.store import Store
from rewards.journal.tables import api_keys

USED_SECONDS = 60
"""How exactly the last use of a key is kept, so that a question seldom costs a write."""


class Access(Store):
    def create_key(self, key: ApiKey) -> None:
        """Keep a new key.

        Raises:
            Broken: there is one of that id.
        """
        values = {
            "key_id": key.key_id,
            "name": key.name,
            "tenant": key.tenant,
            "secret_hash": key.secret_hash,
            "scopes": list(key.scopes),
            "datanets": None if key.datanets is None else list(key.datanets),
            "questions_per_minute": key.questions_per_minute,
            "questions_per_day": key.questions_per_day,
            "created_at": key.created_at,
            "revoked_at": key.revoked_at,
            "used_at": key.used_at,
        }
        with self._writing() as connection:
            connection.execute(api_keys.insert().values(**values))

    def key(self, key_id: str) -> ApiKey | None:
        """The key of that id, also a revoked one; None where there is none."""
        query = sa.select(api_keys).where(api_keys.c.key_id == key_id)
        with self._reading() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _key_of(row)

    def keys(self) -> list[ApiKey]:
        """All keys in the order they were made, also revoked ones."""
        query = sa.select(api_keys).order_by(api_keys.c.created_at, api_keys.c.key_id)
        with self._reading() as connection:
            return [_key_of(row) for row in connection.execute(query).mappings()]

    def has_keys(self) -> bool:
        """Whether a key was ever made: revoking the last one must not open the service."""
        with self._reading() as connection:
            return connection.execute(sa.select(api_keys.c.key_id).limit(1)).first() is not None

    def revoke_key(self, key_id: str, at: int) -> bool:
        """Revoke a key for good; False where there is none that is not revoked already."""
        with self._writing() as connection:
            revoked = connection.execute(
                api_keys.update()
                .where(api_keys.c.key_id == key_id, api_keys.c.revoked_at.is_(None))
                .values(revoked_at=at)
            )
            return revoked.rowcount == 1

    def note_key_used(self, key_id: str, at: int) -> None:
        """Note when a key was last used, to the minute."""
        known = self.key(key_id)
        if known is None or (known.used_at is not None and at - known.used_at <= USED_SECONDS):
            return
        with self._writing() as connection:
            connection.execute(
                api_keys.update()
                .where(
                    api_keys.c.key_id == key_id,
                    sa.or_(api_keys.c.used_at.is_(None), api_keys.c.used_at < at),
                )
                .values(used_at=at)
            )


def _key_of(row: RowMapping) -> ApiKey:
    datanets = row["datanets"]
    return ApiKey(
        row["key_id"],
        row["name"],
        row["tenant"],
        row["secret_hash"],
        tuple(row["scopes"]),
        None if datanets is None else tuple(datanets),
        row["questions_per_minute"],
        row["questions_per_day"],
        row["created_at"],
        row["revoked_at"],
        row["used_at"],
    )
