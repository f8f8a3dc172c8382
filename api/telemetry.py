"""What this service counts of itself for Prometheus. The door of prometheus-client here.

Several processes each write their counts into PROMETHEUS_MULTIPROC_DIR, which ``footnote serve``
sets, and whichever is asked tells those of all.
"""

from __future__ import annotations

import os
from collections import Counter as Counted
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Telemetry:
    """Counters and histograms of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._requests = self._histogram(
            "footnote_request_seconds",
            "From the first byte of a request to the last of its response.",
            "route", "method", "status",
        )  # fmt: skip
        self._stages = self._histogram(
            "footnote_answer_stage_seconds", "How long each stage of an answer took.", "stage"
        )
        self._answers = self._counter(
            "footnote_answers", "Answers that were recorded.", "datanet", "outcome"
        )
        self._again = self._counter(
            "footnote_answers_again", "Stored answers that were given for the same Idempotency-Key."
        )
        self._tokens = self._counter(
            "footnote_tokens", "Tokens that a model read and wrote for answers.", "direction"
        )
        self._verdicts = self._counter(
            "footnote_claims", "Claims of recorded answers by their verdict.", "verdict"
        )
        self._under_way = Gauge(
            "footnote_answers_under_way", "Answers that are made or wait for their turn.",
            registry=self._registry, multiprocess_mode="livesum",
        )  # fmt: skip

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        self._requests.labels(route, method, str(status)).observe(seconds)

    def answered(self, answer: Mapping[str, Any], record_seconds: float) -> None:
        """An answer that was recorded, in ``record_seconds``."""
        outcome = "refused" if answer["refused"] else "answered"
        self._answers.labels(answer["datanet"], outcome).inc()
        for stage, milliseconds in answer["timings_ms"].items():
            self._stages.labels(stage).observe(milliseconds / 1_000)
        self._stages.labels("record").observe(record_seconds)
        self._tokens.labels("read").inc(answer["usage"]["input_tokens"])
        self._tokens.labels("written").inc(answer["usage"]["output_tokens"])
        for verdict, count in Counted(claim["verdict"] for claim in answer["claims"]).items():
            self._verdicts.labels(verdict).inc(count)

    def answered_again(self) -> None:
        self._again.inc()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Around the making of an answer, its waiting included."""
        with self._under_way.track_inprogress():
            yield

    def exposition(self) -> bytes:
        """In Prometheus' text format."""
        if MULTIPROCESS not in os.environ:
            return generate_latest(self._registry)
        of_all = CollectorRegistry(auto_describe=False)
        MultiProcessCollector(of_all)  # type: ignore[no-untyped-call]
        return generate_latest(of_all)

    def _histogram(self, name: str, help_text: str, *labels: str) -> Histogram:
        return Histogram(name, help_text, labels, buckets=_SECONDS, registry=self._registry)

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(name, help_text, labels, registry=self._registry)
