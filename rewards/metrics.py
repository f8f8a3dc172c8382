"""Numbers for Prometheus. The door of prometheus-client.

Everything about money is read from the journal when it is asked for; the worker adds what only it
knows. A sample is a 64-bit float: amounts beyond 2^53 base units lose their last digits here, and
are exact in ``footnote status --json``.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from footnote.errors import FootnoteError, Misconfigured
from rewards.journal.journal import Journal
from rewards.marks import RolledBack
from rewards.record import Recorder
from rewards.status import Place, Status, status

CONTENT_TYPE = CONTENT_TYPE_LATEST

_PLACE = ("datanet", "ledger")
_ROUNDED = " As a 64-bit float, so exact only up to 2^53."

Clock = Callable[[], float]


@dataclass(slots=True)
class Doings:
    """What a worker counts of itself. ``alarms`` holds, by Ledger and Datanet, the name of the
    alarm in which the last look at it ended, empty without one; ``failures`` counts looks that an
    error ended which is none, such as a chain that does not answer; ``left_out`` holds the RPC
    endpoints that are not used, and why."""

    left_out: Callable[[], Mapping[str, str]] = dict
    passes: int = 0
    pass_seconds: float = 0.0
    passed_at: float = 0.0
    failures: int = 0
    leads: bool = False
    alarms: dict[tuple[bytes, str], str] = field(default_factory=dict)

    def passed(self, seconds: float, at: float) -> None:
        """A look at all Datanets ended ``at``, and took ``seconds``."""
        self.passes += 1
        self.pass_seconds += seconds
        self.passed_at = at


def exposition(journal: Journal, recorder: Recorder | None = None) -> bytes:
    """What ``GET /metrics`` answers; with ``recorder`` also whether its marks still hold."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_OfJournal(journal, time.time))
    if recorder is not None:
        registry.register(_OfMarks(recorder))
    return generate_latest(registry)


def serve(port: int, journal: Journal, doings: Doings) -> Callable[[], None]:
    """Serve the journal's numbers and a worker's on this host alone; returns what ends it.

    Raises:
        Misconfigured: the port is taken.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_OfJournal(journal, time.time))
    registry.register(_OfWorker(doings))
    try:
        server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as error:
        raise Misconfigured(
            f"metrics cannot be served on port {port}", "set FOOTNOTE_METRICS_PORT to a free one"
        ) from error

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


@dataclass(frozen=True, slots=True, eq=False)
class _OfJournal(Collector):
    journal: Journal
    clock: Clock

    def collect(self) -> Iterator[Metric]:
        up = "1 while the journal can be read; without it there is nothing more to say of money."
        try:
            found = status(self.journal, self.clock())
        except FootnoteError:
            yield GaugeMetricFamily("footnote_journal_up", up, 0)
            return
        yield GaugeMetricFamily("footnote_journal_up", up, 1)
        yield from _of_receipts(found)
        yield from _of_money(found)
        yield from _of_batches(found)
        yield from _of_ledgers(found)


@dataclass(frozen=True, slots=True, eq=False)
class _OfMarks(Collector):
    recorder: Recorder

    def collect(self) -> Iterator[Metric]:
        rolled_back = GaugeMetricFamily(
            "footnote_rolled_back",
            "1 where the journal lacks receipts that were issued, so that nothing is issued.",
            labels=["datanet"],
        )
        with contextlib.suppress(FootnoteError):  # that the journal is away is said already
            registrations = self.recorder.journal.registrations(lost=True)
            for datanet in sorted({one.datanet for one in registrations}):
                rolled_back.add_metric([datanet], float(_is_rolled_back(self.recorder, datanet)))
        yield rolled_back


@dataclass(frozen=True, slots=True, eq=False)
class _OfWorker(Collector):
    doings: Doings

    def collect(self) -> Iterator[Metric]:
        doings = self.doings
        yield CounterMetricFamily("footnote_worker_passes", "Looks at all Datanets.", doings.passes)
        yield CounterMetricFamily(
            "footnote_worker_pass_seconds",
            "What those looks took together; settling is the most of it.",
            doings.pass_seconds,
        )
        yield CounterMetricFamily(
            "footnote_worker_failures",
            "Looks that an error ended which is no alarm; the log says which, and it tries again.",
            doings.failures,
        )
        yield GaugeMetricFamily(
            "footnote_worker_last_pass_timestamp_seconds",
            "When the last look ended, in seconds since 1970; 0 before the first.",
            doings.passed_at,
        )
        yield GaugeMetricFamily(
            "footnote_worker_leads", "1 while this worker is the one that works.", doings.leads
        )
        yield GaugeMetricFamily(
            "footnote_rpc_endpoints_left_out",
            "RPC endpoints that are not used now; the log says which and why.",
            len(doings.left_out()),
        )
        alarm = GaugeMetricFamily(
            "footnote_alarm",
            "1 where the last look ended in an alarm: payment stands still until a person decides.",
            labels=(*_PLACE, "reason"),
        )
        for (ledger_id, datanet), reason in sorted(doings.alarms.items()):
            alarm.add_metric([datanet, "0x" + ledger_id.hex(), reason], float(bool(reason)))
        yield alarm


def _is_rolled_back(recorder: Recorder, datanet: str) -> bool:
    try:
        recorder.check_marks(datanet)
    except RolledBack:
        return True
    return False


def _labels(place: Place) -> list[str]:
    registration = place.registration
    return [registration.datanet, "0x" + registration.ledger.ledger_id.hex()]


def _gauge(name: str, help_text: str, values: list[tuple[list[str], float]]) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=_PLACE)
    for labels, value in values:
        family.add_metric(labels, value)
    return family


def _of_receipts(found: Status) -> Iterator[Metric]:
    issued = CounterMetricFamily("footnote_receipts", "Receipts issued.", labels=_PLACE)
    for place in found.places:
        issued.add_metric(_labels(place), place.standing.issued)
    for datanet, count in found.unpaid.items():
        issued.add_metric([datanet, ""], count)
    yield issued
    yield _gauge(
        "footnote_receipts_final",
        "Receipts in final batches.",
        [(_labels(place), place.standing.settled_to) for place in found.places],
    )
    yield _gauge(
        "footnote_receipts_pending",
        "Receipts in no final batch.",
        [(_labels(place), place.standing.waiting) for place in found.places],
    )
    yield _gauge(
        "footnote_receipts_abandoned",
        "Numbers whose receipts were lost for good and owe nothing.",
        [(_labels(place), place.standing.abandoned) for place in found.places],
    )
    yield _gauge(
        "footnote_oldest_unsettled_seconds",
        "Age of the oldest receipt in no final batch; 0 without one.",
        [(_labels(place), place.age_seconds(found.at) or 0) for place in found.places],
    )


def _of_money(found: Status) -> Iterator[Metric]:
    amounts: dict[str, tuple[str, Callable[[Place], int]]] = {
        "owed": ("All that receipts owe.", lambda place: place.standing.owed),
        "final": ("What final batches credited.", lambda place: place.standing.settled),
        "pending": ("Owed, and in no final batch.", lambda place: place.standing.pending),
        "in_flight": ("In a batch that is on its way.", lambda place: place.in_flight),
    }
    for name, (help_text, amount) in amounts.items():
        values = [(_labels(place), float(amount(place))) for place in found.places]
        yield _gauge(f"footnote_{name}_base_units", help_text + _ROUNDED, values)


def _of_batches(found: Status) -> Iterator[Metric]:
    final = CounterMetricFamily("footnote_batches_final", "Batches that are final.", labels=_PLACE)
    for place in found.places:
        final.add_metric(_labels(place), place.standing.final_batches)
    yield final
    yield _gauge(
        "footnote_batches_in_flight",
        "1 while a batch is on its way.",
        [(_labels(p), float(p.flight is not None and p.flight.moving)) for p in found.places],
    )
    held = GaugeMetricFamily(
        "footnote_batch_held", "1 while a batch waits, and why.", labels=(*_PLACE, "reason")
    )
    for place in found.places:
        if place.flight is not None and place.flight.held is not None:
            held.add_metric([*_labels(place), place.flight.held.name], 1)
    yield held


def _of_ledgers(found: Status) -> Iterator[Metric]:
    known = sorted({place.registration.ledger.ledger_id for place in found.places})
    fees = CounterMetricFamily(
        "footnote_fees_spent_wei", "What mined transactions cost." + _ROUNDED, labels=["ledger"]
    )
    lost = GaugeMetricFamily(
        "footnote_ledger_lost",
        "1 where the chain is not the Ledger's: nothing is issued into it.",
        labels=["ledger"],
    )
    for ledger_id in known:
        fees.add_metric(["0x" + ledger_id.hex()], found.fees.get(ledger_id, 0))
        lost.add_metric(["0x" + ledger_id.hex()], float(ledger_id in found.losses))
    yield fees
    yield lost
    leading = GaugeMetricFamily(
        "footnote_leads", "1 for who leads now.", labels=["lease", "holder"]
    )
    for name, holder in found.leaders.items():
        leading.add_metric([name, holder], 1)
    yield leading
