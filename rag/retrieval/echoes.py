"""What only looks like an answer: a question said back, a list of keywords, an order to a machine.

Such sentences score best of all, since they share every word of the question and say nothing. They
are no evidence. A Document that has nothing else to say is set aside, and so is one that says the
question back where another speaks of the same without.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from footnote.model import Hit
from rag.index.lexical import STOP_WORDS, content_terms, terms
from rag.retrieval.evidence import KEPT_PASSAGES, KEPT_SENTENCES, Evidence
from rag.retrieval.question import Asked
from rag.text.letters import letters
from rag.text.marks import instructs
from rag.text.sentences import sentences

SHINGLE = 8
SAID_BACK = 0.85
"""Part of a question's shingles in a sentence from which it is the question said back."""
MOST_ADDED = 3
"""Words that may be added to a question without saying anything: *about … there is much to say*."""
MIN_LETTERS = 24
"""A shorter question is not told from an answer that repeats it."""
_ASKS_FOR_THE_SAME = 0.5
SPEAKS, SPEAKS_CLEARLY = 0.15, 0.5
"""Coverage of a question, echoes aside, from which a Document sets others aside: those that say the
question back, and those that ask for the same in other words, as honest lists of questions do."""
_ASKING = r"(?:who|whom|whose|what|which|when|where|why|how)"
_HELPING = r"(?:is|are|was|were|do|does|did|can|could|should|will|would|has|have|had)"
_ASKS = re.compile(rf"\s*(?:{_ASKING}|{_HELPING})\b", re.IGNORECASE)
_INTERROGATIVE = re.compile(
    rf"[?？؟][\"'”’»)\]*_`]*\s*$|^\W*{_ASKING} {_HELPING} (?:the|a|an|you|i|we|they|it|he|she)\b"
    # No statement has this order of words; one that has it quotes a question.
    r"|\b(?:what|when|where|why|how) (?:do|does|did) \w",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
_letters = lru_cache(KEPT_SENTENCES)(letters)
_LISTED_WORDS = 12
_LIST = re.compile(rf"(?:\b[^\W\d_]{{4,}}\s+){{{_LISTED_WORDS - 1},}}[^\W\d_]{{4,}}")
"""So many words in a row with no short one and no comma between them. Every language that puts
spaces between words has short ones; English has longer ones that join, too."""
_JOINS = 4
_MOST_REPEATED = 0.25


def set_aside(
    question: str, asked: Asked, hits: Sequence[Hit], evidence: Sequence[Evidence]
) -> tuple[list[Hit], list[Evidence]]:
    """``hits`` and ``evidence`` in their order, without what only looks like an answer; every
    Hit that is left has evidence in its Document."""
    echo = _Echo(question, asked)
    kept = [e for e in evidence if not echo.is_empty(e.text, e.hit.chunk.document.title)]
    speaking = {_document(one.hit) for one in kept}
    left = [hit for hit in hits if _document(hit) in speaking]
    echoing = {
        _document(hit): bar for hit in reversed(left) if (bar := echo.bar(hit.chunk.text)) < 1.0
    }
    said = {
        name: max(echo.said(hit) for hit in left if _document(hit) == name)
        for name in (speaking if echoing else ())
    }
    best = max((said[name] for name in said.keys() - echoing.keys()), default=0.0)
    after = {name for name, bar in echoing.items() if best >= bar and best > said[name]}
    return (
        [hit for hit in left if _document(hit) not in after],
        [one for one in kept if _document(one.hit) not in after],
    )


def _document(hit: Hit) -> str:
    return hit.chunk.document.document_id


class _Echo:
    """A question, to compare sentences with."""

    def __init__(self, question: str, asked: Asked) -> None:
        letters_of = letters(question)
        long = len(letters_of) >= MIN_LETTERS
        self._shingles = {
            letters_of[i : i + SHINGLE] for i in range(len(letters_of) - SHINGLE + 1) if long
        }
        self._whole = letters_of
        self._words = set(terms(question))
        self._asks = bool(_ASKS.match(question)) or question.rstrip().endswith("?")
        self._asked = asked

    def is_empty(self, text: str, title: str) -> bool:
        """Whether a sentence is no evidence for anything."""
        return (
            _says_nothing(text)
            or (self._asks and self._says_back(text))
            or _letters(text) in _letters(title)
        )

    def bar(self, text: str) -> float:
        """What another Document must say of the question to set the one with ``text`` aside; 1
        where ``text`` does not echo."""
        parts = _parts(text)
        if any(self._says_back(part) for part in parts):
            return SPEAKS
        return SPEAKS_CLEARLY if any(self._asks_the_same(part) for part in parts) else 1.0

    def said(self, hit: Hit) -> float:
        """What part of the question a Hit speaks of, echoes aside."""
        text, title = hit.chunk.text, hit.chunk.document.title
        kept = (p for p in _parts(text) if not self._says_back(p) and not self._asks_the_same(p))
        about = () if self._says_back(title) or self._asks_the_same(title) else terms(title)
        return self._asked.coverage(set(terms(" ".join(kept))), set(about))

    def _asks_the_same(self, text: str) -> bool:
        return bool(_INTERROGATIVE.search(text)) and self._covered(text) >= _ASKS_FOR_THE_SAME

    def _covered(self, text: str) -> float:
        return self._asked.coverage(set(terms(text)), ())

    def _says_back(self, text: str) -> bool:
        """Whether ``text`` is the question with next to nothing added. An answer that keeps the
        question's words has something in the place of its *who* or *how many*."""
        if not self._shingles:
            return False
        together = _letters(text)
        held = sum(shingle in together for shingle in self._shingles)
        if held < SAID_BACK * len(self._shingles):
            return False
        added = [term for term in content_terms(text) if term not in self._asked.rarities]
        if not added or (self._asks and together.startswith(self._whole)):
            return True
        return (
            len(added) <= MOST_ADDED
            and self._whole[:SHINGLE] in together
            and not self._names_another(text)
        )

    def _names_another(self, text: str) -> bool:
        """Whether a name or number stands in ``text`` that the question does not hold."""
        return any(
            (word[0].isupper() or word[0].isdigit()) and not set(terms(word)) <= self._words
            for word in _WORD.findall(text)[1:]
        )


@lru_cache(KEPT_SENTENCES)
def _says_nothing(text: str) -> bool:
    """Whether a sentence is no evidence, whatever was asked."""
    return bool(_INTERROGATIVE.search(text)) or instructs(text) or is_list(text)


@lru_cache(KEPT_PASSAGES)
def _parts(text: str) -> tuple[str, ...]:
    """The sentences of a passage."""
    return tuple(one.span.of(text) for one in sentences(text))


def is_list(text: str) -> bool:
    """Whether a sentence is a row of keywords: words without those that join them, or one again and
    again."""
    if any(_only_listed(match[0]) for match in _LIST.finditer(text)):
        return True
    words = content_terms(text)
    every = terms(text)
    return len(every) >= _LISTED_WORDS and any(
        every.count(word) > _MOST_REPEATED * len(every) for word in words
    )


def _only_listed(row: str) -> bool:
    """Whether so many words stand in a row without a *from*, *that* or *with*, which no keyword
    is. Longer ones, such as *which*, get into lists that are made by counting."""
    run = longest = 0
    for word in row.lower().split():
        run = 0 if word in STOP_WORDS and len(word) <= _JOINS else run + 1
        longest = max(longest, run)
    return longest >= _LISTED_WORDS
