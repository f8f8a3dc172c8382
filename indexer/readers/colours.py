"""Colours as style sheets write them, and whether one is seen on another.

What cannot be told (a picture, a function that this page does not know) is None: nothing is called
hidden on a guess.
"""

from __future__ import annotations

import colorsys
import math
import re
from collections.abc import Iterable
from typing import NamedTuple

_NAMES = """
aliceblue f0f8ff antiquewhite faebd7 aqua 00ffff aquamarine 7fffd4 azure f0ffff beige f5f5dc
bisque ffe4c4 black 000000 blanchedalmond ffebcd blue 0000ff blueviolet 8a2be2 brown a52a2a
burlywood deb887 cadetblue 5f9ea0 chartreuse 7fff00 chocolate d2691e coral ff7f50
cornflowerblue 6495ed cornsilk fff8dc crimson dc143c cyan 00ffff darkblue 00008b darkcyan 008b8b
darkgoldenrod b8860b darkgray a9a9a9 darkgreen 006400 darkgrey a9a9a9 darkkhaki bdb76b
darkmagenta 8b008b darkolivegreen 556b2f darkorange ff8c00 darkorchid 9932cc darkred 8b0000
darksalmon e9967a darkseagreen 8fbc8f darkslateblue 483d8b darkslategray 2f4f4f
darkslategrey 2f4f4f darkturquoise 00ced1 darkviolet 9400d3 deeppink ff1493 deepskyblue 00bfff
dimgray 696969 dimgrey 696969 dodgerblue 1e90ff firebrick b22222 floralwhite fffaf0
forestgreen 228b22 fuchsia ff00ff gainsboro dcdcdc ghostwhite f8f8ff gold ffd700
goldenrod daa520 gray 808080 green 008000 greenyellow adff2f grey 808080 honeydew f0fff0
hotpink ff69b4 indianred cd5c5c indigo 4b0082 ivory fffff0 khaki f0e68c lavender e6e6fa
lavenderblush fff0f5 lawngreen 7cfc00 lemonchiffon fffacd lightblue add8e6 lightcoral f08080
lightcyan e0ffff lightgoldenrodyellow fafad2 lightgray d3d3d3 lightgreen 90ee90 lightgrey d3d3d3
lightpink ffb6c1 lightsalmon ffa07a lightseagreen 20b2aa lightskyblue 87cefa
lightslategray 778899 lightslategrey 778899 lightsteelblue b0c4de lightyellow ffffe0 lime 00ff00
limegreen 32cd32 linen faf0e6 magenta ff00ff maroon 800000 mediumaquamarine 66cdaa
mediumblue 0000cd mediumorchid ba55d3 mediumpurple 9370db mediumseagreen 3cb371
mediumslateblue 7b68ee mediumspringgreen 00fa9a mediumturquoise 48d1cc mediumvioletred c71585
midnightblue 191970 mintcream f5fffa mistyrose ffe4e1 moccasin ffe4b5 navajowhite ffdead
navy 000080 oldlace fdf5e6 olive 808000 olivedrab 6b8e23 orange ffa500 orangered ff4500
orchid da70d6 palegoldenrod eee8aa palegreen 98fb98 paleturquoise afeeee palevioletred db7093
papayawhip ffefd5 peachpuff ffdab9 peru cd853f pink ffc0cb plum dda0dd powderblue b0e0e6
purple 800080 rebeccapurple 663399 red ff0000 rosybrown bc8f8f royalblue 4169e1
saddlebrown 8b4513 salmon fa8072 sandybrown f4a460 seagreen 2e8b57 seashell fff5ee sienna a0522d
silver c0c0c0 skyblue 87ceeb slateblue 6a5acd slategray 708090 slategrey 708090 snow fffafa
springgreen 00ff7f steelblue 4682b4 tan d2b48c teal 008080 thistle d8bfd8 tomato ff6347
turquoise 40e0d0 violet ee82ee wheat f5deb3 white ffffff whitesmoke f5f5f5 yellow ffff00
yellowgreen 9acd32 canvas ffffff canvastext 000000 transparent 00000000
""".split()
NAMES = dict(zip(_NAMES[::2], _NAMES[1::2], strict=True))

_COLOUR = re.compile(
    r"#[0-9a-f]{3,8}\b|\b(?:rgb|hsl)a?\([^()]*\)|\b(?:hwb|oklab|oklch|color)\([^()]*\)|"
    r"(?<![-\w#])[a-z]{3,20}(?![-\w(])"
)
_PART = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|none\b")
_LEAST_CONTRAST = 1.2
_LEAST_DIFFERENCE = 64
"""Of 255, in one channel: red on green is read, whatever their luminance."""


class Colour(NamedTuple):
    """Red, green and blue from 0 to 255; alpha from 0 to 1."""

    red: float
    green: float
    blue: float
    alpha: float = 1.0

    def over(self, below: Colour) -> Colour:
        """What is seen of this colour upon another that is opaque."""
        red, green, blue = (
            above * self.alpha + under * (1 - self.alpha)
            for above, under in zip(self[:3], below[:3], strict=True)
        )
        return Colour(red, green, blue)


WHITE = Colour(255, 255, 255)
BLACK = Colour(0, 0, 0)


def colours(value: str) -> list[Colour]:
    """The colours that stand in a lower-case value, in their order."""
    found = (read_colour(match.group()) for match in _COLOUR.finditer(value))
    return [colour for colour in found if colour is not None]


def read_colour(value: str) -> Colour | None:
    """One colour in lower case; None where it is none, or one that is not understood."""
    value = NAMES.get(value, value.removeprefix("#") if value.startswith("#") else value)
    if re.fullmatch("[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8}", value):
        digits = value if len(value) > 4 else "".join(digit * 2 for digit in value)
        red, green, blue, alpha = bytes.fromhex(digits.ljust(8, "f"))
        return Colour(red, green, blue, alpha / 255)
    function, bracket, inside = value.partition("(")
    return _from_function(function, inside) if bracket else None


def _from_function(function: str, inside: str) -> Colour | None:
    space, _, rest = inside.strip().partition(" ") if function == "color" else ("", "", inside)
    numbers = [
        (0.0 if part.group() == "none" else float(part.group()), rest[part.end() :][:1] == "%")
        for part in _PART.finditer(rest)
    ]
    if len(numbers) < 3 or not all(math.isfinite(number) for number, _ in numbers):
        return None
    alpha = _share(*numbers[3]) if len(numbers) > 3 else 1.0
    one, two, three = numbers[:3]
    match function.removesuffix("a"):
        case "rgb":
            parts = [number * 2.55 if percent else number for number, percent in (one, two, three)]
        case "color" if space == "srgb":
            parts = [255 * _share(*number) for number in (one, two, three)]
        case "hsl":
            saturation, lightness = _clamped(two[0] / 100), _clamped(three[0] / 100)
            parts = [255 * c for c in colorsys.hls_to_rgb(one[0] / 360, lightness, saturation)]
        case "hwb":
            white, black = _clamped(two[0] / 100), _clamped(three[0] / 100)
            scale = max(1.0, white + black)
            pure = colorsys.hls_to_rgb(one[0] / 360, 0.5, 1)
            parts = [255 * (c * (1 - (white + black) / scale) + white / scale) for c in pure]
        case "oklab" | "oklch":
            parts = _from_oklab(function == "oklch", _share(*one), two, three)
        case _:
            return None
    red, green, blue = (min(255.0, max(0.0, part)) for part in parts)
    return Colour(red, green, blue, alpha)


def _from_oklab(
    polar: bool, lightness: float, two: tuple[float, bool], three: tuple[float, bool]
) -> list[float]:
    """B. Ottosson, "A perceptual color space for image processing", 2020."""
    a, b = (number * 0.004 if percent else number for number, percent in (two, three))
    if polar:
        angle = math.radians(three[0])
        a, b = a * math.cos(angle), a * math.sin(angle)
    if max(abs(a), abs(b)) > 1:
        a = b = 0.0
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    return [
        255 * (12.92 * c if c <= 0.0031308 else 1.055 * _clamped(c) ** (1 / 2.4) - 0.055)
        for c in linear
    ]


def _share(number: float, percent: bool) -> float:
    return _clamped(number / 100 if percent else number)


def _clamped(number: float) -> float:
    return min(1.0, max(0.0, number))


def contrast(one: Colour, other: Colour) -> float:
    """The contrast ratio of two opaque colours, 1 to 21, after WCAG 2.2."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Colour) -> float:
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (part / 255 for part in colour[:3])
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def is_seen(ink: Colour, grounds: Iterable[Colour]) -> bool:
    """Whether ``ink`` stands out from any of the opaque colours it may lie on."""
    for ground in grounds:
        drawn = ink.over(ground)
        if contrast(drawn, ground) >= _LEAST_CONTRAST:
            return True
        if max(abs(a - b) for a, b in zip(drawn[:3], ground[:3], strict=True)) >= _LEAST_DIFFERENCE:
            return True
    return False
