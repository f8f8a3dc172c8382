"""Whole numbers split into whole numbers that sum exactly to what was given.

Every split is Hamilton's largest-remainder method on exact rationals: each part gets the floor of
its quota, and the units left over go to the largest remainders.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from fractions import Fraction

PPM = 1_000_000
BASIS_POINTS = 10_000


def split(total: int, weights: Sequence[int | Fraction]) -> list[int]:
    """Split ``total`` in proportion to ``weights``; a tie goes to the earlier one.

    Returns:
        As many whole numbers as weights, which sum to ``total``; all zero where no weight is
        positive.

    Raises:
        ValueError: for a negative total or weight.
    """
    if total < 0 or any(weight < 0 for weight in weights):
        raise ValueError("a split needs non-negative numbers")
    whole = sum((Fraction(weight) for weight in weights), Fraction(0))
    if whole == 0:
        return [0] * len(weights)
    quotas = [Fraction(weight) * total / whole for weight in weights]
    parts = [quota.numerator // quota.denominator for quota in quotas]
    by_remainder = sorted(range(len(parts)), key=lambda i: (parts[i] - quotas[i], i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts


def citation_weights(supported: Sequence[tuple[Hashable, Hashable]]) -> list[int]:
    """The weight in ppm of each supported citation, given as (claim, document).

    Every claim weighs the same; a claim's weight is shared equally by its documents, a document's
    equally by its citations of that claim. The weights sum to 1,000,000, or to 0 without citations.
    """
    claims = {claim for claim, _ in supported}
    weights = []
    for claim, document in supported:
        documents = {d for c, d in supported if c == claim}
        citations = sum(1 for pair in supported if pair == (claim, document))
        weights.append(Fraction(1, len(claims) * len(documents) * citations))
    return split(PPM, weights)
