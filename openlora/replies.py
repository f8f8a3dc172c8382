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
Bytes = Callable[[int], bytes]
"""A token as bytes."""


@dataclass(slots=True)
class Places:
    """Where tokens begin in a text that is decoded from them, in characters; ``reached`` counts
    those that began so far. Bytes of one character share its place."""

    reached: int = 0

    def next(self, spelled: bytes) -> int:
        """The place of the token that follows."""
        starts = sum(byte & 0xC0 != 0x80 for byte in spelled)
        inside = bool(spelled) and spelled[0] & 0xC0 == 0x80
        place = self.reached - inside if self.reached else 0
        self.reached += starts
        return place


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


def chat_logprobs(tokens: Sequence[Chosen], spell: Spell, spelled: Bytes) -> dict[str, Any]:
    def entry(token: int, logprob: float | None) -> dict[str, Any]:
        return {"token": spell(token), "logprob": logprob, "bytes": list(spelled(token))}

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
    tokens: Sequence[Chosen], spell: Spell, offsets: Sequence[int], count: int
) -> dict[str, Any]:
    """``offsets`` is where each of ``tokens`` begins in the text; ``count`` is how many of the
    likeliest were asked for beside the chosen one."""
    return {
        "tokens": [spell(one.token) for one in tokens],
        "token_logprobs": [one.logprob for one in tokens],
        "text_offset": list(offsets),
        "top_logprobs": [_top(one, spell) if count else None for one in tokens],
    }


def _top(one: Chosen, spell: Spell) -> dict[str, float] | None:
    if one.logprob is None:
        return None
    # Tokens that spell alike share a key: the likelier stands, and the chosen one always.
    likeliest = {spell(token): logprob for token, logprob in reversed(one.top)}
    return likeliest | {spell(one.token): one.logprob}
