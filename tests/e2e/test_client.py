"""The Python client against a real service: its objects, streams, checks and documents."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from api import document_schemas, money_schemas, schemas
from api.app import build_services
from footnote.client import (
    Answer,
    AnswerCompletedEvent,
    CitationVerifiedEvent,
    ClaimCompletedEvent,
    Footnote,
    GivenSource,
    RetrievalEvent,
    TextDeltaEvent,
)
from footnote.errors import Conflict, Invalid, NotFound, Unavailable
from footnote.remote import objects, proofs, stream
from footnote.remote.findings import findings
from footnote.remote.objects import Bounds, Citation, Told
from footnote.settings import Settings
from rag.models.embedder import SentenceTransformerEmbedder
from rewards.record import Recorder
from tests.conftest import CHECKOUT
from tests.e2e.test_api import ALICE, BOB, DOCUMENTS, QUESTION, Service, ingest, serving
from tests.e2e.test_streaming import REPLY
from tests.money import Place, Pool, deployed, place
from tests.scripted_model import BASE, ScriptedModel, scripted


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with scripted() as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(model: ScriptedModel) -> None:
    model.replies, model.pause_seconds, model.breaks_after = [REPLY], 0.0, None
    model.left.clear()


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    embedder: SentenceTransformerEmbedder,
    model: ScriptedModel,
) -> Iterator[Service]:
    home: Path = tmp_path_factory.mktemp("client")
    ingest(home, embedder)
    settings = Settings(home=home, openlora_url=model.url, openlora_model=BASE)
    yield from serving(build_services(settings, embedder))


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Footnote]:
    with Footnote(service.url) as found:
        yield found


# Objects


def same_on_the_wire(told: Told, shown: Any) -> None:
    """The object holds all that the service told, and says it as the service does."""
    assert told.model_dump(mode="json") == shown


def test_an_answer_is_the_stored_one_field_by_field(client: Footnote, service: Service) -> None:
    answer = client.ask("nature", QUESTION, k=3)
    assert answer.citations[0].source.document_id == "bees"
    assert [one.address for one in answer.citations[0].contributors] == [ALICE, BOB]
    assert type(answer.citations[0].reward.amount) is int
    assert client.answer(answer.id) == answer
    same_on_the_wire(answer, service.http.get(f"/v1/answers/{answer.id}").json())
    with pytest.raises(ValueError, match="frozen"):
        answer.text = "another"  # type: ignore[misc]


def test_a_refusal_is_an_answer_too(client: Footnote) -> None:
    answer = client.ask("nature", "Who won the chess championship of 1972?")
    assert answer.refused
    assert answer.refusal_reason
    assert answer.citations == ()
    assert client.check(answer) == []


def test_what_a_datanet_holds_is_read_by_page_document_and_version(
    client: Footnote, service: Service
) -> None:
    (summary,) = client.datanets()
    datanet = client.datanet("nature")
    same_on_the_wire(datanet, service.http.get("/v1/datanets/nature").json())
    assert (summary.id, datanet.snapshot) == ("nature", summary.snapshot)
    assert [one.id for one in client.documents("nature")] == ["bees", "granite", "tea"]
    assert [one.id for one in client.documents("nature", "GREEN")] == ["tea"]
    document = client.document("nature", "bees")
    same_on_the_wire(document, service.http.get("/v1/datanets/nature/documents/bees").json())
    assert client.text("nature", document.version) == document.text == DOCUMENTS[0]["text"]


def test_search_and_verify_give_typed_objects(client: Footnote, service: Service) -> None:
    found = client.search("nature", QUESTION, k=2)
    assert [hit.rank for hit in found.data] == [1, 2]
    body = {"datanet": "nature", "question": QUESTION, "k": 2}
    same_on_the_wire(found, service.post("/v1/search", body).json())
    sources: list[str | GivenSource] = [
        "Ines Moreau cast the bell in 1871.",
        GivenSource(id="sea", text="The sea is wide."),
    ]
    checked = client.verify("The bell was cast in 1871. [1] The sea is wide. [2]", sources)
    assert [claim.verdict for claim in checked.claims] == ["supported", "supported"]
    assert [one.source.id for one in checked.citations] == ["1", "sea"]


CLOSED: set[type[Told]] = {
    one
    for room in (objects, proofs, stream)
    for one in vars(room).values()
    if isinstance(one, type) and issubclass(one, Told) and not one.__name__.startswith("_")
} - {Told}


@pytest.mark.parametrize("told", sorted(CLOSED, key=str))
def test_the_clients_objects_have_the_services_fields(told: type[Told]) -> None:
    rooms = (schemas, document_schemas, money_schemas)
    (shape,) = {getattr(room, told.__name__) for room in rooms if hasattr(room, told.__name__)}
    assert told.model_fields.keys() == shape.model_fields.keys()
    for name, theirs in shape.model_fields.items():
        nullable = "None" in str(theirs.annotation)
        assert ("None" in str(told.model_fields[name].annotation)) == nullable, name


def test_every_response_of_the_api_has_an_object() -> None:
    names = {one.__name__ for one in CLOSED}
    wanted = {"Answer", "SearchResult", "Verified", "DatanetList", "Datanet", "DocumentList",
              "Document", "Job", "JobList", "Receipt", "Batch", "Contributor"}  # fmt: skip
    assert wanted <= names
    events = {one.__name__ for one in schemas.AnswerEvent.model_fields["root"].annotation.__args__}  # type: ignore[union-attr]
    assert events - {"ErrorEvent"} <= names


def test_amounts_are_whole_numbers_and_nothing_else() -> None:
    large = 2**127
    told = proofs.Payout.model_validate_json(json.dumps({"address": ALICE, "amount": str(large)}))
    assert told.amount == large
    assert json.loads(told.model_dump_json())["amount"] == str(large)
    for wrong in ("1.0", "1_0", "-1", "", "١", 1.5, True, None):
        with pytest.raises(ValueError, match="amount"):
            proofs.Payout.model_validate({"address": ALICE, "amount": wrong})


def test_importing_the_client_loads_nothing_that_serves() -> None:
    code = "import sys, footnote.client; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT
        ).stdout.split()
    )
    heavy = {"numpy", "torch", "fastapi", "starlette", "sqlalchemy", "eth_abi", "web3", "rfc8785",
             "api", "rag", "rewards", "indexer", "langchain_core", "openai"}  # fmt: skip
    assert {"httpx", "pydantic"} <= loaded
    assert not heavy & loaded


# Streams


@pytest.mark.parametrize("answerer", ["openlora", "extractive"])
def test_a_stream_tells_the_answer_that_it_ends_with(client: Footnote, answerer: str) -> None:
    with client.stream("nature", QUESTION, answerer=answerer) as events:
        with pytest.raises(NotFound):
            _ = events.answer
        told = list(events)
    answer = events.answer
    assert "".join(e.delta for e in told if isinstance(e, TextDeltaEvent)) == answer.text
    assert tuple(e.claim for e in told if isinstance(e, ClaimCompletedEvent)) == answer.claims
    shown = [e.citation.id for e in told if isinstance(e, CitationVerifiedEvent)]
    assert shown == [one.id for one in answer.citations] != []
    assert isinstance(told[-1], AnswerCompletedEvent)
    assert client.answer(answer.id) == answer
    with client.stream(
        "nature", QUESTION, answerer=answerer, idempotency_key=events.idempotency_key
    ) as again:
        assert list(again) == told


def test_characters_that_end_lines_elsewhere_end_none_of_a_stream(client: Footnote) -> None:
    question = "What does the waggle dance\u2028of a bee\x85show?\x0c\u2029"
    with client.stream("nature", question) as events:
        for _ in events:
            pass
    assert events.answer.question == question


@pytest.mark.parametrize("read", [0, 2])
def test_leaving_a_stream_ends_the_generation(
    client: Footnote, model: ScriptedModel, read: int
) -> None:
    model.pause_seconds, model.replies = 0.02, [f"{REPLY} " * 100]
    with client.stream("nature", QUESTION, answerer="openlora") as events:
        told = list(islice(events, read))
    assert model.left.wait(5), "the model was left alone"
    assert list(events) == []
    with pytest.raises(NotFound):
        _ = events.answer
    for event in told:
        if isinstance(event, RetrievalEvent):
            with pytest.raises(NotFound):
                client.answer(event.answer_id)


def test_an_error_in_a_stream_is_raised(client: Footnote, model: ScriptedModel) -> None:
    model.breaks_after, model.replies = 20, [f"{REPLY} " * 8]
    with (
        client.stream("nature", QUESTION, answerer="openlora") as events,
        pytest.raises(Unavailable) as raised,
    ):
        list(events)
    assert raised.value.code == "unavailable"


def test_a_stream_is_entered_before_it_is_read(client: Footnote) -> None:
    with pytest.raises(RuntimeError, match="enter the stream"):
        next(client.stream("nature", QUESTION))


# Checks


def everything_changed(
    shown: Any, path: tuple[Any, ...] = ()
) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every text with each of its characters changed, and every number one more or less, in all of
    an answer that can be computed anew."""
    unchecked = {"verdict", "score", "title", "url", "name", "marker", "status"}
    if isinstance(shown, dict):
        for name in shown.keys() - unchecked:
            yield from everything_changed(shown[name], (*path, name))
    elif isinstance(shown, list):
        for number, one in enumerate(shown):
            yield from everything_changed(one, (*path, number))
    elif isinstance(shown, str):
        for at, letter in enumerate(shown):
            other = "1" if letter == "0" else "0"
            yield path, shown[:at] + other + shown[at + 1 :]
        yield path, shown + "0"
        yield path, shown[:-1]
    elif isinstance(shown, int):
        yield path, shown + 1
        yield path, shown - 1


def changed(shown: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of ``shown`` with ``value`` at ``path``."""
    if not path:
        return value
    copy = shown.copy()
    copy[path[0]] = changed(copy[path[0]], path[1:], value)
    return copy


@pytest.mark.parametrize("answerer", ["openlora", "extractive"])
def test_whatever_of_an_answer_is_changed_is_found(client: Footnote, answerer: str) -> None:
    answer = client.ask("nature", QUESTION, answerer=answerer)
    assert client.check(answer) == []
    receipt = client.receipt(answer.receipt.id)
    texts = {
        one.source.version: client.text("nature", one.source.version).encode()
        for one in answer.citations
    }
    shown = answer.model_dump(mode="json")
    checked = {name: shown[name] for name in ("text", "question", "claims", "citations")}
    tried = 0
    for path, value in everything_changed(checked):
        other = changed(shown, path, value)
        with suppress(ValidationError):  # an amount that is none any more
            read = Answer.model_validate(other)
            if read != answer:  # 00 is still 0
                assert findings(read, receipt, texts.get), (path, value)
                tried += 1
    assert tried > 500


def test_a_source_that_was_changed_in_any_byte_is_found(client: Footnote) -> None:
    answer = client.ask("nature", QUESTION)
    receipt = client.receipt(answer.receipt.id)
    versions = [one.source.version for one in answer.citations]
    text = client.text("nature", versions[0]).encode()
    for at in range(len(text)):
        other = text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :]
        (first, *_) = findings(answer, receipt, {v: other for v in versions}.get)
        assert first.what == "the source's text does not have the hash that its version is"
        assert str(first).startswith("citation ")


def test_a_lie_that_the_receipt_repeats_is_found(client: Footnote) -> None:
    answer = client.ask("nature", QUESTION)
    receipt = client.receipt(answer.receipt.id)
    citation = answer.citations[0]
    text = client.text("nature", citation.source.version).encode()

    def found(lie: Citation) -> set[str]:
        """What is found where the receipt has the same span and hash as the lie."""
        same = {
            "start": lie.source_span.start,
            "end": lie.source_span.end,
            "cited_text_hash": "0x" + lie.cited_text_sha256,
        }
        lines = tuple(
            line.model_copy(update=same) if line.citation_id == lie.id else line
            for line in receipt.lines
        )
        told = answer.model_copy(update={"citations": (lie, *answer.citations[1:])})
        repeated = receipt.model_copy(update={"lines": lines})
        texts = {one.source.version: text for one in answer.citations}
        return {one.what for one in findings(told, repeated, texts.get)}

    assert found(citation) == set()
    quote = citation.cited_text.upper()
    hashed = hashlib.sha256(quote.encode()).hexdigest()
    span = Bounds(start=citation.source_span.start + 1, end=citation.source_span.end)
    beyond = Bounds(start=citation.source_span.start, end=10_000)
    another = "its span of the source holds another text"
    assert found(citation.model_copy(update={"source_span": span})) == {another}
    assert found(citation.model_copy(update={"source_span": beyond})) == {
        "its span lies outside of the source's text"
    }
    lie = citation.model_copy(update={"cited_text": quote, "cited_text_sha256": hashed})
    assert found(lie) == {another}
    assert found(citation.model_copy(update={"cited_text_sha256": hashed})) == {
        "cited_text does not have the hash that is given"
    }


def test_a_receipt_that_says_otherwise_is_found(client: Footnote) -> None:
    one = client.ask("nature", QUESTION)
    other = client.ask("nature", "How does granite form?")
    swapped = one.model_copy(update={"receipt": other.receipt})
    assert "the text is not the one of its receipt" in {x.what for x in client.check(swapped)}
    unknown = one.receipt.model_copy(update={"id": "0x" + "00" * 32})
    assert [x.what for x in client.check(one.model_copy(update={"receipt": unknown}))] == [
        "there is no receipt for it"
    ]
    short = one.model_copy(update={"citations": ()})
    assert "citations of its receipt are missing" in str(client.check(short)[0])
    elsewhere = one.citations[0].source.model_copy(update={"version": "sha256:" + "00" * 32})
    lost = one.citations[0].model_copy(update={"source": elsewhere})
    found = client.check(one.model_copy(update={"citations": (lost, *one.citations[1:])}))
    assert "the service has no text of that version" in {x.what for x in found}


# Payment


@pytest.fixture(scope="module")
def at(instant_pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> Place:
    pool = deployed(instant_pool.url, instant_pool.chain)
    return place(pool, tmp_path_factory.mktemp("paid"), datanet="nature")


@pytest.fixture(scope="module")
def paying(at: Place, service: Service, embedder: SentenceTransformerEmbedder) -> Iterator[Service]:
    """With a Ledger, a signer, and a journal that a settler can settle."""
    settings = service.services.settings.model_copy(
        update={"journal_url": f"sqlite:///{at.folder / 'journal.sqlite'}"}
    )
    services = build_services(settings, embedder)
    yield from serving(replace(services, recorder=Recorder(services.journal, at.signer)))


def test_what_was_paid_for_an_answer_is_read_to_the_last_unit(at: Place, paying: Service) -> None:
    with Footnote(paying.url) as client:
        answers = [client.ask("nature", QUESTION) for _ in range(3)]
        at.settle()
        assert client.check(answers[0]) == []
        stored = client.answer(answers[0].id)
        assert {one.reward.status for one in stored.citations} == {"settled"}
        for address in (ALICE, BOB):
            found = client.contributor(address)
            same_on_the_wire(found, paying.http.get(f"/v1/contributors/{address}").json())
            spans = list(client.earned(address))
            assert sum(span.amount for span in spans) == found.settled > 0
            page = client.contributor(address, limit=1)
            assert page.next is not None
            rest = client.contributor(address, cursor=page.next)
            assert [*page.spans, *rest.spans] == spans
        receipt = client.receipt(answers[0].receipt.id)
        same_on_the_wire(receipt, paying.http.get(f"/v1/receipts/{receipt.digest}").json())
        assert receipt.batch is not None
        batch = client.batch(receipt.batch.batch_id)
        same_on_the_wire(batch, paying.http.get(f"/v1/batches/{batch.batch_id}").json())
        assert batch.total == sum(payout.amount for payout in batch.payouts)
        registration = client.datanet("nature").registration
        assert registration is not None
        assert registration.chain_id == 31_337
    paid = answers[0].model_dump(mode="json")
    one = paid["citations"][0]["contributors"][0]
    one["amount"] = str(int(one["amount"]) + 1)
    with Footnote(paying.url) as client:
        (finding,) = client.check(Answer.model_validate(paid))
    assert finding.what == "its receipt owes something else for it"


# Documents


def test_documents_that_are_sent_are_followed_until_they_are_cited(
    client: Footnote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "coast").mkdir()
    orsk = Path("coast/orsk.md")
    orsk.write_text("# Orsk\n\nThe lighthouse of Orsk was lit by whale oil until 1874.\n")
    absolute = tmp_path / "tern.txt"
    absolute.write_text("A tern dives for fish.")
    gull = {"id": "gull", "text": "A gull is white.\u2028It is loud.", "license": "CC-BY-4.0"}
    job = client.send("coast", [orsk, absolute, gull], contributors=[ALICE], license="CC0-1.0")
    assert job.state in ("queued", "running")
    *_, job = client.follow(job)
    assert job.error is None
    assert (job.state, job.counts.added, job.refused) == ("done", 3, ())
    assert client.jobs("coast")[0] == job == client.job("coast", job.id)
    assert [one.id for one in client.documents("coast")] == ["coast/orsk.md", "gull", "tern.txt"]
    assert client.document("coast", "coast/orsk.md").contributors[0].address == ALICE
    assert client.document("coast", "gull").license == "CC-BY-4.0"
    answer = client.ask("coast", "What lit the lighthouse of Orsk until 1874?")
    assert answer.citations[0].source.document_id == "coast/orsk.md"
    assert client.check(answer) == []
    with pytest.raises(Conflict):
        client.retry(job)


def test_documents_sent_again_under_one_key_make_one_job(client: Footnote) -> None:
    document = {"id": "skua", "text": "A skua robs gulls.", "contributors": [{"address": ALICE}],
                "license": "CC0-1.0"}  # fmt: skip
    jobs = [client.send("birds", [document], idempotency_key="skua-1") for _ in range(2)]
    assert jobs[0].id == jobs[1].id
    *_, job = client.follow(jobs[0])
    assert job.counts.added == 1


def test_a_document_that_is_refused_says_why(client: Footnote) -> None:
    *_, job = client.follow(client.send("birds", [{"id": "auk", "text": "An auk swims."}]))
    (refused,) = job.refused
    assert (refused.document_id, refused.what_to_do != "") == ("auk", True)
    with pytest.raises(Invalid):
        client.send("birds", [])
