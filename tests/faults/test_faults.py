"""A CI-sized part of ``make faults``: a few schedules against a real chain, Redis and SQLite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.schedule import Outcome, Site, run_seed


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.close()


def told(outcome: Outcome) -> str:
    return f"python -m tests.faults --seeds 1 --first {outcome.seed} --trace"


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_real_workers_pay_each_answer_once_whatever_happens(site: Site, seed: int) -> None:
    outcome = run_seed(seed, site)
    assert outcome.failures == [], told(outcome)
    assert outcome.receipts > 5
    assert outcome.coverage
