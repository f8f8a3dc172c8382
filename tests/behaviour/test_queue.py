"""Wake-ups, over polling and over a real Redis; and a Redis that is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from cli.stack import Stack, clean_environment, start_redis
from footnote.errors import Misconfigured
from rewards.queue import GROUP, STREAM, Polling, RedisWakeUps, WakeUps, wake_ups


@pytest.fixture(params=["polling", "redis"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[WakeUps, WakeUps]]:
    if request.param == "polling":
        one = Polling()
        yield one, one
        return
    url = request.getfixturevalue("redis_url")
    client = redis.Redis.from_url(url)
    client.flushall()
    yield RedisWakeUps(url, "api"), RedisWakeUps(url, "worker")
    client.close()


def test_a_wake_up_ends_the_wait(pair: tuple[WakeUps, WakeUps]) -> None:
    api, worker = pair
    worker.wait(0.01)
    timer = threading.Timer(0.2, api.announce, ("eips",))
    timer.start()
    began = time.monotonic()
    assert worker.wait(1.0)
    assert time.monotonic() - began < 0.9
    timer.join()


def test_a_wake_up_before_the_wait_is_not_missed(pair: tuple[WakeUps, WakeUps]) -> None:
    api, worker = pair
    api.announce("eips")
    assert worker.wait(1.0)


def test_many_wake_ups_are_one_look(pair: tuple[WakeUps, WakeUps]) -> None:
    api, worker = pair
    for _ in range(20):
        api.announce("eips")
    assert worker.wait(1.0)
    assert not worker.wait(0.05)


def test_without_a_wake_up_the_wait_ends_by_itself(pair: tuple[WakeUps, WakeUps]) -> None:
    began = time.monotonic()
    assert not pair[1].wait(0.2)
    assert time.monotonic() - began < 1.5


def test_it_says_that_it_is_healthy(pair: tuple[WakeUps, WakeUps]) -> None:
    assert pair[0].healthy()


def test_the_settings_choose_between_redis_and_polling(redis_url: str) -> None:
    assert isinstance(wake_ups(None, "c"), Polling)
    assert isinstance(wake_ups(redis_url, "c"), RedisWakeUps)


def test_wake_ups_work_again_after_redis_lost_everything(redis_url: str) -> None:
    api, worker = RedisWakeUps(redis_url, "api"), RedisWakeUps(redis_url, "worker")
    api.announce("eips")
    assert worker.wait(1.0)
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    api.announce("eips")
    assert worker.wait(1.0)


def test_one_of_two_workers_is_woken_by_one_announcement(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    one, two = RedisWakeUps(redis_url, "one"), RedisWakeUps(redis_url, "two")
    one.wait(0.01)
    one.announce("eips")
    assert [one.wait(0.3), two.wait(0.05)] == [True, False]


def test_redis_keeps_no_list_of_what_is_owed(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
        api = RedisWakeUps(redis_url, "api")
        for _ in range(1_500):
            api.announce("eips")
        RedisWakeUps(redis_url, "w").wait(0.1)
        assert client.xlen(STREAM) <= 1_200, "trimmed"
        assert client.xpending(STREAM, GROUP)["pending"] == 0, (
            "nothing waits for an acknowledgement"
        )
        assert client.keys("*") == [STREAM.encode()]


def test_a_dead_redis_neither_raises_nor_blocks(tmp_path: Path) -> None:
    with Stack(tmp_path, clean_environment()) as stack:
        queue = RedisWakeUps(start_redis(stack), "c")
        queue.announce("eips")
        assert queue.healthy()
    began = time.monotonic()
    queue.announce("eips")
    assert not queue.healthy()
    assert not queue.wait(0.1)
    assert time.monotonic() - began < 2.0


def test_what_is_no_redis_address_is_refused_by_the_name_of_the_setting() -> None:
    with pytest.raises(Misconfigured, match="FOOTNOTE_REDIS_URL"):
        wake_ups("http://x", "c")
