"""What the journal says of itself to people and monitors. Only reads.

Every question is bounded by the number of Datanets and Batches, or summed by the database over an
index: amounts are decimal text beyond SQL's integers, so they are added up in pieces of nine digits
and put together here, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from footnote.addresses import Address
from rewards.journal.records import DAY_SECONDS, Day
from rewards.journal.store import LONGEST_LEASE_SECONDS, Store
from rewards.journal.tables import (
    NO_LEDGER,
    abandoned,
    attempts,
    batches,
    heads,
    leases,
    ledgers,
    lines,
    receipts,
    spending,
)

_PIECE = 9
"""Digits that are summed at once: a billion rows of them still fit a 64-bit integer."""

_PIECES = 5
"""Of an amount's at most 40 digits."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the receipts of a Datanet in a Ledger stand.

    ``issued`` counts the numbers that were given, ``settled_to`` those in final Batches, and
    ``abandoned`` those among both whose receipts were lost. ``settled`` and ``pending`` are what
    receipts inside and outside of final Batches owe, in base units. ``oldest_at`` is when the
    oldest receipt outside was issued, None without one.
    """

    issued: int
    settled_to: int
    abandoned: int
    final_batches: int
    settled: int
    pending: int
    oldest_at: int | None

    @property
    def owed(self) -> int:
        return self.settled + self.pending

    @property
    def waiting(self) -> int:
        return self.issued - self.settled_to


class Reports(Store):
    def standing(self, ledger_id: bytes, datanet: str) -> Standing:
        """All of it as of one moment."""
        with self._reading() as connection:
            issued = connection.execute(
                sa.select(heads.c.next_seq).where(
                    heads.c.ledger_id == ledger_id, heads.c.datanet == datanet
                )
            ).scalar()
            settled_to, count, settled = _final(connection, ledger_id, datanet)
            return Standing(
                issued=int(issued or 0),
                settled_to=settled_to,
                abandoned=_abandoned_count(connection, ledger_id, datanet),
                final_batches=count,
                settled=settled,
                pending=_owed_from(connection, ledger_id, datanet, settled_to),
                oldest_at=_oldest_from(connection, ledger_id, datanet, settled_to),
            )

    def oldest_waiting(self, ledger_id: bytes, datanet: str) -> int | None:
        """When the oldest receipt in no final Batch was issued; None where there is none."""
        with self._reading() as connection:
            last = connection.execute(
                sa.select(sa.func.max(batches.c.last)).where(
                    batches.c.ledger_id == ledger_id,
                    batches.c.datanet == datanet,
                    batches.c.stage == "final",
                )
            ).scalar()
            first = 0 if last is None else int(last) + 1
            return _oldest_from(connection, ledger_id, datanet, first)

    def unpaid(self) -> dict[str, int]:
        """How many receipts each Datanet issued that no Ledger pays."""
        with self._reading() as connection:
            rows = connection.execute(
                sa.select(heads.c.datanet, heads.c.next_seq).where(
                    heads.c.ledger_id == NO_LEDGER, heads.c.next_seq > 0
                )
            )
            return {row.datanet: int(row.next_seq) for row in rows}

    def losses(self) -> dict[bytes, str]:
        """The Ledgers that were found to be another one, and what was said of each."""
        with self._reading() as connection:
            rows = connection.execute(
                sa.select(ledgers.c.ledger_id, ledgers.c.lost).where(ledgers.c.lost.is_not(None))
            )
            return {row.ledger_id: row.lost for row in rows}

    def leaders(self, now: float) -> dict[str, str]:
        """Who leads, by the lease's name."""
        with self._reading() as connection:
            rows = connection.execute(
                sa.select(leases).where(
                    leases.c.until > now, leases.c.until <= now + LONGEST_LEASE_SECONDS
                )
            )
            return {row.name: row.holder for row in rows}

    def days(self, datanet: str, since: int) -> list[Day]:
        """The days from the day ``since`` on which a Datanet answered, in all its Ledgers."""
        day = receipts.c.issued_at // DAY_SECONDS
        counted = (
            sa.select(day, sa.func.count())
            .where(receipts.c.datanet == datanet, receipts.c.issued_at >= since * DAY_SECONDS)
            .group_by(day)
        )
        with self._reading() as connection:
            answered = {int(row[0]): int(row[1]) for row in connection.execute(counted)}
            fees = _owed_by_day(connection, since, spending.c.datanet == datanet, fees=True)
            payouts = _owed_by_day(connection, since, spending.c.datanet == datanet)
        return [
            Day(one, n, fees.get(one, 0), payouts.get(one, 0))
            for one, n in sorted(answered.items())
        ]

    def days_of(self, account: Address, since: int) -> dict[int, int]:
        """What an address was owed on each day from the day ``since``, in base units."""
        with self._reading() as connection:
            return _owed_by_day(connection, since, spending.c.account == account)

    def earned_by(self, datanet: str) -> dict[Address, int]:
        """What each address was ever owed by a Datanet, in base units."""
        query = sa.select(spending.c.account, *_sums(spending.c.amount)).where(
            spending.c.datanet == datanet, sa.func.length(spending.c.account) > 0
        )
        with self._reading() as connection:
            rows = connection.execute(query.group_by(spending.c.account)).all()
        return {Address(row[0]): _total(row[1:]) for row in rows}

    def fees_spent(self) -> dict[bytes, int]:
        """Wei that mined transactions cost, by Ledger; what no transaction was sent for is 0."""
        sums = _sums(attempts.c.fee_paid)
        query = sa.select(attempts.c.ledger_id, *sums).where(attempts.c.fee_paid.is_not(None))
        with self._reading() as connection:
            rows = connection.execute(query.group_by(attempts.c.ledger_id)).all()
        return {row[0]: _total(row[1:]) for row in rows}


def _owed_by_day(
    connection: Connection, since: int, of: sa.ColumnElement[bool], *, fees: bool = False
) -> dict[int, int]:
    """Sums of what days owe already; ``fees``: whole fees, which no address stands for."""
    query = sa.select(spending.c.day, *_sums(spending.c.amount)).where(
        of, spending.c.day >= since, (sa.func.length(spending.c.account) == 0) == fees
    )
    rows = connection.execute(query.group_by(spending.c.day)).all()
    return {int(row[0]): _total(row[1:]) for row in rows}


def _final(connection: Connection, ledger_id: bytes, datanet: str) -> tuple[int, int, int]:
    """One past the last settled number, how many final Batches there are, and what they credit."""
    rows = connection.execute(
        sa.select(batches.c.last, batches.c.entries).where(
            batches.c.ledger_id == ledger_id,
            batches.c.datanet == datanet,
            batches.c.stage == "final",
        )
    )
    settled_to, count, total = 0, 0, 0
    for last, entries in rows:
        settled_to, count = max(settled_to, last + 1), count + 1
        total += sum(
            int.from_bytes(entries[i + 20 : i + 32], "big") for i in range(0, len(entries), 32)
        )
    return settled_to, count, total


def _abandoned_count(connection: Connection, ledger_id: bytes, datanet: str) -> int:
    count = sa.func.sum(abandoned.c.last - abandoned.c.first + 1)
    found = connection.execute(
        sa.select(count).where(abandoned.c.ledger_id == ledger_id, abandoned.c.datanet == datanet)
    ).scalar()
    return int(found or 0)


def _owed_from(connection: Connection, ledger_id: bytes, datanet: str, first: int) -> int:
    query = sa.select(*_sums(lines.c.amount)).join(receipts, receipts.c.digest == lines.c.digest)
    row = connection.execute(query.where(*_from(ledger_id, datanet, first))).one()
    return _total(row)


def _oldest_from(connection: Connection, ledger_id: bytes, datanet: str, first: int) -> int | None:
    """Of the receipt with the lowest number there: abandoned numbers have none."""
    found: int | None = connection.execute(
        sa.select(receipts.c.issued_at)
        .where(*_from(ledger_id, datanet, first))
        .order_by(receipts.c.seq)
        .limit(1)
    ).scalar()
    return found


def _from(ledger_id: bytes, datanet: str, first: int) -> Sequence[sa.ColumnElement[bool]]:
    return (
        receipts.c.ledger_id == ledger_id, receipts.c.datanet == datanet, receipts.c.seq >= first,
    )  # fmt: skip


def _sums(column: sa.ColumnElement[Any]) -> list[sa.ColumnElement[Any]]:
    """The sums of an amount's pieces, the lowest digits first."""
    padded = sa.literal("0" * _PIECE * _PIECES) + column
    return [
        sa.func.sum(
            sa.cast(
                sa.func.substr(padded, sa.func.length(padded) - _PIECE * (i + 1) + 1, _PIECE),
                sa.BigInteger,
            )
        )
        for i in range(_PIECES)
    ]


def _total(sums: Sequence[int | None]) -> int:
    return sum(int(piece or 0) * 10 ** (_PIECE * i) for i, piece in enumerate(sums))
