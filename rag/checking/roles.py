"""Who did what to whom, where the words alone all agree: names that changed places, numbers that
count something else, and what is said of another subject than in the source.

Each rule speaks only where the source says the very thing otherwise; what it cannot read it passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rag.checking.quantities import Quantity
from rag.checking.vocabulary import AUXILIARIES, MUTUAL, NUMBER_WORDS, POINTING, SCALES
from rag.checking.words import Word, in_sentences

_NEAR = 7
"""Words between two names that one verb may join."""
_REPEATED = 0.9
"""The part of a predicate that its sentence must hold."""
_INSIDE_NUMBERS = frozenset({"-", "and", *NUMBER_WORDS, *SCALES})


def turned_around(claim: Sequence[Word], source: Sequence[Word]) -> Iterator[str]:
    """Verbs whose names stand the other way round in the source: *A beat B* for *B beat A* or
    for *A was beaten by B*."""
    there = set(_joined(source))
    for one, verb, other, passive in _joined(claim):
        same = {(one, verb, other, passive), (other, verb, one, not passive)}
        turned = {(other, verb, one, passive), (one, verb, other, not passive)}
        if one != other and turned & there and not same & there:
            yield verb


def _joined(words: Sequence[Word]) -> Iterator[tuple[str, str, str, bool]]:
    """Two names, a word between them, and whether *by* makes the second one the doer."""
    names = [i for i, word in enumerate(words) if _is_name(words, i) and word.is_word]
    for place, i in enumerate(names):
        for j in names[place + 1 : place + 3]:
            between = words[i + 1 : j]
            if not 0 < len(between) <= _NEAR or any(not word.is_word for word in between):
                continue
            lower = [word.lower for word in between]
            if {"and", "or"} & set(lower):
                continue
            passive = "by" in lower
            for word in between:
                if word.is_content and word.text[0].islower() and word.stem not in MUTUAL:
                    yield words[i].stem, word.stem, words[j].stem, passive


def _is_name(words: Sequence[Word], i: int) -> bool:
    """A capital that more than the place in the sentence explains, or that opens it."""
    word = words[i]
    return word.is_content and word.text[0].isupper() and not word.is_number


def counted_otherwise(
    claim: Sequence[Word],
    mine: Sequence[Quantity],
    source: Sequence[Word],
    theirs: Sequence[Quantity],
) -> Iterator[str]:
    """Numbers of the source that count something else there: *5 men* for *5 women and 9 men*."""
    counts = {(quantity.value, _counted(source, quantity)) for quantity in theirs}
    things: dict[str, set[object]] = {}
    for value, thing in counts:
        things.setdefault(thing, set()).add(value)
    elsewhere = {value for value, thing in counts if thing}
    for quantity in mine:
        thing = _counted(claim, quantity)
        others = things.get(thing)
        if thing and others and quantity.value not in others and quantity.value in elsewhere:
            yield f"{quantity.value} {thing}"


def _counted(words: Sequence[Word], quantity: Quantity) -> str:
    """The stem of the word right behind a number that has no unit; empty if there is none."""
    end = quantity.place + 1
    while end < len(words) and words[end].lower in _INSIDE_NUMBERS:
        end += 1
    if quantity.unit is not None or end == len(words) or not words[end].is_content:
        return ""
    return words[end].stem if words[end].text.islower() else ""


def of_another_subject(
    claim: Sequence[Word], source: Sequence[Word], title: Sequence[Word]
) -> Iterator[str]:
    """What one sentence of the source says of its subject, said of another sentence's subject.

    Only where neither points back and the two share no word, so that they cannot be the same.
    """
    parts = _subject(claim)
    said = {word.stem for word in source}
    about = {word.stem for word in title if word.is_content}
    if parts is None:
        return
    subject, predicate = parts
    if len(predicate) < 3 or not subject <= said or subject & about:
        return
    for sentence in in_sentences(source):
        held = {word.stem for word in sentence if word.is_content}
        there = _subject(sentence)
        if subject & held or len(predicate & held) < _REPEATED * len(predicate) or there is None:
            continue
        if not there[0] & (subject | predicate | about) and sentence[0].lower != "the":
            yield " ".join(sorted(there[0]))
            return


def _subject(words: Sequence[Word]) -> tuple[set[str], set[str]] | None:
    """The content words before and after the first auxiliary, where what stands before is short,
    plain and does not point back."""
    at = next((i for i, word in enumerate(words) if word.lower in AUXILIARIES), None)
    if at is None or not 0 < at <= 7:
        return None
    before = words[:at]
    if any(not word.is_word or word.lower in POINTING for word in before if word.text != "-"):
        return None
    subject = {word.stem for word in before if word.is_content}
    return (subject, {word.stem for word in words[at:] if word.is_content}) if subject else None
