"""Takes the source markers out of what a language model prints, piece by piece.

A marker is a bracketed number in any of the ways models write one; what stands in code is never
touched. Decisions depend on the text alone and not on where it was cut into pieces: text is held
back only while it could still become a marker, and each character is looked at a bounded number
of times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rag.reading.lines import BULLET
from rag.reading.marker_forms import (
    LINK,
    MARKER,
    MAX_MARKER,
    SUPERSCRIPTS,
    UNFINISHED,
    UNFINISHED_LINK,
    numbers_in,
)
from rag.text.sentences import LINE_BREAK


@dataclass(frozen=True, slots=True)
class Plain:
    """Text that is no marker; ``code`` where it lies in a fenced code block."""

    text: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class Marker:
    """The numbers of one marker. ``spaced``: white space stood before it. ``note``: a footnote's
    form, ``[^1]``, which at the start of a line defines the note."""

    numbers: tuple[int, ...]
    spaced: bool = False
    note: bool = False


_ORDINARY = re.compile(rf"[^ \t\r\n\u2028\u2029\[【［(<\\`~{SUPERSCRIPTS}]++")
_SPACE = re.compile(r"[ \t]++")
_BULLETS = re.compile(rf"(?:{BULLET}[ \t]+){{0,2}}{BULLET}")
_OPENING = re.compile(rf"(?:{BULLET}[ \t]+){{0,2}}(?:{BULLET}|\(?\d{{0,3}}|\(?[A-Za-z])?")
_FENCE_LENGTH = 3
_MAX_FENCE_LINE = 200
_MAX_CODE_SPAN = 200
_CLOSING = re.compile(r"[ \t]{0,40}(?:```|~~~)")
_UNFINISHED_CLOSING = re.compile(r"[ \t]{0,40}(?:`{0,2}|~{0,2})\Z")
_REST_OF_LINE = re.compile(r"[^\r\n\u2028\u2029]++")
_SUPERSCRIPT_RUN = re.compile(rf"[{SUPERSCRIPTS}]++")
_BEFORE_SUPERSCRIPT = frozenset(".,;:!?。！？")


class MarkerReader:
    """Fed any pieces of a text, gives its plain text and its markers in order."""

    def __init__(self) -> None:
        self._raw = ""
        self._space = ""  # white space that goes if a marker follows
        self._opening: str | None = ""  # the plain line so far, where it may be only a bullet
        self._swallow = False  # a marker opened the line: the white space after it goes too
        self._linked = False  # a marker has just ended: its link goes too
        self._tail = ""  # the last plain characters
        self._fence: str | None = None
        self._fresh_line = False  # in code: at the start of a line

    def feed(self, piece: str) -> list[Plain | Marker]:
        """What can be told now that ``piece`` is there."""
        return list(self._read(self._raw + piece, final=False))

    def finish(self) -> list[Plain | Marker]:
        """What was held back."""
        return list(self._read(self._raw, final=True))

    def _read(self, raw: str, *, final: bool) -> Iterator[Plain | Marker]:
        at = 0
        while at < len(raw):
            step = self._code(raw, at, final) if self._fence else self._prose(raw, at, final)
            if step is None:
                break
            at, found = step
            yield from found
        self._raw = raw[at:]
        if final and self._space:
            yield from self._plain("")

    def _plain(self, text: str, *, code: bool = False) -> list[Plain | Marker]:
        """``text`` and the white space before it."""
        found: list[Plain | Marker] = []
        if self._space:
            found.append(Plain(self._space))
        if text:
            found.append(Plain(text, code))
        self._tail = (self._tail + self._space + text)[-8:]
        self._space = ""
        self._swallow = self._linked = False
        return found

    def _ordinary(self, text: str) -> list[Plain | Marker]:
        if self._opening is not None:
            line = (self._opening + self._space + text).lstrip(" \t")
            self._opening = line if _OPENING.fullmatch(line) else None
        return self._plain(text)

    def _prose(self, raw: str, at: int, final: bool) -> tuple[int, list[Plain | Marker]] | None:
        if match := _ORDINARY.match(raw, at):
            return match.end(), self._ordinary(match.group())
        if match := _SPACE.match(raw, at):
            if not self._swallow:
                self._space += match.group()
            self._linked = False
            return match.end(), []
        if match := LINE_BREAK.match(raw, at):
            if match.end() == len(raw) and match.group() == "\r" and not final:
                return None
            found = self._plain(match.group())
            self._opening = ""
            return match.end(), found
        if raw[at] in "`~":
            return self._ticks(raw, at, final)
        if raw[at] in SUPERSCRIPTS:
            return self._superscript(raw, at, final)
        if raw[at] == "(" and self._linked:
            if match := LINK.match(raw, at):
                return match.end(), []
            if not final and UNFINISHED_LINK.match(raw, at):
                return None
        return self._bracket(raw, at, final)

    def _bracket(self, raw: str, at: int, final: bool) -> tuple[int, list[Plain | Marker]] | None:
        if not self._tail.endswith("\\sqrt"):
            if match := MARKER.match(raw, at):
                group = next(group for group in match.groups() if group is not None)
                return match.end(), self._pointing(numbers_in(group), note="^" in group)
            if not final and len(raw) - at <= MAX_MARKER and UNFINISHED.match(raw, at):
                return None
        return at + 1, self._ordinary(raw[at])

    def _pointing(self, numbers: tuple[int, ...], *, note: bool = False) -> list[Plain | Marker]:
        """A marker, without the white space before it; after a bullet that stays."""
        marker = Marker(numbers, bool(self._space), note)
        found: list[Plain | Marker] = []
        if self._opening and self._space and _BULLETS.fullmatch(self._opening):
            self._opening += " "
            found += self._plain("")
        opens = self._opening is not None and self._opening[-1:] in ("", " ")
        self._space, self._linked, self._swallow = "", True, opens
        return [*found, marker]

    def _superscript(
        self, raw: str, at: int, final: bool
    ) -> tuple[int, list[Plain | Marker]] | None:
        """A raised number points at a source only after punctuation; elsewhere it is a power."""
        match = _SUPERSCRIPT_RUN.match(raw, at)
        assert match is not None
        if match.end() == len(raw) and len(match.group()) <= 3 and not final:
            return None
        follows = not self._space and self._tail[-1:] in _BEFORE_SUPERSCRIPT and self._tail
        if follows and len(match.group()) <= 3:
            return match.end(), self._pointing(numbers_in(match.group()))
        return match.end(), self._ordinary(match.group())

    def _ticks(self, raw: str, at: int, final: bool) -> tuple[int, list[Plain | Marker]] | None:
        mark = raw[at]
        end = at
        while end < len(raw) and raw[end] == mark and end - at <= _MAX_CODE_SPAN:
            end += 1
        if end == len(raw) and not final:
            return None
        length = end - at
        if self._opening == "" and length >= _FENCE_LENGTH:
            opens = True if mark == "~" else _opens_fence(raw, end, final)
            if opens is None:
                return None
            if opens:
                self._fence, self._fresh_line = mark * _FENCE_LENGTH, False
                return end, self._plain(raw[at:end], code=True)
        if mark == "~":
            return end, self._ordinary(raw[at:end])
        closed = _code_span_end(raw, at, end, final)
        if closed is None:
            return None
        return closed, self._ordinary(raw[at:closed])

    def _code(self, raw: str, at: int, final: bool) -> tuple[int, list[Plain | Marker]] | None:
        if match := LINE_BREAK.match(raw, at):
            if match.end() == len(raw) and match.group() == "\r" and not final:
                return None
            self._fresh_line = True
            return match.end(), self._plain(match.group(), code=True)
        if self._fresh_line:
            if not final and _UNFINISHED_CLOSING.match(raw, at):
                return None
            match = _CLOSING.match(raw, at)
            if match and match.group().endswith(self._fence or ""):
                self._fence, self._opening = None, None
                return match.end(), self._plain(match.group(), code=True)
        self._fresh_line = False
        match = _REST_OF_LINE.match(raw, at)
        assert match is not None
        return match.end(), self._plain(match.group(), code=True)


def _opens_fence(raw: str, at: int, final: bool) -> bool | None:
    """Whether no backtick follows on the line of a fence; None where that cannot be told yet."""
    line_end = LINE_BREAK.search(raw, at, at + _MAX_FENCE_LINE)
    tick = raw.find("`", at, line_end.start() if line_end else at + _MAX_FENCE_LINE)
    if tick >= 0:
        return False
    known = final or line_end is not None or len(raw) >= at + _MAX_FENCE_LINE
    return True if known else None


def _code_span_end(raw: str, at: int, end: int, final: bool) -> int | None:
    """Where the code span that ``raw[at:end]`` opens has ended; ``end`` where it opens none, None
    where that cannot be told yet."""
    ticks = raw[at:end]
    line_end = LINE_BREAK.search(raw, end, end + _MAX_CODE_SPAN)
    limit = line_end.start() if line_end else min(end + _MAX_CODE_SPAN, len(raw))
    found = raw.find(ticks, end, limit)
    while found >= 0:
        stop = found
        while stop < limit and raw[stop] == "`":
            stop += 1
        if stop == len(raw) and not final:
            return None
        if stop - found == end - at:
            return stop
        found = raw.find(ticks, stop, limit)
    known = final or line_end is not None or len(raw) >= end + _MAX_CODE_SPAN
    return end if known else None
