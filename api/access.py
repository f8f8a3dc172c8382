"""Who asks, and what they may: the one dependency that guards every route.

Without a key only what proves payments and tells health is open, and everything where the service
listens on loopback and no key was ever made, or where FOOTNOTE_ANONYMOUS opens Datanets to all.
What a caller may not see does not exist for them: 404, not 403.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Annotated
from urllib.parse import urlsplit

import anyio.to_thread
from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer, SecurityScopes

from api.keys import Scope, holds, key_id_of
from api.limits import Limits
from footnote.errors import FootnoteError, Forbidden, NoKey, NotFound
from footnote.settings import Settings
from rewards.journal.access import USED_SECONDS
from rewards.journal.journal import Journal
from rewards.journal.records import ANONYMOUS, ApiKey, Asker

LOOPBACK, NOBODY, EVERYBODY = "loopback", "no", "all"

REMEMBERED_SECONDS = 2.0
"""How long a key is believed without a look into the journal; a revocation takes effect then."""

MOST_REMEMBERED = 10_000
READ_COST = 0.1
"""What a request that only reads costs of a question."""

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="ApiKey",
    description="A key of `footnote keys create`, as `Authorization: Bearer fn_…`.",
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a request. ``datanets`` None is all of them."""

    asker: Asker
    scopes: frozenset[Scope]
    datanets: frozenset[str] | None = None
    who: str | None = None
    """Under what this caller is counted; None for whoever is not."""

    def check(self, datanet: str) -> str:
        """``datanet``; NotFound where it is not this caller's to see."""
        if self.datanets is not None and datanet not in self.datanets:
            raise NotFound("no such Datanet", "list them with footnote datanets")
        return datanet

    def visible(self, datanets: Iterable[str]) -> list[str]:
        """Those of ``datanets`` that this caller may see."""
        return [one for one in datanets if self.datanets is None or one in self.datanets]

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes


OPERATOR = Caller(ANONYMOUS, frozenset(Scope))
"""Whoever sits at the machine, as long as there is no key."""


_calling: ContextVar[Caller] = ContextVar("calling", default=OPERATOR)


@contextmanager
def calling(caller: Caller) -> Iterator[None]:
    """Within, :func:`calling_now` is ``caller``: for what is called by name, such as tools."""
    token = _calling.set(caller)
    try:
        yield
    finally:
        _calling.reset(token)


def calling_now() -> Caller:
    """Whoever calls; outside of any request, whoever started the process."""
    return _calling.get()


@dataclass(slots=True)
class Door:
    """Lets callers in. ``on_loopback``: the service can be reached from this machine alone."""

    settings: Settings
    journal: Journal
    limits: Limits
    on_loopback: bool
    _known: dict[str, tuple[float, ApiKey | None]] = field(default_factory=dict)
    _noted: dict[str, float] = field(default_factory=dict)
    _noting: set[asyncio.Task[None]] = field(default_factory=set)
    _has_keys: tuple[float, bool] = (-REMEMBERED_SECONDS, False)

    async def caller(
        self, request: Request, scopes: Iterable[str], *, limited: bool = True
    ) -> Caller:
        """Who sent ``request``, allowed all ``scopes`` and, if ``limited``, not too often.

        Raises:
            NoKey: a key is missing, or is not valid.
            Forbidden: the key lacks a scope, or a page of another site sent the request.
            TooMany: too many requests.
        """
        _check_page(request)
        shown = _shown(request)
        address = _address_of(request)
        if shown is None:
            caller = await self._without_key(request, address)
            limit: float | None = self.settings.questions_per_minute_address
            who = f"address:{_counted_as(address)}"
            if caller is OPERATOR:
                limit = None
        else:
            caller, limit = await self._with_key(shown, address)
            who = f"key:{caller.asker.key_id}"
        wanted = frozenset(Scope(scope) for scope in scopes)
        if not wanted <= caller.scopes:
            if shown is None:
                raise NoKey("this needs an API key", "send Authorization: Bearer fn_…")
            missing = ", ".join(sorted(wanted - caller.scopes))
            raise Forbidden("the key does not allow this", f"use one with the scope {missing}")
        request.state.key_id = caller.asker.key_id
        if limited and limit is not None and (wanted or shown is None):
            await self.limits.take(who, limit, READ_COST if request.method == "GET" else 1.0)
        return caller if limit is None else replace(caller, who=who)

    async def _without_key(self, request: Request, address: str) -> Caller:
        anonymous = self.settings.anonymous
        if anonymous == LOOPBACK:
            here = self.on_loopback and is_loopback(address) and _names_loopback(request)
            here = here and _came_straight(request)
            return OPERATOR if here and not await self._keys_exist() else _NOBODY
        if anonymous == NOBODY:
            return _NOBODY
        if anonymous == EVERYBODY:
            return Caller(ANONYMOUS, frozenset({Scope.ASK}))
        opened = frozenset(name.strip() for name in anonymous.split(","))
        return Caller(ANONYMOUS, frozenset({Scope.ASK}), opened)

    async def _with_key(self, shown: str, address: str) -> tuple[Caller, float]:
        key_id = key_id_of(shown)
        kept = await self._key(key_id) if key_id else None
        if not holds(shown, kept) or kept is None:
            # Guessing is limited like asking, and tells a right id no sooner than a wrong one.
            per_minute = self.settings.questions_per_minute_address
            await self.limits.take(f"address:{_counted_as(address)}", per_minute)
            raise NoKey("the API key is not valid", "check it, or have a new one made")
        self._note_used(kept.key_id)
        asker = Asker(kept.tenant, kept.key_id, kept.questions_per_day)
        datanets = None if kept.datanets is None else frozenset(kept.datanets)
        limit = kept.questions_per_minute or self.settings.questions_per_minute_key
        return Caller(asker, frozenset(Scope(one) for one in kept.scopes), datanets), limit

    async def _key(self, key_id: str) -> ApiKey | None:
        now = time.monotonic()
        found = self._known.get(key_id)
        if found is None or now - found[0] > REMEMBERED_SECONDS:
            kept = await anyio.to_thread.run_sync(self.journal.key, key_id)
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
                self._noted.clear()
            found = self._known[key_id] = (now, kept)
        return found[1]

    def _note_used(self, key_id: str) -> None:
        """That a key was used, once a minute, while the request goes on: where the journal cannot
        be written now nobody need wait for it."""
        now = time.monotonic()
        if now - self._noted.get(key_id, -USED_SECONDS) < USED_SECONDS:
            return
        self._noted[key_id] = now

        async def note() -> None:
            with suppress(FootnoteError):
                await anyio.to_thread.run_sync(self.journal.note_key_used, key_id, int(time.time()))

        task = asyncio.create_task(note())
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _keys_exist(self) -> bool:
        now = time.monotonic()
        if not self._has_keys[1] and now - self._has_keys[0] > REMEMBERED_SECONDS:
            self._has_keys = (now, await anyio.to_thread.run_sync(self.journal.has_keys))
        return self._has_keys[1]


_NOBODY = Caller(ANONYMOUS, frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class _Guard:
    """The dependency; ``limited``: not too often."""

    limited: bool = True

    async def __call__(
        self, request: Request, scopes: SecurityScopes, _: Annotated[object, Depends(_bearer)]
    ) -> Caller:
        door: Door = request.app.state.door
        return await door.caller(request, scopes.scopes, limited=self.limited)


_guard = _Guard()

Anybody = Annotated[Caller, Security(_guard, scopes=[])]
"""For proofs of payment."""
Probing = Annotated[Caller, Security(_Guard(limited=False), scopes=[])]
"""For signs of life, which whoever restarts services asks for at any time."""
Asking = Annotated[Caller, Security(_guard, scopes=[Scope.ASK])]
Ingesting = Annotated[Caller, Security(_guard, scopes=[Scope.INGEST])]
Administering = Annotated[Caller, Security(_guard, scopes=[Scope.ADMIN])]


def _shown(request: Request) -> str | None:
    """The key that a request shows; None for none. OpenAI's clients always send one, so that the
    word ``none`` stands for no key."""
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or shown.strip() in ("", "none"):
        return None
    return shown.strip()


def _address_of(request: Request) -> str:
    return request.client.host if request.client else "unknown"


@lru_cache(128)
def _counted_as(address: str) -> str:
    """Under what an address is counted: of IPv6 whoever has one has the 2^64 beside it."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address


@lru_cache(128)
def is_loopback(host: str) -> bool:
    """Whether ``host`` is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _names_loopback(request: Request) -> bool:
    """Whether the request names this machine: a page that had its own name point here does not."""
    return is_loopback(_host_of(f"//{request.headers.get('host', '')}"))


def _host_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:  # brackets that hold no address
        return ""


def _came_straight(request: Request) -> bool:
    """Whether no proxy says that it passed the request on."""
    return not any(name in request.headers for name in _FORWARDED)


def _check_page(request: Request) -> None:
    """A browser says which site's page sends a request; only ours may."""
    origin = request.headers.get("origin")
    if origin is None or request.method in ("GET", "HEAD"):
        return
    if origin.partition("://")[2] != request.headers.get("host", ""):
        raise Forbidden("a page of another site sent this", "send it from elsewhere than a browser")
