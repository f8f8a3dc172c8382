"""What alembic runs. The transaction, its lock and its connection are the caller's."""

from __future__ import annotations

from alembic import context

from rewards.journal.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
