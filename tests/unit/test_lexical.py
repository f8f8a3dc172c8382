from __future__ import annotations

import math
from pathlib import Path

import pytest
import tantivy
from hypothesis import given
from hypothesis import strategies as st

from footnote.errors import Broken, Unavailable
from rag.index.lexical import LexicalEntry, LexicalIndex, content_terms, terms
from tests.corpus import TEXTS

ENTRIES = [
    LexicalEntry(10, "Transient storage", "Opcodes for storage that is cleared after each call."),
    LexicalEntry(3, "Fees", "A base fee is burned; the caller pays the miner a tip."),
    LexicalEntry(7, "Accounts", "An account may hold code and storage, called by others."),
]


@pytest.fixture
def index(tmp_path: Path) -> LexicalIndex:
    LexicalIndex.write(tmp_path / "lexical", ENTRIES)
    return LexicalIndex.open(tmp_path / "lexical")


def test_words_are_compared_by_their_stems_without_case_or_accents() -> None:
    assert terms("Calling CALLED calls naïve") == ["call", "call", "call", "naiv"]


def test_a_question_is_its_words_that_carry_meaning_each_once() -> None:
    assert content_terms("What is the fee of a fee?") == ["fee"]
    assert content_terms("Who are you?") == ["who", "are", "you"]
    assert content_terms("…?") == []


def test_a_word_in_a_title_counts_too(index: LexicalIndex) -> None:
    found = index.search("transient storage", 5)
    assert [chunk_id for chunk_id, _ in found] == [10, 7]
    assert found[0][1] > found[1][1] > 0


def test_at_most_k_are_found_best_first(index: LexicalIndex) -> None:
    assert len(index.search("call storage fee", 9)) == 3
    assert index.search("call storage fee", 1) == index.search("call storage fee", 9)[:1]
    assert index.search("zebra", 9) == []
    assert len(index) == 3


@given(TEXTS | st.sampled_from(['text:fee AND "', "title:(", "fee*", "fee~2", "[a TO b]", "\\"]))
def test_no_question_is_a_syntax_error(
    tmp_path_factory: pytest.TempPathFactory, question: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-question"
    if not folder.exists():
        LexicalIndex.write(folder, ENTRIES)
    found = LexicalIndex.open(folder).search(question, 9)
    assert {chunk_id for chunk_id, _ in found} <= {3, 7, 10}


def test_equal_scores_stand_by_the_lower_id(tmp_path: Path) -> None:
    LexicalIndex.write(tmp_path, [LexicalEntry(i, "T", "the same words") for i in (9, 4, 7)])
    assert [i for i, _ in LexicalIndex.open(tmp_path).search("words", 9)] == [4, 7, 9]


def test_rarity_is_the_inverse_document_frequency(index: LexicalIndex) -> None:
    assert index.rarity("storag") == pytest.approx(math.log(1 + 1.5 / 2.5) / math.log(8))
    assert index.rarity("fee") == pytest.approx(math.log(1 + 2.5 / 1.5) / math.log(8))
    assert index.rarity("zebra") == 1.0


def test_a_folder_that_is_no_index_is_broken(tmp_path: Path) -> None:
    with pytest.raises(Broken) as caught:
        LexicalIndex.open(tmp_path)
    assert caught.value.code == "index-corrupt"


def test_an_index_that_cannot_be_written_is_told_as_such(tmp_path: Path) -> None:
    LexicalIndex.write(tmp_path, ENTRIES)
    holder = tantivy.Index.open(str(tmp_path)).writer(20_000_000, 1)
    with pytest.raises(Unavailable, match="a lexical index cannot be written"):
        LexicalIndex.write(tmp_path, ENTRIES)
    del holder
