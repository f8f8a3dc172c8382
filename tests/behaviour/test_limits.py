"""Buckets in Redis: shared, exact under a crowd, and done without when Redis is away."""

from __future__ import annotations

import asyncio
import secrets
import time

import pytest

from api.limits import AWAY_SECONDS, Limits
from cli.stack import free_port
from footnote.errors import TooMany


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no dead Redis."""
    monkeypatch.setattr("api.limits.WAIT_SECONDS", 30.0)


async def allowed(limits: Limits, who: str, per_minute: float, tries: int) -> int:
    """How many of so many at once."""

    async def take() -> bool:
        try:
            await limits.take(who, per_minute)
        except TooMany:
            return False
        return True

    return sum(await asyncio.gather(*(take() for _ in range(tries))))


@pytest.mark.usefixtures("patient")
def test_a_crowd_takes_exactly_what_a_bucket_holds(redis_url: str) -> None:
    async def crowd() -> int:
        one, other = Limits(redis_url), Limits(redis_url)
        who = secrets.token_hex(8)
        counts = await asyncio.gather(allowed(one, who, 20, 300), allowed(other, who, 20, 300))
        await one.close()
        await other.close()
        return sum(counts)

    began = time.monotonic()
    found = asyncio.run(crowd())
    assert 20 <= found <= 20 + (time.monotonic() - began) / 3 + 1


@pytest.mark.usefixtures("patient")
def test_a_bucket_in_redis_fills_again_and_never_overflows(redis_url: str) -> None:
    async def run() -> tuple[int, int, int, float]:
        limits, who = Limits(redis_url), secrets.token_hex(8)
        began = time.monotonic()
        first = await allowed(limits, who, 600, 700)
        await asyncio.sleep(0.55)
        second = await allowed(limits, who, 600, 100)
        await asyncio.sleep(0.3)
        third = await allowed(limits, who, 600, 700)
        await limits.close()
        return first, second, third, time.monotonic() - began

    first, second, third, took = asyncio.run(run())
    assert first >= 600
    assert second >= 4, "ten a second"
    assert first + second + third <= 600 + 10 * took + 1, "what was left lies there, and no more"


def test_while_redis_is_away_it_is_left_alone_for_a_while() -> None:
    async def run() -> float:
        limits = Limits(f"redis://127.0.0.1:{free_port()}/0")
        assert await allowed(limits, "a", 2, 5) == 2
        began = time.monotonic()
        assert await allowed(limits, "b", 300, 300) == 300
        took = time.monotonic() - began
        await limits.close()
        return took

    assert asyncio.run(run()) < AWAY_SECONDS / 2
