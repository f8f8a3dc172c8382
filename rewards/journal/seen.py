"""What was seen of the chain: withdrawals, what pools hold, and what an audit found. Nothing is
settled by any of it; it is kept so that the API, which asks no chain, can show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from footnote.addresses import Address
from rewards.journal.databases import lock, replace_row
from rewards.journal.records import SeenAudit, SeenFunds
from rewards.journal.store import Store
from rewards.journal.tables import audits, claims, funds

_EVERY_DATANET = ""


class Seen(Store):
    def claims_scanned_to(self, ledger_id: bytes) -> int | None:
        """The last final block whose withdrawals are noted."""
        return self._claim(ledger_id, b"")

    def claimed(self, ledger_id: bytes, account: Address) -> int:
        """What ``account`` has withdrawn, as far as the worker has looked."""
        return self._claim(ledger_id, account) or 0

    def add_claims(
        self,
        ledger_id: bytes,
        claimed: Sequence[tuple[Address, int]],
        scanned_from: int,
        scanned_to: int,
    ) -> None:
        """Note withdrawals found in final blocks; nothing where another worker did it already."""
        with self._writing() as connection:
            lock(connection, "claims", ledger_id)
            known = connection.execute(_claim_of(ledger_id, b"")).scalar()
            if known is not None and int(known) >= scanned_from:
                return
            totals: dict[bytes, int] = {}
            for account, amount in claimed:
                totals[account] = totals.get(account, 0) + amount
            for claimant, amount in totals.items():
                before = connection.execute(_claim_of(ledger_id, claimant)).scalar()
                replace_row(
                    connection,
                    claims,
                    {"ledger_id": ledger_id, "account": claimant},
                    {"amount": str(int(before or 0) + amount)},
                )
            replace_row(
                connection,
                claims,
                {"ledger_id": ledger_id, "account": b""},
                {"amount": str(scanned_to)},
            )

    def _claim(self, ledger_id: bytes, account: bytes) -> int | None:
        with self._reading() as connection:
            found = connection.execute(_claim_of(ledger_id, account)).scalar()
            return None if found is None else int(found)

    def note_funds(self, ledger_id: bytes, datanet: str, amount: int, at: int) -> None:
        """Keep what the pool holds for a Datanet, in base units, as of ``at`` (seconds since
        1970)."""
        with self._writing() as connection:
            place = {"ledger_id": ledger_id, "datanet": datanet}
            replace_row(connection, funds, place, {"amount": str(amount), "seen_at": at})

    def funds_seen(self, ledger_id: bytes, datanet: str) -> SeenFunds | None:
        """What was noted last; None where no worker has looked yet."""
        query = sa.select(funds.c.amount, funds.c.seen_at).where(
            funds.c.ledger_id == ledger_id, funds.c.datanet == datanet
        )
        with self._reading() as connection:
            found = connection.execute(query).first()
        return None if found is None else SeenFunds(int(found.amount), int(found.seen_at))

    def note_audit(self, datanet: str | None, body: dict[str, Any], at: int) -> None:
        """Keep what the newest audit found, of one Datanet or (None) of all."""
        with self._writing() as connection:
            place = {"datanet": datanet or _EVERY_DATANET}
            replace_row(connection, audits, place, {"body": body, "made_at": at})

    def audits(self) -> list[SeenAudit]:
        """The newest audit of each extent, the newest first."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(audits).order_by(audits.c.made_at.desc()))
            return [SeenAudit(row.datanet or None, int(row.made_at), row.body) for row in rows]


def _claim_of(ledger_id: bytes, account: bytes) -> sa.Select[Any]:
    return sa.select(claims.c.amount).where(
        claims.c.ledger_id == ledger_id, claims.c.account == account
    )
