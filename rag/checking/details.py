"""The details in which a claim and its source must agree, and where they do not.

Numbers with their units and bounds, dates, names, negation, quantifiers and hedges, opposites, and
who did what to whom.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from rag.checking.assertion import only_mentioned
from rag.checking.covering import Covering, Text
from rag.checking.places import exchanged, made_passive, replaced
from rag.checking.polarity import Denial, denied_abroad, without_prefix
from rag.checking.quantities import Date, Quantity
from rag.checking.roles import counted_otherwise, of_another_subject, turned_around
from rag.checking.vocabulary import ENTAILED, IMPLIED_NUMBERS, MONTHS, OPPOSITES, OUTBIDDING, UNITS
from rag.checking.words import Word, in_sentences, stem

KEEPS_TO = 0.85
"""A claim keeps to its source where this part of its words stands there."""

_SENTENCES = 60
"""Sentences of a text that are compared one by one."""


class Kind(Enum):
    """What two texts can disagree about."""

    NUMBER = "number"
    UNIT = "unit"
    DATE = "date"
    NAME = "name"
    NEGATION = "negation"
    QUANTIFIER = "quantifier"
    OPPOSITE = "opposite"
    ROLE = "role"
    WORD = "word"
    ASSERTION = "assertion"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """What of the claim the source does not say; ``denies`` where it says something else."""

    kind: Kind
    what: str
    denies: bool


def disagreements(
    mine: Text, theirs: Text, about: Text, covers: Covering
) -> Iterator[Disagreement]:
    """What of the claim ``mine`` the source ``theirs`` does not say, or denies; the title ``about``
    says what the source speaks of."""
    yield from _numbers(mine, theirs, about)
    yield from _dates(mine, theirs, about)
    yield from _names(mine, covers)
    yield from _opening(mine, covers)
    yield from _negations(mine, theirs)
    yield from _quantifiers(mine, theirs)
    yield from _opposites(mine, theirs, about)
    yield from _roles(mine, theirs, about)
    for one in only_mentioned(mine.words, theirs.words):
        yield Disagreement(Kind.ASSERTION, " ".join(sorted(one.frame)), one.denied)
    for pair in exchanged(mine.words, theirs.words):
        yield Disagreement(Kind.ROLE, pair, True)
    for verb in made_passive(mine.words, theirs.words):
        yield Disagreement(Kind.ROLE, verb, True)
    for word in replaced(mine.words, theirs.words, covers):
        yield Disagreement(Kind.WORD, word, False)


def _numbers(mine: Text, theirs: Text, about: Text) -> Iterator[Disagreement]:
    there = (*theirs.quantities, *about.quantities)
    implied = {n for s in theirs.stems | about.stems if (n := IMPLIED_NUMBERS.get(s)) is not None}
    units = {quantity.unit for quantity in there}
    valued: dict[Decimal, list[Quantity]] = {}
    for quantity in there:
        valued.setdefault(quantity.value, []).append(quantity)
    for quantity in mine.quantities:
        if any(_within(quantity, date) for date in mine.dates):
            continue
        what = str(quantity.value)
        same = valued.get(quantity.value) or _rounded(quantity, there)
        if not same:
            if quantity.value not in implied:
                yield Disagreement(Kind.NUMBER, what, bool(there))
            continue
        if quantity.unit is not None and not any(_same_unit(quantity, other) for other in same):
            unsaid = any(other.unit is None for other in same) and quantity.unit in units
            if not unsaid:
                yield Disagreement(Kind.UNIT, f"{what} {quantity.unit}", True)
        bounds = {other.bound for other in same}
        if quantity.bound and quantity.bound not in bounds:
            yield Disagreement(Kind.QUANTIFIER, what, -quantity.bound in bounds)
        elif (bounds == {-1} and not quantity.bound) or (bounds == {1} and quantity.exact):
            yield Disagreement(Kind.QUANTIFIER, what, False)


def _within(quantity: Quantity, date: Date) -> bool:
    """Whether a number is a part of a date."""
    if date.end > date.place + 1:
        return date.place <= quantity.place < date.end
    near = date.place - 3 <= quantity.place <= date.place + 4
    return near and quantity.unit is None and quantity.value in (date.day, date.year)


def _same_unit(one: Quantity, other: Quantity) -> bool:
    """One unit, or degrees of which one text does not say the scale."""
    units = {one.unit or "", other.unit or ""}
    return one.unit == other.unit or ("°" in units and all(u.startswith("°") for u in units))


def _rounded(mine: Quantity, there: Sequence[Quantity]) -> list[Quantity]:
    """What an estimate may stand for: *about 76* for 76.3."""
    return [other for other in there if mine.estimated and round(other.value) == mine.value]


def _dates(mine: Text, theirs: Text, about: Text) -> Iterator[Disagreement]:
    there = (*theirs.dates, *about.dates)
    values = {quantity.value for quantity in (*theirs.quantities, *about.quantities)}
    for date in mine.dates:
        same_month = [other for other in there if other.month == date.month] or [
            Date(None, date.month, None, 0, 1)
            for word in theirs.words
            if MONTHS.get(word.lower) == date.month
        ]
        if not any(_says(other, date, values) for other in same_month):
            what = "-".join(str(part) for part in (date.year, date.month, date.day) if part)
            yield Disagreement(Kind.DATE, what, bool(there))


def _says(other: Date, date: Date, values: Collection[object]) -> bool:
    """Whether a date gives all of another one, or what it leaves out stands elsewhere."""
    return all(
        wanted is None or wanted == given or (given is None and wanted in values)
        for wanted, given in ((date.day, other.day), (date.year, other.year))
    )


def _names(mine: Text, covers: Covering) -> Iterator[Disagreement]:
    known = {date.place for date in mine.dates} | {
        i + 1 for i, word in enumerate(mine.words) if UNITS.get(word.lower) == "°"
    }
    words = [word for i, word in enumerate(mine.words) if word.is_word and i not in known]
    if len(words) > 3 and all(w.text[0].isupper() for w in words if w.text.isalpha()):
        return  # in capitals throughout: what is a name cannot be seen
    for i, word in enumerate(words):
        if _is_name(words, i) and not covers.names(word):
            yield Disagreement(Kind.NAME, word.text, False)


def _opening(mine: Text, covers: Covering) -> Iterator[Disagreement]:
    """The word that opens a claim may be a name or not. In a claim that else keeps to its source,
    one that the source lacks was put in another's place."""
    content = mine.content
    held = [covers(word) for word in content]
    if len(held) < 4 or held[0] or not content[0].opens or not content[0].text[0].isupper():
        return
    if sum(held) >= KEEPS_TO * (len(held) - 1):
        yield Disagreement(Kind.NAME, content[0].text, False)


def _is_name(words: Sequence[Word], i: int) -> bool:
    word = words[i]
    if not word.text[0].isupper() or (len(word.text) == 1 and word.text in "IA"):
        return False
    if not word.is_content and len(word.text) > 1:
        return False
    if not word.opens:
        return len(word.text) > 1 or not _is_initial(words, i)
    if any(letter.isupper() or letter.isdigit() for letter in word.text[1:]):
        return True
    after = words[i + 1] if i + 1 < len(words) else None
    return after is not None and after.text[0].isupper() and after.is_content and not after.opens


def _is_initial(words: Sequence[Word], i: int) -> bool:
    """The *F.* that some write in *John F. Kennedy*."""
    around = [*words[max(i - 1, 0) : i], *words[i + 1 : i + 2]]
    return len(around) == 2 and all(len(w.text) > 1 and w.text[0].isupper() for w in around)


def _negations(mine: Text, theirs: Text) -> Iterator[Disagreement]:
    left = list(theirs.denials)
    for denial in mine.denials:
        answer = max(left, key=lambda other: _alike(denial, other), default=None)
        if answer is not None and _alike(denial, answer) > 0:
            left.remove(answer)
        elif denial.focus in theirs.stems:
            yield Disagreement(Kind.NEGATION, denial.focus, True)
        elif denial.mild or not _opposed(denial.focus).isdisjoint(theirs.stems):
            continue
        elif left:
            left.pop()
        else:
            yield Disagreement(Kind.NEGATION, denial.focus, False)
    asserted, theirs_asserted = _asserted(mine), _asserted(theirs)
    for denial in left:
        if asserted[denial.focus] > theirs_asserted[denial.focus]:
            yield Disagreement(Kind.NEGATION, denial.focus, True)
    yield from _denied_by_prefix(mine, theirs)
    yield from _denied_by_prefix(theirs, mine)
    yield from _denied_abroad(mine, theirs)


def _alike(one: Denial, other: Denial) -> int:
    return 10 * (one.focus == other.focus) + len(one.scope & other.scope)


def _asserted(text: Text) -> Counter[str]:
    """How often each word stands in a text without being denied."""
    found = Counter(word.stem for word in text.words)
    found.subtract(denial.focus for denial in text.denials)
    return found


def _denied_by_prefix(one: Text, other: Text) -> Iterator[Disagreement]:
    """*unable* here and *able* there, where neither has a *not*."""
    denied = {denial.focus for denial in (*one.denials, *other.denials)}
    for word in one.words:
        if word.is_content and word.stem not in other.stems:
            opposed = without_prefix(word.lower) & other.stems - one.stems
            if opposed and denied.isdisjoint({*opposed, word.stem}):
                yield Disagreement(Kind.NEGATION, word.lower, True)


def _denied_abroad(mine: Text, theirs: Text) -> Iterator[Disagreement]:
    """A denial in another language, here or there, against the sentence that shares the most."""
    there = [
        ({word.stem for word in sentence}, denied_abroad(sentence))
        for sentence in in_sentences(theirs.words)[:_SENTENCES]
    ]
    for sentence in in_sentences(mine.words)[:_SENTENCES]:
        stems = {word.stem for word in sentence}
        _, denied = max(there, key=lambda one: len(stems & one[0]), default=(stems, 0))
        if denied_abroad(sentence) != denied:
            yield Disagreement(Kind.NEGATION, sentence[0].lower, True)


def _quantifiers(mine: Text, theirs: Text) -> Iterator[Disagreement]:
    for one in mine.quantified:
        if one.group == "none":
            continue
        others = {other.group for other in theirs.quantified if other.of & one.of}
        if others and not any(one.group in ENTAILED[other] for other in others):
            yield Disagreement(Kind.QUANTIFIER, one.group, True)
        elif not others and one.group in OUTBIDDING and one.of & theirs.stems:
            yield Disagreement(Kind.QUANTIFIER, one.group, False)
    if mine.hedged:
        return
    often = Counter(word.stem for word in theirs.words)
    for doubted in theirs.hedged & mine.stems:
        if often[doubted] > 1:  # and maybe held for sure elsewhere
            continue
        yield Disagreement(Kind.QUANTIFIER, f"may {doubted}", False)


_OPPOSED: dict[str, frozenset[str]] = {}
for _line in OPPOSITES:
    _one, _other = (stem(word) for word in _line.split())
    _OPPOSED[_one] = _OPPOSED.get(_one, frozenset()) | {_other}
    _OPPOSED[_other] = _OPPOSED.get(_other, frozenset()) | {_one}


def _opposed(one: str) -> frozenset[str]:
    return _OPPOSED.get(one, frozenset())


def _opposites(mine: Text, theirs: Text, about: Text) -> Iterator[Disagreement]:
    denied = {denial.focus for denial in (*mine.denials, *theirs.denials)}
    for i, word in enumerate(mine.words):
        opposed = (_opposed(word.stem) & theirs.stems) - mine.stems
        if not opposed or word.stem in theirs.stems | about.stems or word.stem in denied:
            continue
        near = {one.stem for one in mine.words[max(i - 4, 0) : i + 5] if one.is_content}
        for j, other in enumerate(theirs.words):
            around = {one.stem for one in theirs.words[max(j - 4, 0) : j + 5] if one.is_content}
            if other.stem in opposed and other.stem not in denied and near & around:
                yield Disagreement(Kind.OPPOSITE, word.lower, True)
                break


def _roles(mine: Text, theirs: Text, about: Text) -> Iterator[Disagreement]:
    for verb in turned_around(mine.words, theirs.words):
        yield Disagreement(Kind.ROLE, verb, True)
    there = theirs.words, theirs.quantities
    for counted in counted_otherwise(mine.words, mine.quantities, *there):
        yield Disagreement(Kind.NUMBER, counted, True)
    for subject in of_another_subject(mine.words, theirs.words, about.words):
        yield Disagreement(Kind.ROLE, subject, True)
