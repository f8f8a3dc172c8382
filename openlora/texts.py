"""A reply's text as its tokens arrive: whole characters, nothing of a stop string. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_BROKEN = "\ufffd"
"""What decoding shows for bytes that do not yet make a character."""


class GrowingText:
    """Text that grows by tokens and ends at the first of ``stops``."""

    def __init__(self, decode: Callable[[Sequence[int]], str], stops: Sequence[str]) -> None:
        self._decode = decode
        self._stops = tuple(stop for stop in stops if stop)
        self._window: list[int] = []
        self._decoded = ""  # the window's text that is in self._text already
        self._text = ""
        self._given = 0
        self.stopped = False

    def add(self, token: int) -> None:
        """One more token. ``stopped`` is set when it completes a stop string."""
        self._window.append(token)
        decoded = self._decode(self._window)
        if decoded.endswith(_BROKEN) and len(self._window) < 16:
            return
        self._append(decoded[len(self._decoded) :])
        # The last token stays: some tokenizers drop a space that begins what they decode.
        self._window = self._window[-1:]
        self._decoded = self._decode(self._window)

    def finish(self) -> None:
        """No more tokens come: what was held back is text now."""
        if not self.stopped:
            self._append(self._decode(self._window)[len(self._decoded) :])
            self._window = []

    def take(self, *, last: bool = False) -> str:
        """What is new and can no longer be part of a stop string."""
        end = len(self._text)
        if not (last or self.stopped):
            end -= max((_overlap(self._text, stop) for stop in self._stops), default=0)
        new = self._text[self._given : end]
        self._given = max(self._given, end)
        return new

    def _append(self, more: str) -> None:
        before = len(self._text)
        self._text += more
        found = [
            at
            for stop in self._stops
            if (at := self._text.find(stop, max(0, before - len(stop) + 1))) >= 0
        ]
        if found:
            self._text = self._text[: min(found)]
            self.stopped = True


def _overlap(text: str, stop: str) -> int:
    """How much of the end of ``text`` may be the beginning of ``stop``."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
