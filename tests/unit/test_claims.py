from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.claims import ReadClaim, ReadOutput, read_output
from tests.corpus import TEXTS

KNOWN = range(1, 9)


def read(text: str) -> list[tuple[str, tuple[int, ...]]]:
    return [(claim.text, claim.numbers) for claim in read_output(text, KNOWN).claims]


@given(TEXTS, st.sets(st.integers(0, 30)))
def test_any_text_is_read_without_an_error_and_names_only_known_sources(
    text: str, known: set[int]
) -> None:
    output = read_output(text, known)
    assert output.removed >= 0
    for claim in output.claims:
        assert claim.text.strip() == claim.text != ""
        assert set(claim.numbers) <= known
        assert len(set(claim.numbers)) == len(claim.numbers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The sky is blue [1].", [("The sky is blue.", (1,))]),
        ("The sky is blue. [1]", [("The sky is blue.", (1,))]),
        ("The sky is blue.[1] It is high.[2]", [("The sky is blue.", (1,)), ("It is high.", (2,))]),
        ("Both agree [1,2].", [("Both agree.", (1, 2))]),
        ("Both agree [1, 3].", [("Both agree.", (1, 3))]),
        ("All agree [1-3].", [("All agree.", (1, 2, 3))]),
        ("All agree [2–4; 6].", [("All agree.", (2, 3, 4, 6))]),
        ("Twice [1][2].", [("Twice.", (1, 2))]),
        ("Once [1][1].", [("Once.", (1,))]),
        ("Doubled [[1]].", [("Doubled.", (1,))]),
        ("全角です【1】。", [("全角です。", (1,))]),
        ("Glued to a word[2].", [("Glued to a word.", (2,))]),
        ("It began in 2019[3].", [("It began in 2019.", (3,))]),
        ("The year [1998] stays.", [("The year [1998] stays.", ())]),
        ("Not one [a], [ ] or [].", [("Not one [a], [ ] or [].", ())]),
        ("[1] The first one.", [("The first one.", (1,))]),
        ("First. [1]\n\nSecond [2].", [("First.", (1,)), ("Second.", (2,))]),
    ],
)
def test_markers_are_read_as_models_write_them(
    text: str, expected: list[tuple[str, tuple[int, ...]]]
) -> None:
    assert read(text) == expected


def test_a_marker_that_resolves_to_nothing_is_removed_and_counted() -> None:
    assert read_output("So it is [9][2, 77]. Nothing else [0].", KNOWN) == ReadOutput(
        (ReadClaim("So it is.", (2,)), ReadClaim("Nothing else.", ())), 3
    )


def test_markers_without_a_sentence_are_counted_as_removed() -> None:
    assert read_output("[1] [2]", KNOWN) == ReadOutput((), 2)


def test_a_range_that_runs_backwards_or_too_far_gives_its_ends_only() -> None:
    assert read_output("Odd [3-1].", KNOWN).claims[0].numbers == (3, 1)
    far = read_output("Far [1-100].", KNOWN)
    assert (far.claims[0].numbers, far.removed) == ((1,), 1)


def test_a_heading_is_no_claim() -> None:
    assert read("# The answer\n\nIt works [1].") == [("It works.", (1,))]


@pytest.mark.parametrize(
    "text",
    [
        " " * 100_000 + "x",
        "[" * 100_000,
        "[1 " * 33_000,
        "[1," * 33_000,
        "[1] " * 25_000,
        "【1-" * 25_000,
        "a [1]. " * 14_000,
    ],
    ids=["spaces", "open", "halves", "lists", "markers", "wide", "claims"],
)
def test_no_output_makes_reading_slower_than_its_length(text: str) -> None:
    began = time.process_time()
    read_output(text, KNOWN)
    assert time.process_time() - began < 3
