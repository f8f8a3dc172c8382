"""The journal's tables.

ledgers ◄── registrations ◄── signers        where answers of a Datanet are paid
policies, definitions                        what hashes in receipts stand for
heads ──► receipts ──► lines                 one chain of receipts per Datanet and Ledger
answers, idempotency                         what was said, to whom it may be said again
api_keys                                     who may ask, and how much
spending                                     what a UTC day owes already
batches ──► attempts                         what is on its way to the chain, and its fees
leases                                       which worker leads
abandoned                                    numbers whose receipts were lost for good
versions                                     which snapshots are published on chain
claims, funds, audits                        what was seen of the chain
"""

from __future__ import annotations

import sqlalchemy as sa

from footnote.ids import ZERO_HASH

NO_LEDGER = ZERO_HASH
SCHEMA_VERSION = 4

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
    sa.Column("tenant", sa.String, nullable=False, server_default="anonymous"),
    sa.Column("key_id", sa.String),
    sa.Index("ix_answers_key_id", "key_id", "datanet", "created_at"),
)  # fmt: skip
api_keys = sa.Table(
    "api_keys", metadata,
    sa.Column("key_id", sa.String, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("tenant", sa.String, nullable=False),
    sa.Column("secret_hash", _Hash, nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("datanets", sa.JSON(none_as_null=True)),  # null: every Datanet
    sa.Column("questions_per_minute", sa.Integer),
    sa.Column("questions_per_day", sa.Integer),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("revoked_at", sa.BigInteger),
    sa.Column("used_at", sa.BigInteger),
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
    sa.Index("ix_receipts_issued_at", "datanet", "issued_at"),
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
    sa.Index("ix_spending_account", "account", "day"),
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
    sa.Column("final_at", sa.BigInteger),  # a final block that had it
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
    sa.Column("purpose", sa.String, nullable=False, server_default="settle"),
    sa.Column("fee_paid", _Amount),
)  # fmt: skip
claims = sa.Table(
    "claims", metadata,
    sa.Column("ledger_id", _Hash, primary_key=True),
    sa.Column("account", sa.LargeBinary(20), primary_key=True),  # empty: the block scanned last
    sa.Column("amount", _Amount, nullable=False),
)  # fmt: skip
funds = sa.Table(
    "funds", metadata,
    sa.Column("ledger_id", _Hash, primary_key=True),
    sa.Column("datanet", sa.String, primary_key=True),
    sa.Column("amount", _Amount, nullable=False),
    sa.Column("seen_at", sa.BigInteger, nullable=False),
)  # fmt: skip
audits = sa.Table(
    "audits", metadata,
    sa.Column("datanet", sa.String, primary_key=True),  # empty: all of them
    sa.Column("made_at", sa.BigInteger, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
)  # fmt: skip
leases = sa.Table(
    "leases", metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("holder", sa.String, nullable=False),
    sa.Column("until", sa.Float, nullable=False),
)  # fmt: skip
abandoned = sa.Table(
    "abandoned", metadata,
    sa.Column("ledger_id", _Hash, primary_key=True),
    sa.Column("datanet", sa.String, primary_key=True),
    sa.Column("first", sa.BigInteger, primary_key=True),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("previous", _Hash, nullable=False),
    sa.Column("digest", _Hash, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)  # fmt: skip
versions = sa.Table(
    "versions", metadata,
    sa.Column("ledger_id", _Hash, primary_key=True),
    sa.Column("datanet", sa.String, primary_key=True),
    sa.Column("snapshot_id", _Hash, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("content_root", _Hash, nullable=False),
    sa.Column("uri", sa.String, nullable=False),
)  # fmt: skip
