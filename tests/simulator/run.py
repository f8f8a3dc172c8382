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
    """What became of a seed, for the real thing or a wrong variant. A schedule that cannot be
    played to its end has failed, whoever is to blame."""
    memory = str(_MEMORY) if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="footnote-", dir=memory) as folder:
        try:
            return Schedule(seed, Path(folder), VARIANTS[variant], say).run()
        except Exception as error:
            return Outcome(seed, [f"broke: {type(error).__name__}: {error}"])
