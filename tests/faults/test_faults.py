"""A CI-sized part of ``make faults``: a few schedules against a real chain, Redis, and SQLite or
PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.schedule import Outcome, Site, run_seed


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def postgresql_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("postgresql-site"), postgresql=True)
    yield made
    made.close()


def told(outcome: Outcome, flag: str = "") -> str:
    return f"python -m tests.faults --seeds 1 --first {outcome.seed} --trace {flag}"


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_real_workers_pay_each_answer_once_whatever_happens(site: Site, seed: int) -> None:
    outcome = run_seed(seed, site)
    assert outcome.failures == [], told(outcome)
    assert outcome.receipts > 5
    assert outcome.coverage


@pytest.mark.parametrize("seed", [33, 47])
def test_they_do_so_on_a_server_that_ends_connections_and_crashes(
    postgresql_site: Site, seed: int
) -> None:
    outcome = run_seed(seed, postgresql_site)
    assert outcome.failures == [], told(outcome, "--postgresql")
    assert outcome.receipts
    assert outcome.batches
    assert {"connections ended", "postgresql crashed"} & set(outcome.coverage)
