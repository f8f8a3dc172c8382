"""A key's questions of a day, counted before a model is asked.

What is exact, the commit counts. Here it is what runs now and what was told but never committed, so
that nobody reads more answers than they may have by asking all at once, or by leaving before the
end. Each process counts its own.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rewards.journal.journal import Journal
from rewards.journal.records import DAY_SECONDS, Asker, QuotaSpent


class Quotas:
    """Of all keys that have one."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._day = 0
        self._held: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def question(self, asker: Asker, datanet: str) -> Iterator[Question]:
        """Around the making of one answer.

        Raises:
            QuotaSpent: the key had its questions of today.
        """
        question = Question()
        if asker.key_id is None or asker.questions_per_day is None:
            yield question
            return
        now = int(time.time())
        day, place = now // DAY_SECONDS, (asker.key_id, datanet)
        committed = self._journal.answered_today(asker.key_id, datanet, day)
        with self._lock:
            if day != self._day:
                self._day, self._held = day, Counter()
            if committed + self._held[place] >= asker.questions_per_day:
                raise QuotaSpent(asker.questions_per_day, (day + 1) * DAY_SECONDS - now)
            self._held[place] += 1
        try:
            yield question
        finally:
            if question.committed or not question.told:
                with self._lock:
                    if day == self._day:
                        self._held[place] -= 1


class Question:
    """What became of a question: whether a claim of its answer was told, and whether that was
    committed."""

    def __init__(self) -> None:
        self.told = False
        self.committed = False
