"""What attempts cost, who leads, what was abandoned, and what is published."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_Hash = sa.LargeBinary(32)
_Amount = sa.String(40)


def upgrade() -> None:
    op.add_column(
        "attempts", sa.Column("purpose", sa.String, nullable=False, server_default="settle")
    )
    op.add_column("attempts", sa.Column("fee_paid", _Amount))
    op.add_column("batches", sa.Column("final_at", sa.BigInteger))
    _create_leases()
    _create_abandoned()
    _create_versions()


def _create_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
    )


def _create_abandoned() -> None:
    op.create_table(
        "abandoned",
        sa.Column("ledger_id", _Hash, primary_key=True),
        sa.Column("datanet", sa.String, primary_key=True),
        sa.Column("first", sa.BigInteger, primary_key=True),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("previous", _Hash, nullable=False),
        sa.Column("digest", _Hash, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )


def _create_versions() -> None:
    op.create_table(
        "versions",
        sa.Column("ledger_id", _Hash, primary_key=True),
        sa.Column("datanet", sa.String, primary_key=True),
        sa.Column("snapshot_id", _Hash, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("content_root", _Hash, nullable=False),
        sa.Column("uri", sa.String, nullable=False),
    )
