"""What a text denies, and of how many it speaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag.checking.vocabulary import (
    ENGLISH,
    FAILING,
    HEDGES,
    MITIGATING,
    NEGATIONS,
    NEGATIONS_ABROAD,
    NUMBER_WORDS,
    PROSPECTIVE,
    QUANTIFIERS,
)
from rag.checking.words import Word, stem

_REACH = 8
"""How many words a negation reaches, at most."""
_ENDS = frozenset(',;:.!?()"')
_NO_NOUN = _ENDS | {"-", "through", "over", "around", "along", "right"}
_NO_AMOUNT = frozenset("the a as so how too very his her its their".split())
"""Before *most* or *many* these make a superlative or a comparison of it."""
_PREFIXES = ("un", "in", "im", "ir", "il", "dis", "non", "mis")


@dataclass(frozen=True, slots=True)
class Denial:
    """A negation at ``place``: the stem that it denies first, and all that it may reach. ``mild``
    where it only bounds what follows: *not only*, *no doubt*."""

    place: int
    focus: str
    scope: frozenset[str]
    mild: bool


@dataclass(frozen=True, slots=True)
class Quantified:
    """A quantifier and the stems of the words that it may speak of, the nearest two."""

    group: str
    of: frozenset[str]


def denials(words: Sequence[Word]) -> list[Denial]:
    """Every negation, with what it denies."""
    found = []
    for i, word in enumerate(words):
        after = words[i + 1].lower if i + 1 < len(words) else ""
        failing = (word.lower in FAILING and after == "to") or (
            word.lower == "free" and after in ("of", "from")
        )
        if not failing and (word.lower not in NEGATIONS or _is_number_sign(words, i)):
            continue
        reached = _reached(words, i)
        if not reached or [one.lower for one in reached[1:2]] == ["than"]:
            continue
        first = reached[0]
        content = [one for one in reached if one.is_content and one.lower != "longer"] or [first]
        if first.lower in MITIGATING:
            content = [first]
        scope = frozenset(one.stem for one in content)
        mild = first.lower in MITIGATING
        found.append(Denial(i, content[0].stem, scope, mild))
    return found


def denied_abroad(sentence: Sequence[Word]) -> int:
    """How often a sentence in another language than English denies something."""
    forms = [word.lower for word in sentence]
    if not ENGLISH.isdisjoint(forms):
        return 0
    text = "".join(form for form in forms if len(form) == 1)
    return sum(
        text.count(one) if _is_unspaced(one) else forms.count(one) for one in NEGATIONS_ABROAD
    )


def _is_unspaced(form: str) -> bool:
    return ord(form[0]) >= 0x0E00


def _is_number_sign(words: Sequence[Word], i: int) -> bool:
    """*No. 5*, and a bare *No,* that answers a question."""
    after = words[i + 1].text if i + 1 < len(words) else "."
    return words[i].lower == "no" and (after in ".,;" or after[0].isdigit())


def _reached(words: Sequence[Word], i: int) -> list[Word]:
    found: list[Word] = []
    for word in words[i + 1 : i + 1 + _REACH]:
        if word.lower in _ENDS or word.lower == "but":
            break
        if word.is_word:
            found.append(word)
    return found


@lru_cache(maxsize=50_000)
def without_prefix(lower: str) -> frozenset[str]:
    """The stems that a word may deny by its first syllable: *unable*, *able*."""
    rests = (lower[len(p) :] for p in _PREFIXES if lower.startswith(p) and len(lower) >= len(p) + 4)
    return frozenset(stem(rest) for rest in rests)


def quantified(words: Sequence[Word]) -> list[Quantified]:
    """Every quantifier with what it speaks of."""
    found = []
    for i, word in enumerate(words):
        group = QUANTIFIERS.get(word.lower)
        before = words[i - 1].lower if i else ""
        after = words[i + 1].lower if i + 1 < len(words) else "."
        if group is None or after in _NO_NOUN or before in ("-", "at", "after"):
            continue
        if before == "a" and group == "few":
            group = "some"
        elif (before == "not" and group == "only") or (
            before in _NO_AMOUNT and word.lower in ("most", "few", "many", "much")
        ):
            continue
        of = [one.stem for one in words[i + 1 : i + 7] if one.is_content][:2]
        if of:
            found.append(Quantified(group, frozenset(of)))
    return found


def hedged(words: Sequence[Word]) -> frozenset[str]:
    """The stems that a text only holds possible: the first content word after each *may* or
    *planned to*."""
    found = set()
    for i, word in enumerate(words):
        to = i + 1 < len(words) and words[i + 1].lower == "to"
        if (word.lower in HEDGES and word.text != "May") or (to and word.lower in PROSPECTIVE):
            after = [one for one in words[i + 1 : i + 5] if one.is_content]
            if after and not after[0].is_number and after[0].lower not in NUMBER_WORDS:
                found.add(after[0].stem)
    return frozenset(found)
