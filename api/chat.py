"""An answer in the shape of OpenAI's chat completions, whole or as a stream of chunks.

What their clients know stands where they look for it: the text with its ``[n]``, and a
``url_citation`` for every citation. What they do not know stands beside it in ``footnote``. Both
forms are made from the recorded answer, so that a stream folds into what the journal holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_MARKERS = re.compile(r"(?: ?\[\d+\])+")


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
    return {
        **_head(answer, model, "chat.completion"), "choices": [choice], "usage": _usage(answer)
    }  # fmt: skip


def chunks(
    answer: Mapping[str, Any], model: str, home: str, *, with_usage: bool
) -> Iterator[dict[str, Any]]:
    """The same in pieces: the role, each claim with its markers and annotations, what follows, and
    last the annotations of all with the ``footnote`` object."""
    head = _head(answer, model, "chat.completion.chunk")
    if with_usage:
        head |= {"usage": None}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return {**head, "choices": [choice]}

    yield chunk({"role": "assistant", "content": ""})
    text, told = answer["text"], 0
    found = annotations_of(answer, home)
    for claim in answer["claims"]:
        end = _end(text, claim)
        here = [one for one in found if told < one["url_citation"]["end_index"] <= end]
        delta = {"content": text[told:end]}
        yield chunk({**delta, "annotations": here} if here else delta)
        told = end
    if text[told:]:
        yield chunk({"content": text[told:]})
    yield chunk({"annotations": found, "footnote": _footnote(answer)}, "stop")
    if with_usage:
        yield {**head, "choices": [], "usage": _usage(answer)}


def annotations_of(answer: Mapping[str, Any], home: str) -> list[dict[str, Any]]:
    """A ``url_citation`` for each citation: from the first code point of its claim to behind the
    last of its markers, exclusive."""
    claims = {claim["id"]: claim for claim in answer["claims"]}
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "url": f"{home}v1/answers/{answer['id']}#{citation['id']}",
                "title": citation["source"]["title"],
                "start_index": claims[citation["claim_id"]]["start"],
                "end_index": _end(answer["text"], claims[citation["claim_id"]]),
            },
        }
        for citation in answer["citations"]
    ]


def _end(text: str, claim: Mapping[str, Any]) -> int:
    """Behind a claim and its markers."""
    markers = _MARKERS.match(text, claim["end"])
    return markers.end() if markers else int(claim["end"])


def _head(answer: Mapping[str, Any], model: str, kind: str) -> dict[str, Any]:
    created = answer["receipt"]["issued_at"]
    return {"id": answer["id"], "object": kind, "created": created, "model": model}


def _footnote(answer: Mapping[str, Any]) -> dict[str, Any]:
    parts = "id", "datanet", "refused", "refusal_reason", "confidence", "claims", "citations"
    return {name: answer[name] for name in (*parts, "receipt")}


def _usage(answer: Mapping[str, Any]) -> dict[str, int]:
    used, written = answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]
    return {"prompt_tokens": used, "completion_tokens": written, "total_tokens": used + written}
