"""The process that indexes what was sent over HTTP: one job, then it ends.

    python -m indexer.job HOME DATANET JOB

The API starts it in a session of its own with the job's lock already held, and knows it by its
name alone. What it does is what ``footnote ingest`` does; how far it is stands in the job's state.
"""

from __future__ import annotations

import resource
import shutil
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from footnote.errors import Busy, FootnoteError
from footnote.jobs import DONE, FAILED, QUEUED, RUNNING, Job, first_state, job_of, jobs_of, now_text
from footnote.settings import read_settings

if TYPE_CHECKING:
    from indexer.report import Report

_LOOK_AGAIN_SECONDS = 0.2
_SHOW_EVERY_SECONDS = 0.5
_MOST_REFUSALS = 1_000
"""Named in a job's state; all are counted."""


class _Progress:
    """Tells the job's state what a person would see of ``footnote ingest``."""

    def __init__(self, job: Job, state: dict[str, Any]) -> None:
        self._job = job
        self._state = state
        self._shown = 0.0

    def stage(self, name: str, total: int, unit: str) -> None:
        self._state["state"] = RUNNING
        self._state["progress"] = {"stage": name, "done": 0, "total": total, "unit": unit}
        self._job.set_state(self._state)

    def advance(self, units: int, note: str = "") -> None:
        self._state["progress"]["done"] += units
        if time.monotonic() - self._shown > _SHOW_EVERY_SECONDS:
            self._shown = time.monotonic()
            self._job.set_state(self._state)


def main() -> None:
    """Work on one job; what comes of it is its state, never an exit code."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    home, datanet, job_id = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    job = job_of(home, datanet, job_id)
    state = first_state()
    try:
        _wait_for_earlier(home, datanet, job)
        _tell(job, state, state=RUNNING, started=now_text())
        report = _ingested(datanet, job, state)
        _tell(job, state, state=DONE, finished=now_text(), **_outcome(report))
        shutil.rmtree(job.files, ignore_errors=True)
    except FootnoteError as error:
        _fail(job, state, error.code, error.what, error.what_to_do)
    except Exception as error:
        traceback.print_exc()
        name = type(error).__name__
        _fail(job, state, "broken", f"a bug ({name})", "retry the job, and report it")


def _wait_for_earlier(home: Path, datanet: str, job: Job) -> None:
    """Until no earlier job of the Datanet is worked on: of two versions the later sent one stays.

    Before a model is loaded, so that a waiting job costs little."""
    while any(one.is_held() for one in reversed(jobs_of(home, datanet)) if one.job_id < job.job_id):
        time.sleep(_LOOK_AGAIN_SECONDS)


def _ingested(datanet: str, job: Job, state: dict[str, Any]) -> Report:
    # These load indexes and models, which a waiting job must not.
    from indexer.admission import Defaults
    from indexer.commands import indexer_of
    from indexer.readers.files import SourceFile
    from indexer.review import ruled

    sent = job.sent()
    indexer = indexer_of(read_settings(), datanet, _Progress(job, state))
    ruling = sent.get("ruling")  # jobs of older Footnotes have none
    files = [
        SourceFile(job.files / file["stored"], file["name"], job.files) for file in sent["files"]
    ]
    defaults = Defaults(tuple(sent["contributors"]), sent["license"])
    while True:
        try:
            if ruling is not None:
                return indexer.review(lambda *of: ruled(*of, **ruling))
            return indexer.ingest(files, defaults)
        except Busy:  # somebody ingests from the command line
            _tell(job, state, state=QUEUED, progress=None)
            time.sleep(_LOOK_AGAIN_SECONDS)


def _outcome(report: Report) -> dict[str, Any]:
    return {
        "counts": {
            "added": report.added,
            "changed": report.updated,
            "unchanged": report.unchanged,
            "refused": len(report.refusals),
        },
        "refused": [
            {
                "file": refusal.file,
                "document_id": refusal.document_id,
                "code": refusal.code,
                "detail": refusal.reason,
                "what_to_do": refusal.what_to_do,
            }
            for refusal in report.refusals[:_MOST_REFUSALS]
        ],
        "snapshot": report.snapshot or None,
    }


def _fail(job: Job, state: dict[str, Any], code: str, detail: str, what_to_do: str) -> None:
    error = {"code": code, "detail": detail, "what_to_do": what_to_do}
    _tell(job, state, state=FAILED, finished=now_text(), error=error)


def _tell(job: Job, state: dict[str, Any], /, **news: Any) -> None:
    state.update(news)
    job.set_state(state)


if __name__ == "__main__":
    main()
