"""What one Answer owes to whom. Pure: answer, policy and what the day has spent in, lines out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from footnote.addresses import Address
from footnote.ids import ZERO_HASH, keccak, sha256
from footnote.model import Answer, Citation, Contributor
from footnote.shares import split
from rewards.policy import Policy
from rewards.receipt import Line


@dataclass(frozen=True, slots=True)
class Spent:
    """What earlier receipts of the same UTC day owe: fees of the Datanet, and by address."""

    fees: int = 0
    by_address: Mapping[Address, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Owed:
    """The money in a receipt. ``data_pool`` is the sum of the contributor lines that remain."""

    fee: int
    data_pool: int
    lines: tuple[Line, ...]

    @property
    def total(self) -> int:
        return sum(line.amount for line in self.lines)


def owed_for(answer: Answer, policy: Policy, spent: Spent) -> Owed:
    """Fee, lines and limits for ``answer``.

    A refusal owes nothing and costs nothing. A fee beyond what is left of the day's budget owes
    nothing: every line is withheld. A line that would take its address beyond its own daily limit
    is withheld whole. So a line that is not withheld always owes exactly what the fee says.
    """
    if answer.refused:
        return Owed(0, 0, ())
    fee = policy.fee(answer.usage)
    within_budget = policy.daily_budget is None or fee <= policy.daily_budget - spent.fees
    parts = policy.parts(fee)
    lines = _data_lines(answer, parts.data) + _named_lines(answer, policy, parts)
    lines = _limited(lines, policy, spent) if within_budget else [_withheld(x) for x in lines]
    return Owed(fee, sum(line.amount for line in lines if line.part == "data"), tuple(lines))


def payees(answer: Answer, policy: Policy) -> set[Address]:
    """Every address that ``answer`` may owe something."""
    cited = (c.address for one in answer.citations for c in one.document.contributors)
    return {*cited, *(account for _, account in _named(answer, policy))}


def unpaid(answer: Answer) -> Owed:
    """The lines of an answer that no Ledger pays: weights as always, amounts 0."""
    return Owed(0, 0, tuple(_data_lines(answer, 0)))


def _data_lines(answer: Answer, pool: int) -> list[Line]:
    """One line for each citation and contributor, by citation, then address; those of a citation
    that is not supported weigh and owe 0.

    The pool is split once over all lines by weight times share; a tie goes to the lower address,
    then to the earlier citation.
    """
    pairs = [
        (position, citation, contributor)
        for position, citation in enumerate(answer.citations)
        for contributor in sorted(citation.document.contributors, key=lambda c: c.address)
    ]
    by_tie = sorted(range(len(pairs)), key=lambda i: (pairs[i][2].address, pairs[i][0]))
    weights = [pairs[i][1].weight_ppm * pairs[i][2].share_bps for i in by_tie]
    amounts = dict(zip(by_tie, split(pool, weights), strict=True))
    return [
        _line(citation, contributor, amounts[i])
        for i, (_, citation, contributor) in enumerate(pairs)
    ]


def _line(citation: Citation, contributor: Contributor, amount: int) -> Line:
    return Line(
        part="data",
        citation_id=citation.citation_id,
        document_id=citation.document.document_id,
        document_hash=keccak(citation.document.document_id.encode("utf-8")),
        version_hash=citation.document.version,
        start=citation.span.start,
        end=citation.span.end,
        cited_text_hash=sha256(citation.cited_text.encode("utf-8")),
        account=contributor.address,
        weight_ppm=citation.weight_ppm,
        share_bps=contributor.share_bps,
        amount=amount,
    )


def _named(answer: Answer, policy: Policy) -> list[tuple[str, Address]]:
    return policy.named(answer.adapter.body if answer.adapter else None)


def _named_lines(answer: Answer, policy: Policy, parts: object) -> list[Line]:
    return [
        Line(part, None, None, ZERO_HASH, ZERO_HASH, 0, 0, ZERO_HASH, account, 0, 0,
             getattr(parts, part))
        for part, account in _named(answer, policy)
    ]  # fmt: skip


def _withheld(line: Line) -> Line:
    return replace(line, amount=0, withheld=line.amount > 0)


def _limited(lines: list[Line], policy: Policy, spent: Spent) -> list[Line]:
    limit = policy.daily_limit_per_address
    if limit is None:
        return lines
    earned = dict(spent.by_address)
    kept = []
    for line in lines:
        after = earned.get(line.account, 0) + line.amount
        if line.amount and after > limit:
            kept.append(_withheld(line))
        else:
            earned[line.account] = after
            kept.append(line)
    return kept
