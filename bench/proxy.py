"""A line between a worker and its chain that can be cut in every way that networks know."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class Line(StrEnum):
    """What becomes of bytes: requests go to the chain, answers come back."""

    WHOLE = "whole"
    REFUSED = "refused"
    """Nothing connects, and what is connected is closed."""
    DEAF = "deaf"
    """Requests vanish, and nobody says so."""
    DUMB = "dumb"
    """Requests arrive and act; their answers vanish, and nobody says so."""
    SNAPPED = "snapped"
    """Requests arrive and act; the connection closes in place of the answer."""


@dataclass(slots=True)
class Proxy:
    """Forwards connections to ``port`` of this machine, as ``line`` says at that moment."""

    target_port: int
    line: Line = Line.WHOLE
    _server: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _open: set[socket.socket] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    @contextlib.contextmanager
    def running(self) -> Iterator[Proxy]:
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            _shut(self._server)
            self._close_all()

    def become(self, line: Line) -> None:
        self.line = line
        if line is Line.REFUSED or line is Line.WHOLE:
            self._close_all()  # what was half said before cannot go on as if nothing had been

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            if self.line is Line.REFUSED:
                _shut(near)
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.target_port), timeout=5)
            except OSError:
                _shut(near)
                continue
            far.settimeout(None)
            self._open |= {near, far}
            for source, sink, is_answer in ((near, far, False), (far, near, True)):
                threading.Thread(
                    target=self._carry, args=(source, sink, is_answer), daemon=True
                ).start()

    def _carry(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if self.line is Line.REFUSED or (self.line is Line.SNAPPED and is_answer):
                    break
                lost = (self.line is Line.DEAF and not is_answer) or (
                    self.line is Line.DUMB and is_answer
                )
                if not lost:
                    sink.sendall(data)
        for end in (source, sink):
            self._open.discard(end)
            _shut(end)

    def _close_all(self) -> None:
        for end in list(self._open):
            _shut(end)


def _shut(end: socket.socket) -> None:
    """Close for both sides, waking whoever reads or accepts there."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
