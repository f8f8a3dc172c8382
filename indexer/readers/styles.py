"""Style sheets to declarations, as far as hiding text is concerned: no more of CSS than that.

A value is lower case, without comments and escapes; ``!important`` is a rank and not kept in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from indexer.readers.colours import read_colour

Declarations = Mapping[str, str]

_COMMENT = re.compile(r"/\*.*?(?:\*/|$)", re.DOTALL)
_STRING = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))")
_IMPORTANT = re.compile(r"!\s*important\s*$")
_VARIABLE = re.compile(r"var\(\s*(--[-\w]+)\s*(?:,([^()]*))?\)")
_SELECTOR = re.compile(r"(?:[^,()]++|\((?:[^()]++|\([^()]*+\))*+\))++")
_STRUCTURAL = re.compile(
    r":(?:not|is|where|has|root|empty|only-child|(?:first|last)-(?:child|of-type)|"
    r"nth-(?:last-)?(?:child|of-type))\b"
)
_KEYWORDS = r"inherit|initial|unset|revert|revert-layer|.*(?:\bvar|calc|min|max|clamp|env)\(.*"
_LENGTHS = (
    r"[-+]?\.?\d.*|auto|none|normal|(?:min|max|fit)-content|-webkit-.*|-moz-.*|stretch|"
    r"(?:xx?x?-)?(?:small|large)(?:er)?|medium"
)
_VALID = {
    "display": r"none|block|inline|flow|flow-root|flex|grid|table|list-item|contents|ruby|math|"
    r"run-in|inline-\w+|table-[-\w]+|-(?:webkit|moz|ms)-[-\w]+",
    "visibility": "visible|hidden|collapse",
    "content-visibility": "visible|hidden|auto",
    "opacity": r"[-+]?\.?\d[\d.e]*%?",
    "position": "static|relative|absolute|fixed|sticky|-webkit-sticky",
    **dict.fromkeys(
        ("left", "top", "right", "bottom", "width", "height", "max-width", "max-height",
         "min-width", "min-height", "font-size", "text-indent", "margin-left", "margin-top",
         "letter-spacing", "line-height"),
        _LENGTHS,
    ),
}  # fmt: skip
"""What a browser takes as a value; it passes over others, and an earlier one stands."""
_LONGEST_VALUE = 1_000
_WINDOW = 1_280
"""CSS pixels: sheets are read as a window of this width on a screen shows them."""
_WIDTH = re.compile(r"(min|max)-(?:device-)?width\s*:\s*(\d+(?:\.\d+)?)\s*(px|em|rem)")
_ELSEWHERE = re.compile(
    r"\bprint\b|\bspeech\b|prefers-|orientation\s*:\s*portrait|forced-colors|not\s+(?:all|screen)"
)


class Rule(NamedTuple):
    """``weight`` orders rules: what weighs more wins, and of equal ones the later."""

    selector: str
    declarations: Declarations
    important: Declarations
    weight: tuple[int, int, int]


def declarations(body: str) -> tuple[Declarations, Declarations]:
    """What a ``style`` attribute or a rule's body says: the plain, and the important."""
    plain: dict[str, str] = {}
    important: dict[str, str] = {}
    for one in _guarded(_COMMENT.sub(" ", body)).split(";"):
        name, colon, value = _unescaped(one).partition(":")
        name, value = name.strip().lower(), value.strip().lower()
        if not colon or not value or len(value) > _LONGEST_VALUE:
            continue
        to = important if _IMPORTANT.search(value) else plain
        value = _IMPORTANT.sub("", value).strip()
        if _is_valid(name, value):
            to[name] = value
    return plain, important


def _is_valid(name: str, value: str) -> bool:
    if re.fullmatch(_KEYWORDS, value):
        return True
    if name in ("color", "-webkit-text-fill-color"):
        return value == "currentcolor" or "(" in value or read_colour(value) is not None
    words = value.split() if name == "display" else [value]
    return name not in _VALID or all(re.fullmatch(_VALID[name], word) for word in words)


def rules(sheet: str) -> Iterator[Rule]:
    """The rules of a sheet that can match an element as a page stands; nested ones too."""
    open_: list[tuple[str | None, list[str]]] = []
    text = _guarded(_COMMENT.sub(" ", sheet))
    start = 0
    for brace in re.finditer(r"[{}]", text):
        piece = text[start : brace.start()]
        start = brace.end()
        if brace.group() == "{":
            before, _, prelude = piece.rpartition(";")
            if open_:
                open_[-1][1].append(before)
            open_.append((_within(prelude.strip(), open_), []))
        elif open_:
            selectors, said = open_.pop()
            yield from _rules(selectors, ";".join([*said, piece]))


def _within(prelude: str, around: list[tuple[str | None, list[str]]]) -> str | None:
    """A nested rule's selector in full, empty where none is named yet; None for what does not
    apply."""
    outer = around[-1][0] if around else ""
    if outer is None:
        return None
    if prelude.startswith("@"):
        return outer if _applies(prelude.lower()) else None
    if not outer:
        return prelude
    if len(outer) + len(prelude) > _LONGEST_VALUE:
        return None
    outer = f":is({outer})" if "," in outer else outer
    return prelude.replace("&", outer) if "&" in prelude else f"{outer} {prelude}"


def _applies(query: str) -> bool:
    if not re.match(r"@(?:media|supports|layer|container|scope|starting-style)\b", query):
        return False  # @font-face, @keyframes, @page
    if query.startswith(("@media", "@container")):
        for bound, number, unit in _WIDTH.findall(query):
            pixels = float(number) * (1 if unit == "px" else 16)
            if pixels > _WINDOW if bound == "min" else pixels < _WINDOW:
                return False
        return not _ELSEWHERE.search(query)
    return not query.startswith(("@starting-style", "@supports not"))


def _rules(selectors: str | None, body: str) -> Iterator[Rule]:
    plain, important = declarations(body) if selectors else ({}, {})
    if not selectors or not (plain or important):
        return
    for selector in _SELECTOR.findall(selectors):
        if selector.strip() and ":" not in _STRUCTURAL.sub("", selector):
            yield Rule(selector.strip(), plain, important, _weight(selector))


def _weight(selector: str) -> tuple[int, int, int]:
    bare = re.sub(r":where\([^()]*\)", "", selector)
    classes = len(re.findall(r"\.[-\w]|\[|:(?!not|is|has)", bare))
    return bare.count("#"), classes, len(re.findall(r"(?:^|[\s>+~(])[a-zA-Z]", bare))


def with_variables(said: Declarations, known: Declarations) -> Declarations:
    """``said`` with the values of custom properties in place of their names."""
    if not any("var(" in value for value in said.values()):
        return said
    found = {}
    for name, value in said.items():
        value = _VARIABLE.sub(lambda m: known.get(m[1], (m[2] or "").strip()), value)
        if value.strip() and len(value) <= _LONGEST_VALUE:
            found[name] = value.strip()
    return found


def _guarded(text: str) -> str:
    """``text`` with nothing in its strings that reads as the end of something."""
    return _STRING.sub(lambda match: re.sub(r"[{};]", " ", match.group()), text)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda m: _character(int(m[1], 16)) if m[1] else m[2], text)


def _character(code: int) -> str:
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"
