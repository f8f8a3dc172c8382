"""What the styles of a page hide from a person, as far as they can be read without drawing it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|"
    r"font-size\s*:\s*0*(?:\.0+)?[01]?(?:px|pt|em|rem|%)?\s*(?:!|;|$)|"
    r"opacity\s*:\s*0*(?:\.0+)?\s*(?:!|;|$)|"
    r"(?:left|top|right|text-indent|margin-left)\s*:\s*-\d{4,}|"
    r"clip\s*:\s*rect\(\s*0|clip-path\s*:\s*inset\(\s*(?:50|100)%|"
    r"color\s*:\s*transparent|transform\s*:\s*scale\(\s*0",
    re.IGNORECASE,
)
_WHITE = r"(?:white\b|#fff(?:fff)?\b|rgba?\(\s*255\s*,\s*255\s*,\s*255\b)"
_IN_WHITE = re.compile(rf"(?<![-\w])color\s*:\s*{_WHITE}", re.IGNORECASE)
_BACKGROUND = re.compile(r"background(?:-color|-image)?\s*:\s*([^;]+)", re.IGNORECASE)
_RULE = re.compile(r"([^{}@]+)\{([^{}]*)\}")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def hides(tag: str, attributes: Mapping[str, str | None], around: Iterable[str]) -> bool:
    """Whether an element is not shown; ``around`` are the styles of the elements it lies in."""
    if "hidden" in attributes and (attributes["hidden"] or "").lower() != "until-found":
        return True
    if (attributes.get("aria-hidden") or "").strip().lower() == "true":
        return True
    style = attributes.get("style") or ""
    if _HIDING.search(style):
        return True
    font = (attributes.get("color") or "") if tag == "font" else ""
    in_white = _IN_WHITE.search(style) or re.fullmatch(_WHITE, font.strip(), re.IGNORECASE)
    return bool(in_white) and not any(_is_dark(one) for one in [style, *around])


def _is_dark(style: str) -> bool:
    """Whether a style paints a background on which white is seen."""
    found = _BACKGROUND.search(style)
    value = found.group(1) if found else style if re.fullmatch(r"#?\w+", style.strip()) else ""
    return bool(value.strip()) and not re.search(
        rf"{_WHITE}|transparent|none", value, re.IGNORECASE
    )


def hiding_selectors(styles: str) -> list[str]:
    """The selectors of rules in style sheets that hide what they match."""
    return [
        selector.strip()
        for selectors, body in _RULE.findall(_COMMENT.sub("", styles))
        if _HIDING.search(body)
        for selector in selectors.split(",")
        if selector.strip() and ":" not in selector
    ]
