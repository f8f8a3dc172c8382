"""The power fails at random moments while answers are given.

    python -m bench.power_loss [--moments 10] [--seed N] [--control NORMAL]

``footnote serve`` answers from a home on an ext4 disk whose every write is seen (``bench.disk``).
At each moment it is noted what clients were told so far, and the disk is copied as a power loss
would leave it: with none, some and all of what it was not told to flush. Each copy is mounted, so
that ext4 and SQLite recover as they would, and every acknowledged answer must be in its journal.
At last the API is killed, started on what the newest copy holds, and asked again.

``--control`` makes the journal careless (SQLite's ``synchronous`` NORMAL or OFF): then acknowledged
answers must be lost, or the trial shows nothing. Needs root, loop devices and FUSE; where they are
denied it says so and exits with 77.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.asking import Asking, Told, told_by
from bench.disk import Disk, Kept, mount_apart
from bench.reckoning import missing
from cli.demo import CHECKOUT
from cli.stack import (
    FOOTNOTE,
    Stack,
    address_of,
    free_port,
    fresh_home,
    give_coin,
    start_anvil,
    throw_away_keys,
)
from footnote.errors import FootnoteError
from rewards.journal.journal import Journal
from rewards.keys import read_key
from rewards.marks import Marks
from rewards.record import Recorder

DATANET = "handbook"
DISK_BYTES = 64 * 2**20
NOT_PERMITTED = 77
"""EX_NOPERM of sysexits.h, and what automake takes for a skipped test."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--control", choices=("NORMAL", "OFF"), help="a journal that must lose")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", file=sys.stderr)
    if shutil.which("mkfs.ext4") is None:
        sys.exit("mkfs.ext4 is missing: install e2fsprogs")
    try:
        mount_apart()
        with tempfile.TemporaryDirectory() as folder:
            result = run(Path(folder), arguments)
    except PermissionError as error:
        print(f"power loss cannot be tried here: {error.strerror}", file=sys.stderr)
        sys.exit(NOT_PERMITTED)
    print(json.dumps(result))
    sys.exit(0 if result["passed"] else 1)


@dataclass(slots=True)
class Trial:
    """One copy of the disk, and what was found on it."""

    moment: int
    kept: Kept
    acknowledged: int
    lost: int = 0
    noticed: str | None = None
    """What the journal's owner is told of the loss, if anything."""
    broken: list[str] = field(default_factory=list)


def run(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    chance = random.Random(arguments.seed)
    home, image = fresh_home(folder), folder / "disk"
    environment = throw_away_keys(folder, home)
    with Stack(folder, environment) as stack:
        _set_up(stack, environment)
        disk = Disk(image, bytearray(_formatted(image, home)))
        port = free_port()
        serve = ["serve", "--port", str(port)]
        asking = Asking(f"http://127.0.0.1:{port}", DATANET, arguments.seed, False, 0.0)
        with disk.served(), _mounted(image, home):
            careless = (sys.executable, "-m", "bench.careless", arguments.control)
            stack.start("api", [*(careless if arguments.control else FOOTNOTE), *serve])
            stack.wait_http(f"{asking.api}/readyz")
            with asking.clients(arguments.clients, patience_seconds=0.0):
                trials, told = _moments(folder, disk, asking, arguments.moments, chance)
                os.kill(stack.pid("api"), signal.SIGKILL)
            stack.stop()
        with _mounted(folder / f"{Kept.NOTHING.value}.image", home):
            stack.start("api", [*FOOTNOTE, *serve])
            stack.wait_http(f"{asking.api}/healthz")
            repeated = _asked_again(asking, next(reversed(told)))
            stack.stop()
    return _result(arguments, trials, disk, asking, repeated)


def _result(
    arguments: argparse.Namespace,
    trials: list[Trial],
    disk: Disk,
    asking: Asking,
    repeated: str,
) -> dict[str, Any]:
    lost = {kept: sum(t.lost for t in trials if t.kept is kept) for kept in Kept}
    losing = sum(trial.lost > 0 for trial in trials)
    broken = [problem for trial in trials for problem in trial.broken]
    careful = not losing and not broken and repeated == "the same"
    return {
        "seed": arguments.seed,
        "control": arguments.control,
        "moments": arguments.moments,
        "copies": len(trials),
        "acknowledged": len(asking.told),
        "disk_writes": disk.writes,
        "disk_flushes": disk.flushes,
        "copies_that_lost": losing,
        "lost_by_what_was_kept": {kept.value: count for kept, count in lost.items()},
        "most_lost": max(trial.lost for trial in trials),
        "losses_noticed_by_the_mark": sum(t.noticed is not None for t in trials if t.lost),
        "broken": broken[:5],
        "client_errors": asking.errors[:5],
        "asked_again": repeated,
        "passed": bool(asking.told)
        and not asking.errors
        and (losing > 0 if arguments.control else careful),
    }


def _set_up(stack: Stack, environment: dict[str, str]) -> None:
    """A registered Datanet, so that answers are signed and owe; the chain may go afterwards."""
    rpc_url = environment["FOOTNOTE_RPC_URL"] = start_anvil(stack, CHECKOUT)
    give_coin(rpc_url, address_of(stack.folder, "owner"), 10**24)
    stack.run(["ingest", DATANET, str(CHECKOUT / "examples" / "handbook")])
    for command in (["deploy"], ["register", DATANET]):
        stack.run(command)


def _formatted(image: Path, content: Path) -> bytes:
    """An ext4 disk with the files of a folder."""
    image.write_bytes(b"")
    os.truncate(image, DISK_BYTES)
    subprocess.run(
        ["mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0",
         "-d", str(content), str(image)],
        check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return image.read_bytes()


@contextlib.contextmanager
def _mounted(image: Path, place: Path) -> Iterator[None]:
    """Through a loop device, as a disk is.

    Raises:
        PermissionError: this machine does not let us.
    """
    command = ["mount", "-t", "ext4", "-o", "loop", str(image), str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PermissionError(1, f"an image cannot be mounted: {done.stderr.strip()}")
    try:
        yield
    finally:
        _unmount(place)


def _unmount(place: Path) -> None:
    for _ in range(50):
        if subprocess.run(["umount", str(place)], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)
    subprocess.run(["umount", "-l", str(place)], check=True)


def _moments(
    folder: Path, disk: Disk, asking: Asking, moments: int, chance: random.Random
) -> tuple[list[Trial], dict[str, Told]]:
    """Copies of the disk at random moments, each looked into while answers go on; and what was
    acknowledged when the last one was made."""
    trials = []
    told: dict[str, Told] = {}
    place = folder / "copy"
    place.mkdir()
    for moment in range(moments):
        time.sleep(chance.uniform(0.2, 2.0))
        told = asking.told_so_far()  # first what was acknowledged, then what the disk holds
        for kept in Kept:
            image = folder / f"{kept.value}.image"
            image.write_bytes(disk.after_power_loss(kept, chance))
            with _mounted(image, place):
                trials.append(_looked_into(Trial(moment, kept, len(told)), place, told))
        shown = ", ".join(f"{t.kept.value} {t.lost}" for t in trials[-len(Kept) :])
        print(f"moment {moment}: {len(told)} acknowledged, lost: {shown}", file=sys.stderr)
    return trials, told


def _looked_into(trial: Trial, home: Path, told: dict[str, Told]) -> Trial:
    try:
        found = missing(told, home / "journal.sqlite")
        trial.lost = len(found)
        with contextlib.closing(sqlite3.connect(home / "journal.sqlite")) as rows:
            (verdict,) = rows.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            trial.broken.append(f"integrity_check: {verdict}")
        trial.noticed = _noticed(home)
        if trial.noticed and not trial.lost:
            trial.broken.append(trial.noticed)
    except sqlite3.DatabaseError as error:  # even the table may be gone
        trial.lost = len(told)
        trial.broken.append(f"{type(error).__name__}: {error}")
    return trial


def _noticed(home: Path) -> str | None:
    """What the API would say that found this home, if anything keeps it from issuing."""
    keys = home.parent / "keys"
    signer = read_key(keys / "signer.json", keys / "signer.pass", "FOOTNOTE_SIGNER_KEYSTORE")
    journal = Journal(f"sqlite:///{home / 'journal.sqlite'}")
    try:
        Recorder(journal, signer, Marks(home / "marks")).check(DATANET)
    except FootnoteError as error:
        return error.what
    finally:
        journal.close()
    return None


def _asked_again(asking: Asking, key: str) -> str:
    """Whether a key that was answered before the loss gives the same answer after it."""
    reply = httpx.post(
        f"{asking.api}/v1/answers",
        json={"datanet": DATANET, "question": asking.questions[key]},
        headers={"Idempotency-Key": key},
        timeout=60.0,
    )
    if reply.status_code != 200:
        return f"status {reply.status_code}: {reply.text[:200]}"
    return "the same" if told_by(reply.json()) == asking.told[key] else "another answer"


if __name__ == "__main__":
    main()
