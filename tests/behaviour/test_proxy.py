"""The line that trials cut does what each cut says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from bench.proxy import Line, Proxy

PATIENCE_SECONDS = 0.3


@dataclass
class Chain:
    """Answers every line with ``ok`` and remembers what it heard."""

    server: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    heard: list[bytes] = field(default_factory=list)
    came: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while True:
            try:
                peer, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(peer,), daemon=True).start()

    def _answer(self, peer: socket.socket) -> None:
        with peer:
            try:
                while data := peer.recv(1_024):
                    self.heard.append(data)
                    self.came.set()
                    peer.sendall(b"ok")
            except OSError:
                return


@pytest.fixture
def chain() -> Iterator[Chain]:
    chain = Chain()
    threading.Thread(target=chain.run, daemon=True).start()
    yield chain
    chain.server.shutdown(socket.SHUT_RDWR)
    chain.server.close()


@pytest.fixture
def proxy(chain: Chain) -> Iterator[Proxy]:
    with Proxy(chain.server.getsockname()[1]).running() as proxy:
        yield proxy


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2])), 5)


def said(client: socket.socket, patience: float = 5.0) -> bytes | None:
    """The answer to ``pay``: nothing at all, None, or an empty one where the line was closed."""
    client.settimeout(patience)
    try:
        client.sendall(b"pay")
        return client.recv(1_024)
    except TimeoutError:
        return None
    except OSError:
        return b""


def test_a_whole_line_carries_both_ways(proxy: Proxy, chain: Chain) -> None:
    with connected(proxy) as client:
        assert said(client) == b"ok"
        assert chain.heard == [b"pay"]


@pytest.mark.parametrize(
    ("line", "arrives", "answer"),
    [
        (Line.REFUSED, False, b""),
        (Line.DEAF, False, None),
        (Line.DUMB, True, None),
        (Line.SNAPPED, True, b""),
    ],
)
def test_a_cut_line_loses_the_request_or_its_answer(
    proxy: Proxy, chain: Chain, line: Line, arrives: bool, answer: bytes | None
) -> None:
    proxy.become(line)
    with connected(proxy) as client:
        assert said(client, PATIENCE_SECONDS if answer is None else 5.0) == answer
    assert chain.came.wait(5.0 if arrives else PATIENCE_SECONDS) is arrives


def test_a_refused_line_closes_what_was_connected_and_a_mended_one_carries_again(
    proxy: Proxy,
) -> None:
    with connected(proxy) as client:
        assert said(client) == b"ok"
        proxy.become(Line.REFUSED)
        assert said(client) == b""
    proxy.become(Line.WHOLE)
    with connected(proxy) as client:
        assert said(client) == b"ok"
