"""The durable record of what is owed.

The Journal is the truth about what is owed, the contract's cursor about what is paid; Redis holds
nothing that cannot be lost. Every method is one transaction, durable when it returns: SQLite in WAL
mode with ``synchronous=FULL`` for the processes of one host, PostgreSQL with ``synchronous_commit``
for several hosts. What tells the two apart is in :mod:`rewards.journal.databases` alone.
"""

from __future__ import annotations

from rewards.journal.access import Access
from rewards.journal.answers import Answers
from rewards.journal.batches import Batches
from rewards.journal.places import Places
from rewards.journal.receipts import Receipts
from rewards.journal.reports import Reports
from rewards.journal.seen import Seen


class Journal(Places, Answers, Receipts, Batches, Seen, Reports, Access):
    """One journal."""
