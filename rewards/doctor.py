"""Whether a deployment is fit to answer and to pay, one check after another, told in
:func:`examine`.

Nothing is changed but a time in the journal, which shows that it can be written. What is not set up
is a warning; a failure is what keeps answers from being given or receipts from being paid.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from footnote.addresses import Address, format_address
from footnote.errors import FootnoteError, Misconfigured
from footnote.settings import PREFIX, Settings
from rewards.chain import EvmChain
from rewards.endpoints import MAX_LAG_BLOCKS, urls_of
from rewards.journal.databases import sqlite_file
from rewards.journal.journal import Journal
from rewards.keys import read_key
from rewards.ledger import Ledger, Registration
from rewards.marks import Marks
from rewards.queue import NO_EVICTION, RedisWakeUps
from rewards.record import Recorder
from rewards.status import Place, Status, status

OK, WARN, FAIL = "ok", "warn", "fail"

MIB = 2**20
LEAST_ROOM, LITTLE_ROOM = 100 * MIB, 1_024 * MIB
"""Bytes free on a disk: below the first nothing may be issued soon, below the second take care."""

CLOCK_SECONDS = 15
"""How far this host's clock may be behind a block's time, which validators agree on."""

HEAD_SECONDS = 300
"""How old the newest block may be: no chain that is used here makes blocks less often."""

LATE_SECONDS = 600
"""A receipt that waits so long beyond its batch's age is late, as ``GET /readyz`` has it."""

GAS_OF_A_BATCH = 1_000_000
"""What a middling Batch takes; coin for twenty of them is a day's quiet."""

BATCHES_IN_STOCK = 20

PAUSE_BITS = {1: "funding", 2: "settling", 4: "withdrawing"}
SETTLING = 2


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``remedy`` says what to do, and is empty where all is well."""

    name: str
    state: str
    what: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        return {
            "name": self.name, "state": self.state, "what": self.what, "remedy": self.remedy,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What one RPC endpoint said: its chain, its newest block and that block's time."""

    chain: EvmChain
    identity: tuple[int, bytes]
    head: int
    head_at: int


@dataclass(frozen=True, slots=True)
class Addresses:
    """The accounts whose keystores are set up here."""

    signer: Address | None = None
    distributor: Address | None = None
    owner: Address | None = None


def examine(settings: Settings, clock: Callable[[], float] = time.time) -> Iterator[Check]:
    """Every check, in an order in which a remedy may mend those after it."""
    now = clock()
    yield Check("settings", OK, "every variable can be used")
    yield from _disks(settings)
    addresses = address_book(settings)
    yield from _keys(settings, addresses)
    yield from _redis(settings)
    chain: EvmChain | None = None
    for found in _endpoints(settings, now):
        if isinstance(found, EvmChain):
            chain = found
        else:
            yield found
    journal, opened = _journal(settings)
    yield opened
    if journal is None:
        return
    shown = status(journal, now, chain=chain)
    yield from _ledgers(journal, chain)
    yield from _marks(settings, journal)
    yield from _settling(settings, shown)
    for place in shown.places:
        if place.lost is None:
            yield from _datanet(place, chain, addresses, now)
    if chain is not None and addresses.distributor is not None:
        yield from _guarded("gas", _gas(settings, chain, addresses.distributor))


def unusable(error: FootnoteError) -> Check:
    """The check of settings that could not be read."""
    return _failed("settings", error)


def _failed(name: str, error: FootnoteError) -> Check:
    return Check(name, FAIL, error.what, error.what_to_do)


def _guarded(name: str, checks: Iterator[Check]) -> Iterator[Check]:
    """``checks``, as far as they go; an error is one more finding."""
    try:
        yield from checks
    except FootnoteError as error:
        yield _failed(name, error)


# This host


def _disks(settings: Settings) -> Iterator[Check]:
    journal = _file_of(settings)
    folders = {"home": settings.home, "marks": settings.marks_path}
    if journal is not None:
        folders["journal folder"] = journal.parent
    for name, folder in folders.items():
        if not folder.exists():
            yield Check(name, WARN, f"{folder} is not there yet", "it is made when it is needed")
            continue
        yield _writable(name, folder)
    seen: set[int] = set()
    for folder in folders.values():
        at = _existing(folder)
        if at.stat().st_dev not in seen:
            seen.add(at.stat().st_dev)
            yield _room(at)


def _existing(folder: Path) -> Path:
    """``folder``, or the nearest one above it that is there."""
    return next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())


def _writable(name: str, folder: Path) -> Check:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        remedy = "give this user the right to write there, or free some room"
        return Check(name, FAIL, f"{folder} cannot be written ({error.strerror})", remedy)
    return Check(name, OK, f"{folder} can be written")


def _room(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    what = f"{free // MIB} MiB free at {folder}"
    if free < LEAST_ROOM:
        return Check("disk", FAIL, what, "free some disk space: without it nothing is issued")
    if free < LITTLE_ROOM:
        return Check("disk", WARN, what, "free some disk space soon")
    return Check("disk", OK, what)


def _file_of(settings: Settings) -> Path | None:
    """The journal's file, where it is one."""
    try:
        return sqlite_file(settings.journal)
    except Misconfigured:  # which opening it says
        return None


def _journal(settings: Settings) -> tuple[Journal | None, Check]:
    file = _file_of(settings)
    if file is not None and not file.exists():
        remedy = "it is made with the first answer, or with footnote deploy"
        return None, Check("journal", WARN, "there is no journal yet", remedy)
    try:
        journal = Journal(settings.journal)
        journal.check()
        flushes = journal.flushes()
    except FootnoteError as error:
        return None, _failed("journal", error)
    except OSError as error:
        remedy = f"check {PREFIX}HOME and {PREFIX}JOURNAL_URL"
        return None, Check("journal", FAIL, f"cannot be opened ({error.strerror})", remedy)
    if not flushes:
        what, remedy = "commits are lost with the power", "set fsync and full_page_writes to on"
        return journal, Check("journal", FAIL, what, remedy)
    if file is not None and file.stat().st_mode & 0o077:
        remedy = f"chmod 600 {file}: questions, answers and salts are the asker's"
        return journal, Check("journal", WARN, "others on this host can read it", remedy)
    return journal, Check("journal", OK, "opens and commits")


# Keys


def address_book(settings: Settings) -> Addresses:
    """The addresses that stand in clear in the keystores."""
    return Addresses(
        _address_in(settings.signer_keystore),
        _address_in(settings.distributor_keystore),
        _address_in(settings.owner_keystore),
    )


def _address_in(keystore: Path | None) -> Address | None:
    if keystore is None:
        return None
    try:
        shown = json.loads(keystore.read_text())["address"]
        return Address(bytes.fromhex(str(shown).removeprefix("0x")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keys(settings: Settings, addresses: Addresses) -> Iterator[Check]:
    for role in ("signer", "distributor", "owner"):
        keystore: Path | None = getattr(settings, f"{role}_keystore")
        passphrase: Path | None = getattr(settings, f"{role}_passphrase_file")
        setting = f"{PREFIX}{role.upper()}_KEYSTORE"
        if keystore is None:
            yield Check(f"{role} key", WARN, "not set up here", f"where it is needed: {setting}")
        else:
            yield _key(role, keystore, passphrase, setting)
    yield from _apart(addresses)


def _key(role: str, keystore: Path, passphrase: Path | None, setting: str) -> Check:
    name = f"{role} key"
    try:
        key = read_key(keystore, passphrase, setting)
    except FootnoteError as error:
        return _failed(name, error)
    open_to_all = [path for path in (keystore, passphrase) if path and path.stat().st_mode & 0o077]
    if open_to_all:
        names = " ".join(str(path) for path in open_to_all)
        return Check(name, WARN, "others on this host can read its files", f"chmod 600 {names}")
    return Check(name, OK, f"{format_address(key.address)} opens")


def _apart(addresses: Addresses) -> Iterator[Check]:
    known = {
        role: account
        for role in ("signer", "distributor", "owner")
        if (account := getattr(addresses, role)) is not None
    }
    if len(known) < 2:
        return
    if len(set(known.values())) == len(known):
        yield Check("accounts", OK, f"{', '.join(known)} are different accounts")
        return
    what = "signer, distributor and owner are not all different accounts"
    yield Check("accounts", FAIL, what, "make one key for each with footnote key new")


# Redis


def _redis(settings: Settings) -> Iterator[Check]:
    if settings.redis_url is None:
        remedy = f"{PREFIX}REDIS_URL wakes the worker at once; without it the worker polls"
        yield Check("redis", WARN, "not set up", remedy)
        return
    try:
        policy = RedisWakeUps(settings.redis_url, "doctor").eviction_policy()
    except Misconfigured as error:
        yield _failed("redis", error)
    except FootnoteError as error:
        remedy = f"{error.what_to_do}; the worker polls meanwhile"
        yield Check("redis", WARN, error.what, remedy)
    else:
        yield _policy(policy)


def _policy(policy: str) -> Check:
    if policy == NO_EVICTION:
        return Check("redis", OK, f"answers, with maxmemory-policy {policy}")
    remedy = f"set maxmemory-policy to {NO_EVICTION}, so that no wake-up is lost"
    return Check("redis", WARN, f"its maxmemory-policy is {policy or 'unknown'}", remedy)


# The chain


def _endpoints(settings: Settings, now: float) -> Iterator[Check | EvmChain]:
    """A check for each endpoint, and last the chain that they make together, if there is one."""
    if settings.rpc_url is None:
        remedy = f"set {PREFIX}RPC_URL where the worker runs; the API needs none"
        yield Check("chain", WARN, "not set up", remedy)
        return
    try:
        urls = urls_of(settings.rpc_url)
    except FootnoteError as error:
        yield _failed("chain", error)
        return
    answered: list[Endpoint] = []
    for number, url in enumerate(urls, start=1):
        name = f"rpc {number} ({urlsplit(url).hostname})"  # the rest of it may hold a key
        try:
            endpoint = _endpoint(url, settings)
        except FootnoteError as error:
            state = FAIL if len(urls) == 1 else WARN
            yield replace(_failed(name, error), state=state)
            continue
        yield _fresh(name, endpoint, now)
        yield from _guarded(name, _finality(name, endpoint))
        answered.append(endpoint)
    yield from _together(answered, len(urls))
    if answered:
        yield EvmChain(settings.rpc_url, confirmations=settings.confirmations)


def _endpoint(url: str, settings: Settings) -> Endpoint:
    chain = EvmChain(url, confirmations=settings.confirmations)
    identity = chain.identity()
    head = chain.head()
    return Endpoint(
        chain, (identity.chain_id, identity.genesis_hash), head, chain.timestamp("latest")
    )


def _fresh(name: str, endpoint: Endpoint, now: float) -> Check:
    behind = int(now - endpoint.head_at)
    what = f"answers; block {endpoint.head} is {behind} seconds old"
    if -behind > CLOCK_SECONDS:
        remedy = "set this host's clock (NTP): receipts carry its time"
        return Check(name, WARN, f"block {endpoint.head} is {-behind} seconds ahead of us", remedy)
    if behind > HEAD_SECONDS:
        remedy = "the endpoint or the chain stands still, or this host's clock runs ahead"
        return Check(name, WARN, what, remedy)
    return Check(name, OK, what)


def _finality(name: str, endpoint: Endpoint) -> Iterator[Check]:
    lag = endpoint.head - endpoint.chain.finalized()
    yield Check(name, OK, f"chain {endpoint.identity[0]}, final {max(0, lag)} blocks behind")


def _together(answered: list[Endpoint], asked: int) -> Iterator[Check]:
    if asked < 2 or not answered:
        if not answered:
            remedy = f"check {PREFIX}RPC_URL; receipts are kept and settled later"
            yield Check("chain", FAIL, "no RPC endpoint answers", remedy)
        return
    if len({endpoint.identity for endpoint in answered}) > 1:
        remedy = f"take the wrong ones out of {PREFIX}RPC_URL"
        yield Check("chain", FAIL, "the RPC endpoints are of different chains", remedy)
        return
    lag = max(one.head for one in answered) - min(one.head for one in answered)
    if lag > MAX_LAG_BLOCKS:
        what = f"the RPC endpoints are {lag} blocks apart"
        yield Check("chain", WARN, what, "the one behind is left out; look at it if it stays so")
        return
    yield Check("chain", OK, f"{len(answered)} of {asked} RPC endpoints agree")


# The journal's places


def _ledgers(journal: Journal, chain: EvmChain | None) -> Iterator[Check]:
    ledgers, losses = journal.ledgers(lost=True), journal.losses()
    if not ledgers:
        remedy = "footnote deploy, then footnote register; until then answers owe nothing"
        yield Check("ledger", WARN, "no pool is deployed", remedy)
    for ledger in ledgers:
        name = f"ledger {format_address(ledger.pool)}"
        if ledger.ledger_id in losses:
            remedy = f"check {PREFIX}RPC_URL; if the chain was reset, deploy and register anew"
            yield Check(name, FAIL, f"lost: {losses[ledger.ledger_id]}", remedy)
        elif chain is not None:
            yield from _guarded(name, _on_chain(chain, name, ledger))


def _on_chain(chain: EvmChain, name: str, ledger: Ledger) -> Iterator[Check]:
    if chain.is_ledger(ledger):
        yield _confirmed(chain, name, ledger)
        return
    remedy = f"check {PREFIX}RPC_URL"
    if chain.contradicts(ledger):
        remedy += "; if the chain was reset, deploy and register anew"
        yield Check(name, FAIL, "this chain has another history", remedy)
    else:
        yield Check(name, WARN, "not on this chain; it is not settled from here", remedy)


def _confirmed(chain: EvmChain, name: str, ledger: Ledger) -> Check:
    if chain.confirms(ledger):
        return Check(name, OK, "on this chain, with the registry and the token that were noted")
    what = "on this chain, but with another registry, token or time than the journal notes"
    return Check(name, FAIL, what, "somebody changed the journal: restore the newest one")


def _marks(settings: Settings, journal: Journal) -> Iterator[Check]:
    recorder = Recorder(journal, None, Marks(settings.marks_path))
    named = {path.name.split(".")[0] for path in settings.marks_path.glob("*.mark")}
    for datanet in sorted(named | {one.datanet for one in journal.registrations(lost=True)}):
        name = f"mark of {datanet}"
        try:
            recorder.check_marks(datanet)
        except FootnoteError as error:
            yield _failed(name, error)
        else:
            yield Check(name, OK, "not ahead of the journal")


# Whether receipts are being paid


def _settling(settings: Settings, shown: Status) -> Iterator[Check]:
    if not shown.places:
        return
    if shown.leaders:
        yield Check("worker", OK, f"{', '.join(shown.leaders.values())} leads")
    else:
        remedy = "start footnote worker; what is owed is kept meanwhile"
        yield Check("worker", WARN, "no worker leads", remedy)
    late = settings.batch_age_seconds + LATE_SECONDS
    for place in shown.places:
        yield _waiting(place, shown.at, late)


def _waiting(place: Place, now: float, late: float) -> Check:
    name, age = f"waiting of {place.registration.datanet}", place.age_seconds(now)
    if age is None:
        return Check(name, OK, "all receipts are settled")
    count = place.standing.waiting
    what = f"{count} receipts wait, the oldest for {age} seconds"
    held = place.flight.held if place.flight else None
    if held is not None:
        return Check(name, WARN, f"{what}; held: {held.name}", held.what_to_do)
    if age > late and place.standing.pending:
        remedy = "see what the worker's log says, and footnote status"
        return Check(name, WARN, what, remedy)
    return Check(name, OK, what)


def _datanet(
    place: Place, chain: EvmChain | None, addresses: Addresses, now: float
) -> Iterator[Check]:
    registration = place.registration
    name = f"datanet {registration.datanet}"
    if chain is None:
        yield Check(name, WARN, "its place on chain is not looked at", f"set {PREFIX}RPC_URL")
        return
    yield from _guarded(name, _owner(name, chain, registration))
    yield from _guarded(name, _signer(name, chain, registration, addresses.signer, now))
    yield from _guarded(name, _distributor(name, chain, registration, addresses.distributor))
    yield from _guarded(name, _cursor(name, chain, place))
    yield from _guarded(name, _pool(name, chain, place))


def _owner(name: str, chain: EvmChain, registration: Registration) -> Iterator[Check]:
    owner = chain.owner_of(registration.ledger, registration.datanet_id)
    if owner == registration.owner:
        yield Check(name, OK, f"{format_address(owner)} owns it")
        return
    what = f"{format_address(owner)} owns it now, no longer {format_address(registration.owner)}"
    yield Check(name, WARN, what, "did you mean to give it away? Signers and funds are theirs now")


def _signer(
    name: str, chain: EvmChain, registration: Registration, signer: Address | None, now: float
) -> Iterator[Check]:
    if signer is None:
        terms = registration.signers
        good = [one for one in terms if one.until_time > now and not one.compromised]
        if not good:
            remedy = f"footnote register {registration.datanet} --signer 0x…"
            yield Check(name, FAIL, "the journal knows no signer that may sign now", remedy)
        return
    term = chain.signer_term(registration.ledger, registration.datanet_id, signer)
    text = format_address(signer)
    remedy = f"footnote register {registration.datanet} --signer with one that may sign"
    if term is None:
        yield Check(name, FAIL, f"the registry does not know the signer {text}", remedy)
    elif term.compromised:
        yield Check(name, FAIL, f"the signer {text} was revoked as compromised", remedy)
    elif term.until_time <= now:
        yield Check(name, FAIL, f"the signer {text} ended at {term.until_time}", remedy)
    elif registration.term_of(signer) is None:
        remedy = f"footnote register {registration.datanet} with this journal"
        yield Check(name, FAIL, f"this journal does not know the signer {text}", remedy)
    else:
        yield Check(name, OK, f"{text} may sign its receipts")


def _distributor(
    name: str, chain: EvmChain, registration: Registration, distributor: Address | None
) -> Iterator[Check]:
    if distributor is None:
        return
    text = format_address(distributor)
    if chain.is_distributor(registration.ledger, registration.datanet_id, distributor):
        yield Check(name, OK, f"{text} may settle it")
        return
    remedy = f"footnote register {registration.datanet} --distributor {text}"
    yield Check(name, FAIL, f"{text} may not settle it", remedy)


def _cursor(name: str, chain: EvmChain, place: Place) -> Iterator[Check]:
    """The chain may be ahead for a moment, and never behind what was final."""
    registration, settled_to = place.registration, place.standing.settled_to
    cursor = chain.cursor(registration.ledger, registration.datanet_id, "latest")
    if cursor < settled_to:
        what = f"the chain's cursor is {cursor}, and {settled_to} receipts were final"
        yield Check(name, FAIL, what, "run footnote audit; see docs/runbook.md")
    elif cursor > place.standing.issued:
        what = f"the chain settled {cursor} receipts, and the journal has {place.standing.issued}"
        yield Check(name, FAIL, what, "restore the newest journal; see docs/runbook.md")


def _pool(name: str, chain: EvmChain, place: Place) -> Iterator[Check]:
    ledger, datanet_id = place.registration.ledger, place.registration.datanet_id
    bits = chain.paused(ledger)
    if bits:
        paused = " and ".join(what for bit, what in PAUSE_BITS.items() if bits & bit)
        state = FAIL if bits & SETTLING else WARN
        remedy = "ask the pool's admin, who alone can undo it; what is owed is kept"
        yield Check(name, state, f"the pool has paused {paused}", remedy)
    funds = chain.funds(ledger, datanet_id)
    pending = place.standing.pending - place.in_flight  # what is mined is taken from it already
    if funds < pending:
        remedy = f"footnote fund {place.registration.datanet} with at least the difference"
        yield Check(name, FAIL, f"its pool holds {funds}, and {pending} is owed", remedy)
    elif not funds:
        remedy = f"footnote fund {place.registration.datanet} before its receipts are due"
        yield Check(name, WARN, "its pool is empty", remedy)
    else:
        yield Check(name, OK, f"its pool holds {funds}, and {pending} is owed")
    yield from _caps(name, chain, place)


def _caps(name: str, chain: EvmChain, place: Place) -> Iterator[Check]:
    """The most that one receipt and the open Batch may come to, against what the pool takes."""
    most = chain.most_payable(place.registration.ledger, place.registration.datanet_id)
    wanted = place.flight.batch.total if place.flight else 0
    if most < wanted:
        remedy = "wait until the pool's window has room, or ask its admin to raise the caps"
        yield Check(name, WARN, f"its caps allow {most} now; its batch is {wanted}", remedy)
    else:
        yield Check(name, OK, "its caps leave room for its next batch")


def _gas(settings: Settings, chain: EvmChain, distributor: Address) -> Iterator[Check]:
    balance, fees = chain.balance(distributor), chain.fees()
    one = GAS_OF_A_BATCH * fees.max_fee
    batches = balance // one if one else 0
    what = f"the distributor holds {balance} wei, for about {batches} batches of {one}"
    remedy = f"send coin for gas to {format_address(distributor)}"
    if fees.base_fee + fees.priority_fee > int(settings.max_fee_gwei * 10**9):
        ceiling = f"gas costs more now than {PREFIX}MAX_FEE_GWEI allows"
        yield Check("gas", WARN, ceiling, "wait until it costs less, or raise it")
    if balance < one:
        yield Check("gas", FAIL, what, remedy)
    elif balance < BATCHES_IN_STOCK * one:
        yield Check("gas", WARN, what, remedy)
    else:
        yield Check("gas", OK, what)
