"""Reads hostile files where they can do no harm: in a process of its own, with limits.

One process reads file after file, since starting it costs more than most files do. A file that
ends it, or takes too long, is refused by name; the next file gets a new process.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from types import TracebackType
from typing import Any, Self

from indexer.readers.frames import Ended, TooLate, receive, send
from indexer.readers.limits import Limits
from indexer.readers.submission import Submission, Unreadable

TOO_COSTLY = "document-too-costly"
_WHAT_TO_DO = "save it again from the program that made it, or split it"
_LONGEST_ESCAPE = 6
"""Bytes that JSON may take for a byte of text."""
_BESIDES = 10_000_000
"""Room in an answer for what is not the text."""


class IsolatedReader:
    """A process that reads, started when it is first needed. Not for several threads."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def read(self, kind: str, name: str, data: bytes) -> Submission | Unreadable:
        """What the reader for files ending in ``kind`` makes of ``data``."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        until = time.monotonic() + self.limits.wall_seconds
        longest = _LONGEST_ESCAPE * max(self.limits.text_bytes, len(data)) + _BESIDES
        try:
            send(process.stdin.fileno(), json.dumps([kind, name]).encode())
            send(process.stdin.fileno(), data)
            answer = json.loads(receive(process.stdout.fileno(), longest, until))
        except TooLate:
            self.close()
            seconds = f"{self.limits.wall_seconds:g}"
            return self._costly(name, f"reading it takes over {seconds} seconds")
        except Ended:
            return self._costly(name, self._why_ended())
        if answer["worn"]:
            self.close()
        return self._result(answer)

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    @property
    def pid(self) -> int | None:
        """Of the process that would read the next file; None while there is none."""
        return self._process.pid if self._process else None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.close()  # ended between two files: no file's fault
        if self._process is None:
            limits = self.limits
            numbers = (limits.memory_bytes, limits.cpu_seconds, limits.text_bytes)
            # -P: nothing in the folder where a person stands may pass for a module.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "indexer.readers.confined", *map(str, numbers)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
        return self._process

    def _result(self, answer: dict[str, Any]) -> Submission | Unreadable:
        if "costs" in answer:
            room = f"{self.limits.memory_bytes >> 20:,} MB"
            return self._costly(answer["refused"], f"reading it takes over {room} of memory")
        if "refused" in answer:
            return Unreadable(answer["refused"], answer["reason"])
        fields = {**answer["fields"], "text": answer["text"]} if answer["fields"] else {}
        return Submission(answer["id"], answer["text"], fields, answer["heading"], answer["hidden"])

    def _why_ended(self) -> str:
        assert self._process is not None
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:  # it answered nonsense
            code = 0
        self.close()
        if code == -signal.SIGXCPU:
            return f"reading it takes over {self.limits.cpu_seconds} seconds of computing"
        return "its reader broke down on it"

    @staticmethod
    def _costly(name: str, reason: str) -> Unreadable:
        return Unreadable(name, reason, TOO_COSTLY, _WHAT_TO_DO)
