"""Reads what a language model printed: sentences, and the sources each one points at.

Never raises, linear in the text, and trusts no number: a marker counts only if it is one of the
numbers that the prompt gave out.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass

from footnote.model import Span
from rag.sentences import Kind, sentences

_NUMBERS = r"\d{1,3}(?:\s*[-–,;]\s*\d{1,3}){0,20}"
# White space is tried once for each run, so that no output takes more than linear time.
_MARKER = re.compile(
    rf"(?:(?<![ \t])[ \t]++)?"
    rf"(?:\[\[\s*({_NUMBERS})\s*\]\]|\[\s*({_NUMBERS})\s*\]|【\s*({_NUMBERS})\s*】)"
)


@dataclass(frozen=True, slots=True)
class ReadClaim:
    """A sentence without markers, and the numbers it was marked with, in order."""

    text: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReadOutput:
    """``removed`` counts the markers that resolve to nothing."""

    claims: tuple[ReadClaim, ...]
    removed: int


def read_output(text: str, known: Collection[int]) -> ReadOutput:
    """The claims in a model's output, given the numbers that the prompt gave out."""
    plain, markers = _without_markers(text)
    units = [s.span for s in sentences(plain) if s.kind is not Kind.HEADING]
    marked: list[list[int]] = [[] for _ in units]
    removed = 0
    for position, numbers in markers:
        owner = _owner(units, position)
        for number in numbers:
            if owner is None or number not in known:
                removed += 1
            elif number not in marked[owner]:
                marked[owner].append(number)
    return ReadOutput(
        tuple(
            ReadClaim(span.of(plain), tuple(numbers))
            for span, numbers in zip(units, marked, strict=True)
        ),
        removed,
    )


def _without_markers(text: str) -> tuple[str, list[tuple[int, list[int]]]]:
    """The text without markers, and each marker's place in it with its numbers."""
    parts: list[str] = []
    markers: list[tuple[int, list[int]]] = []
    cursor = length = 0
    for match in _MARKER.finditer(text):
        parts.append(text[cursor : match.start()])
        length += match.start() - cursor
        cursor = match.end()
        group = next(group for group in match.groups() if group is not None)
        markers.append((length, _expand(group)))
    parts.append(text[cursor:])
    return "".join(parts), markers


def _expand(group: str) -> list[int]:
    """``1, 3-5`` as 1, 3, 4, 5; a range that runs backwards or too far gives its ends."""
    numbers: list[int] = []
    for part in re.split(r"[,;]", group):
        ends = [int(digits) for digits in re.findall(r"\d+", part)]
        if len(ends) == 2 and 0 <= ends[1] - ends[0] <= 20:
            numbers.extend(range(ends[0], ends[1] + 1))
        else:
            numbers.extend(ends)
    return numbers


def _owner(units: list[Span], position: int) -> int | None:
    """The sentence that a marker at ``position`` belongs to: the one it stands in or follows."""
    if not units:
        return None
    before = bisect_left([span.start for span in units], position)
    return max(before - 1, 0)
