"""Which spans are proposed for a claim, and that a proposal is all it is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from footnote.model import Hit, Question, Usage, Verdict
from rag.answering.alignment import CHECKS, Candidates
from rag.answering.draft import Draft
from rag.answering.grounding import Grounding, ground
from rag.answering.openlora import OpenLora
from rag.checking.verifier import Verification
from rag.index.lexical import content_terms, terms
from rag.models.llm import Completion, Streamed
from rag.reading.claims import read_output
from rag.retrieval.evidence import Evidence
from rag.text.sentences import sentences
from tests.corpus import document, hit

BELL = (
    "The bell was cast in 1871. The founder was Ines Moreau of Brest. The tower is high. "
    "It rings at noon."
)
TOWER = "The tower was built in 1902 by the town. It rings at dusk."


class Literal:
    """Supports a claim where the span and the title hold every word of it; remembers each check."""

    def __init__(self) -> None:
        self.checked: list[str] = []

    def verify(self, claim: str, cited_text: str, title: str = "") -> Verification:
        self.checked.append(cited_text)
        wanted, present = content_terms(claim), set(terms(f"{title} {cited_text}"))
        part = sum(term in present for term in wanted) / len(wanted)
        return Verification(Verdict.SUPPORTED if part == 1 else Verdict.PARTIAL, part)


class Says:
    """A ChatModel with one reply."""

    base = "says"

    def __init__(self, reply: str) -> None:
        self._reply = reply

    def complete(self, messages: Sequence[tuple[str, str]], adapter: str | None) -> Completion:
        return Completion(self._reply, Usage())

    def stream(self, messages: Sequence[tuple[str, str]], adapter: str | None) -> Streamed:
        return Streamed(piece for piece in (self._reply,))


def evidence(hits: Sequence[Hit]) -> list[Evidence]:
    return [
        Evidence(one, sentence.span, sentence.span.of(one.chunk.text), 0.5, 0.5)
        for one in hits
        for sentence in sentences(one.chunk.text)
    ]


HITS = [
    hit(BELL, of=document("bell", BELL, "Bell"), rank=1),
    hit(TOWER, of=document("tower", TOWER, "Tower"), rank=2, chunk_id=1),
]


def draft(reply: str, hits: Sequence[Hit] = HITS) -> tuple[Draft, Literal]:
    literal = Literal()
    drafter = OpenLora(Says(reply), literal)
    return drafter.draft(Question("tales", "?"), hits, evidence(hits)), literal


def cited(reply: str, hits: Sequence[Hit] = HITS) -> list[list[tuple[str, Verdict]]]:
    """What each claim cites, and with which verdict."""
    return [
        [(one.span.of(one.hit.chunk.text), one.verification.verdict) for one in claim.cited]
        for claim in draft(reply, hits)[0].claims
    ]


def test_a_claim_without_a_marker_cites_the_sentence_that_supports_it() -> None:
    assert cited("The founder was Ines Moreau. The tower was built in 1902.") == [
        [("The founder was Ines Moreau of Brest.", Verdict.SUPPORTED)],
        [("The tower was built in 1902 by the town.", Verdict.SUPPORTED)],
    ]


def test_a_claim_that_nothing_supports_stays_uncited() -> None:
    assert cited("The bell was cast in 1872. Whales sing.") == [[], []]


def test_a_marked_source_is_kept_with_its_verdict_where_it_does_not_support_the_claim() -> None:
    assert cited("The tower fell in 1902 [2].") == [
        [("The tower was built in 1902 by the town.", Verdict.PARTIAL)]
    ]


def test_the_source_that_supports_a_claim_joins_the_marked_one_that_does_not() -> None:
    assert cited("The tower was built in 1902 [1].") == [
        [
            ("The tower is high.", Verdict.PARTIAL),
            ("The tower was built in 1902 by the town.", Verdict.SUPPORTED),
        ]
    ]


def test_a_claim_cites_each_source_that_it_names() -> None:
    assert cited("It rings [1][2].") == [
        [("It rings at noon.", Verdict.SUPPORTED), ("It rings at dusk.", Verdict.SUPPORTED)]
    ]


def test_no_other_source_joins_a_marked_one_that_supports_its_claim() -> None:
    assert cited("It rings [2].") == [[("It rings at dusk.", Verdict.SUPPORTED)]]


def test_one_sentence_is_cited_where_one_suffices_and_two_neighbours_only_where_needed() -> None:
    assert cited("The bell was cast in 1871 [1].") == [
        [("The bell was cast in 1871.", Verdict.SUPPORTED)]
    ]
    assert cited("The bell was cast in 1871 by the founder Ines Moreau [1].") == [
        [
            (
                "The bell was cast in 1871. The founder was Ines Moreau of Brest.",
                Verdict.SUPPORTED,
            )
        ]
    ]


def test_sentences_that_stand_apart_are_never_cited_as_one() -> None:
    apart = "Bells ring.\n\n| a | table between |\n\nBrass shines. " + "Filler word here. " * 3
    found = Candidates(evidence([hit(apart)])).within(["bell", "brass"], hit(apart))
    assert all("table" not in one.text or one.parts == 1 for one in found)
    (verdicts,) = cited("The bell was cast in 1871 and rings at noon.")
    assert verdicts == []


def test_a_pair_that_would_be_too_long_to_cite_is_not_offered() -> None:
    text = f"Bells {'ring ' * 150}loud. Brass {'shines ' * 100}bright."
    found = Candidates(evidence([hit(text)])).within(["bell", "brass"], hit(text))
    assert [one.parts for one in found] == [1, 1]


def test_two_numbers_for_one_span_cite_it_once() -> None:
    of = document("bell", BELL, "Bell")
    twice = [hit(BELL, of=of, rank=1), hit(BELL, of=of, rank=2, chunk_id=1)]
    assert cited("The bell was cast in 1871 [1][2].", twice) == [
        [("The bell was cast in 1871.", Verdict.SUPPORTED)]
    ]


@pytest.mark.parametrize("marks", ["", "[1]", "[2]", "[1][2]", "[1][2][9]"])
def test_the_verifier_is_asked_a_bounded_number_of_times_for_each_claim(marks: str) -> None:
    many = " ".join(f"The bell of town {n} was cast and rings loud." for n in range(60))
    hits = [hit(many, of=document("many", many)), hit(BELL, of=document("b", BELL), chunk_id=1)]
    literal = draft(f"The bell rings over whales and tides {marks}.", hits)[1]
    assert 0 < len(literal.checked) <= CHECKS
    assert len(set(literal.checked)) == len(literal.checked)


def test_an_answer_has_ten_citations_at_most_and_its_claims_keep_their_order() -> None:
    made, literal = draft("The founder was Ines Moreau [1,2]. It rings at dusk. " * 200)
    assert sum(len(claim.cited) for claim in made.claims) == 10
    assert len(made.claims) == 400
    assert len(literal.checked) <= 20 * CHECKS


def test_lists_headings_and_code_keep_their_form_around_the_claims() -> None:
    made, _ = draft("## Bell\n\n1. It rings at noon [1].\n2. It is old.\n\n---\n*[abridged]*")
    assert [(claim.before, claim.text) for claim in made.claims] == [
        ("## Bell\n\n1. ", "It rings at noon."),
        ("\n2. ", "It is old."),
    ]
    assert made.after == "\n\n---\n*[abridged]*"


@pytest.mark.parametrize(
    "reply", ["NO ANSWER", "no answer.", "**NO ANSWER**", "NO ANSWER\n\nThe sources say little."]
)
def test_a_model_that_declines_makes_no_claims(reply: str) -> None:
    assert draft(reply)[0] == Draft(())


def test_what_decides_the_citations_is_part_of_the_models_identity() -> None:
    assert OpenLora(Says(""), Literal()).definition.body == {
        "kind": "openlora", "version": 2, "base": "says", "checks": 6, "checks_per_source": 3,
        "max_aligned": 20,
    }  # fmt: skip


class Denies(Literal):
    """Says that what does not support a claim denies it, with the given score."""

    def __init__(self, score: float) -> None:
        super().__init__()
        self.score = score

    def verify(self, claim: str, cited_text: str, title: str = "") -> Verification:
        found = super().verify(claim, cited_text, title)
        supports = found.verdict is Verdict.SUPPORTED
        return found if supports else Verification(Verdict.CONTRADICTED, self.score)


@pytest.mark.parametrize(("asked", "score", "shown"), [(1, 0.9, 1), (1, 0.5, 0), (0, 0.9, 0)])
def test_an_unmarked_claim_cites_the_sentence_that_plainly_denies_it_where_that_is_asked_for(
    asked: int, score: float, shown: int
) -> None:
    hits = {1: HITS[0]}
    output = read_output("The bell was cast in 1872.", hits.keys())
    grounding = Grounding(hits, evidence(HITS[:1]), Denies(score), with_denials=bool(asked))
    (claim,) = ground(output, grounding).claims
    assert len(claim.cited) == shown
    assert all(one.verification.verdict is Verdict.CONTRADICTED for one in claim.cited)
