"""Numbers for Prometheus. One of the two doors of prometheus-client."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from openlora.tally import Tally

CONTENT_TYPE = CONTENT_TYPE_LATEST

_COUNTERS = {
    "prompt_tokens": "Tokens of prompts that were answered.",
    "reply_tokens": "Tokens of replies.",
    "steps": "Steps of the model after prompts were read.",
    "rows_stepped": "Rows in those steps together; over steps, the mean batch.",
    "mixed_steps": "Steps whose rows had more than one adapter.",
    "loads": "Adapters loaded from disk.",
    "load_seconds": "What loading them took together.",
    "load_failures": "Adapters that could not be loaded; the log says why.",
    "evictions": "Adapters that left memory for others.",
}
_GAUGES = {
    "waiting": "Rows that wait for a place or an adapter.",
    "running": "Rows that generate.",
    "resident": "Adapters in memory or on their way.",
    "resident_bytes": "What they take.",
}


@dataclass(frozen=True, slots=True, eq=False)
class _OfTally(Collector):
    tally: Tally

    def collect(self) -> Iterator[Metric]:
        finished = CounterMetricFamily(
            "openlora_requests",
            "Rows by how they ended: stop, length, cancelled, or the status of an error.",
            labels=["end"],
        )
        for end, count in sorted(self.tally.finished.copy().items()):
            finished.add_metric([end], count)
        yield finished
        for name, text in _COUNTERS.items():
            yield CounterMetricFamily(f"openlora_{name}", text, getattr(self.tally, name))
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(f"openlora_{name}", text, getattr(self.tally, name))


def exposition(tally: Tally) -> bytes:
    """What ``GET /metrics`` answers."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_OfTally(tally))
    return generate_latest(registry)
