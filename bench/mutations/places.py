"""Changes that keep a sentence's words or nearly all of them: two that change places, one put in
another's place, and a source that only reports, doubts or asks what the claim asserts.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

_THING = re.compile(r"\b(?:[Tt]he|[Aa]n?) (?P<word>[a-z]{4,})(?=[\s,.;])(?! of\b)")
_NUMBER = re.compile(r"(?<![\w.,/:$€£-])\d[\d,.]*\d|(?<![\w.,/:$€£-])\d(?![\w.,/:%-])")
_TOGETHER = re.compile(r"^[\s,]*(?:and|or|nor|but|as well as|,)?[\s,]*(?:[Tt]he|[Aa]n?)?\s*$")
_BOTH_WAYS = re.compile(
    r"\b(?:and|or|is|are|was|were|with|between|both|either|marr\w+|met|equal\w*|same|similar"
    r"|join\w*|versus|vs)\b"
)
_FRAMES = (
    "It is a myth that {}",
    "Critics deny that {}",
    "It is false that {}",
    "It is unclear whether {}",
    "Nobody has shown that {}",
    "Some believe that {}",
    "If {}, much would follow.",
    "It has been disproved that {}",
)


def swapped(text: str, rng: random.Random) -> str | None:
    """Two things of one sentence, each behind its article, that change places."""
    found = [match for match in _THING.finditer(text) if match["word"] not in _NO_THING]
    pairs = [
        (one, other)
        for i, one in enumerate(found)
        for other in found[i + 1 :]
        if one["word"] != other["word"]
        and other.start() - one.end() < 60
        and not _BOTH_WAYS.search(text[one.end() : other.start()])
    ]
    if not pairs:
        return None
    one, other = rng.choice(pairs)
    between = text[one.end("word") : other.start("word")]
    return (
        text[: one.start("word")]
        + other["word"]
        + between
        + one["word"]
        + text[other.end("word") :]
    )


def numbers_swapped(text: str, rng: random.Random) -> str | None:
    """Two numbers that change places."""
    found = list(_NUMBER.finditer(text))
    pairs = [
        (one, other)
        for i, one in enumerate(found)
        for other in found[i + 1 :]
        if one.group() != other.group()
        and not _TOGETHER.match(text[one.end() : other.start()])
        and not re.search(r"\b(?:or|between)\b", text[one.end() : other.start()])
    ]
    if not pairs:
        return None
    one, other = rng.choice(pairs)
    between = text[one.end() : other.start()]
    return text[: one.start()] + other.group() + between + one.group() + text[other.end() :]


def replaced(text: str, rng: random.Random, things: Sequence[str]) -> str | None:
    """Another thing in the place of one behind its article."""
    found = [match for match in _THING.finditer(text) if match["word"] in things]
    if not found or not things:
        return None
    match = rng.choice(found)
    old = match["word"]
    for _ in range(10):
        new = rng.choice(things)
        if new not in text and new[:4] != old[:4] and new.endswith("s") == old.endswith("s"):
            return text[: match.start("word")] + new + text[match.end("word") :]
    return None


def things_in(texts: Sequence[str]) -> list[str]:
    """What stands behind an article and before a mark or ``of`` in some text: likely nouns."""
    found = {
        match[1]
        for text in texts
        for match in re.finditer(r"\b(?:the|an?) ([a-z]{4,})(?= of\b|[,.;])", text)
    }
    return sorted(found - _NO_THING)


def doubted(text: str, rng: random.Random) -> str | None:
    """A source that does not assert the sentence."""
    start = (
        text[0].lower() + text[1:] if re.match(r"(?:The|A|An|In|This|These|It)\b", text) else text
    )
    frame = rng.choice(_FRAMES)
    return frame.format(start.rstrip(".") if "}," in frame else start)


_NO_THING = frozenset(
    """
    same other first last most only more less former latter next very many same main whole such few
    second third fourth fifth various entire number part kind type majority rest
    """.split()
)
