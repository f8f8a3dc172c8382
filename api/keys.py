"""API keys: ``fn_<id>_<secret>``, shown once and kept as a hash.

The secret holds 256 random bits, so that one SHA-256 keeps it as well as a slow hash would.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from footnote.errors import Invalid
from footnote.ids import sha256
from rewards.journal.records import ApiKey

_FORM = re.compile(r"fn_([0-9a-f]{16})_([0-9a-f]{64})")
_LABEL = re.compile(r"[^\x00-\x1f\x7f]{1,80}")


class Scope(StrEnum):
    """What a key may do."""

    ASK = "ask"
    """Ask, search, verify, and read what answers show."""
    INGEST = "ingest"
    """Send documents, and see what came of them."""
    ADMIN = "admin"
    """See the state and the metrics of the service."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a new key shall be. ``tenant``: keys of one tenant see each other's answers; its own
    without one. ``datanets`` None is all of them. Limits None are the service's."""

    name: str
    scopes: Sequence[Scope] = (Scope.ASK,)
    tenant: str | None = None
    datanets: Sequence[str] | None = None
    questions_per_minute: int | None = None
    questions_per_day: int | None = None


def new_key(wish: Wish) -> tuple[str, ApiKey]:
    """A key as its owner shows it, and as it is kept.

    Raises:
        Invalid: a name that cannot be shown.
    """
    for label in (wish.name, wish.tenant or "-"):
        if not _LABEL.fullmatch(label):
            raise Invalid("not a name for a key", "use 1 to 80 characters")
    key_id, secret = secrets.token_hex(8), secrets.token_hex(32)
    kept = ApiKey(
        key_id=key_id,
        name=wish.name,
        tenant=wish.tenant or f"key {key_id}",
        secret_hash=_hashed(secret),
        scopes=tuple(scope.value for scope in wish.scopes),
        datanets=None if wish.datanets is None else tuple(wish.datanets),
        questions_per_minute=wish.questions_per_minute,
        questions_per_day=wish.questions_per_day,
        created_at=int(time.time()),
    )
    return f"fn_{key_id}_{secret}", kept


def key_id_of(shown: str) -> str | None:
    """The id in a key as it is shown; None for what has another form."""
    found = _FORM.fullmatch(shown)
    return found[1] if found else None


def holds(shown: str, kept: ApiKey | None) -> bool:
    """Whether ``shown`` is the key that is kept, and not revoked. Takes as long for any secret, and
    for a key that does not exist."""
    found = _FORM.fullmatch(shown)
    secret = found[2] if found else ""
    known = kept.secret_hash if kept is not None else bytes(32)
    same = hmac.compare_digest(_hashed(secret), known)
    return same and kept is not None and kept.revoked_at is None


def _hashed(secret: str) -> bytes:
    return sha256(secret.encode())
