"""Clients that ask over HTTP for as long as they are let, and remember what they were told.

Every request has an Idempotency-Key. One that is cut off, refused for now, or given up by the
client itself is asked again with the same key until it is answered; some that were answered are
asked again too. The same key must always give the same answer.
"""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

TRY_AGAIN = (409, 500, 502, 503, 504)
"""Still being answered; or not now."""

IMPATIENT_SECONDS = 0.03
"""A client that waits no longer than this is mostly gone before its answer is there."""


def handbook_questions() -> list[str]:
    """Questions that the example Datanet can answer."""
    rows = (Path(__file__).parent / "handbook_questions.jsonl").read_text("utf-8").splitlines()
    return [json.loads(row)["question"] for row in rows]


@dataclass(frozen=True, slots=True)
class Told:
    """What an acknowledged answer says: its id, its receipt's, and base units by address."""

    answer_id: str
    receipt_id: str
    owed: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Asking:
    """What several clients ask and are told."""

    api: str
    datanet: str
    seed: int
    manners: bool = True
    """Whether some clients hang up early and some ask twice."""
    pause_seconds: float = 0.05
    told: dict[str, Told] = field(default_factory=dict)
    """By Idempotency-Key."""
    questions: dict[str, str] = field(default_factory=dict)
    """What was asked with each key."""
    requests: int = 0
    cut: int = 0
    put_off: Counter[int] = field(default_factory=Counter)
    """Answers other than 200 after which the same was asked again, by status."""
    asked_twice: int = 0
    errors: list[str] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _deadline: float = float("inf")

    @contextmanager
    def clients(self, count: int, patience_seconds: float = 60.0) -> Iterator[None]:
        """Ask with ``count`` clients while the block runs, then let each finish what it asked."""
        threads = [
            threading.Thread(target=self._client, args=(random.Random(f"{self.seed}/{number}"),))
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._deadline = time.monotonic() + patience_seconds
            self._stop.set()
            for thread in threads:
                thread.join()

    def told_so_far(self) -> dict[str, Told]:
        """What was acknowledged before this call, oldest first."""
        with self._lock:
            return dict(self.told)

    def _client(self, chance: random.Random) -> None:
        questions = handbook_questions()
        with httpx.Client(base_url=self.api, timeout=30.0) as client:
            while not self._stop.is_set():
                key = uuid.UUID(int=chance.getrandbits(128)).hex
                question = self.questions[key] = chance.choice(questions)
                self._until_told(client, chance, key, question)
                if self.manners and chance.random() < 0.1:
                    with self._lock:
                        self.asked_twice += 1
                    self._until_told(client, chance, key, question)
                self._stop.wait(chance.uniform(0.0, 2 * self.pause_seconds))

    def _until_told(
        self, client: httpx.Client, chance: random.Random, key: str, question: str
    ) -> None:
        timeout = IMPATIENT_SECONDS if self.manners and chance.random() < 0.1 else 30.0
        while time.monotonic() < self._deadline:
            if self._told_now(client, key, question, timeout):
                return
            timeout = 30.0
            time.sleep(chance.uniform(0.05, 0.5))
        with self._lock:
            self.given_up.append(key)

    def _told_now(self, client: httpx.Client, key: str, question: str, timeout: float) -> bool:
        """Ask once; whether that settled it."""
        with self._lock:
            self.requests += 1
        try:
            reply = client.post(
                "/v1/answers",
                json={"datanet": self.datanet, "question": question},
                headers={"Idempotency-Key": key},
                timeout=timeout,
            )
        except httpx.TransportError:
            with self._lock:
                self.cut += 1
            return False
        if reply.status_code in TRY_AGAIN:
            with self._lock:
                self.put_off[reply.status_code] += 1
            return False
        self._note(key, reply)
        return True

    def _note(self, key: str, reply: httpx.Response) -> None:
        if reply.status_code != 200:
            problem = f"{key}: status {reply.status_code}: {reply.text[:200]}"
            with self._lock:
                self.errors.append(problem)
            return
        told = told_by(reply.json())
        with self._lock:
            if self.told.setdefault(key, told) != told:
                self.errors.append(f"{key}: told {self.told[key]}, then {told}")


def told_by(answer: dict[str, Any]) -> Told:
    """What an answer promises to pay, and by which receipt."""
    owed: dict[str, int] = {}
    for citation in answer["citations"]:
        for contributor in citation["contributors"]:
            address, amount = contributor["address"].lower(), int(contributor["amount"])
            owed[address] = owed.get(address, 0) + amount
    return Told(answer["id"], answer["receipt"]["id"], tuple(sorted(owed.items())))
