"""Which adapters stay in memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openlora.residency import Residency


def put(residency: Residency[str, str], key: str, size: int = 1) -> bool:
    if not residency.reserve(key, size):
        return False
    residency.put(key, key.upper(), size)
    return True


def test_the_least_recently_used_goes_first() -> None:
    residency: Residency[str, str] = Residency(2, 100)
    assert put(residency, "a")
    assert put(residency, "b")
    assert residency.get("a") == "A"
    assert put(residency, "c")
    assert (residency.get("a"), residency.get("b"), residency.get("c")) == ("A", None, "C")
    assert residency.evictions == 1


def test_memory_bounds_too() -> None:
    residency: Residency[str, str] = Residency(10, 100)
    assert put(residency, "a", 60)
    assert put(residency, "b", 40)
    assert put(residency, "c", 50)
    assert residency.get("a") is None
    assert residency.size == 90


def test_what_is_in_use_stays_and_room_is_refused_instead() -> None:
    residency: Residency[str, str] = Residency(1, 100)
    assert put(residency, "a")
    residency.pin("a")
    assert not put(residency, "b")
    assert residency.get("a") == "A"
    residency.unpin("a")
    assert put(residency, "b")
    assert residency.get("a") is None


def test_nothing_is_evicted_for_what_finds_no_room_anyway() -> None:
    residency: Residency[str, str] = Residency(2, 100)
    assert put(residency, "idle", 30)
    assert put(residency, "used", 70)
    residency.pin("used")
    assert not put(residency, "large", 50)
    assert residency.get("idle") == "IDLE"


def test_what_is_dropped_in_use_goes_with_its_last_user() -> None:
    residency: Residency[str, str] = Residency(2, 100)
    assert put(residency, "a")
    residency.pin("a")
    residency.drop("a")
    assert residency.get("a") is None
    assert len(residency) == 1
    residency.unpin("a")
    assert len(residency) == 0


def test_a_failed_load_gives_its_place_back() -> None:
    residency: Residency[str, str] = Residency(1, 100)
    assert residency.reserve("a", 1)
    assert residency.is_coming("a")
    residency.abandon("a")
    assert put(residency, "b")


@given(
    st.lists(
        st.tuples(st.sampled_from(["use", "pin", "unpin", "drop"]), st.sampled_from("abcdef")),
        max_size=60,
    )
)
def test_bounds_hold_and_pinned_adapters_stay_whatever_happens(
    doings: list[tuple[str, str]],
) -> None:
    residency: Residency[str, str] = Residency(3, 25)
    sizes = dict(zip("abcdef", [5, 10, 15, 5, 10, 25], strict=True))
    pins = dict.fromkeys("abcdef", 0)
    dropped: set[str] = set()
    for doing, key in doings:
        if doing == "use" and residency.get(key) is None:
            if put(residency, key, sizes[key]):
                dropped.discard(key)
        elif doing == "pin" and residency.get(key) is not None:
            residency.pin(key)
            pins[key] += 1
        elif doing == "unpin" and pins[key]:
            residency.unpin(key)
            pins[key] -= 1
        elif doing == "drop":
            residency.drop(key)
            dropped.add(key)
        assert len(residency) <= 3
        assert residency.size <= 25
        for pinned, count in pins.items():
            if count and pinned not in dropped:
                assert residency.get(pinned) == pinned.upper()
