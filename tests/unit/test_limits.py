"""A bucket of one process: what it holds, how it fills, and that it never overflows."""

from __future__ import annotations

import asyncio

import pytest

from api.limits import Limits
from footnote.errors import TooMany


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def taken(limits: Limits, who: str, per_minute: float, cost: float = 1.0) -> int:
    """How often it may be taken from now on."""

    async def take() -> int:
        for count in range(1_000):
            try:
                await limits.take(who, per_minute, cost)
            except TooMany:
                return count
        raise AssertionError("there is no limit")

    return asyncio.run(take())


def test_a_bucket_holds_a_minute_and_never_more() -> None:
    clock = Clock()
    limits = Limits(None, clock)
    assert taken(limits, "a", 6) == 6
    clock.now += 3_600
    assert taken(limits, "a", 6) == 6


def test_a_bucket_fills_evenly_and_says_when_there_is_enough() -> None:
    clock = Clock()
    limits = Limits(None, clock)
    assert taken(limits, "a", 6) == 6
    with pytest.raises(TooMany) as refused:
        asyncio.run(limits.take("a", 6))
    assert refused.value.retry_after_seconds == 10
    clock.now += 9
    assert taken(limits, "a", 6) == 0
    clock.now += 1
    assert taken(limits, "a", 6) == 1
    clock.now += 30
    assert taken(limits, "a", 6) == 3


def test_each_has_a_bucket_of_their_own_and_a_clock_that_goes_back_empties_none() -> None:
    clock = Clock()
    limits = Limits(None, clock)
    assert taken(limits, "a", 2) == 2
    assert taken(limits, "b", 2, cost=0.1) == 20
    clock.now -= 500
    assert taken(limits, "c", 2) == 2
    assert taken(limits, "a", 2) == 0
