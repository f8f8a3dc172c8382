"""Journal against chain: every settled Batch rebuilt, every event, fund and credit compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from footnote.addresses import Address, format_address
from footnote.errors import NotFound, Unavailable
from footnote.ids import ZERO_HASH
from rewards.batch import Batch, batch_of
from rewards.chain import EvmChain, OnChainBatch, Settlement
from rewards.integrity import is_whole
from rewards.journal.journal import Journal
from rewards.journal.records import Abandoned
from rewards.ledger import Ledger, Registration

PAGE = 1_000
"""Receipts read at once."""

Say = Callable[[str], None]
"""Is told, often, how far the audit has come."""


@dataclass(slots=True)
class Audit:
    """What an audit found. Amounts in base units; ``differences`` says each in words, ``unchecked``
    what could not be compared. ``funded`` is less what owners took back."""

    ledgers: int = 0
    batches: int = 0
    events: int = 0
    receipts: int = 0
    abandoned: int = 0
    owed: int = 0
    settled: int = 0
    credited: int = 0
    funded: int = 0
    funds: int = 0
    difference: int = 0
    differences: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "agrees": not self.differences,
            "ledgers": self.ledgers,
            "batches": self.batches,
            "events": self.events,
            "receipts": self.receipts,
            "abandoned": self.abandoned,
            "owed": str(self.owed),
            "settled": str(self.settled),
            "pending": str(self.owed - self.settled),
            "credited": str(self.credited),
            "funded": str(self.funded),
            "funds": str(self.funds),
            "difference": str(self.difference),
            "differences": self.differences,
            "unchecked": self.unchecked,
        }


@dataclass(frozen=True, slots=True)
class _Announced:
    """What the event of a Batch has to say."""

    datanet_id: bytes
    first: int
    last: int
    receipts_root: bytes
    total: int
    count: int


@dataclass(slots=True)
class _Books:
    """What the batches of one Ledger that are both on chain and in the journal come to.
    ``rebuilt_to``: one past the last number, by Datanet, where more is on chain than rebuilt.
    ``transactions``: which one settled a Batch, as the journal shows it to people."""

    by_address: dict[Address, int] = field(default_factory=dict)
    announced: dict[bytes, _Announced] = field(default_factory=dict)
    transactions: dict[bytes, bytes] = field(default_factory=dict)
    rebuilt_to: dict[bytes, int] = field(default_factory=dict)

    def add(self, datanet_id: bytes, batch_id: bytes, batch: Batch) -> None:
        for payout in batch.payouts:
            known = self.by_address.get(payout.account, 0)
            self.by_address[payout.account] = known + payout.amount
        self.announced[batch_id] = _Announced(
            datanet_id, batch.first, batch.last, batch.receipts_root, batch.total,
            len(batch.payouts),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Place:
    """One Ledger as it is audited: at its newest final block. ``settled_to``: one past the last
    number that the journal called settled before that block was asked for, by Datanet."""

    journal: Journal
    chain: EvmChain
    ledger: Ledger
    block: int
    settled_to: dict[str, int]
    found: Audit
    say: Say

    def differs(self, text: str) -> None:
        self.found.differences.append(text)


def audit(
    journal: Journal, chain: EvmChain, say: Say = lambda text: None, *, datanet: str | None = None
) -> Audit:
    """Compare every Ledger that this chain holds with the journal, at the final block.

    For each Datanet the chain's batches must be, one after another from 0, those that the journal's
    receipts make, and each must have been announced once, in an event; what the journal calls final
    must be among them; for each address, what the pool credits and what was withdrawn must together
    be what those batches owe it; and a Datanet's funds must be what was put in less what was
    settled. The receipts themselves must form one chain, each one whole, settled or not.

    Args:
        datanet: compare this one alone; then no credits, which are those of a whole pool.

    Raises:
        NotFound: the journal knows no pool, or no such Datanet.
        Unavailable: the chain does not answer, keeps no logs, or is behind what was final.
    """
    found = Audit()
    ledgers = journal.ledgers(lost=True)
    if not ledgers:
        raise NotFound("the journal knows no pool", "check FOOTNOTE_HOME, or run footnote deploy")
    known = [
        one for one in journal.registrations(lost=True) if datanet in (None, one.datanet)
    ]  # fmt: skip
    if datanet is not None and not known:
        raise NotFound(f"{datanet} is registered nowhere", "check its name")
    for ledger in ledgers:
        registrations = [one for one in known if one.ledger.ledger_id == ledger.ledger_id]
        if datanet is not None and not registrations:
            continue
        if not chain.is_ledger(ledger):
            found.differences.append(
                f"the chain does not hold the pool {format_address(ledger.pool)}"
            )
            continue
        found.ledgers += 1
        place = _place(journal, chain, ledger, registrations, found, say)
        _audit_ledger(place, registrations, datanet)
    return found


def _place(
    journal: Journal,
    chain: EvmChain,
    ledger: Ledger,
    registrations: Iterable[Registration],
    found: Audit,
    say: Say,
) -> _Place:
    """The journal is read first: what a worker finishes meanwhile is in no older block."""
    names = [one.datanet for one in registrations]
    settled_to = {name: journal.settled_to(ledger.ledger_id, name) for name in names}
    seen = max((journal.final_at(ledger.ledger_id, name) for name in names), default=0)
    block = chain.finalized()
    if block < seen:
        raise Unavailable(
            f"the chain's newest final block is {block}, and batches were seen final at {seen}",
            "try again, or name another endpoint in FOOTNOTE_RPC_URL",
        )
    return _Place(journal, chain, ledger, block, settled_to, found, say)


def _audit_ledger(place: _Place, registrations: list[Registration], only: str | None) -> None:
    ledger, found, books = place.ledger, place.found, _Books()
    if not place.chain.keeps_logs(ledger):
        raise Unavailable(
            f"the chain gives no logs of block {ledger.deployment_block}, so events cannot be "
            "compared",
            "name an endpoint in FOOTNOTE_RPC_URL that keeps all logs",
        )
    for registration in registrations:
        _audit_batches(place, registration, books)
        _audit_receipts(place, registration)
    settled = _audit_events(place, books, registrations)
    _audit_funds(place, registrations, settled)
    owed = place.journal.owed_in(ledger.ledger_id, only)
    found.owed += sum(owed.values())
    found.settled += sum(books.by_address.values())
    if only is None:
        foreign = sum(settled.values()) - sum(settled[one.datanet_id] for one in registrations)
        _audit_credits(place, books.by_address, set(owed) | set(books.by_address), foreign)
    else:
        found.unchecked.append("credits, which are those of all Datanets of a pool together")


# Batches


def _audit_batches(place: _Place, registration: Registration, books: _Books) -> None:
    """The chain's batches from 0 to its cursor are those that the journal's receipts make."""
    datanet, datanet_id = registration.datanet, registration.datanet_id
    cursor = place.chain.cursor(place.ledger, datanet_id, place.block)
    first = 0
    while first < cursor:
        place.say(f"{datanet}: batches up to seq {first} of {cursor}")
        last = _audit_batch(place, registration, first, books)
        if last is None:
            books.rebuilt_to[datanet_id] = first
            return
        first = last + 1
    settled_to = place.settled_to[datanet]
    if settled_to > cursor:
        place.differs(
            f"{datanet}: the journal calls receipts {cursor}..{settled_to - 1} settled, and the "
            f"chain's cursor is {cursor}"
        )


def _audit_batch(
    place: _Place, registration: Registration, first: int, books: _Books
) -> int | None:
    """The last number of the chain's batch at ``first``; None where it cannot be rebuilt."""
    ledger, datanet, datanet_id = place.ledger, registration.datanet, registration.datanet_id
    on_chain = place.chain.batch_at(ledger, datanet_id, first, place.block)
    if on_chain is None or on_chain.last < first:
        place.differs(f"{datanet}: the chain has no batch at seq {first}")
        return None
    last = on_chain.last
    payables = place.journal.payables(ledger.ledger_id, datanet, first, last, last - first + 1)
    if [payable.seq for payable in payables] != list(range(first, last + 1)):
        place.differs(f"{datanet}: the journal lacks receipts of batch {first}..{last}")
        return None
    batch = batch_of(payables)
    if (batch.receipts_root, batch.digest) != (on_chain.receipts_root, on_chain.digest):
        place.differs(f"{datanet}: batch {first}..{last} on the chain is not the journal's")
    books.add(datanet_id, on_chain.batch_id, batch)
    _audit_noted(place, datanet, on_chain, books)
    place.found.batches += 1
    place.found.receipts += sum(not payable.abandoned for payable in payables)
    return last


def _audit_noted(place: _Place, datanet: str, on_chain: OnChainBatch, books: _Books) -> None:
    """A Batch that the journal calls final, and shows to people, is that very one."""
    noted = place.journal.batch_with(place.ledger.ledger_id, datanet, on_chain.first)
    if noted is None or noted.stage != "final":
        return  # the worker has not looked yet
    if (noted.batch_id, noted.batch.digest) != (on_chain.batch_id, on_chain.digest):
        place.differs(
            f"{datanet}: the journal shows another batch at seq {on_chain.first} than it settled"
        )
    if noted.tx_hash is not None:
        books.transactions[on_chain.batch_id] = noted.tx_hash


# Receipts


def _audit_receipts(place: _Place, registration: Registration) -> None:
    """Each receipt names the digest of the one before, hashes to its own, and is signed; its lines
    hash to its root, and what a Batch would pay for it is what they say; none is missing at the
    end. So what waits is checked before it is paid. Abandoned numbers are passed over."""
    ledger_id, datanet = place.ledger.ledger_id, registration.datanet
    tail = place.journal.tail(ledger_id, datanet)
    gaps = place.journal.abandoned(ledger_id, datanet)
    place.found.abandoned += sum(gap.last - gap.first + 1 for gap in gaps)
    seq, previous = 0, ZERO_HASH
    for part in _parts(gaps, tail[0]):
        place.say(f"{datanet}: receipts up to seq {seq} of {tail[0]}")
        if isinstance(part, Abandoned):
            if (part.first, part.previous) != (seq, previous):
                place.differs(f"{datanet}: the chain of receipts breaks at seq {seq}")
                return
            seq, previous = part.last + 1, part.digest
            continue
        following = _audit_page(place, registration, part, previous)
        if following is None:
            return
        seq, previous = part[1] + 1, following
    if (seq, previous) != tail:
        place.differs(f"{datanet}: receipts from seq {seq} on are not those issued")


def _parts(gaps: Iterable[Abandoned], end: int) -> Iterator[Abandoned | tuple[int, int]]:
    """The numbers below ``end`` in order: abandoned ranges, and (first, last) of pages between."""
    seq = 0
    for gap in (*gaps, None):
        until = end if gap is None else gap.first
        while seq < until:
            last = min(seq + PAGE, until) - 1
            yield seq, last
            seq = last + 1
        if gap is not None:
            yield gap
            seq = gap.last + 1


def _audit_page(
    place: _Place, registration: Registration, page: tuple[int, int], previous: bytes
) -> bytes | None:
    """The digest of the page's last receipt; None where the chain of receipts breaks in it."""
    ledger_id, datanet = place.ledger.ledger_id, registration.datanet
    stored = place.journal.receipts(ledger_id, datanet, *page)
    payables = place.journal.payables(ledger_id, datanet, *page)
    numbers = range(page[0], page[1] + 1)
    if not len(stored) == len(payables) == len(numbers):
        place.differs(f"{datanet}: receipts of {page[0]}..{page[1]} are not those issued")
        return None
    for seq, receipt, payable in zip(numbers, stored, payables, strict=True):
        message = receipt.message
        if (message.seq, payable.seq, message.previous) != (seq, seq, previous):
            place.differs(f"{datanet}: the chain of receipts breaks at seq {seq}")
            return None
        if not is_whole(receipt, payable, registration):
            place.differs(f"{datanet}: receipt {seq} was changed")
        previous = receipt.digest
    return previous


# Events and funds


def _audit_events(
    place: _Place, books: _Books, registrations: Iterable[Registration]
) -> Counter[bytes]:
    """Every batch was announced once, as it is. Returns what was settled by Datanet, those of
    others, who use the same pool, included."""
    names = {one.datanet_id: one.datanet for one in registrations}
    missing, settled = books.announced, Counter[bytes]()
    place.say(f"events of blocks {place.ledger.deployment_block} to {place.block}")
    for event in place.chain.settlements(place.ledger, place.block):
        place.say(f"events: at batch {event.first}..{event.last}")
        settled[event.datanet_id] += event.total
        if event.datanet_id not in names:
            continue
        place.found.events += 1
        where = f"{names[event.datanet_id]}: the event of batch {event.first}..{event.last}"
        expected = missing.pop(event.batch_id, None)
        if expected is not None and expected != _said(event):
            place.differs(f"{where} is not what was settled")
        if books.transactions.pop(event.batch_id, event.tx_hash) != event.tx_hash:
            place.differs(f"{where} is of another transaction than the journal shows")
        if expected is None and event.first < books.rebuilt_to.get(
            event.datanet_id, event.first + 1
        ):
            place.differs(f"{where} is of no batch, or a second one")
    for expected in missing.values():
        name = names[expected.datanet_id]
        place.differs(f"{name}: batch {expected.first}..{expected.last} has no event")
    return settled


def _said(event: Settlement) -> _Announced:
    return _Announced(
        event.datanet_id, event.first, event.last, event.receipts_root, event.total, event.count
    )


def _audit_funds(
    place: _Place, registrations: Iterable[Registration], settled: Counter[bytes]
) -> None:
    """What was put in, less what its owner took back, is held or was settled."""
    place.say("funds")
    money = place.chain.money_in(place.ledger, place.block)
    for one in registrations:
        put_in, paid = money.get(one.datanet_id, 0), settled[one.datanet_id]
        funds = place.chain.funds(place.ledger, one.datanet_id, place.block)
        place.found.funded += put_in
        place.found.funds += funds
        if funds != put_in - paid:
            place.differs(
                f"{one.datanet}: the pool holds {funds}; {put_in} funded less {paid} settled "
                f"are {put_in - paid}"
            )


# Credits


def _audit_credits(
    place: _Place, settled: dict[Address, int], accounts: set[Address], foreign: int
) -> None:
    """Nobody has less than the batches owe him; nobody has more, but for what batches of others'
    Datanets may have credited, which is ``foreign`` in all."""
    place.say(f"credits of {len(accounts)} accounts")
    withdrawn: dict[Address, int] = {}
    for account, amount in place.chain.claims(
        place.ledger, place.ledger.deployment_block, place.block
    ):
        withdrawn[account] = withdrawn.get(account, 0) + amount
    credits = place.chain.credits(place.ledger, sorted(accounts), place.block)
    surplus: list[tuple[Address, int]] = []
    for account in sorted(accounts):
        credited = credits[account] + withdrawn.get(account, 0)
        place.found.credited += credited
        gap = credited - settled.get(account, 0)
        if gap > 0:
            surplus.append((account, gap))
        elif gap:
            _differs_by(place, account, credited, settled.get(account, 0))
    if sum(gap for _, gap in surplus) <= foreign:
        if surplus:
            place.found.unchecked.append(
                f"whether {sum(gap for _, gap in surplus)} were credited by others, who settle "
                "through the same pool"
            )
        return
    for account, gap in surplus:
        owed = settled.get(account, 0)
        _differs_by(place, account, owed + gap, owed)


def _differs_by(place: _Place, account: Address, credited: int, owed: int) -> None:
    place.found.difference += abs(credited - owed)
    place.differs(f"{format_address(account)} was credited {credited}, settled receipts owe {owed}")
