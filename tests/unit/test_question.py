from __future__ import annotations

import pytest

from rag.retrieval.question import Wanted, gives, read_question, wanted


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("When was the bridge built?", Wanted.TIME),
        ("in what year did it open", Wanted.TIME),
        ("Who wrote it?", Wanted.PERSON),
        ("Where does the river end?", Wanted.PLACE),
        ("How many gas units does it cost?", Wanted.QUANTITY),
        ("Why is the sky blue?", Wanted.REASON),
        ("Who decides when a block is final?", Wanted.PERSON),
        ("What is a Datanet?", Wanted.ANYTHING),
        ("Zinc protects cells.", Wanted.ANYTHING),
        ("Wann wurde die Brücke gebaut?", Wanted.ANYTHING),
    ],
)
def test_a_question_says_what_it_asks_for(question: str, kind: Wanted) -> None:
    assert wanted(question) is kind


@pytest.mark.parametrize(
    ("sentence", "kind", "given"),
    [
        ("It was built in 1932.", Wanted.TIME, True),
        ("It opened last March.", Wanted.TIME, True),
        ("It was built by many people.", Wanted.TIME, False),
        ("It was designed by Ada Lovelace.", Wanted.PERSON, True),
        ("It was designed by an engineer.", Wanted.PERSON, False),
        ("It costs 2,100 units.", Wanted.QUANTITY, True),
        ("It costs three units.", Wanted.QUANTITY, True),
        ("It costs little.", Wanted.QUANTITY, False),
        ("The air scatters blue light because it is short.", Wanted.REASON, True),
        ("Anything goes.", Wanted.ANYTHING, True),
    ],
)
def test_a_sentence_gives_a_kind_of_thing_or_does_not(
    sentence: str, kind: Wanted, given: bool
) -> None:
    assert gives(sentence, kind) is given


def rarity(term: str) -> float:
    return {"quokka": 1.0, "eat": 0.2}.get(term, 0.3)


def test_coverage_weighs_words_by_how_rare_they_are() -> None:
    asked = read_question("the quokka eats leaves", rarity)
    assert asked.coverage({"quokka", "sleep"}, {"island"}) == pytest.approx(1.0 / 1.5)
    assert asked.coverage({"eat", "leav"}, {"quokka"}) == pytest.approx(1.0 / 1.5)
    assert asked.coverage(set(), set()) == 0.0
