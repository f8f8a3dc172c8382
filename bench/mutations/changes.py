"""Rules that certainly change what a sentence says. Each gives the changed sentence, or None where
it does not apply or where the changed sentence might still follow from what stood there.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection

from bench.mutations.words import CLAUSES, MONTHS, NUMBERS, OPPOSITES, QUANTIFIERS, UNITS

Change = Callable[[str, random.Random], "str | None"]

_NUMBER = re.compile(
    r"(?<![^\s($€£])(?P<digits>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)(?=%|[\s),;:]|\.?$|\.\s|-[a-z])"
    rf"|(?<![\w-])(?P<word>{'|'.join(NUMBERS)})(?![\w-])"
)
_LOOSE = re.compile(
    r"\b(?:than|least|most|up to|over|under|above|below|about|around|approximately|nearly|almost"
    r"|roughly|some|exceed\w*|within|fewer|minimum|maximum|between|estimated|circa|every|or"
    r"|Figure|Fig|Table|Section|Chapter|No)\b\.?\W*(?:\w+\W+)?$",
    re.IGNORECASE,
)
"""Before a number that others satisfy as well, or that only names a place in the text."""
_GUARDED = re.compile(
    r"\b(?:not|no|never|none|nor|neither|without|cannot|nothing|nobody|few|rarely|hardly|unless"
    r"|whether|if|only|fail\w*|lack\w*|except|rather|instead)\b|n['’]t\b",
    re.IGNORECASE,
)
"""Where one of these stands, a changed detail may still be true."""
_MONTH = "|".join(MONTHS)
_DATE = re.compile(
    rf"\b(?P<month>{_MONTH})(?=\s+\d)|(?<=\d\s)(?P<after>{_MONTH})\b"
    rf"|\b(?:{_MONTH})\s+(?P<day>[1-9]|[12]\d|3[01])(?=\s*,?\s*(?:1[0-9]|20)\d\d\b)"
    rf"|\b(?:[Ii]n|{_MONTH})\s+(?P<year>1[5-9]\d\d|20[0-2]\d)(?![\w/–-])(?!\s*[-–/])"
)
_PERIOD = re.compile(r"\b(?:between|from|until|till|by|before|after|since|through|to)\b", re.I)
_NAME = re.compile(
    r"(?<![\w'’-])[A-Z][\w'’-]*[^\W_](?:\s(?:of\s|the\s)?[A-Z][\w'’-]*[^\W_])*(?![\w'’-])"
)
_AUXILIARY = re.compile(
    r"(?<!\bas )(?<!\bthan )(?<!\bwhat )(?<!\bhow )(?<!\bso )(?<!\bnor )(?<!\bthere )(?<!\bThere )"
    r"\b(is|are|was|were|can|will|would|should|must|has been|have been|had been)\s"
    r"(?=(?:an?|the|[a-z]+)\s)(?!not|never|no|only|neither|to\b|had\b|both\b)"
)
_NOT = re.compile(
    r"\b(?P<aux>is|are|was|were|will|would|should|must|has|have|had)(?: not|n['’]t) "
    r"(?!only|just|necessarily|yet|to\b|merely|always|all\b|solely|even)"
    r"|\b(?P<can>can)(?:not| not|['’]t) (?!only|just|be ruled)"
    r"|\b(?P<no>[Tt]here (?:is|are|was|were)) no (?!longer|doubt)"
)


def number(text: str, rng: random.Random) -> str | None:
    """Another number in the place of one; not of a date, a bound or an estimate."""
    if _GUARDED.search(text):
        return None
    held = {match.group() for match in _NUMBER.finditer(text)}
    found = [
        match
        for match in _NUMBER.finditer(text)
        if match.start() > 3
        and not _LOOSE.search(text[: match.start()])
        and not re.fullmatch(r"1[0-9]\d\d|20\d\d|0+", match.group())
        and not re.search(rf"\b(?:{_MONTH}|in)\s+$", text[: match.start()])
        and not re.match(rf"\s*(?:{_MONTH}|[-–/:]|or\b|to\b|more\b)", text[match.end() :])
    ]
    if not found:
        return None
    match = rng.choice(found)
    old = match.group()
    new = _other_number(old, held, rng)
    return None if new is None else _spliced(text, match, new)


def _other_number(old: str, held: Collection[str], rng: random.Random) -> str | None:
    if old in NUMBERS:
        offered = [word for word in NUMBERS if word not in held and str(NUMBERS[word]) not in held]
    else:
        value = float(old.replace(",", ""))
        digits = len(old.rpartition(".")[2]) if "." in old else 0
        others = [value + 1, value + 2, value * 2 + 1, value * 3, value * 10, max(value - 1, 0)]
        comma = "," if "," in old else ""
        words = {str(value) for value in NUMBERS.values()}
        offered = [f"{other:{comma}.{digits}f}" for other in others if other != value]
        offered = [new for new in offered if new not in held and (new not in words or digits == 0)]
    return rng.choice(offered) if offered else None


def unit(text: str, rng: random.Random) -> str | None:
    """Another unit behind a number."""
    if _GUARDED.search(text):
        return None
    units = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
    counted = rf"(?:\d[\d,.]*|{'|'.join(NUMBERS)})"
    pattern = re.compile(rf"(?<=\d)(?P<sign>%)|\b{counted}(?:\s|-)(?P<unit>{units})(?!\w)")
    found = [
        match
        for match in pattern.finditer(text)
        if not _LOOSE.search(text[: match.start()].rstrip("0123456789.,"))
        and match.group(match.lastgroup or 0) != "year"
    ]
    if not found:
        return None
    match = rng.choice(found)
    group = match.lastgroup or ""
    old = match.group(group)
    return text[: match.start(group)] + UNITS[old] + text[match.end(group) :]


def date(text: str, rng: random.Random) -> str | None:
    """Another year, month or day of a date that is a point in time and not a bound."""
    if _GUARDED.search(text):
        return None
    found = [
        match
        for match in _DATE.finditer(text)
        if not _PERIOD.search(text[max(match.start() - 16, 0) : match.start()])
        and not _LOOSE.search(text[: match.start()])
        and not re.match(r"\s*(?:,?\s*(?:and|or|to|until)\b)", text[match.end() :])
    ]
    if not found:
        return None
    match = rng.choice(found)
    group = match.lastgroup or ""
    old = match.group(group)
    if group == "day":
        new = str(rng.choice([day for day in range(1, 29) if str(day) not in text]))
    elif group == "year":
        years = [int(old) + step for step in (-20, -10, -7, -3, -2, -1, 1, 2, 3, 5, 8, 10)]
        new = str(rng.choice([year for year in years if str(year) not in text]))
    else:
        new = rng.choice([month for month in MONTHS if month not in text])
    return text[: match.start(group)] + new + text[match.end(group) :]


def name(
    text: str, rng: random.Random, *, known: Collection[str], others: Collection[str]
) -> str | None:
    """Another name in the place of one that stands once; ``known`` are words that are names, and
    ``others`` are names from elsewhere."""
    if _GUARDED.search(text):
        return None
    found = [
        match
        for match in _NAME.finditer(text)
        if any(word in known for word in match.group().split())
        and not set(match.group().split()) & set(MONTHS)
        and all(text.count(word) == 1 for word in match.group().split())
        and not re.search(r"\b(?:or|as|like|including)\s+$", text[: match.start()])
        and not re.match(r"\s*(?:\(|or\b|and\b|,)", text[match.end() :])
    ]
    held = text.lower()
    offered = [
        other
        for other in others
        if not any(w.lower()[:4] in held for w in other.split()) and other not in MONTHS
    ]
    if not found or not offered:
        return None
    match = rng.choice(found)
    return _spliced(text, match, rng.choice(offered))


def names_in(text: str, known: Collection[str]) -> list[str]:
    """The runs of capitalised words in ``text``, every word of which is a name."""
    runs = [match.group() for match in _NAME.finditer(text)]
    return [run for run in runs if all(word in known for word in run.split())]


def negation_added(text: str, rng: random.Random) -> str | None:
    """The first auxiliary denied."""
    match = _AUXILIARY.search(text)
    if match is None or _GUARDED.search(text):
        return None
    first = match.group(1)
    if first == "can":
        denied = rng.choice(["cannot ", "can't "])
    elif first in ("is", "are", "was", "were", "would", "should"):
        denied = rng.choice([f"{first} not ", f"{first}n't "])
    else:
        denied = first.replace(" been", " not been") if " " in first else f"{first} not"
        denied += " "
    return _spliced(text, match, denied)


def negation_removed(text: str, rng: random.Random) -> str | None:
    """The only denial taken away."""
    if len(_GUARDED.findall(text)) != 1:
        return None
    match = _NOT.search(text)
    return None if match is None else _spliced(text, match, match[match.lastgroup or 0] + " ")


def quantifier(text: str, rng: random.Random) -> str | None:
    """A quantifier that denies the one that stood there."""
    if re.search(r"\b(?:not|no|never|nor|neither|without|if|unless)\b|n['’]t\b", text, re.I):
        return None
    found = []
    for old in QUANTIFIERS:
        following = r" (?=[a-z]{3,}s\b)" if old in ("many", "several", "all", "few") else r" (?=\w)"
        if old in ("each", "every"):
            following = r" (?!of\b|other\b|one\b|time\b)(?=[a-z])"
        if old in ("more than", "less than", "fewer than", "at least", "at most", "up to"):
            following = r" (?=\d|[a-z]+ (?:years|per|people|times))"
        start = r"(?<!the )(?<!a )(?<!at )(?<!after )(?<!so )(?<!as )(?<!how )(?<!for )(?<!in )\b"
        found += [(old, match) for match in re.finditer(start + old + following, text)]
    if not found:
        return None
    old, match = rng.choice(found)
    return _spliced(text, match, QUANTIFIERS[old] + " ")


def opposite(text: str, rng: random.Random) -> str | None:
    """A word exchanged for its opposite, where the sentence holds only one of the two."""
    if _GUARDED.search(text):
        return None
    found = [
        match
        for old, new in OPPOSITES.items()
        for match in re.finditer(rf"(?<!at )(?<!-)\b{old}\b(?! all\b)(?!-)", text)
        if new not in text and text.count(old) == 1
    ]
    if not found:
        return None
    match = rng.choice(found)
    return _spliced(text, match, OPPOSITES[match.group()])


def clause_added(text: str, rng: random.Random) -> str | None:
    """A clause of our own at the end, of which the sentence says nothing."""
    offered = [one for one in CLAUSES if not _shares_long_word(one, text)]
    if not offered or not text.endswith("."):
        return None
    return text[:-1].rstrip() + ", " + rng.choice(offered) + "."


def _shares_long_word(a: str, b: str) -> bool:
    held = b.lower()
    return any(word[:5] in held for word in a.lower().split() if len(word) > 4)


def _spliced(text: str, match: re.Match[str], new: str) -> str:
    return text[: match.start()] + new + text[match.end() :]
