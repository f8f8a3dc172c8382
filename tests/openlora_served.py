"""``footnote openlora serve`` as a process, and what a test asks of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator
from pathlib import Path

import httpx
import openai

from cli.stack import FOOTNOTE, Stack, free_port

PATIENCE_SECONDS = 60.0
"""How long anything may take before a test calls it missing."""


def until(true: Callable[[], object]) -> None:
    """Wait for something that is sure to come."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


class Served:
    """One server process over ``base`` and a folder of adapters, and a client that asks once."""

    def __init__(self, stack: Stack, base: Path, adapters: Path, *options: str) -> None:
        self.stack, self.base = stack, base.name
        port = free_port()
        self.process = f"openlora-{port}"
        self.root = f"http://127.0.0.1:{port}"
        self.url = f"{self.root}/v1"
        self._options = ["--adapters", str(adapters), "--port", str(port), *options]
        stack.start(self.process, self._command(base))
        stack.wait_http(f"{self.root}/health")
        self.client = openai.OpenAI(
            base_url=self.url, api_key="none", max_retries=0, timeout=PATIENCE_SECONDS
        )

    @property
    def answers(self) -> bool:
        """Whether there is a server at all."""
        try:
            return httpx.get(f"{self.root}/health").status_code == 200
        except httpx.TransportError:
            return False

    def metric(self, name: str) -> float:
        """A number of ``/metrics``, over all its labels."""
        lines = httpx.get(f"{self.root}/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(f"openlora_{name}"))

    def say(self, model: str, tokens: int) -> str:
        """A reply of exactly so many tokens."""
        reply = self.client.completions.create(
            model=model,
            prompt="Tell",
            max_tokens=tokens,
            temperature=0,
            extra_body={"ignore_eos": True},
        )
        return reply.choices[0].text

    def stream(self, model: str, tokens: int) -> Generator[str, None, None]:
        """The same in pieces."""
        chunks = self.client.completions.create(
            model=model,
            prompt="Tell",
            max_tokens=tokens,
            temperature=0,
            stream=True,
            extra_body={"ignore_eos": True},
        )
        with chunks:
            for chunk in chunks:
                yield chunk.choices[0].text

    def kill(self) -> None:
        """``kill -9``."""
        os.kill(self.stack.pid(self.process), signal.SIGKILL)

    def restart(self, base: Path) -> None:
        """A new process in place of the one that ended, at the same address."""
        self.stack.replace(self.process, self._command(base))
        self.stack.wait_http(f"{self.root}/health")

    def _command(self, base: Path) -> list[str]:
        return [*FOOTNOTE, "openlora", "serve", "--base", str(base), *self._options]
