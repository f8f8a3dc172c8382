"""Keeps Python's recursion limit where libraries raise it.

One of Ethereum's sets it to 100,000 when it is imported. A deeply nested JSON that anybody sends
would then end the process, where with the limit as it was it is an error like any other.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def same_recursion_limit() -> Iterator[None]:
    """Around imports."""
    limit = sys.getrecursionlimit()
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
