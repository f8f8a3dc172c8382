"""Issuing again after the journal lost its tail.

What people saved of the lost receipts is admitted again, each checked as before it was paid. What
nobody saved is given up openly: its numbers are settled as *abandoned*, and the next receipt names
the last lost one's digest, so that a lost receipt that turns up later is seen to be one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from footnote.addresses import Address, format_address
from footnote.errors import Invalid, Refused
from footnote.model import Definition
from rewards.batch import Payable
from rewards.chain import Chain
from rewards.integrity import is_vouched_for, is_whole
from rewards.journal.answers import Issue
from rewards.journal.journal import Journal
from rewards.journal.records import DAY_SECONDS, Abandoned, StoredReceipt
from rewards.ledger import Registration
from rewards.marks import Mark, Marks, RolledBack
from rewards.policy import policy_from
from rewards.receipt import Domain, line_from_json, receipt_from_json
from rewards.verify import line_problem

Saved = tuple[StoredReceipt, tuple[Definition, ...]]
"""A saved receipt, and the definitions that were saved with it."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """What resuming did. ``readmitted`` counts receipts."""

    readmitted: int
    abandoned: tuple[Abandoned, ...]
    next_seq: int


def resume(
    journal: Journal,
    marks: Marks,
    chain: Chain | None,
    registration: Registration,
    saved: Iterable[Mapping[str, Any]],
    *,
    abandon: bool,
    distributors: Sequence[Address] = (),
    clock: Callable[[], float] = time.time,
) -> Resumed:
    """Bring journal and mark together again, in one transaction.

    Args:
        saved: receipt objects, as ``GET /v1/receipts/{id}`` and the batches give them.
        abandon: give up the numbers that no saved receipt brings back.
        distributors: accounts that settle; none may have a transaction on its way.

    Raises:
        Refused: some numbers have no receipt, and ``abandon`` is not given; or the chain settled
            one of them.
    """
    ledger_id, datanet = registration.ledger.ledger_id, registration.datanet
    mark = _mark(marks, registration, abandon)
    by_previous = _checked(journal, saved, registration)
    readmitted, given_up = 0, list[Abandoned]()
    with journal.issuing(datanet, registration) as issue:
        before = issue.head.seq
        while True:
            while (
                found := by_previous.pop((issue.head.seq, issue.head.previous), None)
            ) is not None:
                _append(issue, *found)
                readmitted += 1
            gap = _gap(issue, mark, by_previous)
            if gap is None:
                break
            if not abandon:
                raise _missing(issue.head.seq, gap.seq, readmitted)
            _check_unsettled(chain, registration, issue.head.seq, distributors)
            given_up.append(issue.abandon(gap.seq, gap.digest, int(clock())))
        if mark is None and before:
            _check_unsettled(chain, registration, issue.head.seq, ())
        if mark is not None and issue.digest_at(mark.seq) != mark.digest and not abandon:
            raise Refused(
                f"receipt {mark.seq} is another one in the journal than was issued",
                "restore the newest journal; with --abandon the journal's own stands",
            )
        head = issue.head
    if head.seq:
        marks.reset(ledger_id, datanet, Mark(head.seq - 1, head.previous))
    return Resumed(readmitted, tuple(given_up), head.seq)


def _gap(issue: Issue, mark: Mark | None, saved: Mapping[tuple[int, bytes], Saved]) -> Mark | None:
    """The last of the numbers from the head on that have no receipt, with its digest: up to the
    next saved one, which names it, or up to the mark."""
    later = min((place for place in saved if place[0] > issue.head.seq), default=None)
    if later is not None and (mark is None or later[0] <= mark.seq):
        return Mark(later[0] - 1, later[1])
    return mark if mark is not None and mark.seq >= issue.head.seq else None


def _mark(marks: Marks, registration: Registration, abandon: bool) -> Mark | None:
    try:
        return marks.read(registration.ledger.ledger_id, registration.datanet)
    except RolledBack:
        if abandon:
            return None
        raise Refused(
            "the high-water mark cannot be read, so nobody knows what was issued last",
            "restore the newest journal, and give --abandon to trust it",
        ) from None


def _checked(
    journal: Journal, saved: Iterable[Mapping[str, Any]], registration: Registration
) -> dict[tuple[int, bytes], Saved]:
    """The saved receipts of this Datanet by number and by the digest that they follow.

    Raises:
        Invalid: one of them is not true.
    """
    found = {}
    for shown in saved:
        receipt, definitions = _parsed(shown, registration.datanet)
        message = receipt.message
        if (message.ledger_id, message.datanet_id) != (
            registration.ledger.ledger_id, registration.datanet_id,
        ):  # fmt: skip
            continue
        owed = tuple((line.account, line.amount) for line in receipt.lines)
        payable = Payable(message.seq, message.leaf, message.issued_at, owed)
        if not is_whole(receipt, payable, registration):
            raise Invalid(f"the saved receipt {message.seq} is not true", "leave it out")
        if not is_vouched_for(receipt, registration):
            raise Invalid(
                f"the saved receipt {message.seq} is not signed by a registered signer",
                "leave it out",
            )
        _check_lines(journal, receipt, definitions)
        found[message.seq, message.previous] = receipt, definitions
    return found


def _check_lines(
    journal: Journal, receipt: StoredReceipt, definitions: Sequence[Definition]
) -> None:
    """What no signature covers, such as a document's id, must follow from what it does cover."""
    message = receipt.message
    bodies = {one.definition_id: one.body for one in definitions}
    policy = bodies.get(message.policy_id) or journal.definition(message.policy_id)
    if policy is None:
        raise Invalid(
            f"the policy of the saved receipt {message.seq} is not known",
            "give the receipt or the batch as the API returned it",
        )
    adapter = bodies.get(message.adapter_id) or journal.definition(message.adapter_id)
    problem = line_problem(receipt.lines, message, policy_from(policy), adapter)
    if problem is not None:
        raise Invalid(f"the saved receipt {message.seq} is not true: {problem}", "leave it out")


def _parsed(shown: Mapping[str, Any], datanet: str) -> Saved:
    try:
        domain = shown["domain"]
        receipt = StoredReceipt(
            digest=_bytes(shown["digest"]),
            datanet=datanet,
            answer_id=None,
            domain=Domain(int(domain["chainId"]), Address(_bytes(domain["verifyingContract"]))),
            message=receipt_from_json(shown["message"]),
            signature=_bytes(shown["signature"]),
            signer=Address(_bytes(shown["signer"])),
            lines=tuple(line_from_json(line) for line in shown["lines"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Invalid("a saved receipt cannot be read", "give what the API returned") from error
    message = receipt.message
    signed = {message.policy_id, message.verifier_id, message.model_id, message.adapter_id}
    bodies = (shown.get(name) for name in ("policy", "verifier", "model", "adapter"))
    definitions = (Definition(body) for body in bodies if isinstance(body, Mapping))
    return receipt, tuple(one for one in definitions if one.definition_id in signed)


def _bytes(shown: str) -> bytes:
    return bytes.fromhex(shown.removeprefix("0x"))


def _append(issue: Issue, receipt: StoredReceipt, definitions: tuple[Definition, ...]) -> None:
    message = receipt.message
    owes = any(line.amount for line in receipt.lines)
    issue.append(receipt, definitions, message.issued_at // DAY_SECONDS, message.fee if owes else 0)


def _missing(first: int, last: int, readmitted: int) -> Refused:
    return Refused(
        f"receipts {first}..{last} were issued, and no saved one brings them back "
        f"(nothing was changed; {readmitted} would come back)",
        "give files of saved receipts or batches, or --abandon what nobody saved",
    )


def _check_unsettled(
    chain: Chain | None, registration: Registration, first: int, distributors: Sequence[Address]
) -> None:
    if chain is None:
        raise Refused(
            "nobody can say whether the chain settled what the journal lacks",
            "set FOOTNOTE_RPC_URL",
        )
    if not chain.is_ledger(registration.ledger):
        raise Refused("this chain does not hold that pool", "check FOOTNOTE_RPC_URL")
    for account in distributors:
        if chain.nonce(account, "pending") > chain.nonce(account, "latest"):
            raise Refused(
                f"a transaction of {format_address(account)} is on its way, and may settle it yet",
                "stop the worker, wait until that is mined, and try again",
            )
    cursor = chain.cursor(registration.ledger, registration.datanet_id, "latest")
    if cursor > first:
        raise Refused(
            f"the chain settled up to seq {cursor - 1}, and the journal ends before seq {first}",
            f"give the saved receipts {first}..{cursor - 1}, such as those of the batches",
        )
