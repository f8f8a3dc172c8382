"""Batches on their way to the chain, each change of stage one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from footnote.addresses import Address
from footnote.errors import NotFound
from rewards.batch import (
    Attempt,
    Batch,
    FinalBatch,
    MinedBatch,
    NoncedBatch,
    OpenBatch,
    Payout,
    PlannedBatch,
    Purpose,
    SentBatch,
    SignedBatch,
)
from rewards.journal.databases import lock
from rewards.journal.records import Overtaken, SentOut, StoredBatch
from rewards.journal.store import Store
from rewards.journal.tables import attempts, batches, ledgers


class Batches(Store):
    def batches(self, ledger_id: bytes, datanet: str | None = None) -> list[StoredBatch]:
        """Batches by Datanet and first seq, at any stage."""
        query = sa.select(batches).where(batches.c.ledger_id == ledger_id)
        if datanet is not None:
            query = query.where(batches.c.datanet == datanet)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(batches.c.datanet, batches.c.first))
            return [_stored_batch(row) for row in rows.mappings()]

    def newest_batches(self, limit: int) -> list[SentOut]:
        """Those on their way first, then the final ones, the last sent first."""
        sent = (
            sa.select(attempts.c.batch_id, sa.func.max(attempts.c.sent_at).label("sent_at"))
            .group_by(attempts.c.batch_id)
            .subquery()
        )
        query = (
            sa.select(batches, sent.c.sent_at.label("last_sent"))
            .outerjoin(sent, sent.c.batch_id == batches.c.batch_id)
            .order_by(
                batches.c.stage == "final",
                sa.func.coalesce(sent.c.sent_at, 0.0).desc(),
                batches.c.datanet,
                batches.c.first.desc(),
            )
            .limit(limit)
        )
        with self._reading() as connection:
            rows = connection.execute(query).mappings().all()
            ids = [row["batch_id"] for row in rows]
            costs = sa.select(attempts.c.batch_id, attempts.c.fee_paid).where(
                attempts.c.batch_id.in_(ids), attempts.c.fee_paid.is_not(None)
            )
            fees: dict[bytes, int] = {}
            for batch_id, fee in connection.execute(costs):
                fees[batch_id] = fees.get(batch_id, 0) + int(fee)
        return [
            SentOut(_stored_batch(row), row["last_sent"], fees.get(row["batch_id"])) for row in rows
        ]

    def batch(self, batch_id: bytes) -> StoredBatch:
        """NotFound for an unknown id."""
        with self._reading() as connection:
            row = (
                connection.execute(sa.select(batches).where(batches.c.batch_id == batch_id))
                .mappings()
                .first()
            )
        if row is None:
            raise NotFound("no such batch", "check its id")
        return _stored_batch(row)

    def batch_with(self, ledger_id: bytes, datanet: str, seq: int) -> StoredBatch | None:
        """The Batch that holds the receipt ``seq``, or None while it waits."""
        with self._reading() as connection:
            row = (
                connection.execute(
                    sa.select(batches).where(
                        batches.c.ledger_id == ledger_id,
                        batches.c.datanet == datanet,
                        batches.c.first <= seq,
                        batches.c.last >= seq,
                    )
                )
                .mappings()
                .first()
            )
        return None if row is None else _stored_batch(row)

    def final_at(self, ledger_id: bytes, datanet: str) -> int:
        """A final block that holds every Batch which is final here."""
        with self._reading() as connection:
            block = connection.execute(
                sa.select(sa.func.max(batches.c.final_at)).where(
                    batches.c.ledger_id == ledger_id, batches.c.datanet == datanet
                )
            ).scalar()
        return int(block or 0)

    def settled_to(self, ledger_id: bytes, datanet: str) -> int:
        """One past the last seq of the newest final Batch."""
        with self._reading() as connection:
            last = connection.execute(
                sa.select(sa.func.max(batches.c.last)).where(
                    batches.c.ledger_id == ledger_id,
                    batches.c.datanet == datanet,
                    batches.c.stage == "final",
                )
            ).scalar()
        return 0 if last is None else int(last) + 1

    def open_batch(self, ledger_id: bytes, datanet: str) -> OpenBatch | None:
        """The Datanet's Batch that is not final, at its stage. There is at most one."""
        with self._reading() as connection:
            row = (
                connection.execute(
                    sa.select(batches).where(
                        batches.c.ledger_id == ledger_id,
                        batches.c.datanet == datanet,
                        batches.c.stage != "final",
                    )
                )
                .mappings()
                .first()
            )
            return None if row is None else _at_stage(connection, row)

    def in_flight(self, key: Address) -> dict[tuple[bytes, str], int]:
        """The nonces that Batches of ``key`` own and that may still be unspent, by Ledger and
        Datanet."""
        with self._reading() as connection:
            rows = connection.execute(
                sa.select(batches.c.ledger_id, batches.c.datanet, batches.c.nonce).where(
                    batches.c.key == key, batches.c.stage.in_(_IN_FLIGHT)
                )
            )
            return {(row.ledger_id, row.datanet): row.nonce for row in rows}

    def nonces_owned(self, key: Address, ledger_id: bytes) -> set[int]:
        """The nonces of all Batches of ``key`` on a Ledger's chain that are not final."""
        with self._reading() as connection:
            query = sa.select(batches.c.nonce).where(
                batches.c.key == key,
                batches.c.ledger_id.in_(_on_one_chain(connection, ledger_id)),
                batches.c.stage != "final",
            )
            return set(connection.execute(query).scalars())

    def fees_tried(self, key: Address, ledger_id: bytes, nonce: int) -> tuple[int, int]:
        """The highest fees signed so far for a nonce on a Ledger's chain, whatever for: (max fee,
        priority fee)."""
        with self._reading() as connection:
            rows = connection.execute(
                sa.select(attempts.c.max_fee, attempts.c.priority_fee).where(
                    attempts.c.key == key,
                    attempts.c.ledger_id.in_(_on_one_chain(connection, ledger_id)),
                    attempts.c.nonce == nonce,
                )
            ).all()
        return (
            max((int(row.max_fee) for row in rows), default=0),
            max((int(row.priority_fee) for row in rows), default=0),
        )

    def fees_paid(self, ledger_id: bytes, key: Address | None = None, since: float = 0) -> int:
        """Wei that transactions cost which were sent after ``since`` and are mined."""
        query = sa.select(attempts.c.fee_paid).where(
            attempts.c.ledger_id == ledger_id,
            attempts.c.fee_paid.is_not(None),
            attempts.c.sent_at >= since,
        )
        if key is not None:
            query = query.where(attempts.c.key == key)
        with self._reading() as connection:
            return sum(int(fee) for fee in connection.execute(query).scalars())

    def attempts_for(self, nonced: NoncedBatch) -> tuple[Attempt, ...]:
        """What was signed for a Batch with its nonce, in order."""
        with self._reading() as connection:
            return _signed(connection, nonced.planned.batch_id, nonced.nonce)

    def note_fee(self, tx_hash: bytes, fee: int) -> None:
        """Note what a transaction cost, in wei."""
        with self._writing() as connection:
            connection.execute(
                attempts.update().where(attempts.c.tx_hash == tx_hash).values(fee_paid=str(fee))
            )

    # Transitions. Each is one compare-and-set: ``Overtaken`` where another worker was first.

    def plan(self, planned: PlannedBatch) -> PlannedBatch:
        """Store a plan, in place of an earlier one that owns no nonce yet."""
        with self._writing() as connection:
            lock(connection, "batches", planned.ledger_id, planned.datanet)
            datanet = sa.and_(
                batches.c.ledger_id == planned.ledger_id, batches.c.datanet == planned.datanet
            )
            connection.execute(batches.delete().where(datanet, batches.c.stage == "planned"))
            settled_to = connection.execute(
                sa.select(sa.func.max(batches.c.last) + 1).where(datanet)
            ).scalar()
            if (settled_to or 0) != planned.batch.first:
                raise Overtaken
            connection.execute(batches.insert().values(**_batch_values(planned), stage="planned"))
        return planned

    def adopt(self, planned: PlannedBatch, tx_hash: bytes | None) -> MinedBatch:
        """Store a Batch that the chain holds already, in place of any open one of ours."""
        with self._writing() as connection:
            lock(connection, "batches", planned.ledger_id, planned.datanet)
            datanet = sa.and_(
                batches.c.ledger_id == planned.ledger_id, batches.c.datanet == planned.datanet
            )
            connection.execute(batches.delete().where(datanet, batches.c.stage != "final"))
            settled_to = connection.execute(
                sa.select(sa.func.max(batches.c.last) + 1).where(datanet)
            ).scalar()
            if (settled_to or 0) != planned.batch.first:
                raise Overtaken
            connection.execute(
                batches.insert().values(**_batch_values(planned), stage="mined", tx_hash=tx_hash)
            )
        return MinedBatch(planned, None, tx_hash)

    def hold(self, planned: PlannedBatch, reason: str | None) -> None:
        """Note why a Batch cannot go on, at whatever stage, or that it can again."""
        with self._writing() as connection:
            connection.execute(
                batches.update()
                .where(batches.c.batch_id == planned.batch_id, batches.c.stage != "final")
                .values(held=reason)
            )

    def take_nonce(self, planned: PlannedBatch, key: Address, nonce: int) -> NoncedBatch | None:
        """Give ``planned`` a nonce, unless another Batch of ``key`` is in flight: then None."""
        with self._writing() as connection:
            lock(connection, "key", key)
            busy = connection.execute(
                sa.select(batches.c.batch_id).where(
                    batches.c.key == key,
                    batches.c.ledger_id.in_(_on_one_chain(connection, planned.ledger_id)),
                    # a mined Batch owns its nonce still: then the chain's answer was old
                    batches.c.stage.in_(_IN_FLIGHT) | (batches.c.nonce == nonce),
                )
            ).first()
            if busy:
                return None
            _advance(
                connection, planned, "planned", stage="nonced", key=key, nonce=nonce, held=None
            )
        return NoncedBatch(replace(planned, held=None), key, nonce)

    def release_nonce(self, nonced: NoncedBatch, reason: str) -> PlannedBatch:
        """Give back a nonce for which nothing was signed, so that nobody ever saw it."""
        with self._writing() as connection:
            _advance(
                connection, nonced, "nonced", stage="planned", key=None, nonce=None, held=reason
            )
        return replace(nonced.planned, held=reason)

    def store_attempt(
        self, nonced: NoncedBatch, attempt: Attempt, earlier: Sequence[Attempt] = ()
    ) -> SignedBatch:
        """Keep signed bytes before anybody sees them."""
        planned = nonced.planned
        with self._writing() as connection:
            _advance(connection, nonced, "nonced", "sent", stage="signed")
            stored = connection.execute(_attempts(planned.batch_id, nonced.nonce)).all()
            if [row.tx_hash for row in stored] != [one.tx_hash for one in earlier]:
                raise Overtaken
            _insert_attempt(connection, nonced, attempt, len(earlier))
        return SignedBatch(nonced, (*earlier, attempt))

    def store_filler(self, nonced: NoncedBatch, filler: Attempt, at: float) -> None:
        """Keep the bytes that spend a nonce below a Batch's own, before anybody sees them."""
        with self._writing() as connection:
            _insert_attempt(connection, nonced, replace(filler, sent_at=at), 0)

    def mark_sent(self, signed: SignedBatch, at: float) -> SentBatch:
        with self._writing() as connection:
            _advance(connection, signed.nonced, "signed", "sent", stage="sent")
            connection.execute(
                attempts.update()
                .where(attempts.c.tx_hash == signed.latest.tx_hash)
                .values(sent_at=at)
            )
        latest = replace(signed.latest, sent_at=at)
        return SentBatch(replace(signed, attempts=(*signed.attempts[:-1], latest)))

    def mark_mined(self, sent: SentBatch, tx_hash: bytes | None) -> MinedBatch:
        planned = sent.signed.nonced.planned
        with self._writing() as connection:
            _advance(
                connection, sent.signed.nonced, "sent", stage="mined", tx_hash=tx_hash, held=None
            )
        return MinedBatch(planned, sent, tx_hash)

    def mark_unmined(self, mined: MinedBatch) -> None:
        """A reorg undid it: back to sent, or, where its bytes are not ours, to a plan."""
        with self._writing() as connection:
            stage = "sent" if mined.sent else "planned"
            _advance(connection, mined.planned, "mined", stage=stage, tx_hash=None)

    def mark_final(self, mined: MinedBatch, block: int, *, nonce_spent: bool = True) -> FinalBatch:
        """``block`` is final and holds it. A nonce that is not spent there is free again."""
        freed = {} if nonce_spent else {"key": None, "nonce": None}
        with self._writing() as connection:
            _advance(
                connection, mined.planned, "mined",
                stage="final", held=None, tx_hash=mined.tx_hash, final_at=block, **freed,
            )  # fmt: skip
        return FinalBatch(mined.planned, mined.tx_hash)

    def give_up_nonce(self, sent: SentBatch, reason: str) -> None:
        """Its nonce was spent, for good, on something that changed nothing: back to a plan."""
        with self._writing() as connection:
            _advance(
                connection, sent.signed.nonced, "sent",
                stage="planned", key=None, nonce=None, held=reason,
            )  # fmt: skip


_IN_FLIGHT = ("nonced", "signed", "sent")


def _advance(
    connection: Connection, batch: PlannedBatch | NoncedBatch, *stages: str, **values: Any
) -> None:
    """Change a Batch that is at one of ``stages`` still, with the nonce that it had.

    Raises:
        Overtaken: it is not, for another worker was faster.
    """
    planned = batch.planned if isinstance(batch, NoncedBatch) else batch
    where = [batches.c.batch_id == planned.batch_id, batches.c.stage.in_(stages)]
    if isinstance(batch, NoncedBatch):
        where += [batches.c.key == batch.key, batches.c.nonce == batch.nonce]
    if connection.execute(batches.update().where(*where).values(**values)).rowcount != 1:
        raise Overtaken


def _insert_attempt(
    connection: Connection, nonced: NoncedBatch, attempt: Attempt, position: int
) -> None:
    connection.execute(
        attempts.insert().values(
            tx_hash=attempt.tx_hash,
            batch_id=nonced.planned.batch_id,
            ledger_id=nonced.planned.ledger_id,
            key=nonced.key,
            nonce=nonced.nonce,
            position=position,
            raw=attempt.raw,
            max_fee=str(attempt.max_fee),
            priority_fee=str(attempt.priority_fee),
            sent_at=attempt.sent_at,
            purpose=attempt.purpose.value,
        )
    )


def _on_one_chain(connection: Connection, ledger_id: bytes) -> list[bytes]:
    """The Ledgers on the chain of this one: a key's nonces count for all of them together."""
    bodies = connection.execute(sa.select(ledgers.c.ledger_id, ledgers.c.body))
    chains = {row.ledger_id: (row.body["chain_id"], row.body["genesis_hash"]) for row in bodies}
    return [one for one in chains if chains[one] == chains.get(ledger_id)]


def _attempts(batch_id: bytes, nonce: int) -> sa.Select[Any]:
    return (
        sa.select(attempts)
        .where(attempts.c.batch_id == batch_id, attempts.c.nonce == nonce)
        .order_by(attempts.c.position)
    )


def _batch_values(planned: PlannedBatch) -> dict[str, Any]:
    batch = planned.batch
    return {
        "ledger_id": planned.ledger_id,
        "datanet": planned.datanet,
        "datanet_id": planned.datanet_id,
        "batch_id": planned.batch_id,
        "first": batch.first,
        "last": batch.last,
        "receipts_root": batch.receipts_root,
        "entries": b"".join(batch.entries),
        "held": planned.held,
    }


def _batch(row: RowMapping) -> Batch:
    entries = row["entries"]
    return Batch(
        row["first"],
        row["last"],
        row["receipts_root"],
        tuple(
            Payout(Address(entries[i : i + 20]), int.from_bytes(entries[i + 20 : i + 32], "big"))
            for i in range(0, len(entries), 32)
        ),
    )


def _stored_batch(row: RowMapping) -> StoredBatch:
    return StoredBatch(
        row["ledger_id"], row["datanet"], row["datanet_id"], row["batch_id"], _batch(row),
        row["stage"], row["held"], row["tx_hash"],
    )  # fmt: skip


def _signed(connection: Connection, batch_id: bytes, nonce: int) -> tuple[Attempt, ...]:
    return tuple(
        Attempt(
            a.tx_hash, a.raw, int(a.max_fee), int(a.priority_fee), a.sent_at, Purpose(a.purpose)
        )
        for a in connection.execute(_attempts(batch_id, nonce))
    )


def _at_stage(connection: Connection, row: RowMapping) -> OpenBatch:
    planned = PlannedBatch(
        row["ledger_id"], row["datanet"], row["datanet_id"], row["batch_id"], _batch(row),
        row["held"],
    )  # fmt: skip
    if row["stage"] == "planned":
        return planned
    if row["key"] is None:
        return MinedBatch(planned, None, row["tx_hash"])
    nonced = NoncedBatch(planned, Address(row["key"]), row["nonce"])
    if row["stage"] == "nonced":
        return nonced
    signed = SignedBatch(nonced, _signed(connection, row["batch_id"], row["nonce"]))
    if row["stage"] == "signed":
        return signed
    sent = SentBatch(signed)
    return sent if row["stage"] == "sent" else MinedBatch(planned, sent, row["tx_hash"])
