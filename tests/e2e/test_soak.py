"""A short soak: memory stays flat, and what was acknowledged is in the journal."""

from __future__ import annotations

from pathlib import Path

from bench.soak import run


def test_under_steady_load_nothing_grows_and_nothing_is_lost(tmp_path: Path) -> None:
    found = run(tmp_path, 15.0, 0.5)
    assert found["errors"] == {}
    assert found["answers"] > 50
    assert found["missing_from_the_journal"] == 0
    assert found["passed"], found
