"""The line to a service: requests that are tried again where that is safe, and errors as ours."""

from __future__ import annotations

import random
import time
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from footnote.errors import (
    Broken,
    FootnoteError,
    Invalid,
    NoKey,
    StorageFull,
    TooMany,
    Unavailable,
)
from footnote.remote.problems import error_of, retry_after_seconds, unavailable

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.25, 4.0

M = TypeVar("M", bound=BaseModel)


class Line:
    """One ``httpx.Client``.

    Args:
        url: where the service is, such as ``http://127.0.0.1:8000``.
        key: an API key, ``fn_…``.
        timeout_seconds: how long nothing may come.
        patience_seconds: how long after its first failure a request is tried again.

    Raises:
        Invalid: ``url`` is no address.
        NoKey: ``key`` cannot be one.
    """

    def __init__(
        self, url: str, key: str | None, timeout_seconds: float, patience_seconds: float
    ) -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {_checked_key(key)}"}
        self._http = httpx.Client(
            base_url=_checked_url(url), headers=headers, timeout=timeout_seconds
        )
        self._patience_seconds = patience_seconds

    def close(self) -> None:
        self._http.close()

    def call(
        self, method: str, path: str, *, stream: bool = False, again: bool = True, **body: Any
    ) -> httpx.Response:
        """The response of a request that succeeded; with ``stream`` its body is not read yet.

        Tried again, where ``again`` and the patience allow it, when the service cannot be reached,
        does not answer to the end, is busy (503, or 409 with the same key), or names a wait.

        Args:
            body: what httpx takes: json, params, files, data, headers.

        Raises:
            FootnoteError: what the service told, as :mod:`footnote.errors` draws it; Unavailable
                where it did not answer.
        """
        waits = _Waits(self._patience_seconds if again else 0.0)
        while True:
            named = None
            try:
                request = self._request(method, path, body)
                response = self._http.send(request, stream=stream)
                if response.is_success:
                    return response
                response.read()
                failed, named = error_of(response), retry_after_seconds(response)
            except httpx.RequestError as error:
                failed = unavailable(error)
                failed.__cause__ = error
            if not _may_pass(failed) or not waits.another(named):
                raise failed

    def _request(self, method: str, path: str, body: Any) -> httpx.Request:
        try:
            return self._http.build_request(method, path, **body)
        except UnicodeEncodeError as error:
            raise Invalid("a character that cannot be sent", "take out lone surrogates") from error

    def read(self, model: type[M], method: str, path: str, **body: Any) -> M:
        """The object that a request is answered with.

        Raises:
            FootnoteError: as :meth:`call` does; Broken for what is no such object.
        """
        return parsed(model, self.call(method, path, **body).content)


def parsed(model: type[M], content: bytes) -> M:
    """``content`` as ``model``; Broken for what is none."""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise Broken(
            "the service told what this client cannot read",
            "check that the address is Footnote's, and that neither of the two is much older",
            code="unreadable",
        ) from error


class _Waits:
    """Waits between attempts, twice as long each time, until the patience is over."""

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._until: float | None = None
        self._next = FIRST_WAIT_SECONDS

    def another(self, named_seconds: int | None) -> bool:
        """Wait, for as long as the service named; False, at once, where that is too long."""
        now = time.monotonic()
        if self._until is None:
            self._until = now + self._patience_seconds
        wait = self._next * random.uniform(0.5, 1.0)  # so that clients do not come all together
        self._next = min(2 * self._next, LONGEST_WAIT_SECONDS)
        if named_seconds is not None:
            wait = max(wait, float(named_seconds))
        if now + wait > self._until:
            return False
        time.sleep(wait)
        return True


def _may_pass(error: FootnoteError) -> bool:
    return isinstance(error, Unavailable | TooMany) and not isinstance(error, StorageFull)


def _checked_url(url: str) -> httpx.URL:
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL:
        found = httpx.URL()
    if found.scheme not in ("http", "https") or not found.host:
        raise Invalid("the service's address is none", "give one such as http://127.0.0.1:8000")
    return found


def _checked_key(key: str) -> str:
    if not key.isascii() or not key.isprintable() or " " in key or not key:
        raise NoKey("the API key has a wrong form", "give one as footnote keys create shows it")
    return key
