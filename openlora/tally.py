"""What the server counts of itself. Written by one thread, read by any."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    finished: Counter[str] = field(default_factory=Counter)
    """Requests by how they ended: stop, length, cancelled, or an error's status."""
    prompt_tokens: int = 0
    reply_tokens: int = 0
    steps: int = 0
    rows_stepped: int = 0
    mixed_steps: int = 0
    """Steps whose rows had more than one adapter, the base counted as one."""
    loads: int = 0
    load_seconds: float = 0.0
    load_failures: int = 0
    waiting: int = 0
    running: int = 0
    resident: int = 0
    resident_bytes: int = 0
    evictions: int = 0
