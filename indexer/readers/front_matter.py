"""YAML front matter: the fields between two ``---`` lines at the head of a text. PyYAML's door."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(.*?\r?\n)?---[ \t]*(?:\r?\n|$)", re.DOTALL)


def split_front_matter(text: str) -> tuple[Mapping[str, Any], str]:
    """The fields, and the text after them; no fields where there is no front matter.

    Raises:
        ValueError: when it is not a YAML mapping.
    """
    match = _FRONT_MATTER.match(text)
    if not match:
        return {}, text
    try:
        fields = yaml.safe_load(match.group(1) or "")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError("its front matter is not valid YAML") from error
    if fields is None:
        return {}, text[match.end() :]
    if not isinstance(fields, dict):
        raise ValueError("its front matter is not a mapping of fields")
    return {str(key): value for key, value in fields.items()}, text[match.end() :]
