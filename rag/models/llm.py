"""Language models behind an OpenAI-compatible API. The door of openai.

OpenLoRA, LoRAX and vLLM all serve many adapters under one address and choose by ``model``.

What is retried, twice and with jitter: connections that fail, timeouts, 408, 409, 429 and 5xx. A
completion changes nothing on the server, so asking again is safe. A stream is never resumed: once
it has begun, its end is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from footnote.errors import Broken, Invalid, NotFound, Unavailable
from footnote.model import Usage
from rag.models.breaker import CircuitBreaker

if TYPE_CHECKING:
    from openai import OpenAI

Messages = Sequence[tuple[str, str]]
"""Role and content."""

RETRIES = 2
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_MODEL_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:-]|/(?!\.)){0,127}")


@dataclass(frozen=True, slots=True)
class Completion:
    text: str
    usage: Usage


class ChatModel(Protocol):
    """A multi-LoRA server as the answerer sees it. ``adapter`` None is the base model; ``base`` is
    what a receipt calls that.

    Every call raises NotFound for an adapter that the server does not know, Unavailable where it
    does not answer, and Broken where it answers what it should not.
    """

    @property
    def base(self) -> str: ...

    def complete(self, messages: Messages, adapter: str | None) -> Completion:
        """The model's reply."""


def check_adapter(name: str) -> str:
    """``name``, if it is safe to send: servers join it into paths."""
    if not _MODEL_NAME.fullmatch(name) or ".." in name:
        raise Invalid("not an adapter's name", "use letters, digits, dots, hyphens and underscores")
    return name


@dataclass(slots=True)
class Streamed:
    """A reply as it comes: iterate once for its pieces; ``usage`` is there when they ended."""

    pieces: Iterator[str]
    usage: Usage = field(default_factory=Usage)

    def __iter__(self) -> Iterator[str]:
        return self.pieces


class OpenAIChatModel:
    """A ChatModel over HTTP."""

    def __init__(
        self,
        base_url: str,
        base: str,
        *,
        api_key: str | None,
        timeout_seconds: float,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self._base = base
        self._fingerprint: str | None = None
        self._base_url = base_url
        self._api_key = api_key or "none"
        self._timeout = timeout_seconds
        self._breaker = breaker or CircuitBreaker("the model server")
        self._opened: OpenAI | None = None

    @property
    def base(self) -> str:
        """The base's name, with ``@sha256:…`` of its files where its last reply told."""
        return self._base if self._fingerprint is None else f"{self._base}@{self._fingerprint}"

    def complete(self, messages: Messages, adapter: str | None) -> Completion:
        with self._asking():
            reply = self._client.chat.completions.create(
                model=self._name(adapter), messages=_written(messages), temperature=0.0
            )
            text = reply.choices[0].message.content or ""
            told = reply.system_fingerprint or ""
            self._fingerprint = told if _HASH.fullmatch(told) else None
            return Completion(text, _usage(reply.usage))

    def stream(self, messages: Messages, adapter: str | None) -> Streamed:
        """The reply while it is written; leaving it early ends it on the server."""
        streamed = Streamed(iter(()))
        streamed.pieces = self._pieces(messages, self._name(adapter), streamed)
        return streamed

    def _pieces(self, messages: Messages, name: str, streamed: Streamed) -> Iterator[str]:
        finished = False
        with self._asking():
            with self._client.chat.completions.create(
                model=name, messages=_written(messages), temperature=0.0, stream=True,
                stream_options={"include_usage": True},
            ) as events:  # fmt: skip
                for event in events:
                    if event.usage is not None:
                        streamed.usage = _usage(event.usage)
                    for choice in event.choices:
                        if choice.delta.content:
                            yield choice.delta.content
                        finished = finished or choice.finish_reason is not None
            if not finished:
                raise Unavailable("the model server broke off", "try again shortly")

    def score(self, prompt: str, completion: str, adapter: str | None = None) -> float:
        """The log-probability of ``completion`` after ``prompt``, in nats, summed over its tokens.

        A token that straddles the two counts to the completion. Broken where the server gives no
        log-probabilities of what it is shown.
        """
        with self._asking():
            reply = self._client.completions.create(
                model=self._name(adapter), prompt=prompt + completion, max_tokens=0, echo=True,
                logprobs=0, temperature=0.0,
            )  # fmt: skip
            found = reply.choices[0].logprobs
            offsets = found.text_offset if found else None
            values = found.token_logprobs if found else None
            if not offsets or not values or len(offsets) != len(values):
                raise Broken(
                    "the model server gives no log-probabilities of a prompt",
                    "use one whose /v1/completions takes echo and logprobs, such as vLLM",
                )
            ends = [*offsets[1:], len(prompt) + len(completion)]
            return sum(
                value
                for end, value in zip(ends, values, strict=True)
                if end > len(prompt) and value is not None
            )

    def _name(self, adapter: str | None) -> str:
        return check_adapter(self._base if adapter is None else adapter)

    @property
    def _client(self) -> OpenAI:
        if self._opened is None:
            from openai import OpenAI

            self._opened = OpenAI(
                base_url=self._base_url, api_key=self._api_key, timeout=self._timeout,
                max_retries=RETRIES,
            )  # fmt: skip
        return self._opened

    @contextmanager
    def _asking(self) -> Iterator[None]:
        with self._breaker.call(), _translated():
            yield


@contextmanager
def _translated() -> Iterator[None]:
    """The client's errors as ours, with what the server said."""
    import httpx
    import openai

    try:
        yield
    except openai.NotFoundError as error:
        raise NotFound(
            "the model server does not know that adapter", "load it there, or name another"
        ) from error
    except (openai.RateLimitError, openai.InternalServerError, openai.APIConnectionError) as error:
        raise Unavailable(
            f"the model server does not answer ({_said(error)})", "try again shortly"
        ) from error
    except httpx.HTTPError as error:  # while a stream runs
        raise Unavailable("the model server broke off", "try again shortly") from error
    except openai.APIError as error:
        raise Broken(
            f"the model server refused the request ({_said(error)})", "see its log"
        ) from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise Broken("the model server answers no completion", "see its log") from error


def _said(error: Exception) -> str:
    return " ".join(str(getattr(error, "message", error)).split())[:200]


def _written(messages: Messages) -> Any:
    return [{"role": role, "content": content} for role, content in messages]


def _usage(counted: Any) -> Usage:
    if counted is None:
        return Usage()
    return Usage(int(counted.prompt_tokens), int(counted.completion_tokens))
