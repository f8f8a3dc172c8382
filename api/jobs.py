"""Jobs that index what was sent: made, started, shown, retried, and forgotten in time.

The work is done by a process of its own, known here by its name alone: nothing of the indexer is
imported, and no model is loaded. What a job is, and where it lies, says :mod:`footnote.jobs`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from api.uploads import Incoming, room
from footnote.errors import Busy, Conflict, NotFound, Unavailable
from footnote.files import sync
from footnote.jobs import (
    DONE,
    FAILED,
    Job,
    first_state,
    job_folder,
    job_of,
    jobs_of,
    new_job_id,
    now_text,
    uploads_folder,
    write_whole,
)
from footnote.settings import PREFIX, Settings

log = logging.getLogger(__name__)

MOST_WAITING = 32
"""Jobs of one Datanet that are not finished: each is a process."""
KEPT_JOBS = 200
KEPT_UPLOAD_SECONDS = 7 * 86_400.0
"""What a failed job was sent is kept so long for a retry."""
_ABANDONED_SECONDS = 86_400.0
_HOLD_ATTEMPTS = 200
"""A hundredth of a second apart: a process that failed takes a while to end."""
_FOR_THE_INDEXER = (
    "home", "cache", "embed", "question_prefix", "document_prefix", "device", "max_document",
)  # fmt: skip
"""How the settings begin that a job gets; of keystores and databases it learns nothing."""


def check_room(home: Path, datanet: str) -> None:
    """Raise Busy where too many jobs of the Datanet wait already."""
    waiting = 0
    for job in reversed(jobs_of(home, datanet)):
        waiting += job.is_held()
        if waiting >= MOST_WAITING:
            raise Busy(
                f"{MOST_WAITING} jobs of this Datanet are waiting",
                "send more when some are done",
                code="too-many-jobs",
                retry_after_seconds=30,
            )


def accept(settings: Settings, datanet: str, upload: Incoming, key: str | None) -> Job:
    """Make a job of what arrived and start it; the same job for the same ``key`` and upload.

    The job and its files are durable when this returns.

    Raises:
        Conflict: the key came with another upload.
        StorageFull: no room for the job.
    """
    home = settings.home
    digest = hashlib.sha256(datanet.encode() + b"\0" + upload.digest).hexdigest()
    key_hash = hashlib.sha256(key.encode()).hexdigest() if key is not None else None
    if key_hash is not None and (earlier := _earlier(home, datanet, key_hash, digest)):
        return earlier
    _sweep(home, datanet)
    job = job_folder(home, datanet, new_job_id())
    sent = {
        "id": job.job_id,
        "datanet": datanet,
        "created": now_text(),
        "files": [
            {"name": one.name, "stored": one.stored, "bytes": one.size} for one in upload.files
        ],
        "contributors": upload.contributors,
        "license": upload.license,
        "ruling": upload.ruling,
        "key": key_hash,
    }
    with room():
        lock = _written(upload, sent, job)
        try:
            if key_hash is not None and not _claim(home, key_hash, job, digest):
                shutil.rmtree(job.path)
                return _expect(_earlier(home, datanet, key_hash, digest))
            _start(settings, datanet, job, lock)
        except BaseException:
            shutil.rmtree(job.path, ignore_errors=True)
            raise
        finally:
            os.close(lock)
    return job


def retry(settings: Settings, datanet: str, job_id: str) -> Job:
    """Start a failed job again with what was sent.

    Raises:
        NotFound: no such job.
        Conflict: it is running, or done, or its upload is gone.
    """
    job = job_of(settings.home, datanet, job_id)
    lock = _held(job)
    if lock is None:
        raise Conflict("the job is being worked on", "wait for it", code="job-running")
    try:
        if job.state()["state"] == DONE or not job.files.is_dir():
            raise Conflict(
                "the job cannot be repeated", "send the documents again", code="job-ended"
            )
        with room():
            job.set_state(first_state())
        _start(settings, datanet, job, lock)
    finally:
        os.close(lock)
    return job


def job_object(job: Job) -> dict[str, Any]:
    """What a client sees of a job. Raises NotFound."""
    state = job.state()
    if state["state"] not in (DONE, FAILED) and not job.is_held():
        state = job.state()  # it may have ended between the two looks
        if state["state"] not in (DONE, FAILED):
            state |= {"state": FAILED, "error": _INTERRUPTED}
    sent = job.sent()
    return {
        "id": job.job_id,
        "object": "job",
        "datanet": sent["datanet"],
        "created": sent["created"],
        "files": [{"name": one["name"], "bytes": one["bytes"]} for one in sent["files"]],
        **state,
        "can_retry": state["state"] == FAILED and job.files.is_dir(),
    }


_INTERRUPTED = {
    "code": "interrupted",
    "detail": "The process that worked on it ended.",
    "what_to_do": "Retry the job, or send the documents again; what was done is not done twice.",
}


def newest(home: Path, datanet: str, limit: int) -> list[dict[str, Any]]:
    """The newest jobs of a Datanet, newest first."""
    found = []
    for job in list(reversed(jobs_of(home, datanet)))[:limit]:
        with suppress(NotFound):  # forgotten meanwhile
            found.append(job_object(job))
    return found


def _written(upload: Incoming, sent: dict[str, Any], job: Job) -> int:
    """The upload as ``job``, its lock held before anybody sees it; returns the lock."""
    here = Job(upload.path)
    (here.path / "lock").touch()
    lock = here.hold()
    assert lock is not None, "nobody else knows the folder"
    try:
        write_whole(here.path / "job.json", json.dumps(sent).encode(), durable=True)
        write_whole(here.path / "state.json", json.dumps(first_state()).encode(), durable=True)
        job.path.parent.mkdir(parents=True, exist_ok=True)
        os.rename(here.path, job.path)
        sync(job.path.parent)
    except BaseException:
        os.close(lock)
        shutil.rmtree(job.path, ignore_errors=True)
        raise
    return lock


def _start(settings: Settings, datanet: str, job: Job, lock: int) -> None:
    """Start the process; it holds ``lock`` as long as it lives."""
    command = [sys.executable, "-P", "-m", "indexer.job"]
    try:
        with (job.path / "log").open("ab") as output:
            process = subprocess.Popen(
                [*command, str(settings.home.absolute()), datanet, job.job_id],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environment(settings),
                pass_fds=(lock,),
                start_new_session=True,
            )
    except OSError as error:
        raise Unavailable("the job cannot be started now", "retry it in a while") from error
    threading.Thread(target=process.wait, name=f"reaper of {job.job_id}", daemon=True).start()


def _environment(settings: Settings) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    for name, value in settings:
        if name.startswith(_FOR_THE_INDEXER) and value is not None:
            path = value.absolute() if isinstance(value, Path) else value
            kept[PREFIX + name.upper()] = str(path)
    return kept


def _held(job: Job) -> int | None:
    """The job's lock. Whoever looks at a job holds it for a moment, so it is asked for twice."""
    for _ in range(_HOLD_ATTEMPTS):
        if (lock := job.hold()) is not None:
            return lock
        time.sleep(0.01)
    return None


def _key_file(home: Path, key_hash: str) -> Path:
    return uploads_folder(home) / "keys" / key_hash


def _earlier(home: Path, datanet: str, key_hash: str, digest: str) -> Job | None:
    """The job that this key made, if it is still known."""
    try:
        known = json.loads(_key_file(home, key_hash).read_bytes())
    except FileNotFoundError:
        return None
    if known["digest"] != digest:
        raise Conflict(
            "this Idempotency-Key was used with another body",
            "use a new key for another upload",
            code="idempotency-key-reused",
        )
    try:
        return job_of(home, datanet, known["job"])
    except NotFound:
        _key_file(home, key_hash).unlink(missing_ok=True)
        return None


def _claim(home: Path, key_hash: str, job: Job, digest: str) -> bool:
    """Let the key stand for ``job``; False where it stands for another one already."""
    path = _key_file(home, key_hash)
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = path.with_name(f"{key_hash}.{job.job_id}.new")
    write_whole(mine, json.dumps({"job": job.job_id, "digest": digest}).encode(), durable=True)
    try:
        os.link(mine, path)
    except FileExistsError:
        return False
    finally:
        mine.unlink()
    sync(path.parent)
    return True


def _expect(found: Job | None) -> Job:
    if found is None:
        raise Busy("a request with this Idempotency-Key is still running", "ask again shortly")
    return found


def _sweep(home: Path, datanet: str) -> None:
    """Forget old jobs, and what killed processes left."""
    _remove_old((uploads_folder(home) / "incoming").glob("*"), _ABANDONED_SECONDS)
    ended = [job for job in jobs_of(home, datanet) if not job.is_held()]
    for job in ended[: max(0, len(ended) - KEPT_JOBS + 1)]:
        with suppress(NotFound):
            if key := job.sent()["key"]:
                _key_file(home, key).unlink(missing_ok=True)
        shutil.rmtree(job.path, ignore_errors=True)
    _remove_old((job.files for job in ended), KEPT_UPLOAD_SECONDS)


def _remove_old(folders: Iterable[Path], seconds: float) -> None:
    for folder in folders:
        with suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > seconds:
                shutil.rmtree(folder, ignore_errors=True)
