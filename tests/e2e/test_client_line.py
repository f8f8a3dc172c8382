"""The Python client over a line that is cut, held up or changed: a question is answered once, and
every error says what to do."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from api.app import build_services
from api.keys import Scope, Wish, new_key
from cli.stack import free_port
from footnote.client import Footnote
from footnote.errors import (
    Broken,
    Busy,
    Conflict,
    FootnoteError,
    Forbidden,
    Invalid,
    NoKey,
    NotFound,
    Refused,
    StorageFull,
    TooMany,
    Unavailable,
)
from footnote.settings import Settings
from rag.models.embedder import SentenceTransformerEmbedder
from tests.e2e.test_api import QUESTION, Service, ingest, serving
from tests.e2e.test_streaming import REPLY
from tests.scripted_model import BASE, ScriptedModel, scripted


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with scripted() as running:
        running.replies = [REPLY]
        yield running


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    embedder: SentenceTransformerEmbedder,
    model: ScriptedModel,
) -> Iterator[Service]:
    home: Path = tmp_path_factory.mktemp("line")
    ingest(home, embedder)
    settings = Settings(home=home, openlora_url=model.url, openlora_model=BASE)
    yield from serving(build_services(settings, embedder))


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Footnote]:
    with Footnote(service.url) as found:
        yield found


def receipts(service: Service) -> int:
    """How many were ever issued."""
    shown = service.http.get("/metrics").text
    return int(
        sum(
            float(line.rpartition(" ")[2])
            for line in shown.splitlines()
            if line.startswith("footnote_receipts")
        )
    )


# A line that is cut


Reply = tuple[int, dict[str, str], bytes]


def cut(forward: Callable[[], Reply]) -> Reply | None:
    """Let the service finish, and tell nobody."""
    forward()
    return None


def half(forward: Callable[[], Reply]) -> Reply | None:
    """Cut the line in the middle of the response."""
    status, headers, body = forward()
    return status, headers | {"Content-Length": str(len(body))}, body[: len(body) * 2 // 3]


Mood = Callable[[Callable[[], Reply]], Reply | None]


@dataclass
class Middle:
    """Stands before a service and treats each request by the next mood, then honestly."""

    target: int
    moods: list[Mood] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    statuses: list[int | None] = field(default_factory=list)
    url: str = ""

    def treat(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply | None:
        def forward() -> Reply:
            line = http.client.HTTPConnection("127.0.0.1", self.target, timeout=30)
            line.request(method, path, body, headers)
            response = line.getresponse()
            read = response.read()
            line.close()
            kept = ("content-type", "retry-after")
            shown = {k: v for k, v in response.getheaders() if k.lower() in kept}
            return response.status, shown, read

        self.keys.append(headers.get("Idempotency-Key") or headers.get("idempotency-key"))
        reply = self.moods.pop(0)(forward) if self.moods else forward()
        self.statuses.append(reply[0] if reply else None)
        return reply


@contextmanager
def standing_before(port: int, *moods: Mood) -> Iterator[Middle]:
    middle = Middle(port, list(moods))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = middle.treat(self.command, self.path, dict(self.headers), body)
            self.close_connection = True
            if reply is not None:
                status, headers, shown = reply
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(shown))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(shown)

        do_GET = do_POST

        def log_message(self, format: str, *arguments: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    middle.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield middle
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def told(status: int, body: object, **headers: str) -> Mood:
    """A reply that comes in the service's place."""
    shown = {"Content-Type": "application/problem+json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return lambda _: (status, shown, json.dumps(body).encode())


def a_problem(status: int, code: str = "some-code", **headers: str) -> Mood:
    detail = "something happened: do something"
    body = {"type": f"urn:footnote:problem:{code}", "title": "T", "status": status,
            "detail": detail}  # fmt: skip
    return told(status, body, **headers)


@pytest.mark.parametrize("mood", [cut, half], ids=["before", "within"])
def test_a_question_whose_answer_was_lost_is_answered_and_owed_once(
    service: Service, mood: Mood
) -> None:
    before = receipts(service)
    with standing_before(service.port, mood, mood) as middle, Footnote(middle.url) as client:
        answer = client.ask("nature", QUESTION)
    assert len(middle.keys) == 3
    assert len(set(middle.keys)) == 1 != middle.keys.count(None)
    assert receipts(service) == before + 1
    assert service.http.get(f"/v1/answers/{answer.id}").json()["receipt"]["seq"] == (
        answer.receipt.seq
    )


def test_a_question_that_is_still_being_answered_is_waited_for(
    service: Service, model: ScriptedModel
) -> None:
    model.pause_seconds = 0.08
    before, asked = receipts(service), len(model.asked)

    def leave(forward: Callable[[], Reply]) -> None:
        """Hang up while the service works."""
        threading.Thread(target=forward).start()
        while len(model.asked) == asked:
            time.sleep(0.01)

    with (
        standing_before(service.port, leave) as middle,
        Footnote(middle.url) as client,
        client.stream("nature", QUESTION, answerer="openlora") as events,
    ):
        list(events)
    assert (middle.statuses[0], middle.statuses[-1]) == (None, 200)
    assert set(middle.statuses[1:-1]) == {409}, "it was told that the first still runs"
    assert receipts(service) == before + 1
    assert events.answer.citations


def test_what_may_pass_is_waited_for_as_long_as_the_service_says(service: Service) -> None:
    moods = (a_problem(429, Retry_After="1"), a_problem(503, Retry_After="1"), told(502, "<html>"))
    with standing_before(service.port, *moods) as middle, Footnote(middle.url) as client:
        began = time.monotonic()
        client.ask("nature", QUESTION)
        assert 2.0 <= time.monotonic() - began < 10
    assert len(middle.keys) == 4


def test_a_wait_beyond_the_patience_is_told_at_once(service: Service) -> None:
    moods = (a_problem(429, "quota-spent", Retry_After="86000"),)
    with standing_before(service.port, *moods) as middle, Footnote(middle.url) as client:
        began = time.monotonic()
        with pytest.raises(TooMany) as raised:
            client.ask("nature", QUESTION)
        assert time.monotonic() - began < 5
    assert (raised.value.code, raised.value.retry_after_seconds) == ("quota-spent", 86_000)
    assert len(middle.keys) == 1


def test_a_service_that_is_not_there_is_unavailable_when_the_patience_is_over() -> None:
    with Footnote(f"http://127.0.0.1:{free_port()}", patience_seconds=0.5) as client:
        began = time.monotonic()
        with pytest.raises(Unavailable, match="ConnectError"):
            client.datanets()
        assert 0.05 < time.monotonic() - began < 5


def test_without_patience_nothing_is_sent_twice(service: Service) -> None:
    with (
        standing_before(service.port, cut) as middle,
        Footnote(middle.url, patience_seconds=0) as client,
        pytest.raises(Unavailable),
    ):
        client.ask("nature", QUESTION)
    assert len(middle.keys) == 1


def test_a_key_of_ones_own_gives_the_same_answer_after_a_restart(service: Service) -> None:
    ids = set()
    for _ in range(2):
        with Footnote(service.url) as client:
            ids.add(client.ask("nature", QUESTION, idempotency_key="order-17").id)
    assert len(ids) == 1
    with Footnote(service.url) as client:
        with pytest.raises(Conflict) as raised:
            client.ask("nature", "How does granite form?", idempotency_key="order-17")
        assert raised.value.code == "idempotency-key-reused"
        with pytest.raises(Invalid):
            client.ask("nature", QUESTION, idempotency_key="two\nlines")


def test_a_stream_that_breaks_off_raises_and_its_key_gives_what_was_answered(
    service: Service,
) -> None:
    before = receipts(service)
    with standing_before(service.port, half) as middle, Footnote(middle.url) as client:
        with (
            client.stream("nature", QUESTION) as events,
            pytest.raises(Unavailable, match="broke off"),
        ):
            list(events)
        with client.stream("nature", QUESTION, idempotency_key=events.idempotency_key) as again:
            list(again)
    assert service.http.get(f"/v1/answers/{again.answer.id}").status_code == 200
    assert receipts(service) == before + 1


# Errors


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Refused), (401, NoKey), (403, Forbidden), (404, NotFound), (408, Refused),
     (409, Conflict), (413, Refused), (415, Refused), (422, Invalid), (429, TooMany),
     (500, Broken), (503, Unavailable), (504, Unavailable), (507, StorageFull)],
)  # fmt: skip
def test_a_problem_is_the_error_that_says_what_to_do(
    service: Service, status: int, kind: type[FootnoteError]
) -> None:
    with (
        standing_before(service.port, a_problem(status)) as middle,
        Footnote(middle.url, patience_seconds=0) as client,
        pytest.raises(kind) as raised,
    ):
        client.datanets()
    assert type(raised.value) is kind
    assert (raised.value.code, str(raised.value)) == (
        "some-code",
        "something happened: do something",
    )
    assert (raised.value.what, raised.value.what_to_do) == ("something happened", "do something")


def test_a_conflict_that_passes_is_busy(service: Service) -> None:
    with (
        standing_before(service.port, a_problem(409, Retry_After="90")) as middle,
        Footnote(middle.url) as client,
        pytest.raises(Busy) as raised,
    ):
        client.datanets()
    assert raised.value.retry_after_seconds == 90


def test_errors_of_a_service_say_what_it_said(client: Footnote) -> None:
    with pytest.raises(NotFound, match="no such Datanet"):
        client.ask("nobodys", QUESTION)
    with pytest.raises(Invalid) as raised:
        client.ask("nature", " ")
    assert raised.value.code == "empty-question"
    with pytest.raises(Invalid, match="/k"):
        client.search("nature", QUESTION, k=0)
    with pytest.raises(Invalid, match="surrogate"):
        client.search("nature", "\ud800?")
    for strange in ("", "..", "a/b", "a?b", "a#b", "%2e%2e", "ü", "a b\n"):
        with pytest.raises(NotFound):
            client.datanet(strange)


def test_what_is_not_footnote_is_told(service: Service) -> None:
    moods = (told(200, {"hello": "world"}), told(200, "text"), told(302, "", Location="/x"))
    with standing_before(service.port, *moods) as middle, Footnote(middle.url) as client:
        for _ in range(3):
            with pytest.raises(Broken, match="check"):
                client.datanets()
        with client.stream("nature", QUESTION) as events:
            assert list(events)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8000", "ftp://x.org", "http://", "http://x:port", "http://\x00", "/x"]
)
def test_an_address_that_is_none_is_told_at_once(url: str) -> None:
    with pytest.raises(Invalid, match="address"):
        Footnote(url)


def test_a_key_is_shown_and_one_that_is_none_is_not_sent(
    service: Service, embedder: SentenceTransformerEmbedder, tmp_path: Path
) -> None:
    settings = service.services.settings.model_copy(
        update={"journal_url": f"sqlite:///{tmp_path / 'journal.sqlite'}"}
    )
    closed = build_services(settings, embedder)
    keys = []
    for scope in (Scope.ASK, Scope.INGEST):
        shown, kept = new_key(Wish("a client", scopes=[scope]))
        closed.journal.create_key(kept)
        keys.append(shown)
    for other in serving(closed):
        with Footnote(other.url) as nobody, pytest.raises(NoKey):
            nobody.ask("nature", QUESTION)
        with Footnote(other.url, key=keys[0]) as asking:
            assert asking.ask("nature", QUESTION).citations
        with Footnote(other.url, key=keys[1]) as sending, pytest.raises(Forbidden):
            sending.ask("nature", QUESTION)
    for wrong in ("", "fn_\n", "fn_ä", "fn a"):
        with pytest.raises(NoKey):
            Footnote(service.url, key=wrong)


def test_a_newer_service_does_not_break_an_older_client(service: Service) -> None:
    def newer(forward: Callable[[], Reply]) -> Reply:
        status, headers, body = forward()
        answer = json.loads(body)
        answer |= {"mood": "glad"}
        answer["citations"][0] |= {"verdict": "half-true", "shade": {"of": "grey"}}
        return status, headers, json.dumps(answer).encode()

    def newer_stream(forward: Callable[[], Reply]) -> Reply:
        status, headers, body = forward()
        first, *rest = body.split(b"\n\n")
        renumbered = [first, b'data: {"type": "weather", "sequence_number": 1}', b": a comment"]
        for block in rest:
            event = json.loads(block.partition(b"data: ")[2]) if b"sequence" in block else None
            if event is not None:
                event["sequence_number"] += 1
                block = b"data: " + json.dumps(event).encode()
            renumbered.append(block)
        return status, headers, b"\n\n".join(renumbered).replace(b"\n", b"\r\n")

    with (
        standing_before(service.port, newer, newer_stream) as middle,
        Footnote(middle.url) as client,
    ):
        assert client.ask("nature", QUESTION).citations[0].verdict == "half-true"
        with client.stream("nature", QUESTION) as events:
            assert "weather" not in {event.type for event in events}
        assert events.answer.citations


def test_an_event_that_is_missing_is_noticed(service: Service) -> None:
    def without_second(forward: Callable[[], Reply]) -> Reply:
        status, headers, body = forward()
        blocks = body.split(b"\n\n")
        return status, headers, b"\n\n".join(blocks[:1] + blocks[2:])

    with (
        standing_before(service.port, without_second) as middle,
        Footnote(middle.url) as client,
        client.stream("nature", QUESTION) as events,
        pytest.raises(Broken, match="not that of an answer"),
    ):
        list(events)
