"""Jobs as they lie on disk: what was sent to be indexed, and how far that is.

    HOME/uploads/
        incoming/<id>/                  while a body arrives; what a killed process left is swept
        keys/<SHA-256>                  the job that an Idempotency-Key made
        jobs/<datanet>/<id>/
            job.json                    what was sent; never changes
            state.json                  how far it is; replaced as a whole
            lock                        held by whoever works on it, from before it can be seen
            files/                      what was sent, under names of our own; gone when done

The API writes jobs, a process of the indexer works on one each, and both read them here. A job that
is not finished and whose lock nobody holds was interrupted: the system frees the lock of a process
however it ends. Ids sort by time, and jobs of a Datanet are worked on in that order.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from footnote.errors import NotFound
from footnote.files import sync

QUEUED, RUNNING, DONE, FAILED = "queued", "running", "done", "failed"
_ID = re.compile(r"job_[0-9a-f]{24}")


def new_job_id() -> str:
    """Greater than all before it, as far as the clock goes."""
    return f"job_{time.time_ns():016x}{secrets.token_hex(4)}"


def uploads_folder(home: Path) -> Path:
    """What was sent over HTTP lies below it."""
    return home / "uploads"


def now_text() -> str:
    """The time as jobs show it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def first_state() -> dict[str, Any]:
    """Of a job that waits."""
    return {
        "state": QUEUED,
        "started": None,
        "finished": None,
        "progress": None,
        "counts": {"added": 0, "changed": 0, "unchanged": 0, "refused": 0},
        "refused": [],
        "snapshot": None,
        "error": None,
    }


@dataclass(frozen=True, slots=True)
class Job:
    """One job's folder, whether or not it exists."""

    path: Path

    @property
    def job_id(self) -> str:
        return self.path.name

    @property
    def files(self) -> Path:
        return self.path / "files"

    def sent(self) -> dict[str, Any]:
        """What was sent. Raises NotFound where there is no such job."""
        return _read(self.path / "job.json")

    def state(self) -> dict[str, Any]:
        """How far it is, as its process last said. Raises NotFound."""
        return _read(self.path / "state.json")

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Replace the state as a whole; durable once it is final."""
        final = state["state"] in (DONE, FAILED)
        write_whole(self.path / "state.json", json.dumps(state).encode(), durable=final)

    def hold(self) -> int | None:
        """Take the job's lock; its file descriptor, or None where somebody holds it.

        A process that inherits the descriptor holds it too."""
        return self._lock(fcntl.LOCK_EX)

    def is_held(self) -> bool:
        """Whether somebody works on it."""
        try:
            found = self._lock(fcntl.LOCK_SH)
        except FileNotFoundError:
            return False
        if found is not None:
            os.close(found)
        return found is None

    def _lock(self, kind: int) -> int | None:
        descriptor = os.open(self.path / "lock", os.O_RDWR)
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor


def job_of(home: Path, datanet: str, job_id: str) -> Job:
    """The job of that id. Raises NotFound where there is none."""
    found = Job(_jobs_folder(home, datanet) / job_id)
    if not _ID.fullmatch(job_id) or not found.path.is_dir():
        raise NotFound("no such job", "list them with GET /v1/datanets/{datanet}/jobs")
    return found


def jobs_of(home: Path, datanet: str) -> list[Job]:
    """The jobs of a Datanet, oldest first."""
    try:
        names = os.listdir(_jobs_folder(home, datanet))
    except FileNotFoundError:
        return []
    return [Job(_jobs_folder(home, datanet) / name) for name in sorted(names)]


def job_folder(home: Path, datanet: str, job_id: str) -> Job:
    """Where a new job goes."""
    return Job(_jobs_folder(home, datanet) / job_id)


def _jobs_folder(home: Path, datanet: str) -> Path:
    return uploads_folder(home) / "jobs" / datanet


def write_whole(path: Path, content: bytes, *, durable: bool) -> None:
    """Replace ``path`` by ``content``: whoever reads it finds the one before or this one."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    with new.open("wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(new, path)
    if durable:
        sync(path.parent)


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise NotFound("no such job", "send the documents again") from None
    return found
