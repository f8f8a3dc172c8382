"""Files to a published Snapshot, in one process. ``tests/e2e`` does the same from outside."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from footnote.errors import Broken, Busy, NotFound, Unavailable
from footnote.ids import version_of
from indexer.admission import Defaults
from indexer.readers.files import find_files
from indexer.report import Report
from indexer.splitter import ChunkSize
from rag.index.datanets import datanet_folder
from rag.index.documents import Texts
from rag.index.snapshot import (
    CATALOGUE,
    LEXICAL,
    MANIFEST,
    Snapshot,
    current_manifest,
    open_current,
)
from rag.models.embedder import Embedder, SentenceTransformerEmbedder, Vectors
from rag.retrieval.retriever import retrieve
from tests.corpus import ALICE, BOB, WordEmbedder, fields, indexer, stored_texts, write_lines

CATS = "Cats sleep sixteen hours a day. They hunt at dawn and dusk."
DOGS = "Dogs bark at strangers. A dog hears twice as well as a person."
BEES = "Bees dance to tell where the flowers are. One hive holds fifty thousand of them."
THREE = [fields("cats", CATS), fields("dogs", DOGS), fields("bees", BEES)]


def ingest(
    home: Path, embedder: Embedder, lines: list[dict[str, Any]], *,
    prune: bool = False, size: ChunkSize | None = None,
) -> Report:  # fmt: skip
    path = write_lines(home / "in.jsonl", lines)
    return indexer(home, embedder, size=size).ingest(find_files([path]), Defaults(), prune=prune)


def counts(report: Report) -> tuple[int, int, int, int]:
    return report.added, report.updated, report.unchanged, report.removed


def opened(home: Path) -> Snapshot:
    return open_current(datanet_folder(home, "tales"))


def found(home: Path, embedder: Embedder, question: str) -> list[str]:
    hits = retrieve(opened(home), embedder, question, 3)
    return [hit.chunk.document.document_id for hit in hits]


def test_a_first_ingest_publishes_every_document(
    home: Path, embedder: SentenceTransformerEmbedder
) -> None:
    report = ingest(home, embedder, THREE)
    assert counts(report) == (3, 0, 0, 0)
    assert (report.chunks, report.chunks_embedded, report.refused) == (3, 3, [])
    assert stored_texts(home) == {"cats": CATS, "dogs": DOGS, "bees": BEES}
    assert report.snapshot == opened(home).manifest.snapshot_hex
    assert found(home, embedder, "How well do dogs hear?")[0] == "dogs"
    assert found(home, embedder, "How many insects live in a hive?")[0] == "bees"


class Telling(WordEmbedder):
    """Tells when texts come for the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.called = Event()

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        self.called.set()
        return super().embed_documents(texts)


class Waiting:
    """A Reporter that lets the reading of files end only once an embedder was called."""

    def __init__(self, called: Event) -> None:
        self._called = called
        self.units: dict[str, list[int]] = {}

    def stage(self, name: str, total: int, unit: str) -> None:
        self._stage = name
        self.units[name] = [total, 0]

    def advance(self, units: int, note: str = "") -> None:
        self.units[self._stage][1] += units
        if self._stage == "reading":
            assert self._called.wait(60)


def test_several_blocks_are_embedded_beside_the_reading_and_in_its_order(home: Path) -> None:
    lines = [fields(f"d{i:04}", f"The word of this text is w{i}.") for i in range(1_300)]
    write_lines(home / "a.jsonl", lines[:600])
    write_lines(home / "b.jsonl", lines[600:])
    embedder = Telling()
    progress = Waiting(embedder.called)
    own = replace(indexer(home, embedder), report_to=progress)
    report = own.ingest(find_files([home / "a.jsonl", home / "b.jsonl"]), Defaults())
    assert (report.chunks, report.chunks_embedded) == (1_300, 1_300)
    assert progress.units["embedding"] == [1_300, 1_300]
    snapshot = opened(home)
    rows = sorted(snapshot.catalogue.chunks(), key=lambda row: row.chunk_id)
    assert [row.document_id for row in rows] == [line["id"] for line in lines]
    for row in rows[::50]:
        (score,) = snapshot.vectors.scores_of(
            embedder.embed_question(f"The word of this text is w{row.chunk_id}."),
            np.array([row.chunk_id], np.int64),
        )
        assert score == pytest.approx(1.0, abs=1e-2)
    assert own.ingest(find_files([home / "a.jsonl", home / "b.jsonl"]), Defaults()).unchanged == (
        1_300
    )


def test_a_rerun_embeds_nothing_and_publishes_nothing(home: Path) -> None:
    first = ingest(home, WordEmbedder(), THREE)
    again = ingest(home, WordEmbedder(), THREE)
    assert counts(again) == (0, 0, 3, 0)
    assert (again.chunks, again.chunks_embedded, again.snapshot) == (3, 0, first.snapshot)


def test_a_changed_text_replaces_the_old_one_and_only_it_is_embedded(
    home: Path, embedder: SentenceTransformerEmbedder
) -> None:
    ingest(home, embedder, THREE)
    report = ingest(home, embedder, [fields("cats", "Cats purr when content."), *THREE[1:]])
    assert counts(report) == (0, 1, 2, 0)
    assert (report.chunks, report.chunks_embedded) == (3, 1)
    assert stored_texts(home)["cats"] == "Cats purr when content."
    assert found(home, embedder, "When do cats purr?")[0] == "cats"
    snapshot = opened(home)
    assert snapshot.lexical.search("sixteen hours", 9) == []
    assert [pair[0] for pair in snapshot.lexical.search("purr", 9)] == [
        row.chunk_id for row in snapshot.catalogue.chunks() if row.document_id == "cats"
    ]


def test_new_title_licence_and_contributors_embed_nothing(home: Path) -> None:
    ingest(home, WordEmbedder(), THREE)
    both = [{"address": ALICE, "share_bps": 1}, {"address": BOB, "share_bps": 9_999}]
    changed = fields("cats", CATS, title="Felidae", license="MIT", contributors=both)
    report = ingest(home, WordEmbedder(), [changed, *THREE[1:]])
    assert counts(report) == (0, 1, 2, 0)
    assert report.chunks_embedded == 0
    snapshot = opened(home)
    document = snapshot.catalogue.document("cats")
    assert (document.title, document.license) == ("Felidae", "MIT")
    assert [c.share_bps for c in document.contributors] == [1, 9_999]
    assert len(snapshot.lexical.search("felidae", 9)) == 1
    assert stored_texts(home) == {"cats": CATS, "dogs": DOGS, "bees": BEES}


def test_an_added_document_leaves_the_others_findable(
    home: Path, embedder: SentenceTransformerEmbedder
) -> None:
    ingest(home, embedder, THREE[:2])
    before = {row.chunk_id for row in opened(home).catalogue.chunks()}
    report = ingest(home, embedder, THREE[2:])
    assert (report.added, report.removed, report.chunks, report.chunks_embedded) == (1, 0, 3, 1)
    assert before < {row.chunk_id for row in opened(home).catalogue.chunks()}
    for question, expected in [("sleep", "cats"), ("strangers", "dogs"), ("flowers", "bees")]:
        assert found(home, embedder, question)[0] == expected
    assert stored_texts(home) == {"cats": CATS, "dogs": DOGS, "bees": BEES}


def test_lexical_scores_do_not_depend_on_how_an_index_grew(tmp_path: Path) -> None:
    at_once, grown = tmp_path / "a", tmp_path / "b"
    at_once.mkdir()
    grown.mkdir()
    ingest(at_once, WordEmbedder(), THREE)
    for line in THREE:
        ingest(grown, WordEmbedder(), [line])
    for question in ("dogs hear", "cats hunt at dawn", "fifty thousand"):
        expected = opened(at_once).lexical.search(question, 9)
        assert opened(grown).lexical.search(question, 9) == expected != []


def test_prune_removes_what_the_input_no_longer_has(home: Path) -> None:
    ingest(home, WordEmbedder(), THREE)
    assert counts(ingest(home, WordEmbedder(), THREE[:1])) == (0, 0, 1, 0)
    report = ingest(home, WordEmbedder(), THREE[:1], prune=True)
    assert counts(report) == (0, 0, 1, 2)
    assert stored_texts(home) == {"cats": CATS}


def test_prune_keeps_a_document_that_is_there_but_refused(home: Path) -> None:
    ingest(home, WordEmbedder(), THREE)
    report = ingest(home, WordEmbedder(), [fields("cats", CATS, license=None)], prune=True)
    assert (report.removed, report.refused) == (2, [{"id": "cats", "reason": "no licence"}])
    assert stored_texts(home) == {"cats": CATS}


def test_prune_removes_nothing_where_some_input_cannot_be_read(home: Path) -> None:
    ingest(home, WordEmbedder(), THREE)
    path = write_lines(home / "in.jsonl", THREE[:1])
    path.write_text(path.read_text() + "{broken\n")
    report = indexer(home, WordEmbedder()).ingest(find_files([path]), Defaults(), prune=True)
    assert (report.removed, report.prune_skipped, len(report.refused)) == (0, True, 1)
    assert len(stored_texts(home)) == 3


def test_removed_documents_are_gone_and_their_text_stays_readable_by_its_hash(home: Path) -> None:
    ingest(home, WordEmbedder(), THREE)
    report = indexer(home, WordEmbedder()).remove(["dogs"])
    assert (report.removed, report.unchanged, report.chunks) == (1, 2, 2)
    assert stored_texts(home) == {"cats": CATS, "bees": BEES}
    assert opened(home).lexical.search("strangers", 9) == []
    assert Texts(datanet_folder(home, "tales").texts).get(version_of(DOGS)) == DOGS
    with pytest.raises(NotFound, match="no document 'dogs'"):
        indexer(home, WordEmbedder()).remove(["cats", "dogs"])
    assert set(stored_texts(home)) == {"cats", "bees"}


def test_a_datanet_without_any_document_left_can_still_be_asked(home: Path) -> None:
    ingest(home, WordEmbedder(), THREE)
    indexer(home, WordEmbedder()).remove(["cats", "dogs", "bees"])
    assert retrieve(opened(home), WordEmbedder(), "Where do cats sleep?", 8) == []


def test_a_removed_document_that_returns_embeds_nothing(home: Path) -> None:
    ingest(home, WordEmbedder(), THREE)
    indexer(home, WordEmbedder()).remove(["dogs"])
    report = ingest(home, WordEmbedder(), THREE)
    assert (report.added, report.unchanged, report.chunks_embedded) == (1, 2, 0)


def test_rebuild_indexes_the_stored_text_and_embeds_nothing_that_is_cached(home: Path) -> None:
    first = ingest(home, WordEmbedder(), THREE)
    report = indexer(home, WordEmbedder()).rebuild()
    assert (report.unchanged, report.chunks, report.chunks_embedded) == (3, 3, 0)
    assert report.snapshot != first.snapshot
    assert stored_texts(home) == {"cats": CATS, "dogs": DOGS, "bees": BEES}


def test_without_the_cache_everything_is_embedded_again(home: Path) -> None:
    ingest(home, WordEmbedder(), THREE[:2])
    for file in (home / "cache").iterdir():
        file.unlink()
    report = ingest(home, WordEmbedder(), THREE)
    assert (report.added, report.chunks_embedded) == (1, 3)
    assert len(stored_texts(home)) == 3


def test_refused_documents_never_stop_the_others(home: Path) -> None:
    lines = [
        fields("none", ""),
        fields("cats", CATS),
        fields("unpaid", "Text.", contributors=[]),
        fields("odd", "Text.", title="two\nlines"),
        fields("dogs", DOGS),
    ]
    report = ingest(home, WordEmbedder(), lines)
    assert counts(report) == (2, 0, 0, 0)
    assert report.refused == [
        {"id": "none", "reason": "no text"},
        {"id": "unpaid", "reason": "contributors must be a list of at least one"},
        {"id": "odd", "reason": "its title is not one line of text"},
    ]
    assert stored_texts(home) == {"cats": CATS, "dogs": DOGS}


def test_one_id_twice_in_a_run_is_refused_where_it_says_something_else(home: Path) -> None:
    lines = [
        fields("cats", CATS),
        fields("cats", CATS),
        fields("cats", "Something else."),
        fields("cats", CATS, contributors=[{"address": BOB, "share_bps": 10_000}]),
    ]
    report = ingest(home, WordEmbedder(), lines)
    assert counts(report) == (1, 0, 0, 0)
    assert report.refused == [
        {"id": "cats", "reason": "one id twice with different text"},
        {"id": "cats", "reason": "one id twice with different fields"},
    ]
    (contributor,) = opened(home).catalogue.document("cats").contributors
    assert contributor.address.hex() == ALICE[2:]
    assert stored_texts(home) == {"cats": CATS}


def test_a_version_refused_in_a_later_run_leaves_the_published_one(home: Path) -> None:
    ingest(home, WordEmbedder(), THREE)
    report = ingest(home, WordEmbedder(), [fields("cats", "New.", contributors=[]), *THREE[1:]])
    assert (report.updated, report.unchanged, len(report.refused)) == (0, 2, 1)
    assert stored_texts(home)["cats"] == CATS


def test_another_chunk_size_or_model_indexes_everything_again(home: Path) -> None:
    ingest(home, WordEmbedder(), THREE)
    smaller = ingest(home, WordEmbedder(), THREE, size=ChunkSize(8, 2, 4))
    assert (smaller.unchanged, smaller.chunks > 3, smaller.chunks_embedded > 0) == (3, True, True)
    assert stored_texts(home) == {"cats": CATS, "dogs": DOGS, "bees": BEES}
    other = ingest(home, WordEmbedder("others"), [], size=ChunkSize(8, 2, 4))
    assert (other.chunks, other.chunks_embedded) == (smaller.chunks, smaller.chunks)
    assert opened(home).manifest.embedder["model"] == "others"


def test_a_second_ingest_of_one_datanet_is_told_to_wait(home: Path) -> None:
    folder = datanet_folder(home, "tales")
    folder.path.mkdir(parents=True)
    with FileLock(folder.lock), pytest.raises(Busy, match="another process is ingesting") as caught:
        ingest(home, WordEmbedder(), THREE)
    assert caught.value.exit_code == 75
    assert ingest(home, WordEmbedder(), THREE).added == 3


def test_an_ingest_killed_while_it_made_the_text_store_does_no_harm(home: Path) -> None:
    folder = datanet_folder(home, "tales")
    folder.path.mkdir(parents=True)
    sqlite3.connect(folder.texts).close()
    folder.texts.touch()
    assert ingest(home, WordEmbedder(), THREE).added == 3
    assert len(stored_texts(home)) == 3


def test_a_damaged_catalogue_is_never_built_upon(home: Path) -> None:
    """A flipped bit in an address would otherwise be published again under a fresh hash."""
    ingest(home, WordEmbedder(), THREE[:2])
    good = opened(home).manifest
    ingest(home, WordEmbedder(), [*THREE[:2], fields("ants", "Ants march in a line.")])
    newest = datanet_folder(home, "tales").snapshots / opened(home).manifest.folder_name
    catalogue = (newest / CATALOGUE).read_bytes()
    address = bytes.fromhex(ALICE[2:])
    assert address in catalogue
    (newest / CATALOGUE).write_bytes(catalogue.replace(address, b"\x66" * 20))
    assert opened(home).manifest == good
    report = ingest(home, WordEmbedder(), THREE)
    assert (report.added, report.unchanged) == (1, 2)
    paid = {c.address for d in opened(home).catalogue.documents() for c in d.contributors}
    assert paid == {address}


def test_a_damaged_lexical_index_is_never_built_upon(home: Path) -> None:
    ingest(home, WordEmbedder(), THREE[:2])
    snapshot = datanet_folder(home, "tales").snapshots / opened(home).manifest.folder_name
    for file in (snapshot / LEXICAL).glob("*.term"):
        file.write_bytes(bytes(file.stat().st_size))
    ingest(home, WordEmbedder(), THREE)
    assert len(opened(home).lexical.search("strangers", 9)) == 1
    assert len(stored_texts(home)) == 3


def test_rebuild_mends_a_snapshot_whose_vectors_are_damaged(home: Path) -> None:
    ingest(home, WordEmbedder(), THREE)
    snapshot = datanet_folder(home, "tales").snapshots / opened(home).manifest.folder_name
    (snapshot / "vectors.faiss").write_bytes(b"")
    with pytest.raises(Broken, match="no snapshot of tales is whole"):
        opened(home)
    assert indexer(home, WordEmbedder()).rebuild().chunks == 3
    assert len(stored_texts(home)) == 3


@pytest.mark.parametrize("damage", ["manifest", "catalogue", "pointer", "empty pointer"])
def test_where_nothing_is_whole_nothing_is_published_in_its_place(home: Path, damage: str) -> None:
    ingest(home, WordEmbedder(), THREE)
    folder = datanet_folder(home, "tales")
    snapshot = folder.snapshots / opened(home).manifest.folder_name
    pointer = folder.current.read_bytes()
    match damage:
        case "manifest":
            (snapshot / MANIFEST).write_bytes(b"{}")
        case "catalogue":
            (snapshot / CATALOGUE).write_bytes(b"")
        case "pointer":
            folder.current.write_bytes(b"\xff\x00" + pointer[2:])
        case _:
            folder.current.write_bytes(b"")
    for work in (
        lambda: indexer(home, WordEmbedder()).rebuild(),
        lambda: ingest(home, WordEmbedder(), THREE[:1], prune=True),
        lambda: current_manifest(folder),
        lambda: opened(home),
    ):
        with pytest.raises(Broken, match="no snapshot of tales is whole"):
            work()
    assert snapshot.is_dir()


def test_two_datanets_do_not_know_each_other(home: Path) -> None:
    path = write_lines(home / "in.jsonl", THREE)
    for name, prune in (("tales", False), ("other", True)):
        worker = indexer(home, WordEmbedder(), datanet=name)
        assert worker.ingest(find_files([path]), Defaults(), prune=prune).added == 3
    indexer(home, WordEmbedder(), datanet="other").remove(["cats"])
    assert set(stored_texts(home)) == {"cats", "dogs", "bees"}
    assert set(stored_texts(home, "other")) == {"dogs", "bees"}


def test_a_cache_that_cannot_be_used_says_what_to_do(home: Path) -> None:
    cache = home / "cache" / "embeddings.sqlite"
    cache.mkdir(parents=True)
    with pytest.raises(Unavailable, match="the embedding cache cannot be opened"):
        ingest(home, WordEmbedder(), THREE)
    cache.rmdir()
    cache.write_bytes(b"no database" * 1_000)
    with pytest.raises(Broken, match=r"delete embeddings\.sqlite"):
        ingest(home, WordEmbedder(), THREE)


def test_what_embeds_nothing_needs_no_cache(home: Path) -> None:
    ingest(home, WordEmbedder(), THREE)
    (home / "cache" / "embeddings.sqlite").write_bytes(b"no database" * 1_000)
    assert ingest(home, WordEmbedder(), THREE).unchanged == 3
    with pytest.raises(NotFound):
        indexer(home, WordEmbedder()).remove(["unknown"])


class Failing(WordEmbedder):
    """Fails at the ``at``-th call."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._left = at

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        self._left -= 1
        if self._left == 0:
            raise RuntimeError("out of memory")
        return super().embed_documents(texts)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_block_that_cannot_be_embedded_ends_an_ingest_and_leaves_nothing_behind(
    home: Path, at: int
) -> None:
    lines = [fields(f"d{i:04}", f"The word of this text is w{i}.") for i in range(1_100)]
    with pytest.raises(RuntimeError, match="out of memory"):
        ingest(home, Failing(at), lines)
    snapshots = datanet_folder(home, "tales").snapshots
    assert not snapshots.exists() or list(snapshots.iterdir()) == []
    assert ingest(home, WordEmbedder(), lines).chunks_embedded == 1_100 - 512 * (at - 1)


class Interrupting(Waiting):
    """A Reporter that ends the ingest when the first file was read."""

    def advance(self, units: int, note: str = "") -> None:
        super().advance(units, note)
        raise KeyboardInterrupt


def test_what_was_being_embedded_when_an_ingest_was_interrupted_is_kept(home: Path) -> None:
    lines = [fields(f"d{i:04}", f"The word of this text is w{i}.") for i in range(600)]
    path = write_lines(home / "in.jsonl", lines)
    embedder = Telling()
    own = replace(indexer(home, embedder), report_to=Interrupting(embedder.called))
    with pytest.raises(KeyboardInterrupt):
        own.ingest(find_files([path]), Defaults())
    until = time.monotonic() + 60
    while kept(home) < 512 and time.monotonic() < until:
        time.sleep(0.01)
    assert ingest(home, WordEmbedder(), lines).chunks_embedded == 600 - 512


def kept(home: Path) -> int:
    """How many vectors are in the cache."""
    with closing(sqlite3.connect(home / "cache" / "embeddings.sqlite", timeout=60)) as cache:
        (count,) = cache.execute("SELECT count(*) FROM embeddings").fetchone()
    return int(count)


def test_another_size_of_chunks_numbers_what_was_there_before_what_is_new(home: Path) -> None:
    ingest(home, WordEmbedder(), THREE)
    more = [fields(f"d{i:04}", f"The word of this text is w{i}.") for i in range(600)]
    ingest(home, WordEmbedder(), more, size=ChunkSize(30, 2, 4))
    rows = sorted(opened(home).catalogue.chunks(), key=lambda row: row.chunk_id)
    assert list(dict.fromkeys(row.document_id for row in rows)) == [
        *sorted(line["id"] for line in THREE), *(line["id"] for line in more),
    ]  # fmt: skip


def test_a_damaged_vector_of_the_cache_reaches_no_snapshot(home: Path) -> None:
    ingest(home, WordEmbedder(), THREE)
    cache = sqlite3.connect(home / "cache" / "embeddings.sqlite")
    with cache:
        cache.execute("UPDATE embeddings SET vector = zeroblob(length(vector))")
    cache.close()
    with pytest.raises(Broken, match="the embedding cache is damaged"):
        indexer(home, WordEmbedder()).rebuild()
    assert set(stored_texts(home)) == {"cats", "dogs", "bees"}, "the old snapshot still answers"
