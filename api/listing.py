"""The documents of a snapshot, page by page."""

from __future__ import annotations

import base64
import binascii
import re
import sqlite3
from contextlib import closing
from typing import Any

from footnote.errors import Invalid
from rag.index.snapshot import CATALOGUE, Snapshot

_FIELDS = ("id", "version", "title", "url", "license")
_PAGE = """
SELECT document_id, version, title, url, license FROM documents
WHERE document_id > :after
  AND (title LIKE :held ESCAPE '!' OR document_id LIKE :held ESCAPE '!')
ORDER BY document_id LIMIT :limit
"""


def documents_page(
    snapshot: Snapshot, query: str, cursor: str | None, limit: int
) -> dict[str, Any]:
    """Up to ``limit`` documents by id whose id or title holds ``query``, in any case of ASCII.

    A page begins after the id that ``cursor`` holds, so that pages stay whole when a new snapshot
    is published between two of them. Only the page is read.

    Raises:
        Invalid: the cursor is none.
    """
    after = _after(cursor)
    path = (snapshot.folder / CATALOGUE).absolute()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as catalogue:
        named = {"after": after, "held": _held(query), "limit": limit + 1}
        rows = catalogue.execute(_PAGE, named).fetchall()
    shown = rows[:limit]
    return {
        "object": "list",
        "snapshot": snapshot.manifest.snapshot_hex,
        "data": [_document(row) for row in shown],
        "next": _cursor(shown[-1][0]) if len(rows) > limit else None,
    }


def _held(query: str) -> str:
    """A pattern of LIKE for what holds ``query``."""
    return "%" + re.sub(r"([%_!])", r"!\1", query) + "%"


def _document(row: tuple[Any, ...]) -> dict[str, Any]:
    found = dict(zip(_FIELDS, row, strict=True))
    return {**found, "object": "document", "version": "sha256:" + found["version"].hex()}


def _cursor(document_id: str) -> str:
    return base64.urlsafe_b64encode(document_id.encode()).decode().rstrip("=")


def _after(cursor: str | None) -> str:
    if cursor is None:
        return ""
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        raise Invalid("the cursor is none", "use next of the page before") from None
