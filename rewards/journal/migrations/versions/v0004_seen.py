"""What pools hold, what audits found, and how to count by day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_index("ix_receipts_issued_at", "receipts", ["datanet", "issued_at"])
    op.create_index("ix_spending_account", "spending", ["account", "day"])
    op.create_table(
        "funds",
        sa.Column("ledger_id", sa.LargeBinary(32), primary_key=True),
        sa.Column("datanet", sa.String, primary_key=True),
        sa.Column("amount", sa.String(40), nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "audits",
        sa.Column("datanet", sa.String, primary_key=True),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
