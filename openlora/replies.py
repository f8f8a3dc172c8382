"""Replies and stream chunks in OpenAI's shapes. Pure."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from openlora.generation import Chosen
from openlora.jobs import Finished

DONE = b"data: [DONE]\n\n"

Spell = Callable[[int], str]
"""A token as text."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What every reply and chunk of one request begins with."""

    id: str
    object: str
    model: str
    created: int
    fingerprint: str

    @classmethod
    def new(cls, kind: str, model: str, fingerprint: str) -> Frame:
        prefix = "chatcmpl" if kind.startswith("chat") else "cmpl"
        return cls(f"{prefix}-{secrets.token_hex(16)}", kind, model, int(time.time()), fingerprint)

    def around(
        self, choices: Sequence[dict[str, Any]], finished: Sequence[Finished] | None
    ) -> dict[str, Any]:
        """One reply, or one chunk; with usage where ``finished`` is given."""
        return {
            "id": self.id,
            "object": self.object,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": list(choices),
            **({} if finished is None else {"usage": usage(finished)}),
        }


def usage(finished: Sequence[Finished]) -> dict[str, int]:
    prompt = sum(one.prompt_tokens for one in finished)
    reply = sum(one.reply_tokens for one in finished)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": reply,
        "total_tokens": prompt + reply,
    }


def event(value: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + orjson.dumps(value) + b"\n\n"


def chat_logprobs(tokens: Sequence[Chosen], spell: Spell) -> dict[str, Any]:
    def entry(token: int, logprob: float | None) -> dict[str, Any]:
        text = spell(token)
        return {"token": text, "logprob": logprob, "bytes": list(text.encode())}

    return {
        "content": [
            {
                **entry(one.token, one.logprob),
                "top_logprobs": [entry(token, logprob) for token, logprob in one.top],
            }
            for one in tokens
        ]
    }


def completion_logprobs(
    tokens: Sequence[Chosen], spell: Spell, offset: int, count: int
) -> dict[str, Any]:
    """``offset`` is where the first of ``tokens`` begins in the text; ``count`` is how many of the
    likeliest were asked for beside the chosen one."""
    texts = [spell(one.token) for one in tokens]
    offsets = []
    for text in texts:
        offsets.append(offset)
        offset += len(text)
    return {
        "tokens": texts,
        "token_logprobs": [one.logprob for one in tokens],
        "text_offset": offsets,
        "top_logprobs": [_top(one, spell) if count else None for one in tokens],
    }


def _top(one: Chosen, spell: Spell) -> dict[str, float] | None:
    if one.logprob is None:
        return None
    # Tokens that spell alike share a key: the likelier stands, and the chosen one always.
    likeliest = {spell(token): logprob for token, logprob in reversed(one.top)}
    return likeliest | {spell(one.token): one.logprob}
