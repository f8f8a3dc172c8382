"""Rules that certainly keep what a sentence says. Each gives the edited sentence, or None where it
does not apply.
"""

from __future__ import annotations

import random
import re

from bench.mutations.words import (
    ACTIVE,
    CONTRACTIONS,
    FILLERS,
    LEADS,
    MONTHS,
    NUMBERS,
    PHRASES,
    SPELLINGS,
    UNIT_FORMS,
)

_BOTH_CONTRACTIONS = CONTRACTIONS | {new: old for old, new in CONTRACTIONS.items()}
_BOTH_SPELLINGS = SPELLINGS | {new: old for old, new in SPELLINGS.items()}
_WORDS_OF_DIGITS = {str(number): word for word, number in NUMBERS.items()}
_MONTH = "|".join(MONTHS)
_OPENING = frozenset(
    "The A An This These Those It He She They We In On At There Its His Her Their Some Many "
    "Most All Both Each Our".split()
)


def contraction(text: str, rng: random.Random) -> str | None:
    if "that's" in text:  # may stand for "that has"
        return None
    return _exchanged(text, _BOTH_CONTRACTIONS, rng)


def percent(text: str, rng: random.Random) -> str | None:
    """``5%``, ``5 %``, ``5 percent`` and ``5 per cent`` for one another."""
    match = re.search(r"(?<=\d)\s?(?:%|percent\b|per cent\b)", text)
    if match is None:
        return None
    forms = [form for form in ("%", " per cent", " percent") if form != match.group()]
    return text[: match.start()] + rng.choice(forms) + text[match.end() :]


def thousands(text: str, rng: random.Random) -> str | None:
    """``12,000`` and ``12000``; ``2.5 million`` as ``2,500,000``."""
    match = re.search(r"(?<![\w.,$€£-])\d{1,3}(?:,\d{3})+(?![\d,.]\d|\w)", text)
    if match:
        return text[: match.start()] + match.group().replace(",", "") + text[match.end() :]
    match = re.search(r"(?<![\w.,-])[1-9]\d{4,8}(?![\w-]|[,.]\d)", text)
    if match:
        return text[: match.start()] + f"{int(match.group()):,}" + text[match.end() :]
    match = re.search(r"(?<![\w.,$€£-])(\d{1,3}(?:\.\d{1,3})?) million\b", text)
    if match:
        return text[: match.start()] + f"{round(float(match[1]) * 1e6):,}" + text[match.end() :]
    return None


def number_word(text: str, rng: random.Random) -> str | None:
    """``ten`` and ``10``."""
    match = re.search(rf"(?<![\w-])(?:{'|'.join(NUMBERS)})(?![\w-])", text)
    if match:
        return text[: match.start()] + str(NUMBERS[match.group()]) + text[match.end() :]
    match = re.search(r"(?<![^\s])([2-9]|1[0-2])(?= [a-z]{3,})", text)
    if match and not re.search(rf"(?:{_MONTH}|\d)\s$", text[: match.start()]):
        return text[: match.start()] + _WORDS_OF_DIGITS[match.group()] + text[match.end() :]
    return None


def date_form(text: str, rng: random.Random) -> str | None:
    """``May 1, 1994`` and ``1 May 1994``."""
    match = re.search(rf"\b({_MONTH}) (\d{{1,2}}) ?, (\d{{4}})\b", text)
    if match:
        return text[: match.start()] + f"{match[2]} {match[1]} {match[3]}" + text[match.end() :]
    match = re.search(rf"\b(\d{{1,2}}) ({_MONTH}) (\d{{4}})\b", text)
    if match:
        return text[: match.start()] + f"{match[2]} {match[1]}, {match[3]}" + text[match.end() :]
    return None


def unit_form(text: str, rng: random.Random) -> str | None:
    """``5 km`` and ``5 kilometres``."""
    names = "|".join(sorted(map(re.escape, UNIT_FORMS), key=len, reverse=True))
    match = re.search(rf"(?<=\d )({names})(?![\w.])", text)
    if match is None:
        return None
    return text[: match.start()] + UNIT_FORMS[match.group()] + text[match.end() :]


def time_fronted(text: str, rng: random.Random) -> str | None:
    """A year at the end comes to the front."""
    match = re.fullmatch(rf"([A-Z][^,;:()]+) (in (?:(?:{_MONTH}) )?(?:1[5-9]|20)\d\d) ?\.", text)
    if match is None or re.search(r"\d| and | that | who | which ", match[1]):
        return None
    return f"In{match[2][2:]}, {_without_capital(match[1])}."


def filler_dropped(text: str, rng: random.Random) -> str | None:
    for filler in FILLERS:
        match = re.search(rf"(?:^|\s){re.escape(filler)}(?=\s(?!as\b))", text, re.IGNORECASE)
        if match:
            before = (
                text[: match.start()].rstrip(" ,")
                if filler.endswith(",")
                else text[: match.start()]
            )
            rest = (before + text[match.end() :]).lstrip(" ,")
            return rest[:1].upper() + rest[1:]
    return None


def lead_added(text: str, rng: random.Random) -> str | None:
    if text.split()[0].rstrip(",").istitle() and "," in text.split()[0]:
        return None
    return rng.choice(LEADS) + _without_capital(text)


def casing(text: str, rng: random.Random) -> str | None:
    return rng.choice([text.lower(), text.upper(), text[0].lower() + text[1:]])


def punctuation(text: str, rng: random.Random) -> str | None:
    """Spaces before punctuation, quotation marks, dashes and the last full stop."""
    edited = re.sub(r" ([,.;:)])", r"\1", text).replace("( ", "(")
    edited = re.sub(r"``\s?(.*?)\s?''", r"“\1”", edited).replace(" -- ", " — ")
    edited = re.sub(r" - (?=[a-z])", "-", edited).replace(" 's", "’s")
    if edited == text:
        edited = text.replace("; ", ", ").replace("'", "’")
    if edited == text:
        edited = text.removesuffix(".")
    return None if edited == text else edited


def spelling(text: str, rng: random.Random) -> str | None:
    return _exchanged(text, _BOTH_SPELLINGS, rng)


def abbreviation(text: str, rng: random.Random) -> str | None:
    """``U.S.`` and ``US``; ``e.g.`` and ``for example``."""
    forms = {"U.S.": "US", "U.K.": "UK", "e.g.": "for example", "i.e.": "that is",
             "vs.": "versus", "and": "&"}  # fmt: skip
    for old, new in forms.items():
        match = re.search(rf"(?<![\w.]){re.escape(old)}(?=[\s,])", text)
        if match and match.end() < len(text):
            return text[: match.start()] + new + text[match.end() :]
    return None


def phrase(text: str, rng: random.Random) -> str | None:
    """A phrase for one that says the same."""
    found = {
        old: new
        for old, new in PHRASES.items()
        if not (old in ("upon", "until", "such as") and re.search(rf"\b{old} [^a-z]", text))
    }
    return _exchanged(text, found, rng)


def aside_dropped(text: str, rng: random.Random) -> str | None:
    """What stands in brackets is left out; the rest still follows."""
    edited = re.sub(r" ?\([^()]*\)", "", text, count=1)
    return None if edited == text or len(edited) < 40 else edited


def clause_dropped(text: str, rng: random.Random) -> str | None:
    """A relative clause at the end is left out; the rest still follows."""
    match = re.fullmatch(r"([^,;()]{40,}?) ?, (?:which|who|where) [^,;]+\.", text)
    return None if match is None else match[1] + "."


def list_reordered(text: str, rng: random.Random) -> str | None:
    """``a, b and c`` as ``b, a and c``."""
    if re.search(r"respectively|first|then|order", text):
        return None
    match = re.search(r"(?<= )([a-z]{3,}) ?, ([a-z]{3,}) ?,? (and|or) ([a-z]{3,})(?= ?[.,;])", text)
    if match is None or not re.search(
        r"(?:of|as|by|include|includes|for|with) $", text[: match.start()]
    ):
        return None
    return (
        text[: match.start()]
        + f"{match[2]}, {match[1]} {match[3]} {match[4]}"
        + text[match.end() :]
    )


def made_active(text: str, rng: random.Random) -> str | None:
    """``X was written by Ada Byron.`` as ``Ada Byron wrote X.``"""
    match = re.fullmatch(
        rf"([^,;:()]+?) (?:was|were) ({'|'.join(ACTIVE)}) by ((?:[A-Z][\w.’'-]*\s?)+?) ?\.", text
    )
    if match is None:
        return None
    return f"{match[3].strip()} {ACTIVE[match[2]]} {_without_capital(match[1])}."


def _without_capital(text: str) -> str:
    first = text.split()[0]
    return first.lower() + text[len(first) :] if first in _OPENING else text


def _exchanged(text: str, forms: dict[str, str], rng: random.Random) -> str | None:
    """One form for another, keeping a capital at its start."""
    found = [
        match
        for old in forms
        for match in re.finditer(rf"(?<![\w'’-]){re.escape(old)}(?![\w'’-])", text, re.IGNORECASE)
        if match.group() in (old, old[0].upper() + old[1:])
    ]
    if not found:
        return None
    match = rng.choice(sorted(found, key=lambda m: (m.start(), m.end())))
    old = match.group()
    new = forms.get(old) or forms[old[0].lower() + old[1:]]
    new = new[0].upper() + new[1:] if old[0].isupper() else new
    return text[: match.start()] + new + text[match.end() :]
