"""What we rely on in Redis Streams."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as opened:
        opened.flushall()
        yield opened


def test_a_group_from_zero_sees_what_was_added_before_it(client: redis.Redis) -> None:
    client.xadd("s", {"a": "1"})
    client.xgroup_create("s", "g", id="0", mkstream=True)
    assert len(client.xreadgroup("g", "c", {"s": ">"}, noack=True)) == 1


def test_making_a_group_twice_says_busygroup(client: redis.Redis) -> None:
    client.xgroup_create("s", "g", id="0", mkstream=True)
    with pytest.raises(redis.ResponseError, match="BUSYGROUP"):
        client.xgroup_create("s", "g", id="0", mkstream=True)


def test_a_read_of_a_group_that_was_flushed_says_nogroup(client: redis.Redis) -> None:
    client.xgroup_create("s", "g", id="0", mkstream=True)
    client.flushall()
    with pytest.raises(redis.ResponseError, match="NOGROUP"):
        client.xreadgroup("g", "c", {"s": ">"}, noack=True)


def test_without_acknowledgement_nothing_stays_pending(client: redis.Redis) -> None:
    client.xadd("s", {"a": "1"})
    client.xgroup_create("s", "g", id="0")
    client.xreadgroup("g", "c", {"s": ">"}, noack=True)
    assert client.xpending("s", "g")["pending"] == 0


def test_every_failure_to_reach_it_is_a_redis_error() -> None:
    assert issubclass(redis.ConnectionError, redis.RedisError)
    assert issubclass(redis.TimeoutError, redis.RedisError)
