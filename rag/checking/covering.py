"""A text read once, and which words of a claim a source holds in one form or another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from rag.checking.polarity import Denial, Quantified, denials, hedged, quantified, without_prefix
from rag.checking.quantities import Date, Quantity, dates_in, quantities_in
from rag.checking.vocabulary import INTERCHANGEABLE
from rag.checking.words import Word, read, stem

LONGEST_NAME = 8
"""Words of a name that an acronym may stand for."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text, read once. ``content`` are the words that carry it, numbers aside."""

    words: tuple[Word, ...]
    quantities: tuple[Quantity, ...]
    dates: tuple[Date, ...]
    denials: tuple[Denial, ...]
    quantified: tuple[Quantified, ...]
    hedged: frozenset[str]
    stems: frozenset[str]
    content: tuple[Word, ...]


@lru_cache(maxsize=4_096)
def text_of(text: str) -> Text:
    """Reads ``text``; what was read lately is kept."""
    words = tuple(read(text))
    return Text(
        words,
        tuple(quantities_in(words)),
        tuple(dates_in(words)),
        tuple(denials(words)),
        tuple(quantified(words)),
        hedged(words),
        frozenset(word.stem for word in words if word.is_word),
        tuple(word for word in words if word.is_content and not word.is_number),
    )


class Covering:
    """Which words of a claim a source holds, itself or in another form of the same word."""

    def __init__(self, claim: Text, source: Text, title: Text) -> None:
        self._stems = source.stems | title.stems
        words = [word for word in (*source.words, *title.words) if word.is_word]
        mine = [word for word in claim.words if word.is_word]
        single = {word.lower for word in words}
        self._families = {word.lower[:5]: word.lower for word in words if len(word.lower) > 4}
        self._denied = {rest for word in single for rest in without_prefix(word)}
        self._joined = {a.lower + b.lower for a, b in pairwise(words)}
        self._mine_joined = {
            word.lower for a, b in pairwise(mine) if a.lower + b.lower in single for word in (a, b)
        }
        acronyms = {word.lower for word in words if word.text.isupper() and len(word.text) > 1}
        self._acronyms = set(_initials((*source.words, *title.words)))
        self._spelled = {
            word.lower
            for letters, run in _initials(claim.words).items()
            if letters in acronyms
            for word in run
        }

    def __call__(self, word: Word) -> bool:
        return (
            self.names(word)
            or not _same(word.stem).isdisjoint(self._stems)
            or word.stem in self._denied
            or not self._stems.isdisjoint(without_prefix(word.lower))
        )

    def names(self, word: Word) -> bool:
        """As strict as a name needs it: the word, its family or what its letters stand for."""
        lower = word.lower
        return (
            word.stem in self._stems
            or lower in self._joined
            or lower in self._mine_joined
            or lower in self._spelled
            or (word.text.isupper() and lower in self._acronyms)
            or _akin(lower, self._families.get(lower[:5], ""))
        )


def _akin(a: str, b: str) -> bool:
    """*symbol* and *symbolise*: one long beginning, short endings."""
    same = next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
    return same >= 5 and max(len(a), len(b)) - same <= 4 and 3 * same >= 2 * min(len(a), len(b))


_INSIDE_NAMES = frozenset({"of", "the", "and", "for", "-"})


def _initials(words: Sequence[Word]) -> dict[str, list[Word]]:
    """What the capitalised runs of a text would be called by their first letters."""
    found: dict[str, list[Word]] = {}
    run: list[Word] = []
    for word in words:
        if word.is_word and word.text[0].isupper():
            run = [*run[1 - LONGEST_NAME :], word]
            for start in range(len(run) - 1):
                part = run[start:]
                found["".join(one.lower[0] for one in part)] = part
        elif word.lower not in _INSIDE_NAMES and not (run and len(run[-1].text) == 1):
            run = []
    return found


_GROUPS: dict[str, frozenset[str]] = {}
for _line in INTERCHANGEABLE:
    _stems = frozenset(stem(word) for word in _line.split())
    for _stem in _stems:
        _GROUPS[_stem] = _GROUPS.get(_stem, frozenset()) | _stems


def _same(one: str) -> frozenset[str]:
    return _GROUPS.get(one, frozenset())
