"""What a person sees while an ingest runs. The door of rich's progress bar."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)


class Reporter(Protocol):
    """Told how far a long work is."""

    def stage(self, name: str, total: int, unit: str) -> None:
        """A stage of ``total`` units begins."""

    def advance(self, units: int, note: str = "") -> None:
        """``units`` more are done; ``note`` says so in the stage's own words."""


class Silent:
    """Reports nothing."""

    def stage(self, name: str, total: int, unit: str) -> None: ...

    def advance(self, units: int, note: str = "") -> None: ...


class Terminal:
    """A bar with rate and time left on standard error."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description:>10}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            TextColumn("{task.fields[rate]}"),
            console=Console(stderr=True),
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def stage(self, name: str, total: int, unit: str) -> None:
        self._unit = unit
        self._task = self._bar.add_task(name, total=total, note="", rate="")

    def advance(self, units: int, note: str = "") -> None:
        if self._task is not None:
            speed = self._bar.tasks[self._task].speed
            rate = f"{speed:,.0f} {self._unit}/s" if speed else ""
            self._bar.update(self._task, advance=units, note=note, rate=rate)


class Lines:
    """A plain line every few seconds on standard error, for logs and pipes."""

    def __init__(self, every_seconds: float = 5.0) -> None:
        self._every_seconds = every_seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def stage(self, name: str, total: int, unit: str) -> None:
        self._name, self._total, self._done, self._unit = name, total, 0, unit
        self._began = self._said = time.monotonic()

    def advance(self, units: int, note: str = "") -> None:
        self._done += units
        now = time.monotonic()
        if now - self._said < self._every_seconds:
            return
        self._said = now
        share = self._done / max(self._total, 1)
        spent = max(now - self._began, 1e-9)
        left = spent * (1 - share) / max(share, 1e-9)
        rate = f"{self._done / spent:,.0f} {self._unit}/s"
        print(
            f"{self._name}: {share:.0%}, {rate}, {left:.0f} s left; {note}",
            file=sys.stderr,
            flush=True,
        )


def reporter() -> Terminal | Lines:
    """The one that fits standard error."""
    return Terminal() if sys.stderr.isatty() else Lines()
