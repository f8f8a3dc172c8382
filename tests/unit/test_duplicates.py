"""Which texts are near-duplicates, however they are dressed."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.attack.copies import homoglyphs, pieces, reordered, swapped
from indexer.duplicates import PASSAGE, find_links, sketch
from rag.index.clusters import clusters_of
from rag.index.lineage import LINKED, Link
from rag.text.letters import folded, letters

DICE = random.Random(5)
WORDS = ["".join(DICE.choices("abcdefghijklmnoprstuvwy", k=DICE.randint(3, 9))) for _ in range(900)]


def tale(seed: int, count: int = 40) -> str:
    """Sentences of words that are rare, four a paragraph."""
    dice = random.Random(seed)
    made = [" ".join(dice.choices(WORDS, k=12)).capitalize() + "." for _ in range(count)]
    return "\n\n".join(" ".join(made[i : i + 4]) for i in range(0, count, 4))


def links(*texts: str) -> dict[tuple[str, str], float]:
    found, _ = find_links([(f"d{i}", sketch(text)) for i, text in enumerate(texts)], [])
    return {(x.one, x.other): x.containment for x in found if x.containment >= LINKED}


SOURCE = tale(1)


@pytest.mark.parametrize("seed", range(5))
def test_a_copy_is_found_however_it_is_dressed(seed: int) -> None:
    dice = random.Random(seed)
    copies = {
        "verbatim": SOURCE,
        "homoglyph": homoglyphs(SOURCE, dice),
        "reordered": reordered(SOURCE, dice),
        "shouted": SOURCE.upper().replace(" ", "  \u200b"),
        "swapped": swapped(SOURCE, 0.3, WORDS, dice),
        "within another": tale(77) + "\n\n" + SOURCE + "\n\n" + tale(78),
        "a piece": pieces(SOURCE, 5)[seed],
    }
    for name, copy in copies.items():
        found = links(SOURCE, copy, tale(500 + seed))
        assert set(found) == {("d0", "d1")}, name
        assert found["d0", "d1"] > (0.3 if name == "swapped" else 0.9), name


def test_texts_that_share_nothing_are_not_linked() -> None:
    assert links(*(tale(seed) for seed in range(20))) == {}
    assert links("", "a", "Too short.", "Too short.") == {}


def test_boilerplate_is_no_evidence_and_fifty_copies_are_one_voice() -> None:
    licence = tale(9, 8)
    many = [f"{licence}\n\n{tale(100 + i, 14)}" for i in range(30)]
    assert len(links(*many[:2])) == 1  # two who share a third of all they say
    assert links(*many) == {}
    assert len(links(SOURCE, *[SOURCE] * 50)) > 50


def test_a_sentence_is_boilerplate_where_many_clusters_hold_it_as_a_whole() -> None:
    phrase = "All rights to this work are waived by those who wrote it down."
    many = [f"{tale(100 + i, 8)}\n\n{phrase}" for i in range(12)]
    _, boilerplate = find_links([(f"d{i}", sketch(text)) for i, text in enumerate(many)], [])
    assert boilerplate.holds(phrase)
    assert boilerplate.holds(letters(phrase))
    assert not boilerplate.holds(tale(100, 1))
    assert not boilerplate.holds("")


def test_what_the_owner_ruled_unrelated_is_not_linked() -> None:
    sketches = [("b", sketch(SOURCE)), ("a", sketch(SOURCE))]
    assert find_links(sketches, [("b", "a")])[0] == []
    assert find_links(sketches, [("a", "c")])[0] == [Link("a", "b", 1.0)]


def test_a_passage_is_shared_whatever_stands_around_it() -> None:
    passage = " ".join(SOURCE.split(". ")[:3])
    texts = [SOURCE, *(f"{tale(600 + i, 60)}\n\n{passage}" for i in range(3))]
    found, _ = find_links([(f"d{i}", sketch(text)) for i, text in enumerate(texts)], [])
    shared = {(link.one, link.other) for link in found if link.containment < LINKED}
    assert {("d0", "d1"), ("d0", "d2"), ("d0", "d3")} <= shared
    assert len(sketch(passage)) >= PASSAGE
    assert clusters_of(found) == []


def test_a_cluster_is_all_that_links_connect() -> None:
    found = clusters_of([Link("a", "c", 0.5), Link("c", "d", 0.5), Link("b", "e", 0.5)])
    assert sorted(found) == [["a", "c", "d"], ["b", "e"]]
    assert clusters_of([]) == []


def test_letters_read_as_they_look() -> None:
    assert folded("Іgnоrе  thе Αbоvе\u200b!") == "ignore  the above!"
    assert letters("Ｆｕｌｌ—wídth \u00ad2²_ﬁ") == "fullwidth22fi"
    assert letters("don't STOP.") == letters("Don’t stop")


@given(st.text(max_size=300))
def test_every_text_can_be_sketched_and_holds_itself(text: str) -> None:
    once = sketch(text)
    assert once.dtype == np.uint32
    assert list(once) == sorted(set(once.tolist()))
    assert set(once.tolist()) <= set(sketch(f"{text} and more").tolist())
