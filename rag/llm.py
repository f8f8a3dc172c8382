"""Language models behind an OpenAI-compatible API. The door of langchain-openai.

OpenLoRA, LoRAX and vLLM all serve many adapters under one address and choose by ``model``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from footnote.errors import Broken, Invalid, NotFound, Unavailable
from footnote.model import Usage

_MODEL_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:-]|/(?!\.)){0,127}")


@dataclass(frozen=True, slots=True)
class Completion:
    text: str
    usage: Usage


class ChatModel(Protocol):
    """A multi-LoRA server as the answerer sees it."""

    base: str

    def complete(self, messages: Sequence[tuple[str, str]], adapter: str | None) -> Completion:
        """The model's reply; ``adapter`` None is the base model."""


def check_adapter(name: str) -> str:
    """``name``, if it is safe to send: servers join it into paths."""
    if not _MODEL_NAME.fullmatch(name) or ".." in name:
        raise Invalid("not an adapter's name", "use letters, digits, dots, hyphens and underscores")
    return name


class OpenAIChatModel:
    """A ChatModel over HTTP, with bounded retries of what is safe to retry."""

    def __init__(
        self, base_url: str, base: str, *, api_key: str | None, timeout_seconds: float
    ) -> None:
        self.base = base
        self._options: dict[str, Any] = {
            "base_url": base_url,
            "api_key": api_key or "none",
            "timeout": timeout_seconds,
            "max_retries": 2,
            "temperature": 0.0,
        }

    def complete(self, messages: Sequence[tuple[str, str]], adapter: str | None) -> Completion:
        import openai
        from langchain_openai import ChatOpenAI

        model = ChatOpenAI(
            model=check_adapter(self.base if adapter is None else adapter), **self._options
        )
        try:
            reply = model.invoke(list(messages))
        except openai.NotFoundError as error:
            raise NotFound(
                "the model server does not know that adapter", "load it there, or name another"
            ) from error
        except (openai.APIConnectionError, openai.RateLimitError, openai.InternalServerError) as e:
            raise Unavailable("the model server does not answer", "try again shortly") from e
        except openai.APIError as error:
            raise Broken("the model server refused the request", "see its log") from error
        counted = reply.usage_metadata
        usage = Usage(counted["input_tokens"], counted["output_tokens"]) if counted else Usage()
        return Completion(str(reply.text), usage)
