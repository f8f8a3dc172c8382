from __future__ import annotations

from footnote.model import Chunk, Document, Hit, Span
from rag.retrieval.passages import distinct, joined
from tests.corpus import document, hit

TEXT = "The quokka sleeps all day.\n\nIt eats leaves at night. Then it walks home. The end is near."


def part(of: Document, text: str, start: int, end: int, chunk_id: int, rank: int) -> Hit:
    made = hit(text[start:end], of=of, start=start, chunk_id=chunk_id, rank=rank)
    assert isinstance(made.chunk, Chunk)
    return made


def test_neighbouring_chunks_become_one_at_the_better_rank() -> None:
    of = document("d", TEXT)
    early, late = part(of, TEXT, 0, 26, 1, 3), part(of, TEXT, 28, 52, 2, 1)
    far = part(of, TEXT, 71, len(TEXT), 3, 2)
    one, two = joined([late, far, early], lambda version: TEXT)
    assert (one.chunk.span, one.rank) == (Span(0, 52), 1)
    assert one.chunk.text == TEXT[0:52] == one.chunk.span.of(TEXT)
    assert two == far


def test_chunks_that_overlap_are_joined_without_repeating() -> None:
    of = document("d", TEXT)
    (one,) = joined(
        [part(of, TEXT, 0, 52, 1, 1), part(of, TEXT, 28, 70, 2, 2)], lambda version: TEXT
    )
    assert one.chunk.text == TEXT[:70]


def test_chunks_of_different_documents_are_never_joined() -> None:
    one, other = document("one", TEXT), document("other", TEXT)
    hits = [part(one, TEXT, 0, 26, 1, 1), part(other, TEXT, 28, 52, 2, 2)]
    assert joined(hits, lambda version: TEXT) == hits


def test_near_identical_chunks_of_other_documents_are_shown_once() -> None:
    words = [f"word{i}" for i in range(60)]
    changed = [*words[:59], "other"]
    first = hit(" ".join(words), of=document("first", ""))
    copy = hit(" ".join(changed).upper(), of=document("copy", ""), chunk_id=1, rank=2)
    own = hit(" ".join(reversed(words)), of=document("own", ""), chunk_id=2, rank=3)
    assert distinct([first, copy, own]) == [first, own]
    assert distinct([copy, first, own]) == [copy, own]


def test_a_document_may_repeat_itself() -> None:
    of = document("d", "")
    hits = [hit("The same words here.", of=of), hit("The same words here.", of=of, chunk_id=1)]
    assert distinct(hits) == hits


def test_a_short_chunk_is_no_part_of_a_long_one_by_chance() -> None:
    long = hit("The quokka eats leaves at night and sleeps by day on its island.")
    short = hit("Leaves fall at night.", of=document("e", ""), chunk_id=1, rank=2)
    assert distinct([long, short]) == [long, short]
