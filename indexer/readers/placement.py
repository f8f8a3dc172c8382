"""Where a style sheet puts an element, and how large: whether a person gets to see it there."""

from __future__ import annotations

import re

from indexer.readers.styles import Declarations

EM = 16.0
"""CSS pixels of text that no sheet speaks of."""
_FAR = 1_000.0
"""CSS pixels beyond the edge to which no page scrolls."""
_VERY_FAR = 10_000.0
"""CSS pixels to where a page scrolls, but nobody does."""
_LEAST_SCALE = 0.1
_LEAST_ROOM = 1.0
"""CSS pixels: boxes of one pixel are as common a way of hiding as those of none."""
_CLOSEST_LETTERS = -0.5
"""Of the size of the font: letters that lie on each other."""
_UNITS = {
    "": 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 37.8, "mm": 3.78, "q": 0.945,
    "rem": EM, "vw": 12.8, "vh": 8.0, "vmin": 8.0, "vmax": 12.8, "%": 12.8,
}  # fmt: skip
_RELATIVE = {"em": 1.0, "ex": 0.5, "ch": 0.5}
_LENGTH = re.compile(r"(?<![\w.#])([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(%|[a-z]*)")
_FUNCTION = re.compile(r"([-\w]+)\(([^()]*)\)")
_FONT_SIZE = re.compile(r"(?:^|\s)((?:\d+\.?\d*|\.\d+)(?:[a-z]+|%)|0(?:\.0*)?)(?=[\s/])")
_NAMED_SIZES = ("xx-small", "x-small", "small", "medium", "large", "x-large", "xx-large")
_HEIGHTS = ("height", "max-height", "block-size", "max-block-size")
_WIDTHS = ("width", "max-width", "inline-size", "max-inline-size")


def lengths(value: str, font: float = EM) -> list[float]:
    """The lengths in a value, in CSS pixels of a usual window."""
    return [
        float(number) * (_RELATIVE[unit] * font if unit in _RELATIVE else _UNITS[unit])
        for number, unit in _LENGTH.findall(value)
        if unit in _RELATIVE or unit in _UNITS
    ]


def font_pixels(said: Declarations, around: float) -> float:
    """The size of an element's font in CSS pixels, given that of the element around it."""
    shorthand = _FONT_SIZE.search(said.get("font", ""))
    value = said.get("font-size", shorthand[1] if shorthand else "")
    if value in _NAMED_SIZES or value == "initial":
        return EM
    zoom = said.get("zoom", "")
    found = _LENGTH.match(zoom)
    if found and float(found[1]):
        around *= float(found[1]) / (100 if found[2] == "%" else 1)
    relative = value.endswith("%")
    size = lengths(value.removesuffix("%") + "em" if relative else value, around)
    return size[0] / (100 if relative else 1) if size else around


def is_out_of_sight(said: Declarations, font: float) -> bool:
    """Whether an element with these declarations is far away, of no size, or cut to nothing."""
    return (
        _is_far(said, font)
        or _is_cut(said, font)
        or _is_flat(said)
        or any(
            one < _CLOSEST_LETTERS * font for one in lengths(said.get("letter-spacing", ""), font)
        )
    )


def _is_far(said: Declarations, font: float) -> bool:
    shifts = [
        value
        for name in ("text-indent", "margin", "margin-left", "margin-top", "translate")
        for value in lengths(_without_parts(said.get(name, "")), font)
    ]
    for name, inside in _FUNCTION.findall(said.get("transform", "")):
        shifts += lengths(_without_parts(inside), font) if name.startswith("translate") else []
    places = []
    if said.get("position", "static") in ("absolute", "fixed", "relative", "sticky"):
        for name in ("left", "top", "right", "bottom", "inset"):
            found = lengths(said.get(name, ""), font)
            # A page is as long as what lies below, and books are long.
            places += found if name == "left" else [min(one, 0.0) for one in found]
    return any(one <= -_FAR or one >= _VERY_FAR for one in (*shifts, *places))


def _without_parts(value: str) -> str:
    """Without percentages, which are of the element or its surroundings, and stay near them."""
    return re.sub(r"[-+.\d]+%", "0", value)


def _is_cut(said: Declarations, font: float) -> bool:
    for name, inside in _FUNCTION.findall(said.get("clip-path", "")):
        shape = inside.partition(" round ")[0].partition(" at ")[0]
        found = lengths(shape.replace("%", "px"), font)
        if name == "inset" and found and "%" in shape:
            top, right, bottom, left = (found + found[:1] * (4 - len(found)))[:4]
            if len(found) in (2, 3):
                left = right
                bottom = found[2] if len(found) == 3 else top
            if top + bottom >= 100 or left + right >= 100:
                return True
        elif name in ("circle", "ellipse", "polygon") and found and not any(found):
            return True
    edges = lengths(said.get("clip", ""), font)
    if said.get("position") in ("absolute", "fixed") and len(edges) == 4:
        top, right, bottom, left = edges
        if bottom - top <= _LEAST_ROOM or right - left <= _LEAST_ROOM:
            return True
    return _has_no_room(said, font)


def _has_no_room(said: Declarations, font: float) -> bool:
    """A box of no size cuts what it holds only where it does not let it overflow."""

    def first(name: str) -> float | None:
        return next(iter(lengths(said.get(name, ""), font)), None)

    overflow = {
        word
        for name in ("overflow", "overflow-x", "overflow-y")
        for word in said.get(name, "").split()
    }
    if overflow <= {"visible", "inherit", "initial", "unset"}:
        return False
    for names, least in ((_HEIGHTS, "min-height"), (_WIDTHS, "min-width")):
        room = [first(name) for name in names]
        if any(one is not None and 0 <= one <= _LEAST_ROOM for one in room) and not first(least):
            return True
    return first("line-height") == 0


def _is_flat(said: Declarations) -> bool:
    functions = _FUNCTION.findall(f"{said.get('transform', '')} scale({said.get('scale', '1')})")
    for name, inside in functions:
        numbers = [
            float(number) / (100 if unit == "%" else 1) for number, unit in _LENGTH.findall(inside)
        ]
        if name.startswith("scale"):
            seen = (
                numbers[:2] if name in ("scale", "scale3d") else numbers if name != "scalez" else []
            )
        elif name == "matrix" and len(numbers) == 6:
            seen = [abs(numbers[0]) + abs(numbers[1]), abs(numbers[2]) + abs(numbers[3])]
        elif name in ("rotatex", "rotatey"):
            seen = [0.0 if re.fullmatch(r"-?(?:90|270)deg", inside.strip()) else 1.0]
        else:
            seen = []
        if any(abs(number) < _LEAST_SCALE for number in seen):
            return True
    return False
