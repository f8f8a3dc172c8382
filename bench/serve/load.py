"""The client: questions in a closed loop, in a process of its own so that it hides nobody's cost.

    python -m bench.serve.load JOB.json

A job names a port, a path, the bodies to send, and either ``seconds`` (send them in turn for so
long, then print counts and latencies) or ``pick`` (send each once, then print what was picked from
every response). Plain sockets: a client library would cost as much as the service.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import uvloop

WARM_UP_SECONDS = 0.5


class Connection:
    """One kept-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def post(self, path: str, body: bytes) -> bytes:
        """The response's body; RuntimeError for a status other than 200."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        received = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(received.split(b"content-length:")[1].split(b"\r\n")[0])
        answer = await self._reader.readexactly(length)
        if not received.startswith(b"http/1.1 200"):
            raise RuntimeError(answer.decode("utf-8", "replace"))
        return answer

    def close(self) -> None:
        self._writer.close()


async def drive(job: dict[str, Any]) -> dict[str, Any]:
    """Keep ``concurrency`` questions in flight for ``seconds``."""
    bodies = [json.dumps(body).encode() for body in job["bodies"]]
    waiting = islice(cycle(bodies), job["first"], None)
    warmed = await _loop(job, waiting, time.perf_counter() + WARM_UP_SECONDS)
    began = time.perf_counter()
    latencies = await _loop(job, waiting, began + job["seconds"])
    took = time.perf_counter() - began
    ordered = sorted(latencies)

    def at(share: float) -> float:
        return round(ordered[int(share * (len(ordered) - 1))] * 1_000, 2)

    return {
        "questions": len(ordered),
        "with_warm_up": len(ordered) + len(warmed),
        "per_second": round(len(ordered) / took, 1),
        "p50_ms": at(0.5),
        "p95_ms": at(0.95),
        "p99_ms": at(0.99),
    }


async def _loop(job: dict[str, Any], bodies: Iterator[bytes], until: float) -> list[float]:
    latencies: list[float] = []

    async def ask() -> None:
        connection = await Connection.open(job["port"])
        while (began := time.perf_counter()) < until:
            await connection.post(job["path"], next(bodies))
            latencies.append(time.perf_counter() - began)
        connection.close()

    await asyncio.gather(*(ask() for _ in range(job["concurrency"])))
    return latencies


async def collect(job: dict[str, Any]) -> list[Any]:
    """For each body the list of what ``pick`` names in each hit, in the order of the bodies."""
    waiting = iter(list(enumerate(job["bodies"])))
    found: list[Any] = [None] * len(job["bodies"])

    async def ask() -> None:
        connection = await Connection.open(job["port"])
        for number, body in waiting:
            answer = json.loads(await connection.post(job["path"], json.dumps(body).encode()))
            found[number] = [_picked(hit, job["pick"]) for hit in answer["data"]]
        connection.close()

    await asyncio.gather(*(ask() for _ in range(job["concurrency"])))
    return found


def _picked(hit: dict[str, Any], names: list[list[str]]) -> list[Any]:
    values = []
    for path in names:
        value: Any = hit
        for name in path:
            value = value[name]
        values.append(value)
    return values


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    result: Any = uvloop.run(collect(job) if "pick" in job else drive(job))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
