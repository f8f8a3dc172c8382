from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.splitter import ChunkSize, split_text
from rag.models.embedder import SentenceTransformerEmbedder
from tests.corpus import TEXTS


def words(text: str) -> Sequence[int]:
    return [match.start() for match in re.finditer(r"\S+", text)]


@given(TEXTS, st.integers(3, 40))
def test_chunks_cover_a_text_in_order_and_each_is_within_the_budget(text: str, budget: int) -> None:
    size = ChunkSize(budget=budget, overlap=budget // 4, minimum=budget // 3)
    spans = split_text(text, words, size)
    covered = [False] * len(text)
    for span in spans:
        chunk = text[span.start : span.end]
        assert chunk.strip() == chunk
        assert chunk
        assert sum(span.start <= start < span.end for start in words(text)) <= budget
        covered[span.start : span.end] = [True] * (span.end - span.start)
    assert all(done or character.isspace() for done, character in zip(covered, text, strict=True))
    assert spans == sorted(spans, key=lambda s: (s.start, s.end))
    assert len({(s.start, s.end) for s in spans}) == len(spans)


@settings(deadline=None, max_examples=60)
@given(TEXTS, st.integers(20, 80))
def test_a_chunk_fits_the_window_of_the_real_tokenizer(
    embedder: SentenceTransformerEmbedder, text: str, budget: int
) -> None:
    starts = embedder.token_starts(text)
    for span in split_text(text, embedder.token_starts, ChunkSize(budget, 10, 20)):
        inside = [start for start in starts if span.start <= start < span.end]
        assert len(inside) <= budget or len(set(inside)) == 1
        if len(inside) <= budget:
            assert len(embedder.token_starts(span.of(text))) <= embedder.window


def test_text_that_repeats_itself_gets_the_right_offset_every_time() -> None:
    text = "The same sentence again. " * 50
    spans = split_text(text, words, ChunkSize(budget=20, overlap=4, minimum=5))
    assert len(spans) > 10
    assert {span.of(text)[:24] for span in spans} == {"The same sentence again."}
    assert [span.start % 25 for span in spans] == [0] * len(spans)
    assert [b.start for b in spans[1:]] == [a.end - 24 for a in spans[:-1]]


def test_a_heading_opens_a_new_chunk_once_the_open_one_is_large_enough() -> None:
    text = "One two three four five six.\n\n# Next\n\nSeven eight."
    size = ChunkSize(budget=100, overlap=0, minimum=5)
    assert [s.of(text) for s in split_text(text, words, size)] == [
        "One two three four five six.",
        "# Next\n\nSeven eight.",
    ]
    assert len(split_text(text, words, ChunkSize(100, 0, 7))) == 1


def test_a_sentence_longer_than_the_budget_is_cut_between_tokens() -> None:
    text = " ".join(f"w{i}" for i in range(25))
    spans = split_text(text, words, ChunkSize(budget=10, overlap=3, minimum=2))
    assert [len(span.of(text).split()) for span in spans] == [10, 10, 5]


def test_a_short_last_sentence_is_repeated_and_a_long_one_is_not() -> None:
    text = "Alpha beta gamma delta epsilon. Short one. Eta theta iota kappa lambda mu."
    size = ChunkSize(budget=8, overlap=2, minimum=2)
    assert [s.of(text) for s in split_text(text, words, size)] == [
        "Alpha beta gamma delta epsilon. Short one.",
        "Short one. Eta theta iota kappa lambda mu.",
    ]
    assert [s.of(text) for s in split_text(text, words, ChunkSize(8, 1, 2))][1].startswith("Eta")


@pytest.mark.parametrize("text", ["", " ", "\r\n\t\u3000"])
def test_white_space_alone_has_no_chunks(text: str) -> None:
    assert split_text(text, words, ChunkSize()) == []


def test_a_code_point_of_several_tokens_is_never_cut(embedder: SentenceTransformerEmbedder) -> None:
    text = "\ufdfa " * 40  # one code point, four words when it is taken apart
    spans = split_text(text, embedder.token_starts, ChunkSize(budget=10, overlap=0, minimum=1))
    assert "".join(span.of(text) for span in spans).replace(" ", "") == "\ufdfa" * 40
