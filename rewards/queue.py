"""Waking the worker. The door of redis.

Redis holds nothing that cannot be lost: a wake-up says "look", and what there is to do stands in
the journal. Without Redis the worker looks every few seconds by itself.

    footnote:wake     Stream of wake-ups, group ``workers``; an entry names a Datanet and is worth
                      nothing: trimmed to the newest 1,000
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import Any, Protocol

import redis

from footnote.errors import Misconfigured, Unavailable

log = logging.getLogger(__name__)

SILENT_SECONDS = 10.0

STREAM, GROUP = "footnote:wake", "workers"

NO_EVICTION = "noeviction"
"""The one ``maxmemory-policy`` under which a full Redis says so, instead of dropping wake-ups."""


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
        self._policy_seen = False
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
            self._see_policy()
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

    def eviction_policy(self) -> str:
        """What this Redis does when its memory is full; empty where it does not say.

        Raises:
            Unavailable: it does not answer.
        """
        try:
            return str(self._redis.info("memory").get("maxmemory_policy", ""))
        except redis.RedisError as error:
            raise Unavailable("Redis does not answer", "check FOOTNOTE_REDIS_URL") from error

    def _see_policy(self) -> None:
        """Warn once of a Redis that would drop wake-ups: payment would be late, not wrong."""
        if self._policy_seen:
            return
        with contextlib.suppress(Unavailable):
            policy = self.eviction_policy()
            self._policy_seen = True
            if policy not in ("", NO_EVICTION):
                log.warning(
                    "redis evicts (maxmemory-policy %s): wake-ups may be lost; set it to %s",
                    policy,
                    NO_EVICTION,
                )

    def _ensure_group(self) -> None:
        try:
            self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise


def wake_ups(url: str | None, consumer: str) -> WakeUps:
    """Redis where there is an address, else polling."""
    return RedisWakeUps(url, consumer) if url else Polling()
