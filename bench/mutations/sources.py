"""Changes that need more than one sentence: another source, or the halves of two."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence

from bench.mutations.corpus import Statement, words

_COMMON = 0.05
"""A word in more than this part of all sentences tells none from another."""

_PIVOT = re.compile(r"\s(?=(?:is|are|was|were|has|have|had|can|will|began|became)\s)")
_CONDITION = re.compile(
    r"(?:if|though|although|when|while|since|because|after|before|as|in|on|at|for|with|by|to|but"
    r"|and|so|however|moreover)\b",
    re.IGNORECASE,
)
_POINTING = re.compile(
    r"\b(?:it|they|he|she|his|her|their|its|this|that|these|those|such|there|here|who|which|former"
    r"|latter|we|our|one|another|other|some|most|both|all|what)\b",
    re.IGNORECASE,
)


def content(text: str) -> frozenset[str]:
    """The words of ``text`` that carry it: of four letters or more, cut to six, and numbers."""
    found = {word.lower()[:6] for word in words(text) if len(word) >= 4}
    return frozenset(found | set(re.findall(r"\d[\d.,]*\d|\d", text)))


def says_something_else(claim: str, source: str) -> bool:
    """Whether ``source`` certainly cannot carry ``claim``: it lacks at least three of the words
    that carry it, and a third of them."""
    wanted = content(claim)
    missing = wanted - content(source)
    return len(missing) >= 3 and 3 * len(missing) >= len(wanted)


class Similar:
    """Finds the sentence that shares most with another one, by rare words."""

    def __init__(self, statements: Sequence[Statement]) -> None:
        self._statements = statements
        self._held: dict[str, list[int]] = defaultdict(list)
        for i, statement in enumerate(statements):
            for word in content(statement.text):
                self._held[word].append(i)

    def to(self, text: str) -> Statement | None:
        """The most similar sentence that says something else."""
        scores: dict[int, float] = defaultdict(float)
        for word in sorted(content(text)):
            held = self._held.get(word, [])
            if len(held) <= max(_COMMON * len(self._statements), 2):
                for i in held:
                    scores[i] += math.log(len(self._statements) / len(held))
        for i, _ in sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:20]:
            if says_something_else(text, self._statements[i].text):
                return self._statements[i]
        return None


def stitched(first: str, second: str) -> str | None:
    """The first clause of one sentence and the last of another."""
    head = re.match(r"((?:\S+ ){4,18}?\S+?) ?(?:,|;| and | which | who | but )", first)
    tail = re.search(
        r"(?:[,;] | and | which | who | but )([a-z]\S* (?:\S+ ){3,18}?[^.\s]*[a-z0-9%]) ?\.$",
        second,
    )
    if head is None or tail is None or not says_something_else(tail[1], first):
        return None
    if "(" in head[1] or ")" in tail[1]:
        return None
    return f"{head[1]} and {tail[1]}."


def crossed(first: str, second: str, title: str) -> str | None:
    """What the second sentence says, said of the first one's subject, where the two are not the
    same: neither points back, and they share no word with each other or with the title."""
    a, b = _PIVOT.split(first, maxsplit=1), _PIVOT.split(second, maxsplit=1)
    if len(a) != 2 or len(b) != 2:
        return None
    for subject in (a[0], b[0]):
        apart = len(subject.split()) <= 6 and not re.search(r"[,;:()]", subject)
        if not apart or _CONDITION.match(subject) or _POINTING.search(subject):
            return None
        if not content(subject):
            return None
        if content(subject) & content(title):
            return None
    if content(a[0]) & content(second) or content(b[0]) & content(first):
        return None
    if a[1].split()[0] != b[1].split()[0] or not says_something_else(b[1], a[1]):
        return None
    return f"{a[0]} {b[1]}"
