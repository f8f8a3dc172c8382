"""The head of a request, bounded, and refused as everything else is.

uvicorn's reader of HTTP keeps what comes until a head ends, however much that is. Here a connection
ends with 431 after ``MOST_BYTES`` of it.
"""

from __future__ import annotations

from fastapi.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.problems import problem

MOST_BYTES = 64 * 1024
_TOO_LARGE = problem(431, "headers-too-large", "Send fewer and shorter header fields.")
_MALFORMED = problem(400, "malformed-request", "What was sent is not HTTP.")


class BoundedHeads(HttpToolsProtocol):
    """What uvicorn makes for every connection."""

    _within = False
    _bytes = 0

    def data_received(self, data: bytes) -> None:
        before = self._within
        super().data_received(data)
        self._bytes = self._bytes + len(data) if before and self._within else 0
        if self._bytes > MOST_BYTES:
            self._end(_TOO_LARGE)

    def on_message_begin(self) -> None:
        self._within = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._within = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self._end(_MALFORMED)

    def _end(self, refusal: Response) -> None:
        if self.transport.is_closing():
            return
        fields = [b"%s: %s\r\n" % field for field in refusal.raw_headers]
        head = [STATUS_LINE[refusal.status_code], *fields, b"connection: close\r\n\r\n"]
        self.transport.write(b"".join([*head, bytes(refusal.body)]))
        self.transport.close()
