"""The base model's tokenizer and chat template."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from transformers import AutoTokenizer

from footnote.errors import Invalid, Misconfigured

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_SPACE = "\u2581"
"""How SentencePiece writes a space."""


def _byte_alphabet() -> dict[str, int]:
    """Byte-level vocabularies write each byte as one character: itself where it can be seen, else
    the next free one from U+0100 on."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    unseen = [byte for byte in range(256) if byte not in seen]
    return {chr(b): b for b in seen} | {chr(0x100 + n): b for n, b in enumerate(unseen)}


_ALPHABET = _byte_alphabet()


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

        self._one = threading.Lock()  # encoding may set options of the tokenizer, and then runs
        self._added = {i: str(t) for i, t in self._tokenizer.added_tokens_decoder.items()}
        self._special = frozenset(self._tokenizer.all_special_ids)
        self._by_byte = "ByteLevel" in repr(self._tokenizer.backend_tokenizer.decoder)
        self._longest = max(map(len, self._tokenizer.get_vocab()))

    @property
    def longest(self) -> int:
        return self._longest

    def encode(self, text: str, *, special: bool) -> list[int]:
        return self.encode_placed(text, special=special)[0]

    def encode_placed(self, text: str, *, special: bool) -> tuple[list[int], list[int]]:
        with self._one:
            # As a batch of one, which the tokenizer works on without holding the interpreter.
            coded = self._tokenizer([text], add_special_tokens=special, return_offsets_mapping=True)
        places, reached = [], 0
        for start, end in coded["offset_mapping"][0]:
            # What a tokenizer leaves out, such as a space, belongs to the token behind it; what it
            # adds has no place of its own.
            places.append(reached if start == end else min(start, reached))
            reached = max(reached, end)
        return list(coded["input_ids"][0]), places

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

    def spelled(self, token: int) -> bytes:
        if token in self._added:
            return self._added[token].encode()
        word = str(self._tokenizer.convert_ids_to_tokens(token))
        if self._by_byte and all(character in _ALPHABET for character in word):
            return bytes(_ALPHABET[character] for character in word)
        if byte := _BYTE.fullmatch(word):
            return bytes([int(byte[1], 16)])
        return word.replace(_SPACE, " ").encode()

    def shown(self, token: int) -> bytes:
        return b"" if token in self._special else self.spelled(token)

    def piece(self, token: int) -> str:
        return str(self._tokenizer.decode([token], clean_up_tokenization_spaces=False))
