"""An answer as events, while it is made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import ValidationError

from footnote.errors import Broken, NotFound, Unavailable
from footnote.remote.objects import Answer, Claim, FoundDocument, Told, VerifiedCitation
from footnote.remote.problems import problem_error


class _Event(Told):
    """``sequence_number`` counts from 0, without gaps."""

    sequence_number: int
    type: str


class RetrievalEvent(_Event):
    """What was found, before anything is written."""

    answer_id: str
    datanet: str
    question: str
    confidence: float
    snapshot: str
    retrieved: tuple[FoundDocument, ...]


class TextDeltaEvent(_Event):
    """The next piece of the text, which was checked."""

    delta: str


class ClaimCompletedEvent(_Event):
    claim: Claim


class CitationVerifiedEvent(_Event):
    citation: VerifiedCitation


class AnswerCompletedEvent(_Event):
    """The whole, durable with its receipt."""

    answer: Answer


AnswerEvent = (
    RetrievalEvent
    | TextDeltaEvent
    | ClaimCompletedEvent
    | CitationVerifiedEvent
    | AnswerCompletedEvent
)
_TYPES: dict[str, type[AnswerEvent]] = {
    "retrieval": RetrievalEvent,
    "text.delta": TextDeltaEvent,
    "claim.completed": ClaimCompletedEvent,
    "citation.verified": CitationVerifiedEvent,
    "answer.completed": AnswerCompletedEvent,
}
_DONE = b"[DONE]"


class AnswerStream(Iterator[AnswerEvent]):
    """The events of one answer; the question is asked on entering, and leaving early ends the work.

    Whoever left before ``answer.completed`` owes nothing. A stream that broke off can be asked for
    again under the same ``idempotency_key``: it tells the stored answer where there is one.

    Iterating raises:
        FootnoteError: what the service told in an ``error`` event.
        Unavailable: the stream broke off.
        Broken: the events are not those of an answer.
    """

    def __init__(self, call: Callable[[], httpx.Response], idempotency_key: str) -> None:
        self.idempotency_key = idempotency_key
        self._call = call
        self._response: httpx.Response | None = None
        self._events: Iterator[AnswerEvent] = iter(())
        self._answer: Answer | None = None

    def __enter__(self) -> Self:
        self._response = self._call()
        self._events = self._read(self._response)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._response is not None:
            self._response.close()
        self._events = iter(())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> AnswerEvent:
        if self._response is None:
            raise RuntimeError("enter the stream first: with service.stream(…) as events")
        return next(self._events)

    @property
    def answer(self) -> Answer:
        """The whole answer, once the stream has told it; NotFound before."""
        if self._answer is None:
            raise NotFound("the answer is not complete", "read its stream to the end")
        return self._answer

    def _read(self, response: httpx.Response) -> Iterator[AnswerEvent]:
        try:
            for number, data in enumerate(_data(response)):
                event = _event(data, number)
                if isinstance(event, AnswerCompletedEvent):
                    self._answer = event.answer
                if event is not None:
                    yield event
        except httpx.RequestError as error:
            if self._answer is None:
                raise _broke_off() from error
        if self._answer is None:
            raise _broke_off()


def _data(response: httpx.Response) -> Iterator[bytes]:
    """The data of each event before ``[DONE]``.

    Lines end at line feeds alone: httpx's own lines end at U+2028 too, which may stand in a text.
    """
    rest, done = b"", False
    data: list[bytes] = []
    for piece in response.iter_bytes():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            field, _, value = line.removesuffix(b"\r").partition(b":")
            if field == b"data":
                data.append(value.removeprefix(b" "))
            elif line in (b"", b"\r") and data:
                done = done or data == [_DONE]
                if not done:
                    yield b"\n".join(data)
                data = []


def _event(data: bytes, number: int) -> AnswerEvent | None:
    """The event; None for one of a type that only a newer service knows."""
    try:
        body: Any = json.loads(data)
        if body["sequence_number"] != number:
            raise ValueError("an event is missing")
        if body["type"] == "error":
            problem = dict(body["problem"])
            raise problem_error(problem, int(problem["status"]))
        kind = _TYPES.get(body["type"])
        return None if kind is None else kind.model_validate(body)
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise Broken(
            "the stream is not that of an answer", "ask for it whole", code="unreadable"
        ) from error


def _broke_off() -> Unavailable:
    return Unavailable(
        "the stream broke off before the answer was complete",
        "ask again with the same idempotency_key",
        code="stream-broke-off",
    )
