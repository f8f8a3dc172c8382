"""Messages between a reader's process and the one that asked it: eight bytes of length, then as
many bytes."""

from __future__ import annotations

import os
import select
import time

_LENGTH = 8
_PIECE = 1 << 20


class Ended(Exception):
    """The other side is gone."""


class TooLate(Exception):
    """It said nothing in time."""


def send(descriptor: int, message: bytes) -> None:
    """Write all of it. Raises Ended."""
    view = memoryview(len(message).to_bytes(_LENGTH, "big") + message)
    try:
        while view:
            view = view[os.write(descriptor, view[:_PIECE]) :]
    except BrokenPipeError:
        raise Ended from None


def receive(descriptor: int, longest: int, until: float | None = None) -> bytes:
    """One message of at most ``longest`` bytes, before ``time.monotonic()`` is ``until``.

    Raises:
        Ended: also for a longer message, since nobody honest sends one.
        TooLate: nothing came in time.
    """
    length = int.from_bytes(_exactly(descriptor, _LENGTH, until), "big")
    if length > longest:
        raise Ended
    return _exactly(descriptor, length, until)


def _exactly(descriptor: int, length: int, until: float | None) -> bytes:
    found = bytearray()
    while len(found) < length:
        if until is not None:
            left = until - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise TooLate
        piece = os.read(descriptor, min(_PIECE, length - len(found)))
        if not piece:
            raise Ended
        found += piece
    return bytes(found)
