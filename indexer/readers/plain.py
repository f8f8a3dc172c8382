"""Markdown, reStructuredText and plain text: as they are, after the front matter."""

from __future__ import annotations

import re

from indexer.readers.front_matter import split_front_matter
from indexer.readers.submission import Submission

_MARKDOWN_TITLE = re.compile(r"^#\s+(.+?)\s*#*\s*$", re.MULTILINE)
_UNDERLINED_TITLE = re.compile(r"\A\s*(?:([=*#-])\1+\s*\n)?[ \t]*(\S[^\n]*)\n([=*#-])\3{2,}\s*\n")


def decode(data: bytes) -> str:
    """UTF-8 text, without a byte-order mark; ValueError for anything else."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8 text; convert it first") from error


def read(name: str, data: bytes) -> Submission:
    """A text file; its title is the one given, else its first heading, else its name."""
    fields, text = split_front_matter(decode(data))
    if "title" not in fields:
        fields = {**fields, "title": _heading(text) or name.rsplit("/", 1)[-1].rsplit(".", 1)[0]}
    return Submission(str(fields.get("id", name)), text, fields)


def _heading(text: str) -> str | None:
    if match := _MARKDOWN_TITLE.search(text[:4_000]):
        return match.group(1)
    if match := _UNDERLINED_TITLE.match(text):
        return match.group(2).strip()
    return None
