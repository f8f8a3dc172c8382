"""What an ingest did, and what it did not take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """A document that was not taken, or a ``file`` that could not be read."""

    document_id: str
    reason: str
    file: str
    code: str
    what_to_do: str


@dataclass(slots=True)
class Report:
    """What an ingest did; the last line of output with ``--json``."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    marked: list[dict[str, Any]] = field(default_factory=list)
    """Documents with hidden passages, which were left out, or with instructions to machines."""
    chunks: int = 0
    chunks_embedded: int = 0
    seconds: float = 0.0
    snapshot: str = ""
    unreadable: int = 0
    prune_skipped: bool = False

    @property
    def refused(self) -> list[dict[str, str]]:
        """Which documents, and why."""
        return [{"id": one.document_id, "reason": one.reason} for one in self.refusals]

    def as_json(self) -> dict[str, Any]:
        hidden = {"unreadable", "prune_skipped"} | (set() if self.marked else {"marked"})
        shown = ["refused" if name == "refusals" else name for name in self.__slots__]
        return {name: getattr(self, name) for name in shown if name not in hidden}
