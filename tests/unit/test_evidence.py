from __future__ import annotations

from hypothesis import given

from footnote.model import Hit
from rag.retrieval.evidence import Evidence, find_evidence
from rag.retrieval.question import read_question
from tests.corpus import TEXTS, document, hit


def found_for(question: str, *hits: Hit) -> list[Evidence]:
    """The evidence where every word is as rare as any other."""
    return find_evidence(read_question(question, lambda term: 1.0), hits)


def test_the_sentence_that_covers_the_question_comes_first() -> None:
    text = "Marsupials live in Australia. The quokka eats leaves at night. Few of them swim."
    found = found_for("What does the quokka eat?", hit(text))
    assert found[0].text == "The quokka eats leaves at night."
    assert found[0].coverage == 1.0
    assert found[0].span.of(text) == found[0].text


def test_spans_lie_in_the_document_and_not_in_the_chunk() -> None:
    text = "Before. " * 10 + "The quokka eats leaves."
    chunk = hit(text[80:], start=80)
    (evidence,) = found_for("quokka", chunk)
    assert evidence.span.of(text) == evidence.text == "The quokka eats leaves."


@given(TEXTS)
def test_every_piece_of_evidence_is_cut_out_of_its_document(text: str) -> None:
    padded = "\n" * 7 + text
    for evidence in found_for("the quick one", hit(text, start=7)):
        assert evidence.span.of(padded) == evidence.text
        assert 0 <= evidence.coverage <= 1
        assert 0 <= evidence.score <= 1


def test_a_sentence_that_two_chunks_share_is_evidence_once() -> None:
    of = document("d", "One is shared here now. Two is not shared here.")
    first = hit("Zero comes before them all. One is shared here now.", of=of)
    second = hit(
        "One is shared here now. Two is not shared here.", of=of, start=28, chunk_id=1, rank=2
    )
    found = found_for("shared", first, second)
    assert sorted(e.text for e in found) == [
        "One is shared here now.", "Two is not shared here.", "Zero comes before them all.",
    ]  # fmt: skip


def test_headings_tables_code_and_scraps_are_no_evidence_beside_a_sentence() -> None:
    text = (
        "# The quokka heading is here\n\n| the quokka | table is here |\n\n"
        "```\nthe quokka code is here\n```\n\nQuokka!\n\n- The quokka list item counts.\n"
    )
    assert [e.text for e in found_for("quokka", hit(text))] == ["The quokka list item counts."]


def test_a_chunk_without_any_sentence_offers_what_it_has() -> None:
    assert [e.text for e in found_for("quokka", hit("# Quokka"))] == ["# Quokka"]


def test_words_of_the_title_count_half() -> None:
    text = "It eats leaves at night."
    titled = hit(text, of=document("d", text, title="Quokka"))
    (with_title,) = found_for("quokka leaves", titled)
    (without,) = found_for("quokka leaves", hit(text))
    assert (with_title.coverage, without.coverage) == (0.75, 0.5)


def test_a_long_sentence_loses_to_a_short_one_that_says_as_much() -> None:
    long = "The quokka eats leaves " + "and so on " * 60 + "at night."
    short = "The quokka eats leaves."
    found = found_for("quokka leaves", hit(f"{long} {short}"))
    assert found[0].text == short


def test_the_fields_at_the_head_of_a_proposal_are_no_evidence_beside_a_sentence() -> None:
    text = "PEP: 8\nTitle: Style guide\nAuthor: Ada Lovelace\n\nThe author prefers four spaces.\n"
    found = found_for("Who is the author?", hit(text))
    assert [evidence.text for evidence in found] == ["The author prefers four spaces."]


def test_a_sentence_with_the_kind_of_thing_that_is_asked_for_comes_first() -> None:
    text = "The quokka reserve was opened by the state. The quokka reserve was opened in 1917."
    assert found_for("When was the quokka reserve opened?", hit(text))[0].text.endswith("1917.")
    assert found_for("Was the quokka reserve opened?", hit(text))[0].text.endswith("state.")
