"""How often somebody may ask: token buckets in Redis, shared by all processes. The door of Redis'
asyncio client.

    footnote:bucket:<who>     hash of ``left`` (units) and ``at`` (seconds); expires when full again

A bucket holds a minute's worth and fills evenly. While Redis does not answer each process counts
for itself, so that limits are looser then by as many processes as there are, and nobody is refused
for want of Redis.
"""

from __future__ import annotations

import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import redis.asyncio
from redis.exceptions import RedisError

from footnote.errors import TooMany

log = logging.getLogger(__name__)

MOST_REMEMBERED = 100_000
"""Buckets that one process keeps without Redis; the least used go first."""

AWAY_SECONDS = 5.0
"""How long Redis is not asked again after it did not answer."""

WAIT_SECONDS = 0.25
CONNECTIONS = 32
"""To Redis; who finds none free waits for one instead of counting alone."""

_DRIFT = 1e-9
"""Of sums of tenths."""

_TAKE = """
local now = redis.call('TIME')
local at = tonumber(now[1]) + tonumber(now[2]) / 1e6
local kept = redis.call('HMGET', KEYS[1], 'left', 'at')
local most, rate, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local left = most
if kept[1] then left = math.min(most, kept[1] + math.max(0, at - kept[2]) * rate) end
local wait = 0
if left >= cost - 1e-9 then left = left - cost else wait = (cost - left) / rate end
redis.call('HSET', KEYS[1], 'left', tostring(left), 'at', tostring(at))
redis.call('PEXPIRE', KEYS[1], math.ceil(1000 * (most - left) / rate) + 1000)
return tostring(wait)
"""


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Limits:
    """Token buckets of a minute.

    Args:
        redis_url: where buckets are shared; None for one process alone.
    """

    def __init__(self, redis_url: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = redis_url
        self._clock = clock
        self._redis: redis.asyncio.Redis | None = None
        self._away_until = 0.0
        self._own: OrderedDict[str, _Bucket] = OrderedDict()

    async def take(self, who: str, per_minute: float, cost: float = 1.0) -> None:
        """Take ``cost`` out of the bucket of ``who``, which holds ``per_minute``.

        Raises:
            TooMany: there is not as much in it; says when there will be.
        """
        wait = await self._shared(who, per_minute, cost)
        if wait is None:
            wait = self._alone(who, per_minute, cost)
        if wait > 0:
            raise TooMany(
                "too many requests in a short time",
                f"ask again in {math.ceil(wait)} seconds",
                retry_after_seconds=math.ceil(wait),
            )

    async def close(self) -> None:
        if self._redis is not None:
            with suppress(RedisError, OSError):
                await self._redis.aclose()

    async def _shared(self, who: str, per_minute: float, cost: float) -> float | None:
        """Seconds to wait, by Redis; None where it does not answer."""
        if self._url is None or self._clock() < self._away_until:
            return None
        try:
            if self._redis is None:
                pool = redis.asyncio.BlockingConnectionPool.from_url(
                    self._url, max_connections=CONNECTIONS, timeout=10 * WAIT_SECONDS,
                    socket_timeout=WAIT_SECONDS, socket_connect_timeout=WAIT_SECONDS,
                )  # fmt: skip
                self._redis = redis.asyncio.Redis.from_pool(pool)
            key = f"footnote:bucket:{who}"
            rate = per_minute / 60
            answer = await self._redis.eval(_TAKE, 1, key, str(per_minute), str(rate), str(cost))
            return float(answer)
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = self._clock() + AWAY_SECONDS
            log.warning("Redis does not answer, limits are counted here (%s)", type(error).__name__)
            return None

    def _alone(self, who: str, per_minute: float, cost: float) -> float:
        now, rate = self._clock(), per_minute / 60
        bucket = self._own.setdefault(who, _Bucket(per_minute, now))
        self._own.move_to_end(who)
        if len(self._own) > MOST_REMEMBERED:
            self._own.popitem(last=False)
        bucket.left = min(per_minute, bucket.left + max(0.0, now - bucket.at) * rate)
        bucket.at = now
        if bucket.left < cost - _DRIFT:
            return (cost - bucket.left) / rate
        bucket.left -= cost
        return 0.0
