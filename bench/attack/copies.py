"""What an attacker makes of other people's texts. Pure; every attack follows from its seed."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from rag.text.sentences import sentences

_WORD = re.compile(r"[^\W\d_]+")
_LOOKALIKES = dict(zip("aceopxyisjABCEHKMOPTX", "асеорхуіѕјАВСЕНКМОРТХ", strict=True))
"""Latin letters and the Cyrillic ones that look the same."""
_UNSEEN = "\u200b\u200c\u2060\u00ad"


def homoglyphs(text: str, dice: random.Random) -> str:
    """Half of the letters that have a look-alike changed, and now and then something unseen."""
    made = []
    for character in text:
        other = _LOOKALIKES.get(character)
        made.append(other if other and dice.random() < 0.5 else character)
        if character.isalpha() and dice.random() < 0.02:
            made.append(dice.choice(_UNSEEN))
    return "".join(made)


def reordered(text: str, dice: random.Random) -> str:
    """Paragraphs in another order."""
    paragraphs = [one for one in re.split(r"\n\s*\n", text) if one.strip()]
    if len(paragraphs) < 2:
        paragraphs = [one.span.of(text) for one in sentences(text)]
    dice.shuffle(paragraphs)
    return "\n\n".join(paragraphs)


def swapped(text: str, part: float, vocabulary: Sequence[str], dice: random.Random) -> str:
    """Each word with probability ``part`` replaced by one of ``vocabulary``."""

    def other(match: re.Match[str]) -> str:
        if dice.random() >= part:
            return match.group()
        word = dice.choice(vocabulary)
        return word.capitalize() if match.group()[0].isupper() else word

    return _WORD.sub(other, text)


def pieces(text: str, size: int) -> list[str]:
    """``text`` cut into runs of ``size`` sentences."""
    spans = [one.span for one in sentences(text)]
    return [
        text[run[0].start : run[-1].end]
        for run in (spans[i : i + size] for i in range(0, len(spans), size))
    ]


def padded(text: str, times: int, vocabulary: Sequence[str], dice: random.Random) -> str:
    """``text`` between sentences of anyhow chosen words, ``times`` as much of them."""
    filler: list[str] = []
    while sum(map(len, filler)) < times * len(text):
        words = [dice.choice(vocabulary) for _ in range(dice.randint(8, 20))]
        filler.append(" ".join(words).capitalize() + ".")
    half = len(filler) // 2
    return "\n\n".join([" ".join(filler[:half]), text, " ".join(filler[half:])])


def dressed(text: str, dice: random.Random) -> str:
    """Every sentence with a few words put before it."""
    leads = "No, ", "In fact, ", "As all know, ", "It is true that ", "Indeed, "
    return " ".join(dice.choice(leads) + one.span.of(text) for one in sentences(text))


def vocabulary(texts: Sequence[str]) -> list[str]:
    """The words of ``texts``, as often as they stand there."""
    return [word.lower() for text in texts for word in _WORD.findall(text)]


def keywords(text: str, count: int) -> list[str]:
    """The longer words that ``text`` says most often."""
    words = [word.lower() for word in _WORD.findall(text) if len(word) > 4]
    return sorted(set(words), key=lambda word: (-words.count(word), word))[:count]
