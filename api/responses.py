"""JSON out. The door of orjson."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi.responses import Response


def json_bytes(body: Mapping[str, Any]) -> bytes:
    return orjson.dumps(body)


def json_response(
    body: Mapping[str, Any], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return Response(json_bytes(body), status, headers, "application/json")
