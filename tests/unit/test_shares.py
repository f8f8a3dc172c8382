"""Whole numbers that sum exactly."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from footnote.shares import PPM, citation_weights, split

TOTALS = st.integers(0, 2**96 - 1)
WEIGHTS = st.lists(st.integers(0, 10**10), max_size=60)
CITED = st.lists(st.tuples(st.integers(1, 4), st.sampled_from("abcd")), max_size=10)


@given(TOTALS, WEIGHTS)
def test_a_split_sums_exactly_to_what_was_given(total: int, weights: list[int]) -> None:
    assert sum(split(total, weights)) == (total if any(weights) else 0)


@given(TOTALS, WEIGHTS)
def test_each_part_is_its_quota_rounded_down_or_up(total: int, weights: list[int]) -> None:
    whole = sum(weights)
    for part, weight in zip(split(total, weights), weights, strict=True):
        quota = Fraction(total * weight, whole) if whole else Fraction(0)
        assert part in (floor(quota), -floor(-quota))


@given(TOTALS, WEIGHTS.filter(any))
def test_the_units_left_over_go_to_the_largest_remainders(total: int, weights: list[int]) -> None:
    whole = sum(weights)
    parts = split(total, weights)
    rounded_up = [total * w % whole for w, p in zip(weights, parts, strict=True)
                  if p > total * w // whole]  # fmt: skip
    rounded_down = [total * w % whole for w, p in zip(weights, parts, strict=True)
                    if p == total * w // whole]  # fmt: skip
    assert min(rounded_up, default=whole) >= max(rounded_down, default=0)


@given(TOTALS, st.lists(st.integers(1, 10**6), min_size=1, unique=True).flatmap(
    lambda weights: st.tuples(st.just(weights), st.permutations(weights))
))  # fmt: skip
def test_a_split_without_ties_does_not_depend_on_the_order(
    total: int, orders: tuple[list[int], list[int]]
) -> None:
    weights, other = orders
    whole = sum(weights)
    assume(len({total * weight % whole for weight in weights}) == len(weights))
    assert dict(zip(weights, split(total, weights), strict=True)) == dict(
        zip(other, split(total, other), strict=True)
    )


def test_a_tie_goes_to_the_earlier_part() -> None:
    assert split(10, [1, 1, 1]) == [4, 3, 3]
    assert split(11, [1, 1, 1]) == [4, 4, 3]
    assert split(1, [Fraction(1, 2), Fraction(1, 2)]) == [1, 0]


def test_the_largest_remainder_wins_over_the_larger_weight() -> None:
    # Quotas 1.8, 0.6 and 0.6: the first has the largest remainder, then the earlier of two equals.
    assert split(3, [3, 1, 1]) == [2, 1, 0]
    # Quotas 6.25 and 0.75 and 3: 0.75 gets the unit.
    assert split(10, [625, 75, 300]) == [6, 1, 3]


def test_nothing_is_paid_where_nothing_weighs() -> None:
    assert split(100, [0, 0]) == [0, 0]
    assert split(100, []) == []


@pytest.mark.parametrize(("total", "weights"), [(-1, [1]), (1, [1, -1])])
def test_negative_numbers_are_not_split(total: int, weights: list[int]) -> None:
    with pytest.raises(ValueError, match="non-negative"):
        split(total, weights)


@given(CITED)
def test_citation_weights_sum_to_a_million_or_to_nothing(cited: list[tuple[int, str]]) -> None:
    assert sum(citation_weights(cited)) == (PPM if cited else 0)


@given(CITED.filter(bool))
def test_every_claim_weighs_the_same_up_to_rounding(cited: list[tuple[int, str]]) -> None:
    weights = citation_weights(cited)
    claims = {claim for claim, _ in cited}
    for claim in claims:
        weight = sum(w for (c, _), w in zip(cited, weights, strict=True) if c == claim)
        assert abs(weight - Fraction(PPM, len(claims))) < len(cited)


@given(CITED.filter(bool))
def test_each_weight_is_the_three_level_share_rounded(cited: list[tuple[int, str]]) -> None:
    claims = len({claim for claim, _ in cited})
    for (claim, name), weight in zip(cited, citation_weights(cited), strict=True):
        documents = len({d for c, d in cited if c == claim})
        exact = Fraction(PPM, claims * documents * cited.count((claim, name)))
        assert abs(weight - exact) < 1


def test_a_document_gains_nothing_by_being_cited_twice_for_one_claim() -> None:
    assert citation_weights([(1, "a"), (1, "a"), (1, "b")]) == [250_000, 250_000, 500_000]


def test_a_claim_gains_nothing_by_more_citations() -> None:
    assert citation_weights([(1, "a"), (1, "b"), (2, "c")]) == [250_000, 250_000, 500_000]


def test_the_odd_ppm_goes_to_the_earlier_citation() -> None:
    assert citation_weights([(1, "a"), (2, "b"), (3, "c")]) == [333_334, 333_333, 333_333]
