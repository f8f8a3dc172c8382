"""Language models behind an OpenAI-compatible API. The door of openai.

OpenLoRA, LoRAX and vLLM all serve many adapters under one address and choose by ``model``.

What is retried, twice and with jitter: connections that fail, timeouts, 408, 409, 429 and 5xx. A
completion changes nothing on the server, so asking again is safe. The timeout bounds all of it
together, a stream too. A stream is never resumed: once it has begun, its end is an error.
"""

from __future__ import annotations

import math
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from footnote.errors import Broken, Invalid, NotFound, Unavailable
from footnote.model import Usage
from footnote.recursion import bound_recursion
from rag.models.breaker import CircuitBreaker

if TYPE_CHECKING:
    from openai import OpenAI, Stream
    from openai.types.chat import ChatCompletionChunk

Messages = Sequence[tuple[str, str]]
"""Role and content."""

RETRIES = 2
PULSE_SECONDS = 0.5
"""How often a stream says that nothing came, so that somebody can look whether it is wanted."""
MOST_CODE_POINTS = 200_000
"""Of a reply."""
CUT_OFF = ("length", "content_filter")
"""Why a reply may end in the middle of a sentence."""
Reply = TypeVar("Reply")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_BASE_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:-]|/(?!\.)){0,127}")
_ADAPTER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_MOST_TOKENS = 1 << 31
_SENTENCE = re.compile(r"(?:[.!?…](?=[\s\[\"'”’»)])|[!?…。！？]|\n)[\"'”’»)]*(?:\s*\[[\d,\s]+\])*")
"""Where a sentence surely ended, with the sources behind it. A full stop at the very end of a
reply that was cut off may stand inside a number."""
_MARKERS = re.compile(r"\s*(?:\[[\d,\s]+\])+")
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LOOK_BACK = 200
"""Code points before what arrived that may belong to the end of a sentence with it."""


class Declined(Broken):
    """The model server refused the request as it is, for this adapter say."""


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
        """The model's reply. Where its length was reached only whole sentences are left of it."""

    def stream(self, messages: Messages, adapter: str | None) -> Streamed:
        """The same while it is written, in pieces that end where a sentence does; closing it early
        ends it on the server."""


def check_adapter(name: str) -> str:
    """``name``, if it is safe to send: servers join it into paths, and some fetch what has a
    slash from a hub."""
    if not _ADAPTER_NAME.fullmatch(name) or ".." in name:
        raise Invalid("not an adapter's name", "use letters, digits, dots, hyphens and underscores")
    return name


@dataclass(slots=True)
class Streamed:
    """A reply as it comes: iterate once for its pieces; ``usage`` is there when they ended."""

    pieces: Generator[str]
    usage: Usage = field(default_factory=Usage)

    def __iter__(self) -> Iterator[str]:
        return self.pieces

    def close(self) -> None:
        self.pieces.close()


class OpenAIChatModel:
    """A ChatModel over HTTP."""

    def __init__(
        self,
        base_url: str,
        base: str,
        *,
        api_key: str | None,
        timeout_seconds: float,
        at_once: int = 16,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self._base = base
        self._fingerprint: str | None = None
        self._base_url = base_url
        self._api_key = api_key or "none"
        self._timeout = timeout_seconds
        self._breaker = breaker or CircuitBreaker("the model server")
        self._opened: OpenAI | None = None
        self._turns = threading.BoundedSemaphore(at_once)

    @property
    def address(self) -> str:
        """Where the server is reached."""
        return self._base_url

    @property
    def failing(self) -> bool:
        """Whether the server did not answer for a while."""
        return self._breaker.failing

    @property
    def base(self) -> str:
        """The base's name, with ``@sha256:…`` of its files where its last reply told."""
        return self._base if self._fingerprint is None else f"{self._base}@{self._fingerprint}"

    def complete(self, messages: Messages, adapter: str | None) -> Completion:
        with self._asking() as deadline:
            name = self._name(adapter)
            reply = self._within(
                deadline,
                lambda client: client.chat.completions.create(
                    model=name, messages=_written(messages), temperature=0.0
                ),
            )
            text = _whole(reply.choices[0])
            self._note_base(reply.system_fingerprint)
            return Completion(text, _usage(reply.usage))

    def stream(self, messages: Messages, adapter: str | None) -> Streamed:
        streamed = Streamed(_nothing())
        streamed.pieces = self._pieces(messages, self._name(adapter), streamed)
        return streamed

    def _pieces(self, messages: Messages, name: str, streamed: Streamed) -> Generator[str]:
        reply, fingerprint = _Reply(), None
        with self._asking() as deadline:
            events = self._within(
                deadline,
                lambda client: client.chat.completions.create(
                    model=name, messages=_written(messages), temperature=0.0, stream=True,
                    stream_options={"include_usage": True},
                ),
            )  # fmt: skip
            for event in _until(deadline, events):
                if event is None:
                    yield ""
                    continue
                self._breaker.works()
                fingerprint = event.system_fingerprint or fingerprint
                self._note_base(fingerprint)
                if event.usage is not None:
                    streamed.usage = _usage(event.usage)
                for choice in event.choices:
                    reply.add(_text(choice.delta.content), choice.finish_reason)
                if ended := reply.ended():
                    yield ended
            if rest := reply.rest():
                yield rest

    def score(self, prompt: str, completion: str, adapter: str | None = None) -> float:
        """The log-probability of ``completion`` after ``prompt``, in nats, summed over its tokens.

        A token that straddles the two counts to the completion; the very first token of all, where
        ``prompt`` is empty, has no probability and does not. Broken where the server gives no
        log-probabilities of what it is shown, or one that is no number.
        """
        with self._asking() as deadline:
            name = self._name(adapter)
            reply = self._within(
                deadline,
                lambda client: client.completions.create(
                    model=name, prompt=prompt + completion, max_tokens=0, echo=True,
                    logprobs=0, temperature=0.0,
                ),
            )  # fmt: skip
            found = reply.choices[0].logprobs
            offsets = found.text_offset if found else None
            values = found.token_logprobs if found else None
            if not offsets or not values or len(offsets) != len(values):
                raise Broken(
                    "the model server gives no log-probabilities of a prompt",
                    "use one whose /v1/completions takes echo and logprobs, such as vLLM",
                )
            ends = _ends(offsets, len(prompt) + len(completion))
            told = list(zip(ends, values, strict=True))
            # Nothing comes before the first token of all.
            own = [value for end, value in told[1:] if end > len(prompt)]
            if told[0][0] > len(prompt) and told[0][1] is not None:
                own.append(told[0][1])
            if any(value is None or not math.isfinite(value) for value in own):
                raise Broken(
                    "the model server scored a token with no number",
                    "the adapter may be damaged: see the server's log",
                )
            return sum(own)

    def _name(self, adapter: str | None) -> str:
        if adapter is None:
            if not _BASE_NAME.fullmatch(self._base) or ".." in self._base:
                raise Invalid("not a model's name", "set FOOTNOTE_OPENLORA_MODEL")
            return self._base
        if adapter == self._base:
            raise NotFound("that is the base model and no adapter", "leave the adapter out")
        return check_adapter(adapter)

    def _note_base(self, fingerprint: str | None) -> None:
        """What the server tells of the files that answer, where it tells their hash."""
        told = fingerprint or ""
        self._fingerprint = told if _HASH.fullmatch(told) else None

    def _within(self, deadline: float, ask: Callable[[OpenAI], Reply]) -> Reply:
        """What ``ask`` brings, asked again where that may help, all before the deadline."""
        import openai

        for attempt in range(RETRIES + 1):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            client = self._client.with_options(max_retries=0, timeout=left)
            try:
                return _by(deadline, ask, client)
            except TimeoutError:
                break
            except (openai.APIConnectionError, openai.APIStatusError) as error:
                status = getattr(error, "status_code", 503)
                pause = _pause(error, attempt)
                late = time.monotonic() + pause >= deadline
                if attempt == RETRIES or late or not (status in (408, 409, 429) or status >= 500):
                    raise
                time.sleep(pause)
        raise Unavailable(
            f"the model server does not answer (within {self._timeout:g} seconds)",
            "try again shortly",
        )

    @property
    def _client(self) -> OpenAI:
        if self._opened is None:
            from openai import OpenAI

            self._opened = OpenAI(
                base_url=self._base_url, api_key=self._api_key, timeout=self._timeout
            )
        return self._opened

    @contextmanager
    def _asking(self) -> Iterator[float]:
        """Gives the deadline. Half of the time may pass with waiting for a turn, so that whoever
        is asked has the other half at least."""
        bound_recursion()
        deadline = time.monotonic() + self._timeout
        if not self._turns.acquire(timeout=self._timeout / 2):
            raise Unavailable("the model server has too much to do", "try again shortly")
        try:
            with self._breaker.call(), _translated():
                yield deadline
        finally:
            self._turns.release()


def _by(deadline: float, ask: Callable[[OpenAI], Reply], client: OpenAI) -> Reply:
    """What ``ask`` brings; TimeoutError at the deadline, however slowly bytes drip in. What was
    asked is then left to itself: a blocked read cannot be ended from outside."""
    replied: Future[Reply] = Future()

    def work() -> None:
        try:
            replied.set_result(ask(client))
        except BaseException as error:
            replied.set_exception(error)

    threading.Thread(target=work, name="ask the model", daemon=True).start()
    return replied.result(max(0.0, deadline - time.monotonic()))


def _until(
    deadline: float, events: Stream[ChatCompletionChunk]
) -> Iterator[ChatCompletionChunk | None]:
    """What comes of a stream before the deadline, and None now and then while nothing comes;
    Unavailable at the deadline. Left early, the line is cut at once."""
    arrived: Queue[ChatCompletionChunk | BaseException | None] = Queue()

    def work() -> None:
        try:
            with events:
                for event in events:
                    arrived.put(event)
            arrived.put(None)
        except BaseException as error:
            arrived.put(error)

    threading.Thread(target=work, name="hear the model", daemon=True).start()
    try:
        while (left := deadline - time.monotonic()) > 0:
            try:
                event = arrived.get(timeout=min(left, PULSE_SECONDS))
            except Empty:
                yield None
                continue
            if event is None:
                return
            if isinstance(event, BaseException):
                raise event
            yield event
        raise Unavailable("the model server takes too long", "try again shortly")
    finally:
        _cut(events)


def _cut(events: Stream[ChatCompletionChunk]) -> None:
    """End the line below a stream: whoever still reads it is told so by the system, which a close
    from another thread would not do."""
    network = events.response.extensions.get("network_stream")
    line = network.get_extra_info("socket") if network is not None else None
    if line is not None:
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)


@dataclass(slots=True)
class _Reply:
    """A reply as it arrives, and what of it was given on already."""

    held: str = ""
    taken: int = 0
    searched: int = 0
    told: bool = False
    finish: str | None = None

    def add(self, piece: str, finish: str | None) -> None:
        self.held += piece
        self.taken += len(piece)
        self.finish = finish or self.finish
        if self.taken > MOST_CODE_POINTS:
            raise Broken("the model's reply has no end", "bound its length at the model server")

    def ended(self) -> str:
        """All up to the last sentence that surely ended, or nothing."""
        end = _last_end(self.held, self.searched)
        self.searched = max(0, len(self.held) - _LOOK_BACK)
        return self._give(end) if end else ""

    def rest(self) -> str:
        """What is left at the end; of a reply that was cut off, the markers of its last whole
        sentence."""
        if self.finish is None:
            raise Unavailable("the model server broke off", "try again shortly")
        if self.finish not in CUT_OFF:
            return self._give(len(self.held))
        if not self.told:
            raise _cut_off()
        markers = _MARKERS.match(self.held)
        return self._give(markers.end() if markers else 0)

    def _give(self, end: int) -> str:
        given, self.held = self.held[:end], self.held[end:]
        self.searched = 0
        self.told = self.told or bool(given.strip())
        return given


def _nothing() -> Generator[str]:
    yield from ()


def _pause(error: Exception, attempt: int) -> float:
    """Seconds before the next try: what the server wants, else longer each time."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1_000)
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return float(0.5 * 2**attempt * random.uniform(0.75, 1.0))


@contextmanager
def _translated() -> Iterator[None]:
    """The client's errors as ours, with what the server said."""
    import openai

    try:
        yield
    except openai.NotFoundError:
        raise NotFound(
            "the model server does not know that adapter", "load it there, or name another"
        ) from None
    except (openai.RateLimitError, openai.InternalServerError, openai.APIConnectionError) as error:
        raise Unavailable(
            f"the model server does not answer ({_said(error)})", "try again shortly"
        ) from None
    except openai.APIError as error:
        status = getattr(error, "status_code", None)
        raise (Declined if status in (400, 413, 422) else Broken)(
            f"the model server refused the request ({_said(error)})", "see its log"
        ) from None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError):
        raise Broken("the model server answers no completion", "see its log") from None


def _said(error: Exception) -> str:
    """What kind of error it is. What the server wrote about it may repeat the question and the
    sources, which belong neither in a log nor to whoever asked."""
    status = getattr(error, "status_code", None)
    code = getattr(error, "code", None)
    named = code if isinstance(code, str) and _CODE.fullmatch(code) else type(error).__name__
    return named if status is None else f"{status}, {named}"


def _written(messages: Messages) -> Any:
    return [{"role": role, "content": content} for role, content in messages]


def _whole(choice: Any) -> str:
    """The text of a reply, without a sentence that its length cut off."""
    text = _text(choice.message.content)
    if choice.finish_reason not in CUT_OFF:
        return text
    end = _last_end(text)
    if not text[:end].strip():
        raise _cut_off()
    return text[:end]


def _text(content: Any) -> str:
    if not isinstance(content, str | None):
        raise TypeError("the reply's content is no text")
    (content or "").encode()  # half a character is none
    return content or ""


def _last_end(text: str, begin: int = 0) -> int:
    """Behind the last sentence of ``text`` that surely ended, behind ``begin``; 0 without one."""
    return max((found.end() for found in _SENTENCE.finditer(text, begin)), default=0)


def _cut_off() -> Broken:
    return Broken(
        "the model's reply was cut off in its first sentence",
        "let the model server give longer replies",
    )


def _ends(starts: Sequence[int], end: int) -> list[int]:
    """Where each token ends: where the next one begins elsewhere. Those that are bytes of one
    character begin at one place and end together."""
    ends: list[int] = []
    following = end
    for at in range(len(starts) - 1, -1, -1):
        if at + 1 < len(starts) and starts[at + 1] > starts[at]:
            following = starts[at + 1]
        ends.append(following)
    return ends[::-1]


def _usage(counted: Any) -> Usage:
    if counted is None:
        return Usage()
    numbers = int(counted.prompt_tokens), int(counted.completion_tokens)
    if not all(0 <= number < _MOST_TOKENS for number in numbers):
        raise ValueError("no count of tokens")
    return Usage(*numbers)
