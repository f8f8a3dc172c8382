"""An Answer to a committed Receipt: split → number → sign → commit.

Number, link to the one before, and signature are made inside the committing transaction, while
nobody else issues from that Datanet. Nothing leaves before the commit. Answers that several threads
record at the same time share a commit and a mark.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from footnote.errors import FootnoteError, Misconfigured, Unavailable
from footnote.ids import ZERO_HASH, keccak
from footnote.model import Answer
from rewards.answered import answer_object
from rewards.journal.answers import Commit, Issue
from rewards.journal.databases import Contended
from rewards.journal.journal import Journal
from rewards.journal.records import (
    ANONYMOUS,
    DAY_SECONDS,
    AlreadyAnswered,
    Asker,
    Head,
    Retry,
    StoredReceipt,
)
from rewards.journal.together import Together
from rewards.keys import Key
from rewards.ledger import Registration, SignerTerm
from rewards.marks import Mark, Marks, RolledBack
from rewards.marks import check as check_mark
from rewards.owed import Owed, owed_for, payees, unpaid
from rewards.receipt import AnswerReceipt, Domain, citations_root, salted_hash

ATTEMPTS = 4
"""How often a group is committed that another transaction stands in the way of."""


@dataclass(frozen=True, slots=True)
class _Asked:
    answer: Answer
    retry: Retry | None
    asker: Asker

    @property
    def datanet(self) -> str:
        return self.answer.question.datanet


@dataclass(frozen=True, slots=True)
class _Recorded:
    receipt: StoredReceipt
    body: dict[str, Any]


_Outcome = _Recorded | BaseException


@dataclass(frozen=True, slots=True)
class Recorder:
    """Records answers into a journal. ``key`` is the receipt signer's, None without a chain;
    ``marks`` notice where the journal lost what was recorded. ``crash_point`` is called by name
    between steps; tests end the process there. Threads that share one share its commits."""

    journal: Journal
    key: Key | None
    marks: Marks | None = None
    clock: Callable[[], float] = time.time
    new_salt: Callable[[], bytes] = lambda: secrets.token_bytes(32)
    crash_point: Callable[[str], None] = lambda name: None
    _together: Together[_Asked, _Recorded] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_together", Together(self._record_all))

    def record(
        self, answer: Answer, retry: Retry | None = None, asker: Asker = ANONYMOUS
    ) -> dict[str, Any]:
        """Commit ``answer`` with its receipt; returns the answer object, durable by then.

        With a ``retry`` whose key was answered meanwhile, that stored answer is returned.

        Raises:
            Conflict: the key was used with another body.
            Misconfigured: the Datanet is registered, but not for the signer that is set up here.
            QuotaSpent: the asker's key had its answers of this UTC day; nothing was recorded.
            RolledBack: the journal lost receipts; nothing is issued until that is resolved.
            StorageFull, Unavailable: nothing was recorded, and no answer may be given.
        """
        try:
            return self._together.do(_Asked(answer, retry, asker)).body
        except AlreadyAnswered as earlier:
            return self.again(earlier.answer_id)

    def _record_all(self, group: Sequence[_Asked]) -> list[_Outcome]:
        """Commit, then note the marks; what came of each. Nobody is told before."""
        outcomes = self._committed(group)
        if any(isinstance(outcome, _Recorded) for outcome in outcomes):
            self.crash_point("after commit")
            outcomes = self._noted(outcomes)
            self.crash_point("after mark")
        return outcomes

    def _committed(self, group: Sequence[_Asked]) -> list[_Outcome]:
        for _ in range(ATTEMPTS - 1):
            try:
                return self._commit(group)
            except Contended:
                continue
        return self._commit(group)

    def _commit(self, group: Sequence[_Asked]) -> list[_Outcome]:
        """One transaction for all; one that cannot be recorded harms no other."""
        outcomes: dict[int, _Outcome] = {}
        checked: set[str] = set()
        in_order = sorted(enumerate(group), key=lambda numbered: numbered[1].datanet)
        with self.journal.committing() as commit:
            for number, asked in in_order:
                outcomes[number] = self._record_one(commit, asked, checked)
        return [outcomes[number] for number in range(len(group))]

    def _record_one(self, commit: Commit, asked: _Asked, checked: set[str]) -> _Outcome:
        """``checked`` are the Datanets whose marks were held against the journal already: what this
        very transaction adds has no mark yet."""
        try:
            issue = commit.issue(asked.datanet)
            if asked.datanet not in checked:
                self._check_mark(issue)
                checked.add(asked.datanet)
        except FootnoteError as refused:
            return refused
        try:
            with commit.apart(issue):
                return self._issue(issue, asked)
        except Unavailable:  # what the database cannot do for one, it cannot do for any
            raise
        except Exception as refused:
            return refused

    def _issue(self, issue: Issue, asked: _Asked) -> _Recorded:
        """Write one answer at the head."""
        answer, head = asked.answer, issue.head
        term = self._term(head.registration)
        issued_at = int(self.clock())
        if term is not None:
            issued_at = max(issued_at, term.from_time)
        day = issued_at // DAY_SECONDS
        if head.registration is None:
            owed = unpaid(answer)
        else:
            owed = owed_for(answer, head.policy, issue.spent(day, payees(answer, head.policy)))
        salt = self.new_salt()
        version = issue.version_of(answer.snapshot_id)
        message = _message(answer, head, owed, salt, issued_at, version)
        receipt = self._signed(answer, head, owed, message)
        body = answer_object(answer, receipt, salt)
        defined = [answer.model, answer.verifier, head.policy.definition]
        defined += [answer.adapter] if answer.adapter else []
        fee_owed = owed.fee if owed.total else 0
        issue.commit(receipt, body, defined, day, fee_owed, asked.retry, asked.asker)
        return _Recorded(receipt, body)

    def _noted(self, outcomes: Sequence[_Outcome]) -> list[_Outcome]:
        """``outcomes`` after one mark for each place: the newest receipt's stands for all before
        it. Where it cannot be noted, none of them may be given."""
        newest: dict[tuple[bytes, str], StoredReceipt] = {}
        for outcome in outcomes:
            if isinstance(outcome, _Recorded):
                newest[_place(outcome.receipt)] = outcome.receipt
        failed: dict[tuple[bytes, str], FootnoteError] = {}
        for place, receipt in newest.items():
            try:
                self._note(receipt)
            except FootnoteError as error:
                failed[place] = error
        return [
            failed.get(_place(outcome.receipt), outcome)
            if isinstance(outcome, _Recorded)
            else outcome
            for outcome in outcomes
        ]

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
            if issue.head.seq and not self.marks.begun(ledger_id, issue.datanet):
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
            begun = self.marks.begun(ledger_id, datanet)
            if not begun and self.journal.next_seq(ledger_id, datanet):
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


def _place(receipt: StoredReceipt) -> tuple[bytes, str]:
    return receipt.message.ledger_id, receipt.datanet


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
