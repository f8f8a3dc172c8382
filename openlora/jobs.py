"""One text to generate, from request to reply. Pure but for who is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from openlora.catalogue import Entry
from openlora.failures import Failure
from openlora.generation import Chosen, Joined, Sampling
from openlora.texts import GrowingText


@dataclass(frozen=True, slots=True)
class Piece:
    """New text, with the tokens that were chosen meanwhile; ``prompt`` comes with the first."""

    text: str
    tokens: tuple[Chosen, ...]
    prompt: tuple[Chosen, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """The reply is whole. ``reason`` is ``stop`` or ``length``."""

    reason: str
    prompt_tokens: int
    reply_tokens: int


Event = Piece | Finished | Failure


@dataclass(frozen=True, slots=True)
class Ask:
    """What one row is to do. ``adapter`` None is the base; ``deadline`` is on the same clock as
    the batcher's."""

    prompt: Sequence[int]
    adapter: Entry | None
    sampling: Sampling
    max_tokens: int
    stops: Sequence[str] = ()
    echo: bool = False
    stream: bool = False
    ignore_ends: bool = False
    deadline: float = float("inf")


@dataclass(slots=True, eq=False)
class Job:
    """An Ask under way. ``tell`` is called on the batcher's thread and must not block.

    ``cancelled`` may be set by anybody at any time; the row leaves before the next step.
    """

    ask: Ask
    tell: Callable[[Event], None]
    text: GrowingText
    ends: frozenset[int]
    arrived: float = 0.0
    cancelled: bool = False
    over: bool = False
    count: int = 0
    finish_reason: str | None = None
    _prompt: tuple[Chosen, ...] = ()
    _untold: list[Chosen] = field(default_factory=list)

    def joined(self, joined: Joined) -> None:
        self._prompt = joined.prompt
        if self.ask.max_tokens == 0:
            self._finish("length")
        else:
            self.add(joined.first)

    def add(self, chosen: Chosen) -> None:
        """One more token of the reply."""
        self.count += 1
        self._untold.append(chosen)
        if chosen.token in self.ends and not self.ask.ignore_ends:
            self._finish("stop")
            return
        self.text.add(chosen.token)
        if self.text.stopped:
            self._finish("stop")
        elif self.count == self.ask.max_tokens:
            self._finish("length")
        elif self.ask.stream:
            self._tell_piece(last=False)

    def fail(self, failure: Failure) -> None:
        self.over = True
        self.tell(failure)

    def _finish(self, reason: str) -> None:
        self.text.finish()
        self.over = True
        self._tell_piece(last=True)
        # A stop string may be completed only by what was held back to the end.
        self.finish_reason = "stop" if self.text.stopped else reason
        self.tell(Finished(self.finish_reason, len(self.ask.prompt), self.count))

    def _tell_piece(self, *, last: bool) -> None:
        text = self.text.take(last=last)
        if text or last or self._prompt:
            self.tell(Piece(text, tuple(self._untold), self._prompt))
            self._untold.clear()
            self._prompt = ()
