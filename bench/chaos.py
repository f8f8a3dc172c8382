"""Everything killed, frozen and cut off at random while answers are given and paid.

    python -m bench.chaos [--minutes 10] [--seed N] [--only "kill worker" …]

Starts a private chain, Redis, API and one to three workers over the example Datanet. Clients ask
over HTTP with Idempotency-Keys and retry what was cut off. Meanwhile processes are ended with
SIGKILL or frozen, the lines between workers and chain are cut in several ways, and the chain
reorganises, forgets transactions and raises its fees. Then everything is mended, and when the
workers have caught up, journal and chain must hold what the clients were told: every acknowledged
answer once, every address credited what it is owed.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.asking import Asking
from bench.proxy import Proxy
from bench.reckoning import Reckoning, reckon
from bench.scene import DATANET, Fault, Scene
from cli.stack import Stack, free_port, fresh_home, throw_away_keys

HASTE = {
    "BATCH_AGE_SECONDS": "1",
    "IDLE_BATCH_AGE_SECONDS": "1",
    "POLL_SECONDS": "1",
    "LEASE_SECONDS": "3",
    "RESEND_SECONDS": "4",
}
"""So that ten minutes hold many batches, takeovers and replacements."""


def main() -> None:
    arguments = _arguments()
    folder = Path(tempfile.mkdtemp())
    print(f"seed {arguments.seed}; kept if it fails: {folder}", file=sys.stderr)
    result = run(folder, arguments)
    if result["passed"]:
        shutil.rmtree(folder)
    print(json.dumps(result))
    sys.exit(0 if result["passed"] else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--workers", type=int, choices=(1, 2, 3), help="by chance if not given")
    parser.add_argument("--endpoints", type=int, default=1, help="RPC endpoints of each worker")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--every", type=float, default=4.0, help="seconds between faults, at most")
    parser.add_argument("--only", nargs="+", default=(), help="only these kinds of faults")
    return parser.parse_args()


def run(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """The whole trial; returns what is printed."""
    chance = random.Random(arguments.seed)
    workers = arguments.workers or chance.randint(1, 3)
    environment = throw_away_keys(folder, fresh_home(folder))
    environment |= {f"FOOTNOTE_{name}": value for name, value in HASTE.items()}
    with Stack(folder, environment) as stack, ExitStack() as lines:
        scene = Scene(stack, environment, free_port(), free_port())
        scene.set_up()
        for _ in range(workers):
            proxies = [Proxy(scene.chain_port) for _ in range(arguments.endpoints)]
            scene.lines.append([lines.enter_context(proxy.running()) for proxy in proxies])
        faults = _wanted(scene.faults(), arguments.only)
        scene.start_all()
        asking = Asking(scene.api, DATANET, arguments.seed)
        with asking.clients(arguments.clients):
            struck = scene.trouble(faults, arguments.minutes * 60, arguments.every, chance)
        quiet = scene.wait_quiet()
        found = reckon(asking.told, folder / "home" / "journal.sqlite", environment)
    return _result(arguments, workers, struck, asking, scene.ended, quiet, found, folder / "logs")


def _result(
    arguments: argparse.Namespace,
    workers: int,
    struck: Counter[str],
    asking: Asking,
    ended: list[str],
    quiet: float | None,
    found: Reckoning,
    logs: Path,
) -> dict[str, Any]:
    said = _in_logs(logs)
    failures = [asking.given_up, asking.errors, ended, said["alarms"], said["tracebacks"]]
    return {
        "seed": arguments.seed,
        "minutes": arguments.minutes,
        "workers": workers,
        "endpoints": arguments.endpoints,
        "faults": dict(sorted(struck.items())),
        "requests": asking.requests,
        "acknowledged": len(asking.told),
        "cut_off": asking.cut,
        "put_off": dict(asking.put_off),
        "asked_twice": asking.asked_twice,
        "never_answered": len(asking.given_up),
        "client_errors": asking.errors[:10],
        "ended_by_themselves": ended,
        "quiet_after_seconds": quiet,
        **said,
        **found.as_json(),
        "passed": quiet is not None
        and found.good
        and len(asking.told) == found.receipts > 0
        and not any(failures),
    }


def _wanted(faults: list[Fault], kinds: Sequence[str]) -> list[Fault]:
    known = {fault.kind for fault in faults}
    if unknown := set(kinds) - known:
        sys.exit(f"no such fault: {', '.join(sorted(unknown))}; there are {sorted(known)}")
    return [fault for fault in faults if not kinds or fault.kind in kinds]


def _in_logs(logs: Path) -> dict[str, Any]:
    """Alarms and tracebacks; the first of each is shown."""
    lines = [
        f"{log.stem}: {line}"
        for log in sorted(logs.glob("*.log"))
        for line in log.read_text("utf-8", "replace").splitlines()
    ]
    alarms = [line for line in lines if "ALARM" in line]
    return {
        "alarms": len(alarms),
        "tracebacks": sum("Traceback" in line for line in lines),
        "first_alarm": alarms[0] if alarms else None,
    }


if __name__ == "__main__":
    main()
