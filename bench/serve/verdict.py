"""The bars that a run of ``bench.serve`` is held to, all ratios within the run."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

OURS, DENSE, ENSEMBLE, ANSWERS = "footnote", "langchain", "langchain-ensemble", "footnote-answers"


@dataclass(frozen=True, slots=True)
class Bar:
    """What ``value`` must reach: at least ``bound``, or at most where ``at_most``."""

    name: str
    value: float
    bound: float
    at_most: bool = False

    @property
    def holds(self) -> bool:
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    @property
    def line(self) -> str:
        sign, word = ("≤", "ok") if self.at_most else ("≥", "ok")
        verdict = word if self.holds else "MISSED"
        return f"{self.name:<58} {self.value:>9.3f} {sign} {self.bound:<7g} {verdict}"


Measured = dict[str, dict[int, list[dict[str, Any]]]]
"""By service and concurrency, the result of each round."""


def middle(measured: Measured, service: str, concurrency: int, name: str) -> float:
    """The median over the rounds."""
    return float(median(one[name] for one in measured[service][concurrency]))


def bars(
    measured: Measured, state: dict[str, dict[str, float]], changed: int, bfloat16: bool
) -> list[Bar]:
    """Every bar of one run.

    Args:
        state: by service ``ready_seconds``, ``memory_mb``, ``mrr`` and ``documents_per_second``.
        changed: questions whose top ten differed between alone and batched.
        bfloat16: whether the processor computes in it; ingestion gains less where it does not.
    """

    def ratio(name: str, concurrency: int, peer: str) -> float:
        ours = middle(measured, OURS, concurrency, name)
        return ours / middle(measured, peer, concurrency, name)

    found = [
        Bar("p50 at 1, of LangChain's", ratio("p50_ms", 1, DENSE), 1 / 3, at_most=True),
        Bar("throughput at 8, times LangChain's", ratio("per_second", 8, DENSE), 4),
        Bar("throughput at 32, times LangChain's", ratio("per_second", 32, DENSE), 6),
        Bar("CPU a question at 32, of LangChain's", ratio("cpu_ms", 32, DENSE), 1 / 5, True),
        Bar("seconds until ready", state[OURS]["ready_seconds"], 2, True),
        Bar(
            "memory, of LangChain's",
            state[OURS]["memory_mb"] / state[DENSE]["memory_mb"], 0.75, True,
        ),
        Bar(
            "answers with FULL commit at 8, times LangChain's searches",
            middle(measured, ANSWERS, 8, "per_second") / middle(measured, DENSE, 8, "per_second"),
            1,
        ),
        Bar(
            "ingestion, times LangChain's",
            state[OURS]["documents_per_second"] / state[DENSE]["documents_per_second"],
            5 if bfloat16 else 1.3,
        ),
        Bar("questions whose top ten changed in a batch", changed, 0, True),
    ]  # fmt: skip
    if ENSEMBLE in measured:
        found += [
            Bar("p50 at 1, of the ensemble's", ratio("p50_ms", 1, ENSEMBLE), 1 / 5, True),
            Bar("throughput at 32, times the ensemble's", ratio("per_second", 32, ENSEMBLE), 10),
            Bar("MRR@10 above the ensemble's", state[OURS]["mrr"] - state[ENSEMBLE]["mrr"], 0),
        ]
    return found
