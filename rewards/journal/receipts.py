"""Receipts as they were committed, and what they owe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from footnote.addresses import Address
from footnote.errors import Invalid, NotFound
from footnote.ids import ZERO_HASH
from rewards.batch import Payable
from rewards.journal.records import Abandoned, Earned, Earning, StoredReceipt, Wanted
from rewards.journal.store import Store
from rewards.journal.tables import (
    NO_LEDGER,
    abandoned,
    batches,
    heads,
    lines,
    receipts,
    registrations,
)
from rewards.receipt import Domain, abandoned_leaf, line_from_json, receipt_from_json


class Receipts(Store):
    def receipt(self, digest: bytes) -> StoredReceipt:
        """NotFound for an unknown digest."""
        with self._reading() as connection:
            row = (
                connection.execute(sa.select(receipts).where(receipts.c.digest == digest))
                .mappings()
                .first()
            )
            if row is None:
                raise NotFound("no such receipt", "check its id")
            bodies = connection.execute(
                sa.select(lines.c.body).where(lines.c.digest == digest).order_by(lines.c.position)
            ).scalars()
            return _stored_receipt(row, bodies)

    def receipts(
        self, ledger_id: bytes, datanet: str, first: int, last: int
    ) -> list[StoredReceipt]:
        """The receipts ``first..last`` by seq; fewer where the journal holds fewer."""
        place = _place(ledger_id, datanet, first, last)
        bodies: dict[int, list[dict[str, Any]]] = {}
        with self._reading() as connection:
            rows = connection.execute(sa.select(receipts).where(place).order_by(receipts.c.seq))
            found = rows.mappings().all()
            for seq, body in connection.execute(_lines(place, lines.c.body)):
                bodies.setdefault(seq, []).append(body)
        return [_stored_receipt(row, bodies.pop(row["seq"], ())) for row in found]

    def payables(
        self,
        ledger_id: bytes,
        datanet: str,
        first: int,
        last: int | None = None,
        limit: int = 6_000,
    ) -> list[Payable]:
        """The receipts from ``first`` as a Batch sees them, by seq, abandoned numbers among
        them."""
        query = (
            sa.select(receipts.c.seq, receipts.c.leaf, receipts.c.issued_at)
            .where(_place(ledger_id, datanet, first, last))
            .order_by(receipts.c.seq)
            .limit(limit)
        )
        owed: dict[int, list[tuple[Address, int]]] = {}
        with self._reading() as connection:
            rows = connection.execute(query).all()
            place = _place(ledger_id, datanet, first, rows[-1].seq if rows else first)
            for seq, account, amount in connection.execute(
                _lines(place, lines.c.account, lines.c.amount)
            ):
                owed.setdefault(seq, []).append((Address(account), int(amount)))
            end = first + limit if last is None else min(first + limit, last + 1)
            lost = _abandoned_payables(connection, ledger_id, datanet, first, end)
        found = [
            Payable(row.seq, row.leaf, row.issued_at, tuple(owed.get(row.seq, ()))) for row in rows
        ]
        return sorted([*found, *lost], key=lambda payable: payable.seq)[:limit]

    def abandoned(self, ledger_id: bytes, datanet: str) -> list[Abandoned]:
        """The ranges of numbers that were given up, by first."""
        with self._reading() as connection:
            return _abandoned(connection, ledger_id, datanet)

    def knows(self, datanet: str) -> bool:
        """Whether a receipt of that Datanet was ever issued."""
        with self._reading() as connection:
            found = connection.execute(
                sa.select(heads.c.datanet).where(heads.c.datanet == datanet).limit(1)
            )
            return found.first() is not None

    def next_seq(self, ledger_id: bytes, datanet: str) -> int:
        """One past the newest receipt."""
        with self._reading() as connection:
            found = connection.execute(
                sa.select(heads.c.next_seq).where(
                    heads.c.ledger_id == ledger_id, heads.c.datanet == datanet
                )
            ).scalar()
            return int(found or 0)

    def tail(self, ledger_id: bytes, datanet: str) -> tuple[int, bytes]:
        """The number of the next receipt and the digest that it has to name, as of one moment."""
        with self._reading() as connection:
            row = connection.execute(
                sa.select(heads.c.next_seq, heads.c.previous).where(
                    heads.c.ledger_id == ledger_id, heads.c.datanet == datanet
                )
            ).first()
        return (0, ZERO_HASH) if row is None else (int(row.next_seq), row.previous)

    def earnings(self, account: Address, wanted: Wanted, limit: int) -> list[Earning]:
        """The newest ``limit`` of the lines that name ``account``, newest first. Their order never
        changes: what is issued meanwhile comes in front of it, unless a clock went back.

        Raises:
            Invalid: ``wanted.after`` names no line.
        """
        query = (
            _earned(
                account, receipts.c.seq, receipts.c.digest, receipts.c.leaf, receipts.c.issued_at,
                lines.c.position, lines.c.body, batches.c.batch_id, batches.c.tx_hash,
            )
            .order_by(
                receipts.c.issued_at.desc(), receipts.c.seq.desc(), receipts.c.digest.desc(),
                lines.c.position,
            )
            .limit(limit)
        )  # fmt: skip
        with self._reading() as connection:
            query = query.where(*_asked_for(connection, wanted))
            return [
                Earning(
                    row.datanet, row.ledger_id, row.seq, row.digest, row.leaf, row.issued_at,
                    row.position, line_from_json(row.body), row.stage, row.batch_id, row.tx_hash,
                )
                for row in connection.execute(query)
            ]  # fmt: skip

    def earned(self, account: Address) -> list[Earned]:
        """What all lines that name ``account`` come to."""
        sums: dict[tuple[str, bytes, str | None], int] = {}
        with self._reading() as connection:
            for row in connection.execute(_earned(account, lines.c.amount)):
                place = row.datanet, row.ledger_id, row.stage
                sums[place] = sums.get(place, 0) + int(row.amount)
        return [Earned(*place, amount) for place, amount in sums.items()]

    def owed_in(self, ledger_id: bytes, datanet: str | None = None) -> dict[Address, int]:
        """What all receipts of a Ledger, or of one Datanet in it, owe, by address."""
        query = (
            sa.select(lines.c.account, lines.c.amount)
            .join(receipts, receipts.c.digest == lines.c.digest)
            .where(receipts.c.ledger_id == ledger_id)
        )
        if datanet is not None:
            query = query.where(receipts.c.datanet == datanet)
        with self._reading() as connection:
            totals: dict[Address, int] = {}
            for account, amount in connection.execute(query):
                totals[Address(account)] = totals.get(Address(account), 0) + int(amount)
            return totals


def _earned(account: Address, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Those columns of every line that names ``account``, with its place and its Batch's stage."""
    earlier = batches.alias()
    its_batch = (
        sa.select(sa.func.max(earlier.c.first))  # by the index, and not every batch for each line
        .where(
            earlier.c.ledger_id == receipts.c.ledger_id,
            earlier.c.datanet == receipts.c.datanet,
            earlier.c.first <= receipts.c.seq,
        )
        .scalar_subquery()
    )
    same_place = sa.and_(
        batches.c.ledger_id == receipts.c.ledger_id,
        batches.c.datanet == receipts.c.datanet,
        batches.c.first == its_batch,
        batches.c.last >= receipts.c.seq,
    )
    return (
        sa.select(receipts.c.datanet, receipts.c.ledger_id, batches.c.stage, *columns)
        .join(lines, lines.c.digest == receipts.c.digest)
        .outerjoin(batches, same_place)
        .where(lines.c.account == account)
    )


def _asked_for(connection: Connection, wanted: Wanted) -> Iterator[sa.ColumnElement[bool]]:
    if wanted.datanet is not None:
        yield receipts.c.datanet == wanted.datanet
    if wanted.since is not None:
        yield receipts.c.issued_at >= wanted.since
    if wanted.until is not None:
        yield receipts.c.issued_at < wanted.until
    if wanted.paid:
        yield receipts.c.ledger_id != NO_LEDGER
    if wanted.after is not None:
        yield _behind(connection, *wanted.after)


def _behind(connection: Connection, digest: bytes, position: int) -> sa.ColumnElement[bool]:
    """Whether a line comes after that one, by time, number and digest falling, then position."""
    row = connection.execute(
        sa.select(receipts.c.issued_at, receipts.c.seq).where(receipts.c.digest == digest)
    ).first()
    if row is None:
        raise Invalid("the cursor names no line", "give the one that the page before ended with")
    place = sa.tuple_(receipts.c.issued_at, receipts.c.seq, receipts.c.digest)
    last = sa.tuple_(sa.literal(row.issued_at), sa.literal(row.seq), sa.literal(digest))
    return sa.or_(
        place < last, sa.and_(receipts.c.digest == digest, lines.c.position > position)
    )  # fmt: skip


def _abandoned(connection: Connection, ledger_id: bytes, datanet: str) -> list[Abandoned]:
    rows = connection.execute(
        sa.select(abandoned)
        .where(abandoned.c.ledger_id == ledger_id, abandoned.c.datanet == datanet)
        .order_by(abandoned.c.first)
    )
    return [Abandoned(row.first, row.last, row.previous, row.digest, row.at) for row in rows]


def _abandoned_payables(
    connection: Connection, ledger_id: bytes, datanet: str, first: int, end: int
) -> list[Payable]:
    """Those of ``first`` up to but not including ``end``."""
    found = []
    for lost in _abandoned(connection, ledger_id, datanet):
        datanet_id: bytes = connection.execute(
            sa.select(registrations.c.datanet_id).where(
                registrations.c.ledger_id == ledger_id, registrations.c.datanet == datanet
            )
        ).scalar_one()
        for seq in range(max(lost.first, first), min(lost.last + 1, end)):
            leaf = abandoned_leaf(datanet_id, seq)
            found.append(Payable(seq, leaf, lost.at, (), abandoned=True))
    return found


def _place(ledger_id: bytes, datanet: str, first: int, last: int | None) -> sa.ColumnElement[bool]:
    """Whether a receipt lies in that range of numbers."""
    range_ = [receipts.c.seq >= first] + ([] if last is None else [receipts.c.seq <= last])
    return sa.and_(receipts.c.ledger_id == ledger_id, receipts.c.datanet == datanet, *range_)


def _lines(place: sa.ColumnElement[bool], *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """All lines of the receipts there in one query, each after its receipt's seq, in order."""
    return (
        sa.select(receipts.c.seq, *columns)
        .join(lines, lines.c.digest == receipts.c.digest)
        .where(place)
        .order_by(receipts.c.seq, lines.c.position)
    )


def _stored_receipt(row: RowMapping, bodies: Iterable[dict[str, Any]]) -> StoredReceipt:
    domain = row["domain"]
    return StoredReceipt(
        row["digest"],
        row["datanet"],
        row["answer_id"],
        Domain(
            domain["chainId"],
            Address(bytes.fromhex(domain["verifyingContract"].removeprefix("0x"))),
        ),
        receipt_from_json(row["message"]),
        row["signature"],
        None if row["signer"] is None else Address(row["signer"]),
        tuple(line_from_json(body) for body in bodies),
    )
