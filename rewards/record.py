"""An Answer to a committed Receipt: split → number → sign → commit.

Number, link to the one before, and signature are made inside the committing transaction, under the
Datanet's row lock. Nothing leaves before the commit.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from footnote.addresses import format_address
from footnote.errors import Misconfigured
from footnote.ids import ZERO_HASH, keccak, sha256
from footnote.model import OFFSET_UNIT, Answer, Citation, Claim, Definition, Hit
from rewards.journal.answers import Issue
from rewards.journal.journal import Journal
from rewards.journal.records import AlreadyAnswered, Head, Retry, StoredReceipt
from rewards.keys import Key
from rewards.ledger import Registration, SignerTerm
from rewards.marks import Mark, Marks, RolledBack
from rewards.marks import check as check_mark
from rewards.owed import Owed, owed_for, payees, unpaid
from rewards.receipt import AnswerReceipt, Domain, Line, citations_root, salted_hash

DAY_SECONDS = 86_400

INELIGIBLE, PENDING, BATCHED, SETTLED = "ineligible", "pending", "batched", "settled"


@dataclass(frozen=True, slots=True)
class Recorder:
    """Records answers into a journal. ``key`` is the receipt signer's, None without a chain;
    ``marks`` notice where the journal lost what was recorded. ``crash_point`` is called by name
    between steps; tests end the process there."""

    journal: Journal
    key: Key | None
    marks: Marks | None = None
    clock: Callable[[], float] = time.time
    new_salt: Callable[[], bytes] = lambda: secrets.token_bytes(32)
    crash_point: Callable[[str], None] = lambda name: None

    def record(self, answer: Answer, retry: Retry | None = None) -> dict[str, Any]:
        """Commit ``answer`` with its receipt; returns the answer object, durable by then.

        With a ``retry`` whose key was answered meanwhile, that stored answer is returned.

        Raises:
            Invalid: the key was used with another body.
            Misconfigured: the Datanet is registered, but not for the signer that is set up here.
            RolledBack: the journal lost receipts; nothing is issued until that is resolved.
            StorageFull, Unavailable: nothing was recorded, and no answer may be given.
        """
        try:
            with self.journal.issuing(answer.question.datanet) as issue:
                head = issue.head
                self._check_mark(issue)
                term = self._term(head.registration)
                issued_at = int(self.clock())
                if term is not None:
                    issued_at = max(issued_at, term.from_time)
                day = issued_at // DAY_SECONDS
                if head.registration is None:
                    owed = unpaid(answer)
                else:
                    owed = owed_for(
                        answer, head.policy, issue.spent(day, payees(answer, head.policy))
                    )
                salt = self.new_salt()
                version = issue.version_of(answer.snapshot_id)
                message = _message(answer, head, owed, salt, issued_at, version)
                receipt = self._signed(answer, head, owed, message)
                body = answer_object(answer, receipt, salt)
                defined = [answer.model, answer.verifier, head.policy.definition]
                defined += [answer.adapter] if answer.adapter else []
                fee_owed = owed.fee if owed.total else 0
                issue.commit(receipt, body, defined, day, fee_owed, retry)
        except AlreadyAnswered as earlier:
            return self.again(earlier.answer_id)
        self.crash_point("after commit")
        self._note(receipt)
        self.crash_point("after mark")
        return body

    def again(self, answer_id: str) -> dict[str, Any]:
        """An answer that is stored already, for the caller who asked for it before."""
        body = self.journal.answer(answer_id)
        self._note(self.journal.receipt(bytes.fromhex(body["receipt"]["id"][2:])))
        return body

    def _check_mark(self, issue: Issue) -> None:
        """Of every Ledger that the Datanet was paid in: what an older one lost is owed too. Before
        the commit, so that nothing is recorded that could not be noted."""
        if self.marks is None:
            return
        marks = self.marks.of(issue.datanet)
        for ledger_id, mark in marks.items():
            check_mark(mark, issue.digest_at(mark.seq, ledger_id), issue.datanet)
        if issue.head.registration is not None:
            ledger_id = issue.head.registration.ledger.ledger_id
            if issue.head.seq and ledger_id not in marks:
                raise _no_mark(issue.datanet)
            self.marks.check_writable(ledger_id, issue.datanet)

    def _note(self, receipt: StoredReceipt) -> None:
        """After the commit, before the response."""
        message = receipt.message
        if self.marks is not None and message.ledger_id != ZERO_HASH:
            mark = Mark(message.seq, receipt.digest)
            self.marks.note(message.ledger_id, receipt.datanet, mark)

    def check(self, datanet: str) -> None:
        """Raise unless an answer from ``datanet`` could be issued now."""
        self._term(self.journal.registration(datanet))
        self.check_marks(datanet)

    def check_marks(self, datanet: str) -> None:
        """Raise RolledBack where the journal lost what was issued."""
        if self.marks is None:
            return
        marks = self.marks.of(datanet)
        for ledger_id, mark in marks.items():
            held = self.journal.digest_at(ledger_id, datanet, mark.seq)
            check_mark(mark, held, datanet)
        registration = self.journal.registration(datanet)
        if registration is not None:
            ledger_id = registration.ledger.ledger_id
            if ledger_id not in marks and self.journal.next_seq(ledger_id, datanet):
                raise _no_mark(datanet)

    def _term(self, registration: Registration | None) -> SignerTerm | None:
        if registration is None:
            return None
        if self.key is None:
            raise Misconfigured(
                "the Datanet is registered on a chain, but no receipt signer is set up",
                "set FOOTNOTE_SIGNER_KEYSTORE",
            )
        term = registration.term_of(self.key.address)
        if (
            term is None
            or term.compromised
            or not term.covers(max(int(self.clock()), term.from_time))
        ):
            raise Misconfigured(
                "the receipt signer that is set up is not registered for this Datanet",
                "run footnote register with it, or set FOOTNOTE_SIGNER_KEYSTORE to the other one",
            )
        return term

    def _signed(
        self, answer: Answer, head: Head, owed: Owed, message: AnswerReceipt
    ) -> StoredReceipt:
        domain = head.registration.ledger.domain if head.registration else Domain()
        digest = message.digest(domain)
        key = self.key if head.registration else None  # where nothing pays, nothing is signed
        return StoredReceipt(
            digest=digest,
            datanet=answer.question.datanet,
            answer_id=answer.answer_id,
            domain=domain,
            message=message,
            signature=key.sign_digest(digest) if key else None,
            signer=key.address if key else None,
            lines=owed.lines,
        )


def _no_mark(datanet: str) -> RolledBack:
    return RolledBack(
        f"the high-water mark of {datanet} is missing, so nobody knows what was issued last",
        "check FOOTNOTE_MARKS; if the journal is the newest there is, run footnote journal resume",
    )


def _message(
    answer: Answer, head: Head, owed: Owed, salt: bytes, issued_at: int, version: int
) -> AnswerReceipt:
    registration = head.registration
    return AnswerReceipt(
        ledger_id=registration.ledger.ledger_id if registration else ZERO_HASH,
        answer_id=keccak(answer.answer_id.encode("utf-8")),
        datanet_id=registration.datanet_id if registration else ZERO_HASH,
        seq=head.seq,
        previous=head.previous,
        question_hash=salted_hash(salt, answer.question.text),
        answer_hash=salted_hash(salt, answer.text),
        model_id=answer.model.definition_id,
        adapter_id=answer.adapter.definition_id if answer.adapter else ZERO_HASH,
        verifier_id=answer.verifier.definition_id,
        policy_id=head.policy.definition.definition_id,
        snapshot_id=answer.snapshot_id,
        registry_version=version,
        citations_root=citations_root(owed.lines),
        fee=owed.fee,
        data_pool=owed.data_pool,
        issued_at=issued_at,
    )


def answer_object(answer: Answer, receipt: StoredReceipt, salt: bytes) -> dict[str, Any]:
    """The answer as the API returns and the journal keeps it; ``reward.status`` is read live."""
    by_citation: dict[str, list[Line]] = {}
    for line in receipt.lines:
        if line.citation_id is not None:
            by_citation.setdefault(line.citation_id, []).append(line)
    return {
        "id": answer.answer_id,
        "object": "answer",
        "datanet": answer.question.datanet,
        "question": answer.question.text,
        "text": answer.text,
        "refused": answer.refused,
        "refusal_reason": answer.refusal_reason,
        "confidence": answer.confidence,
        "offset_unit": OFFSET_UNIT,
        "claims": [claim_object(claim) for claim in answer.claims],
        "citations": [
            citation_object(citation, by_citation.get(citation.citation_id, []))
            for citation in answer.citations
        ],
        "retrieved": [
            hit_object(hit) | {"used": hit.chunk.chunk_id in answer.used_chunk_ids}
            for hit in answer.retrieved
        ],
        "receipt": {
            "id": "0x" + receipt.digest.hex(),
            "seq": receipt.message.seq,
            "signature": "0x" + receipt.signature.hex() if receipt.signature else None,
            "signer": format_address(receipt.signer) if receipt.signer else None,
            "salt": "0x" + salt.hex(),
            "snapshot": "sha256:" + answer.snapshot_id.hex(),
            "model": _definition_id(answer.model),
            "adapter": _definition_id(answer.adapter) if answer.adapter else None,
            "issued_at": receipt.message.issued_at,
        },
        "usage": {
            "input_tokens": answer.usage.input_tokens,
            "output_tokens": answer.usage.output_tokens,
        },
        "removed_markers": answer.removed_markers,
        "timings_ms": dict(answer.timings_ms),
    }


def _definition_id(definition: Definition) -> str:
    return "sha256:" + definition.definition_id.hex()


def hit_object(hit: Hit) -> dict[str, Any]:
    """What was retrieved, as answers show it."""
    document = hit.chunk.document
    return {
        "document_id": document.document_id,
        "title": document.title,
        "version": "sha256:" + document.version.hex(),
        "chunk": {"start": hit.chunk.span.start, "end": hit.chunk.span.end},
        "rank": hit.rank,
        "scores": {
            "dense": round(hit.scores.dense, 4),
            "lexical": round(hit.scores.lexical, 4),
            "fused": round(hit.scores.fused, 4),
        },
    }


def claim_object(claim: Claim) -> dict[str, Any]:
    """A claim as answers show it."""
    return {
        "id": claim.claim_id,
        "start": claim.span.start,
        "end": claim.span.end,
        "text": claim.text,
        "verdict": claim.verdict.value,
        "score": claim.score,
        "citation_ids": list(claim.citation_ids),
    }


def citation_object(citation: Citation, lines: Sequence[Line] = ()) -> dict[str, Any]:
    """A citation as answers show it, with what its ``lines`` owe."""
    amounts = {line.account: line.amount for line in lines}
    return {
        "id": citation.citation_id,
        "claim_id": citation.claim_id,
        "marker": citation.marker,
        "source": {
            "document_id": citation.document.document_id,
            "version": "sha256:" + citation.document.version.hex(),
            "title": citation.document.title,
            "url": citation.document.url,
        },
        "source_span": {"start": citation.span.start, "end": citation.span.end},
        "cited_text": citation.cited_text,
        "cited_text_sha256": sha256(citation.cited_text.encode("utf-8")).hex(),
        "verdict": citation.verdict.value,
        "score": citation.score,
        "contributors": [
            {
                "address": format_address(contributor.address),
                "name": contributor.name,
                "share_bps": contributor.share_bps,
                "amount": str(amounts.get(contributor.address, 0)),
            }
            for contributor in citation.document.contributors
        ],
        "reward": {
            "weight_ppm": citation.weight_ppm,
            "amount": str(sum(amounts.values())),
            "status": PENDING if any(amounts.values()) else INELIGIBLE,
        },
    }


def with_live_status(journal: Journal, body: Mapping[str, Any]) -> dict[str, Any]:
    """``body`` with each citation's ``reward.status`` as it stands now."""
    shown = dict(body)
    receipt = journal.receipt(bytes.fromhex(body["receipt"]["id"][2:]))
    status = reward_status(journal, receipt)
    shown["citations"] = [
        {
            **citation,
            "reward": {
                **citation["reward"],
                "status": status if int(citation["reward"]["amount"]) else INELIGIBLE,
            },
        }
        for citation in body["citations"]
    ]
    return shown


def reward_status(journal: Journal, receipt: StoredReceipt) -> str:
    """Where the money of a receipt is."""
    message = receipt.message
    if message.ledger_id == ZERO_HASH:
        return INELIGIBLE
    batch = journal.batch_with(message.ledger_id, receipt.datanet, message.seq)
    return status_at(batch.stage if batch else None)


def status_at(stage: str | None) -> str:
    """The status that the stage of a Batch means: journalled, planned or sent, or final."""
    if stage is None:
        return PENDING
    return SETTLED if stage == "final" else BATCHED
