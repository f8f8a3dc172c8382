"""The committing transaction of an answer, and the answers themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from footnote.addresses import Address
from footnote.errors import Invalid, NotFound
from footnote.ids import ZERO_HASH
from footnote.model import Definition
from rewards.journal.places import define, newest_policy, newest_registration
from rewards.journal.records import Abandoned, AlreadyAnswered, Head, Retry, StoredReceipt
from rewards.journal.store import Store, replace_row
from rewards.journal.tables import (
    NO_LEDGER,
    abandoned,
    answers,
    heads,
    idempotency,
    lines,
    receipts,
    spending,
    versions,
)
from rewards.ledger import Registration
from rewards.owed import Spent
from rewards.receipt import Line


class Issue:
    """The committing transaction of one answer. See :meth:`Journal.issuing`."""

    def __init__(
        self, connection: Connection, datanet: str, registration: Registration | None
    ) -> None:
        self._connection = connection
        self.datanet = datanet
        self._ledger_id = registration.ledger.ledger_id if registration else NO_LEDGER
        row = connection.execute(
            sa.select(heads)
            .where(heads.c.datanet == datanet, heads.c.ledger_id == self._ledger_id)
            .with_for_update()
        ).first()
        if row is None:
            connection.execute(
                heads.insert().values(
                    datanet=datanet, ledger_id=self._ledger_id, next_seq=0, previous=ZERO_HASH
                )
            )
        self.head = Head(
            row.next_seq if row else 0,
            row.previous if row else ZERO_HASH,
            registration,
            newest_policy(connection, datanet),
        )

    def digest_at(self, seq: int, ledger_id: bytes | None = None) -> bytes | None:
        """The digest that the next receipt after ``seq`` had to name: that receipt's, or that of
        the last of abandoned ones; in this Ledger or in another one."""
        return _digest_at(self._connection, ledger_id or self._ledger_id, self.datanet, seq)

    def version_of(self, snapshot_id: bytes) -> int:
        """The version under which a snapshot's documents are published on chain; 0 for none."""
        found = self._connection.execute(
            sa.select(sa.func.max(versions.c.version)).where(
                versions.c.ledger_id == self._ledger_id,
                versions.c.datanet == self.datanet,
                versions.c.snapshot_id == snapshot_id,
            )
        ).scalar()
        return int(found or 0)

    def spent(self, day: int, accounts: Collection[Address]) -> Spent:
        """What the UTC day ``day``, counted from 1970, owes already, and to these of all
        addresses."""
        rows = self._connection.execute(
            sa.select(spending.c.account, spending.c.amount).where(
                spending.c.datanet == self.datanet,
                spending.c.ledger_id == self._ledger_id,
                spending.c.day == day,
                spending.c.account.in_([b"", *accounts]),
            )
        )
        amounts = {account: int(amount) for account, amount in rows}
        fees = amounts.pop(b"", 0)
        return Spent(fees, {Address(account): amount for account, amount in amounts.items()})

    def commit(
        self,
        receipt: StoredReceipt,
        body: Mapping[str, Any],
        defined: Sequence[Definition],
        day: int,
        fee_owed: int,
        retry: Retry | None,
    ) -> None:
        """Write answer, receipt, lines, the day's sums, and the request's key."""
        connection = self._connection
        if retry is not None:
            earlier = _retried(connection, retry)
            if earlier is not None:
                raise AlreadyAnswered(earlier)
        connection.execute(
            answers.insert().values(
                answer_id=receipt.answer_id,
                datanet=receipt.datanet,
                body=dict(body),
                created_at=receipt.message.issued_at,
            )
        )
        self.append(receipt, defined, day, fee_owed)
        if retry is not None:
            connection.execute(
                idempotency.insert().values(
                    caller=retry.caller,
                    key=retry.key,
                    request_hash=retry.request_hash,
                    answer_id=receipt.answer_id,
                )
            )

    def append(
        self, receipt: StoredReceipt, defined: Sequence[Definition], day: int, fee_owed: int
    ) -> None:
        """Write a receipt at the head, its lines, and the day's sums; alone, without an answer,
        where a lost one is admitted again."""
        connection, message = self._connection, receipt.message
        connection.execute(
            receipts.insert().values(
                digest=receipt.digest,
                ledger_id=message.ledger_id,
                datanet=receipt.datanet,
                seq=message.seq,
                answer_id=receipt.answer_id,
                domain=receipt.domain.as_json(),
                message=message.as_json(),
                leaf=message.leaf,
                signature=receipt.signature,
                signer=receipt.signer,
                issued_at=message.issued_at,
            )
        )
        if receipt.lines:
            connection.execute(
                lines.insert(),
                [
                    {
                        "digest": receipt.digest,
                        "position": position,
                        "account": line.account,
                        "amount": str(line.amount),
                        "body": line.as_json(),
                    }
                    for position, line in enumerate(receipt.lines)
                ],
            )
        self._move_head(message.seq + 1, receipt.digest)
        for definition in defined:
            define(connection, definition)
        self._spend(day, fee_owed, receipt.lines)

    def abandon(self, last: int, digest: bytes, at: int) -> Abandoned:
        """Give up the numbers from the head to ``last``, whose receipt had ``digest``."""
        lost = Abandoned(self.head.seq, last, self.head.previous, digest, at)
        self._connection.execute(
            abandoned.insert().values(
                ledger_id=self._ledger_id,
                datanet=self.datanet,
                first=lost.first,
                last=lost.last,
                previous=lost.previous,
                digest=lost.digest,
                at=lost.at,
            )
        )
        self._move_head(last + 1, digest)
        return lost

    def _move_head(self, next_seq: int, previous: bytes) -> None:
        self._connection.execute(
            heads.update()
            .where(heads.c.datanet == self.datanet, heads.c.ledger_id == self._ledger_id)
            .values(next_seq=next_seq, previous=previous)
        )
        self.head = replace(self.head, seq=next_seq, previous=previous)

    def _spend(self, day: int, fee_owed: int, owed: Sequence[Line]) -> None:
        added: dict[bytes, int] = {b"": fee_owed} if fee_owed else {}
        for line in owed:
            if line.amount:
                added[line.account] = added.get(line.account, 0) + line.amount
        before = self.spent(day, [Address(account) for account in added if account])
        for owner, amount in added.items():
            known = before.by_address.get(Address(owner), 0) if owner else before.fees
            place = {"datanet": self.datanet, "ledger_id": self._ledger_id, "day": day}
            replace_row(
                self._connection,
                spending,
                {**place, "account": owner},
                {"amount": str(known + amount)},
            )


class Answers(Store):
    @contextmanager
    def issuing(self, datanet: str, into: Registration | None = None) -> Iterator[Issue]:
        """One committing transaction under the Datanet's row lock, into its newest Ledger or into
        that of ``into``.

        Everything written through the Issue commits when the block ends, or nothing does.

        Raises:
            AlreadyAnswered: at the commit, when another request with the same key was first.
        """
        with self._writing() as connection:
            yield Issue(connection, datanet, into or newest_registration(connection, datanet))

    def digest_at(self, ledger_id: bytes, datanet: str, seq: int) -> bytes | None:
        """As :meth:`Issue.digest_at`, outside a transaction."""
        with self._reading() as connection:
            return _digest_at(connection, ledger_id, datanet, seq)

    def answer(self, answer_id: str) -> dict[str, Any]:
        """The stored answer object; NotFound for an unknown id."""
        with self._reading() as connection:
            body = connection.execute(
                sa.select(answers.c.body).where(answers.c.answer_id == answer_id)
            ).scalar()
        if body is None:
            raise NotFound("no such answer", "check its id")
        return dict(body)

    def retried(self, retry: Retry) -> str | None:
        """The id of the answer already given under that key, or None.

        Raises:
            Invalid: the key was used with another body.
        """
        with self._reading() as connection:
            return _retried(connection, retry)


def _digest_at(connection: Connection, ledger_id: bytes, datanet: str, seq: int) -> bytes | None:
    issued = sa.select(receipts.c.digest).where(
        receipts.c.ledger_id == ledger_id, receipts.c.datanet == datanet, receipts.c.seq == seq
    )
    lost = sa.select(abandoned.c.digest).where(
        abandoned.c.ledger_id == ledger_id,
        abandoned.c.datanet == datanet,
        abandoned.c.last == seq,
    )
    found: bytes | None = connection.execute(issued.union_all(lost)).scalar()
    return found


def _retried(connection: Connection, retry: Retry) -> str | None:
    row = connection.execute(
        sa.select(idempotency).where(
            idempotency.c.caller == retry.caller, idempotency.c.key == retry.key
        )
    ).first()
    if row is None:
        return None
    if row.request_hash != retry.request_hash:
        raise Invalid(
            "this Idempotency-Key was used with another body",
            "use a new key for a new request",
            code="idempotency-key-reused",
        )
    return str(row.answer_id)
