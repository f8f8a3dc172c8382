"""Where sentences begin and end, with exact offsets.

Written for citing: a span is never altered text, only a place in it. The rules cover prose in
several scripts, lists, tables, headings (Markdown and reStructuredText), code blocks and
hard-wrapped lines. Linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from footnote.model import MAX_CITED_CODE_POINTS, Span


class Kind(Enum):
    """What a sentence-like unit is; only prose and list items read as statements."""

    PROSE = "prose"
    LIST = "list"
    HEADING = "heading"
    TABLE = "table"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A unit of text without the white space around it."""

    span: Span
    kind: Kind


LINE_BREAK = re.compile("\r\n|[\r\n\u2028\u2029]")

_FENCE = re.compile(r"[ \t]*(```|~~~)")
_FENCE_LINE = re.compile("(?:\\A|[\n\r\u2028\u2029])[ \t]*(```|~~~)")
_ATX_HEADING = re.compile(r"[ ]{0,3}#{1,6}\s")
_UNDERLINE = re.compile(r"([=\-~^\"'`#*+.:_])\1{2,}[ \t]*")
_BULLET = re.compile(r"[ \t]*(?:[-*+•‣]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])[ \t]+")
_TABLE = re.compile(r"[ \t]*\|.*\|[ \t]*")

SENTENCE_END = re.compile(
    # Nothing is tried twice (++, *+, look-behind), so that no text takes more than linear time.
    r"(?<![.!?…])[.!?…]++[\"'”’»)\]*_`]*+(?=\s)"  # Latin, Greek, Cyrillic: a space must follow
    r"|[。！？｡]+[」』”’）]*"  # Chinese, Japanese: none does
    r"|[।॥؟۔։።፧။។៕\u037e]+[\"'”’»)\]]*"  # Indic, Arabic, Armenian, Ethiopic, Burmese, Khmer, Greek
    r"|(?<=[\u0370-\u03ff\u1f00-\u1fff]{2});(?=\s)"  # in Greek, a semicolon is a question mark
)
_ABBREVIATIONS = frozenset(
    """
    e.g i.e etc vs cf al approx resp fig figs eq eqs sec secs ref refs no nos vol pp p ch ed
    eds mr mrs ms dr prof st jr sr inc ltd co corp dept est jan feb mar apr jun jul aug sep
    sept oct nov dec u.s u.k e.u a.m p.m ph.d viz ca incl excl
    """.split()
)
_LAST_WORD = re.compile(r"[\w.]+$")
_SOFT_BREAK = re.compile(r"[;:,]\s|\s")


@dataclass(frozen=True, slots=True)
class _Block:
    start: int
    end: int
    kind: Kind


def sentences(text: str) -> list[Sentence]:
    """All sentences of ``text`` in order, not overlapping, none blank, none over 1,000 code points.

    Everything but white space lies in exactly one of them.
    """
    found: list[Sentence] = []
    for block in _blocks(text):
        if block.kind in (Kind.PROSE, Kind.LIST):
            spans = _split_prose(text, block.start, block.end)
        else:
            spans = iter([Span(block.start, block.end)])
        for span in spans:
            found.extend(Sentence(piece, block.kind) for piece in _pieces(text, span))
    return found


def open_fence(text: str, start: int) -> str | None:
    """The mark of the fenced code block that the code point at ``start`` lies in, if any."""
    fence: str | None = None
    for match in _FENCE_LINE.finditer(text, 0, start):
        if fence is None:
            fence = match.group(1)
        elif fence == match.group(1):
            fence = None
    return fence


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """Starts and ends of lines, line break excluded."""
    start = 0
    for match in LINE_BREAK.finditer(text):
        yield start, match.start()
        start = match.end()
    yield start, len(text)


def _blocks(text: str) -> Iterator[_Block]:
    """Paragraphs, list items, headings, tables and code, in order."""
    lines = list(_lines(text))
    open_block: _Block | None = None
    fence: str | None = None
    for i, (start, end) in enumerate(lines):
        line = text[start:end]
        marker = _FENCE.match(line)
        if fence is not None:
            assert open_block is not None
            open_block = _Block(open_block.start, end, Kind.CODE)
            if marker and marker.group(1) == fence:
                yield open_block
                open_block, fence = None, None
            continue
        if marker:
            if open_block:
                yield open_block
            open_block, fence = _Block(start, end, Kind.CODE), marker.group(1)
            continue
        kind = _kind_of_line(text, lines, i)
        if kind is None:  # blank, or a continuation
            if not line.strip():
                if open_block:
                    yield open_block
                open_block = None
            elif open_block and open_block.kind is not Kind.HEADING:
                open_block = _Block(open_block.start, end, open_block.kind)
            else:
                if open_block:
                    yield open_block
                open_block = _Block(start, end, Kind.PROSE)
            continue
        if open_block and kind is Kind.TABLE and open_block.kind is Kind.TABLE:
            open_block = _Block(open_block.start, end, Kind.TABLE)
            continue
        underlined = kind is Kind.HEADING and _is_underline(line)
        if underlined and open_block and open_block.kind is Kind.HEADING:
            yield _Block(open_block.start, end, Kind.HEADING)
            open_block = None
            continue
        if open_block:
            yield open_block
        open_block = _Block(start, end, kind)
    if open_block:
        yield open_block


def _is_underline(line: str) -> bool:
    return bool(_UNDERLINE.fullmatch(line.strip()))


def _kind_of_line(text: str, lines: list[tuple[int, int]], i: int) -> Kind | None:
    """The kind of block that line ``i`` opens; None where it is blank or continues one."""
    line = text[slice(*lines[i])]
    stripped = line.strip()
    if not stripped:
        return None
    if _ATX_HEADING.match(line):
        return Kind.HEADING
    if _is_underline(line):
        return Kind.HEADING
    below = text[slice(*lines[i + 1])] if i + 1 < len(lines) else ""
    above = text[slice(*lines[i - 1])] if i else ""
    titled = _is_underline(below) and len(below.strip()) >= len(stripped) - 2
    if titled and (not above.strip() or _is_underline(above)):
        return Kind.HEADING
    if _TABLE.fullmatch(line):
        return Kind.TABLE
    if _BULLET.match(line):
        return Kind.LIST
    return None


def _split_prose(text: str, start: int, end: int) -> Iterator[Span]:
    cursor = start
    for match in SENTENCE_END.finditer(text, start, end):
        if match.end() <= cursor or not ends_sentence(text, match, end):
            continue
        yield Span(cursor, match.end())
        cursor = match.end()
    yield Span(cursor, end)


def ends_sentence(text: str, match: re.Match[str], end: int) -> bool:
    """Whether a match of SENTENCE_END ends one, in a paragraph that ends at ``end``.

    Looks 40 code points ahead and at most as many back.
    """
    if match.group()[0] not in ".…":
        return True
    word = _LAST_WORD.search(text, max(match.start() - 20, 0), match.start())
    following = text[match.end() : min(match.end() + 40, end)].lstrip()
    if following[:1].islower():
        return False
    if word and match.group() == ".":
        last = word.group().lower()
        if last in _ABBREVIATIONS or (len(last) == 1 and last.isalpha()):
            return False
        if last.isdigit() and len(last) <= 2 and _starts_line(text, word.start()):
            return False  # "1. First", a numbered item
    return True


def _starts_line(text: str, position: int) -> bool:
    before = text[max(position - 8, 0) : position]
    return not before.split("\n")[-1].strip() and ("\n" in before or position < 8)


def _pieces(text: str, span: Span) -> Iterator[Span]:
    """``span`` without outer white space, cut at soft breaks where it is too long to cite."""
    start, end = _trim(text, span.start, span.end)
    while end - start > MAX_CITED_CODE_POINTS:
        window = text[start : start + MAX_CITED_CODE_POINTS]
        newline = window.rfind("\n")
        breaks = [m.end() for m in _SOFT_BREAK.finditer(window)]
        cut = newline if newline > 200 else (breaks[-1] if breaks else MAX_CITED_CODE_POINTS)
        yield Span(*_trim(text, start, start + cut))
        start, end = _trim(text, start + cut, end)
    if start < end:
        yield Span(start, end)


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
