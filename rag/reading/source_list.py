"""The list of sources that a model appends to its answer: no claim, and not what an answer cites.

It is one only if nothing else follows, so whether it is one shows where the text ends or another
line comes.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

from rag.reading.markers import Marker
from rag.text.sentences import LINE_BREAK

_TITLES = frozenset(
    (
        "source", "sources", "sources cited", "reference", "references", "citations", "works cited",
        "bibliography", "quellen", "références", "referencias", "fuentes", "参考文献", "参考资料",
        "来源", "出典",
    )
)  # fmt: skip
_DRESS = "#*_:：,;. \t"
_TITLED = re.compile(r"[#*_ \t]*([^\W\d_]+(?: [^\W\d_]+)?)[*_ \t]*[:：][*_]*")
_MAX_TITLE = 40
_MAX_LIST = 8_000
_BULLET = re.compile(r"(?:[-*+•‣]|\d{1,3}[.)])[ \t]+")
_VISIBLE = re.compile(r"\S")

Placed = Sequence[tuple[int, Marker]]
"""Markers and the places in the plain text where they stood, in order."""


class SourceList:
    """How far a possible list of sources was looked at."""

    def __init__(self) -> None:
        self._start = -1
        self._scan = 0
        self._cleared = 0  # no list begins before
        self._entries = 0
        self._marked = 0  # entries that begin with a marker
        self._pointed = False  # the title itself is followed by markers

    @property
    def found_one(self) -> bool:
        """Whether the text that was looked at ends with a list."""
        return self._start >= 0

    @property
    def repeats_the_numbering(self) -> bool:
        """Whether the list is nothing but the numbers that the prompt gave out, and names."""
        return self._entries == self._marked and (self._marked > 0 or self._pointed)

    def forget(self, cut: int) -> None:
        """The first ``cut`` code points of the text are gone."""
        self._scan, self._cleared = self._scan - cut, self._cleared - cut
        self._start = self._start - cut if self._start >= cut else -1

    def found(self, text: str, start: int, markers: Placed, final: bool) -> bool | None:
        """Whether the line at ``start`` begins a list that ends the text; None where that cannot
        be told yet."""
        if start < self._cleared:
            return False
        if self._start != start:
            opened = self._opens(text, start, markers, final)
            if not opened:
                return opened
        return self._goes_on(text, start, markers, final)

    def _opens(self, text: str, start: int, markers: Placed, final: bool) -> bool | None:
        self._entries = self._marked = 0
        self._pointed = False
        if text[start] == ":" and any(marker.note for marker in _at(markers, start)):
            self._start = self._scan = start
            return True
        line = text[start : start + _MAX_TITLE]
        ended = LINE_BREAK.search(line)
        line = line[: ended.start()] if ended else line
        titled = _TITLED.match(line)
        if titled and titled.group(1).casefold() in _TITLES:
            after = start + titled.end()
            if after == len(text) and not final:
                return None
            self._pointed = bool(_at(markers, after))
        title = line.strip(_DRESS).casefold()
        if not self._pointed and not ended and not final:
            short = len(text) - start < _MAX_TITLE
            return None if short and any(one.startswith(title) for one in _TITLES) else False
        if not self._pointed and title not in _TITLES:
            return False
        return self._open(text, start, final)

    def _open(self, text: str, start: int, final: bool) -> bool | None:
        line_end = LINE_BREAK.search(text, start, start + _MAX_LIST)
        if line_end is None and (not final or len(text) - start >= _MAX_LIST):
            return None if len(text) - start < _MAX_LIST else False
        self._start = start
        self._scan = line_end.end() if line_end else len(text)
        return True

    def _goes_on(self, text: str, start: int, markers: Placed, final: bool) -> bool | None:
        while self._scan < len(text):
            line_end = LINE_BREAK.search(text, self._scan)
            end = line_end.start() if line_end else len(text)
            begin = _VISIBLE.search(text, self._scan, end)
            if begin is None:
                if line_end is None:
                    break
            elif (line_end or final) and end - start <= _MAX_LIST:
                if not self._is_entry(text, begin.start(), markers):
                    return self._clear(begin.start())
            elif end - start > _MAX_LIST or _is_prose(text, self._scan, begin.start(), markers):
                return self._clear(begin.start())
            else:
                return None
            self._scan = line_end.end() if line_end else len(text)
        return True if final else None

    def _is_entry(self, text: str, begin: int, markers: Placed) -> bool:
        bullet = _BULLET.match(text, begin)
        marked = bool(_at(markers, begin) or (bullet and _at(markers, bullet.end())))
        if not marked and not bullet:
            return self._entries > 0 and begin - self._scan >= 2  # an entry's next line
        self._entries += 1
        self._marked += marked
        return True

    def _clear(self, at: int) -> bool:
        self._cleared, self._start = at, -1
        return False


def _at(markers: Placed, place: int) -> list[Marker]:
    first = bisect_left(markers, place, key=lambda one: one[0])
    found: list[Marker] = []
    while first < len(markers) and markers[first][0] == place:
        found.append(markers[first][1])
        first += 1
    return found


def _is_prose(text: str, line: int, begin: int, markers: Placed) -> bool:
    """Whether an unfinished line can be no entry, however it goes on."""
    return begin == line and text[begin].isalpha() and not _at(markers, begin)
