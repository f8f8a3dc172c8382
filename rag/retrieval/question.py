"""A question as it is matched with sentences: its words, how rare each is, and what it asks for.

The kind of thing that is asked for is read only where the words of an English question say it for
certain. Any other question asks for anything, and every sentence gives that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum

from rag.index.lexical import content_terms

TITLE_WEIGHT = 0.5
"""What a word in a document's title counts: sentences speak of their subject without naming it."""


class Wanted(Enum):
    """The kind of thing that answers a question."""

    TIME = "time"
    PERSON = "person"
    PLACE = "place"
    QUANTITY = "quantity"
    REASON = "reason"
    ANYTHING = "anything"


_ASKS = (
    (Wanted.TIME, r"when|(?:what|which|in (?:what|which)) (?:year|month|date|day|century|decade)"),
    (Wanted.PERSON, r"who|whose|whom"),
    (Wanted.PLACE, r"where"),
    (Wanted.QUANTITY, r"how (?:many|much|long|old|far|tall|big|large|high|often|deep|fast|wide)"),
    (Wanted.REASON, r"why|(?:what|which) (?:reasons?|causes?)"),
)
_ASKED = tuple(
    (kind, re.compile(rf"\b(?:{words})\b", re.IGNORECASE)) for kind, words in _ASKS
)  # fmt: skip

_MONTHS = (
    "January|February|March|April|May|June|July|August|September|October|November|December"
)  # fmt: skip
_NUMBER_WORDS = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|"
    "hundred|thousand|million|billion|once|twice|half|several|no"
)
_GIVES = {
    Wanted.TIME: re.compile(
        rf"\b(?:1\d|20)\d\d\b|\b(?:{_MONTHS})\b|\b(?:century|today|ago|since|before|after|during|"
        r"until|every (?:day|week|month|year)|(?:days?|weeks?|months?|years?) )"
    ),
    # A capital letter that does not merely open the sentence.
    Wanted.PERSON: re.compile(r"(?<!^)(?<![.!?:] )\b[A-Z]\w*[a-z]"),
    Wanted.PLACE: re.compile(
        r"\b(?:in|at|on|near|from|to|into|of|under|inside|within|between|through) \S"
    ),
    Wanted.QUANTITY: re.compile(rf"\d|\b(?:{_NUMBER_WORDS})\b", re.IGNORECASE),
    Wanted.REASON: re.compile(
        r"\b(?:because|due to|caus\w+|result\w*|reasons?|since|so that|in order|to \w+|"
        r"therefore|thus|hence|leads? to|led to)\b",
        re.IGNORECASE,
    ),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The stems of a question that carry meaning, with the rarity of each, in (0, 1]."""

    rarities: Mapping[str, float]
    wanted: Wanted

    def coverage(self, present: Collection[str], title: Collection[str]) -> float:
        """The share of the question that these stems cover, in [0, 1]."""
        total = sum(self.rarities.values())
        covered = sum(
            rarity * (1.0 if term in present else TITLE_WEIGHT if term in title else 0.0)
            for term, rarity in self.rarities.items()
        )
        return covered / total if total > 0 else 0.0


def read_question(text: str, rarity: Callable[[str], float]) -> Asked:
    """``rarity`` is that of a stem in the Datanet."""
    return Asked({term: rarity(term) for term in content_terms(text)}, wanted(text))


def wanted(question: str) -> Wanted:
    """The kind of thing ``question`` asks for; the first word that says so decides."""
    found = [(match.start(), kind) for kind, asks in _ASKED if (match := asks.search(question))]
    return min(found, key=lambda pair: pair[0])[1] if found else Wanted.ANYTHING


def gives(sentence: str, kind: Wanted) -> bool:
    """Whether ``sentence`` holds a thing of that kind."""
    return kind is Wanted.ANYTHING or bool(_GIVES[kind].search(sentence))
