"""Bounds Python's recursion where JSON of strangers is parsed.

One of Ethereum's libraries raises the limit to 100,000 when it is imported. Deeply nested JSON then
ends the process, where with the limit as it was it is an error like any other.
"""

from __future__ import annotations

import sys

LIMIT = 1_000


def bound_recursion() -> None:
    """Put the limit back to what Python has; to be called before each parse, for imports happen at
    any time."""
    if sys.getrecursionlimit() > LIMIT:
        sys.setrecursionlimit(LIMIT)
