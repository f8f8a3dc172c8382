"""A model's output that arrives in pieces is read as it is when whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.reading.claims import ClaimReader, Event, ReadClaim, ReadOutput, folded, read_output
from tests.corpus import TEXTS

KNOWN = range(1, 9)
_PIECES = """
a The quokka e.g. Dr. 3.14 1998 U.S. cafe\u0301 👩‍👩‍👧 مرحبا؟ 日本語。 हिन्दी। . ! ? … , ; : ( ) [1]
[2,3] [[1]] 【1】 【4:0†source】 [source [Source␠1:␠x (source␠2) <source␠1> ¹ ² [^1]: <sup>[1]</sup>
(http://a) # - * 1. 2) > | |a|b| === --- ``` ~~~ ` `` \\ \\sqrt Sources: References αβ;
""".replace("␠", "\u2420").split()
_WHITE = [
    " ",
    " ",
    "  ",
    "\n",
    "\n",
    "\r\n",
    "\r",
    "\n\n",
    "\t",
    "\u2028",
    "\u3000",
    "\x0b",
    "\x85",
]
OUTPUTS = st.one_of(
    TEXTS,
    st.lists(
        st.sampled_from([piece.replace("\u2420", " ") for piece in _PIECES] + _WHITE * 2),
        max_size=80,
    ).map("".join),
)


def stream(pieces: list[str]) -> tuple[list[list[Event]], ReadOutput]:
    """What each piece settled, with what the end did last; and the whole of it."""
    reader = ClaimReader(KNOWN)
    events = [reader.feed(piece) for piece in pieces]
    events.append(reader.finish())
    return events, folded([event for one in events for event in one], reader.removed)


@st.composite
def cut(draw: st.DrawFn) -> list[str]:
    """An output in pieces."""
    text = draw(OUTPUTS)
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=9)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


@given(cut())
def test_however_a_text_is_cut_its_stream_is_read_as_the_whole(pieces: list[str]) -> None:
    _, streamed = stream(pieces)
    assert streamed == read_output("".join(pieces), KNOWN)


@given(OUTPUTS)
def test_a_text_that_comes_by_single_characters_is_read_as_the_whole(text: str) -> None:
    _, streamed = stream(list(text))
    assert streamed == read_output(text, KNOWN)


@given(cut())
def test_a_claim_is_told_just_when_the_text_so_far_ends_with_it(pieces: list[str]) -> None:
    told = expected = ""
    for event in [event for one in stream(pieces)[0] for event in one]:
        if isinstance(event, ReadClaim):
            expected += event.before + event.text
            assert told == expected
        else:
            told += event
    assert told.startswith(expected)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("The sky is", "The sky is"),
        ("The sky is blue [", "The sky is blue"),
        ("The sky is blue [1", "The sky is blue"),
        ("The sky is blue [sour", "The sky is blue"),
        ("The sky is blue [red", "The sky is blue [red"),
        ("The sky is blue.", "The sky is blue."),
        ("The sky is blue. It", "The sky is blue. It"),
        ("Use `a[3", "Use"),
        ("Use `a[3]` now", "Use `a[3]` now"),
        ("```\na[3", "```\na[3"),
        ("Sources are many", "Sources are many"),
        ("It is so.\nSources:\n[1] The", "It is so."),
        ("It is so.\nSources say", "It is so.\nSources say"),
        ("👩‍👩‍", "👩‍👩‍"),
    ],
)
def test_only_what_could_still_become_a_marker_is_held_back(text: str, told: str) -> None:
    reader = ClaimReader(KNOWN)
    events = [event for character in text for event in reader.feed(character)]
    assert "".join(event for event in events if isinstance(event, str)) == told


def test_a_claim_is_complete_with_the_first_letter_of_the_next() -> None:
    events, _ = stream(list("Dr. Moe is in. [1] We wait"))
    claims = [(i, e) for i, one in enumerate(events) for e in one if isinstance(e, ReadClaim)]
    assert claims == [
        (len("Dr. Moe is in. [1] W") - 1, ReadClaim("Dr. Moe is in.", (1,))),
        (len("Dr. Moe is in. [1] We wait"), ReadClaim("We wait", (), " ")),
    ]


def test_the_end_releases_everything() -> None:
    for text in ("It is [1", "It is `so", "Dr.", "It is [source 1: never", "- ", "It.\nSources:"):
        reader = ClaimReader(KNOWN)
        events = reader.feed(text) + reader.finish()
        told = "".join(event for event in events if isinstance(event, str))
        assert told == text.strip()
