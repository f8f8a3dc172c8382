"""The first schema: answers, receipts and lines, where they are paid, and batches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_Hash = sa.LargeBinary(32)
_Amount = sa.String(40)


def upgrade() -> None:
    _create_places()
    _create_receipts()
    _create_batches()
    op.create_index("ix_answers_datanet", "answers", ["datanet"])
    op.create_index("ix_lines_account", "lines", ["account"])
    op.create_index("ix_attempts_batch_id", "attempts", ["batch_id"])


def _create_places() -> None:
    op.create_table(
        "meta",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.String, nullable=False),
    )
    op.create_table(
        "ledgers",
        sa.Column("ledger_id", _Hash, primary_key=True),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("lost", sa.String),
    )
    op.create_table(
        "registrations",
        sa.Column("datanet", sa.String, primary_key=True),
        sa.Column("ledger_id", _Hash, sa.ForeignKey("ledgers.ledger_id"), primary_key=True),
        sa.Column("datanet_id", _Hash, nullable=False),
        sa.Column("owner", sa.LargeBinary(20), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
    )
    op.create_table(
        "signers",
        sa.Column("ledger_id", _Hash, primary_key=True),
        sa.Column("datanet_id", _Hash, primary_key=True),
        sa.Column("signer", sa.LargeBinary(20), primary_key=True),
        sa.Column("from_time", sa.BigInteger, nullable=False),
        sa.Column("until_time", sa.String(20), nullable=False),
        sa.Column("compromised", sa.Boolean, nullable=False),
    )
    op.create_table(
        "policies",
        sa.Column("datanet", sa.String, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("policy_id", _Hash, nullable=False),
    )
    op.create_table(
        "definitions",
        sa.Column("definition_id", _Hash, primary_key=True),
        sa.Column("body", sa.JSON, nullable=False),
    )


def _create_receipts() -> None:
    op.create_table(
        "heads",
        sa.Column("datanet", sa.String, primary_key=True),
        sa.Column("ledger_id", _Hash, primary_key=True),
        sa.Column("next_seq", sa.BigInteger, nullable=False),
        sa.Column("previous", _Hash, nullable=False),
    )
    op.create_table(
        "answers",
        sa.Column("answer_id", sa.String, primary_key=True),
        sa.Column("datanet", sa.String, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "receipts",
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
    )
    op.create_table(
        "lines",
        sa.Column("digest", _Hash, sa.ForeignKey("receipts.digest"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("account", sa.LargeBinary(20), nullable=False),
        sa.Column("amount", _Amount, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "idempotency",
        sa.Column("caller", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("request_hash", _Hash, nullable=False),
        sa.Column("answer_id", sa.String, sa.ForeignKey("answers.answer_id"), nullable=False),
    )
    op.create_table(
        "spending",
        sa.Column("datanet", sa.String, primary_key=True),
        sa.Column("ledger_id", _Hash, primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True),
        sa.Column("account", sa.LargeBinary(20), primary_key=True),  # empty: the Datanet's fees
        sa.Column("amount", _Amount, nullable=False),
    )


def _create_batches() -> None:
    op.create_table(
        "batches",
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
    )
    op.create_table(
        "attempts",
        sa.Column("tx_hash", _Hash, primary_key=True),
        sa.Column("batch_id", _Hash, nullable=False),
        sa.Column("ledger_id", _Hash, nullable=False),
        sa.Column("key", sa.LargeBinary(20), nullable=False),
        sa.Column("nonce", sa.BigInteger, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("max_fee", _Amount, nullable=False),
        sa.Column("priority_fee", _Amount, nullable=False),
        sa.Column("sent_at", sa.Float),
    )
    op.create_table(
        "claims",
        sa.Column("ledger_id", _Hash, primary_key=True),
        sa.Column("account", sa.LargeBinary(20), primary_key=True),  # empty: the block scanned last
        sa.Column("amount", _Amount, nullable=False),
    )
