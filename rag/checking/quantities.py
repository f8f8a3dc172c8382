"""Numbers with their units and bounds, and dates, as values that can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise

from rag.checking.vocabulary import (
    BOUNDS,
    DEGREES,
    ESTIMATES,
    EXACTLY,
    MONTHS,
    NUMBER_WORDS,
    ORDINALS,
    PREFIXED_CURRENCIES,
    SCALE_LETTERS,
    SCALES,
    UNITS,
    UNITS_BY_CASE,
)
from rag.checking.words import Word


@dataclass(frozen=True, slots=True)
class Quantity:
    """``unit`` is one of a closed list, or None. ``bound`` is 1 for at least, -1 for at most, else
    0; ``exact`` where the text says so. ``place`` is the token at which it stands."""

    value: Decimal
    unit: str | None
    bound: int
    estimated: bool
    place: int
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Date:
    """A day, month or year that is not said is None; a month always is. ``end`` is behind the
    tokens of a date in figures, else ``place`` + 1."""

    day: int | None
    month: int
    year: int | None
    place: int
    end: int

    def within(self, other: Date) -> bool:
        """Whether ``other`` says all that this date says."""
        return self.month == other.month and all(
            mine is None or mine == theirs
            for mine, theirs in ((self.day, other.day), (self.year, other.year))
        )


def dates_in(words: Sequence[Word]) -> list[Date]:
    """``May 1, 1994``, ``1 May 1994``, ``1st of May``, ``May 1994``, ``1994-05-01``, and
    ``31/5/1994`` where the order cannot be mistaken."""
    found = list(_in_figures(words))
    for i, word in enumerate(words):
        month = MONTHS.get(word.lower)
        if month is None or (word.lower in ("may", "march", "mar", "sec") and word.text.islower()):
            continue
        after = [w for w in words[i + 1 : i + 5] if w.text not in (",", ".")]
        before = [w for w in words[max(i - 2, 0) : i] if w.lower != "of"]
        day = _day(before[-1]) if before else None
        if day is None and after and (day := _day(after[0])) is not None:
            after = after[1:]
        year = _year(after[0]) if after else None
        if day is not None or year is not None:
            found.append(Date(day, month, year, i, i + 1))
    return found


def _in_figures(words: Sequence[Word]) -> Iterator[Date]:
    for i in range(len(words) - 4):
        parts, marks = words[i : i + 5 : 2], {words[i + 1].text, words[i + 3].text}
        if len(marks) != 1 or not marks <= {"-", "/", "."} or not all(w.is_number for w in parts):
            continue
        if not all(word.lower.isdigit() and len(word.lower) <= 4 for word in parts):
            continue
        a, b, c = (int(word.lower) for word in parts)
        widths = [len(word.lower) for word in parts]
        if widths[0] == 4 and 1 <= b <= 12 and 1 <= c <= 31:
            yield Date(c, b, a, i, i + 5)
        elif widths[2] == 4 and a != b and 12 < max(a, b) <= 31 and 1 <= min(a, b) <= 12:
            yield Date(max(a, b), min(a, b), c, i, i + 5)


def _day(word: Word) -> int | None:
    fits = (
        word.is_number
        and word.lower.isdigit()
        and len(word.lower) <= 2
        and 1 <= int(word.lower) <= 31
    )
    return int(word.lower) if fits else None


def _year(word: Word) -> int | None:
    return (
        int(word.lower)
        if word.is_number and word.lower.isdigit() and len(word.lower) == 4
        else None
    )


def quantities_in(words: Sequence[Word]) -> list[Quantity]:
    """All numbers, in digits or words. Where only the last of a row has a unit, it is that of all:
    ``5 to 10 km``."""
    found: list[tuple[Quantity, int]] = []
    i = 0
    while i < len(words):
        read = _number(words, i)
        if read is None:
            i += 1
            continue
        value, end = read
        unit, after = _unit(words, i, end)
        bound, estimated = _bound(words, i)
        exact = i > 0 and words[i - 1].lower in EXACTLY
        found.append((Quantity(value, unit, bound, estimated, i, exact), after))
        i = after
    return _with_shared_units(words, found)


def _number(words: Sequence[Word], i: int) -> tuple[Decimal, int] | None:
    """The value of the number that starts at ``i``, and where it ends."""
    lower = words[i].lower
    if words[i].is_number:
        value, end = Decimal(lower.replace(",", "")), i + 1
        if i and words[i - 1].lower == "minus":
            value = -value
        if i and end < len(words) and words[i - 1].text in PREFIXED_CURRENCIES:
            value *= SCALE_LETTERS.get(words[end].lower, 1)
        if end < len(words) and words[end].lower in SCALES:
            return value * SCALES[words[end].lower], end + 1
        return value, end
    if lower in ORDINALS and lower not in ("first", "second"):
        return Decimal(ORDINALS[lower]), i + 1
    if lower[0].isdigit():
        digits = lower.rstrip("abcdefghijklmnopqrstuvwxyz")
        return (Decimal(digits), i + 1) if digits.isascii() and digits.isdigit() else None
    return _in_words(words, i)


def _in_words(words: Sequence[Word], i: int) -> tuple[Decimal, int] | None:
    total = part = 0
    end = i
    while end < len(words):
        lower = words[end].lower
        if lower in NUMBER_WORDS:
            part += NUMBER_WORDS[lower]
        elif lower in SCALES and (end > i or lower != "second"):
            part = max(part, 1) * SCALES[lower]
            if SCALES[lower] > 100:
                total, part = total + part, 0
        elif not (lower in ("and", "-") and end > i and _goes_on(words, end)):
            break
        end += 1
    alone = end == i + 1 and words[i].lower in ("one", "zero")
    return None if end == i or alone else (Decimal(total + part), end)


def _goes_on(words: Sequence[Word], i: int) -> bool:
    """Whether the ``and`` or the hyphen at ``i`` stands inside a number: *one hundred and five*."""
    if i + 1 >= len(words) or words[i + 1].lower not in NUMBER_WORDS:
        return False
    before, after = words[i - 1].lower, NUMBER_WORDS[words[i + 1].lower]
    if words[i].lower == "and":
        return before in SCALES
    return NUMBER_WORDS.get(before, 0) >= 20 and after < 10


def _unit(words: Sequence[Word], start: int, end: int) -> tuple[str | None, int]:
    """The unit that goes with the number in ``[start, end)``, and where the two end."""
    glued = words[start].lower.lstrip("0123456789.,")
    if glued and words[start].lower[0].isdigit():
        return UNITS.get(glued), end
    if start and words[start - 1].text in PREFIXED_CURRENCIES:
        return PREFIXED_CURRENCIES[words[start - 1].text], end
    after = end + 1 if end < len(words) and words[end].text == "-" else end
    if after < len(words) and words[after].text in UNITS_BY_CASE:
        return UNITS_BY_CASE[words[after].text], after + 1
    area = ""
    if after < len(words) and words[after].lower in ("square", "sq", "cubic"):
        area, after = words[after].lower[:2] + " ", after + 1
    if after < len(words) and words[after].lower in UNITS:
        if words[after].lower in ("a", "in"):
            return None, end
        unit, ends = area + UNITS[words[after].lower], after + 1
        following = words[ends].lower if ends < len(words) else ""
        if unit == "%" and following in ("point", "points"):
            return "percentage points", ends + 1
        if unit.endswith("W") and following in ("hour", "hours", "h"):
            return f"{unit}h", ends + 1
        if unit == "°" and following in DEGREES:
            return DEGREES[following], ends + 1
        a_time = ends + 1 < len(words) and words[ends].lower in ("per", "/")
        if a_time and words[ends + 1].lower in ("hour", "h", "hr"):
            return {"mi": "mph"}.get(unit, f"{unit}/h"), ends + 2
        return unit, ends
    return None, end


def _bound(words: Sequence[Word], i: int) -> tuple[int, bool]:
    before = [word.lower for word in words[max(i - 4, 0) : i] if word.text not in "$€£"]
    for length in (3, 2, 1):
        bound = BOUNDS.get(" ".join(before[-length:])) if len(before) >= length else None
        if bound is not None:
            return bound, False
    return 0, bool(before) and before[-1] in ESTIMATES


_JOINING = frozenset(
    {"to", "and", "or", ",", "-", "/", "versus", "vs", "by", "+", "through", ".", "±"}
)


def _with_shared_units(
    words: Sequence[Word], found: Sequence[tuple[Quantity, int]]
) -> list[Quantity]:
    shared = [quantity for quantity, _ in found]
    for (i, (_, end)), (j, _) in reversed(list(pairwise(enumerate(found)))):
        left, right = shared[i], shared[j]
        between = [word.lower for word in words[end : right.place]]
        joined = 0 < len(between) <= 3 and _JOINING.issuperset(between)
        if joined and left.unit is None and right.unit:
            shared[i] = replace(left, unit=right.unit)
    return shared
