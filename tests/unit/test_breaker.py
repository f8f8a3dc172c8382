from __future__ import annotations

import threading

import pytest

from footnote.errors import NotFound, Unavailable
from rag.models.breaker import CircuitBreaker


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: CircuitBreaker, error: Exception | None = None) -> None:
    with pytest.raises((Unavailable, NotFound)), breaker.call():
        raise error or Unavailable("down", "wait")


def test_one_call_tries_after_the_rest_and_closes_or_opens_again() -> None:
    clock = Clock()
    breaker = CircuitBreaker("it", failures=2, rest_seconds=10, clock=clock)
    fail(breaker)
    fail(breaker)
    with pytest.raises(Unavailable, match="failed 2 times in a row: try again in 10 seconds"):
        breaker.call().__enter__()
    clock.now = 10
    fail(breaker)
    with pytest.raises(Unavailable, match="3 times"):
        breaker.call().__enter__()
    clock.now = 20
    with breaker.call(), pytest.raises(Unavailable):  # only one tries
        breaker.call().__enter__()
    with breaker.call(), breaker.call():
        pass


def test_a_success_or_another_error_starts_the_count_anew() -> None:
    breaker = CircuitBreaker("it", failures=2)
    fail(breaker)
    fail(breaker, NotFound("no such thing", "look"))
    fail(breaker)
    with breaker.call():
        pass
    fail(breaker)
    with breaker.call():
        pass


def test_calls_run_side_by_side() -> None:
    breaker, together = CircuitBreaker("it"), threading.Barrier(4, timeout=5)

    def ask() -> None:
        with breaker.call():
            together.wait()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not together.broken
