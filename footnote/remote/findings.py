"""Whether an answer is what it says: every hash and every span, computed anew."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from footnote.remote.objects import Answer, Citation, Claim
from footnote.remote.proofs import Line, Receipt


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold. ``where`` names the answer, a claim or a citation."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def findings(
    answer: Answer, receipt: Receipt | None, text_of: Callable[[str], bytes | None]
) -> list[Finding]:
    """All that does not hold of ``answer``; empty where everything does.

    Args:
        receipt: the one that the answer names; None where there is none.
        text_of: the bytes of a document's text by its ``version``; None where there are none.
    """
    found = [Finding("answer", what) for what in _whole(answer, receipt)]
    for claim in answer.claims:
        found += [Finding(f"claim {claim.id}", what) for what in _claim(claim, answer)]
    texts = {one.source.version: text_of(one.source.version) for one in answer.citations}
    for citation in answer.citations:
        where = f"citation {citation.id}"
        text = texts[citation.source.version]
        found += [Finding(where, what) for what in _quote(citation, text)]
        if not any(
            citation.id in claim.citation_ids and citation.claim_id == claim.id
            for claim in answer.claims
        ):
            found.append(Finding(where, "its claim does not name it"))
        if receipt is not None:
            lines = [line for line in receipt.lines if line.citation_id == citation.id]
            found += [Finding(where, what) for what in _owed(citation, lines)]
    return found


def _whole(answer: Answer, receipt: Receipt | None) -> Iterator[str]:
    if receipt is None:
        yield "there is no receipt for it"
        return
    if receipt.digest != answer.receipt.id:
        yield "its receipt is another one"
    signed = receipt.signature, receipt.signer
    if signed != (answer.receipt.signature, answer.receipt.signer):
        yield "its receipt has another signature"
    for what, text, name in (
        ("the text", answer.text, "answerHash"),
        ("the question", answer.question, "questionHash"),
    ):
        if _salted_hash(answer.receipt.salt, text) != receipt.message.get(name):
            yield f"{what} is not the one of its receipt"
    named = {line.citation_id for line in receipt.lines if line.citation_id is not None}
    if missing := named - {citation.id for citation in answer.citations}:
        yield f"{len(missing)} citations of its receipt are missing"


def _claim(claim: Claim, answer: Answer) -> Iterator[str]:
    if not 0 <= claim.start < claim.end <= len(answer.text):
        yield "its span lies outside of the answer's text"
    elif answer.text[claim.start : claim.end] != claim.text:
        yield "its span holds another text"
    if any(other.id != claim.id and _overlap(other, claim) for other in answer.claims):
        yield "its span overlaps that of another claim"
    known = {citation.id for citation in answer.citations if citation.claim_id == claim.id}
    if set(claim.citation_ids) - known:
        yield "it names a citation that is not there"


def _overlap(one: Claim, other: Claim) -> bool:
    return one.start < other.end and other.start < one.end


def _quote(citation: Citation, text: bytes | None) -> Iterator[str]:
    quote, span = citation.cited_text, citation.source_span
    if hashlib.sha256(quote.encode("utf-8", "replace")).hexdigest() != citation.cited_text_sha256:
        yield "cited_text does not have the hash that is given"
    if text is None:
        yield "the service has no text of that version"
        return
    if "sha256:" + hashlib.sha256(text).hexdigest() != citation.source.version:
        yield "the source's text does not have the hash that its version is"
    source = text.decode("utf-8", "replace")
    if not 0 <= span.start < span.end <= len(source):
        yield "its span lies outside of the source's text"
    elif source[span.start : span.end] != quote:
        yield "its span of the source holds another text"


def _owed(citation: Citation, lines: list[Line]) -> Iterator[str]:
    """Where the receipt says something else."""
    if not lines:
        yield "its receipt has no line for it"
    said = {(x.document_id, x.version_hash, x.start, x.end, x.cited_text_hash) for x in lines}
    span = citation.source_span
    shown = (
        citation.source.document_id,
        "0x" + citation.source.version.removeprefix("sha256:"),
        span.start,
        span.end,
        "0x" + citation.cited_text_sha256,
    )
    if said - {shown}:
        yield "its receipt names another source, span or quote"
    owed = {(line.account, line.share_bps, line.amount) for line in lines}
    people = {(one.address, one.share_bps, one.amount) for one in citation.contributors}
    amount = sum(line.amount for line in lines)
    weights = {line.weight_ppm for line in lines} | {citation.reward.weight_ppm}
    if owed != people or citation.reward.amount != amount or len(weights) != 1:
        yield "its receipt owes something else for it"


def _salted_hash(salt: str, text: str) -> str | None:
    """keccak256(salt ‖ utf8 text) as hex; None for a salt that is none."""
    from footnote.ids import keccak  # it brings Ethereum's encodings along

    try:
        return "0x" + keccak(bytes.fromhex(salt.removeprefix("0x")) + text.encode()).hex()
    except ValueError:
        return None
