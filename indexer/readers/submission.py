"""What a reader hands over: the fields of one document as they were given, unchecked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Submission:
    """One document as submitted. ``fields`` may hold title, url, license and contributors."""

    document_id: str
    text: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file or line that no reader could turn into a Submission; ``document_id`` names it."""

    document_id: str
    reason: str
