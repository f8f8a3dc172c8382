"""Whether every promise was kept, judged by what callers hold in hand and what the chain credits.

A failure begins with its kind: ``double``, ``lost``, ``stuck``, ``silent`` (a disaster without an
alarm), ``false alarm``, ``books``, ``died``, ``unsaved``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from footnote.addresses import Address
from footnote.errors import NotFound
from rewards.journal.journal import Journal
from rewards.ledger import Registration
from tests.simulator.asked import Ask, accounts_of
from tests.simulator.faults import Disaster

if TYPE_CHECKING:
    from tests.simulator.schedule import Place, Schedule


def judge(schedule: Schedule) -> list[str]:
    """Every broken promise, in words."""
    with closing(schedule.journal()) as journal:
        found = [
            *_answers(schedule, journal),
            *(
                failure
                for place in schedule.places
                for position, one in enumerate(place.registrations)
                for failure in _datanet(schedule, journal, place, position, one)
            ),
        ]
        if not schedule.alarms and not schedule.stopped:
            found += _books(schedule, journal)
    alarmed = bool(schedule.alarms or schedule.stopped)
    if schedule.profile.disaster is Disaster.NONE:
        if alarmed:
            found.append(f"false alarm: {(schedule.alarms + schedule.stopped)[0]}")
        return found
    if schedule.resumed and not schedule.alarms:
        return found
    if alarmed:
        return [failure for failure in found if failure.split(":")[0] not in ("lost", "stuck")]
    return [failure.replace("lost:", "silent: lost", 1) for failure in found]


def _answers(schedule: Schedule, journal: Journal) -> Iterator[str]:
    """Each answer that a caller holds has its receipt, with that number, and owes what it says."""
    numbers: dict[tuple[bytes, str, int], bytes] = {}
    for one in schedule.acknowledged:
        place = (one.ledger_id, one.ask.datanet, one.seq)
        if numbers.setdefault(place, one.digest) != one.digest:
            yield f"double: seq {one.seq} of {one.ask.datanet} was issued twice"
        try:
            if one.digest in schedule.given_up:
                continue
            if journal.receipt(one.digest).message.seq != one.seq:
                yield f"lost: the receipt of {one.answer_id} has another number"
        except NotFound:
            yield f"lost: the receipt of {one.answer_id}"
        owed = one.ask.owed
        if one.ask.platform is not None:
            owed.pop(accounts_of(one.ask.platform // 1_000 - 1)[0], None)
        paying = any(one.ledger_id)
        if one.promised != (sum(owed.values()) if paying else 0):
            yield f"books: {one.answer_id} promises {one.promised}, not {sum(owed.values())}"
    if schedule.resumed or not schedule.stopped:
        answered = {one.ask.number for one in schedule.acknowledged}
        for ask in schedule.asks:
            if ask.number not in answered:
                yield f"stuck: ask {ask.number} was never answered"


def _datanet(
    schedule: Schedule, journal: Journal, place: Place, position: int, one: Registration
) -> Iterator[str]:
    """What the pool credited to the accounts of a Datanet is what its receipts owe."""
    ledger_id = place.ledger.ledger_id
    pool = place.net.final().state.pools.get(place.ledger.pool)
    paid = (
        [] if pool is None else [p for p in pool.paid if p.settlement.datanet_id == one.datanet_id]
    )
    times = Counter(seq for p in paid for seq in range(p.settlement.first, p.settlement.last + 1))
    owing = _owing(schedule, journal, ledger_id, one.datanet)
    expected: Counter[Address] = Counter()
    for ask in owing.values():
        expected.update(ask.owed)
    received: Counter[Address] = Counter()
    for p in paid:
        received.update(dict(p.settlement.payouts))
    for seq in sorted(seq for seq, count in times.items() if count > 1):
        yield f"double: seq {seq} of {one.datanet} was settled {times[seq]} times"
    allowed = expected + _cut_off(schedule, one.datanet)
    for account in accounts_of(position):
        if received[account] > allowed[account]:
            yield (
                f"double: {account.hex()[-4:]} of {one.datanet} got {received[account]} "
                f"and is owed {expected[account]}"
            )
        elif received[account] < expected[account]:
            settled = all(times[seq] for seq in owing)
            yield (
                f"{'lost' if settled else 'stuck'}: {account.hex()[-4:]} of {one.datanet} got "
                f"{received[account]} and is owed {expected[account]}"
            )
    unsettled = [seq for seq in sorted(owing) if not times[seq]]
    if unsettled:
        yield f"stuck: seq {unsettled[0]} of {one.datanet} and {len(unsettled) - 1} more"
    opened = journal.open_batch(ledger_id, one.datanet)
    if opened is not None:
        yield f"stuck: a {type(opened).__name__} of {one.datanet}"
    carried = {p.batch_id: p.tx_hash for p in paid}
    for stored in journal.batches(ledger_id, one.datanet):
        if stored.stage == "final" and stored.tx_hash != carried.get(
            stored.batch_id, stored.tx_hash
        ):
            yield f"books: batch {stored.batch.first} of {one.datanet} names another transaction"
        if stored.stage == "final" and (pool is None or stored.batch_id not in pool.batches):
            yield f"lost: batch {stored.batch.first} of {one.datanet} is final and not on the chain"


def _cut_off(schedule: Schedule, datanet: str) -> Counter[Address]:
    """What may have been paid besides, where a journal was lost: receipts that were on their way
    when they were cut off from their caller and lost with it, or that an operator gave up."""
    besides: Counter[Address] = Counter()
    if schedule.profile.disaster is not Disaster.OLD_JOURNAL:
        return besides
    answered = {
        one.answer_id for one in schedule.acknowledged if one.digest not in schedule.given_up
    }
    for ask in schedule.asks:
        if ask.datanet == datanet:
            for answer_id in ask.tried:
                besides.update({} if answer_id in answered else ask.owed)
    return besides


def _owing(schedule: Schedule, journal: Journal, ledger_id: bytes, datanet: str) -> dict[int, Ask]:
    """Which ask each number of a Datanet answers: what callers hold, and what was committed for
    callers that were cut off. Only the latter is read in our journal, and never its amounts."""
    offered = {answer_id: ask for ask in schedule.asks for answer_id in ask.tried}
    held: dict[int, Ask] = {
        one.seq: one.ask
        for one in schedule.acknowledged
        if (one.ledger_id, one.ask.datanet) == (ledger_id, datanet)
        and one.digest not in schedule.given_up
    }
    last = journal.next_seq(ledger_id, datanet) - 1
    for receipt in journal.receipts(ledger_id, datanet, 0, last):
        if receipt.message.seq not in held:
            assert receipt.answer_id is not None, "only what a caller saved is admitted again"
            held[receipt.message.seq] = offered[receipt.answer_id]
    return held


def _books(schedule: Schedule, journal: Journal) -> Iterator[str]:
    """What the journal shows of withdrawals is what the chain holds of them."""
    for place in schedule.places:
        pool = place.net.final().state.pools.get(place.ledger.pool)
        if pool is None or place.net is not schedule.net:
            continue
        for account, amount in sorted(pool.claimed.items()):
            shown = journal.claimed(place.ledger.ledger_id, account)
            if shown > amount:
                yield f"books: {account.hex()[-4:]} withdrew {amount}, the journal says {shown}"
