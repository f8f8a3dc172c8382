"""What was said, held against sources: each claim with the spans it rests on and their verdicts.

A claim cites the sources that its markers name. Where none of those supports it, the sentence that
fits it best is proposed, and cited only if the verifier says that it supports the claim. So a text
cites well even where its writer did not keep to the form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from footnote.errors import Invalid
from footnote.ids import version_of
from footnote.model import (
    MAX_CITATIONS,
    Chunk,
    Citation,
    Claim,
    Document,
    Hit,
    Scores,
    Span,
    Usage,
)
from rag.answering.alignment import Candidates, Checks, Verifies
from rag.answering.draft import Cited, Draft, DraftClaim, compose
from rag.index.lexical import content_terms
from rag.reading.claims import ReadClaim, ReadOutput, read_output
from rag.retrieval.evidence import Evidence, find_evidence
from rag.retrieval.question import Asked, Wanted

MAX_ALIGNED = 20
"""Claims of one answer for which evidence is looked for beyond what they were marked with."""

MAX_TEXT_CODE_POINTS = 20_000
MAX_SOURCES = 50
MAX_SOURCE_CODE_POINTS = 100_000
"""Of all sources together."""
MAX_CHECKED_CLAIMS = 200


class Grounding:
    """Holds claims against ``sources``, which their numbers name, one after another. With denials,
    a claim that names no source cites a sentence that plainly denies it."""

    def __init__(
        self,
        sources: Mapping[int, Hit],
        evidence: Sequence[Evidence],
        verifier: Verifies,
        *,
        most_citations: int = MAX_CITATIONS,
        most_aligned: int = MAX_ALIGNED,
        with_denials: bool = False,
    ) -> None:
        self._sources = sources
        self._candidates = Candidates(evidence)
        self._verifier = verifier
        self._citations_left = most_citations
        self._aligned_left = most_aligned
        self._with_denials = with_denials

    def cite(self, claim: ReadClaim) -> DraftClaim:
        """The next claim with its citations, as many as are left."""
        left = self._citations_left
        named = [self._sources[number] for number in claim.numbers[:left]]
        seek = left > 0 and self._aligned_left > 0
        others = list(self._sources.values()) if seek else []
        cited = _cite(
            claim.text, named, self._candidates, others, self._verifier, self._with_denials
        )[:left]
        self._citations_left -= len(cited)
        self._aligned_left -= 1
        return DraftClaim(claim.text, cited, claim.before)


def ground(output: ReadOutput, grounding: Grounding, usage: Usage | None = None) -> Draft:
    """The claims of a whole ``output`` with their citations."""
    claims = tuple(grounding.cite(claim) for claim in output.claims)
    return Draft(claims, usage or Usage(), output.removed, output.after)


def _cite(
    claim: str,
    named: Sequence[Hit],
    candidates: Candidates,
    others: Sequence[Hit],
    verifier: Verifies,
    with_denials: bool,
) -> tuple[Cited, ...]:
    """The citations that a claim's markers name, with whatever verdicts; and where none of those
    supports it, one that does from the ``others``, if there is one."""
    wanted = content_terms(claim)
    checks = Checks(claim, verifier)
    cited = checks.named([candidates.within(wanted, hit) for hit in named])
    if others and not checks.supported:
        cited += checks.aligned(candidates.among(wanted, others), with_denials=with_denials)
    return tuple(cited)


@dataclass(frozen=True, slots=True)
class Source:
    """A text that somebody gives to check another one against."""

    text: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Grounded:
    """``text`` is what was given, its markers numbered anew by citation. A Citation's
    ``document_id`` is the number of its source, from 1."""

    text: str
    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]
    removed_markers: int


def check_text(text: str, sources: Sequence[Source], verifier: Verifies) -> Grounded:
    """Read ``text`` as a model's output over numbered ``sources``, and check each claim.

    Raises:
        Invalid: too long, or nothing to check against.
    """
    if not 1 <= len(sources) <= MAX_SOURCES:
        raise Invalid("no number of sources that can be checked", f"give 1 to {MAX_SOURCES}")
    if any("\ud800" <= c <= "\udfff" for one in (text, *(s.text for s in sources)) for c in one):
        raise Invalid("a lone surrogate in the text, which is no character", "take it out")
    if len(text) > MAX_TEXT_CODE_POINTS:
        raise Invalid(
            "a text that is too long", f"keep it within {MAX_TEXT_CODE_POINTS} characters"
        )
    if sum(len(source.text) for source in sources) > MAX_SOURCE_CODE_POINTS:
        raise Invalid(
            "sources that are too long together",
            f"keep them within {MAX_SOURCE_CODE_POINTS} characters",
        )
    hits = {number: _hit(number, source) for number, source in enumerate(sources, start=1)}
    output = read_output(text, hits.keys())
    if len(output.claims) > MAX_CHECKED_CLAIMS:
        raise Invalid("too many sentences", f"check {MAX_CHECKED_CLAIMS} at a time")
    evidence = find_evidence(Asked({}, Wanted.ANYTHING), list(hits.values()))
    grounding = Grounding(
        hits, evidence, verifier, most_citations=MAX_SOURCES * MAX_CHECKED_CLAIMS,
        most_aligned=MAX_CHECKED_CLAIMS, with_denials=True,
    )  # fmt: skip
    draft = ground(output, grounding)
    return Grounded(*compose(draft), draft.removed_markers)


def _hit(number: int, source: Source) -> Hit:
    version = version_of(source.text)
    document = Document(str(number), version, source.title, None, "", ())
    span = Span(0, len(source.text))
    return Hit(Chunk(number, document, span, source.text), number, Scores(0.0, 0.0, 0.0))
