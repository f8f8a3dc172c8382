"""Run schedules: the real thing, then each wrong variant.

    python -m tests.simulator [--seeds 1000] [--first 1] [--variant-seeds 60] [--jobs 2]
    python -m tests.simulator --seed 17 [--variant NAME] [--trace]

The last line of output is one JSON object. Exits with 1 where a schedule of the real thing failed,
or where a wrong variant passed them all.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from tests.simulator.run import run_seed
from tests.simulator.schedule import Outcome
from tests.simulator.variants import REAL, VARIANTS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--first", type=int, default=int(time.time()))
    parser.add_argument("--variant-seeds", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--variant", default=REAL.name)
    parser.add_argument("--trace", action="store_true")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        sys.exit(_one(arguments))
    began = time.monotonic()
    with ProcessPoolExecutor(arguments.jobs) as pool:
        seeds = range(arguments.first, arguments.first + arguments.seeds)
        result = _real(pool, seeds)
        result["variants"] = {
            name: _variant(pool, name, seeds[: arguments.variant_seeds])
            for name in VARIANTS
            if name != REAL.name
        }
    uncaught = [name for name, found in result["variants"].items() if not found["caught"]]
    result |= {
        "first": arguments.first,
        "seeds": arguments.seeds,
        "seconds": round(time.monotonic() - began, 1),
        "uncaught_variants": uncaught,
        "passed": not result["failed"] and not uncaught,
    }
    print(json.dumps(result))
    sys.exit(0 if result["passed"] else 1)


def _one(arguments: argparse.Namespace) -> int:
    outcome = run_seed(arguments.seed, arguments.variant, print if arguments.trace else None)
    print(
        json.dumps(
            {
                "seed": outcome.seed, "failures": outcome.failures[:12], "alarms": outcome.alarms,
                "receipts": outcome.receipts, "batches": outcome.batches,
                "points": outcome.points, "fingerprint": outcome.fingerprint,
            }
        )
    )  # fmt: skip
    return 1 if outcome.failures else 0


def _real(pool: ProcessPoolExecutor, seeds: range) -> dict[str, Any]:
    kinds: Counter[str] = Counter()
    coverage: Counter[str] = Counter()
    failed: dict[int, list[str]] = {}
    receipts = batches = alarmed = 0
    for done, outcome in enumerate(pool.map(_run_real, seeds, chunksize=4), start=1):
        if outcome.failures:
            failed[outcome.seed] = outcome.failures[:4]
            print(f"seed {outcome.seed}: {'; '.join(outcome.failures[:4])}", file=sys.stderr)
        kinds.update(outcome.kinds)
        coverage.update(outcome.coverage.counts)
        receipts, batches = receipts + outcome.receipts, batches + outcome.batches
        alarmed += bool(outcome.alarms)
        if done % 50 == 0:
            print(f"{done} of {len(seeds)} schedules, {len(failed)} failed", file=sys.stderr)
    return {
        "failed": failed,
        "kinds": {
            kind: kinds[kind] for kind in dict.fromkeys(("double", "lost", "stuck", *sorted(kinds)))
        },
        "receipts": receipts,
        "batches": batches,
        "alarmed": alarmed,
        "coverage": dict(sorted(coverage.items())),
    }


def _variant(pool: ProcessPoolExecutor, name: str, seeds: range) -> dict[str, Any]:
    kinds: Counter[str] = Counter()
    caught = []
    for outcome in pool.map(run_seed, seeds, [name] * len(seeds), chunksize=4):
        if outcome.failures:
            caught.append(outcome.seed)
            kinds.update(outcome.kinds)
    print(f"{name}: caught by {len(caught)} of {len(seeds)} seeds", file=sys.stderr)
    return {
        "seeds": len(seeds), "caught": len(caught), "by": dict(sorted(kinds.items())),
        "first": caught[:3],
    }  # fmt: skip


def _run_real(seed: int) -> Outcome:
    return run_seed(seed, REAL.name)


if __name__ == "__main__":
    main()
