"""Adapters of Datanets: the store, the commands, and which of them answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import footnote
from footnote.errors import FootnoteError, Invalid, Misconfigured, NotFound
from indexer.admission import Defaults
from indexer.readers.files import find_files
from rag.adapters.routing import BASE, AdapterRouter, Route
from rag.adapters.store import AdapterStore
from rag.models.llm import Declined
from tests.corpus import ALICE, WordEmbedder, fields, indexer, write_lines
from tests.tiny_models import BASE as BASE_ID
from tests.tiny_models import write_adapter, write_base


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two adapters as PEFT writes them."""
    folder = tmp_path_factory.mktemp("models")
    base = write_base(folder / BASE_ID)
    one = write_adapter(folder / "one", base, seed=1)
    return one, write_adapter(folder / "two", base, seed=2)


@pytest.fixture
def datanet(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FOOTNOTE_HOME", str(home))
    monkeypatch.setenv("FOOTNOTE_OPENLORA_MODEL", BASE_ID)
    path = write_lines(home / "in.jsonl", [fields("d", "A quokka sleeps.")])
    indexer(home, WordEmbedder()).ingest(find_files([path]), Defaults())
    return "tales"


def run(*arguments: str) -> Result:
    done = CliRunner().invoke(footnote, ["adapters", *arguments])
    if isinstance(done.exception, FootnoteError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done


def add(folder: Path, *more: str) -> str:
    """The id of an adapter that was added."""
    done = run("add", "tales", str(folder), "--license", "CC0-1.0", "--json", *more)
    return str(json.loads(done.output)["id"])


def test_an_adapter_is_stored_under_the_hash_of_its_files(
    datanet: str, home: Path, folders: tuple[Path, Path]
) -> None:
    name = add(folders[0], "--owner", ALICE)
    shown = json.loads(run("show", "tales", name, "--json").output)
    assert name == f"tales-{shown['sha256'][:12]}"
    assert (shown["owner"].lower(), shown["license"], shown["base"]) == (ALICE, "CC0-1.0", BASE_ID)
    stored = sorted(path.name for path in (home / "adapters" / name).iterdir())
    assert stored == ["adapter_config.json", "adapter_model.safetensors"]
    assert add(folders[0]) == name, "again the same"
    assert add(folders[1]) != name
    assert len(json.loads(run("list", "tales", "--json").output)["data"]) == 2


def test_what_is_no_plain_lora_of_the_base_is_refused_and_leaves_nothing(
    datanet: str, home: Path, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(Invalid, match="another base model"):
        add(folders[0], "--base", "other")
    (tmp_path / "empty").mkdir()
    with pytest.raises(Invalid, match=r"no adapter_config\.json"):
        add(tmp_path / "empty")
    with pytest.raises(Invalid, match="rank"):
        add(folders[0], "--max-rank", "1")
    with pytest.raises(NotFound, match="no such Datanet"):
        run("add", "nowhere", str(folders[0]), "--license", "MIT")
    assert not (home / "adapters").exists()
    assert "has no adapter" in run("list", "tales").output


def test_a_removed_adapter_answers_no_more_and_is_no_default(
    datanet: str, home: Path, folders: tuple[Path, Path]
) -> None:
    name = add(folders[0], "--default")
    assert f"* {name}" in run("list", "tales").output
    run("remove", "tales", name)
    found = AdapterStore(home).of(datanet)
    assert (found.default, dict(found.adapters)) == (None, {})
    assert not (home / "adapters" / name).exists()
    for command in ("show", "remove", "set-default"):
        with pytest.raises(NotFound, match="no such adapter"):
            run(command, "tales", name)


def test_adding_again_mends_a_damaged_copy_and_keeps_the_owner(
    datanet: str, home: Path, folders: tuple[Path, Path]
) -> None:
    name = add(folders[0], "--owner", ALICE)
    stored = home / "adapters" / name / "adapter_model.safetensors"
    whole = stored.read_bytes()
    stored.write_bytes(whole[:-1])
    assert "damaged" in run("list", "tales").output
    assert json.loads(run("show", "tales", name, "--json").output)["intact"] is False
    assert add(folders[0]) == name
    assert stored.read_bytes() == whole
    assert [path.name for path in (home / "adapters").iterdir()] == [name]
    shown = json.loads(run("show", "tales", name, "--json").output)
    assert (shown["intact"], shown["owner"].lower()) == (True, ALICE)
    assert "damaged" not in run("list", "tales").output


class Server:
    """A model server that knows some adapters, and learns those that it is told."""

    def __init__(self, *known: str) -> None:
        self.known, self.asked, self.learns = set(known), list[str | None](), False
        self.declines = set[str | None]()

    def load(self, adapter_id: str, folder: Path) -> None:
        assert (folder / "adapter_config.json").is_file()
        if self.learns:
            self.known.add(adapter_id)

    def unload(self, adapter_id: str) -> None:
        self.known.discard(adapter_id)

    def draft(self, name: str | None) -> str:
        self.asked.append(name)
        if name in self.declines:
            raise Declined("the model server refused the request", "see its log")
        if name is not None and name not in self.known:
            raise NotFound("the model server does not know that adapter", "load it there")
        return f"by {name}"


@pytest.fixture
def route(home: Path, datanet: str) -> Callable[..., tuple[str, Route]]:
    def routed(server: Server, asked: str | None = None) -> tuple[str, Route]:
        return AdapterRouter(AdapterStore(home), server).answer(datanet, asked, server.draft)

    return routed


def test_without_adapters_any_name_answers_and_is_all_that_a_receipt_says(
    route: Callable[..., tuple[str, Route]],
) -> None:
    said, by = route(Server("medical"), "medical")
    assert said == "by medical"
    assert by.definition is not None
    assert by.definition.body == {"kind": "adapter", "name": "medical"}
    assert route(Server()) == ("by None", BASE)
    with pytest.raises(Invalid):
        route(Server(), "../medical")
    with pytest.raises(Invalid):
        route(Server("hub/medical"), "hub/medical")
    with pytest.raises(NotFound, match="no such adapter"):
        route(Server("other-0123456789ab"), "other-0123456789ab")


def test_the_default_answers_and_its_hash_and_owner_stand_in_the_receipt(
    route: Callable[..., tuple[str, Route]], folders: tuple[Path, Path]
) -> None:
    name = add(folders[0], "--default", "--owner", ALICE)
    said, by = route(Server(name))
    assert (said, by.name) == (f"by {name}", name)
    assert by.definition is not None
    body = by.definition.body
    assert (body["kind"], body["owner"].lower(), len(body["sha256"])) == ("adapter", ALICE, 64)


def test_another_adapter_of_the_datanet_answers_where_it_is_asked_for(
    route: Callable[..., tuple[str, Route]], folders: tuple[Path, Path]
) -> None:
    first, second = add(folders[0], "--default"), add(folders[1])
    assert route(Server(first, second), second)[1].name == second
    with pytest.raises(NotFound, match="the Datanet has no such adapter"):
        route(Server("medical"), "medical")


def test_an_adapter_that_the_server_lost_is_loaded_again(
    route: Callable[..., tuple[str, Route]], folders: tuple[Path, Path]
) -> None:
    name = add(folders[0], "--default")
    server = Server()
    server.learns = True
    assert route(server)[0] == f"by {name}"
    assert server.asked == [name, name]


def test_the_base_answers_for_the_default_only_where_that_was_allowed(
    route: Callable[..., tuple[str, Route]], folders: tuple[Path, Path]
) -> None:
    name = add(folders[0], "--default")
    with pytest.raises(NotFound):
        route(Server())
    run("set-default", "tales", name, "--fallback-to-base")
    assert route(Server()) == ("by None", BASE)
    with pytest.raises(NotFound):
        route(Server(), name)
    server = Server(name)
    server.declines = {name}
    assert route(server) == ("by None", BASE)
    with pytest.raises(Declined):
        route(server, name)
    run("set-default", "tales")
    assert route(Server(name)) == ("by None", BASE)


def test_the_base_model_must_be_named(
    datanet: str, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FOOTNOTE_OPENLORA_MODEL")
    with pytest.raises(Misconfigured, match="FOOTNOTE_OPENLORA_MODEL"):
        add(folders[0])
