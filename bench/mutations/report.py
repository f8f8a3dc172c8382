"""Counts with their intervals, as a table and as JSON, and the bars they are held to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.mutations.generator import Case

CAUGHT_ON_SOURCES = 0.95
REJECTED_EDITS = 0.05
REJECTED_ANSWERS = 0.25
MEDIAN_MILLISECONDS = 5.0
HELD_TO_CAUGHT: Mapping[str, tuple[str, ...]] = {
    "number": ("number",),
    "unit": ("unit",),
    "date": ("date",),
    "name": ("name",),
    "negation": ("negation added", "negation removed"),
    "wrong source": ("source: other document", "source: neighbour", "source: similar"),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """A case, where it came from, and which schemes accepted the source."""

    corpus: str
    case: Case
    accepted: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Rate:
    """``hits`` of ``count`` cases, with an interval at 95 %."""

    hits: int
    count: int

    @property
    def value(self) -> float:
        return self.hits / self.count if self.count else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval."""
        if not self.count:
            return 0.0, 1.0
        z, n, p = 1.96, self.count, self.value
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(0.0, middle - half), min(1.0, middle + half)

    def as_json(self) -> dict[str, Any]:
        low, high = self.interval
        return {
            "rate": round(self.value, 4),
            "count": self.count,
            "interval": [round(low, 4), round(high, 4)],
        }


def rejected(judged: Iterable[Judged], scheme: str) -> Rate:
    """How many were not accepted: caught where the claim is wrong, a false rejection where not."""
    verdicts = [one.accepted[scheme] for one in judged]
    return Rate(verdicts.count(False), len(verdicts))


def kinds(judged: Sequence[Judged]) -> list[tuple[str, str, str]]:
    """Base, group and kind of what there is, in order."""
    return list(dict.fromkeys((j.case.base, j.case.group, j.case.kind) for j in judged))


def table(judged: Sequence[Judged], schemes: Sequence[str]) -> str:
    """One line a kind: how often each scheme rejects it."""
    lines = [f"{'':44}{'cases':>7}" + "".join(f"{scheme:>24}" for scheme in schemes)]
    before = None
    for base, group, kind in kinds(judged):
        key = base, group, kind
        chosen = [j for j in judged if (j.case.base, j.case.group, j.case.kind) == key]
        if before != (base, group):
            lines.append(f"({base}) {_HEADINGS[group]}")
            before = base, group
        cells = []
        for scheme in schemes:
            rate = rejected(chosen, scheme)
            low, high = rate.interval
            cells.append(f"{rate.value:>9.1%} [{low:>6.1%},{high:>6.1%}]")
        lines.append(f"  {kind:42}{len(chosen):>7}" + "".join(f"{cell:>24}" for cell in cells))
    return "\n".join(lines)


_HEADINGS = {
    "edit": "light edits: rejected, to be low",
    "paraphrase": "paraphrases by rule: rejected, to be low",
    "human": "what people wrote and cited: rejected, to be low",
    "change": "changed meanings: caught, to be high",
}


def bars(judged: Sequence[Judged], scheme: str, median_milliseconds: float) -> list[dict[str, Any]]:
    """What ``scheme`` is held to, with what it reached."""
    found = []
    on_sources = [j for j in judged if j.case.base == "a"]
    for name, members in HELD_TO_CAUGHT.items():
        rate = rejected((j for j in on_sources if j.case.kind in members), scheme)
        found.append(_bar(f"(a) {name} changes caught", rate, at_least=CAUGHT_ON_SOURCES))
    edits = rejected((j for j in on_sources if j.case.group == "edit"), scheme)
    found.append(_bar("(a) light edits rejected", edits, at_most=REJECTED_EDITS))
    answers = rejected((j for j in judged if j.case.kind == "human answer"), scheme)
    found.append(_bar("(b) human answer sentences rejected", answers, at_most=REJECTED_ANSWERS))
    cost = {"value": round(median_milliseconds, 3), "at_most": MEDIAN_MILLISECONDS}
    reached = median_milliseconds <= MEDIAN_MILLISECONDS
    return [*found, {"bar": "median milliseconds a claim", **cost, "reached": reached}]


def _bar(
    name: str, rate: Rate, *, at_least: float | None = None, at_most: float | None = None
) -> dict[str, Any]:
    """A bar is met where there is nothing to hold to it."""
    wanted = {"at_least": at_least} if at_least is not None else {"at_most": at_most}
    above = at_least is None or rate.value >= at_least
    below = at_most is None or rate.value <= at_most
    return {"bar": name, **rate.as_json(), **wanted, "reached": not rate.count or (above and below)}
