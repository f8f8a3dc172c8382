"""Markdown, reStructuredText and plain text: as they are, after the front matter."""

from __future__ import annotations

import re

from indexer.readers.front_matter import split_front_matter
from indexer.readers.submission import Submission

_MARKDOWN_TITLE = re.compile(r"^#[ \t]+(\S.*)$", re.MULTILINE)
_UNDERLINE = re.compile(r"([=*#-])\1{2,}")
_PREAMBLE = re.compile(r"(?:[A-Z][A-Za-z-]{0,30}:[^\n]*\n(?:[ \t]+[^\n]*\n)*+)++")
"""Fields at the head of a text, one a line, as Python's proposals have them."""


def decode(data: bytes) -> str:
    """UTF-8 text, without a byte-order mark; ValueError for anything else."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8 text; convert it first") from error


def read(name: str, data: bytes) -> Submission:
    """A text file; its title is the one given, else its first heading, else its name."""
    fields, text = split_front_matter(decode(data))
    given = fields.get("id")
    if not isinstance(given, str | int | float | None):
        raise ValueError("its id is no text")
    document_id = name if given is None else str(given)
    return Submission(document_id, text, fields, _heading(text) or stem(name))


def stem(name: str) -> str:
    """A file's name without folders and ending."""
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def _heading(text: str) -> str | None:
    head = text[:4_000]
    if match := _PREAMBLE.match(head):
        titles = [line for line in match.group().splitlines() if line.startswith("Title:")]
        if titles and titles[0][6:].strip():
            return titles[0][6:].strip()
    for match in _MARKDOWN_TITLE.finditer(head):
        if title := match.group(1).strip().rstrip("#").rstrip():
            return title
    lines = [line.strip() for line in head.strip().splitlines()[:3]]
    if len(lines) > 1 and _UNDERLINE.fullmatch(lines[0]):
        del lines[0]
    if len(lines) > 1 and lines[0] and _UNDERLINE.fullmatch(lines[1]):
        return lines[0]
    return None
