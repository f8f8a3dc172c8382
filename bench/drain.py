"""The worker of the settings, timed from within, until every receipt is final.

    python -m bench.drain

Run by ``bench.settle`` in a process of its own, so that the memory is the worker's. Prints one JSON
object. Time is counted where it is spent: a call's own time is what it takes without the timed
calls that it makes.
"""

from __future__ import annotations

import functools
import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import rewards.settler
from footnote.settings import read_settings
from rewards.chain import Chain
from rewards.journal.journal import Journal
from rewards.keys import Key
from rewards.worker import Worker, build_worker

STAGES = {
    "read": ("payables", "receipts"),
    "check": ("is_whole", "is_vouched_for"),
    "plan": ("longest_prefix", "is_due", "batch_of", "most_payable", "plan"),
    "estimate": ("settle_gas", "fees", "l1_fee", "balance", "nonce", "settle_transaction"),
    "sign": ("sign_transaction", "store_attempt", "take_nonce"),
    "send": ("send", "mark_sent"),
}
"""Timed calls by stage; all others are ``look``: at the journal's stages and at the chain."""

TURNS = ("send", "mark_mined", "mark_final")


@dataclass(slots=True)
class Clock:
    """Own seconds by stage, for one thread; and when a Batch came to a new stage."""

    spent: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    turns: list[tuple[str, float]] = field(default_factory=list)
    _inner: list[float] = field(default_factory=lambda: [0.0])

    def timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        stage = next((stage for stage, names in STAGES.items() if name in names), "look")

        @functools.wraps(call)
        def timing(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            if name in TURNS:
                self.turns.append((name, began))
            self._inner.append(0.0)
            try:
                return call(*given, **named)
            finally:
                whole = time.perf_counter() - began
                self.spent[stage] += whole - self._inner.pop()
                self._inner[-1] += whole

        return timing

    def between(self, start: str, end: str) -> float:
        """Seconds from each ``start`` to the ``end`` that follows it, in all."""
        pairs = pairwise(turn for turn in self.turns if turn[0] in (start, end))
        return sum(b[1] - a[1] for a, b in pairs if (a[0], b[0]) == (start, end))


class Timed:
    """Anything, with the time of its methods noted."""

    def __init__(self, inner: object, clock: Clock) -> None:
        self._inner, self._clock = inner, clock

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._clock.timed(name, found) if callable(found) else found


def timed_worker(clock: Clock) -> Worker:
    """The worker of the settings, its journal, chain and key timed."""
    for name in (*STAGES["check"], "longest_prefix", "is_due", "batch_of"):
        setattr(rewards.settler, name, clock.timed(name, getattr(rewards.settler, name)))
    worker = build_worker(read_settings())
    settler = worker.settler
    worker.settler = replace(
        settler,
        journal=cast(Journal, Timed(settler.journal, clock)),
        chain=cast(Chain, Timed(settler.chain, clock)),
        key=cast(Key, Timed(settler.key, clock)),
    )
    return worker


@dataclass(slots=True)
class Watch:
    """Looks at progress and memory twice a second, and ends the worker when all is final."""

    journal: Journal
    stop: threading.Event
    settled: list[tuple[int, int]] = field(default_factory=list)
    """(receipts final, resident bytes)"""

    def run(self) -> None:
        (registration,) = self.journal.registrations()
        ledger_id, datanet = registration.ledger.ledger_id, registration.datanet
        owed = self.journal.next_seq(ledger_id, datanet)
        while not self.stop.wait(0.5):
            final = self.journal.settled_to(ledger_id, datanet)
            self.settled.append((final, resident_bytes(os.getpid())))
            if final >= owed:
                self.stop.set()

    def memory(self) -> dict[str, float]:
        """MiB at most, and how much more in the last quarter than in the first, once warm."""
        whole = self.settled[-1][0]
        warm = [row for row in self.settled if row[0] > 0]
        first = [held for final, held in warm if final <= whole / 4]
        last = [held for final, held in warm if final >= 3 * whole / 4]
        growth = max(last) - max(first or last)
        return {
            "peak_mib": round(max(held for _, held in self.settled) / 2**20, 1),
            "growth_mib": round(growth / 2**20, 1),
        }


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    clock, stop = Clock(), threading.Event()
    worker = timed_worker(clock)
    watch = Watch(Journal(read_settings().journal), stop)
    watching = threading.Thread(target=watch.run)
    began, cpu = time.perf_counter(), time.process_time()
    watching.start()
    worker.run(stop)
    whole, busy = time.perf_counter() - began, sum(clock.spent.values())
    watching.join()
    print(
        json.dumps(
            {
                "seconds": round(whole, 2),
                "cpu_seconds": round(time.process_time() - cpu, 2),
                "by_stage": {name: round(spent, 2) for name, spent in sorted(clock.spent.items())},
                "asleep": round(whole - busy, 2),
                "until_mined": round(clock.between("send", "mark_mined"), 2),
                "until_final": round(clock.between("mark_mined", "mark_final"), 2),
                **watch.memory(),
            }
        )
    )


if __name__ == "__main__":
    main()
