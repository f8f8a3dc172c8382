"""A citation of a near-duplicate moves to where its sentence stood first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from footnote.model import Chunk, Document, Span, Verdict
from rag.answering.draft import Cited, Draft, DraftClaim, compose
from rag.answering.priority import Origins, Verify
from rag.checking.verifier import Verification
from rag.index.documents import chunk_of
from rag.index.lineage import Origin
from rag.index.snapshot import Snapshot
from tests.corpus import BOB, document, hit

SOURCE = "Mills grind barley. Wheels turn in water. Cats hunt at night."
COPY = "MILLS GRIND BARLEY. Wheels spin in water. I add something of my own."
SUPPORTED = Verification(Verdict.SUPPORTED, 0.9)
PARTIAL = Verification(Verdict.PARTIAL, 0.4)


def span(text: str, part: str) -> Span:
    start = text.index(part)
    return Span(start, start + len(part))


@dataclass
class Stored:
    """The two questions that are asked of a snapshot, over texts by document id."""

    texts: dict[str, str]
    known: Sequence[Origin] = field(default_factory=tuple)

    def origins(self, document_id: str, wanted: Span) -> list[Origin]:
        return [
            o
            for o in self.known
            if o.document_id == document_id
            and o.span.start < wanted.end
            and wanted.start < o.span.end
        ]

    def passage(self, document_id: str, wanted: Span) -> Chunk:
        text = self.texts[document_id]
        return chunk_of(7, document(document_id, text), Span(0, len(text)), text)


BARLEY = Origin(
    "copy", span(COPY, "MILLS GRIND BARLEY."), "source", span(SOURCE, "Mills grind barley.")
)
WATER = Origin(
    "copy", span(COPY, "Wheels spin in water."), "source", span(SOURCE, "Wheels turn in water.")
)
STORED = Stored({"source": SOURCE, "copy": COPY}, [BARLEY, WATER])
COPIED = hit(COPY, of=document("copy", COPY, by=BOB))


def of(document_: Document, text: str, part: str) -> Cited:
    return Cited(hit(text, of=document_), span(text, part), SUPPORTED)


def moved(
    *claims: DraftClaim,
    verify: Verify = lambda *_: SUPPORTED,
    quotes: bool = True,
) -> list[DraftClaim]:
    stored = cast(Snapshot, STORED)
    origins = Origins(stored, verify, quotes=quotes)
    return [one for claim in claims for one in origins.move(claim)]


def places(claim: DraftClaim) -> list[tuple[str, str]]:
    return [
        (
            c.hit.chunk.document.document_id,
            c.span.of(STORED.texts[c.hit.chunk.document.document_id]),
        )
        for c in claim.cited
    ]


def quote(part: str) -> DraftClaim:
    return DraftClaim(part, (Cited(COPIED, span(COPY, part), SUPPORTED),))


def test_a_quotation_of_a_copy_becomes_one_of_its_origin() -> None:
    (claim,) = moved(quote("Wheels spin in water."))
    assert claim.text == "Wheels turn in water."
    assert places(claim) == [("source", "Wheels turn in water.")]
    text, _, (citation,) = compose(Draft((claim,)))
    assert text == "Wheels turn in water. [1]"
    assert citation.document == document("source", SOURCE)
    assert citation.cited_text == citation.span.of(SOURCE) == "Wheels turn in water."
    assert citation.weight_ppm == 1_000_000


def test_what_only_the_copy_says_stays_with_it() -> None:
    own = quote("I add something of my own.")
    assert moved(own) == [own]
    (from_source, mine) = sorted(
        moved(quote("Wheels spin in water. I add something of my own.")), key=lambda c: c.text[::-1]
    )[::-1]
    assert {*places(from_source), *places(mine)} == {
        ("source", "Wheels turn in water."),
        ("copy", "I add something of my own."),
    }


def test_neighbouring_sentences_are_cited_as_one() -> None:
    (claim,) = moved(quote("MILLS GRIND BARLEY. Wheels spin in water."))
    assert places(claim) == [("source", "Mills grind barley. Wheels turn in water.")]


def test_two_quotations_that_move_to_one_place_become_one() -> None:
    source = DraftClaim(
        "Mills grind barley.", (of(document("source", SOURCE), SOURCE, "Mills grind barley."),)
    )
    assert [places(c) for c in moved(quote("MILLS GRIND BARLEY."), source)] == [places(source)]
    assert [places(c) for c in moved(source, quote("MILLS GRIND BARLEY."))] == [places(source)]


def test_a_models_claim_is_checked_again_and_pays_nobody_where_it_fails() -> None:
    cited = Cited(COPIED, span(COPY, "Wheels spin in water."), SUPPORTED)
    claim = DraftClaim("Wheels spin.", (cited,))
    (kept,) = moved(claim)
    assert (kept.text, places(kept)) == ("Wheels spin.", [("source", "Wheels turn in water.")])
    (unpaid,) = moved(claim, verify=lambda *_: PARTIAL)
    assert places(unpaid) == [("source", "Wheels turn in water.")]
    _, _, (citation,) = compose(Draft((unpaid,)))
    assert (citation.verdict, citation.weight_ppm) == (Verdict.PARTIAL, 0)


def test_of_several_places_those_remain_that_support_the_claim() -> None:
    part = "Wheels spin in water. I add something of my own."
    claim = DraftClaim("Something is added.", (Cited(COPIED, span(COPY, part), SUPPORTED),))
    (kept,) = moved(claim, verify=lambda c, text, t: SUPPORTED if "add" in text else PARTIAL)
    assert places(kept) == [("copy", "I add something of my own.")]


def test_citations_of_one_claim_that_move_to_one_place_become_one() -> None:
    claim = DraftClaim(
        "Grinding.",
        (
            Cited(COPIED, span(COPY, "MILLS GRIND BARLEY."), SUPPORTED),
            of(document("source", SOURCE), SOURCE, "Mills grind barley."),
        ),
    )
    assert [places(c) for c in moved(claim)] == [[("source", "Mills grind barley.")]]


def test_an_answer_without_near_duplicates_is_as_it_was() -> None:
    claims = [quote("I add something of my own."), DraftClaim("Nothing cited.", ())]
    assert moved(*claims, verify=lambda *_: PARTIAL) == claims


def test_what_a_model_wrote_keeps_its_words_while_its_citation_moves() -> None:
    (claim,) = moved(quote("MILLS GRIND BARLEY."), quotes=False)
    assert claim.text == "MILLS GRIND BARLEY."
    assert places(claim) == [("source", "Mills grind barley.")]


def test_between_documents_of_the_same_people_nothing_moves() -> None:
    mine = Cited(hit(COPY, of=document("copy", COPY)), span(COPY, "MILLS GRIND BARLEY."), SUPPORTED)
    claim = DraftClaim("MILLS GRIND BARLEY.", (mine,))
    assert [places(c) for c in moved(claim)] == [[("copy", "MILLS GRIND BARLEY.")]]
