"""JSON without its traps: no key twice, no NaN or Infinity, no lone surrogates."""

from __future__ import annotations

import json
from typing import Any


def loads(data: bytes) -> Any:
    """Parse UTF-8 JSON.

    Raises:
        ValueError: with a reason that echoes nothing of the input.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8") from error
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg}, column {error.colno})") from error
    except UnicodeEncodeError as error:
        raise ValueError("a lone surrogate, which is no character") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError("NaN and Infinity are not JSON")
