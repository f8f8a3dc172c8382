"""Orders to a language model in nine languages: which words together make one.

No single word marks anything; a rule needs words of all its kinds, in one language, near each other
and in one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from rag.text.letters import folded
from rag.text.order_words import UNSPACED, WORDS

_RULES = (
    ("machine", "duty", "this", "cite"),
    ("machine", "duty", "this", "favour"),
    ("machine", "duty", "pointer", "authority"),
    ("this", "cite", "always"),
    ("ignore", "other", "sources"),
)
"""The first kind of each is the rarest in what people write, and is looked for first."""
_NEAR = 90
"""Characters around a word of the first kind in which the others must stand."""
_NEAR_OTHERS = 30
_SENTENCE_END = re.compile(r"[.!?](?=\s)|[。！？]")
_GREETED_WITHIN = 14
_AFTER_NAME = r"[\"'»”)\]*_]{0,3}\s?[:,!\-–—：，！、]"
_CONTINUED = "*"


_RARE = ("machine", "helper", "cite", "ignore")
"""Kinds of which every rule has one."""


class _Language:
    """The kinds of words of one language, each as one pattern over folded text."""

    def __init__(self, name: str, words: Mapping[str, str]) -> None:
        spaced = name not in UNSPACED
        sources = {kind: _alternation(said, spaced) for kind, said in words.items()}
        self._has_own_letters = words["duty"][0] > "\u0370"
        self.kinds = {kind: re.compile(source) for kind, source in sources.items()}
        gap = rf"[^.!?。！？]{{0,{_GREETED_WITHIN}}}?"
        called = (
            rf"{sources['greeting']}{gap}(?:(?P<machine>{sources['machine']})|{sources['helper']})"
        )
        if "greeting after" in sources:
            called += rf"|(?P<before>{sources['machine']}){sources['greeting after']}"
        self.greeting = re.compile(f"(?:{called}){_AFTER_NAME}")
        rare = [folded(word) for kind in _RARE for word in words.get(kind, "").split("|") if word]
        self._tokens = {
            max(re.findall(r"\w+", word), key=len)
            for word in rare if spaced and _CONTINUED not in word
        }  # fmt: skip
        self._stems = sorted(
            {word.partition(_CONTINUED)[0] for word in rare if not spaced or _CONTINUED in word}
            - {""}
        )

    def may_speak(self, shown: str, tokens: set[str]) -> bool:
        """Whether any word is there that every rule of this language needs; quick."""
        if self._has_own_letters and shown.isascii():
            return False
        return not self._tokens.isdisjoint(tokens) or any(stem in shown for stem in self._stems)


def _alternation(said: str, spaced: bool) -> str:
    """Longest first, so that the longest is what is found; white space is any white space."""
    found = []
    letter = r"\w" if spaced else "[a-z0-9]"  # Chinese and Japanese put no space between words
    for word in sorted((folded(one) for one in said.split("|")), key=len, reverse=True):
        source = r"\s+".join(
            re.escape(part).replace(re.escape(_CONTINUED), r"\w*") for part in word.split()
        )
        starts = rf"(?<!{letter})(?<!-)" if spaced or word[0].isascii() else ""
        ends = rf"(?!{letter})" if spaced or word[-1].isascii() else ""
        found.append(starts + source + ends)
    return f"(?:{'|'.join(found)})"


_LANGUAGES = tuple(_Language(name, words) for name, words in WORDS.items())


def orders(shown: str) -> bool:
    """Whether folded text addresses a language model, or tells one what to cite."""
    shown = shown.replace("\n", " ")  # a sentence goes on over lines
    tokens = set(re.findall(r"\w+", shown))
    return any(
        _in_language(language, shown)
        for language in _LANGUAGES
        if language.may_speak(shown, tokens)
    )


def _in_language(language: _Language, shown: str) -> bool:
    for match in language.greeting.finditer(shown):
        told = _sentence_around(shown, match.end(), match.end(), _NEAR)
        named = set(match.groupdict().values()) - {None}
        if (named and match.group()[-1] in ":：") or any(
            language.kinds[kind].search(told) for kind in ("duty", "cite", "favour")
        ):
            return True
    places: dict[str, list[re.Match[str]]] = {}
    for first, *others in _RULES:
        if first not in language.kinds:
            continue
        if first not in places:
            places[first] = list(language.kinds[first].finditer(shown))
        near = _NEAR_OTHERS if first == "ignore" else _NEAR
        for match in places[first]:
            around = _sentence_around(shown, match.start(), match.end(), near)
            if all(language.kinds[kind].search(around) for kind in others):
                return True
    return False


def _sentence_around(text: str, start: int, end: int, near: int) -> str:
    """What stands near ``start`` to ``end`` in the same sentence."""
    before = _SENTENCE_END.split(text[max(0, start - near) : start])[-1]
    return before + text[start:end] + _SENTENCE_END.split(text[end : end + near], maxsplit=1)[0]
