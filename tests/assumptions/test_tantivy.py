"""What ``rag.index.lexical`` takes for granted about tantivy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tantivy

from rag.index.lexical import LexicalEntry, LexicalIndex


def scores(folder: Path, word: str) -> dict[int, float]:
    return dict(LexicalIndex.open(folder).search(word, 99))


def test_segments_do_not_change_scores(tmp_path: Path) -> None:
    entries = [LexicalEntry(i, "T", "word " * (i + 1) + "filler " * (9 - i)) for i in range(8)]
    LexicalIndex.write(tmp_path / "one", entries)
    for entry in entries:
        LexicalIndex.write(tmp_path / "many", [entry])
    assert scores(tmp_path / "many", "word") == pytest.approx(scores(tmp_path / "one", "word"))


def test_no_lock_file_is_needed_to_read(tmp_path: Path) -> None:
    LexicalIndex.write(tmp_path, [LexicalEntry(1, "T", "word")])
    for lock in tmp_path.glob("*.lock"):
        lock.unlink()
    assert list(scores(tmp_path, "word")) == [1]


def test_a_reader_keeps_its_state_while_the_index_grows(tmp_path: Path) -> None:
    LexicalIndex.write(tmp_path, [LexicalEntry(1, "T", "word")])
    reader = LexicalIndex.open(tmp_path)
    LexicalIndex.write(tmp_path, [LexicalEntry(2, "T", "word")])
    assert [i for i, _ in reader.search("word", 9)] == [1]
    assert set(scores(tmp_path, "word")) == {1, 2}


def test_chunk_ids_up_to_63_bits_survive(tmp_path: Path) -> None:
    LexicalIndex.write(tmp_path, [LexicalEntry(2**63 - 1, "T", "word")])
    assert list(scores(tmp_path, "word")) == [2**63 - 1]


def test_an_analyzer_folds_accents_and_stems() -> None:
    builder: Any = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    builder = builder.filter(tantivy.Filter.lowercase()).filter(tantivy.Filter.ascii_fold())
    analyzer = builder.filter(tantivy.Filter.stemmer("english")).build()
    assert list(analyzer.analyze("Éléphants running")) == ["eleph", "run"]
