"""The forms in which language models print the number of a source."""

from __future__ import annotations

import re

SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_FROM_SUPERSCRIPT = str.maketrans(SUPERSCRIPTS, "0123456789")
_WORDS = """
source sources document documents doc docs passage passages citation citations
reference references ref refs
""".split()
_JOINTS = ["and", "to"]

_WORD = "(?:" + "|".join(sorted(_WORDS, key=len, reverse=True)) + ")"
_NUMBER = rf"[\d{SUPERSCRIPTS}]{{1,3}}"
_NAMED = rf"{_WORD}\s{{0,2}}[:#.]?\s{{0,2}}#?{_NUMBER}"
_ITEM = rf"(?:{_WORD}\s{{0,2}}[:#.]?\s{{0,2}})?[#^]?{_NUMBER}"
_SEPARATOR = r"\s{0,2}(?:[,;、，；&\-–—‐‑~]|and|to)\s{0,2}"
_MORE = rf"(?:{_SEPARATOR}{_ITEM}){{0,20}}"
_TAIL = r"(?:†[^\]】\r\n]{0,60})?"
_LIST = rf"\s{{0,2}}({_ITEM}{_MORE}){_TAIL}\s{{0,2}}"
MARKER = re.compile(
    rf"\[\[{_LIST}\]\]"
    rf"|\\?\[{_LIST}\\?\]"
    rf"|【{_LIST}】|［{_LIST}］"
    rf"|\[\s{{0,2}}({_NAMED})[:,：][^\[\]\r\n]{{1,120}}\]"  # [Source 1: its title]
    rf"|\(\s?({_NAMED}{_MORE})\s?\)"  # (source 1)
    rf"|<({_NAMED})>"  # <source 1>, as the prompt writes it
    rf"|<sup>\[{_LIST}\]</sup>"
    r"|【(?P<elsewhere>)\d{1,3}:\d{1,3}†[^】\r\n]{0,60}】",  # counts messages not known here
    re.IGNORECASE,
)
MAX_MARKER = 800
"""No marker is longer, by the repetitions above."""


def _beginnings(words: list[str]) -> str:
    """A pattern for any proper or whole beginning of ``words``."""
    found = {word[:length] for word in words for length in range(1, len(word) + 1)}
    return "(?:" + "|".join(sorted(found, key=len, reverse=True)) + ")"


_INSIDE = rf"(?:[\s\d{SUPERSCRIPTS},;、，；&\-–—‐‑~:#.^]|{_WORD}|and|to)*"
UNFINISHED = re.compile(
    # Whatever begins a marker matches this to the end of the text; more may match it too.
    rf"(?:(?:\\?\[{{0,2}}|【|［|\(|<(?:sup>\[)?){_INSIDE}"
    rf"(?:{_beginnings(_WORDS + _JOINTS)}|†[^\]】\r\n]{{0,60}})?"
    r"(?:\\|\](?:<(?:/(?:s(?:up?)?)?)?)?)?"
    rf"|\[\s{{0,2}}{_NAMED}[:,：][^\[\]\r\n]{{0,120}}"
    r"|<(?:s(?:u(?:p>?)?)?)?)\Z",
    re.IGNORECASE,
)
LINK = re.compile(r"\((?:https?://|www\.|#)[^\s()]{0,300}\)")
UNFINISHED_LINK = re.compile(
    rf"\((?:{_beginnings(['https', 'http:/', 'https:/', 'www'])}?"
    r"|(?:https?://|www\.|#)[^\s()]{0,300})\Z"
)


def numbers_in(group: str) -> tuple[int, ...]:
    """``1, 3-5`` as 1, 3, 4, 5; a range that runs backwards or too far gives its ends."""
    numbers: list[int] = []
    for part in re.split(r"[,;、，；&]|and", group.translate(_FROM_SUPERSCRIPT).lower()):
        ends = [int(digits) for digits in re.findall(r"\d+", part)]
        if len(ends) == 2 and 0 <= ends[1] - ends[0] <= 20:
            numbers.extend(range(ends[0], ends[1] + 1))
        else:
            numbers.extend(ends)
    return tuple(numbers)
