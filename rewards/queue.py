"""Waking the worker. The door of redis.

Redis holds nothing that cannot be lost: a wake-up says "look", and what there is to do stands in
the journal. Without Redis the worker looks every few seconds by itself.

    footnote:wake     Stream of wake-ups, group ``workers``; an entry names a Datanet and is worth
                      nothing: trimmed to the newest 1,000
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Protocol

import redis

from footnote.errors import Misconfigured

log = logging.getLogger(__name__)

SILENT_SECONDS = 10.0

STREAM, GROUP = "footnote:wake", "workers"


class WakeUps(Protocol):
    """Tells workers that there is something to look at."""

    def announce(self, datanet: str) -> None:
        """Say that a receipt of ``datanet`` was committed. Never raises, never blocks for long."""

    def wait(self, seconds: float) -> bool:
        """Wait for a wake-up, at most so long; whether one came."""

    def healthy(self) -> bool: ...


class Polling:
    """No queue: wake-ups reach only waiters in the same process."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def announce(self, datanet: str) -> None:
        self._event.set()

    def wait(self, seconds: float) -> bool:
        woken = self._event.wait(seconds)
        self._event.clear()
        return woken

    def healthy(self) -> bool:
        return True


class RedisWakeUps:
    """Wake-ups through a Redis Stream; when Redis fails it is as if there were none."""

    def __init__(self, url: str, consumer: str) -> None:
        self._consumer = consumer
        self._pause = threading.Event()
        self._silent_until = 0.0
        try:
            self._redis: Any = redis.Redis.from_url(
                url, socket_timeout=2.0, socket_connect_timeout=1.0, decode_responses=True
            )
        except ValueError as error:
            raise Misconfigured(
                "FOOTNOTE_REDIS_URL is no Redis address", "give redis://HOST:PORT/0"
            ) from error

    def announce(self, datanet: str) -> None:
        """After a failure nothing is tried for a while, so that a Redis that hangs does not slow
        every answer; the worker polls meanwhile."""
        if time.monotonic() < self._silent_until:
            return
        try:
            self._redis.xadd(STREAM, {"datanet": datanet}, maxlen=1_000, approximate=True)
        except redis.RedisError as error:
            self._silent_until = time.monotonic() + SILENT_SECONDS
            log.warning("redis does not take a wake-up: %s", type(error).__name__)

    def wait(self, seconds: float) -> bool:
        """Reads in slices of a second, so that a stop is never far."""
        block = max(1, min(int(seconds * 1_000), 1_000))
        try:
            self._ensure_group()
            read = self._redis.xreadgroup(
                GROUP, self._consumer, {STREAM: ">"}, count=1_000, block=block, noack=True
            )
            return bool(read)
        except redis.RedisError as error:
            log.warning("redis gives no wake-ups: %s", type(error).__name__)
            self._pause.wait(min(seconds, 1.0))
            return False

    def healthy(self) -> bool:
        try:
            return bool(self._redis.ping())
        except redis.RedisError:
            return False

    def _ensure_group(self) -> None:
        try:
            self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise


def wake_ups(url: str | None, consumer: str) -> WakeUps:
    """Redis where there is an address, else polling."""
    return RedisWakeUps(url, consumer) if url else Polling()
