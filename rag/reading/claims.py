"""Reads what a language model printed: its claims, the sources each one points at, and the rest.

One reader, whether the text is whole or still arriving: what it tells follows from the text alone,
however that was cut into pieces. Never raises, linear in the text, and trusts no number: a marker
counts only if it is one of the numbers that the prompt gave out.

A claim is a sentence, a row of a table or a block of code. Headings, questions and fragments such
as "Here is what I found:" stay in the text; unless they are marked, there is nothing to check. A
list of sources at the end that only repeats the numbering goes: an answer has citations of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from rag.reading.blocks import Unit, UnitReader
from rag.reading.markers import Marker, MarkerReader, Plain
from rag.text.sentences import Kind


@dataclass(frozen=True, slots=True)
class ReadClaim:
    """A sentence without markers, the numbers it was marked with, in order, and the text between it
    and the claim before."""

    text: str
    numbers: tuple[int, ...]
    before: str = ""


@dataclass(frozen=True, slots=True)
class ReadOutput:
    """``removed`` counts the markers that resolve to nothing, ``after`` is the text that follows
    the last claim. All parts in order are the whole text."""

    claims: tuple[ReadClaim, ...]
    removed: int
    after: str = ""


Event = str | ReadClaim
"""More text, or a claim that ends where the text so far ends."""

_BRACKETED = re.compile(r"[\[(][^\[\]()]*[\])]\W*")
_LEADS_ON = (":", "：")
_ASKS = ("?", "？", "؟", "\u037e", "՞", "፧")


class ClaimReader:
    """Fed a model's output in any pieces, gives the text without markers as it settles, and each
    claim when it is complete."""

    def __init__(self, known: Collection[int]) -> None:
        self.removed = 0
        self._known = known
        self._markers = MarkerReader()
        self._units = UnitReader()
        self._before: list[str] = []  # what stands between the last claim and the next
        self._told = 0  # code points of the next unit that were told

    def feed(self, piece: str) -> list[Event]:
        """What is settled now that ``piece`` is there."""
        return self._read(self._markers.feed(piece), final=False)

    def finish(self) -> list[Event]:
        """What was held back."""
        return self._read(self._markers.finish(), final=True)

    def _read(self, found: list[Plain | Marker], *, final: bool) -> list[Event]:
        events: list[Event] = []
        for one in found:
            self._units.add(one)
        for unit in self._units.units(final=final):
            self._take(unit, events)
        if more := self._units.settled(self._told):
            events.append(more)
            self._told += len(more)
        return events

    def _take(self, unit: Unit, events: list[Event]) -> None:
        text = unit.before + unit.text
        if len(text) > self._told:
            events.append(text[self._told :])
        self._told = 0
        numbers = tuple(n for one in unit.markers for n in one.numbers if n in self._known)
        distinct = tuple(dict.fromkeys(numbers))
        total = sum(max(len(one.numbers), 1) for one in unit.markers) if unit.counted else 0
        if _is_claim(unit, marked=bool(distinct)):
            self.removed += total - len(numbers)
            before = "".join(self._before) + unit.before
            events.append(ReadClaim(unit.text, distinct, before))
            self._before = []
        else:
            self.removed += total
            self._before.append(text)


def read_output(text: str, known: Collection[int]) -> ReadOutput:
    """The claims in a model's output, given the numbers that the prompt gave out."""
    reader = ClaimReader(known)
    return folded([*reader.feed(text), *reader.finish()], reader.removed)


def folded(events: Collection[Event], removed: int) -> ReadOutput:
    """The events of a stream as one whole."""
    claims: list[ReadClaim] = []
    after: list[str] = []
    for event in events:
        if isinstance(event, ReadClaim):
            claims.append(event)
            after = []
        else:
            after.append(event)
    return ReadOutput(tuple(claims), removed, "".join(after))


def _is_claim(unit: Unit, *, marked: bool) -> bool:
    """Whether a unit states something that can be checked."""
    text = unit.text
    if unit.kind is Kind.HEADING or not any(character.isalnum() for character in text):
        return False
    if marked or unit.kind is Kind.CODE:
        return True
    if unit.kind is Kind.TABLE:
        return not unit.first_row
    if text.endswith(_LEADS_ON) and not any(character.isdigit() for character in text):
        return False
    if _BRACKETED.fullmatch(text.strip("*_")):
        return False
    return not text.rstrip("\"'”’»)*_`").endswith(_ASKS)
