"""What was measured, for people: a table on the screen and a plot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.judge.asking import WAYS


def table(measured: Mapping[str, Any]) -> str:
    """One corpus: each measure with its mean, its 95 % interval and the number of questions."""
    lines = [f"{measured['corpus']}: {measured['questions']} questions", ""]
    lines += [f"  {name:<34}{value}" for name, value in _rows(measured)]
    return "\n".join(lines)


def _rows(measured: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in measured["retrieval"]["fused"]:
        ways = (f"{way} {_mean(measured['retrieval'][way].get(name))}" for way in WAYS)
        yield name, "   ".join(ways)
    for part in ("citations", "payout", "refusal"):
        for name, value in measured[part].items():
            yield name, _shown(value)
    yield "median, longest cited_text", f"{measured['quote_median']}, {measured['quote_longest']}"
    yield (
        "median answer / bare search",
        f"{measured['answer_ms']} ms / {measured['search_ms']} ms"
        f" = {measured['answer_over_search']}",
    )


def _mean(found: Any) -> str:
    return "–" if found is None else f"{found['mean']:.3f}"


def _shown(found: Any) -> str:
    if not isinstance(found, Mapping):
        return f"{found:.3f}"
    return f"{found['mean']:.3f}  [{found['low']:.3f}, {found['high']:.3f}]  n={found['questions']}"


def plot(every: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Retrieval by way, and payout precision beside the naive split, for each corpus."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    names = [measured["corpus"] for measured in every]
    _bars(left, names, {w: [m["retrieval"][w].get("ndcg@10") for m in every] for w in WAYS})
    left.set_title("retrieval, nDCG@10")
    shares = {"Footnote": "payout_precision", "equal split of five": "naive_payout_precision"}
    _bars(right, names, {s: [m["payout"].get(key) for m in every] for s, key in shares.items()})
    right.set_title("share of the pool that reaches the right contributors")
    figure.savefig(path)
    pyplot.close(figure)


def _bars(axes: Any, names: Sequence[str], series: Mapping[str, Sequence[Any]]) -> None:
    width = 0.8 / len(series)
    for number, (label, found) in enumerate(series.items()):
        means = [f["mean"] if f else 0.0 for f in found]
        reach = [
            [f["mean"] - f["low"] if f else 0.0 for f in found],
            [f["high"] - f["mean"] if f else 0.0 for f in found],
        ]
        places = [i + number * width for i in range(len(names))]
        axes.bar(places, means, width, yerr=reach, label=label, capsize=2)
    axes.set_xticks([i + 0.4 - width / 2 for i in range(len(names))], names)
    axes.set_ylim(0, 1)
    axes.legend()
