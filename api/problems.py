"""Errors as ``application/problem+json`` (RFC 9457): what happened and what to change.

Nothing of a request, no path and no SQL is ever echoed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from api.responses import json_bytes
from footnote.errors import Broken, Busy, FootnoteError, TooMany, Unavailable
from rewards.journal.records import QuotaSpent

log = logging.getLogger(__name__)

TYPE = "urn:footnote:problem:"
MEDIA_TYPE = "application/problem+json"

_BROKEN = "Something is broken here; the log says what."
_TITLES = {
    400: "Bad request", 401: "No key", 403: "Forbidden", 404: "Not found",
    405: "Method not allowed", 408: "Too slow", 409: "Conflict",
    413: "Body too large", 415: "Unsupported media type", 422: "Invalid request",
    429: "Too many requests", 431: "Headers too large",
    500: "Something is broken", 503: "Unavailable", 507: "Storage full",
}  # fmt: skip


def problem(
    status: int,
    code: str,
    detail: str,
    headers: dict[str, str] | None = None,
    errors: list[dict[str, str]] | None = None,
) -> Response:
    """One problem document."""
    body = _body(status, code, detail)
    if errors:
        body["errors"] = errors
    return Response(json_bytes(body), status, headers, MEDIA_TYPE)


def problem_body(error: Exception) -> dict[str, Any]:
    """The document of any error, for a response that has begun already; logs what it should."""
    if not isinstance(error, FootnoteError):
        log.error("unforeseen error", exc_info=error)
        return _body(500, "broken", _BROKEN)
    if isinstance(error, Broken):
        log.error("%s: %s", error.what, error.what_to_do, exc_info=error)
    return _body(error.status, error.code, f"{error.what}: {error.what_to_do}")


def _body(status: int, code: str, detail: str) -> dict[str, Any]:
    return {
        "type": TYPE + code,
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "message": detail,  # where OpenAI's clients look for it
    }


def problem_of(error: FootnoteError) -> Response:
    """The problem that one of our errors is."""
    if isinstance(error, Broken):
        log.error("%s: %s", error.what, error.what_to_do, exc_info=error)
    headers = dict(_headers(error))
    return problem(error.status, error.code, f"{error.what}: {error.what_to_do}", headers)


def _headers(error: FootnoteError) -> Iterator[tuple[str, str]]:
    if isinstance(error, Busy | TooMany | QuotaSpent):
        yield "Retry-After", str(error.retry_after_seconds)
    elif isinstance(error, Unavailable):
        yield "Retry-After", "5"
    if error.status == 401:
        yield "WWW-Authenticate", 'Bearer realm="footnote"'


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, FootnoteError)
        response = problem_of(error)
        if request.headers.get("content-type", "").startswith("multipart/"):
            response.headers["Connection"] = "close"  # else all that is sent would be read
        return response

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        errors = [
            {
                "pointer": _pointer(one["loc"], unknown=one["type"] == "extra_forbidden"),
                "code": str(one["type"]),
                "detail": str(one["msg"]),
            }
            for one in error.errors()
        ]
        return problem(
            422, _code_of(errors), "The request breaks a rule; see errors.", errors=errors
        )

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "refused")
        detail = {
            404: "Nothing is at this address; see /docs.",
            405: "This address takes another method; see /docs.",
        }.get(error.status_code, "The request cannot be served.")
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_allowed_methods(request))
        return problem(error.status_code, code, detail, headers)

    async def unforeseen(request: Request, error: Exception) -> Response:
        log.exception("unforeseen error", exc_info=error)
        return problem(500, "broken", _BROKEN)

    app.add_exception_handler(FootnoteError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unforeseen)


def _allowed_methods(request: Request) -> list[str]:
    """What can be done at the address of a request."""
    return [
        method
        for method in ("DELETE", "GET", "PATCH", "POST", "PUT")
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.router.routes
        )
    ]


def _pointer(loc: Sequence[int | str], *, unknown: bool) -> str:
    """The JSON Pointer of what is wrong; of its parent for an unknown field, whose name is input
    and never echoed."""
    return "".join(f"/{part}" for part in (loc[1:-1] if unknown else loc[1:]))


def _code_of(errors: list[dict[str, str]]) -> str:
    codes = {error["code"] for error in errors}
    return "unknown-field" if codes == {"extra_forbidden"} else "invalid-request"
