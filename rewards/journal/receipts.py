"""Receipts as they were committed, and what they owe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from footnote.addresses import Address
from footnote.errors import NotFound
from rewards.batch import Payable
from rewards.journal.records import Abandoned, Earning, StoredReceipt
from rewards.journal.store import Store
from rewards.journal.tables import abandoned, batches, heads, lines, receipts, registrations
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

    def next_seq(self, ledger_id: bytes, datanet: str) -> int:
        """One past the newest receipt."""
        with self._reading() as connection:
            found = connection.execute(
                sa.select(heads.c.next_seq).where(
                    heads.c.ledger_id == ledger_id, heads.c.datanet == datanet
                )
            ).scalar()
            return int(found or 0)

    def head_digest(self, ledger_id: bytes, datanet: str) -> bytes | None:
        """The digest of the newest receipt, as the next one has to name it."""
        with self._reading() as connection:
            found: bytes | None = connection.execute(
                sa.select(heads.c.previous).where(
                    heads.c.ledger_id == ledger_id, heads.c.datanet == datanet
                )
            ).scalar()
            return found

    def earnings(self, account: Address) -> list[Earning]:
        """Every line that names ``account``, newest first."""
        query = (
            sa.select(
                receipts.c.datanet, receipts.c.ledger_id, receipts.c.seq, receipts.c.digest,
                receipts.c.issued_at, lines.c.body, batches.c.stage,
            )
            .join(lines, lines.c.digest == receipts.c.digest)
            .outerjoin(
                batches,
                sa.and_(
                    batches.c.ledger_id == receipts.c.ledger_id,
                    batches.c.datanet == receipts.c.datanet,
                    batches.c.first <= receipts.c.seq,
                    batches.c.last >= receipts.c.seq,
                ),
            )
            .where(lines.c.account == account)
            .order_by(receipts.c.issued_at.desc(), receipts.c.seq.desc(), lines.c.position)
        )  # fmt: skip
        with self._reading() as connection:
            return [
                Earning(
                    row.datanet, row.ledger_id, row.seq, row.digest, row.issued_at,
                    line_from_json(row.body), row.stage,
                )
                for row in connection.execute(query)
            ]  # fmt: skip

    def owed_in(self, ledger_id: bytes) -> dict[Address, int]:
        """What all receipts of a Ledger owe, by address."""
        with self._reading() as connection:
            totals: dict[Address, int] = {}
            for account, amount in connection.execute(
                sa.select(lines.c.account, lines.c.amount)
                .join(receipts, receipts.c.digest == lines.c.digest)
                .where(receipts.c.ledger_id == ledger_id)
            ):
                totals[Address(account)] = totals.get(Address(account), 0) + int(amount)
            return totals


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
