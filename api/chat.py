"""An answer in the shape of OpenAI's chat completions, whole or as a stream of chunks.

What their clients know stands where they look for it: the text with its ``[n]``, and a
``url_citation`` for every citation. What they do not know stands beside it in ``footnote``. Both
forms are made of the same parts, so that a stream folds into what the journal holds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from api.parts import Begun, Claimed, Part, end_of
from api.problems import problem_body
from api.responses import json_bytes

_CHUNK = "chat.completion.chunk"


def completion(answer: Mapping[str, Any], model: str, home: str) -> dict[str, Any]:
    """The whole as one object; ``home`` is the address that this service is reached at."""
    message = {
        "role": "assistant",
        "content": answer["text"],
        "refusal": None,
        "annotations": annotations_of(answer, home),
        "footnote": _footnote(answer),
    }
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    head = _head(answer["id"], answer["receipt"]["issued_at"], model, "chat.completion")
    return {**head, "choices": [choice], "usage": _usage(answer)}


class ChunkWriter:
    """The same in pieces, while it is made: the role, each claim with its markers and annotations,
    what follows, and last the annotations of all with the ``footnote`` object."""

    def __init__(self, model: str, home: str, *, with_usage: bool) -> None:
        self._model = model
        self._home = home
        self._with_usage = with_usage
        self._told = ""
        self._head: dict[str, Any] = {}

    def part(self, part: Part) -> Iterator[bytes]:
        """The chunks that a part of the answer is."""
        if isinstance(part, Begun):
            self._head = _head(part.answer_id, int(time.time()), self._model, _CHUNK)
            yield self._chunk({"role": "assistant", "content": ""})
        elif isinstance(part, Claimed):
            start, end = part.claim["start"], len(self._told) + len(part.text)
            self._told += part.text
            address = f"{self._home}evidence/{self._head['id']}"
            found = [_annotation(address, one, start, end) for one in part.citations]
            yield self._chunk({"content": part.text} | ({"annotations": found} if found else {}))
        else:
            if rest := part.answer["text"][len(self._told) :]:
                yield self._chunk({"content": rest})
            found = annotations_of(part.answer, self._home)
            whole = {"annotations": found, "footnote": _footnote(part.answer)}
            yield self._chunk(whole, "stop")
            if self._with_usage:
                yield _event({**self._head, "choices": [], "usage": _usage(part.answer)})

    def error(self, error: Exception) -> bytes:
        """What ends a stream that cannot go on, as OpenAI's clients raise it."""
        body = problem_body(error)
        return _event({"error": body | {"code": body["type"].rpartition(":")[2]}})

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        usage = {"usage": None} if self._with_usage else {}
        return _event({**self._head, **usage, "choices": [choice]})


def annotations_of(answer: Mapping[str, Any], home: str) -> list[dict[str, Any]]:
    """A ``url_citation`` for each citation: from the first code point of its claim to behind the
    last of its markers, exclusive."""
    claims = {claim["id"]: claim for claim in answer["claims"]}
    address = f"{home}evidence/{answer['id']}"
    return [
        _annotation(address, one, claim["start"], end_of(claim))
        for one in answer["citations"]
        for claim in [claims[one["claim_id"]]]
    ]


def _annotation(address: str, citation: Mapping[str, Any], start: int, end: int) -> dict[str, Any]:
    return {
        "type": "url_citation",
        "url_citation": {
            "url": f"{address}/{citation['id']}",
            "title": citation["source"]["title"],
            "start_index": start,
            "end_index": end,
        },
    }


def _head(answer_id: str, created: int, model: str, kind: str) -> dict[str, Any]:
    return {"id": answer_id, "object": kind, "created": created, "model": model}


def _event(body: Mapping[str, Any]) -> bytes:
    return b"data: " + json_bytes(body) + b"\n\n"


def _footnote(answer: Mapping[str, Any]) -> dict[str, Any]:
    parts = "id", "datanet", "refused", "refusal_reason", "confidence", "claims", "citations"
    return {name: answer[name] for name in (*parts, "receipt")}


def _usage(answer: Mapping[str, Any]) -> dict[str, int]:
    used, written = answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]
    return {"prompt_tokens": used, "completion_tokens": written, "total_tokens": used + written}
