"""One seed, from an empty folder to an outcome."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.simulator.schedule import Outcome, Schedule
from tests.simulator.variants import REAL, VARIANTS

_MEMORY = Path("/dev/shm")


def run_seed(
    seed: int, variant: str = REAL.name, say: Callable[[str], None] | None = None
) -> Outcome:
    """What became of a seed, for the real thing or a wrong variant."""
    memory = str(_MEMORY) if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="footnote-", dir=memory) as folder:
        return Schedule(seed, Path(folder), VARIANTS[variant], say).run()
