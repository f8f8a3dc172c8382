"""What readers may rely on while snapshots are published, damaged and taken away."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from footnote.errors import Broken, NotFound
from footnote.ids import version_of
from indexer.admission import Defaults
from indexer.readers.files import find_files
from rag.index.datanets import DatanetFolder, datanet_folder
from rag.index.documents import Texts
from rag.index.library import Library
from rag.index.snapshot import (
    KEPT,
    MANIFEST,
    CurrentSnapshot,
    content_root,
    open_current,
    published_names,
    read_manifest,
)
from rag.retrieval.retriever import retrieve
from tests.corpus import BOB, WordEmbedder, document, fields, indexer, write_lines

FIRST = [fields("cats", "Cats sleep all day."), fields("dogs", "Dogs bark at strangers.")]
SECOND = [fields("cats", "Cats purr when content."), *FIRST[1:]]


def publish(home: Path, lines: list[dict[str, Any]]) -> DatanetFolder:
    path = write_lines(home / "in.jsonl", lines)
    indexer(home, WordEmbedder()).ingest(find_files([path]), Defaults())
    return datanet_folder(home, "tales")


def newest(folder: DatanetFolder) -> Path:
    return folder.snapshots / published_names(folder)[0]


def files_of(snapshot: Path) -> list[Path]:
    return sorted(p for p in snapshot.rglob("*") if p.is_file() and p.suffix != ".lock")


def damage(data: bytes, dice: random.Random) -> bytes:
    """``data`` with one bit flipped, one stretch zeroed, one byte more, or an end cut off."""
    at = dice.randrange(len(data))
    match dice.randrange(4):
        case 0:
            return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
        case 1:
            return data[:at] + bytes(len(data[at : at + 4_096])) + data[at + 4_096 :]
        case 2:
            return data + b"\0"
        case _:
            return data[:at]


def test_damage_to_any_file_is_noticed_and_the_snapshot_before_serves(home: Path) -> None:
    publish(home, FIRST)
    folder = publish(home, SECOND)
    before = read_manifest(folder.snapshots / published_names(folder)[1])
    now = open_current(folder).manifest
    assert now != before
    for path in files_of(newest(folder)):
        whole = path.read_bytes()
        for seed in range(12):
            broken = damage(whole, random.Random(seed)) if whole else b"\0"
            path.write_bytes(broken)
            found = open_current(folder).manifest
            if path.name == MANIFEST and found == now:
                assert json.loads(broken) == json.loads(whole)  # only white space differs
            else:
                assert (path.name, found == before or broken == whole) == (path.name, True)
        path.unlink()
        assert open_current(folder).manifest == before
        path.write_bytes(whole)
    assert open_current(folder).manifest == now


def test_no_flipped_bit_of_a_manifest_goes_unnoticed(home: Path) -> None:
    folder = publish(home, FIRST)
    path = newest(folder) / MANIFEST
    whole = path.read_bytes()
    manifest = read_manifest(newest(folder))
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        with suppress(Broken):
            assert read_manifest(newest(folder)) == manifest
            assert chr(whole[at]).isspace()


def test_a_file_that_does_not_belong_is_noticed(home: Path) -> None:
    folder = publish(home, FIRST)
    (newest(folder) / "lexical" / "more").write_text("x")
    with pytest.raises(Broken, match="no snapshot of tales is whole"):
        open_current(folder)


def test_a_manifest_names_what_the_snapshot_is_made_of(home: Path) -> None:
    folder = publish(home, FIRST)
    snapshot = open_current(folder)
    body = snapshot.manifest.body
    assert body["datanet"] == "tales"
    assert body["counts"] == {"documents": 2, "chunks": 2}
    assert body["embedder"] == dict(WordEmbedder().definition.body)
    assert (body["metric"], body["vectors"]) == ("inner-product", "exact-fp16")
    assert body["chunker"]["name"] == "sentences-2"
    assert set(body["files"]) == {
        p.relative_to(snapshot.folder).as_posix() for p in files_of(snapshot.folder)
    } - {MANIFEST}
    assert bytes.fromhex(body["content_root"]) == content_root(snapshot.catalogue.documents())


def test_the_content_root_covers_ids_versions_and_contributors_in_any_order(home: Path) -> None:
    one, two = document("a", "A."), document("b", "B.")
    root = content_root([one, two])
    assert root == content_root([two, one]) != content_root([one])
    assert root != content_root([one, document("b", "B!")])
    assert root != content_root([one, document("c", "B.")])
    assert root == content_root([one, document("b", "B.", title="Another")])
    publish(home, FIRST)
    before = open_current(datanet_folder(home, "tales")).manifest.content_root
    paid = [{"address": BOB, "share_bps": 10_000}]
    publish(home, [fields("cats", "Cats sleep all day.", contributors=paid), *FIRST[1:]])
    assert open_current(datanet_folder(home, "tales")).manifest.content_root != before


def test_a_reader_notices_a_new_snapshot_and_the_old_one_still_answers(home: Path) -> None:
    folder = publish(home, FIRST)
    current = CurrentSnapshot(folder)
    old = current.get()
    assert current.get() is old
    publish(home, SECOND)
    new = current.get()
    assert new is not old
    answers = []
    for snapshot in (old, new):
        hits = retrieve(snapshot, WordEmbedder(), "What do cats do?", 2)
        answers.append({hit.chunk.document.document_id: hit.chunk.text for hit in hits}["cats"])
    assert answers == ["Cats sleep all day.", "Cats purr when content."]


def test_a_reader_falls_back_when_the_newest_snapshot_is_damaged(home: Path) -> None:
    folder = publish(home, FIRST)
    library = Library(home)
    first = library.snapshot("tales").manifest
    publish(home, SECOND)
    (newest(folder) / "vectors.faiss").write_bytes(b"\0" * 100)
    assert library.snapshot("tales").manifest == first
    publish(home, [*SECOND, fields("bees", "Bees dance.")])
    assert library.snapshot("tales").manifest.documents == 3


def test_a_snapshot_answers_in_any_number_of_threads(home: Path) -> None:
    snapshot = open_current(publish(home, FIRST))
    found: list[str] = []

    def ask() -> None:
        for _ in range(5):
            hits = retrieve(snapshot, WordEmbedder(), "Do dogs bark?", 2)
            found.append(hits[0].chunk.document.document_id)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["dogs"] * 20


def test_only_the_last_snapshots_are_kept_and_every_text_stays_readable(home: Path) -> None:
    texts = [f"Version {i} of the tale." for i in range(KEPT + 3)]
    for text in texts:
        folder = publish(home, [fields("tale", text)])
    assert len(published_names(folder)) == KEPT
    assert {path.name for path in folder.snapshots.iterdir()} == set(published_names(folder))
    stored = open_current(folder)
    assert [stored.text(version_of(text)) for text in texts] == texts


def test_a_stored_text_that_was_changed_is_never_served(home: Path) -> None:
    folder = publish(home, FIRST)
    version = version_of("Cats sleep all day.")
    for forged in (b"Cats sleep all night.", b"\xff\xfe"):
        connection = sqlite3.connect(folder.texts)
        connection.execute("UPDATE texts SET text = ? WHERE version = ?", (forged, version))
        connection.commit()
        connection.close()
        with pytest.raises(Broken) as caught:
            Texts(folder.texts).get(version)
        assert caught.value.code == "text-corrupt"
    with pytest.raises(NotFound, match="no text of that version"):
        Texts(folder.texts).get(bytes(32))


@pytest.mark.parametrize("name", ["", "nothing", "Tales", "../tales", "a" * 64, "-a", "a-", "a\n"])
def test_a_datanet_that_is_not_there_is_not_found(home: Path, name: str) -> None:
    publish(home, FIRST)
    with pytest.raises(NotFound, match="no such Datanet"):
        Library(home).snapshot(name)
    assert Library(home).names() == ["tales"]


def test_a_contributor_has_the_name_of_the_largest_shares(home: Path) -> None:
    """Whoever names another for a basis point names nobody."""
    mine = [{"address": BOB, "name": "Bob"}]
    slander = [{"address": BOB, "name": "zz scammer", "share_bps": 1},
               {"address": "0x" + "ab" * 20, "name": "Eve", "share_bps": 9_999}]  # fmt: skip
    lines = [fields("cats", "Cats purr.") | {"contributors": mine},
             fields("dogs", "Dogs bark.") | {"contributors": slander},
             fields("hens", "Hens cluck.") | {"contributors": [{"address": BOB}]}]  # fmt: skip
    folder = publish(home, lines)
    known = open_current(folder).catalogue.contributors()
    assert {name: documents for name, documents in known.values()} == {"Bob": 3, "Eve": 1}
