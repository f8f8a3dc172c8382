"""How many answers a second are recorded when several threads record at once, with a commit for
each and with commits that they share; durable before any of them returns.

    python -m bench.commits [--seconds 3] [--rounds 3] [--folder DIR]

In each round every case takes its turn, so that both sides of a ratio see the same machine. Prints
the median of the rounds. DIR must lie on the disk that is meant: a RAM disk flushes nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from footnote.ids import sha256
from rewards.journal.journal import Journal
from rewards.journal.together import Together
from rewards.ledger import Registration, SignerTerm
from rewards.marks import Marks
from rewards.policy import Policy
from rewards.record import Recorder
from tests.money import FAR, address, key_of, paying
from tests.postgres import Postgres, server_program

THREADS = (1, 8, 32)
SIGNER = key_of("commits")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.commits", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as made:
        folder = Path(made)
        _print("SQLite, synchronous FULL", _measured(f"sqlite:///{folder}/j.sqlite", arguments))
        if server_program("postgres") is not None:
            with Postgres() as server, server.database() as url:
                _print("PostgreSQL, synchronous_commit", _measured(url, arguments))


Rates = dict[tuple[int, bool], list[float]]
"""Answers a second in each round, by the number of threads and whether they share commits."""


def _measured(url: str, arguments: argparse.Namespace) -> Rates:
    rates: Rates = {}
    with closing(_journal(url)) as journal, _marks() as marks:
        shared = Recorder(journal, SIGNER, marks)
        alone = replace(shared)
        object.__setattr__(alone, "_together", Together(alone._record_all, most=1))
        _rate(shared, 4, 0.5)  # warm
        for _ in range(arguments.rounds):
            for threads in THREADS:
                for recorder in (alone, shared):
                    found = _rate(recorder, threads, arguments.seconds)
                    rates.setdefault((threads, recorder is shared), []).append(found)
    return rates


def _journal(url: str) -> Journal:
    journal = Journal(url)
    journal.add_ledger(FAR)
    terms = (SignerTerm(SIGNER.address, 1_700_000_000),)
    journal.register(Registration("eips", FAR, sha256(b"eips"), address(80), terms))
    journal.set_policy("eips", Policy(daily_budget=None, daily_limit_per_address=None))
    return journal


@contextmanager
def _marks() -> Iterator[Marks]:
    with tempfile.TemporaryDirectory() as folder:
        yield Marks(Path(folder))


def _rate(recorder: Recorder, threads: int, seconds: float) -> float:
    counts = [0] * threads
    began = time.perf_counter()

    def run(number: int) -> None:
        while time.perf_counter() - began < seconds:
            recorder.record(paying(number + 1))
            counts[number] += 1

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return sum(counts) / (time.perf_counter() - began)


def _print(name: str, rates: Rates) -> None:
    medians = {case: statistics.median(found) for case, found in rates.items()}
    print(f"{name}\n{'threads':>8} {'a commit each':>14} {'shared':>10} {'ratio':>6}")
    for threads in THREADS:
        alone, shared = medians[threads, False], medians[threads, True]
        print(f"{threads:>8} {alone:>12.0f}/s {shared:>8.0f}/s {shared / alone:>6.2f}")
    rounded = {
        f"{threads} {'shared' if shared else 'alone'}": [round(one, 1) for one in found]
        for (threads, shared), found in rates.items()
    }
    print(json.dumps({name: rounded}))


if __name__ == "__main__":
    main()
