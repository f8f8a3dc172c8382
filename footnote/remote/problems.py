"""Responses that are no success, as the errors of :mod:`footnote.errors`, by what to do next."""

from __future__ import annotations

import json
from typing import Any

import httpx

from footnote.errors import (
    Broken,
    Busy,
    Conflict,
    FootnoteError,
    Forbidden,
    Invalid,
    NoKey,
    NotFound,
    Refused,
    StorageFull,
    TooMany,
    Unavailable,
)

TYPE = "urn:footnote:problem:"
AGAIN = frozenset({502, 503, 504})
"""Statuses after which the same request may succeed."""

_BY_STATUS: dict[int, type[FootnoteError]] = {
    401: NoKey, 403: Forbidden, 404: NotFound, 409: Conflict, 422: Invalid, 507: StorageFull,
}  # fmt: skip


def unavailable(error: Exception) -> Unavailable:
    """The error of a service that did not answer, or not to the end."""
    late = isinstance(error, httpx.TimeoutException)
    what = "the service did not answer in time" if late else "the service does not answer"
    return Unavailable(what, f"see that it runs and ask again ({type(error).__name__})")


def error_of(response: httpx.Response) -> FootnoteError:
    """The error that a response is, whose body was read; also where it is no problem document."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict) and isinstance(body.get("detail"), str):
        return problem_error(body, response.status_code, retry_after_seconds(response))
    what = f"status {response.status_code} from something that is not Footnote"
    return _error(response.status_code, what, "check the address", None, None)


def problem_error(
    body: dict[str, Any], status: int, retry_after_seconds: int | None = None
) -> FootnoteError:
    """The error that a problem document is, with the service's code and words."""
    named = str(body.get("type", ""))
    code = named.removeprefix(TYPE) if named.startswith(TYPE) else None
    what, separator, what_to_do = str(body.get("detail", "")).partition(": ")
    if not separator:
        what, what_to_do = str(body.get("title") or "Error"), what
    if wrong := body.get("errors"):
        what_to_do += " " + json.dumps(wrong, ensure_ascii=False)
    return _error(status, what, what_to_do, code, retry_after_seconds)


def retry_after_seconds(response: httpx.Response) -> int | None:
    """What ``Retry-After`` says; None where it says nothing, or a date."""
    value = response.headers.get("retry-after", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


def _error(
    status: int, what: str, what_to_do: str, code: str | None, after: int | None
) -> FootnoteError:
    if status == 429:
        return TooMany(
            what, what_to_do, code=code, retry_after_seconds=1 if after is None else after
        )
    if status == 409 and after is not None:
        return Busy(what, what_to_do, code=code, retry_after_seconds=after)
    if status in _BY_STATUS:
        return _BY_STATUS[status](what, what_to_do, code=code)
    if status in AGAIN:
        return Unavailable(what, what_to_do, code=code)
    return (Refused if 400 <= status < 500 else Broken)(what, what_to_do, code=code)
