"""Words of a claim that stand in other places than in its source: two that changed places, and one
that was put in the place of another.

Both rules speak only where the claim else repeats the source; a claim in words of its own is judged
by other rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from rag.checking.vocabulary import (
    MONTHS,
    MUTUAL,
    NEGATIONS,
    NUMBER_WORDS,
    ONE_WAY,
    ORDINALS,
    QUANTIFIERS,
    SCALES,
    TURNED,
    UNITS,
)
from rag.checking.words import Word, in_sentences

_FAR = 30
"""Words between two that may have changed places, at most."""
_LONGEST = 120
"""Words of a sentence that are looked at."""
_MOST = 60
"""Sentences of a text that are looked at."""
_REPEATED = 0.7
"""A claim repeats a sentence where this part of its words stands there in the same order."""
_AT_MOST = 3
"""Words that may stand for one another."""
_SLACK = 0.25
"""The part of what stands between two words that may differ."""
_OFTEN = 3
"""A word that a sentence has more often than this tells nothing by its place."""
_AROUND_VERB = 6
"""Words from the one that does to the one that it is done to, at most."""
_ARTICLES = frozenset("the a an his her its their this that these those".split())
_LISTING = frozenset(("and", "or", ",", ";", "nor"))


def exchanged(claim: Sequence[Word], source: Sequence[Word]) -> Iterator[str]:
    """Pairs with the same words between them in the other order: *from 5 to 10* for *from 10 to
    5*."""
    there = _sentences(source)
    places = [_places(sentence) for sentence in there]
    for mine in _sentences(claim):
        for i, j in _pairs(mine, places):
            between = _between(mine, i, j)
            if _tells(mine, i, j, between):
                one, other = mine[i].stem, mine[j].stem
                turned = _said(other, one, between, there, places)
                if turned and not _said(one, other, between, there, places):
                    yield f"{mine[i].lower} … {mine[j].lower}"
                    return


def made_passive(claim: Sequence[Word], source: Sequence[Word]) -> Iterator[str]:
    """Verbs that *by* turns around on one side alone: *A chased B*, *A was chased by B*."""
    there = set(_acts(source))
    for one, verb, other, passive in _acts(claim):
        same, turned = (one, verb, other, passive), (one, verb, other, not passive)
        if turned in there and same not in there and (other, verb, one, not passive) not in there:
            yield verb


def _acts(words: Sequence[Word]) -> Iterator[tuple[str, str, str, bool]]:
    """A word, the only content word between it and another, that one, and whether *by* is there."""
    content = [i for i, word in enumerate(words) if word.is_content]
    for i, verb, j in zip(content, content[1:], content[2:], strict=False):
        around = words[i + 1 : j]
        if all(word.is_word for word in around) and len(around) <= _AROUND_VERB:
            passive = words[j - 1].lower == "by" or words[j - 2].lower == "by"
            plain = {word.lower for word in around if not word.is_content} <= _ARTICLES
            if passive or plain:
                yield words[i].stem, words[verb].stem, words[j].stem, passive


def _sentences(words: Sequence[Word]) -> list[list[Word]]:
    """The sentences that are looked at, as far as they are."""
    return [sentence[:_LONGEST] for sentence in in_sentences(words)[:_MOST]]


def _places(sentence: Sequence[Word]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for i, word in enumerate(sentence):
        if word.is_content:
            found.setdefault(word.stem, []).append(i)
    return {stem: at for stem, at in found.items() if len(at) <= _OFTEN}


def _pairs(
    mine: Sequence[Word], places: Sequence[Mapping[str, Sequence[int]]]
) -> Iterator[tuple[int, int]]:
    """Two words that some sentence of the source holds in the other order."""
    content = [i for i, word in enumerate(mine) if word.is_content]
    for n, i in enumerate(content):
        for j in content[n + 1 :]:
            one, other = mine[i].stem, mine[j].stem
            if j - i > _FAR or one == other:
                continue
            if any(one in at and other in at and at[other][0] < at[one][-1] for at in places):
                yield i, j


def _said(
    one: str,
    other: str,
    between: Sequence[Word],
    there: Sequence[Sequence[Word]],
    places: Sequence[Mapping[str, Sequence[int]]],
) -> bool:
    """Whether the source has ``one`` before ``other`` with the same between them."""
    return any(
        _alike(between, _between(sentence, k, m))
        for sentence, at in zip(there, places, strict=True)
        for k in at.get(one, ())
        for m in at.get(other, ())
        if 0 < m - k <= _FAR
    )


def _between(words: Sequence[Word], i: int, j: int) -> list[Word]:
    """What stands between two words, without the rest of their names."""
    start, end = i + 1, j
    if words[i].text[0].isupper():
        while start < end and words[start].text[0].isupper():
            start += 1
    if words[j].text[0].isupper():
        while end > start and words[end - 1].text[0].isupper():
            end -= 1
    return list(words[start:end])


def _tells(words: Sequence[Word], i: int, j: int, between: Sequence[Word]) -> bool:
    """Whether it matters which of the two comes first."""
    forms = {word.lower for word in between}
    content = [word for word in between if word.is_content]
    if words[i].is_number and words[j].is_number:
        return bool(content or forms - _LISTING)
    if not content:
        return not ONE_WAY.isdisjoint(forms)
    if all(word.stem in MUTUAL for word in content):
        return False
    if words[i].is_number or _LISTING.isdisjoint(forms):
        return True
    listing = max(n for n, word in enumerate(between) if word.lower in _LISTING)
    mine = [word.stem for word in between[:listing] if word.is_content]
    after = [word.stem for word in words[j + 1 :] if word.is_content][: len(mine)]
    return mine != after or not mine  # *A, a city in X, and B, a city in X*


def _alike(one: Sequence[Word], other: Sequence[Word]) -> bool:
    """The same words between, nearly: a passive's *by* on one side alone makes it another thing."""
    mine, theirs = _stems(one), _stems(other)
    differ = (mine - theirs).total() + (theirs - mine).total()
    if differ > _SLACK * (mine | theirs).total():
        return False
    return _one_way(one) == _one_way(other)


def _one_way(words: Sequence[Word]) -> list[str]:
    return [word.lower for word in words if word.lower in ONE_WAY]


def _stems(words: Sequence[Word]) -> Counter[str]:
    return Counter(word.stem for word in words if word.is_content)


def _counts(word: Word) -> bool:
    """Whether a word is compared as a part of a number, a date or a unit."""
    lower = word.lower
    return word.is_number or lower[0].isdigit() or any(lower in known for known in _COUNTING)


def _each(words: Sequence[Word], i: int) -> bool:
    """*A year*, *per week*: a unit that says how often."""
    return i > 0 and words[i - 1].lower in ("a", "an", "per", "every", "each")


_COUNTING = (UNITS, NUMBER_WORDS, SCALES, ORDINALS, MONTHS, QUANTIFIERS, NEGATIONS)


def replaced(
    claim: Sequence[Word], source: Sequence[Word], covers: Callable[[Word], bool]
) -> Iterator[str]:
    """Words that the source lacks and has another for: *the red house* for *the blue house*, *on*
    for *off*."""
    forms = {word.lower for word in source}
    turned = any(not TURNED.get(word.lower, frozenset()).isdisjoint(forms) for word in claim)
    if not turned and all(covers(w) for w in claim if w.is_content and not w.is_number):
        return
    there = _sentences(source)
    held = [{word.stem for word in sentence} for sentence in there]
    for mine in _sentences(claim):
        stems = {word.stem for word in mine if word.is_content}
        nearest = max(range(len(there)), key=lambda n: len(stems & held[n]), default=None)
        best = [] if nearest is None else there[nearest]
        yield from _replaced(mine, best, covers)


def _replaced(
    mine: Sequence[Word], theirs: Sequence[Word], covers: Callable[[Word], bool]
) -> Iterator[str]:
    matcher = SequenceMatcher(None, [w.stem for w in mine], [w.stem for w in theirs], False)
    changes = matcher.get_opcodes()
    if sum(end - start for tag, start, end, _, _ in changes if tag == "equal") < (
        _REPEATED * sum(word.is_word for word in mine)
    ):
        return
    said, there = Counter(w.stem for w in mine), Counter(w.stem for w in theirs)
    for tag, i, j, k, m in changes:
        if tag != "replace" or j - i > _AT_MOST or m - k > _AT_MOST:
            continue
        lacking = [
            word
            for n, word in enumerate(mine[i:j], start=i)
            if word.is_content and not covers(word) and not (_counts(word) and not _each(mine, n))
        ]
        if lacking and any(w.is_content and there[w.stem] > said[w.stem] for w in theirs[k:m]):
            yield lacking[0].lower
        elif j - i == m - k == 1 and theirs[k].lower in TURNED.get(mine[i].lower, ()):
            yield mine[i].lower
