"""``Idempotency-Key``: asking twice gives one answer and one receipt.

Two parts. The journal's row, written with the answer, decides for ever. The mark here only tells a
second request that the first is still running; it ends with its process, or at the deadline.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from footnote.errors import Busy, Invalid
from footnote.ids import canonical_json, sha256
from rewards.journal.records import Retry

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def retry_of(key: str | None, caller: str, body: Mapping[str, Any]) -> Retry | None:
    """The mark of a request; None for one without a key."""
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise BadKey()
    return Retry(caller, key, sha256(canonical_json(body)))


class BadKey(Invalid):
    """The header's form is wrong."""

    status = 400

    def __init__(self) -> None:
        super().__init__(
            "this Idempotency-Key cannot be used",
            "give 1 to 255 visible ASCII characters, such as a UUID",
            code="invalid-idempotency-key",
        )


class InFlight:
    """The keys whose requests are running in this process."""

    def __init__(self, deadline_seconds: float) -> None:
        self._deadline_seconds = deadline_seconds
        self._lock = threading.Lock()
        self._running: dict[tuple[str, str], float] = {}

    @contextmanager
    def only(self, retry: Retry | None) -> Iterator[None]:
        """Run the block unless the same key is running; then raise Busy."""
        if retry is None:
            yield
            return
        mark = (retry.caller, retry.key)
        now = time.monotonic()
        with self._lock:
            if self._running.get(mark, 0.0) > now:
                raise Busy(
                    "a request with this Idempotency-Key is still running",
                    "ask again shortly",
                    code="request-in-flight",
                )
            ends = self._running[mark] = now + self._deadline_seconds
        try:
            yield
        finally:
            with self._lock:
                if self._running.get(mark) == ends:
                    del self._running[mark]
