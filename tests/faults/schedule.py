"""One schedule against the real thing: real workers, anvil, Redis and SQLite.

The seed gives the faults, their order and their moments. Processes race, so the same seed need not
give the same interleaving; it gives the same attack. Turbulence lasts a few seconds; then faults
end, what was taken is given back, and everything owed must become final in time.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import redis

from cli.stack import Stack, clean_environment, free_port, give_coin, redis_path
from footnote.addresses import Address, format_address
from footnote.errors import Broken, FootnoteError, NotFound
from footnote.ids import datanet_id, keccak
from rewards.audit import audit
from rewards.batch import Batch, Payout, batch_of
from rewards.chain import EvmChain, Fees
from rewards.keys import Key
from rewards.ledger import Registration
from rewards.marks import Marks
from rewards.queue import RedisWakeUps
from rewards.record import Recorder
from tests.conftest import rpc, start_chain
from tests.faults.proxy import Mood, Proxy
from tests.money import Place, deployed, new_key, place
from tests.simulator.asked import Ask, accounts_of, drawn, policy

TURBULENT_SECONDS = 6.0
QUIET_SECONDS = 45.0
BLOCK_SECONDS = 0.1
RICH = 10**21
FUNDED = 10**12
NO_LIMIT = 2**256 - 1
POINTS = ("PlannedBatch", "NoncedBatch", "SignedBatch", "SentBatch", "MinedBatch")
DISASTERS = ("reorg past finality", "strange batch", "journal restored", "reset chain")


@dataclass(slots=True)
class Outcome:
    """What became of a schedule."""

    seed: int
    disaster: str
    failures: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    coverage: Counter[str] = field(default_factory=Counter)
    receipts: int = 0
    batches: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Held:
    """What a caller holds: the receipt's digest, its number, and the Ledger that pays it, zero
    where none does."""

    ask: Ask
    digest: bytes
    seq: int
    ledger_id: bytes


class Site:
    """What several schedules share: a chain, a Redis, and a nursery of workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ends = ExitStack()
        self.stack = self._ends.enter_context(Stack(folder, clean_environment()))
        past = str(int(time.time()) - 1_000_000)
        self.url = start_chain(self.stack, "--slots-in-an-epoch", "1", "--timestamp", past)
        self.port = int(self.url.rsplit(":", 1)[1])
        port = free_port()
        self.stack.start(
            "redis",
            [redis_path(), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no", "--dir", str(folder)],
        )  # fmt: skip
        self.stack.wait_port(port)
        self.redis_url = f"redis://127.0.0.1:{port}/0"
        self._nursery = self._ends.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "tests.faults.nursery"], env=clean_environment(),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
        assert self._line() == "ready"

    def close(self) -> None:
        assert self._nursery.stdin is not None
        self._nursery.stdin.close()
        self._ends.close()

    def fork(self, order: Mapping[str, Any]) -> int:
        """A worker; its process id."""
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(json.dumps(order) + "\n")
        self._nursery.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        assert self._nursery.stdout is not None
        return self._nursery.stdout.readline().strip()


class Schedule:
    """One seed at a site."""

    def __init__(self, seed: int, site: Site, folder: Path, say: Callable[[str], None]) -> None:
        self.chance = random.Random(seed)
        self.site, self.folder, self.say = site, folder, say
        chance = self.chance
        self.confirmations = chance.choice((None, 3, 5))
        self.depth = self.confirmations or 2
        share = chance.choice((0.2, 0.4, 0.7))
        self.faults = [name for name in EVENTS if chance.random() < share]
        self.disaster = chance.choice(DISASTERS) if chance.random() < 0.25 else "none"
        self.workers = chance.choice((1, 1, 2, 2, 3, 4))
        self.outcome = Outcome(seed, self.disaster)
        self.asks: list[Ask] = []
        self.held: dict[str, Held] = {}
        """Answers that a caller holds, by id."""
        self.stopped: list[str] = []
        self.running: dict[int, dict[str, Any]] = {}
        self.proxies: list[Proxy] = []
        self.undo: list[tuple[float, Callable[[], None]]] = []
        self.lied = False
        self.began = time.monotonic()
        self.backup: Path | None = None
        self.base_fee: int | None = None

    # The story

    def run(self) -> Outcome:
        began = time.monotonic()
        self.say(
            f"seed {self.outcome.seed}: {self.workers} workers, {self.disaster}, {self.faults}"
        )
        with ExitStack() as ends:
            for _ in range(1 + self.chance.randrange(2)):
                proxy = Proxy(self.site.port, random.Random(self.chance.random()))
                self.proxies.append(ends.enter_context(proxy))
            self._set_up()
            try:
                self._turbulence()
                self._calm()
                self._quiet()
            finally:
                self._end_all()
                rpc(self.site.url, "evm_setAutomine", True)
            self._judge()
            self.place.journal.close()
        self.outcome.seconds = time.monotonic() - began
        return self.outcome

    def _set_up(self) -> None:
        url = self.site.url
        rpc(url, "evm_setAutomine", True)
        rpc(url, "anvil_setNextBlockBaseFeePerGas", hex(10**9))
        funds = 2_500_000 if "empty pool" in self.faults else FUNDED
        self.places = [place(deployed(url, EvmChain(url, confirmations=0)), self.folder, funds)]
        self.place.journal.set_policy(self.place.name, policy(0))
        self.marks = Marks(self.folder / "marks")
        self.recorder = Recorder(self.place.journal, self.place.signer, self.marks)
        self.wake_ups = RedisWakeUps(self.site.redis_url, "api")
        self.other = new_key()
        give_coin(url, format_address(self.other.address), RICH)
        self._owner(self._registry().setDistributor, format_address(self.other.address), True)
        rpc(url, "anvil_mine", hex(self.depth + 1))
        rpc(url, "evm_setAutomine", False)
        self._copy()

    @property
    def place(self) -> Place:
        """Where answers are paid now."""
        return self.places[-1]

    def fund(self) -> None:
        at, chain = self.place, self.place.pool.chain
        with suppress(FootnoteError):
            chain.fund(at.pool.owner, at.pool.ledger, at.registration.datanet_id, FUNDED)

    def _turbulence(self) -> None:
        self.began = time.monotonic()
        disaster_at = self.chance.uniform(0.4, 0.9) * TURBULENT_SECONDS
        for _ in range(self.workers):
            self._start_worker()
        next_ask = next_event = next_block = 0.0
        while (now := time.monotonic() - self.began) < TURBULENT_SECONDS:
            if now >= next_block:
                self._mine()
                next_block = now + self.chance.uniform(0.5, 1.5) * BLOCK_SECONDS
            if now >= next_ask:
                self._ask()
                next_ask = now + self.chance.expovariate(5.0)
            if now >= next_event and self.faults:
                name = self.chance.choice(self.faults)
                self.say(f"{now:6.2f} * {name}")
                EVENTS[name](self)
                next_event = now + self.chance.uniform(0.1, 0.9)
            if now >= disaster_at and self.disaster != "none":
                disaster_at = TURBULENT_SECONDS + 1
                self.say(f"{now:6.2f} ** {self.disaster}")
                self.note(self.disaster)
                _DISASTERS[self.disaster](self)
            for due in [one for one in self.undo if one[0] <= now]:
                self.undo.remove(due)
                due[1]()
            self._respawn()
            time.sleep(0.01)

    def _calm(self) -> None:
        """Faults end; what was taken is given back."""
        for _, undo in self.undo:
            undo()
        self.undo.clear()
        for proxy in self.proxies:
            proxy.mood = Mood.HONEST
            self.outcome.coverage.update(proxy.met)
        self.base_fee = None
        url = self.site.url
        rpc(url, "anvil_setNextBlockBaseFeePerGas", hex(10**9))
        for key in (self.place.distributor, self.other, self.place.pool.owner):
            give_coin(url, format_address(key.address), RICH)
        if "empty pool" in self.faults and self.disaster != "reset chain":
            self.fund()
        self._mine()
        for pid in [p for p, order in self.running.items() if _is_faulty(order) or self.lied]:
            self._kill(pid)
        while len(self.running) < min(self.workers, 2):
            self._start_worker(honest=True)

    def _quiet(self) -> None:
        until = time.monotonic() + QUIET_SECONDS
        look_at = 0.0
        while time.monotonic() < until:
            self._mine()
            self._respawn(honest=True)
            self._answer_rest()
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + 0.3
                if self._settled() or (self._alarms() and time.monotonic() > until - 40):
                    return
            time.sleep(BLOCK_SECONDS / 2)

    # Asking

    def _ask(self) -> None:
        if self.stopped or len(self.asks) >= 30:
            return
        self.asks.append(drawn(self.chance, len(self.asks), [self.place.name]))
        self._answer(self.asks[-1])

    def _answer_rest(self) -> None:
        answered = {one.ask.number for one in self.held.values()}
        for ask in self.asks:
            if ask.number not in answered and not self.stopped:
                self._answer(ask)

    def _answer(self, ask: Ask) -> None:
        try:
            body = self.recorder.record(ask.answer(), ask.retry)
        except Broken as stop:
            self.stopped.append(stop.what)
            return
        except FootnoteError as error:
            self.say(f"       not answered: {error.what}")
            return
        digest = bytes.fromhex(body["receipt"]["id"][2:])
        with suppress(NotFound):
            message = self.place.journal.receipt(digest).message
            self.held[str(body["id"])] = Held(ask, digest, message.seq, message.ledger_id)
        self.wake_ups.announce(ask.datanet)

    # Workers

    def _start_worker(self, *, honest: bool = False) -> None:
        chance, calm = self.chance, honest
        crash = not calm and "crash" in self.faults and chance.random() < 0.8
        urls = [proxy.url for proxy in self.proxies]
        settings = self.place.settings() | {
            "RPC_URL": ",".join(urls),
            "REDIS_URL": self.site.redis_url,
            "MARKS": str(self.folder / "marks"),
            "IDLE_BATCH_AGE_SECONDS": "0",
            "LEASE_SECONDS": "1",
            "MAX_FEE_GWEI": "100",
        }
        if self.confirmations is not None:
            settings["CONFIRMATIONS"] = str(self.confirmations)
        if crash:
            settings["CRASH_AT"] = f"after {chance.choice(POINTS)}"
        skewed = not calm and "clock jump" in self.faults and chance.random() < 0.3
        full = not calm and "disk full" in self.faults and chance.random() < 0.2
        order = {
            "environment": {f"FOOTNOTE_{name}": value for name, value in settings.items()},
            "log": str(self.folder / "workers.log"),
            "skew": chance.choice((-3_600, -30, 30, 3_600, 200_000)) if skewed else 0,
            "disk_full": full,
        }
        for name, drawn_now in (("clock jump", skewed), ("disk full", full)):
            if drawn_now:
                self.note(name)
        self.running[self.site.fork(order)] = order

    def _respawn(self, *, honest: bool = False) -> None:
        for pid in [pid for pid in self.running if not _lives(pid)]:
            point = self.running.pop(pid)["environment"].get("FOOTNOTE_CRASH_AT")
            if point:
                self.note(f"crash: {point}")
        wanted = min(self.workers, 2) if honest else self.workers
        while len(self.running) < wanted:
            self._start_worker(honest=honest)

    def _kill(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + 5
        while _lives(pid) and time.monotonic() < until:
            time.sleep(0.005)
        self.running.pop(pid, None)

    def _end_all(self) -> None:
        for pid in list(self.running):
            self._kill(pid)

    # The chain

    def _mine(self) -> None:
        if self.base_fee is not None:
            rpc(self.site.url, "anvil_setNextBlockBaseFeePerGas", hex(self.base_fee))
        rpc(self.site.url, "evm_mine")

    def _pool(self) -> Any:
        return self.place.pool.chain._pool(self.place.pool.ledger).functions

    def _registry(self) -> Any:
        functions = self.place.pool.chain._registry(self.place.pool.ledger).functions
        return _Bound(functions, self.place.registration.datanet_id)

    def _owner(self, function: Callable[..., Any], *arguments: object, value: int = 0) -> None:
        """The owner calls a contract; its transaction waits for a block."""
        chain = self.place.pool.chain
        with suppress(FootnoteError):
            chain._transact(self.place.pool.owner, function(*arguments), value)

    def later(self, undo: Callable[[], None]) -> None:
        now = time.monotonic() - self.began
        self.undo.append((now + self.chance.choice((0.3, 0.8, 1.6)), undo))

    def note(self, name: str) -> None:
        self.outcome.coverage[name] += 1

    def _copy(self) -> None:
        self.backup = self.folder / "backup.sqlite"
        with (
            closing(sqlite3.connect(self.folder / "journal.sqlite")) as live,
            closing(sqlite3.connect(self.backup)) as copy,
        ):
            live.backup(copy)

    # Judgement

    def _settled(self) -> bool:
        journal = self.place.journal
        answered = {one.ask.number for one in self.held.values()}
        everybody = self.stopped or answered == {ask.number for ask in self.asks}
        return bool(everybody) and all(
            journal.settled_to(at.ledger_id, at.name) == journal.next_seq(at.ledger_id, at.name)
            and journal.open_batch(at.ledger_id, at.name) is None
            for at in self.places
        )

    def _alarms(self) -> list[str]:
        log = self.folder / "workers.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return sorted({line[line.index("ALARM") :][:160] for line in lines if "ALARM" in line})

    def _judge(self) -> None:
        outcome, journal = self.outcome, self.place.journal
        outcome.alarms = [*self._alarms(), *self.stopped]
        outcome.receipts = len(self.held)
        found = [f"died: {line}" for line in self._tracebacks()]
        for answer_id, one in self.held.items():
            try:
                journal.receipt(one.digest)
            except NotFound:
                found.append(f"lost: the receipt of {answer_id}")
        for at in self.places:
            outcome.batches += len(journal.batches(at.ledger_id))
            found += self._judged(at)
        if not self._settled():
            opened = [journal.open_batch(at.ledger_id, at.name) for at in self.places]
            held = [f"{type(one).__name__} {getattr(one, 'held', None) or ''}" for one in opened]
            found.append(f"stuck: {held}")
        if self.disaster == "none":
            found += [f"false alarm: {alarm}" for alarm in outcome.alarms[:1]]
            differences = audit(journal, EvmChain(self.site.url)).differences
            found += [f"books: {text}" for text in differences]
        elif outcome.alarms:
            found = [one for one in found if one.split(":")[0] not in ("lost", "stuck")]
        outcome.failures = list(dict.fromkeys(found))

    def _judged(self, at: Place) -> list[str]:
        """What one Ledger credited against what its answers owe: those that callers hold, and those
        that were committed for callers who were cut off."""
        owed: Counter[Address] = Counter()
        seqs: Counter[int] = Counter()
        for one in self.held.values():
            if one.ledger_id == at.ledger_id:
                seqs[one.seq] += 1
                owed.update(one.ask.owed)
        offered = {answer_id: ask for ask in self.asks for answer_id in ask.tried}
        for receipt in at.journal.receipts(at.ledger_id, at.name, 0, 10**6):
            if receipt.answer_id is not None and receipt.answer_id not in self.held:
                owed.update(offered[receipt.answer_id].owed)
        found = [f"double: seq {seq} was issued {n} times" for seq, n in seqs.items() if n > 1]
        if self.disaster == "reset chain":
            return found
        accounts = accounts_of(0)
        credited = at.pool.chain.credits(at.pool.ledger, accounts, "latest")
        for account in accounts:
            got, due = credited[account], owed[account]
            if got != due:
                kind = "double" if got > due else "lost"
                found.append(f"{kind}: {account.hex()[-4:]} got {got} and is owed {due}")
        return found

    def _tracebacks(self) -> list[str]:
        log = self.folder / "workers.log"
        lines = log.read_text().splitlines() if log.exists() else []
        ends = [i for i, line in enumerate(lines) if line.startswith("Traceback")]
        return [
            next((x for x in lines[i + 1 :] if x and not x.startswith((" ", "Trace"))), "?")[:200]
            for i in ends
        ]


@dataclass(frozen=True, slots=True)
class _Bound:
    """The registry's functions for one Datanet."""

    functions: Any
    datanet_id: bytes

    def setDistributor(self, account: str, allowed: bool) -> Any:
        return self.functions.setDistributor(self.datanet_id, account, allowed)


def _is_faulty(order: Mapping[str, Any]) -> bool:
    crashes = "FOOTNOTE_CRASH_AT" in order["environment"]
    return bool(crashes or order["skew"] or order["disk_full"])


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# Faults


def _moody(mood: Mood) -> Callable[[Schedule], None]:
    def strike(schedule: Schedule) -> None:
        proxy = schedule.chance.choice(schedule.proxies)
        proxy.mood, proxy.share = mood, schedule.chance.choice((0.2, 0.6, 1.0))
        schedule.lied = schedule.lied or mood in (Mood.LIES, Mood.LAGS)

        def end() -> None:
            proxy.mood = Mood.HONEST

        schedule.later(end)

    return strike


def _kill_worker(schedule: Schedule) -> None:
    if schedule.running:
        schedule.note("kill -9")
        schedule._kill(schedule.chance.choice(sorted(schedule.running)))


def _drop(schedule: Schedule) -> None:
    schedule.note("transaction dropped")
    rpc(schedule.site.url, "anvil_dropAllTransactions")


def _reorg(schedule: Schedule, depth: int | None = None) -> None:
    """anvil forgets what was in the blocks; what comes back is what somebody sends again."""
    chosen = depth or schedule.chance.randrange(1, schedule.depth + 1)
    schedule.note("reorg to finality depth" if chosen == schedule.depth else "reorg")
    rpc(schedule.site.url, "anvil_reorg", chosen, [])


def _stranger(schedule: Schedule) -> None:
    """Another process that holds our key."""
    url, key = schedule.site.url, schedule.place.distributor
    nonce = EvmChain(url).nonce(key.address, "latest")
    _send_transfer(schedule, key, nonce, 300 * 10**9)
    schedule.note("nonce used by a stranger")


def _send_transfer(schedule: Schedule, key: Key, nonce: int, fee: int) -> None:
    chain = EvmChain(schedule.site.url)
    call = chain.empty_transfer(
        schedule.place.pool.ledger, schedule.other.address, nonce, Fees(fee, fee)
    )
    raw, _ = key.sign_transaction(call)
    with suppress(FootnoteError):
        chain.send(raw)


def _spike(schedule: Schedule) -> None:
    schedule.note("fee spike")
    schedule.base_fee = schedule.chance.choice((20, 60, 500)) * 10**9

    def end() -> None:
        schedule.base_fee = 10**9

    schedule.later(end)


def _no_gas(schedule: Schedule) -> None:
    schedule.note("empty gas account")
    account = format_address(schedule.place.distributor.address)
    give_coin(schedule.site.url, account, schedule.chance.choice((0, 10**14)))
    schedule.later(lambda: give_coin(schedule.site.url, account, RICH))


def _pause(schedule: Schedule) -> None:
    schedule.note("pause")
    schedule._owner(schedule._pool().pause, 2)
    schedule.later(lambda: schedule._owner(schedule._pool().unpause, 2))


def _caps(schedule: Schedule) -> None:
    """The most that one batch may credit falls below what is owed: an empty pool's cousin."""
    schedule.note("caps")
    schedule._owner(schedule._pool().setCaps, 3_000_000, NO_LIMIT, 86_400)
    schedule.later(lambda: schedule._owner(schedule._pool().setCaps, NO_LIMIT, NO_LIMIT, 86_400))


def _no_right(schedule: Schedule) -> None:
    schedule.note("right to settle withdrawn")
    account = format_address(schedule.place.distributor.address)
    schedule._owner(schedule._registry().setDistributor, account, False)
    schedule.later(lambda: schedule._owner(schedule._registry().setDistributor, account, True))


def _flush(schedule: Schedule) -> None:
    schedule.note("redis wiped")
    with redis.Redis.from_url(schedule.site.redis_url) as client:
        client.flushall()


def _by_others(schedule: Schedule) -> None:
    at = schedule.place
    first = at.cursor()
    waiting = at.journal.payables(at.ledger_id, at.name, first)
    if waiting:
        batch = batch_of(waiting[: schedule.chance.randrange(1, len(waiting) + 1)])
        schedule.note("same content settled by others")
        _settle(schedule, batch)


def _settle(schedule: Schedule, batch: Batch) -> None:
    at, chain = schedule.place, EvmChain(schedule.site.url)
    nonce = chain.nonce(schedule.other.address, "pending")
    fees = Fees(600 * 10**9, 10**9)
    call = chain.settle_transaction(
        at.pool.ledger, at.registration.datanet_id, batch, nonce, 3_000_000, fees
    )
    raw, _ = schedule.other.sign_transaction(call)
    with suppress(FootnoteError):
        chain.send(raw)


def _old_batches(schedule: Schedule) -> None:
    """Workers stop; Batches become as they were at the last copy; receipts are whole."""
    if schedule.backup is None or schedule.chance.random() < 0.5:
        schedule._copy()
        return
    schedule.note("journal restored, receipts whole")
    schedule._end_all()
    with closing(sqlite3.connect(schedule.folder / "journal.sqlite", timeout=30)) as live:
        live.execute("ATTACH ? AS old", (str(schedule.backup),))
        for table in ("batches", "attempts", "leases", "claims"):
            live.execute(f"DELETE FROM main.{table}")
            live.execute(f"INSERT INTO main.{table} SELECT * FROM old.{table}")
        live.commit()


def _new_pool(schedule: Schedule) -> None:
    """A second Ledger, into which everything is issued from now on. It is deployed at once, for the
    schedule itself makes the blocks."""
    if len(schedule.places) > 1:
        return
    schedule.note("new pool")
    url, before = schedule.site.url, schedule.place
    rpc(url, "evm_setAutomine", True)
    pool = deployed(url, EvmChain(url, confirmations=0))
    chain, ledger, owner = pool.chain, pool.ledger, pool.owner
    salt = schedule.chance.randbytes(32)
    identity = datanet_id(ledger.chain_id, ledger.registry, owner.address, salt)
    chain.wait_mined(chain.create_datanet(owner, ledger, salt, "https://x.org"))
    for account in (before.distributor.address, schedule.other.address):
        chain.wait_mined(chain.set_distributor(owner, ledger, identity, account))
    chain.wait_mined(chain.add_signer(owner, ledger, identity, before.signer.address))
    chain.wait_mined(chain.fund(owner, ledger, identity, FUNDED))
    rpc(url, "evm_setAutomine", False)
    rpc(url, "anvil_mine", hex(schedule.depth + 1))
    term = chain.signer_term(ledger, identity, before.signer.address)
    assert term is not None
    registration = Registration(before.name, ledger, identity, owner.address, (term,))
    before.journal.add_ledger(ledger)
    before.journal.register(registration)
    schedule.places.append(replace(before, pool=pool, registration=registration))


def _nothing(schedule: Schedule) -> None:
    """Drawn when a schedule or a worker starts."""


EVENTS: Mapping[str, Callable[[Schedule], None]] = {
    "crash": _nothing,
    "clock jump": _nothing,
    "disk full": _nothing,
    "empty pool": _nothing,
    "new pool": _new_pool,
    "kill -9": _kill_worker,
    "rpc refused": _moody(Mood.REFUSES),
    "rpc timed out": _moody(Mood.TIMES_OUT),
    "rpc accepted but errored": _moody(Mood.SWALLOWS),
    "stale node": _moody(Mood.LAGS),
    "lying head": _moody(Mood.LIES),
    "transaction dropped": _drop,
    "reorg": _reorg,
    "nonce used by a stranger": _stranger,
    "fee spike": _spike,
    "empty gas account": _no_gas,
    "pause": _pause,
    "caps": _caps,
    "right to settle withdrawn": _no_right,
    "redis wiped": _flush,
    "same content settled by others": _by_others,
    "journal restored, receipts whole": _old_batches,
}


# Disasters


def _deep_reorg(schedule: Schedule) -> None:
    _reorg(schedule, schedule.depth + 3)


def _strange_batch(schedule: Schedule) -> None:
    first = schedule.place.cursor()
    lie = Batch(first, first + 1, keccak(b"lie"), (Payout(schedule.other.address, 777),))
    _settle(schedule, lie)


def _old_journal(schedule: Schedule) -> None:
    """Everybody stops, the API too, and finds the journal as it was at the last copy."""
    assert schedule.backup is not None
    schedule._end_all()
    schedule.place.journal.close()
    for suffix in ("", "-wal", "-shm"):
        (schedule.folder / f"journal.sqlite{suffix}").unlink(missing_ok=True)
    shutil.copy(schedule.backup, schedule.folder / "journal.sqlite")
    for ask in schedule.asks[-1:]:
        with suppress(FootnoteError):
            schedule.recorder.check(ask.datanet)


def _reset(schedule: Schedule) -> None:
    """The node comes back with an empty chain."""
    rpc(schedule.site.url, "anvil_reset")
    rpc(schedule.site.url, "evm_setAutomine", False)
    rpc(schedule.site.url, "anvil_mine", hex(60))
    schedule.undo.clear()
    schedule.faults = [name for name in schedule.faults if name in ("crash", "kill -9")]


_DISASTERS: Mapping[str, Callable[[Schedule], None]] = {
    "reorg past finality": _deep_reorg,
    "strange batch": _strange_batch,
    "journal restored": _old_journal,
    "reset chain": _reset,
}


def run_seed(seed: int, site: Site, say: Callable[[str], None] = lambda text: None) -> Outcome:
    """What became of a seed."""
    folder = site.folder / f"seed-{seed}"
    folder.mkdir()
    outcome = Schedule(seed, site, folder, say).run()
    if not outcome.failures:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome
