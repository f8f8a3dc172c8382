"""What a reader hands over: the fields of one document as they were given, unchecked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Submission:
    """One document as submitted. ``fields`` may hold id, title, url, license and contributors;
    ``heading`` is its title where nobody gives one; ``hidden`` counts the passages that a reader
    left out because a person would not see them."""

    document_id: str
    text: str
    fields: Mapping[str, Any]
    heading: str | None = None
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file or line that no reader could turn into a Submission; ``document_id`` names it."""

    document_id: str
    reason: str
    code: str = "document-unreadable"
    what_to_do: str = "mend it and send it again"
