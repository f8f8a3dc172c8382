"""YAML front matter: the fields between two ``---`` lines at the head of a text. PyYAML's door."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(.*?\r?\n)?---[ \t]*(?:\r?\n|$)", re.DOTALL)

MAX_LENGTH = 100_000
MAX_DEPTH = 32
"""Checked before PyYAML builds anything: it takes quadratic time and Python's stack for depth."""


def split_front_matter(text: str) -> tuple[Mapping[str, Any], str]:
    """The fields, and the text after them; no fields where there is no front matter.

    Raises:
        ValueError: when it is not a YAML mapping.
    """
    match = _FRONT_MATTER.match(text)
    if not match:
        return {}, text
    given = match.group(1) or ""
    if len(given) > MAX_LENGTH:
        raise ValueError(f"its front matter is over {MAX_LENGTH:,} characters")
    try:
        _check_depth(given)
        fields = yaml.safe_load(given)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError("its front matter is not valid YAML") from error
    if fields is None:
        return {}, text[match.end() :]
    if not isinstance(fields, dict):
        raise ValueError("its front matter is not a mapping of fields")
    return {str(key): value for key, value in fields.items()}, text[match.end() :]


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise ValueError("its front matter nests too deeply")
        if isinstance(event, yaml.AliasEvent):  # a few bytes of them unfold to gigabytes
            raise ValueError("its front matter has aliases")
