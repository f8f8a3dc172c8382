"""A JSON-RPC proxy that refuses, times out, lies and lags, as its schedule says."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import threading
import time
from collections import Counter
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

HANG_SECONDS = 0.6
READS_AT_A_BLOCK = {"eth_call": 1, "eth_getTransactionCount": 1, "eth_getBalance": 1,
                    "eth_getBlockByNumber": 0, "eth_estimateGas": 1}  # fmt: skip


class Mood(Enum):
    """How the proxy treats what comes in."""

    HONEST = "honest"
    REFUSES = "rpc refused"
    TIMES_OUT = "rpc timed out"
    SWALLOWS = "rpc accepted but errored"
    """Forwards, and answers with an error."""
    LAGS = "stale node"
    """Answers as of a few blocks ago."""
    LIES = "lying head"
    """Says that its head and what is final are further than they are."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked was killed: nothing to say."""


class Proxy:
    """Listens on a free port of 127.0.0.1 and forwards to ``port``."""

    def __init__(self, port: int, chance: random.Random) -> None:
        self.target = port
        self.mood = Mood.HONEST
        self.share = 0.5
        """How many of the requests its mood concerns."""
        self.met: Counter[str] = Counter()
        self.chance = chance
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = proxy.treat(body)
                if answer is None:
                    self.close_connection = True
                    return
                with contextlib.suppress(OSError):  # who asked may be gone
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Silent."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def treat(self, body: bytes) -> bytes | None:
        """The answer to a request; None closes the connection without one."""
        mood = self.mood if self.chance.random() < self.share else Mood.HONEST
        try:
            call = json.loads(body)
        except ValueError:
            return None  # whoever sent it was killed meanwhile
        if mood is not Mood.HONEST:
            self.met[mood.value] += 1
        match mood:
            case Mood.REFUSES:
                return None
            case Mood.TIMES_OUT:
                time.sleep(HANG_SECONDS)
                return None
            case Mood.SWALLOWS:
                self._forward(body)
                error = {"code": -32000, "message": "internal error"}
                return json.dumps({"jsonrpc": "2.0", "id": call["id"], "error": error}).encode()
            case Mood.LAGS:
                return self._late(call)
            case Mood.LIES:
                return self._ahead(call, self._forward(body))
        return self._forward(body)

    def _forward(self, body: bytes) -> bytes | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=10)
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            return connection.getresponse().read()
        except OSError:
            return None
        finally:
            connection.close()

    def _late(self, call: dict[str, Any]) -> bytes | None:
        """``latest`` is what it was three blocks ago; so is ``finalized``."""
        method, parameters = call["method"], list(call.get("params", []))
        place = READS_AT_A_BLOCK.get(method)
        if method == "eth_blockNumber":
            return _result(call, hex(max(0, self._head() - 3)))
        if place is not None and len(parameters) > place:
            if parameters[place] == "latest":
                parameters[place] = hex(max(0, self._head() - 3))
            elif parameters[place] == "finalized":
                parameters[place] = hex(max(0, self._final() - 3))
        return self._forward(json.dumps({**call, "params": parameters}).encode())

    def _ahead(self, call: dict[str, Any], answer: bytes | None) -> bytes | None:
        if answer is None:
            return None
        if call["method"] == "eth_blockNumber":
            return _result(call, hex(int(json.loads(answer)["result"], 16) + 7))
        if call["method"] == "eth_getBlockByNumber" and call["params"][0] in (
            "latest", "finalized",
        ):  # fmt: skip
            shown = json.loads(answer)
            shown["result"]["number"] = hex(int(shown["result"]["number"], 16) + 7)
            return json.dumps(shown).encode()
        return answer

    def _head(self) -> int:
        return int(self._ask("eth_blockNumber", []), 16)

    def _final(self) -> int:
        return int(self._ask("eth_getBlockByNumber", ["finalized", False])["number"], 16)

    def _ask(self, method: str, parameters: list[Any]) -> Any:
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        answer = self._forward(json.dumps(call).encode())
        return json.loads(answer)["result"] if answer else "0x0"


def _result(call: dict[str, Any], result: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}).encode()
