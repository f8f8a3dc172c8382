"""Batches on their way to the chain, each change of stage one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from footnote.addresses import Address
from footnote.errors import Broken, NotFound
from rewards.batch import (
    Attempt,
    Batch,
    FinalBatch,
    MinedBatch,
    NoncedBatch,
    OpenBatch,
    Payout,
    PlannedBatch,
    SentBatch,
    SignedBatch,
)
from rewards.journal.records import StoredBatch
from rewards.journal.store import Store
from rewards.journal.tables import attempts, batches, receipts


class Batches(Store):
    def batches(self, ledger_id: bytes, datanet: str | None = None) -> list[StoredBatch]:
        """Batches by Datanet and first seq, at any stage."""
        query = sa.select(batches).where(batches.c.ledger_id == ledger_id)
        if datanet is not None:
            query = query.where(batches.c.datanet == datanet)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(batches.c.datanet, batches.c.first))
            return [_stored_batch(row) for row in rows.mappings()]

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

    def oldest_waiting(self, ledger_id: bytes, datanet: str) -> int | None:
        """When the oldest receipt in no final Batch was issued; None where there is none."""
        first = self.settled_to(ledger_id, datanet)
        with self._reading() as connection:
            issued: int | None = connection.execute(
                sa.select(receipts.c.issued_at).where(
                    receipts.c.ledger_id == ledger_id,
                    receipts.c.datanet == datanet,
                    receipts.c.seq == first,
                )
            ).scalar()
            return issued

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

    def plan(self, planned: PlannedBatch) -> PlannedBatch:
        """Store a plan, in place of an earlier one that owns no nonce yet."""
        with self._writing() as connection:
            where = sa.and_(
                batches.c.ledger_id == planned.ledger_id,
                batches.c.datanet == planned.datanet,
                batches.c.stage == "planned",
            )
            connection.execute(batches.delete().where(where))
            connection.execute(batches.insert().values(**_batch_values(planned), stage="planned"))
        return planned

    def adopt(self, planned: PlannedBatch, tx_hash: bytes | None) -> MinedBatch:
        """Store a Batch that the chain holds already, in place of any plan of ours."""
        with self._writing() as connection:
            connection.execute(
                batches.delete().where(
                    batches.c.ledger_id == planned.ledger_id,
                    batches.c.datanet == planned.datanet,
                    batches.c.stage != "final",
                )
            )
            connection.execute(
                batches.insert().values(**_batch_values(planned), stage="mined", tx_hash=tx_hash)
            )
        return MinedBatch(planned, None, tx_hash)

    def hold(self, planned: PlannedBatch, reason: str | None) -> None:
        """Note why a plan cannot go on, or that it can again."""
        self._update(planned, held=reason)

    def take_nonce(self, planned: PlannedBatch, key: Address, nonce: int) -> NoncedBatch | None:
        """Give ``planned`` a nonce, unless another Batch of ``key`` is in flight: then None."""
        try:
            with self._writing() as connection:
                busy = connection.execute(
                    sa.select(batches.c.batch_id).where(
                        batches.c.key == key,
                        batches.c.ledger_id == planned.ledger_id,
                        batches.c.stage.in_(["nonced", "signed", "sent"]),
                    )
                ).first()
                if busy:
                    return None
                taken = connection.execute(
                    batches.update()
                    .where(batches.c.batch_id == planned.batch_id, batches.c.stage == "planned")
                    .values(stage="nonced", key=key, nonce=nonce, held=None)
                )
                if taken.rowcount != 1:
                    return None
        except Broken:
            return None  # (key, Ledger, nonce) is owned by a mined Batch
        return NoncedBatch(planned, key, nonce)

    def store_attempt(
        self, nonced: NoncedBatch, attempt: Attempt, earlier: Sequence[Attempt] = ()
    ) -> SignedBatch:
        """Keep signed bytes before anybody sees them."""
        planned = nonced.planned
        with self._writing() as connection:
            connection.execute(
                attempts.insert().values(
                    tx_hash=attempt.tx_hash,
                    batch_id=planned.batch_id,
                    ledger_id=planned.ledger_id,
                    key=nonced.key,
                    nonce=nonced.nonce,
                    position=len(earlier),
                    raw=attempt.raw,
                    max_fee=str(attempt.max_fee),
                    priority_fee=str(attempt.priority_fee),
                )
            )
            connection.execute(_unless_final(planned).values(stage="signed"))
        return SignedBatch(nonced, (*earlier, attempt))

    def mark_sent(self, signed: SignedBatch, at: float) -> SentBatch:
        with self._writing() as connection:
            connection.execute(
                attempts.update()
                .where(attempts.c.tx_hash == signed.latest.tx_hash)
                .values(sent_at=at)
            )
            connection.execute(_unless_final(signed.nonced.planned).values(stage="sent"))
        latest = replace(signed.latest, sent_at=at)
        return SentBatch(replace(signed, attempts=(*signed.attempts[:-1], latest)))

    def mark_mined(self, sent: SentBatch, tx_hash: bytes | None) -> MinedBatch:
        planned = sent.signed.nonced.planned
        self._update(planned, stage="mined", tx_hash=tx_hash)
        return MinedBatch(planned, sent, tx_hash)

    def mark_unmined(self, mined: MinedBatch) -> None:
        """A reorg undid it: back to sent, or, where its bytes are not ours, to a plan."""
        self._update(mined.planned, stage="sent" if mined.sent else "planned", tx_hash=None)

    def mark_final(self, mined: MinedBatch) -> FinalBatch:
        self._update(mined.planned, stage="final", held=None)
        return FinalBatch(mined.planned, mined.tx_hash)

    def give_up_nonce(self, planned: PlannedBatch, reason: str) -> None:
        """Its nonce was spent on something that changed nothing, for good: back to a plan."""
        self._update(planned, stage="planned", key=None, nonce=None, held=reason)

    def _update(self, planned: PlannedBatch, **values: Any) -> None:
        with self._writing() as connection:
            connection.execute(_unless_final(planned).values(**values))


def _unless_final(planned: PlannedBatch) -> sa.Update:
    """A change of a Batch that leaves a final one alone: what a slow worker read before another one
    finished must not open it again."""
    return batches.update().where(
        batches.c.batch_id == planned.batch_id, batches.c.stage != "final"
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
    stored = connection.execute(
        sa.select(attempts)
        .where(attempts.c.batch_id == row["batch_id"], attempts.c.nonce == row["nonce"])
        .order_by(attempts.c.position)
    )
    signed = SignedBatch(
        nonced,
        tuple(
            Attempt(a.tx_hash, a.raw, int(a.max_fee), int(a.priority_fee), a.sent_at)
            for a in stored
        ),
    )
    if row["stage"] == "signed":
        return signed
    sent = SentBatch(signed)
    return sent if row["stage"] == "sent" else MinedBatch(planned, sent, row["tx_hash"])
