from __future__ import annotations

import pytest

from rag.index.calibration import Calibration, Signals
from rag.retrieval.confidence import signals
from rag.retrieval.evidence import find_evidence
from rag.retrieval.question import Asked, read_question
from tests.corpus import document, hit


def asked(question: str) -> Asked:
    return read_question(question, lambda term: 1.0)


def test_signals_are_about_the_first_document() -> None:
    first = document("first", "", title="Quokkas")
    hits = [
        hit("It sleeps by day. It eats many leaves.", of=first, dense=0.4),
        hit("The island is small. Nobody swims there.", of=first, dense=0.5, chunk_id=1, rank=2),
        hit("A quokka eats leaves daily.", dense=0.6, chunk_id=2, rank=3),
    ]
    question = asked("quokka leaves swimming bicycle")
    evidence = find_evidence(question, hits)
    assert signals(question, hits, evidence) == Signals(0.5, 1.5 / 4, 1.0)
    assert signals(question, hits[:1], []) == Signals(0.4, 0.0, 2.0)
    assert signals(question, [], []) == Signals(0.0, 0.0, 4.0)


def test_a_sentence_without_the_kind_of_thing_asked_for_covers_nothing() -> None:
    hits = [hit("The reserve was opened by the state. Rangers came with it in 1917.")]
    question = asked("When was the reserve opened?")
    found = signals(question, hits, find_evidence(question, hits))
    assert found.coverage == 0.0


def test_confidence_is_a_probability_that_grows_with_what_speaks_for_an_answer() -> None:
    calibration = Calibration()
    none = calibration.confidence(Signals(0, 0, 5))
    full = calibration.confidence(Signals(1, 1, 0))
    assert 0 < none < 0.01
    assert 0.99 < full < 1
    for better in (Signals(0.6, 0.5, 0.5), Signals(0.5, 0.6, 0.5), Signals(0.5, 0.5, 0.4)):
        assert calibration.confidence(better) > calibration.confidence(Signals(0.5, 0.5, 0.5))


@pytest.mark.parametrize("similarity", [-1.0, 0.0, 1.0])
def test_confidence_never_leaves_its_range(similarity: float) -> None:
    assert 0 <= Calibration().confidence(Signals(similarity, 1.0, 0.0)) <= 1
    assert 0 <= Calibration().confidence(Signals(similarity, 0.0, 10_000.0)) <= 1
