from __future__ import annotations

import pytest

from footnote.model import Verdict
from rag.embedder import SentenceTransformerEmbedder
from rag.verifier import Verifier
from tests.corpus import WordEmbedder

SOURCE = "The reward pool holds 2,500 tokens and pays Alice after 10 blocks, not before."


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        (SOURCE, Verdict.SUPPORTED),
        ("The reward pool does not pay Alice before 10 blocks.", Verdict.SUPPORTED),
        ("The reward pool holds 2500 tokens and pays Alice after ten blocks, not before.",
         Verdict.SUPPORTED),
        ("The reward pool holds 9,999 tokens and pays Alice after 10 blocks, not before.",
         Verdict.CONTRADICTED),
        ("The reward pool holds 2,500 tokens and pays Alice after 10 blocks.",
         Verdict.CONTRADICTED),
        ("The reward pool holds 2,500 tokens and does not pay Bob.", Verdict.PARTIAL),
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


def test_the_title_says_what_the_span_speaks_of(embedder: SentenceTransformerEmbedder) -> None:
    claim, source = "Quokkas eat leaves at night.", "They eat leaves at night."
    verifier = Verifier(embedder)
    assert verifier.verify(claim, source, "Quokkas").verdict is Verdict.SUPPORTED


def test_the_thresholds_and_the_model_are_part_of_its_identity() -> None:
    one = Verifier(WordEmbedder()).definition.definition_id
    assert one == Verifier(WordEmbedder()).definition.definition_id
    assert one != Verifier(WordEmbedder("other")).definition.definition_id
    assert one != Verifier(WordEmbedder(), supported_coverage=0.7).definition.definition_id
