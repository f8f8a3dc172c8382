"""How far a claim agrees with a source, from the words alone.

Details must agree (:mod:`rag.checking.details`); words must be covered
(:mod:`rag.checking.covering`), and clauses too. What follows for a verdict is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.checking.covering import Covering, text_of
from rag.checking.details import Disagreement, disagreements
from rag.checking.vocabulary import BREAKS
from rag.checking.words import Word


@dataclass(frozen=True, slots=True)
class Agreement:
    """``coverage`` is the part of the claim's content words that the source holds, in [0, 1];
    ``weakest`` that of its worst clause; ``missing`` the most of them lacking in a row."""

    coverage: float
    weakest: float
    missing: int
    disagreements: tuple[Disagreement, ...]


def agreement(claim: str, source: str, title: str = "") -> Agreement:
    """How ``claim`` agrees with ``source``; the ``title`` says what the source speaks of."""
    mine, theirs, about = text_of(claim), text_of(source), text_of(title)
    covers = Covering(mine, theirs, about)
    held = [covers(word) for word in mine.content]
    clauses = list(_clauses(mine.words, covers))
    return Agreement(
        sum(held) / len(held) if held else float(bool(mine.quantities)),
        min((sum(clause) / len(clause) for clause in clauses), default=1.0),
        _longest_gap(held),
        tuple(disagreements(mine, theirs, about, covers)),
    )


def _clauses(words: Sequence[Word], covers: Covering) -> Iterator[list[bool]]:
    """For each clause of two content words or more, which of them are covered."""
    clause: list[bool] = []
    for word in words:
        if word.lower in BREAKS:
            if len(clause) >= 2:
                yield clause
                clause = []
        elif word.is_content and not word.is_number:
            clause.append(covers(word))
    if len(clause) >= 2:
        yield clause


def _longest_gap(held: Sequence[bool]) -> int:
    longest = gap = 0
    for covered in held:
        gap = 0 if covered else gap + 1
        longest = max(longest, gap)
    return longest
