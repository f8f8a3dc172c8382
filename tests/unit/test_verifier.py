from __future__ import annotations

from collections.abc import Sequence

import pytest

from footnote.model import Definition, Verdict
from rag.checking.verifier import Verifier
from rag.models.embedder import SentenceTransformerEmbedder
from rag.models.entailment import Entailed
from tests.corpus import WordEmbedder

SOURCE = "The reward pool holds 2,500 tokens and pays Alice after 10 blocks, not before."


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        (SOURCE, Verdict.SUPPORTED),
        ("The reward pool holds 2500 tokens and pays Alice after ten blocks, not before.",
         Verdict.SUPPORTED),
        ("The reward pool holds 9,999 tokens and pays Alice after 10 blocks, not before.",
         Verdict.CONTRADICTED),
        ("The reward pool holds 2,500 tokens and pays Alice after 10 blocks.",
         Verdict.SUPPORTED),
        ("The reward pool holds 2,500 tokens and pays Bob after 10 blocks.", Verdict.PARTIAL),
        ("The reward pool holds 2,500 tokens and does not pay Alice.", Verdict.CONTRADICTED),
        ("Bees dance to show where flowers grow.", Verdict.UNSUPPORTED),
        ("", Verdict.UNSUPPORTED),
    ],
)  # fmt: skip
def test_a_claim_is_held_against_numbers_names_and_negation(
    embedder: SentenceTransformerEmbedder, claim: str, verdict: Verdict
) -> None:
    found = Verifier(embedder).verify(claim, SOURCE)
    assert found.verdict is verdict
    assert 0 <= found.score <= 1


def test_a_number_that_the_span_lacks_is_no_support(embedder: SentenceTransformerEmbedder) -> None:
    source = "The pool pays contributors when the batch is final."
    claim = "The pool pays 40 contributors when the batch is final."
    assert Verifier(embedder).verify(claim, source).verdict is Verdict.PARTIAL


def test_half_supported_is_not_supported(embedder: SentenceTransformerEmbedder) -> None:
    claim = f"{SOURCE[:-1]}, and its owner may take the rest back at any time."
    assert Verifier(embedder).verify(claim, SOURCE).verdict is Verdict.PARTIAL


class Judge:
    """An Entailment that has made up its mind."""

    definition = Definition({"kind": "entailment", "name": "judge"})

    def __init__(self, *judged: float) -> None:
        self.judged = Entailed(*judged)
        self.asked: list[tuple[str, str]] = []

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Entailed]:
        self.asked += pairs
        return [self.judged] * len(pairs)


@pytest.mark.parametrize(
    ("judged", "verdict"),
    [
        ((0.9, 0.05, 0.05), Verdict.SUPPORTED),
        ((0.4, 0.5, 0.1), Verdict.PARTIAL),
        ((0.1, 0.2, 0.7), Verdict.CONTRADICTED),
    ],
)
def test_a_model_of_entailment_can_only_take_away(
    judged: tuple[float, float, float], verdict: Verdict
) -> None:
    judge = Judge(*judged)
    verifier = Verifier(WordEmbedder(), judge)
    assert verifier.verify(SOURCE, SOURCE, "Pools").verdict is verdict
    assert judge.asked == [(f"Pools. {SOURCE}", SOURCE)]
    assert verifier.verify("Bees dance.", SOURCE).verdict is Verdict.UNSUPPORTED
    assert len(judge.asked) == 1, "what fails without it is not asked"
    assert verifier.definition != Verifier(WordEmbedder()).definition


def test_the_title_says_what_the_span_speaks_of(embedder: SentenceTransformerEmbedder) -> None:
    claim, source = "Quokkas eat leaves at night.", "They eat leaves at night."
    verifier = Verifier(embedder)
    assert verifier.verify(claim, source, "Quokkas").verdict is Verdict.SUPPORTED


def test_the_thresholds_and_the_model_are_part_of_its_identity() -> None:
    one = Verifier(WordEmbedder()).definition.definition_id
    assert one == Verifier(WordEmbedder()).definition.definition_id
    assert one != Verifier(WordEmbedder("other")).definition.definition_id
    assert one != Verifier(WordEmbedder(), supported_coverage=0.7).definition.definition_id
    assert len(str(Verifier(WordEmbedder()).definition.body["lists"])) == 64
