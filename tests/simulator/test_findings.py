"""What the schedules found, each told as its shortest story."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from footnote.errors import Unavailable
from footnote.ids import sha256
from rewards.batch import MinedBatch, SentBatch, batch_of
from rewards.journal.journal import Journal
from rewards.keys import Key
from rewards.ledger import Ledger, Registration, SignerTerm
from rewards.queue import Polling
from rewards.record import Recorder
from rewards.settler import Alarm, Pace, Settler, Spending
from rewards.worker import Worker
from tests.money import key_of, paying
from tests.simulator import chain as model
from tests.simulator.view import SimulatedChain

NOW = 1_700_000_000
RICH = 10**21


@dataclass
class Here:
    """A simulated chain with one pool, a journal, a clock, and a line that may be led elsewhere."""

    folder: Path
    now: float = NOW
    net: model.Net = field(
        default_factory=lambda: model.Net("here", NOW, finality=3, rules=model.Rules.CURSOR,
                                          l1_price=0)
    )  # fmt: skip
    node: model.Node | None = None
    keys: tuple[Key, Key] = field(default_factory=lambda: (key_of("ours"), key_of("other")))
    signer: Key = field(default_factory=lambda: key_of("signer"))

    def __post_init__(self) -> None:
        ledger = self.net.deploy(0, NOW)
        datanet_id = sha256(b"datanet")
        self.registration = Registration(
            "eips", ledger, datanet_id, self.keys[1].address,
            (SignerTerm(self.signer.address, ledger.created_at),),
        )  # fmt: skip

        def fund(state: model.State) -> None:
            pool = state.pools[ledger.pool]
            pool.funds[datanet_id] = RICH
            pool.distributors[datanet_id] = tuple(key.address for key in self.keys)
            for key in self.keys:
                state.balances[key.address] = RICH

        self.net.waiting.append(fund)
        self.mine(5)
        self.journal = Journal(f"sqlite:///{self.folder / 'journal.sqlite'}")
        self.journal.add_ledger(ledger)
        self.journal.register(self.registration)

    # What a line is

    def call(self, name: str) -> model.Node:
        return self.node or self.net.producer

    def sent(self, node: model.Node, raw: bytes) -> None:
        try:
            node.take(model.Transaction.decoded(raw))
        except model.NodeRefuses as refusal:
            raise Unavailable(str(refusal), "try again") from refusal

    # What tests do

    @property
    def ledger(self) -> Ledger:
        return self.registration.ledger

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.now += 2
            self.net.mine(int(self.now))
        for node in self.net.nodes:
            node.follow(self.net.head)

    def lose(self, depth: int) -> None:
        """A reorg of so many blocks, of whose transactions none comes back."""
        fork = self.net.head.ancestor(self.net.head.number - depth)
        assert fork is not None
        self.net.producer.follow(fork)
        self.mine(depth)

    def record(self, number: int = 1) -> None:
        Recorder(self.journal, self.signer, clock=lambda: self.now).record(paying(number))

    @property
    def settler(self) -> Settler:
        return Settler(
            self.journal, SimulatedChain(self), self.keys[0], Pace(0, 0, 10),
            Spending(500 * model.GWEI), clock=lambda: self.now,
        )  # fmt: skip

    def settle(self) -> bool:
        return self.settler.settle(self.registration)

    def settle_all(self) -> None:
        for _ in range(30):
            self.settle()
            self.mine()
        assert self.journal.open_batch(self.ledger.ledger_id, "eips") is None
        assert self.cursor() == self.journal.next_seq(self.ledger.ledger_id, "eips")

    def opened(self) -> object:
        return self.journal.open_batch(self.ledger.ledger_id, "eips")

    def cursor(self) -> int:
        pool = self.net.head.state.pools[self.ledger.pool]
        return pool.cursor.get(self.registration.datanet_id, 0)

    def others_settle(self, first: int, last: int) -> None:
        """The other distributor settles what we owe."""
        batch = batch_of(self.journal.payables(self.ledger.ledger_id, "eips", first, last))
        chain, key = SimulatedChain(self), self.keys[1]
        call = chain.settle_transaction(
            self.ledger, self.registration.datanet_id, batch, self.nonce(key), 900_000,
            replace(chain.fees(), max_fee=10**12),
        )  # fmt: skip
        self.sent(self.net.producer, key.sign_transaction(call)[0])

    def nonce(self, key: Key) -> int:
        return self.net.head.state.nonces.get(key.address, 0)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    made = Here(tmp_path)
    with closing(made.journal):
        yield made


def test_what_a_wrong_clock_issued_far_ahead_does_not_wait_for_that_time(here: Here) -> None:
    here.now += 2 * 86_400
    here.record()
    here.now -= 2 * 86_400
    patient = replace(here.settler, pace=Pace(60, 600, 10))
    assert patient.settle(here.registration)


def test_what_a_wrong_clock_sent_far_ahead_is_sent_again(here: Here) -> None:
    here.record()
    here.now += 3_600
    here.settle()
    here.now -= 3_600
    for node in here.net.nodes:
        node.mempool.clear()
    here.settle()
    here.settle_all()


def test_a_node_that_lags_behind_what_was_final_is_no_alarm(here: Here) -> None:
    here.record()
    here.settle()
    lagging = model.Node("lagging", here.net.head)
    here.settle_all()
    here.node = lagging
    with pytest.raises(Unavailable, match="behind what was final"):
        here.settle()
    here.lose(30)
    here.node = None
    with pytest.raises(Alarm, match="behind batches that were final"):
        here.settle()


class TwoNodes(SimulatedChain):
    """The cursor is read at one node, all else at another."""

    def cursor(self, ledger: Ledger, datanet_id: bytes, block: int | str) -> int:
        if block != "latest":
            return SimulatedChain.cursor(self, ledger, datanet_id, block)
        fresh = self.line.net.head.state.pools[ledger.pool]
        return fresh.cursor.get(datanet_id, 0)


def test_two_nodes_that_do_not_agree_yet_are_no_alarm(here: Here) -> None:
    here.record()
    here.node = model.Node("lagging", here.net.head)
    here.others_settle(0, 0)
    here.mine()
    settler = replace(here.settler, chain=TwoNodes(here))
    with pytest.raises(Unavailable, match="do not agree yet"):
        settler.settle(here.registration)
    here.node = None
    here.settle_all()


def test_a_shorter_batch_of_others_that_a_reorg_put_in_place_of_ours_is_adopted(
    here: Here,
) -> None:
    here.record(1)
    here.record(2)
    here.settle()
    here.mine()
    here.settle()
    assert isinstance(here.opened(), MinedBatch)
    here.lose(1)
    here.others_settle(0, 0)
    here.mine(5)
    here.settle_all()
    firsts = [stored.batch.first for stored in here.journal.batches(here.ledger.ledger_id)]
    assert firsts == [0, 1]


def test_a_nonce_that_others_made_needless_serves_the_next_batch(here: Here) -> None:
    here.record(1)
    here.settle()
    assert isinstance(here.opened(), SentBatch)
    for node in here.net.nodes:
        node.mempool.clear()
    here.others_settle(0, 0)
    here.settle_all()
    here.record(2)
    here.settle_all()
    assert here.nonce(here.keys[0]) == 1


def test_a_gap_below_our_nonce_that_a_reorg_left_is_filled(here: Here) -> None:
    stranger = model.transfer(here.keys[0], 0, 10**10, here.keys[1].address)
    here.sent(here.net.producer, stranger)
    here.mine()
    here.record()
    here.settle()
    here.lose(1)
    here.settle_all()
    assert here.nonce(here.keys[0]) == 2
    assert here.journal.fees_tried(here.keys[0].address, here.ledger.ledger_id, 1)[0] < 10**11


class Locked(Journal):
    """Cannot be read while it is told so."""

    locked = 0

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if self.locked:
            self.locked -= 1
            if not self.locked:
                raise Unavailable("the journal cannot be used now", "try again")
        with super()._reading() as connection:
            yield connection


def test_a_journal_that_is_locked_at_any_moment_does_not_end_the_worker(here: Here) -> None:
    here.record()
    with closing(Locked(f"sqlite:///{here.folder / 'journal.sqlite'}")) as journal:
        worker = Worker(replace(here.settler, journal=journal), Polling(), 1.0)
        for read in range(1, 30):
            journal.locked = read
            worker.pass_once()
            here.mine()
    here.settle_all()


class NoLogs(SimulatedChain):
    def settlement_tx(self, ledger: Ledger, batch_id: bytes) -> bytes | None:
        raise Unavailable("the node gives no logs", "try again")


def test_a_node_without_logs_does_not_hold_up_what_others_settled(here: Here) -> None:
    here.record()
    here.others_settle(0, 0)
    here.mine(6)
    replace(here.settler, chain=NoLogs(here)).settle(here.registration)
    (batch,) = here.journal.batches(here.ledger.ledger_id)
    assert (batch.stage, batch.tx_hash) == ("final", None)
