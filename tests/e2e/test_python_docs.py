"""The examples of ``docs/python.md`` run, in order, against a real service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.app import build_services
from footnote.client import Footnote
from footnote.settings import Settings
from indexer.admission import Defaults
from indexer.readers.files import find_files
from rag.models.embedder import SentenceTransformerEmbedder
from tests.conftest import CHECKOUT
from tests.corpus import indexer
from tests.e2e.test_api import Service, serving
from tests.scripted_model import ScriptedModel, scripted

PAGE = (CHECKOUT / "docs" / "python.md").read_text("utf-8")
ADDRESS = "0x31EAfdff73786e310324D6E97213ebF21C5eFD53"
HANDBOOK = "# Receipts\n\nA receipt is the permanent signed record of one answer.\n"


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, embedder: SentenceTransformerEmbedder
) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("handbook")
    (home / "receipts.md").write_text(HANDBOOK)
    found = find_files([home / "receipts.md"])
    indexer(home, embedder, datanet="handbook").ingest(found, Defaults((ADDRESS,), "CC0-1.0"))
    yield from serving(build_services(Settings(home=home), embedder))


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with scripted() as running:
        running.replies = ["A record that is signed [1]."]
        yield running


def test_every_example_runs(
    service: Service,
    model: ScriptedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOOTNOTE_HOME", str(service.services.settings.home))
    (tmp_path / "notes.md").write_text("# Notes\n\nA neap tide follows a half moon.\n")
    page = PAGE.replace("http://127.0.0.1:8000", service.url)
    page = page.replace("http://127.0.0.1:8001/v1", model.url)
    names: dict[str, Any] = {}
    printed = []
    for block in re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        exec(compile(block, "docs/python.md", "exec"), names)
        printed.append(capsys.readouterr().out)
    asked, order, streamed, checked, sent, earned, wrong, chain, chat = printed
    assert "1 Receipts A receipt is the permanent signed record of one answer. 0" in asked
    assert order == "True\n"
    assert streamed.replace(" (Receipts)", "", 1) == names["answer"].text != streamed
    assert checked == ""
    assert sent.endswith("done " + str(names["step"].progress) + "\n")
    assert (names["step"].counts.added, names["step"].refused) == (2, ())
    assert earned.startswith("0 0 0\nreceipts.md")
    assert wrong == "no such Datanet → list them with footnote datanets not-found\n"
    assert chain == "A record that is signed [1].\n"
    assert "[1] " in model.asked[0][-1]["content"]
    assert HANDBOOK.splitlines()[-1] in model.asked[0][-1]["content"]
    assert ADDRESS in chat


def test_every_method_of_the_client_is_on_the_page() -> None:
    public = [name for name in vars(Footnote) if not name.startswith("_")]
    assert [name for name in public if not re.search(rf"\b{name}\(", PAGE)] == []
    assert len(public) > 15
