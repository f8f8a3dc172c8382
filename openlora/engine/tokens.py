"""The base model's tokenizer and chat template."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from transformers import AutoTokenizer

from footnote.errors import Invalid, Misconfigured


class BaseTokens:
    """Tokens of a model's folder.

    Raises:
        Misconfigured: the folder has no tokenizer.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError) as error:
            raise Misconfigured(
                "the base model's tokenizer cannot be loaded", "put it into the model's folder"
            ) from error

    def encode(self, text: str, *, special: bool) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=special))

    def encode_chat(self, messages: Sequence[dict[str, str]], *, reply: bool) -> list[int]:
        if self._tokenizer.chat_template is None:
            raise Invalid("the base model has no chat template", "use /v1/completions")
        try:
            text = self._tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=reply
            )
        except (TemplateError, TypeError, ValueError) as error:
            raise Invalid("the chat template refuses these messages", str(error)[:200]) from error
        return self.encode(text, special=False)

    def decode(self, tokens: Sequence[int]) -> str:
        return str(
            self._tokenizer.decode(
                list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    def piece(self, token: int) -> str:
        return str(self._tokenizer.decode([token], clean_up_tokenization_spaces=False))
