"""The OpenAPI document, where the framework's own says less than is true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from api.problems import MEDIA_TYPE


def describe(app: FastAPI) -> None:
    """Let ``app`` describe itself rightly: what is open to anybody wants no key, and a problem has
    its own media type."""
    framework = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = framework()
            for operation in _operations(described):
                _mend(operation)
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _operations(described: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in described["paths"].values():
        yield from methods.values()


def _mend(operation: dict[str, Any]) -> None:
    if operation.get("security") == [{"ApiKey": []}]:
        operation["security"] = [{}, {"ApiKey": []}]
    for response in operation["responses"].values():
        content = response.get("content", {})
        shown = content.get("application/json", {}).get("schema", {})
        if str(shown.get("$ref", "")).endswith("/Problem"):
            response["content"] = {MEDIA_TYPE: {"schema": shown}}
