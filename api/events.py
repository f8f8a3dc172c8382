"""An answer as server-sent events, in one order that never changes.

    retrieval                                     once
    text.delta  claim.completed                   for each claim, and for each of its citations
                citation.verified
    text.delta                                    what follows the last claim, or a refusal
    answer.completed                              once, after the journal's commit
    [DONE]

Text is told a claim at a time, when it was checked: nothing is shown that is not known to hold or
not to hold. In place of ``answer.completed``, ``error`` says what went wrong; then nothing is owed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from api.parts import Begun, Claimed, Part
from api.problems import problem_body
from api.responses import json_bytes

DONE = b"data: [DONE]\n\n"


class EventWriter:
    """Numbers the events of one answer from 0."""

    def __init__(self) -> None:
        self._number = 0
        self._told = 0

    def part(self, part: Part) -> Iterator[bytes]:
        """The events that a part of the answer is."""
        if isinstance(part, Begun):
            yield self._event("retrieval", part.body)
        elif isinstance(part, Claimed):
            yield from self._delta(part.text)
            yield self._event("claim.completed", {"claim": part.claim})
            for citation in part.citations:
                yield self._event("citation.verified", {"citation": citation})
        else:
            yield from self._delta(part.answer["text"][self._told :])
            yield self._event("answer.completed", {"answer": part.answer})

    def error(self, error: Exception) -> bytes:
        """What ends a stream that cannot go on."""
        return self._event("error", {"problem": problem_body(error)})

    def _delta(self, text: str) -> Iterator[bytes]:
        if text:
            self._told += len(text)
            yield self._event("text.delta", {"delta": text})

    def _event(self, name: str, body: Mapping[str, Any]) -> bytes:
        told = {"type": name, "sequence_number": self._number, **body}
        head = f"id: {self._number}\nevent: {name}\ndata: ".encode()
        self._number += 1
        return head + json_bytes(told) + b"\n\n"
