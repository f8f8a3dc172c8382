"""What the beginning of a line says about it, told as soon as it can be."""

from __future__ import annotations

import re

from rag.text.sentences import Kind

BULLET = r"(?:[-*+•‣–>]|\(?\d{1,3}[.)]|\(?[A-Za-z]\))"
_BULLETS = re.compile(rf"(?:{BULLET}[ \t]+){{1,3}}(?=\S)")
_HEADING = re.compile(r"#{1,6}(?=\s)")
_LINE_END = r"(?=[\r\n\u2028\u2029]|\Z)"
_RULE = re.compile(rf"([=\-*_~.+^#])\1{{2,}}[ \t]*{_LINE_END}")
_UNDERLINE = re.compile(rf"(?:={{3,}}|-{{3,}})[ \t]*{_LINE_END}")
_UNDECIDED = re.compile(
    rf"(?:{BULLET}[ \t]+){{0,3}}"
    r"(?:[-*+•‣–>]|\(?\d{0,3}[.)]?|\(?[A-Za-z]?\)?|#{1,6}|([=\-*_~.+^#])\1*)[ \t]*"
)
_MAX_HEAD = 120
"""Code points from which a line is prose, whatever it is made of."""


def head_of_line(text: str, start: int, *, final: bool) -> tuple[Kind, int] | None:
    """The kind of the line whose text begins at ``start``, and where its content begins; None where
    that cannot be told yet."""
    if len(text) - start < _MAX_HEAD and not final and _UNDECIDED.fullmatch(text, start):
        return None
    limit = start + _MAX_HEAD
    if text[start] == "|":
        return Kind.TABLE, start
    if _HEADING.match(text, start):
        return Kind.HEADING, start
    if (rule := _RULE.match(text, start)) and rule.end() < limit:
        return Kind.HEADING, start
    if (bullets := _BULLETS.match(text, start)) and bullets.end() < limit:
        return Kind.LIST, bullets.end()
    return Kind.PROSE, start


def is_underline(text: str, start: int) -> bool:
    """Whether the line at ``start`` makes a heading of the line above it."""
    rule = _UNDERLINE.match(text, start)
    return rule is not None and rule.end() - start < _MAX_HEAD
