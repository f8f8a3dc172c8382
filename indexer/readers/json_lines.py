"""One line of JSON to a Submission."""

from __future__ import annotations

from footnote import strict_json
from indexer.readers.submission import Submission, Unreadable


def read(where: str, line: bytes) -> Submission | Unreadable:
    """``where`` names the line as long as nothing in it does."""
    try:
        fields = strict_json.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:
        return Unreadable(where, str(error))
    if not isinstance(fields, dict):
        return Unreadable(where, "a line must hold one JSON object")
    document_id, text = fields.get("id"), fields.get("text")
    if not isinstance(document_id, str) or not document_id:
        return Unreadable(where, "no id; give each document one that stays the same")
    if not isinstance(text, str):
        return Unreadable(document_id, "no text")
    return Submission(document_id, text, fields)
