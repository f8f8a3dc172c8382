"""Text as it reads: what looks the same made the same. The door of confusable_homoglyphs."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from confusable_homoglyphs.confusables import confusables_data

_NOT_SAID = re.compile(r"[\W_]+")


@cache
def _lookalikes() -> dict[int, str]:
    """ASCII letters by the code points that look like them, after Unicode's table."""
    found: dict[int, str] = {}
    for character, others in confusables_data.items():
        if len(character) == 1 and not character.isascii():
            alike = [o["c"] for o in others if re.fullmatch("[A-Za-z]", o["c"])]
            alike.sort(key=lambda letter: letter.isupper() != character.isupper())
            if alike:  # the table says l for all that looks like it, capital I too
                found[ord(character)] = "I" if alike[0] == "l" and character.isupper() else alike[0]
    return found


def folded(text: str) -> str:
    """``text`` without case, accents, letters that look like others, and what cannot be seen."""
    if text.isascii():
        return text.casefold()
    decomposed = unicodedata.normalize("NFKD", text.translate(_lookalikes()))
    seen = "".join(c for c in decomposed if unicodedata.category(c) not in ("Mn", "Cf"))
    return seen.casefold().translate(_lookalikes())


def letters(text: str) -> str:
    """Letters and digits of the folded ``text`` alone, without spaces and punctuation."""
    return _NOT_SAID.sub("", folded(text))
