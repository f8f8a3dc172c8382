"""Passages that a Document took from another which it is no near-duplicate of.

Who takes one paragraph and writes much around it stays below every measure of whole texts. So
Documents that share a passage are compared sentence by sentence too. Only long sentences count
here: short ones are the same by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from footnote.model import Span
from indexer.duplicates import Shingles, sketch
from indexer.origins import SAME, Held, Statement, says_another_thing
from rag.index.lineage import Origin

MIN_LETTERS = 60
WHOLE = 0.9
"""Part of an earlier sentence's shingles that a later one must hold to have taken it: all but a
word, whatever was put before or behind it."""
MAYBE = 0.5
"""Part of a sentence's kept shingles that a text must hold for the two to be compared."""

RECIPE = {"min_letters": MIN_LETTERS, "maybe": str(MAYBE), "whole": str(WHOLE)}


@dataclass(frozen=True, slots=True)
class Sharing:
    """A Document that shares a passage with another one; its text is read where that is needed."""

    document_id: str
    shingles: Shingles
    read: Callable[[], Held]


def find_passages(
    one: Held, others: Sequence[Sharing], common: Callable[[str], bool]
) -> Iterator[Origin]:
    """Where long sentences of ``one`` stood in one of ``others`` before, the earliest place.

    Args:
        common: whether so many clusters say a sentence, given by its letters, that it is nobody's.
    """
    long = [i for i, said in enumerate(one.statements) if len(said.letters) >= MIN_LETTERS]
    kept = [sketch(one.statements[i].letters) for i in long]
    maybe = [_maybe(kept, other.shingles) for other in others]
    for n, i in enumerate(long):
        statement = one.statements[i]
        asked = [other for other, flags in zip(others, maybe, strict=True) if flags[n]]
        found = list(_before(statement, one.since[i], asked))
        if found and not common(statement.letters):
            _, document_id, span = min(found, key=lambda place: (place[0], place[1]))
            yield Origin(one.document_id, statement.span, document_id, span)


def _maybe(kept: Sequence[Shingles], shingles: Shingles) -> NDArray[np.bool_]:
    """Which statements, given by their sketches, a text may hold by its own."""
    counts = np.array([len(one) for one in kept], np.int64)
    held = np.isin(np.concatenate([np.zeros(0, np.uint32), *kept]), shingles)
    sums = np.concatenate([[0], np.cumsum(held)])
    ends = np.cumsum(counts)
    return np.asarray(sums[ends] - sums[ends - counts] >= MAYBE * counts)


def _before(
    statement: Statement, since: int, others: Sequence[Sharing]
) -> Iterator[tuple[int, str, Span]]:
    """Since when others say the same, where that is earlier, and where."""
    for other in others:
        held = other.read()
        index = held.index
        place = index.best(statement)
        if place is None or place.share < SAME or index.taken(place, statement) < WHOLE:
            continue
        if says_another_thing(statement, index.at(place)):
            continue
        first = max(held.since[place.index : place.index + place.length])
        if first < since:
            yield first, other.document_id, held.span(place)
