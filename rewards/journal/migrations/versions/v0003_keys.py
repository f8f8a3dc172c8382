"""Who asked, and the keys with which one may ask."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column(
        "answers", sa.Column("tenant", sa.String, nullable=False, server_default="anonymous")
    )
    op.add_column("answers", sa.Column("key_id", sa.String))
    op.create_index("ix_answers_key_id", "answers", ["key_id", "datanet", "created_at"])
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("datanets", sa.JSON),
        sa.Column("questions_per_minute", sa.Integer),
        sa.Column("questions_per_day", sa.Integer),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("used_at", sa.BigInteger),
    )
