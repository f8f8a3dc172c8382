"""Run schedules against the real thing.

    python -m tests.faults [--seeds 100] [--first 1] [--postgresql] [--trace]

The last line of output is one JSON object. Exits with 1 where a schedule failed; its folder, with
journal and logs, is kept and named.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.faults.schedule import Outcome, Site, run_seed

SCHEDULES_PER_SITE = 20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=int(time.time()))
    parser.add_argument("--postgresql", action="store_true", help="journals on a server")
    parser.add_argument("--trace", action="store_true")
    arguments = parser.parse_args()
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="footnote-faults-"))
    outcomes = _run(arguments, folder)
    result = _summary(outcomes) | {
        "first": arguments.first,
        "seeds": arguments.seeds,
        "postgresql": arguments.postgresql,
        "seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps(result))
    sys.exit(0 if result["passed"] else 1)


def _run(arguments: argparse.Namespace, folder: Path) -> list[Outcome]:
    """Each in turn; a site serves some of them, and one more after its chain was reset."""
    outcomes: list[Outcome] = []
    site: Site | None = None
    used = 0
    try:
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            if site is None or used >= SCHEDULES_PER_SITE:
                if site is not None:
                    site.close()
                home = folder / f"site-{seed}"
                home.mkdir()
                site, used = Site(home, postgresql=arguments.postgresql), 0
            outcome = run_seed(seed, site, print if arguments.trace else _silent)
            used = used + 1 if outcome.disaster != "reset chain" else SCHEDULES_PER_SITE
            outcomes.append(outcome)
            text = "; ".join(outcome.failures[:3]) or "ok"
            print(
                f"seed {seed}: {outcome.receipts} receipts, {outcome.batches} batches, "
                f"{outcome.seconds:.1f} s, disaster: {outcome.disaster}: {text}",
                file=sys.stderr,
            )
    finally:
        if site is not None:
            site.close()
    return outcomes


def _silent(text: str) -> None:
    """Without --trace."""


def _summary(outcomes: list[Outcome]) -> dict[str, Any]:
    coverage: Counter[str] = Counter()
    kinds: Counter[str] = Counter({"double": 0, "lost": 0, "stuck": 0})
    for outcome in outcomes:
        coverage.update(outcome.coverage)
        kinds.update({failure.split(":")[0] for failure in outcome.failures})
    failed = {outcome.seed: outcome.failures[:4] for outcome in outcomes if outcome.failures}
    return {
        "passed": not failed,
        "failed": failed,
        "kinds": dict(kinds),
        "receipts": sum(outcome.receipts for outcome in outcomes),
        "batches": sum(outcome.batches for outcome in outcomes),
        "alarmed": sum(bool(outcome.alarms) for outcome in outcomes),
        "coverage": dict(sorted(coverage.items())),
    }


if __name__ == "__main__":
    main()
