"""What is asked of the model and what comes back. The batcher and the engine meet here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a row chooses its tokens. Temperature 0 takes the likeliest; ``logprobs`` None counts no
    probabilities, n names the n likeliest beside the chosen one."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    logprobs: int | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """One token of a text. Log-probabilities are the model's own, before temperature; ``logprob``
    is None where none was asked for, and for the first token of a prompt. ``failed`` says that the
    model gave no numbers to choose by; the row cannot go on."""

    token: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Seat(Generic[A]):
    """A row that joins the batch. ``adapter`` None is the base; ``echo`` also scores the prompt."""

    prompt: Sequence[int]
    adapter: A | None
    sampling: Sampling
    echo: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """A row's first new token, and its prompt where it was to be scored."""

    first: Chosen
    prompt: tuple[Chosen, ...] = ()


class Tokens(Protocol):
    """Text to tokens and back."""

    def encode(self, text: str, *, special: bool) -> list[int]:
        """``special`` adds what the tokenizer puts around a text."""

    def encode_placed(self, text: str, *, special: bool) -> tuple[list[int], list[int]]:
        """The same, with the character of ``text`` at which each token begins; tokens that are
        bytes of one character share its place."""

    @property
    def longest(self) -> int:
        """The most characters that one token stands for."""

    def encode_chat(self, messages: Sequence[dict[str, str]], *, reply: bool) -> list[int]:
        """Messages by the model's own template; ``reply`` ends where a reply begins."""

    def decode(self, tokens: Sequence[int]) -> str:
        """The text, without special tokens."""

    def piece(self, token: int) -> str:
        """One token alone, special ones too."""

    def spelled(self, token: int) -> bytes:
        """The token's own bytes, which may be part of a character."""

    def shown(self, token: int) -> bytes:
        """What it adds to a decoded text: nothing where it is special."""


class Engine(Protocol[A]):
    """A base model and the rows that it generates for. Used by one thread, ``load`` aside."""

    @property
    def max_context(self) -> int:
        """The most tokens of prompt and reply together."""

    @property
    def vocabulary(self) -> int:
        """How many tokens there are; ids lie below."""

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end a reply."""

    def load(self, folder: Path, name: str | None = None) -> A:
        """An adapter from disk, to stand under ``name``, else its folder's; any thread may call it.

        Raises:
            Invalid: it is no adapter of this base, or not the one that the name promises.
        """

    def size(self, adapter: A) -> int:
        """What an adapter takes in memory, in bytes."""

    def join(self, seats: Sequence[Seat[A]]) -> list[Joined]:
        """Add rows behind those that are there, and choose their first tokens."""

    def step(self) -> list[Chosen]:
        """The next token of every row, in their order."""

    def keep(self, rows: Sequence[int]) -> None:
        """Leave only these rows, given in ascending order."""


def describe(value: Any) -> str:
    """For an error's message: a value that a stranger sent, cut short."""
    text = str(value)
    return text if len(text) <= 128 else text[:128] + "…"
