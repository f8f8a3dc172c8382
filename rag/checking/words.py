"""A text as words and marks, each with what is needed to compare it: stem, capital, sentence.

What only differs in form is made equal here: quotes, dashes, contractions, dotted abbreviations,
British and American spelling.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag.checking.vocabulary import FUNCTION_WORDS
from rag.index.lexical import terms

_WHOLE = {"ca": "can", "wo": "will", "sha": "shall"}
_FORMS: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    (re.compile(r"[’‘´`]{2}|''|[“”«»]"), '"'),
    (re.compile(r"[’‘´`]"), "'"),
    (re.compile(r"[‐‑‒–—−]|--+"), "-"),
    (re.compile(r"\b((?:[A-Za-z]\.){2,})"), lambda match: match[1].replace(".", "")),
    (re.compile(r"(?<=\w)\s+(?=(?:'(?:s|re|ve|ll|d|m)|n't)\b)", re.I), ""),
    (re.compile(r"\b(ca|wo|sha)n't\b", re.I), lambda match: _WHOLE[match[1].lower()] + " not"),
    (re.compile(r"\bcannot\b", re.I), "can not"),
    (re.compile(r"n't\b", re.I), " not"),
    (re.compile(r"'(?:re|m)\b", re.I), " are"),
    (re.compile(r"'ve\b", re.I), " have"),
    (re.compile(r"'ll\b", re.I), " will"),
    (re.compile(r"(?<=\w)'(?:s\b|d\b)?", re.I), " "),
    (re.compile(r"(?<=\d)(?:st|nd|rd|th)\b|(?<=\d{4})s\b", re.I), ""),
    (re.compile(r"\bper\s+cent\b", re.I), "percent"),
    (re.compile(r"\bper\s+(?:thousand|mille?)\b", re.I), "permille"),
    (re.compile(r"\beg\b"), "for example"),
    (re.compile(r"\bie\b"), "that is"),
    (re.compile(r"&"), " and "),
]
_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
"""Scripts that put no space between words: each character is read as one. Korean puts spaces, but
its negations stand inside words."""
_LETTER = rf"(?:(?![{_UNSPACED}])[^\W_])"
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,]\d)|\d+\.\d+"
_TOKEN = re.compile(
    rf'[{_UNSPACED}]|(?<![^\s("])(?<!\d )-(?:{_NUMBER}|\d+)(?!-)|{_NUMBER}'
    rf"|\d+(?!{_LETTER}*\d)|{_LETTER}+"
    r"|[<>=!]=|[<>=]|[%‰$€£°~,;:.!?。()\"/+-]"
)
_FOREIGN_DIGIT = re.compile(r"(?![0-9])\d")
_SPELLINGS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"(?<=[a-z]{3})is(?=(?:e|es|ed|ing|er|ers|ation|ations|able)$)", "iz"),
        (r"(?<=[a-z]{2})ys(?=(?:e|es|ed|ing|er|ers)$)", "yz"),
        (r"(?<=[a-z]{2})our(?=(?:s|ed|ing|al|able|ite|ful|less|er|ers)?$)", "or"),
        (r"(?<=[a-z][bcdhpt])re(?=s?$)", "er"),
        (r"(?<=[a-z]{2})ogue(?=s?$)", "og"),
        (r"(?<=[aeiou])ll(?=(?:ed|ing|er|ers)$)", "l"),
        (r"(?<=[a-z]{2})ence(?=s?$)", "ense"),
        (r"(?<=[a-z]{3})amme(?=s?$)", "am"),
        (r"^(|h|an|p|leuk|hypogly|isch?)(?:ae|oe)(?=[a-z]{3})", r"\1e"),
        (r"(?<=dg)e(?=ment)", ""),
        (r"^ageing$", "aging"),
        (r"^grey", "gray"),
        (r"(?<=fulfi)l$", "ll"),
    ]
]
_ENDS = frozenset(".!?。")


@dataclass(frozen=True, slots=True)
class Word:
    """A word, a number or a mark. ``opens`` says that it is the first word of its sentence."""

    text: str
    lower: str
    stem: str
    sentence: int
    opens: bool
    is_word: bool
    is_content: bool

    @property
    def is_number(self) -> bool:
        digits = self.lower.removeprefix("-").replace(",", "").replace(".", "")
        return digits.isascii() and digits.isdigit()


def read(text: str) -> list[Word]:
    """The words and marks of ``text``, in order."""
    found: list[Word] = []
    sentence, opens = 0, True
    for match in _TOKEN.finditer(plain(text)):
        token = match.group()
        lower = token.lower()
        is_word = token[-1].isalnum()
        if is_word:
            content = lower not in FUNCTION_WORDS and (len(lower) > 1 or lower.isdigit())
            found.append(Word(token, lower, stem(lower), sentence, opens, True, content))
            opens = False
        else:
            if token == "." and _is_short(found):
                continue
            found.append(Word(token, lower, lower, sentence, False, False, False))
            if token in _ENDS:
                sentence, opens = sentence + 1, True
    return found


def _is_short(before: Sequence[Word]) -> bool:
    """Whether a full stop now ends an abbreviation: *v.*, *Dr.*, *J.*"""
    word = before[-1] if before else None
    return word is not None and word.text.isalpha() and (
        len(word.text) == 1 or (len(word.text) == 2 and word.lower not in FUNCTION_WORDS)
    )  # fmt: skip


def in_sentences(words: Sequence[Word]) -> list[list[Word]]:
    """The words of each sentence, in order."""
    found: dict[int, list[Word]] = {}
    for word in words:
        found.setdefault(word.sentence, []).append(word)
    return list(found.values())


def plain(text: str) -> str:
    """``text`` with one form for quotes, dashes, contractions and abbreviations."""
    text = unicodedata.normalize("NFKC", text)
    text = _FOREIGN_DIGIT.sub(lambda match: str(unicodedata.decimal(match[0])), text)
    for pattern, form in _FORMS:
        text = pattern.sub(form, text)
    return text


@lru_cache(maxsize=50_000)
def stem(lower: str) -> str:
    """The stem of a word in lower case, the same for British and American spelling; a number is
    its own."""
    if lower[0].isdigit() or lower[0] == "-":
        return lower
    if lower.isalpha() and len(lower) > 3:
        for pattern, replacement in _SPELLINGS:
            lower = pattern.sub(replacement, lower)
    stems = terms(lower)
    return stems[0] if stems else lower
