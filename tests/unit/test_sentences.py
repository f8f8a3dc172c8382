from __future__ import annotations

import time

import pytest
from hypothesis import given

from footnote.model import MAX_CITED_CODE_POINTS
from rag.text.sentences import Kind, sentences
from tests.corpus import TEXTS


def texts_of(text: str) -> list[str]:
    return [sentence.span.of(text) for sentence in sentences(text)]


@given(TEXTS)
def test_everything_but_white_space_lies_in_exactly_one_sentence(text: str) -> None:
    covered = [0] * len(text)
    end = 0
    for span in (sentence.span for sentence in sentences(text)):
        assert end <= span.start < span.end
        assert span.end - span.start <= MAX_CITED_CODE_POINTS
        piece = span.of(text)
        assert piece == piece.strip()
        assert piece
        end = span.end
        for i in range(span.start, span.end):
            covered[i] += 1
    assert all(covered[i] or text[i].isspace() for i in range(len(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One is here. Two is there.", ["One is here.", "Two is there."]),
        ("Is it? Yes! Fine…  Good.", ["Is it?", "Yes!", "Fine…", "Good."]),
        ("Pi is 3.14 today. End.", ["Pi is 3.14 today.", "End."]),
        ("Dr. Smith met Mr. Jones. They ate.", ["Dr. Smith met Mr. Jones.", "They ate."]),
        ("Use a list, e.g. Apples. Done.", ["Use a list, e.g. Apples.", "Done."]),
        ("J. R. R. Tolkien wrote it.", ["J. R. R. Tolkien wrote it."]),
        ('He said "stop." She went on.', ['He said "stop."', "She went on."]),
        ("It ended (at last.) Then rest.", ["It ended (at last.)", "Then rest."]),
        ("これは本です。あれはペンです。", ["これは本です。", "あれはペンです。"]),
        ("「はい。」と言った。", ["「はい。」", "と言った。"]),
        ("यह एक है। वह दो है।", ["यह एक है।", "वह दो है।"]),
        ("ما هذا؟ هذا كتاب.", ["ما هذا؟", "هذا كتاب."]),
        ("Τι είναι αυτό; Μια καμπάνα.", ["Τι είναι αυτό;", "Μια καμπάνα."]),
        ("Τι είναι\u037e Μια καμπάνα.", ["Τι είναι\u037e", "Μια καμπάνα."]),
        ("Զանգը հին է։ Այն բարձր է։", ["Զանգը հին է։", "Այն բարձր է։"]),
        ("ደወሉ አሮጌ ነው። ይጮኻል።", ["ደወሉ አሮጌ ነው።", "ይጮኻል።"]),
        ("Set α; then β follows. End.", ["Set α; then β follows.", "End."]),
        ("A line\nthat wraps. And\r\nanother.", ["A line\nthat wraps.", "And\r\nanother."]),
        ("Visit example.com for more. Bye.", ["Visit example.com for more.", "Bye."]),
        ("First paragraph\n\nSecond one", ["First paragraph", "Second one"]),
        ("", []),
        (" \n\t\r\n ", []),
    ],
)
def test_prose_is_cut_where_a_reader_would(text: str, expected: list[str]) -> None:
    assert texts_of(text) == expected


def test_headings_lists_tables_and_code_are_told_from_prose() -> None:
    text = (
        "# A title\n\nSome prose here.\n\n- one item\n- two items\n\n| a | b |\n|---|---|\n\n"
        "```\ncode. More code.\n\nstill code\n```\n\nLast words."
    )
    assert [(s.kind, s.span.of(text)) for s in sentences(text)] == [
        (Kind.HEADING, "# A title"),
        (Kind.PROSE, "Some prose here."),
        (Kind.LIST, "- one item"),
        (Kind.LIST, "- two items"),
        (Kind.TABLE, "| a | b |\n|---|---|"),
        (Kind.CODE, "```\ncode. More code.\n\nstill code\n```"),
        (Kind.PROSE, "Last words."),
    ]


def test_a_title_and_its_underline_are_one_heading() -> None:
    text = "Intro text.\n\nMotivation\n==========\n\nIt was needed."
    assert [(s.kind, s.span.of(text)) for s in sentences(text)] == [
        (Kind.PROSE, "Intro text."),
        (Kind.HEADING, "Motivation\n=========="),
        (Kind.PROSE, "It was needed."),
    ]


def test_a_sentence_too_long_to_cite_is_cut_at_a_soft_break() -> None:
    text = "word, " * 400 + "end."
    pieces = texts_of(text)
    assert all(len(piece) <= MAX_CITED_CODE_POINTS for piece in pieces)
    assert all(piece.endswith((",", ".")) for piece in pieces)
    assert " ".join(pieces) == text


def test_a_word_without_any_break_is_cut_at_the_limit() -> None:
    assert [len(piece) for piece in texts_of("x" * 2_500)] == [1_000, 1_000, 500]


@pytest.mark.parametrize(
    "text",
    [
        "." * 100_000 + "x",
        "a" + ("." * 200 + '"' * 200 + "x") * 300,
        " " * 100_000 + "x",
        "|" * 100_000 + "x",
        "# " * 50_000,
        "\n" * 100_000 + "x",
        "```\n" * 25_000,
        "a. " * 33_000,
    ],
    ids=["dots", "quotes", "spaces", "bars", "hashes", "lines", "fences", "short"],
)
def test_no_text_makes_splitting_slower_than_its_length(text: str) -> None:
    began = time.process_time()
    sentences(text)
    assert time.process_time() - began < 3
