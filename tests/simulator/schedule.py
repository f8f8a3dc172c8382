"""One schedule: a seed, and everything that follows from it.

Callers ask, an API records, workers settle: our own code, in simulated processes. At every point
the seed decides who goes on and what goes wrong. After that *turbulence* comes *quiet*: faults end,
funds, gas and rights are given back, time passes. Then :mod:`tests.simulator.oracle` judges.
"""

from __future__ import annotations

import logging
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from footnote.errors import Broken, Misconfigured, NotFound, Refused, StorageFull, Unavailable
from footnote.ids import keccak, sha256
from rewards.journal.journal import Journal
from rewards.ledger import Ledger, Registration, SignerTerm
from rewards.marks import Marks
from rewards.published import receipt_object
from rewards.record import Recorder
from rewards.resume import resume
from rewards.settler import Pace, Spending
from rewards.worker import Worker
from tests.money import key_of
from tests.simulator import chain as model
from tests.simulator.asked import Acknowledged, Ask, drawn, policy
from tests.simulator.faults import Coverage, Disaster, Fault, Profile
from tests.simulator.misfortunes import (
    ANYWHERE,
    DAY_SECONDS,
    DISASTERS,
    EVENTS,
    everything_allowed,
    gas_given,
)
from tests.simulator.oracle import judge
from tests.simulator.processes import (
    NeverStopped,
    Process,
    ScheduledJournal,
    SimulatedWakeUps,
)
from tests.simulator.tasks import Crash
from tests.simulator.variants import REAL, Variant
from tests.simulator.view import SimulatedChain

START = 1_700_000_000
BLOCK_SECONDS = 2.0
TURBULENT_SECONDS = 150.0
QUIET_SECONDS = 600.0
PACE = Pace(batch_age_seconds=5.0, idle_batch_age_seconds=60.0, resend_seconds=10.0)
MAX_FEE = 100 * 10**9
DAILY_FEES = 10**17


@dataclass(slots=True)
class Place:
    """A Ledger, the net it lives on, and the Datanets that it pays."""

    net: model.Net
    ledger: Ledger
    registrations: list[Registration]


@dataclass(slots=True)
class Outcome:
    """What became of a schedule. ``failures`` name each broken promise."""

    seed: int
    failures: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Coverage)
    receipts: int = 0
    batches: int = 0
    points: int = 0
    fingerprint: str = ""

    @property
    def kinds(self) -> set[str]:
        return {failure.split(":")[0] for failure in self.failures}


class Schedule:
    """The world of one seed."""

    def __init__(
        self,
        seed: int,
        folder: Path,
        variant: Variant = REAL,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.profile = Profile.drawn(self.chance)
        if variant is not REAL:
            self.profile = variant.focused(self.profile, self.chance)
        self.variant = variant
        self.folder = folder
        self.now = float(START)
        self.turbulent = True
        self.coverage = Coverage()
        self.alarms: list[str] = []
        self.stopped: list[str] = []
        """Refusals to issue because the journal is older than what was issued."""
        self.resumed = False
        self.published: dict[bytes, dict[str, Any]] = {}
        """Receipts as callers may save them."""
        self.given_up: set[bytes] = set()
        """Receipts that an operator gave up."""
        self.broken: list[str] = []
        """Promises that were seen to break on the way."""
        self.points = 0
        self.asks: list[Ask] = []
        self.acknowledged: list[Acknowledged] = []
        self.places: list[Place] = []
        self.net: model.Net
        self.signer = key_of(f"signer {seed}")
        self.keys = [key_of(f"distributor {seed} {i}") for i in range(self.profile.keys)]
        self.other = key_of(f"other {seed}")
        self._say = say
        self._salts = self._started = 0
        self.processes: list[Process] = []
        self._starts: list[tuple[float, int, Callable[[], Process]]] = []
        self._until: dict[Fault, float] = {}
        self._back: list[tuple[float, Callable[[], None]]] = []
        self._next_block = self.now + BLOCK_SECONDS
        self.backup: Path | None = None
        self._disaster_at = self.now + self.chance.uniform(0.2, 0.8) * TURBULENT_SECONDS
        self._backup_at = self.now + self.chance.uniform(0.05, 0.9) * TURBULENT_SECONDS
        self._ledgers = 0
        self._monitor: sqlite3.Connection | None = None

    # The story

    def run(self) -> Outcome:
        with self._listening():
            try:
                self._set_up()
                while self.now < START + TURBULENT_SECONDS:
                    self._turn()
                    self._misfortune()
                self._calm()
                self._quiet()
            finally:
                for process in self.processes:
                    process.task.end()
                if self._monitor is not None:
                    self._monitor.close()
            outcome = Outcome(self.seed, [*self.broken, *judge(self)], self.alarms, self.coverage)
        with closing(self.journal()) as journal:
            for place in self.places:
                stored = journal.batches(place.ledger.ledger_id)
                outcome.batches += len(stored)
        outcome.receipts = len(self.acknowledged)
        outcome.points = self.points
        outcome.fingerprint = keccak(
            f"{self.chance.random()} {self.now} {self.points}".encode() + self.net.head.block_hash
        ).hex()[:16]
        return outcome

    def say(self, text: str) -> None:
        if self._say is not None:
            self._say(f"{self.now - START:8.2f}  {text}")

    def journal(self) -> Journal:
        """The journal, without points."""
        return Journal(self._url)

    @property
    def _url(self) -> str:
        return f"sqlite:///{self.folder / 'journal.sqlite'}"

    def _set_up(self) -> None:
        self.say(f"seed {self.seed}: {self.profile.shown()}")
        self.begin_net(f"{self.seed}", blocks=1)
        with closing(self.journal()) as journal:
            for position in range(self.profile.datanets):
                journal.set_policy(f"d{position}", policy(position))
            self.deploy(journal)
        for number in range(self.profile.workers):
            self._start_later(lambda n=number: self._worker(n))  # type: ignore[misc]
        for number in range(1 + (self.chance.random() < 0.3)):
            self._start_later(lambda n=number: self._api(n))  # type: ignore[misc]

    def begin_net(self, name: str, blocks: int) -> None:
        """A chain that holds nothing of ours but coin for gas."""
        profile = self.profile
        self.net = model.Net(
            name, int(self.now), profile.finality, self.variant.rules, profile.l1_price
        )
        self.net.waiting.append(gas_given(self))
        for _ in range(blocks):
            self.net.mine(int(self.now))
        self._sync_nodes()

    def deploy(self, journal: Journal) -> None:
        """A pool with all Datanets registered and funded."""
        ledger = self.net.deploy(self._ledgers, int(self.now))
        self._ledgers += 1
        registrations = []
        for position in range(self.profile.datanets):
            datanet_id = sha256(f"datanet {position} {ledger.ledger_id.hex()}".encode())
            term = SignerTerm(self.signer.address, ledger.created_at)
            registrations.append(
                Registration(f"d{position}", ledger, datanet_id, self.other.address, (term,))
            )

        place = Place(self.net, ledger, registrations)

        def register(state: model.State) -> None:
            for one in registrations:
                signers = state.pools[ledger.pool].signers
                signers[one.datanet_id, self.signer.address] = one.signers[0]

        self.net.waiting += [register, everything_allowed(place, self)]
        for _ in range(self.profile.finality + 2):
            self.net.mine(int(self.now))
        self._sync_nodes()
        journal.add_ledger(ledger)
        for one in registrations:
            journal.register(one)
        self.places.append(place)

    # Processes

    def _start_later(self, start: Callable[[], Process], seconds: float = 0.0) -> None:
        self._started += 1
        self._starts.append((self.now + seconds, self._started, start))

    def _start_again(self, process: Process, seconds: float) -> None:
        start = self._api if process.name.startswith("api") else self._worker
        self._start_later(lambda: start(process.number), seconds)

    def _process(
        self, name: str, story: Callable[[Process, ScheduledJournal], None], number: int
    ) -> Process:
        """A process that opens the journal; where it cannot, it ends and is started again."""

        def body(process: Process) -> None:
            try:
                journal = ScheduledJournal(self._url, process)
            except Unavailable:
                return
            try:
                story(process, journal)
            finally:
                journal.close()

        return Process(self, name, body, number)

    def _worker(self, number: int) -> Process:
        return self._process(f"worker{number}", self._settle_for_ever, number)

    def _settle_for_ever(self, process: Process, journal: ScheduledJournal) -> None:
        spending = Spending(MAX_FEE, DAILY_FEES if self.profile.daily_fees else None)
        settler = self.variant.settler(
            journal, SimulatedChain(process), self.keys[process.number % len(self.keys)], PACE,
            spending, clock=process.clock, crash_point=process.point,
        )  # fmt: skip
        life = f"{process.name} {self.points}"
        worker = Worker(settler, SimulatedWakeUps(process), 5.0, 10.0, life)
        if self.profile.leased:
            worker.run(NeverStopped(process))
        while True:
            busy = worker.pass_once()
            process.sleep(0.3 if busy else 5.0, deaf=busy)

    def _api(self, number: int) -> Process:
        return self._process(f"api{number}", self._answer_for_ever, number)

    def _answer_for_ever(self, process: Process, journal: ScheduledJournal) -> None:
        recorder = self.variant.recorder(self, process, journal)
        wake_ups = SimulatedWakeUps(process)
        while True:
            ask = self._next_ask(process.number)
            try:
                if ask is None:
                    self._ask_whether_ready(recorder)
                    process.sleep(20.0)
                    continue
                body = recorder.record(ask.answer(), ask.retry)
            except Misconfigured as error:
                self.say(f"{process.name} cannot issue: {error.what}")
                process.sleep(self.chance.uniform(1, 5))
                continue
            except Broken as stop:
                self._stop_issuing(process, stop)
                continue
            except Unavailable as error:
                self.say(f"{process.name} fails: {error.what}")
                process.sleep(self.chance.uniform(0.5, 5))
                continue
            self._acknowledge(ask, body)
            wake_ups.announce(ask.datanet)
            process.sleep(self.chance.expovariate(self.profile.answers / TURBULENT_SECONDS))

    def _stop_issuing(self, process: Process, stop: Broken) -> None:
        """Until an operator comes, which is not always."""
        self.say(f"{process.name} stops issuing: {stop.what}")
        if not self.stopped and self.chance.random() < 0.7:
            self.later(self._resume_issuing)
        self.stopped.append(stop.what)
        process.sleep(10_000.0)

    def _resume_issuing(self) -> None:
        """An operator admits what some callers saved, and gives up the rest."""
        self.say("** an operator resumes")
        self.end_all()
        kept = {d: shown for d, shown in self.published.items() if self.chance.random() < 0.6}
        with closing(self.journal()) as journal:
            try:
                for position in range(self.profile.datanets):
                    self._resume_datanet(journal, f"d{position}", list(kept.values()))
            except Refused as refusal:
                self.say(f"   {refusal}")
                return
            self.given_up = {d for d in self.published if not _holds(journal, d)}
        self.resumed = True

    def _resume_datanet(self, journal: Journal, datanet: str, saved: list[dict[str, Any]]) -> None:
        """As ``footnote journal resume --abandon`` does."""
        marks, chain = Marks(self.folder / "marks"), SimulatedChain(_CalmLine(self.net))
        known = [one for one in journal.registrations(lost=True) if one.datanet == datanet]
        for one in known:
            self.say(f"   {datanet}: {resume(journal, marks, chain, one, saved, abandon=True)}")
        for ledger_id in marks.ledgers(datanet):
            if ledger_id not in {one.ledger.ledger_id for one in known}:
                marks.forget(ledger_id, datanet)

    def _ask_whether_ready(self, recorder: Recorder) -> None:
        """As a load balancer does."""
        for position in range(self.profile.datanets):
            recorder.check(f"d{position}")

    def _next_ask(self, lane: int) -> Ask | None:
        """The caller that this API serves: one that was not answered yet, else a new one."""
        answered = {one.ask.number for one in self.acknowledged}
        for ask in self.asks:
            if ask.number not in answered and ask.number % 2 == lane:
                return ask
        if not self.turbulent or len(self.asks) >= self.profile.answers:
            return None
        datanets = [f"d{i}" for i in range(self.profile.datanets)]
        self.asks.append(drawn(self.chance, 2 * len(self.asks) + lane, datanets))
        return self.asks[-1]

    def new_salt(self) -> bytes:
        self._salts += 1
        return sha256(f"salt {self.seed} {self._salts}".encode())

    def _acknowledge(self, ask: Ask, body: dict[str, Any]) -> None:
        """A caller has its answer. What the journal says of it now is written down elsewhere."""
        digest = bytes.fromhex(body["receipt"]["id"][2:])
        promised = sum(int(citation["reward"]["amount"]) for citation in body["citations"])
        with closing(self.journal()) as journal:
            try:
                ledger_id = journal.receipt(digest).message.ledger_id
                if any(ledger_id):
                    self.published[digest] = receipt_object(journal, digest)
            except NotFound:
                ledger_id = self.places[-1].ledger.ledger_id
        self.acknowledged.append(
            Acknowledged(
                ask, str(body["id"]), digest, ledger_id, int(body["receipt"]["seq"]), promised
            )
        )
        self.say(f"answered {body['id']}: seq {body['receipt']['seq']} of {ask.datanet}")

    # Time

    def _turn(self) -> None:
        """One process goes on until it rests, or time passes."""
        for entry in sorted(e for e in self._starts if e[0] <= self.now):
            self._starts.remove(entry)
            self.processes.append(entry[2]())
        awake = [p for p in self.processes if p.task.wakes_at <= self.now]
        if awake:
            process = awake[self.chance.randrange(len(awake))]
            self._resume(process)
            self.now += self.chance.uniform(0.0, 0.1)
        else:
            soonest = [p.task.wakes_at for p in self.processes] + [e[0] for e in self._starts]
            self.now = max(self.now, min([*soonest, self._next_block]))
        while self._next_block <= self.now:
            self._mine()
            self._next_block += BLOCK_SECONDS * self.chance.uniform(0.5, 1.5)
        for due in [back for back in self._back if back[0] <= self.now]:
            self._back.remove(due)
            due[1]()

    def _resume(self, process: Process) -> None:
        try:
            process.task.resume()
        except Exception as failure:
            self.broken.append(f"died: {process.name} by {type(failure).__name__}: {failure}")
            self.say(f"{process.name} DIED: {failure!r}")
        if process.task.over:
            self.processes.remove(process)
            self._start_again(
                process, self.chance.choice((0.1, 1.0, 20.0)) if self.turbulent else 0.1
            )

    def _mine(self) -> None:
        before = self.net.head
        left_out = 0.4 if self._has(Fault.LEFT_OUT) else 0.0
        passed_over = self.net.left_out
        self.net.mine(int(self.now), self.chance, left_out=left_out)
        self.coverage.counts[Fault.LEFT_OUT.value] += self.net.left_out - passed_over
        for transaction in self.net.head.transactions:
            done = self.net.head.receipts[transaction.tx_hash]
            if not done.succeeded:
                self.coverage.counts["seen: transaction reverted"] += 1
            elif transaction.to == transaction.sender:
                self.coverage.counts["seen: empty transfer mined"] += 1
            self.say(
                f"block {self.net.head.number}: nonce {transaction.nonce} of "
                f"{transaction.sender.hex()[:6]} {'succeeded' if done.succeeded else 'REVERTED'}"
            )
        self.net.gossip(self.chance, 0.5)
        for node in self.net.nodes[1:]:
            lags = self._lasts(Fault.STALE_NODE) and self.chance.random() < 0.9
            if not lags and self.chance.random() < 0.8:
                node.follow(before if self.chance.random() < 0.3 else self.net.head)

    def _sync_nodes(self) -> None:
        for node in self.net.nodes:
            node.follow(self.net.head)
            node.claims_ahead = 0

    # What a process meets (processes.Environment)

    def visit(self, process: Process, place: str) -> None:
        if process.task.doomed:
            raise Crash
        self.points += 1
        named = place.startswith("after ")
        if self._has(Fault.CRASH) and self.chance.random() < (0.05 if named else 0.001):
            self.coverage.note(Fault.CRASH, place)
            self.say(f"{process.name} crashes: {place}")
            process.task.doomed = True
            raise Crash
        if self.chance.random() < 0.08:
            process.sleep(self.chance.choice((0.0, 0.0, 0.1, 1.0, 15.0)))

    def node_for(self, process: Process, name: str) -> model.Node:
        if self._lasts(Fault.REFUSED) or self._strikes(Fault.REFUSED, 0.004):
            self.coverage.note(Fault.REFUSED)
            raise Unavailable("the chain does not answer", "check FOOTNOTE_RPC_URL")
        if self._strikes(Fault.TIMED_OUT, 0.004):
            self.coverage.note(Fault.TIMED_OUT)
            process.sleep(10.0)
            raise Unavailable("the chain does not answer", "check FOOTNOTE_RPC_URL")
        if self._has(Fault.STALE_NODE) and self.chance.random() < 0.2:
            process.node = self.chance.randrange(len(self.net.nodes))
        if not self._has(Fault.STALE_NODE):
            process.node = 0
        node = self.net.nodes[process.node]
        if node.head is not self.net.head:
            self.coverage.note(Fault.STALE_NODE)
        return node

    def hand_over(self, process: Process, node: model.Node, raw: bytes) -> None:
        transaction = model.Transaction.decoded(raw)
        self._check_saved(process, transaction)
        known = node.mempool.get((transaction.sender, transaction.nonce))
        try:
            node.take(transaction)
        except model.NodeRefuses as refusal:
            self.say(f"{process.name} sends nonce {transaction.nonce}: {refusal}")
            raise Unavailable(f"the chain answers {refusal}", "try again") from refusal
        if known is not None:
            self.coverage.counts["seen: transaction replaced"] += 1
        nonce, fee = transaction.nonce, transaction.max_fee
        self.say(f"{process.name} sends nonce {nonce} for {fee} to {node.name}")
        if self._strikes(Fault.ACCEPTED_BUT_ERRORED, 0.2):
            self.coverage.note(Fault.ACCEPTED_BUT_ERRORED)
            raise Unavailable("the chain does not answer", "check FOOTNOTE_RPC_URL")

    def before_reading(self, process: Process) -> None:
        if self._strikes(Fault.LOCKED, 0.003):
            self.coverage.note(Fault.LOCKED)
            raise Unavailable("the journal cannot be used now", "try again")

    def before_writing(self, process: Process) -> None:
        if self._lasts(Fault.DISK_FULL):
            self.coverage.note(Fault.DISK_FULL)
            raise StorageFull("no room in the journal", "free some disk space")
        if self._strikes(Fault.LOCKED, 0.01):
            self.coverage.note(Fault.LOCKED)
            raise Unavailable("the journal cannot be used now", "try again")

    def after_writing(self, process: Process) -> None:
        if self._strikes(Fault.UNSURE_COMMIT, 0.01):
            self.coverage.note(Fault.UNSURE_COMMIT)
            raise Unavailable("the journal cannot be used now", "try again")

    @property
    def redis_away(self) -> bool:
        return self._lasts(Fault.REDIS)

    def wake(self) -> None:
        for process in self.processes:
            if not process.task.deaf:
                process.task.wakes_at = min(process.task.wakes_at, self.now)

    def _has(self, fault: Fault) -> bool:
        return self.turbulent and fault in self.profile.faults

    def _strikes(self, fault: Fault, likelihood: float) -> bool:
        return self._has(fault) and self.chance.random() < likelihood

    def _lasts(self, fault: Fault) -> bool:
        return self.turbulent and self._until.get(fault, 0.0) > self.now

    def _check_saved(self, process: Process, transaction: model.Transaction) -> None:
        """Bytes are stored before anybody sees them."""
        if self._monitor is None:
            self._monitor = sqlite3.connect(self.folder / "journal.sqlite", check_same_thread=False)
        found = self._monitor.execute(
            "SELECT 1 FROM attempts WHERE tx_hash = ?", (transaction.tx_hash,)
        ).fetchone()
        if found is None:
            self.broken.append(f"unsaved: {process.name} sent bytes that the journal does not hold")

    # Misfortune

    def _misfortune(self) -> None:
        """Now and then something happens; once, in some schedules, what must stop payment."""
        if self.chance.random() < 0.025:
            strayed = self.places[-1].net is not self.net
            drawable = [
                fault for fault in EVENTS if self._has(fault) and (fault in ANYWHERE or not strayed)
            ]
            if drawable:
                EVENTS[self.chance.choice(drawable)](self)
        if self.profile.disaster is not Disaster.NONE:
            if self.backup is None and self.now >= self._backup_at:
                self.back_up()
            if self.now >= self._disaster_at:
                self._disaster_at = float("inf")
                DISASTERS[self.profile.disaster](self)

    def happened(self, fault: Fault | Disaster, detail: str = "") -> None:
        self.coverage.note(fault, detail)
        self.say(f"{'**' if isinstance(fault, Disaster) else '*'} {fault.value} {detail}")

    def episode(self, fault: Fault) -> None:
        """``fault`` lasts for a while."""
        self._until[fault] = self.now + self.chance.choice((3.0, 10.0, 40.0))
        self.happened(fault, "begins")

    def act(self, fault: Fault, act: model.Act, undo: model.Act) -> None:
        """Somebody does something in the next block, and takes it back after a while."""
        self.happened(fault)
        net = self.net
        net.waiting.append(act)
        self.later(lambda: net.waiting.append(undo))

    def later(self, undo: Callable[[], None], *seconds: float) -> None:
        """In so many ``seconds``, one of them."""
        self._back.append((self.now + self.chance.choice(seconds or (4.0, 12.0, 45.0)), undo))

    def back_up(self) -> None:
        self.backup = self.folder / "backup.sqlite"
        with (
            closing(sqlite3.connect(self.folder / "journal.sqlite")) as live,
            closing(sqlite3.connect(self.backup)) as copy,
        ):
            live.backup(copy)
        self.say("a copy of the journal is made")

    def end_all(self) -> None:
        """Every process ends, and starts again in a moment."""
        for process in self.processes:
            process.task.end()
            self._start_again(process, 1.0)
        self.processes.clear()
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None

    # Quiet

    def _calm(self) -> None:
        """Faults end, and what was taken is given back."""
        self.say("quiet")
        self.turbulent = False
        for _, back in self._back:
            back()
        self._back.clear()
        for process in self.processes:
            process.skew = 0.0
            process.node = 0
        self.net.base_fee = model.GWEI
        self.net.waiting.append(gas_given(self))
        for place in self.places:
            if place.net is self.net:
                self.net.waiting.append(everything_allowed(place, self))
        self._mine()
        self._sync_nodes()

    def _quiet(self) -> None:
        """Time passes until nothing is left to do, or all too long."""
        until = self.now + QUIET_SECONDS
        check_at, days = 0.0, 6 if self.profile.daily_fees else 0
        while self.now < until:
            self._turn()
            if self.now >= check_at:
                check_at = self.now + 5.0
                if self.settled():
                    self.say("settled")
                    return
            if days and self.now > until - QUIET_SECONDS / 2:
                days -= 1
                self._pass_midnight()
                until = self.now + QUIET_SECONDS

    def _pass_midnight(self) -> None:
        """Tomorrow there is another budget for fees."""
        self.now = (self.now // DAY_SECONDS + 1) * DAY_SECONDS
        self._next_block = self.now

    def settled(self) -> bool:
        """Whether nothing is left to do."""
        if self._back:
            return False
        asked = {ask.number for ask in self.asks}
        if asked != {one.ask.number for one in self.acknowledged} and (
            self.resumed or not self.stopped
        ):
            return False
        with closing(self.journal()) as journal:
            return all(
                journal.settled_to(place.ledger.ledger_id, one.datanet)
                == journal.next_seq(place.ledger.ledger_id, one.datanet)
                and journal.open_batch(place.ledger.ledger_id, one.datanet) is None
                for place in self.places
                for one in place.registrations
            )

    # What our code says

    @contextmanager
    def _listening(self) -> Iterator[None]:
        ours = logging.getLogger("rewards")
        handler = _Listener(self)
        level, propagate = ours.level, ours.propagate
        ours.addHandler(handler)
        ours.setLevel(logging.INFO if self._say else logging.CRITICAL)
        ours.propagate = False
        try:
            yield
        finally:
            ours.removeHandler(handler)
            ours.setLevel(level)
            ours.propagate = propagate


def _holds(journal: Journal, digest: bytes) -> bool:
    try:
        return bool(journal.receipt(digest))
    except NotFound:
        return False


@dataclass(frozen=True, slots=True)
class _CalmLine:
    """An operator's line to the chain, at which nothing happens."""

    net: model.Net

    def call(self, name: str) -> model.Node:
        return self.net.producer

    def sent(self, node: model.Node, raw: bytes) -> None:
        raise NotImplementedError


class _Listener(logging.Handler):
    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self._schedule = schedule

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.CRITICAL and text not in self._schedule.alarms:
            self._schedule.alarms.append(text)
        self._schedule.say(f"    {record.threadName}: {text}")
