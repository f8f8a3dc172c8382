"""Checking a text against one's own sources, over HTTP and by the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from api.app import build_services
from cli.main import footnote
from footnote.errors import Invalid
from footnote.ids import content_id
from footnote.settings import Settings
from rag.answering.grounding import MAX_SOURCES, Source, check_text
from rag.models.embedder import SentenceTransformerEmbedder
from tests.e2e.test_api import Service, serving

BELL = "Ines Moreau cast the harbour bell in 1871. It is rung twice at high tide."
LAMP = "The lamp on the pier burns all night."
TEXT = (
    "The harbour bell was cast by Ines Moreau in 1871. [1] The lamp on the pier burns all day. [2] "
    "The bell is rung twice at high tide. Fishermen prefer tea. [9]"
)


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, embedder: SentenceTransformerEmbedder
) -> Iterator[Service]:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    yield from serving(build_services(settings, embedder))


def checked(service: Service, **body: Any) -> Any:
    reply = service.post("/v1/verify", body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_each_sentence_gets_a_verdict_and_the_span_behind_it(service: Service) -> None:
    sources = [{"id": "harbour", "text": BELL}, {"text": LAMP}]
    found = checked(service, text=TEXT, sources=sources)
    assert [claim["verdict"] for claim in found["claims"]] == [
        "supported", "contradicted", "supported", "unsupported",
    ]  # fmt: skip
    for claim in found["claims"]:
        assert found["text"][claim["start"] : claim["end"]] == claim["text"]
    for citation in found["citations"]:
        source = sources[citation["source"]["number"] - 1]
        span = citation["source_span"]
        assert source["text"][span["start"] : span["end"]] == citation["cited_text"]
    named = [citation["source"]["id"] for citation in found["citations"]]
    assert named == ["harbour", "2", "harbour"]
    assert found["citations"][2]["cited_text"] == "It is rung twice at high tide."
    assert found["removed_markers"] == 1
    assert (
        content_id(found["verifier"]) == service.services.answerer.verifier.definition.definition_id
    )


def test_nothing_is_stored_or_owed(service: Service) -> None:
    checked(service, text=TEXT, sources=[{"text": BELL}])
    assert service.http.get("/v1/datanets").json()["data"] == []
    assert not service.services.journal.ledgers(lost=True)


@pytest.mark.parametrize(
    "body",
    [
        {"text": "A claim."},
        {"text": "A claim.", "sources": []},
        {"text": "", "sources": [{"text": "x"}]},
        {"text": "A claim.", "sources": [{"text": ""}]},
        {"text": "A claim.", "sources": [{"text": "x"}] * (MAX_SOURCES + 1)},
        {"text": "A claim.", "sources": [{"text": "x", "url": "y"}]},
        {"text": "word " * 5_000, "sources": [{"text": "x"}]},
        {"text": "One more. " * 201, "sources": [{"text": "x"}]},
    ],
)
def test_what_cannot_be_checked_is_refused(service: Service, body: dict[str, Any]) -> None:
    reply = service.post("/v1/verify", body)
    assert reply.status_code == 422, reply.text
    assert reply.headers["content-type"] == "application/problem+json"


def test_the_command_prints_verdicts_and_fails_where_one_is_not_supported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path))
    bell, lamp = tmp_path / "bell.txt", tmp_path / "lamp.txt"
    bell.write_text(BELL)
    lamp.write_text(LAMP)
    command = ["verify-text", "-", "--source", str(bell), "--source", str(lamp)]
    told = CliRunner().invoke(footnote, command, input=TEXT)
    assert told.exit_code == Invalid.exit_code
    assert f"supported by {bell} 0..42: Ines Moreau cast" in told.output
    assert "contradicted  The lamp on the pier burns all day." in told.output
    good = CliRunner().invoke(footnote, [*command, "--json"], input=f"{LAMP} [2]")
    assert good.exit_code == 0
    body = json.loads(good.output)
    assert [claim["verdict"] for claim in body["claims"]] == ["supported"]
    assert body["citations"][0]["source"] == {"number": 2, "id": str(lamp)}


def test_a_marker_counts_only_for_a_source_that_was_given() -> None:
    class Never:
        def verify(self, claim: str, cited_text: str, title: str = "") -> Any:
            raise AssertionError("nothing is shared, so nothing is asked")

    found = check_text("Tea is warm. [2]", [Source("Granite cools.")], Never())
    assert (found.removed_markers, found.citations) == (1, ())
    with pytest.raises(Invalid):
        check_text("Tea is warm.", [], Never())
