"""A model's text as it arrives, cut into sentences, headings, rows of tables and blocks of code.

The rules of ``rag.text.sentences``, as far as they can be applied to a text that has not ended yet.
A unit is given once nothing that may still come could change it or add a marker to it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from footnote.model import MAX_CITED_CODE_POINTS
from rag.reading.lines import head_of_line, is_underline
from rag.reading.markers import Marker, Plain
from rag.reading.source_list import SourceList
from rag.text.sentences import LINE_BREAK, SENTENCE_END, Kind, ends_sentence

_VISIBLE = re.compile(r"\S")
_BARS = re.compile(r"[ \t|]*")
_STOP = re.compile(rf"(?P<line>\r\n|[\r\n\u2028\u2029])|(?:{SENTENCE_END.pattern})")
_SPOKEN = (Kind.PROSE, Kind.LIST)
_LEAD = re.compile(r"[:;,–—-]\s+(?=\S)")
"""What sets a sentence off from the marker that opens it."""
_PART_OF_STOP = ".!?…;\"'”’»)]*_`"
_SOFT_BREAK = re.compile(r"\s|(?<=[,;:，、；：])")
_SOFT = 800
"""Code points from which a sentence ends at the next soft break."""
_AHEAD = 40
_BEHIND = 64
_KEPT = 4_096


@dataclass(frozen=True, slots=True)
class Unit:
    """``before``: the text since the last unit. ``counted`` is false where markers point at nothing
    by design, as in a list of sources."""

    before: str
    text: str
    kind: Kind
    markers: tuple[Marker, ...] = ()
    first_row: bool = False
    counted: bool = True


@dataclass(frozen=True, slots=True)
class _Place:
    start: int
    end: int
    kind: Kind


class UnitReader:
    """Fed plain text and markers in order, gives units."""

    def __init__(self) -> None:
        self._text = ""
        self._parts: list[str] = []
        self._length = 0
        self._markers: deque[tuple[int, Marker]] = deque()
        self._code: list[tuple[int, int]] = []  # start and end of each block of code
        self._in_code = False
        self._at = 0  # where the last unit ended
        self._any = False  # whether a unit was given
        self._last: Kind | None = None  # its kind
        self._safe = 0  # up to here the next unit reaches at least
        self._scan = 0  # up to here the next unit was looked through
        self._blank = (0, 0)  # known to be white space
        self._block: Kind | None = None
        self._leading = False  # markers of this block stand before their sentences
        self._sources = SourceList()

    def settled(self, told: int) -> str:
        """What surely follows the last unit, without its first ``told`` code points."""
        return self._text[self._at + told : max(self._safe, self._at)]

    def add(self, one: Plain | Marker) -> None:
        """Take what comes next."""
        if isinstance(one, Marker):
            self._markers.append((self._length, one))
            return
        start, self._length = self._length, self._length + len(one.text)
        self._parts.append(one.text)
        if one.code and self._in_code:
            start = self._code.pop()[0]
        if one.code:
            self._code.append((start, self._length))
        self._in_code = one.code

    def units(self, *, final: bool) -> Iterator[Unit]:
        """The units that are complete now."""
        self._text += "".join(self._parts)
        self._parts = []
        while place := self._next(final):
            unit = self._take(place)
            self._at = self._safe = self._scan = place.end
            self._any, self._last = True, place.kind
            yield unit
        if final:
            yield self._rest()
        if self._at > _KEPT:
            self._forget(self._at - _BEHIND)

    def _rest(self) -> Unit:
        """What follows the last unit: markers without a sentence, or a list of sources."""
        end = len(self._text.rstrip())
        listed = end > self._at and self._sources.found_one
        dropped = listed and self._sources.repeats_the_numbering
        text = "" if dropped else self._text[self._at : max(end, self._at)]
        markers = tuple(marker for _, marker in self._markers)
        self._at = self._safe = len(self._text)
        return Unit(text, "", Kind.HEADING, markers, counted=not listed)

    def _forget(self, cut: int) -> None:
        self._text = self._text[cut:]
        self._length -= cut
        self._at, self._safe, self._scan = self._at - cut, self._safe - cut, self._scan - cut
        self._blank = (self._blank[0] - cut, self._blank[1] - cut)
        self._markers = deque((at - cut, marker) for at, marker in self._markers)
        self._code = [(start - cut, end - cut) for start, end in self._code if end > cut]
        self._sources.forget(cut)

    def _visible(self, at: int) -> int:
        """Where the first character from ``at`` on is that is no white space."""
        begin, end = self._blank
        match = _VISIBLE.search(self._text, end if begin <= at <= end else at)
        found = match.start() if match else len(self._text)
        self._blank = (begin if begin <= at <= end else at, found)
        return found

    def _following(self, end: int, kind: Kind | None) -> int:
        """Where the text after a unit goes on; the outer bar of a row belongs to none."""
        bars = _BARS.match(self._text, end) if kind is Kind.TABLE else None
        return self._visible(bars.end() if bars else end)

    def _code_at(self, at: int) -> tuple[int, int] | None:
        last = bisect_right(self._code, at, key=lambda block: block[0]) - 1
        return self._code[last] if last >= 0 and at < self._code[last][1] else None

    def _next(self, final: bool) -> _Place | None:
        """Where the next unit lies; None where that cannot be told yet."""
        start = self._following(self._at, self._last)
        if start == len(self._text):
            return None
        if not self._any:
            self._at = self._safe = start
        place = self._place(start, final)
        if place and self._following(place.end, place.kind) == len(self._text) and not final:
            self._safe = place.end  # a marker may still follow
            return None
        return place

    def _place(self, start: int, final: bool) -> _Place | None:
        if code := self._code_at(start):
            return self._code_place(start, code, final)
        breaks = _count_breaks(self._text, self._at, start)
        if breaks > 1:
            self._block = None
        kind, content = self._block or Kind.PROSE, start
        if breaks or not self._any:
            if (
                self._any
                and self._sources.found(self._text, start, self._markers, final) is not False
            ):
                return None
            head = head_of_line(self._text, start, final=final)
            if head is None:
                return None
            kind, content = head
            if kind in (Kind.HEADING, Kind.TABLE):
                return self._line_place(start, kind, final)
            if content > start or self._block is Kind.TABLE:
                self._block = None
            kind = self._block or kind
        end = self._sentence_end(content, final)
        return None if end is None else _Place(content, end, kind)

    def _code_place(self, start: int, code: tuple[int, int], final: bool) -> _Place | None:
        if not self._in_code or code != self._code[-1] or final:
            return _Place(start, start + len(self._text[start : code[1]].rstrip()), Kind.CODE)
        fresh = self._text[max(self._scan, start) :].rstrip()
        if fresh:
            self._safe = max(self._scan, start) + len(fresh)
        self._scan = len(self._text)
        return None

    def _line_place(self, start: int, kind: Kind, final: bool) -> _Place | None:
        """A heading, or a row of a table without its outer bars."""
        line_end = LINE_BREAK.search(self._text, max(start, self._scan))
        if line_end is None and not final:
            self._scan = len(self._text)
            return None
        line = self._text[start : line_end.start() if line_end else len(self._text)].rstrip()
        if kind is Kind.HEADING:
            return _Place(start, start + len(line), kind)
        row = line.rstrip(" \t|").lstrip(" \t|")
        begin = start + line.index(row) if row else start
        return _Place(begin, begin + max(len(row), 1), kind)

    def _sentence_end(self, start: int, final: bool) -> int | None:
        text = self._text
        at = max(self._scan, start)
        while True:
            stop = _STOP.search(text, at, start + MAX_CITED_CODE_POINTS + 2)
            cut = _cut(text, start)
            if cut is not None and (stop is None or stop.end() > cut):
                return cut
            if stop is None:
                reaches = start + len(text[start:].rstrip())
                self._safe = reaches
                self._scan = max(at, start + len(text[start:].rstrip(_PART_OF_STOP)))
                return reaches if final else None
            reaches = start + len(text[start : stop.end()].rstrip())
            ends = self._breaks(stop, final) if stop["line"] else self._ends(stop, final)
            if ends:
                return reaches
            if ends is None:
                self._safe = reaches
                return None
            at = self._scan = stop.end()

    def _ends(self, stop: re.Match[str], final: bool) -> bool | None:
        """Whether a sentence ends with ``stop``; None where that cannot be told yet."""
        text, end = self._text, stop.end()
        following = min(self._visible(end), end + _AHEAD)
        if following == len(text) and not final:
            return None
        if line := LINE_BREAK.search(text, end, following):
            breaks = self._breaks(line, final)
            if breaks is not False:
                return breaks
        return ends_sentence(text, stop, len(text))

    def _breaks(self, line: re.Match[str], final: bool) -> bool | None:
        """Whether a paragraph ends with the line that ``line`` ends."""
        following = self._visible(line.end())
        if _count_breaks(self._text, line.end(), following):
            return True
        if following == len(self._text):
            return True if final else None
        if self._code_at(following):
            return True
        head = head_of_line(self._text, following, final=final)
        return None if head is None else head[0] is not Kind.PROSE

    def _take(self, place: _Place) -> Unit:
        text, kind = self._text, place.kind
        following = self._following(place.end, kind)
        breaks = following == len(text) or _count_breaks(text, place.end, following) > 0
        if kind is Kind.PROSE and is_underline(text, following):
            kind = self._titled(place, following)
        if self._block is not kind:
            self._leading = bool(self._markers) and self._markers[0][0] <= place.start
        markers = tuple(self._own(place.end, following, breaks))
        first_row = kind is Kind.TABLE and self._block is not Kind.TABLE
        self._block = None if kind in (Kind.HEADING, Kind.CODE) else kind
        lead = _LEAD.match(text, place.start, place.end) if kind in _SPOKEN else None
        start = lead.end() if lead else place.start
        return Unit(text[self._at : start], text[start : place.end], kind, markers, first_row)

    def _titled(self, place: _Place, following: int) -> Kind:
        """A line of its own over an underline is a heading."""
        text = self._text
        alone = _count_breaks(text, self._at, place.start) or not self._at
        one = _count_breaks(text, place.end, following) == 1
        line = LINE_BREAK.search(text, place.start, place.end) is None
        return Kind.HEADING if alone and one and line else Kind.PROSE

    def _own(self, end: int, following: int, breaks: bool) -> Iterator[Marker]:
        """The markers of the unit that ends at ``end``: those in and right after it, and those
        alone on the lines below. One that opens a line belongs to what the line goes on with."""
        text = self._text
        while self._markers:
            at, marker = self._markers[0]
            if at > following:
                return
            if at <= end or not _count_breaks(text, end, at):
                if at >= end and not breaks and self._leading and marker.spaced:
                    return
            elif following < len(text) and not _count_breaks(text, at, following):
                return
            self._markers.popleft()
            yield marker


def _count_breaks(text: str, start: int, end: int) -> int:
    """The line breaks between two places; no more than two are counted."""
    first = LINE_BREAK.search(text, start, end)
    if first is None:
        return 0
    return 2 if LINE_BREAK.search(text, first.end(), end) else 1


def _cut(text: str, start: int) -> int | None:
    """Where a sentence that is too long is cut."""
    if len(text) <= start + _SOFT:
        return None
    limit = start + MAX_CITED_CODE_POINTS
    if soft := _SOFT_BREAK.search(text, start + _SOFT, min(len(text), limit)):
        return soft.start()
    return limit if len(text) >= limit else None
