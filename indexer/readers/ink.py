"""What a PDF's operators say of the ink that letters are drawn with, and of what lies below them.

Only what is certain hides: letters in white or clear ink where nothing was painted. A colour in a
space that is not plainly grey, RGB or CMYK is taken as seen, and so is all upon a painted place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from indexer.readers.colours import BLACK, WHITE, Colour, is_seen

Matrix = Sequence[float]
Place = tuple[float, float, float, float]
"""Left, bottom, right and top."""

_LEAST_ALPHA = 0.1
_MOST_PLACES = 2_000
"""A page on which more is painted is taken as painted all over."""
_FILLS = (b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*")
_PATH_ENDS = (*_FILLS, b"S", b"s", b"n")
_IMAGES = (b"Do", b"INLINE IMAGE", b"BI", b"EI")
_EVERYWHERE = ((-1e9, -1e9), (1e9, 1e9))
_DEVICE = {"/DeviceGray": 1, "/DeviceRGB": 3, "/DeviceCMYK": 4, "/CalGray": 1, "/CalRGB": 3}


@dataclass(frozen=True, slots=True)
class _State:
    ink: Colour | None = BLACK
    alpha: float = 1.0
    components: int = 1
    """Of the colour space, where its numbers are understood; else 0."""


class Ink:
    """Follows the operators of one page."""

    def __init__(self, resources: Mapping[str, Any]) -> None:
        self._resources = resources
        self._state = _State()
        self._stack: list[_State] = []
        self._path: list[tuple[float, float]] = []
        self._painted: list[Place] = []

    def operand(self, operator: bytes, operands: Sequence[Any], matrix: Matrix) -> None:
        """Take note of one operator, under the transformation ``matrix``."""
        try:
            self._operand(operator, operands, matrix)
        except (TypeError, ValueError, IndexError, AttributeError):
            return  # operands that make no sense; a viewer passes over them too

    def _operand(self, operator: bytes, operands: Sequence[Any], matrix: Matrix) -> None:
        if operator == b"q":
            self._stack.append(self._state)
        elif operator == b"Q" and self._stack:
            self._state = self._stack.pop()
        elif operator == b"gs" and operands:
            self._state = replace(self._state, alpha=self._alpha(str(operands[0])))
        elif operator in (b"re", b"m", b"l", b"c", b"v", b"y"):
            self._extend(operator, [float(number) for number in operands], matrix)
        elif operator in _PATH_ENDS:
            if operator in _FILLS and self._path and self._is_inked:
                self._paint(self._path)
            self._path = []
        elif operator == b"sh" or (operator == b"Do" and self._is_form(str(operands[0]))):
            self._paint(_EVERYWHERE)  # a form has coordinates of its own
        elif operator in _IMAGES:
            self._paint([_moved(matrix, x, y) for x, y in ((0, 0), (1, 0), (0, 1), (1, 1))])
        else:
            self._colour(operator, operands)

    def hides(self, x: float, y: float) -> bool:
        """Whether letters drawn now at a point of the page are seen by nobody."""
        if self._state.alpha < _LEAST_ALPHA:
            return True
        return not (self._is_inked or self._is_painted(x, y))

    @property
    def _is_inked(self) -> bool:
        """Whether what is drawn now is seen on white paper."""
        return self._state.ink is None or is_seen(self._state.ink, [WHITE])

    def _is_painted(self, x: float, y: float) -> bool:
        return len(self._painted) >= _MOST_PLACES or any(
            left - 1 <= x <= right + 1 and bottom - 1 <= y <= top + 1
            for left, bottom, right, top in self._painted
        )

    def _extend(self, operator: bytes, numbers: list[float], matrix: Matrix) -> None:
        corners = list(zip(numbers[::2], numbers[1::2], strict=False))
        if operator == b"re" and len(corners) == 2:
            (left, bottom), (width, height) = corners
            corners = [(left + dx, bottom + dy) for dx in (0, width) for dy in (0, height)]
        self._path += [_moved(matrix, x, y) for x, y in corners]

    def _paint(self, points: Sequence[tuple[float, float]]) -> None:
        if len(self._painted) < _MOST_PLACES:
            across, up = zip(*points, strict=True)
            self._painted.append((min(across), min(up), max(across), max(up)))

    def _alpha(self, name: str) -> float:
        given = _object(self._named("/ExtGState", name).get("/ca"))
        return float(given) if given is not None else self._state.alpha

    def _is_form(self, name: str) -> bool:
        return bool(_object(self._named("/XObject", name).get("/Subtype")) != "/Image")

    def _named(self, kind: str, name: str) -> Mapping[str, Any]:
        """A resource by its name; empty where it is none or no mapping."""
        found = _object((_object(self._resources.get(kind)) or {}).get(name))
        return found if isinstance(found, Mapping) else {}

    def _colour(self, operator: bytes, operands: Sequence[Any]) -> None:
        if operator in (b"g", b"rg", b"k"):
            count = {b"g": 1, b"rg": 3, b"k": 4}[operator]
            self._state = replace(self._state, ink=_ink(operands, count), components=count)
        elif operator == b"cs" and operands:
            count = self._components(str(operands[0]))
            self._state = replace(self._state, ink=BLACK if count else None, components=count)
        elif operator in (b"sc", b"scn"):
            self._state = replace(self._state, ink=_ink(operands, self._state.components))

    def _components(self, name: str) -> int:
        if name in _DEVICE:
            return _DEVICE[name]
        space = _object((_object(self._resources.get("/ColorSpace")) or {}).get(name))
        if isinstance(space, list) and len(space) > 1 and space[0] == "/ICCBased":
            return int(_object(space[1]).get("/N", 0))
        return _DEVICE.get(str(space[0] if isinstance(space, list) and space else space), 0)


def _object(value: Any) -> Any:
    """What a reference refers to, or the value itself."""
    return value.get_object() if hasattr(value, "get_object") else value


def _moved(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def _ink(operands: Sequence[Any], count: int) -> Colour | None:
    """None for what is not understood, such as a pattern."""
    if not count or len(operands) != count:
        return None
    try:
        parts = [min(1.0, max(0.0, float(part))) for part in operands]
    except (TypeError, ValueError):
        return None
    if count == 4:
        *inks, black = parts
        parts = [(1 - ink) * (1 - black) for ink in inks]
    red, green, blue = (255 * part for part in (parts * 3 if count == 1 else parts))
    return Colour(red, green, blue)
