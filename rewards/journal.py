"""The durable record of what is owed. The door of SQLAlchemy.

The Journal is the truth about what is owed, the contract's cursor about what is paid; Redis holds
nothing that cannot be lost. Every method is one transaction: durable when it returns (SQLite in WAL
mode with ``synchronous=FULL``).

    ledgers ◄── registrations ◄── signers        where answers of a Datanet are paid
    policies, definitions                        what hashes in receipts stand for
    heads ──► receipts ──► lines                 one chain of receipts per Datanet and Ledger
    answers, idempotency                         what was said, to whom it may be said again
    spending                                     what a UTC day owes already
    batches ──► attempts                         what is on its way to the chain
    claims                                       what accounts have withdrawn, in final blocks
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, RowMapping, make_url

from footnote.addresses import Address
from footnote.errors import Broken, Invalid, Misconfigured, NotFound, StorageFull, Unavailable
from footnote.ids import ZERO_HASH, canonical_json
from footnote.model import Definition
from rewards.batch import (
    Attempt,
    Batch,
    FinalBatch,
    MinedBatch,
    NoncedBatch,
    OpenBatch,
    Payable,
    Payout,
    PlannedBatch,
    SentBatch,
    SignedBatch,
)
from rewards.ledger import Ledger, Registration, SignerTerm
from rewards.owed import Spent
from rewards.policy import Policy, policy_from
from rewards.receipt import AnswerReceipt, Domain, Line, line_from_json, receipt_from_json

NO_LEDGER = ZERO_HASH
SCHEMA_VERSION = 1

metadata = sa.MetaData()
_Hash = sa.LargeBinary(32)
_Amount = sa.String(40)
"""Decimal text: amounts exceed what SQL integers hold."""

meta = sa.Table(
    "meta", metadata,
    sa.Column("name", sa.String, primary_key=True), sa.Column("value", sa.String, nullable=False),
)  # fmt: skip
ledgers = sa.Table(
    "ledgers", metadata,
    sa.Column("ledger_id", _Hash, primary_key=True),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("lost", sa.String),
)  # fmt: skip
registrations = sa.Table(
    "registrations", metadata,
    sa.Column("datanet", sa.String, primary_key=True),
    sa.Column("ledger_id", _Hash, sa.ForeignKey("ledgers.ledger_id"), primary_key=True),
    sa.Column("datanet_id", _Hash, nullable=False),
    sa.Column("owner", sa.LargeBinary(20), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
)  # fmt: skip
signers = sa.Table(
    "signers", metadata,
    sa.Column("ledger_id", _Hash, primary_key=True),
    sa.Column("datanet_id", _Hash, primary_key=True),
    sa.Column("signer", sa.LargeBinary(20), primary_key=True),
    sa.Column("from_time", sa.BigInteger, nullable=False),
    sa.Column("until_time", sa.String(20), nullable=False),
    sa.Column("compromised", sa.Boolean, nullable=False),
)  # fmt: skip
policies = sa.Table(
    "policies", metadata,
    sa.Column("datanet", sa.String, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("policy_id", _Hash, nullable=False),
)  # fmt: skip
definitions = sa.Table(
    "definitions", metadata,
    sa.Column("definition_id", _Hash, primary_key=True), sa.Column("body", sa.JSON, nullable=False),
)  # fmt: skip
heads = sa.Table(
    "heads", metadata,
    sa.Column("datanet", sa.String, primary_key=True),
    sa.Column("ledger_id", _Hash, primary_key=True),
    sa.Column("next_seq", sa.BigInteger, nullable=False),
    sa.Column("previous", _Hash, nullable=False),
)  # fmt: skip
answers = sa.Table(
    "answers", metadata,
    sa.Column("answer_id", sa.String, primary_key=True),
    sa.Column("datanet", sa.String, nullable=False, index=True),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)  # fmt: skip
receipts = sa.Table(
    "receipts", metadata,
    sa.Column("digest", _Hash, primary_key=True),
    sa.Column("ledger_id", _Hash, nullable=False),
    sa.Column("datanet", sa.String, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("answer_id", sa.String, sa.ForeignKey("answers.answer_id"), unique=True),
    sa.Column("domain", sa.JSON, nullable=False),
    sa.Column("message", sa.JSON, nullable=False),
    sa.Column("leaf", _Hash, nullable=False),
    sa.Column("signature", sa.LargeBinary(65)),
    sa.Column("signer", sa.LargeBinary(20)),
    sa.Column("issued_at", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("ledger_id", "datanet", "seq"),
)  # fmt: skip
lines = sa.Table(
    "lines", metadata,
    sa.Column("digest", _Hash, sa.ForeignKey("receipts.digest"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("account", sa.LargeBinary(20), nullable=False, index=True),
    sa.Column("amount", _Amount, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
)  # fmt: skip
idempotency = sa.Table(
    "idempotency", metadata,
    sa.Column("caller", sa.String, primary_key=True),
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("request_hash", _Hash, nullable=False),
    sa.Column("answer_id", sa.String, sa.ForeignKey("answers.answer_id"), nullable=False),
)  # fmt: skip
spending = sa.Table(
    "spending", metadata,
    sa.Column("datanet", sa.String, primary_key=True),
    sa.Column("ledger_id", _Hash, primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True),
    sa.Column("account", sa.LargeBinary(20), primary_key=True),  # empty: the Datanet's fees
    sa.Column("amount", _Amount, nullable=False),
)  # fmt: skip
batches = sa.Table(
    "batches", metadata,
    sa.Column("ledger_id", _Hash, primary_key=True),
    sa.Column("datanet", sa.String, primary_key=True),
    sa.Column("first", sa.BigInteger, primary_key=True),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("batch_id", _Hash, nullable=False, unique=True),
    sa.Column("datanet_id", _Hash, nullable=False),
    sa.Column("receipts_root", _Hash, nullable=False),
    sa.Column("entries", sa.LargeBinary, nullable=False),
    sa.Column("stage", sa.String, nullable=False),
    sa.Column("held", sa.String),
    sa.Column("key", sa.LargeBinary(20)),
    sa.Column("nonce", sa.BigInteger),
    sa.Column("tx_hash", _Hash),
    sa.UniqueConstraint("key", "ledger_id", "nonce"),
)  # fmt: skip
attempts = sa.Table(
    "attempts", metadata,
    sa.Column("tx_hash", _Hash, primary_key=True),
    sa.Column("batch_id", _Hash, nullable=False, index=True),
    sa.Column("ledger_id", _Hash, nullable=False),
    sa.Column("key", sa.LargeBinary(20), nullable=False),
    sa.Column("nonce", sa.BigInteger, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("max_fee", _Amount, nullable=False),
    sa.Column("priority_fee", _Amount, nullable=False),
    sa.Column("sent_at", sa.Float),
)  # fmt: skip
claims = sa.Table(
    "claims", metadata,
    sa.Column("ledger_id", _Hash, primary_key=True),
    sa.Column("account", sa.LargeBinary(20), primary_key=True),  # empty: the block scanned last
    sa.Column("amount", _Amount, nullable=False),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Head:
    """Where the next receipt of a Datanet goes. ``registration`` is None where nothing pays."""

    seq: int
    previous: bytes
    registration: Registration | None
    policy: Policy


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """A receipt as committed."""

    digest: bytes
    datanet: str
    answer_id: str
    domain: Domain
    message: AnswerReceipt
    signature: bytes | None
    signer: Address | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A Batch at whatever stage it is."""

    ledger_id: bytes
    datanet: str
    datanet_id: bytes
    batch_id: bytes
    batch: Batch
    stage: str
    held: str | None
    tx_hash: bytes | None


@dataclass(frozen=True, slots=True)
class Earning:
    """A line that names an address, with its receipt's place and the stage of its Batch, if any."""

    datanet: str
    ledger_id: bytes
    seq: int
    digest: bytes
    issued_at: int
    line: Line
    stage: str | None


@dataclass(frozen=True, slots=True)
class Retry:
    """Marks a request, so that asking again with the same key gives the stored answer."""

    caller: str
    key: str
    request_hash: bytes


class AlreadyAnswered(Exception):
    """Another request with the same Idempotency-Key committed first; names its answer."""

    def __init__(self, answer_id: str) -> None:
        super().__init__(answer_id)
        self.answer_id = answer_id


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sa.exc.OperationalError as error:
        if "full" in str(error.orig).lower():
            raise StorageFull("no room in the journal", "free some disk space") from error
        raise Unavailable("the journal cannot be used now", "try again") from error
    except sa.exc.DatabaseError as error:
        raise Broken(
            "the journal refused a change", f"see the log ({type(error.orig).__name__})"
        ) from error


class Journal:
    """One journal. Safe to use from several threads and processes."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        with self._writing() as connection:
            metadata.create_all(connection)
            known = connection.execute(
                sa.select(meta.c.value).where(meta.c.name == "schema_version")
            ).scalar()
            if known is None:
                connection.execute(
                    meta.insert().values(name="schema_version", value=str(SCHEMA_VERSION))
                )
            elif int(known) != SCHEMA_VERSION:
                raise Broken("the journal has another schema", "use the Footnote that wrote it")

    def close(self) -> None:
        self._engine.dispose()

    def check(self) -> None:
        """Raise unless a transaction can be committed now: only a write finds a full disk."""
        with self._writing() as connection:
            _replace(connection, meta, {"name": "checked"}, {"value": str(now_seconds())})

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with (
            _translated(),
            self._engine.connect() as connection,
            connection.execution_options(writing=True).begin(),
        ):
            yield connection

    # Ledgers, registrations, policies

    def add_ledger(self, ledger: Ledger) -> None:
        with self._writing() as connection:
            found = connection.execute(
                sa.select(ledgers.c.ledger_id).where(ledgers.c.ledger_id == ledger.ledger_id)
            ).scalar()
            if found is None:
                connection.execute(
                    ledgers.insert().values(ledger_id=ledger.ledger_id, body=ledger.as_json())
                )

    def ledgers(self, *, lost: bool = False) -> list[Ledger]:
        """All Ledgers in the order they were deployed; those that were found to be another one
        only with ``lost``."""
        query = sa.select(ledgers.c.body)
        with self._reading() as connection:
            rows = connection.execute(query if lost else query.where(ledgers.c.lost.is_(None)))
            return sorted(
                (Ledger.from_json(body) for (body,) in rows), key=lambda ledger: ledger.created_at
            )

    def lose_ledger(self, ledger_id: bytes, reason: str | None) -> None:
        """Note that the chain is not a Ledger's: nothing is issued into it until it is again
        (``reason`` None)."""
        with self._writing() as connection:
            connection.execute(
                ledgers.update().where(ledgers.c.ledger_id == ledger_id).values(lost=reason)
            )

    def register(self, registration: Registration) -> None:
        with self._writing() as connection:
            known = connection.execute(
                sa.select(sa.func.max(registrations.c.position)).where(
                    registrations.c.datanet == registration.datanet
                )
            ).scalar()
            _replace(
                connection,
                registrations,
                {"datanet": registration.datanet, "ledger_id": registration.ledger.ledger_id},
                {
                    "datanet_id": registration.datanet_id,
                    "owner": registration.owner,
                    "position": (known or 0) + 1,
                },
            )
            for term in registration.signers:
                _replace(
                    connection,
                    signers,
                    {
                        "ledger_id": registration.ledger.ledger_id,
                        "datanet_id": registration.datanet_id,
                        "signer": term.signer,
                    },
                    _term_values(term),
                )

    def update_signer(self, registration: Registration, term: SignerTerm) -> None:
        """Note what the registry says of a signer now."""
        with self._writing() as connection:
            connection.execute(
                signers.update()
                .where(
                    signers.c.ledger_id == registration.ledger.ledger_id,
                    signers.c.datanet_id == registration.datanet_id,
                    signers.c.signer == term.signer,
                )
                .values(**_term_values(term))
            )

    def registration(self, datanet: str) -> Registration | None:
        """The newest registration of a Datanet in a Ledger that still is what it was."""
        with self._reading() as connection:
            return _registration(connection, datanet)

    def registrations(self, *, lost: bool = False) -> list[Registration]:
        """Every registration; those in a Ledger that was found to be another one only with
        ``lost``."""
        with self._reading() as connection:
            rows = connection.execute(_registrations(lost=lost)).mappings().all()
            return [_registration_of(connection, row) for row in rows]

    def set_policy(self, datanet: str, policy: Policy) -> int:
        """Make ``policy`` the one for later answers; returns its version."""
        definition = policy.definition
        with self._writing() as connection:
            newest = connection.execute(
                sa.select(policies.c.version, policies.c.policy_id)
                .where(policies.c.datanet == datanet)
                .order_by(policies.c.version.desc())
            ).first()
            if newest is not None and newest.policy_id == definition.definition_id:
                return int(newest.version)
            version = (newest.version if newest else 0) + 1
            _define(connection, definition)
            connection.execute(
                policies.insert().values(
                    datanet=datanet, version=version, policy_id=definition.definition_id
                )
            )
            return int(version)

    def policy(self, datanet: str) -> Policy:
        with self._reading() as connection:
            return _policy(connection, datanet)

    def definition(self, definition_id: bytes) -> Mapping[str, Any] | None:
        """The canonical JSON behind the id of a model, adapter, verifier or policy."""
        with self._reading() as connection:
            body: Mapping[str, Any] | None = connection.execute(
                sa.select(definitions.c.body).where(definitions.c.definition_id == definition_id)
            ).scalar()
            return body

    # Issuing

    @contextmanager
    def issuing(self, datanet: str) -> Iterator[Issue]:
        """One committing transaction under the Datanet's row lock.

        Everything written through the Issue commits when the block ends, or nothing does.

        Raises:
            AlreadyAnswered: at the commit, when another request with the same key was first.
        """
        with self._writing() as connection:
            yield Issue(connection, datanet)

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

    # Receipts

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
            return _stored_receipt(connection, row)

    def receipts(
        self, ledger_id: bytes, datanet: str, first: int, last: int
    ) -> list[StoredReceipt]:
        """The receipts ``first..last`` by seq; fewer where the journal holds fewer."""
        with self._reading() as connection:
            rows = connection.execute(_receipts(ledger_id, datanet, first, last)).mappings().all()
            return [_stored_receipt(connection, row) for row in rows]

    def payables(
        self,
        ledger_id: bytes,
        datanet: str,
        first: int,
        last: int | None = None,
        limit: int = 6_000,
    ) -> list[Payable]:
        """The receipts from ``first`` as a Batch sees them, by seq."""
        query = _receipts(ledger_id, datanet, first, last).limit(limit)
        with self._reading() as connection:
            rows = connection.execute(query).mappings().all()
            owed: dict[bytes, list[tuple[Address, int]]] = {}
            for start in range(0, len(rows), 500):
                digests = [row["digest"] for row in rows[start : start + 500]]
                for line in connection.execute(
                    sa.select(lines.c.digest, lines.c.account, lines.c.amount)
                    .where(lines.c.digest.in_(digests))
                    .order_by(lines.c.digest, lines.c.position)
                ):
                    owed.setdefault(line.digest, []).append(
                        (Address(line.account), int(line.amount))
                    )
        return [
            Payable(row["seq"], row["leaf"], row["issued_at"], tuple(owed.get(row["digest"], ())))
            for row in rows
        ]

    def next_seq(self, ledger_id: bytes, datanet: str) -> int:
        """One past the newest receipt."""
        with self._reading() as connection:
            found = connection.execute(
                sa.select(heads.c.next_seq).where(
                    heads.c.ledger_id == ledger_id, heads.c.datanet == datanet
                )
            ).scalar()
            return int(found or 0)

    def oldest_waiting(self, ledger_id: bytes, datanet: str) -> int | None:
        """When the oldest receipt in no final Batch was issued; None where there is none."""
        first = self.settled_to(ledger_id, datanet)
        with self._reading() as connection:
            issued: int | None = connection.execute(
                _receipts(ledger_id, datanet, first, first).with_only_columns(receipts.c.issued_at)
            ).scalar()
            return issued

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

    # Claims

    def claims_scanned_to(self, ledger_id: bytes) -> int | None:
        """The last final block whose withdrawals are noted."""
        return self._claim(ledger_id, b"")

    def claimed(self, ledger_id: bytes, account: Address) -> int:
        """What ``account`` has withdrawn, as far as the worker has looked."""
        return self._claim(ledger_id, account) or 0

    def add_claims(
        self, ledger_id: bytes, claimed: Sequence[tuple[Address, int]], scanned_to: int
    ) -> None:
        """Note withdrawals found in final blocks up to ``scanned_to``."""
        with self._writing() as connection:
            totals: dict[bytes, int] = {}
            for account, amount in claimed:
                totals[account] = totals.get(account, 0) + amount
            for claimant, amount in totals.items():
                before = connection.execute(_claim_of(ledger_id, claimant)).scalar()
                _replace(
                    connection,
                    claims,
                    {"ledger_id": ledger_id, "account": claimant},
                    {"amount": str(int(before or 0) + amount)},
                )
            _replace(
                connection,
                claims,
                {"ledger_id": ledger_id, "account": b""},
                {"amount": str(scanned_to)},
            )

    def _claim(self, ledger_id: bytes, account: bytes) -> int | None:
        with self._reading() as connection:
            found = connection.execute(_claim_of(ledger_id, account)).scalar()
            return None if found is None else int(found)

    # Batches

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


class Issue:
    """The committing transaction of one answer. See :meth:`Journal.issuing`."""

    def __init__(self, connection: Connection, datanet: str) -> None:
        self._connection = connection
        self._datanet = datanet
        registration = _registration(connection, datanet)
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
            _policy(connection, datanet),
        )

    def spent(self, day: int) -> Spent:
        """What the UTC day ``day``, counted from 1970, owes already."""
        rows = self._connection.execute(
            sa.select(spending.c.account, spending.c.amount).where(
                spending.c.datanet == self._datanet,
                spending.c.ledger_id == self._ledger_id,
                spending.c.day == day,
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
        message = receipt.message
        connection.execute(
            answers.insert().values(
                answer_id=receipt.answer_id,
                datanet=receipt.datanet,
                body=dict(body),
                created_at=message.issued_at,
            )
        )
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
        connection.execute(
            heads.update()
            .where(heads.c.datanet == self._datanet, heads.c.ledger_id == self._ledger_id)
            .values(next_seq=message.seq + 1, previous=receipt.digest)
        )
        for definition in defined:
            _define(connection, definition)
        self._spend(day, fee_owed, receipt.lines)
        if retry is not None:
            connection.execute(
                idempotency.insert().values(
                    caller=retry.caller,
                    key=retry.key,
                    request_hash=retry.request_hash,
                    answer_id=receipt.answer_id,
                )
            )

    def _spend(self, day: int, fee_owed: int, owed: Sequence[Line]) -> None:
        added: dict[bytes, int] = {b"": fee_owed} if fee_owed else {}
        for line in owed:
            if line.amount:
                added[line.account] = added.get(line.account, 0) + line.amount
        before = self.spent(day)
        for owner, amount in added.items():
            known = before.by_address.get(Address(owner), 0) if owner else before.fees
            place = {"datanet": self._datanet, "ledger_id": self._ledger_id, "day": day}
            _replace(
                self._connection,
                spending,
                {**place, "account": owner},
                {"amount": str(known + amount)},
            )


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except sa.exc.ArgumentError as error:
        raise Misconfigured(
            "FOOTNOTE_JOURNAL_URL is no database's address", "set it to sqlite:///PATH"
        ) from error
    if parsed.get_backend_name() != "sqlite":
        raise Broken("this journal is not SQLite", "set FOOTNOTE_JOURNAL_URL to sqlite:///PATH")
    if parsed.database:
        path = Path(parsed.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # questions, answers and salts are the asker's
    engine = sa.create_engine(
        parsed,
        connect_args={"timeout": 30, "check_same_thread": False},
        hide_parameters=True,  # its errors are logged, and parameters hold questions and answers
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy begins transactions, not the driver
        for pragma in (
            "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 30000",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _replace(
    connection: Connection, table: sa.Table, key: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """Update the row of that key, or insert it."""
    where = sa.and_(*(table.c[name] == value for name, value in key.items()))
    if connection.execute(table.update().where(where).values(**values)).rowcount == 0:
        connection.execute(table.insert().values(**key, **values))


def _define(connection: Connection, definition: Definition) -> None:
    _replace(
        connection,
        definitions,
        {"definition_id": definition.definition_id},
        {"body": json.loads(canonical_json(definition.body))},
    )


def _claim_of(ledger_id: bytes, account: bytes) -> sa.Select[Any]:
    return sa.select(claims.c.amount).where(
        claims.c.ledger_id == ledger_id, claims.c.account == account
    )


def _term_values(term: SignerTerm) -> dict[str, Any]:
    return {
        "from_time": term.from_time,
        "until_time": str(term.until_time),
        "compromised": term.compromised,
    }


def _registrations(*, lost: bool = False) -> sa.Select[Any]:
    query = (
        sa.select(registrations, ledgers.c.body)
        .join(ledgers, ledgers.c.ledger_id == registrations.c.ledger_id)
        .order_by(registrations.c.datanet, registrations.c.position.desc())
    )
    return query if lost else query.where(ledgers.c.lost.is_(None))


def _registration(connection: Connection, datanet: str) -> Registration | None:
    row = (
        connection.execute(_registrations().where(registrations.c.datanet == datanet))
        .mappings()
        .first()
    )
    return None if row is None else _registration_of(connection, row)


def _registration_of(connection: Connection, row: RowMapping) -> Registration:
    terms = connection.execute(
        sa.select(signers).where(
            signers.c.ledger_id == row["ledger_id"], signers.c.datanet_id == row["datanet_id"]
        )
    )
    return Registration(
        row["datanet"],
        Ledger.from_json(row["body"]),
        row["datanet_id"],
        Address(row["owner"]),
        tuple(
            SignerTerm(Address(term.signer), term.from_time, int(term.until_time), term.compromised)
            for term in terms
        ),
    )


def _policy(connection: Connection, datanet: str) -> Policy:
    body = connection.execute(
        sa.select(definitions.c.body)
        .join(policies, policies.c.policy_id == definitions.c.definition_id)
        .where(policies.c.datanet == datanet)
        .order_by(policies.c.version.desc())
    ).scalar()
    return Policy() if body is None else policy_from(body)


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


def _receipts(ledger_id: bytes, datanet: str, first: int, last: int | None) -> sa.Select[Any]:
    query = sa.select(receipts).where(
        receipts.c.ledger_id == ledger_id, receipts.c.datanet == datanet, receipts.c.seq >= first
    )
    if last is not None:
        query = query.where(receipts.c.seq <= last)
    return query.order_by(receipts.c.seq)


def _stored_receipt(connection: Connection, row: RowMapping) -> StoredReceipt:
    bodies = connection.execute(
        sa.select(lines.c.body).where(lines.c.digest == row["digest"]).order_by(lines.c.position)
    )
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
        tuple(line_from_json(body) for (body,) in bodies),
    )


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


def now_seconds() -> int:
    return int(time.time())
