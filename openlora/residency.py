"""Which adapters are in memory: least recently used go first, those in use stay. Pure.

Not thread-safe: one thread decides what is resident.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
A = TypeVar("A")


@dataclass(slots=True)
class _Place(Generic[A]):
    adapter: A | None
    size: int
    pins: int = 0
    dropped: bool = False


class Residency(Generic[K, A]):
    """Adapters by key, bounded by count and by bytes."""

    def __init__(self, max_count: int, max_bytes: int) -> None:
        self.max_count = max_count
        self.max_bytes = max_bytes
        self.evictions = 0
        self._places: OrderedDict[K, _Place[A]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._places)

    @property
    def size(self) -> int:
        """Bytes of all adapters that are here or on their way."""
        return sum(place.size for place in self._places.values())

    def get(self, key: K) -> A | None:
        """The adapter, now the most recently used; None where it is not here."""
        place = self._places.get(key)
        if place is None or place.dropped:
            return None
        self._places.move_to_end(key)
        return place.adapter

    def is_coming(self, key: K) -> bool:
        place = self._places.get(key)
        return place is not None and place.adapter is None

    def reserve(self, key: K, size: int) -> bool:
        """Make room for an adapter that is being loaded; False while what is in use leaves none."""
        assert key not in self._places or self._places[key].dropped
        if key in self._places:
            return False  # the same adapter, unloaded but still in use
        if not self._make_room(1, size):
            return False
        self._places[key] = _Place(None, size)
        return True

    def put(self, key: K, adapter: A, size: int) -> None:
        """Fill a reserved place. ``size`` may differ a little from what was reserved."""
        place = self._places[key]
        place.adapter, place.size = adapter, size
        place.pins += 1
        self._make_room(0, 0)
        self.unpin(key)

    def abandon(self, key: K) -> None:
        """Give a reserved place back: loading failed."""
        del self._places[key]

    def pin(self, key: K) -> None:
        self._places[key].pins += 1

    def unpin(self, key: K) -> None:
        place = self._places[key]
        place.pins -= 1
        if place.dropped and not place.pins:
            del self._places[key]

    def drop(self, key: K) -> None:
        """Let the adapter go as soon as nobody uses it."""
        place = self._places.get(key)
        if place is None:
            return
        place.dropped = True
        if not place.pins and place.adapter is not None:
            del self._places[key]

    def _make_room(self, count: int, size: int) -> bool:
        """Evict until ``count`` more with ``size`` more bytes fit."""
        idle = [k for k, p in self._places.items() if not p.pins and p.adapter is not None]
        excess = len(self._places) + count - self.max_count
        surplus = self.size + size - self.max_bytes
        evicted = []
        for key in idle:
            if excess <= 0 and surplus <= 0:
                break
            evicted.append(key)
            excess, surplus = excess - 1, surplus - self._places[key].size
        if excess > 0 or surplus > 0:
            return False
        for key in evicted:
            del self._places[key]
        self.evictions += len(evicted)
        return True
