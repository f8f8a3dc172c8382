"""Where everybody's money is, read from the journal alone. A pool's funds are those that a worker
saw last, or where a chain is at hand those of now.

What is owed is either settled, that is in a final Batch, or pending; of what is pending a part may
be in flight, in the one Batch of a Datanet that is on its way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from footnote.addresses import Address, format_address
from footnote.errors import FootnoteError
from rewards.batch import (
    Attempt,
    Batch,
    MinedBatch,
    NoncedBatch,
    OpenBatch,
    PlannedBatch,
    SentBatch,
    SignedBatch,
)
from rewards.journal.journal import Journal
from rewards.journal.reports import Standing
from rewards.ledger import Ledger, Registration

STAGES = {
    PlannedBatch: "planned",
    NoncedBatch: "nonced",
    SignedBatch: "signed",
    SentBatch: "sent",
    MinedBatch: "mined",
}

PLAIN_HOLDS = {
    "its nonce was spent by another transaction": "NonceSpent",
    "its worker is gone": "WorkerGone",
    "the transaction reverted": "TransactionReverted",
    "cancelled": "Cancelled",
}
"""Reasons that name no remedy: the worker plans such a Batch again by itself."""

ALARMS = {
    "behind batches that were final": "CursorBehind",
    "but not from there": "NotFromThere",
    "and the journal lacks some": "JournalLacks",
    "otherwise than the journal owes them": "OtherContent",
    "is not what was signed": "ReceiptChanged",
    "is signed by a revoked key": "SignerRevoked",
}
"""By what each alarm of settlement says, its name for monitors."""

_BY_ITSELF = "nothing: the worker plans it again"

_NAMED = re.compile(r"([A-Z][A-Za-z]*): (.+)", re.DOTALL)


class Funds(Protocol):
    """What a status may ask of a chain."""

    def funds(self, ledger: Ledger, datanet_id: bytes) -> int: ...


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a Batch waits, by a short name, and what a person does about it."""

    name: str
    reason: str
    what_to_do: str

    def as_json(self) -> dict[str, str]:
        return {"name": self.name, "reason": self.reason, "what_to_do": self.what_to_do}


@dataclass(frozen=True, slots=True)
class Flight:
    """A Batch on its way. ``amount`` in base units; the newest attempt says the fees offered."""

    stage: str
    batch: Batch
    key: Address | None
    nonce: int | None
    attempts: int
    newest: Attempt | None
    held: Hold | None

    @property
    def moving(self) -> bool:
        """Whether somebody has begun to settle it: a plan alone is nothing yet."""
        return self.stage != "planned"


@dataclass(frozen=True, slots=True)
class Place:
    """One Datanet in one Ledger. ``lost`` says why that Ledger counts as another one now;
    ``funds`` is what its pool holds, None where nobody knows."""

    registration: Registration
    standing: Standing
    flight: Flight | None
    lost: str | None
    funds: int | None = None

    @property
    def in_flight(self) -> int:
        return self.flight.batch.total if self.flight and self.flight.moving else 0

    @property
    def answers_left(self) -> int | None:
        """For how many more answers the funds may do, each as dear as those so far are on the
        average; None where that cannot be said."""
        standing = self.standing
        if self.funds is None or standing.owed == 0:
            return None
        taken = self.in_flight if self.flight and self.flight.stage == "mined" else 0
        free = max(0, self.funds - (standing.pending - taken))
        return free * (standing.issued - standing.abandoned) // standing.owed

    def age_seconds(self, now: float) -> int | None:
        """Of the oldest receipt that is not settled."""
        oldest = self.standing.oldest_at
        return None if oldest is None else max(0, int(now - oldest))


@dataclass(frozen=True, slots=True)
class Status:
    """All of it at one time, in seconds since 1970. ``unpaid`` counts, by Datanet, the receipts
    that belong to no Ledger; ``fees`` is wei by Ledger; ``leaders`` the holder of each lease."""

    at: float
    places: list[Place]
    unpaid: dict[str, int]
    fees: dict[bytes, int]
    losses: dict[bytes, str]
    leaders: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        return {
            "at": int(self.at),
            "datanets": [_place_json(place, self.at) for place in self.places],
            "unpaid": self.unpaid,
            "ledgers": [self._ledger_json(ledger) for ledger in self.ledgers()],
            "leaders": self.leaders,
        }

    def ledgers(self) -> list[Ledger]:
        by_id = {one.registration.ledger.ledger_id: one.registration.ledger for one in self.places}
        return list(by_id.values())

    def _ledger_json(self, ledger: Ledger) -> dict[str, Any]:
        return {
            "ledger_id": "0x" + ledger.ledger_id.hex(),
            "chain_id": ledger.chain_id,
            "pool": format_address(ledger.pool),
            "fees_spent_wei": str(self.fees.get(ledger.ledger_id, 0)),
            "lost": self.losses.get(ledger.ledger_id),
        }


def status(
    journal: Journal, now: float, datanet: str | None = None, chain: Funds | None = None
) -> Status:
    """What the journal holds; of one Datanet where it is named."""
    losses = journal.losses()
    places = [
        place_of(journal, registration, losses, chain)
        for registration in journal.registrations(lost=True)
        if datanet in (None, registration.datanet)
    ]
    unpaid = {name: n for name, n in journal.unpaid().items() if datanet in (None, name)}
    return Status(now, places, unpaid, journal.fees_spent(), losses, journal.leaders(now))


def alarm_name(said: str) -> str:
    """The short name of an alarm, one of few whatever it says."""
    return next((name for phrase, name in ALARMS.items() if phrase in said), "Other")


def hold_of(reason: str | None) -> Hold | None:
    """A held Batch's reason, taken apart. The name is one of few, whatever a node answered."""
    if reason is None:
        return None
    if reason in PLAIN_HOLDS:
        return Hold(PLAIN_HOLDS[reason], reason, _BY_ITSELF)
    named = _NAMED.fullmatch(reason)
    if named is None:
        return Hold("Other", reason, "look at the worker's log")
    return Hold(named[1], reason, named[2])


def place_of(
    journal: Journal,
    registration: Registration,
    losses: Mapping[bytes, str] = {},
    chain: Funds | None = None,
) -> Place:
    """One Datanet in one Ledger now."""
    ledger_id, datanet = registration.ledger.ledger_id, registration.datanet
    opened = journal.open_batch(ledger_id, datanet)
    standing = journal.standing(ledger_id, datanet)
    flight = None if opened is None else _flight(opened)
    funds = _funds(journal, chain, registration)
    return Place(registration, standing, flight, losses.get(ledger_id), funds)


def _funds(journal: Journal, chain: Funds | None, registration: Registration) -> int | None:
    with suppress(FootnoteError):  # what was seen last is worth telling alone
        if chain is not None:
            return chain.funds(registration.ledger, registration.datanet_id)
    seen = journal.funds_seen(registration.ledger.ledger_id, registration.datanet)
    return None if seen is None else seen.amount


def _flight(opened: OpenBatch) -> Flight:
    sent = _sent_part(opened)
    nonced = sent.nonced if isinstance(sent, SignedBatch) else sent
    planned = _planned(opened)
    attempts = sent.attempts if isinstance(sent, SignedBatch) else ()
    return Flight(
        stage=STAGES[type(opened)],
        batch=planned.batch,
        key=nonced.key if nonced else None,
        nonce=nonced.nonce if nonced else None,
        attempts=len(attempts),
        newest=attempts[-1] if attempts else None,
        held=hold_of(planned.held),
    )


def _sent_part(opened: OpenBatch) -> SignedBatch | NoncedBatch | None:
    """What of a Batch is this journal's own: its nonce, and what was signed for it."""
    match opened:
        case PlannedBatch():
            return None
        case NoncedBatch() | SignedBatch():
            return opened
        case SentBatch():
            return opened.signed
        case MinedBatch():
            return opened.sent.signed if opened.sent else None


def _planned(opened: OpenBatch) -> PlannedBatch:
    match opened:
        case PlannedBatch():
            return opened
        case NoncedBatch() | MinedBatch():
            return opened.planned
        case SignedBatch():
            return opened.nonced.planned
        case SentBatch():
            return opened.signed.nonced.planned


# For machines


def _place_json(place: Place, now: float) -> dict[str, Any]:
    registration, standing = place.registration, place.standing
    return {
        "datanet": registration.datanet,
        "ledger_id": "0x" + registration.ledger.ledger_id.hex(),
        "pool": format_address(registration.ledger.pool),
        "lost": place.lost,
        "receipts": {
            "issued": standing.issued,
            "settled": standing.settled_to,
            "waiting": standing.waiting,
            "abandoned": standing.abandoned,
        },
        "owed": str(standing.owed),
        "settled": str(standing.settled),
        "pending": str(standing.pending),
        "in_flight": str(place.in_flight),
        "final_batches": standing.final_batches,
        "oldest_unsettled_seconds": place.age_seconds(now),
        "batch": _flight_json(place.flight) if place.flight else None,
        "funds": None if place.funds is None else str(place.funds),
        "answers_left": place.answers_left,
    }


def _flight_json(flight: Flight) -> dict[str, Any]:
    newest, held = flight.newest, flight.held
    return {
        "stage": flight.stage,
        "first": flight.batch.first,
        "last": flight.batch.last,
        "total": str(flight.batch.total),
        "addresses": len(flight.batch.payouts),
        "key": format_address(flight.key) if flight.key else None,
        "nonce": flight.nonce,
        "attempts": flight.attempts,
        "tx_hash": "0x" + newest.tx_hash.hex() if newest else None,
        "purpose": newest.purpose.value if newest else None,
        "max_fee_wei": str(newest.max_fee) if newest else None,
        "priority_fee_wei": str(newest.priority_fee) if newest else None,
        "sent_at": int(newest.sent_at) if newest and newest.sent_at else None,
        "held": held.as_json() if held else None,
    }


# For people

_HEADINGS = (
    "DATANET", "POOL", "ISSUED", "SETTLED", "WAITING", "OLDEST", "OWED", "PENDING", "IN FLIGHT",
    "FUNDS",
)  # fmt: skip


def as_text(shown: Status) -> Iterator[str]:
    """The lines of a table, and what there is to say besides."""
    rows = [_HEADINGS, *(_row(place, shown.at) for place in shown.places)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADINGS))]
    if shown.places:
        for row in rows:
            cells = (
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            yield "  ".join(cells).rstrip()
    for place in shown.places:
        yield from _notes(place)
    for ledger in shown.ledgers():
        fees = shown.fees.get(ledger.ledger_id, 0)
        yield f"pool {format_address(ledger.pool)}: {fees} wei spent on fees"
    for datanet, count in shown.unpaid.items():
        yield f"{datanet}: {count} receipts that no Ledger pays"
    for name, holder in shown.leaders.items():
        yield f"{name}: {holder} leads"
    if shown.places and not shown.leaders:
        yield "no worker leads: nothing is settled now"


def _row(place: Place, now: float) -> tuple[str, ...]:
    standing, age = place.standing, place.age_seconds(now)
    return (
        place.registration.datanet,
        format_address(place.registration.ledger.pool)[:10] + "…",
        str(standing.issued),
        str(standing.settled_to),
        str(standing.waiting),
        "-" if age is None else f"{age} s",
        str(standing.owed),
        str(standing.pending),
        str(place.in_flight),
        "-" if place.funds is None else str(place.funds),
    )


def _notes(place: Place) -> Iterator[str]:
    datanet, standing, flight = place.registration.datanet, place.standing, place.flight
    if place.lost is not None:
        yield f"{datanet}: LOST LEDGER: {place.lost}"
    if standing.abandoned:
        yield f"{datanet}: {standing.abandoned} numbers are abandoned"
    if place.answers_left is not None:
        yield f"{datanet}: its funds may do for {place.answers_left} more answers"
    if flight is None:
        return
    where = f"{datanet}: batch {flight.batch.first}..{flight.batch.last} is {flight.stage}"
    if flight.key is not None:
        where += f", nonce {flight.nonce} of {format_address(flight.key)}"
    yield where
    if flight.newest is not None:
        newest = flight.newest
        yield (
            f"{datanet}: {flight.attempts} attempts, the newest 0x{newest.tx_hash.hex()} to "
            f"{newest.purpose.value}, for up to {newest.max_fee} wei a unit of gas"
        )
    if flight.held is not None:
        yield f"{datanet}: HELD {flight.held.name}: {flight.held.what_to_do}"
