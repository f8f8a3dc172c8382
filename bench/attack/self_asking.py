"""What a contributor drains from a pool by asking for its own documents: the policy's limits say.

Computed over the product's own rules (:func:`rewards.owed.owed_for`), without a chain.
"""

from __future__ import annotations

from typing import Any

from footnote.addresses import Address
from footnote.ids import version_of
from footnote.model import (
    Answer,
    Citation,
    Contributor,
    Definition,
    Document,
    Question,
    Span,
    Usage,
    Verdict,
)
from rewards.owed import Spent, owed_for
from rewards.policy import Policy

ASKED = 20_000
SELF = Address(b"\xa7" * 20)


def drained(policy: Policy | None = None) -> dict[str, Any]:
    """One day of an asker who is the only contributor cited, against the two daily limits."""
    policy = policy or Policy()
    answer = _answer()
    spent = Spent()
    drained = paid = 0
    for _ in range(ASKED):
        owed = owed_for(answer, policy, spent)
        data = sum(line.amount for line in owed.lines if line.account == SELF)
        paid += data > 0
        drained += data
        within = policy.daily_budget is None or spent.fees + owed.fee <= policy.daily_budget
        spent = Spent(spent.fees + (owed.fee if within else 0), {SELF: drained})
    limit = policy.daily_limit_per_address
    budget = policy.daily_budget
    return {
        "questions": ASKED,
        "paid": paid,
        "drained": str(drained),
        "limit_per_address": None if limit is None else str(limit),
        "percent_of_daily_budget": None if budget is None else round(100 * drained / budget, 2),
        "passed": limit is not None and drained <= limit,
    }


def _answer() -> Answer:
    text = "Mallory's own sentence."
    document = Document(
        "mallory", version_of(text), "Mallory", None, "CC0-1.0", (Contributor(SELF, 10_000),)
    )
    span = Span(0, len(text))
    citation = Citation(
        "cit_1", "clm_1", 1, document, span, text, Verdict.SUPPORTED, 1.0, 1_000_000
    )
    nothing = Definition({})
    return Answer(
        "ans_self", Question("any", "What does Mallory say?"), text, None, 1.0, (), (citation,),
        (), frozenset(), bytes(32), nothing, nothing, usage=Usage(0, 0),
    )  # fmt: skip
