"""What is measured over a corpus as one object, and the bars it must reach."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.judge.asking import WAYS, Asked, Costs
from bench.judge.metrics import area_under_curve, estimate

BARS = Path(__file__).with_name("bars.json")


def measure(name: str, asked: Sequence[Asked], costs: Costs) -> dict[str, Any]:
    """Each measure with its interval; absent where the corpus has no labels for it."""
    ranked = [a for a in asked if a.labelled.relevant]
    paid = [a for a in asked if a.answered and a.has_gold]
    cited = [a for a in paid if a.labelled.evidence and a.answer.citations]
    quotes = [len(c.cited_text) for a in paid for c in a.answer.citations]
    return {
        "corpus": name,
        "questions": len(asked),
        "retrieval": {way: _gathered(a.retrieval(way) for a in ranked) for way in WAYS},
        "answered_p@1": _gathered({"p@1": a.retrieval("fused")["p@1"]} for a in paid).get("p@1"),
        "citations": _gathered(a.citations() for a in cited),
        "quote_median": median(quotes) if quotes else None,
        "quote_longest": max(quotes, default=None),
        "most_citations": max((len(a.answer.citations) for a in asked), default=0),
        "payout": _gathered(a.payout() for a in paid),
        "refusal": _refusal(asked),
        "search_ms": round(costs.search_ms, 2),
        "answer_ms": round(costs.answer_ms, 2),
        "answer_over_search": round(costs.answer_ms / costs.search_ms, 2),
    }


def _gathered(rows: Iterable[Mapping[str, float]]) -> dict[str, Any]:
    values: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            values.setdefault(name, []).append(value)
    return {name: found.as_json() for name, v in values.items() if (found := estimate(v))}


def _refusal(asked: Sequence[Asked]) -> dict[str, Any]:
    held = [a for a in asked if a.labelled.answerable]
    lacking = [a for a in asked if not a.labelled.answerable]
    found = _gathered({"false_refusals": float(not a.answered)} for a in held)
    if held and lacking:
        found |= _gathered({"unanswerable_refused": float(not a.answered)} for a in lacking)
        found["area_under_curve"] = _curve(held, lacking, lambda a: a.answer.confidence)
        found["area_under_curve_similarity"] = _curve(held, lacking, _similarity)
        money = [a for a in asked if any(c.weight_ppm for c in a.answer.citations)]
        wasted = sum(not a.labelled.answerable for a in money)
        found["money_to_unanswerable"] = round(wasted / max(len(money), 1), 4)
    return found


def _similarity(asked: Asked) -> float:
    return max((hit.scores.dense for hit in asked.answer.retrieved), default=0.0)


def _curve(held: Sequence[Asked], lacking: Sequence[Asked], score: Any) -> float:
    return round(area_under_curve([score(a) for a in held], [score(a) for a in lacking]), 4)


def below_bar(measured: Mapping[str, Any]) -> list[str]:
    """What does not reach its bar, in words; bars for any corpus, then those of its own."""
    bars = json.loads(BARS.read_text())
    found = _compared(measured)
    found |= {name: _number(measured, name) for name in bars.get(measured["corpus"], {})}
    limits = {**bars["any"], **bars.get(measured["corpus"], {})}
    return [
        f"{measured['corpus']}: {name} is {value:.4g}, and the bar is {sign} {limit}"
        for name, (sign, limit) in limits.items()
        if (value := found.get(name)) is not None
        and not (value >= limit if sign == ">=" else value <= limit)
    ]


def _compared(measured: Mapping[str, Any]) -> dict[str, float | None]:
    """Measures that stand against another one of the same run."""
    fused = _number(measured, "retrieval.fused.ndcg@10")
    halves = [_number(measured, f"retrieval.{way}.ndcg@10") for way in ("dense", "lexical")]
    payout, naive = (_number(measured, f"payout.{n}payout_precision") for n in ("", "naive_"))
    first = _number(measured, "answered_p@1")
    return {
        "fused_minus_better_half": _minus(fused, max((h for h in halves if h), default=None)),
        "payout_minus_p@1": _minus(payout, first),
        "payout_over_naive": payout / naive if payout is not None and naive else None,
        "answer_over_search": _number(measured, "answer_over_search"),
        "quote_longest": _number(measured, "quote_longest"),
        "most_citations": _number(measured, "most_citations"),
    }


def _minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _number(measured: Mapping[str, Any], path: str) -> float | None:
    found: Any = measured
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    if isinstance(found, Mapping):
        found = found.get("mean")
    return None if found is None else float(found)
