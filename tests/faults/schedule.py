"""One schedule against the real thing: real workers, anvil, Redis, and SQLite or PostgreSQL.

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
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.stack import Stack, clean_environment, free_port, give_coin, redis_path
from footnote.addresses import Address, format_address
from footnote.errors import Broken, FootnoteError, Misconfigured, NotFound
from rewards.audit import audit
from rewards.chain import EvmChain
from rewards.marks import Marks
from rewards.queue import RedisWakeUps
from rewards.record import Recorder
from tests.conftest import CHECKOUT, required, rpc, start_chain
from tests.faults.databases import Database, PostgresDatabase, SqliteFile
from tests.faults.misfortunes import (
    DISASTERS,
    EVENTS,
    FUNDED,
    NO_LIMIT,
    POSTGRESQL_EVENTS,
    RICH,
)
from tests.faults.proxy import Mood, Proxy
from tests.money import Place, deployed, new_key, place
from tests.postgres import Postgres, server_program
from tests.simulator.asked import Ask, accounts_of, drawn, policy

TURBULENT_SECONDS = 6.0
QUIET_SECONDS = 45.0
BLOCK_SECONDS = 0.1
MOST_ASKS = 30
POINTS = ("PlannedBatch", "NoncedBatch", "SignedBatch", "SentBatch", "MinedBatch")


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
    """What several schedules share: a chain, a Redis, a nursery of workers, and with
    ``postgresql`` a server for their journals."""

    def __init__(self, folder: Path, *, postgresql: bool = False) -> None:
        self.folder = folder
        self._ends = ExitStack()
        if postgresql and server_program("postgres") is None:
            required("postgresql")
        self._postgres = self._ends.enter_context(Postgres()) if postgresql else None
        self.stack = self._ends.enter_context(Stack(folder, clean_environment()))
        past = str(int(time.time()) - 1_000_000)
        self.url = start_chain(self.stack, "--slots-in-an-epoch", "1", "--timestamp", past)
        self.port = int(self.url.rsplit(":", 1)[1])
        try:
            executable = redis_path()
        except Misconfigured:
            required("redis-server")
        port = free_port()
        self.stack.start(
            "redis",
            [executable, "--port", str(port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no", "--dir", str(folder)],
        )  # fmt: skip
        self.stack.wait_port(port)
        self.redis_url = f"redis://127.0.0.1:{port}/0"
        self._nursery = self._ends.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "tests.faults.nursery"], env=clean_environment(),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT,
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

    def database(self, folder: Path) -> Database:
        """A new one for the journal of ``folder``."""
        if self._postgres is None:
            return SqliteFile(folder)
        return PostgresDatabase(self._postgres, folder)

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
        share = chance.choice((0.15, 0.3, 0.5))
        self.faults = [name for name in EVENTS if chance.random() < share]
        self.database = site.database(folder)
        if isinstance(self.database, PostgresDatabase):
            own = random.Random(f"{seed} postgresql")  # the other draws are as with SQLite
            self.faults += [name for name in POSTGRESQL_EVENTS if own.random() < 0.5]
        self.disaster = chance.choice(list(DISASTERS)) if chance.random() < 0.25 else "none"
        self.workers = chance.choice((1, 1, 2, 2, 3, 4))
        self.outcome = Outcome(seed, self.disaster)
        self.asks: list[Ask] = []
        self.held: dict[str, Held] = {}
        """Answers that a caller holds, by id."""
        self.stopped: list[str] = []
        self.running: dict[int, dict[str, Any]] = {}
        self.proxies: list[Proxy] = []
        self.undo: list[tuple[float, Callable[[], object]]] = []
        self.lied = False
        self.began = time.monotonic()
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
                self.end_all()
                rpc(self.site.url, "evm_setAutomine", True)
            self._judge()
            self.place.journal.close()
            self.database.close()
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
        self.as_owner(self.place, self.allow(self.place, self.other.address, True))
        rpc(url, "anvil_mine", hex(self.depth + 1))
        rpc(url, "evm_setAutomine", False)
        self.database.back_up()

    @property
    def place(self) -> Place:
        """Where answers are paid now."""
        return self.places[-1]

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
                if len(self.asks) < MOST_ASKS:
                    self.ask()
                next_ask = now + self.chance.expovariate(5.0)
            if now >= next_event and self.faults:
                name = self.chance.choice(self.faults)
                self.say(f"{now:6.2f} * {name}")
                {**EVENTS, **POSTGRESQL_EVENTS}[name](self)
                next_event = now + self.chance.uniform(0.15, 1.0)
            if now >= disaster_at and self.disaster != "none":
                disaster_at = TURBULENT_SECONDS + 1
                self.say(f"{now:6.2f} ** {self.disaster}")
                self.note(self.disaster)
                DISASTERS[self.disaster](self)
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
        if self.disaster != "reset chain":
            self._allow_everything()
        self._mine()
        for pid in [p for p, order in self.running.items() if _is_faulty(order) or self.lied]:
            self.kill(pid)
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

    def ask(self) -> None:
        """Somebody new asks."""
        if self.stopped:
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

    def kill(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + 5
        while _lives(pid) and time.monotonic() < until:
            time.sleep(0.005)
        self.running.pop(pid, None)

    def end_all(self) -> None:
        for pid in list(self.running):
            self.kill(pid)

    # The chain

    def _mine(self) -> None:
        if self.base_fee is not None:
            rpc(self.site.url, "anvil_setNextBlockBaseFeePerGas", hex(self.base_fee))
        rpc(self.site.url, "evm_mine")

    def pool(self, at: Place) -> Any:
        return at.pool.chain._pool(at.pool.ledger).functions

    def allow(self, at: Place, account: Address, allowed: bool) -> Any:
        """What the registry's owner calls to give or take the right to settle."""
        function = at.pool.chain._registry(at.pool.ledger).functions.setDistributor
        return function(at.registration.datanet_id, format_address(account), allowed)

    def as_owner(self, at: Place, call: Any) -> bytes | None:
        """The owner calls a contract; its transaction waits for a block, and may be lost."""
        with suppress(FootnoteError):
            return at.pool.chain._transact(at.pool.owner, call)
        return None

    def _allow_everything(self) -> None:
        """Whatever was taken, and whatever giving it back was lost."""
        rpc(self.site.url, "evm_setAutomine", True)
        for at in self.places:
            pool, chain = self.pool(at), at.pool.chain
            self._mine()
            for call in (
                pool.unpause(2), pool.setCaps(NO_LIMIT, NO_LIMIT, 86_400),
                self.allow(at, at.distributor.address, True),
                self.allow(at, self.other.address, True),
            ):  # fmt: skip
                chain.wait_mined(chain._transact(at.pool.owner, call))
            identity = at.registration.datanet_id
            chain.wait_mined(chain.fund(at.pool.owner, at.pool.ledger, identity, FUNDED))
        rpc(self.site.url, "evm_setAutomine", False)

    def later(self, undo: Callable[[], object]) -> None:
        now = time.monotonic() - self.began
        self.undo.append((now + self.chance.choice((0.3, 0.8, 1.6)), undo))

    def note(self, name: str) -> None:
        self.outcome.coverage[name] += 1

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


def _is_faulty(order: Mapping[str, Any]) -> bool:
    crashes = "FOOTNOTE_CRASH_AT" in order["environment"]
    return bool(crashes or order["skew"] or order["disk_full"])


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def run_seed(seed: int, site: Site, say: Callable[[str], None] = lambda text: None) -> Outcome:
    """What became of a seed."""
    folder = site.folder / f"seed-{seed}"
    folder.mkdir()
    outcome = Schedule(seed, site, folder, say).run()
    if not outcome.failures:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome
