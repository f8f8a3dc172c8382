"""What a source mentions without saying that it is so: as denied, doubted, supposed or asked.

*It is a myth that A*, *critics deny that A*, *it is unclear whether A*, *if A*, *is it A?* hold A
word for word, and assert nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.checking.vocabulary import DENYING, DOUBTING, NEGATIONS
from rag.checking.words import Word, in_sentences

_FRAME = 10
"""Words that a frame has, at most."""
_HELD = 0.8
"""A claim is what is framed where this part of its words is."""


@dataclass(frozen=True, slots=True)
class Mentioned:
    """``stems`` are the content words of what is mentioned, ``frame`` the words of what frames it;
    ``denied`` where the frame says that it is not so."""

    frame: frozenset[str]
    stems: frozenset[str]
    denied: bool


def mentioned(words: Sequence[Word]) -> list[Mentioned]:
    """What each sentence of a text mentions without asserting it."""
    return [one for sentence in in_sentences(words) for one in _mentioned(sentence)]


def _mentioned(sentence: Sequence[Word]) -> Iterator[Mentioned]:
    if sentence[-1].text == "?":
        yield Mentioned(frozenset({"?"}), _content(sentence), False)
    for i, word in enumerate(sentence):
        if word.lower in ("whether", "if") and not _as_if(sentence, i):
            clause = _content(sentence[i + 1 : _end_of_clause(sentence, i)])
            yield Mentioned(frozenset({word.lower}), clause, False)
        elif word.lower == "that" and i:
            frame = sentence[max(i - _FRAME, 0) : i]
            forms = {one.lower for one in frame}
            doubts, denies = not DOUBTING.isdisjoint(forms), not DENYING.isdisjoint(forms)
            refuses = not NEGATIONS.isdisjoint(forms)
            if denies or doubts or refuses:
                framed = _content(sentence[i + 1 :])
                yield Mentioned(frozenset(forms), framed, denies and not refuses)


def _as_if(sentence: Sequence[Word], i: int) -> bool:
    return i > 0 and sentence[i - 1].lower in ("as", "even", "only")


def _end_of_clause(sentence: Sequence[Word], i: int) -> int:
    """*If A, B* ends A at the last comma; *B if A* and *whether A* go on to the end."""
    if sentence[i].lower == "if" and sentence[i].opens:
        commas = [n for n, word in enumerate(sentence) if word.text == "," and n > i]
        return commas[-1] if commas else len(sentence)
    return len(sentence)


def _content(words: Sequence[Word]) -> frozenset[str]:
    return frozenset(word.stem for word in words if word.is_content)


def only_mentioned(claim: Sequence[Word], source: Sequence[Word]) -> Iterator[Mentioned]:
    """Where ``source`` mentions what ``claim`` says, and asserts it nowhere."""
    found = mentioned(source)
    if not found:
        return
    said = _content(claim)
    forms = {word.lower for word in claim}
    asks = any(sentence[-1].text == "?" for sentence in in_sentences(claim))
    if not said or (asks and any("?" in one.frame for one in found)):
        return
    for one in found:
        if len(said & one.stems) >= _HELD * len(said) and one.frame.isdisjoint(
            forms & (DENYING | DOUBTING | NEGATIONS | {"if", "whether"})
        ):
            asserted = any(
                len(said & _content(sentence)) >= _HELD * len(said)
                for sentence in in_sentences(source)
                if not list(_mentioned(sentence))
            )
            if not asserted:
                yield one
            return
