"""The committing transaction of answers, and the answers themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from footnote.addresses import Address
from footnote.errors import Conflict, NotFound
from footnote.ids import ZERO_HASH
from footnote.model import Definition
from rewards.journal.databases import apart, insert_missing, lock, replace_row, replace_rows
from rewards.journal.places import define, newest_policy, newest_registration
from rewards.journal.records import (
    ANONYMOUS,
    DAY_SECONDS,
    Abandoned,
    AlreadyAnswered,
    Asker,
    Head,
    QuotaSpent,
    Retry,
    StoredReceipt,
)
from rewards.journal.store import Store
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
    """The head of one Datanet within a committing transaction, and what is written there. Nobody
    else issues from that Datanet before the transaction ends."""

    def __init__(self, connection: Connection, datanet: str, into: Registration | None) -> None:
        lock(connection, "datanet", datanet)
        registration = into or newest_registration(connection, datanet)
        self._connection = connection
        self.datanet = datanet
        self._ledger_id = registration.ledger.ledger_id if registration else NO_LEDGER
        row = connection.execute(
            sa.select(heads).where(heads.c.datanet == datanet, heads.c.ledger_id == self._ledger_id)
        ).first()
        # what was read stays true until the transaction ends, for nobody else writes it
        self._versions: dict[bytes, int] = {}
        self._defined: set[bytes] = set()
        self._spent: dict[tuple[int, bytes], int] = {}
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
        if snapshot_id not in self._versions:
            found = self._connection.execute(
                sa.select(sa.func.max(versions.c.version)).where(
                    versions.c.ledger_id == self._ledger_id,
                    versions.c.datanet == self.datanet,
                    versions.c.snapshot_id == snapshot_id,
                )
            ).scalar()
            self._versions[snapshot_id] = int(found or 0)
        return self._versions[snapshot_id]

    def spent(self, day: int, accounts: Collection[Address]) -> Spent:
        """What the UTC day ``day``, counted from 1970, owes already, and to these of all
        addresses."""
        self._read_spent(
            day, [owner for owner in (b"", *accounts) if (day, owner) not in self._spent]
        )
        by_address = {account: self._spent[day, account] for account in accounts}
        return Spent(
            self._spent[day, b""],
            {account: amount for account, amount in by_address.items() if amount},
        )

    def _read_spent(self, day: int, owners: Collection[bytes]) -> None:
        if not owners:
            return
        rows = self._connection.execute(
            sa.select(spending.c.account, spending.c.amount).where(
                spending.c.datanet == self.datanet,
                spending.c.ledger_id == self._ledger_id,
                spending.c.day == day,
                spending.c.account.in_(owners),
            )
        )
        amounts = {account: int(amount) for account, amount in rows}
        self._spent |= {(day, owner): amounts.get(owner, 0) for owner in owners}

    def commit(
        self,
        receipt: StoredReceipt,
        body: Mapping[str, Any],
        defined: Sequence[Definition],
        day: int,
        fee_owed: int,
        retry: Retry | None,
        asker: Asker = ANONYMOUS,
    ) -> None:
        """Write answer, receipt, lines, the day's sums, and the request's key.

        Raises:
            AlreadyAnswered: another request with the same key was first.
            QuotaSpent: the asker's key had its answers of that day; nothing is written.
        """
        connection = self._connection
        if retry is not None:
            earlier = _retried(connection, retry)
            if earlier is not None:
                raise AlreadyAnswered(earlier)
        self._check_quota(asker, day, receipt.message.issued_at)
        connection.execute(
            answers.insert().values(
                answer_id=receipt.answer_id,
                datanet=receipt.datanet,
                body=dict(body),
                created_at=receipt.message.issued_at,
                tenant=asker.tenant,
                key_id=asker.key_id,
            )
        )
        self.append(receipt, defined, day, fee_owed)
        if retry is not None:
            self._keep(retry, receipt)

    def _keep(self, retry: Retry, receipt: StoredReceipt) -> None:
        """Of two requests with one key to different Datanets, too, one is recorded."""
        row = {
            "caller": retry.caller,
            "key": retry.key,
            "request_hash": retry.request_hash,
            "answer_id": receipt.answer_id,
        }
        if not insert_missing(self._connection, idempotency, row):
            earlier = _retried(self._connection, retry)
            assert earlier is not None, "keys are never removed"
            raise AlreadyAnswered(earlier)

    def _check_quota(self, asker: Asker, day: int, now: int) -> None:
        """Exact, since answers from a Datanet are committed one after the other."""
        if asker.key_id is None or asker.questions_per_day is None:
            return
        if _answered(self._connection, asker.key_id, self.datanet, day) >= asker.questions_per_day:
            raise QuotaSpent(asker.questions_per_day, (day + 1) * DAY_SECONDS - now)

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
        new = [one for one in defined if one.definition_id not in self._defined]
        define(connection, new)
        self._defined |= {one.definition_id for one in new}
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
        replace_row(
            self._connection,
            heads,
            {"datanet": self.datanet, "ledger_id": self._ledger_id},
            {"next_seq": next_seq, "previous": previous},
        )
        self.head = replace(self.head, seq=next_seq, previous=previous)

    def _spend(self, day: int, fee_owed: int, owed: Sequence[Line]) -> None:
        added: dict[bytes, int] = {b"": fee_owed} if fee_owed else {}
        for line in owed:
            if line.amount:
                added[line.account] = added.get(line.account, 0) + line.amount
        self.spent(day, [Address(owner) for owner in added if owner])
        place = {"datanet": self.datanet, "ledger_id": self._ledger_id, "day": day}
        rows = []
        for owner, amount in added.items():
            self._spent[day, owner] += amount
            rows.append({**place, "account": owner, "amount": str(self._spent[day, owner])})
        replace_rows(self._connection, spending, (*place, "account"), rows)


class Commit:
    """One committing transaction for any number of answers. See :meth:`Journal.committing`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._issues: dict[str, Issue] = {}

    def issue(self, datanet: str, into: Registration | None = None) -> Issue:
        """The head of ``datanet`` in its newest Ledger, or in that of ``into``.

        Whoever commits answers from several Datanets takes them in the order of their names, as
        others do who may be waiting for the same ones.
        """
        if datanet not in self._issues:
            self._issues[datanet] = Issue(self._connection, datanet, into)
        return self._issues[datanet]

    @contextmanager
    def apart(self, issue: Issue) -> Iterator[None]:
        """Write one answer: what is written is undone alone when the block fails.

        Raises:
            Unavailable, StorageFull: the database itself failed; nothing may be committed.
        """
        try:
            with apart(self._connection):
                yield
        except BaseException:
            del self._issues[issue.datanet]  # it is read anew
            raise


ERASED = "erased_at"


class Answers(Store):
    @contextmanager
    def committing(self) -> Iterator[Commit]:
        """One committing transaction: what is written through it commits when the block ends, or
        nothing does.

        Raises:
            Contended: it was undone for another one's sake, and may be done again.
        """
        with self._writing() as connection:
            yield Commit(connection)

    @contextmanager
    def issuing(self, datanet: str, into: Registration | None = None) -> Iterator[Issue]:
        """A committing transaction of one Datanet, into its newest Ledger or that of ``into``."""
        with self.committing() as commit:
            yield commit.issue(datanet, into)

    def digest_at(self, ledger_id: bytes, datanet: str, seq: int) -> bytes | None:
        """As :meth:`Issue.digest_at`, outside a transaction."""
        with self._reading() as connection:
            return _digest_at(connection, ledger_id, datanet, seq)

    def answer(self, answer_id: str, tenant: str | None = None) -> dict[str, Any]:
        """The stored answer object; NotFound for an unknown id, and for one that was given to
        another tenant than ``tenant``."""
        query = sa.select(answers.c.body).where(answers.c.answer_id == answer_id)
        if tenant is not None:
            query = query.where(answers.c.tenant == tenant)
        with self._reading() as connection:
            body = connection.execute(query).scalar()
        if body is None:
            raise NotFound("no such answer", "check its id")
        if ERASED in body:
            raise NotFound("the answer was erased", "its receipt is still there", code="erased")
        return dict(body)

    def erase(self, answer_id: str, at: int) -> bytes:
        """Delete for good what was asked and answered, and the salt that ties them to the receipt;
        returns the receipt's digest. Receipt, lines and payment stay.

        Raises:
            NotFound: no such answer, or it was erased already.
        """
        digest = bytes.fromhex(self.answer(answer_id)["receipt"]["id"][2:])
        with self._writing() as connection:
            connection.execute(
                answers.update().where(answers.c.answer_id == answer_id).values(body={ERASED: at})
            )
        self.overwrite_what_was_deleted()
        return digest

    def answered_today(self, key_id: str, datanet: str, day: int) -> int:
        """How many answers from a Datanet a key had in the UTC day ``day``, counted from 1970."""
        with self._reading() as connection:
            return _answered(connection, key_id, datanet, day)

    def retried(self, retry: Retry) -> str | None:
        """The id of the answer already given under that key, or None.

        Raises:
            Conflict: the key was used with another body.
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


def _answered(connection: Connection, key_id: str, datanet: str, day: int) -> int:
    count = connection.execute(
        sa.select(sa.func.count())
        .select_from(answers)
        .where(
            answers.c.key_id == key_id,
            answers.c.datanet == datanet,
            answers.c.created_at >= day * DAY_SECONDS,
            answers.c.created_at < (day + 1) * DAY_SECONDS,
        )
    ).scalar_one()
    return int(count)


def _retried(connection: Connection, retry: Retry) -> str | None:
    row = connection.execute(
        sa.select(idempotency).where(
            idempotency.c.caller == retry.caller, idempotency.c.key == retry.key
        )
    ).first()
    if row is None:
        return None
    if row.request_hash != retry.request_hash:
        raise Conflict(
            "this Idempotency-Key was used with another body",
            "use a new key for a new request",
            code="idempotency-key-reused",
        )
    return str(row.answer_id)
