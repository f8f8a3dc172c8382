from __future__ import annotations

import pytest
from hypothesis import given

from rag.evidence import Calibration, Signals, find_evidence, signals
from tests.corpus import TEXTS, document, hit


def same(term: str) -> float:
    return 1.0


def rare(term: str) -> float:
    return {"quokka": 9.0}.get(term, 1.0)


def test_the_sentence_that_covers_the_question_comes_first() -> None:
    text = "Marsupials live in Australia. The quokka eats leaves at night. Few of them swim."
    found = find_evidence("What does the quokka eat?", [hit(text)], rare)
    assert found[0].text == "The quokka eats leaves at night."
    assert found[0].coverage == 1.0
    assert found[0].span.of(text) == found[0].text


def test_spans_lie_in_the_document_and_not_in_the_chunk() -> None:
    text = "Before. " * 10 + "The quokka eats leaves."
    chunk = hit(text[80:], start=80)
    (evidence,) = find_evidence("quokka", [chunk], rare)
    assert evidence.span.of(text) == evidence.text == "The quokka eats leaves."


@given(TEXTS)
def test_every_piece_of_evidence_is_cut_out_of_its_document(text: str) -> None:
    padded = "\n" * 7 + text
    for evidence in find_evidence("the quick one", [hit(text, start=7)], same):
        assert evidence.span.of(padded) == evidence.text
        assert 0 <= evidence.coverage <= 1
        assert 0 <= evidence.score <= 1


def test_a_sentence_that_two_chunks_share_is_evidence_once() -> None:
    of = document("d", "One is shared here now. Two is not shared here.")
    first = hit("Zero comes before them all. One is shared here now.", of=of)
    second = hit(
        "One is shared here now. Two is not shared here.", of=of, start=28, chunk_id=1, rank=2
    )
    found = find_evidence("shared", [first, second], same)
    assert sorted(e.text for e in found) == [
        "One is shared here now.", "Two is not shared here.", "Zero comes before them all.",
    ]  # fmt: skip


def test_headings_tables_code_and_scraps_are_no_evidence_beside_a_sentence() -> None:
    text = (
        "# The quokka heading is here\n\n| the quokka | table is here |\n\n"
        "```\nthe quokka code is here\n```\n\nQuokka!\n\n- The quokka list item counts.\n"
    )
    assert [e.text for e in find_evidence("quokka", [hit(text)], same)] == [
        "The quokka list item counts."
    ]


def test_a_chunk_without_any_sentence_offers_what_it_has() -> None:
    assert [e.text for e in find_evidence("quokka", [hit("# Quokka")], same)] == ["# Quokka"]


def test_words_of_the_title_count_half() -> None:
    text = "It eats leaves at night."
    titled = hit(text, of=document("d", text, title="Quokka"))
    (with_title,) = find_evidence("quokka leaves", [titled], same)
    (without,) = find_evidence("quokka leaves", [hit(text)], same)
    assert (with_title.coverage, without.coverage) == (0.75, 0.5)


def test_a_long_sentence_loses_to_a_short_one_that_says_as_much() -> None:
    long = "The quokka eats leaves " + "and so on " * 60 + "at night."
    short = "The quokka eats leaves."
    found = find_evidence("quokka leaves", [hit(f"{long} {short}")], same)
    assert found[0].text == short


def test_signals_are_the_best_of_all_hits() -> None:
    hits = [
        hit("The quokka sleeps by day. It eats many leaves.", dense=0.4),
        hit("A quokka eats leaves daily.", dense=0.6, chunk_id=1, rank=2),
    ]
    evidence = find_evidence("quokka leaves", hits, same)
    assert signals("quokka leaves", hits, evidence, same) == Signals(0.6, 1.0, 1.0)
    assert signals("quokka leaves", hits[:1], evidence[:0], same) == Signals(0.4, 1.0, 0.0)
    assert signals("quokka", [], [], same) == Signals(0.0, 0.0, 0.0)


def test_confidence_is_a_probability_that_grows_with_every_signal() -> None:
    calibration = Calibration()
    none = calibration.confidence(Signals(0, 0, 0))
    full = calibration.confidence(Signals(1, 1, 1))
    assert 0 < none < 0.01
    assert 0.99 < full < 1
    for better in (Signals(0.6, 0.5, 0.5), Signals(0.5, 0.6, 0.5), Signals(0.5, 0.5, 0.6)):
        assert calibration.confidence(better) > calibration.confidence(Signals(0.5, 0.5, 0.5))


@pytest.mark.parametrize("similarity", [-1.0, 0.0, 1.0])
def test_confidence_never_leaves_its_range(similarity: float) -> None:
    assert 0 <= Calibration().confidence(Signals(similarity, 1.0, 0.0)) <= 1


def test_the_fields_at_the_head_of_a_proposal_are_no_evidence_beside_a_sentence() -> None:
    text = "PEP: 8\nTitle: Style guide\nAuthor: Ada Lovelace\n\nThe author prefers four spaces.\n"
    found = find_evidence("Who is the author?", [hit(text)], same)
    assert [evidence.text for evidence in found] == ["The author prefers four spaces."]
