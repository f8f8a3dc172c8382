"""What the styles of a page hide from a person, as far as they can be read without drawing it.

A :class:`Look` is what an element hands down to those in it. Text is hidden where its element is
not drawn, where no ink of it stands out from what it lies on, or where it is too small to read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from indexer.readers.colours import BLACK, WHITE, Colour, colours, is_seen, read_colour
from indexer.readers.placement import EM, font_pixels, is_out_of_sight
from indexer.readers.styles import Declarations, with_variables

Attributes = Mapping[str, str | None]

_LEAST_OPACITY = 0.1
_SMALLEST_FONT = 2.0
"""CSS pixels. A person reads nothing below."""
_OPACITY = re.compile(r"(\d+\.?\d*|\.\d+)\s*(%?)")
_OPACITY_FILTER = re.compile(r"opacity\(([^()]*)\)")
_OF_BROWSER: Mapping[str, Declarations] = {
    "a": {"color": "#0000ee"},
    "mark": {"color": "black", "background-color": "yellow"},
    "button": {"color": "black", "background-color": "#efefef"},
    "textarea": {"color": "black", "background-color": "white"},
    "select": {"color": "black", "background-color": "white"},
}
"""What these look like where no sheet says otherwise."""
SPECIAL = frozenset({*_OF_BROWSER, "dialog"})
"""Elements whose look is not that around them even where nobody says so."""
_DARK = Colour(18, 18, 18)
_AS_AROUND = ("inherit", "unset", "currentcolor", "revert", "revert-layer")


@dataclass(frozen=True, slots=True)
class Look:
    """How text looks in an element."""

    ink: Colour = BLACK
    other_inks: tuple[Colour, ...] = ()
    """Of shadows and outlines, which may be all that is seen of letters."""
    grounds: tuple[Colour, ...] = (WHITE,)
    """The colours it may lie on; none where that is unknown, as on a picture."""
    font_pixels: float = EM
    opacity: float = 1.0
    is_visible: bool = True
    variables: Declarations = field(default_factory=dict)

    @property
    def hides(self) -> bool:
        """Whether text that looks like this is seen by nobody."""
        inks = [
            ink
            for ink in (self.ink, *self.other_inks)
            if ink.alpha * self.opacity >= _LEAST_OPACITY
        ]
        if not self.is_visible or self.font_pixels < _SMALLEST_FONT or not inks:
            return True
        return bool(self.grounds) and not any(is_seen(ink, self.grounds) for ink in inks)


def look_of(tag: str, attributes: Attributes, said: Declarations, around: Look) -> Look | None:
    """How text looks in an element whose declarations are ``said``; None where neither it nor
    anything in it is drawn."""
    said = {**_of_attributes(tag, attributes), **said}
    named = {name: value for name, value in said.items() if name.startswith("--")}
    if named:
        known = {**around.variables, **with_variables(named, around.variables)}
        around = replace(around, variables=known)
    said = with_variables(said, around.variables)
    font = font_pixels(said, around.font_pixels)
    opacity = around.opacity * _opacity(said)
    if _is_off(tag, attributes, said) or is_out_of_sight(said, font) or opacity < _LEAST_OPACITY:
        return None
    visibility = said.get("visibility", "inherit")
    look = replace(
        _coloured(said, around),
        font_pixels=font,
        opacity=opacity,
        is_visible=around.is_visible
        if visibility in _AS_AROUND
        else visibility not in ("hidden", "collapse"),
    )
    return look


def _of_attributes(tag: str, attributes: Attributes) -> Declarations:
    """What old attributes and the browser itself say, which every sheet overrules."""
    said = dict(_OF_BROWSER.get(tag, {})) if tag != "a" or "href" in attributes else {}
    for attribute, name in (("bgcolor", "background-color"), ("background", "background-image")):
        if value := attributes.get(attribute):
            said[name] = "url()" if attribute == "background" else value.strip().lower()
    colour = attributes.get({"font": "color", "body": "text"}.get(tag, ""))
    if colour:
        said["color"] = colour.strip().lower()
    return said


def _is_off(tag: str, attributes: Attributes, said: Declarations) -> bool:
    """Not drawn at all, with whatever lies in it."""
    display = said.get("display", "")
    if display == "none" or said.get("content-visibility") == "hidden":
        return True
    if display not in (
        "",
        "inherit",
        "revert",
        "revert-layer",
    ):  # a sheet may show what a browser by itself does not
        return False
    if "hidden" in attributes and (attributes["hidden"] or "").strip().lower() != "until-found":
        return True
    return tag == "dialog" and "open" not in attributes


def _opacity(said: Declarations) -> float:
    opacity = 1.0
    for value in (said.get("opacity", ""), *_OPACITY_FILTER.findall(said.get("filter", ""))):
        if found := _OPACITY.match(value.strip()):
            opacity *= min(1.0, float(found[1]) / (100 if found[2] else 1))
    return opacity


def _coloured(said: Declarations, around: Look) -> Look:
    if said.get("color-scheme") in ("dark", "only dark", "dark only"):
        around = replace(around, ink=WHITE, grounds=(_DARK,))
    ink = around.ink
    for name in ("color", "-webkit-text-fill-color"):
        value = said.get(name, "inherit")
        if value == "initial":
            ink = BLACK
        elif value not in _AS_AROUND:
            ink = read_colour(value) or ink
    other_inks = around.other_inks
    for name in ("text-shadow", "-webkit-text-stroke", "-webkit-text-stroke-color"):
        other_inks = () if said.get(name) == "none" else other_inks
        other_inks += tuple(colours(said.get(name, "")))
    grounds = _grounds(said, around.grounds)
    if "text" in said.get("background-clip", said.get("-webkit-background-clip", "")).split():
        other_inks, grounds = (BLACK,), ()  # the letters are what the background is seen through
    if said.get("mix-blend-mode") in ("difference", "exclusion"):
        grounds = ()
    return replace(around, ink=ink, other_inks=other_inks[-8:], grounds=grounds)


def _grounds(said: Declarations, below: tuple[Colour, ...]) -> tuple[Colour, ...]:
    """What text may lie on: the colours of a background, over what lies below it."""
    values = [
        said[name] for name in ("background", "background-color", "background-image")
        if said.get(name, "none") not in ("none", "initial", *_AS_AROUND)
    ]  # fmt: skip
    if any("url(" in value or "image" in value or "element(" in value for value in values):
        return ()
    for value in values:
        found = colours(value)
        if not found and re.search(r"\b(?:lab|lch|color|color-mix)\(", value):
            return ()
        opaque = [one for one in found if one.alpha == 1]
        seen = [one.over(ground) for one in found for ground in below if one.alpha < 1]
        if opaque or (found and below):
            below = (*opaque, *seen)[:8]
    return below
