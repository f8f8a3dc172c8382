"""A reply's text as it grows."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from openlora.texts import GrowingText


def decode(tokens: Sequence[int]) -> str:
    """Bytes as tokens: a character may take up to four."""
    return bytes(tokens).decode(errors="replace")


def grown(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    growing = GrowingText(decode, stops)
    taken = ""
    for byte in text.encode():
        growing.add(byte)
        taken += growing.take()
        assert not any(stop in taken for stop in stops)
        assert "\ufffd" not in taken
        if growing.stopped:
            break
    growing.finish()
    return taken + growing.take(last=True), growing.stopped


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd")))
def test_pieces_are_whole_characters_and_together_the_text(text: str) -> None:
    assert grown(text, ()) == (text, False)


@given(st.text("abc", max_size=40), st.lists(st.text("abc", min_size=1, max_size=4), max_size=3))
def test_text_ends_before_the_first_stop_string(text: str, stops: list[str]) -> None:
    ends = {text.find(stop) + len(stop) for stop in stops if stop in text}
    if not ends:
        assert grown(text, stops) == (text, False)
        return
    said = text[: min(ends)]
    first = min(said.find(stop) for stop in stops if stop in said)
    assert grown(text, stops) == (text[:first], True)


def test_what_may_yet_become_a_stop_string_is_held_back() -> None:
    growing = GrowingText(decode, ["\n\n"])
    growing.add(ord("a"))
    growing.add(ord("\n"))
    assert growing.take() == "a"
    growing.add(ord("b"))
    assert growing.take() == "\nb"
