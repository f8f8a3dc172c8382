"""Reward policies: content-addressed, and refused where they are wrong."""

from __future__ import annotations

from typing import Any

import pytest

from footnote.addresses import format_address
from footnote.errors import Invalid
from rewards.policy import MAX_AMOUNT, Policy, policy_from
from tests.money import address


def test_a_policy_is_read_back_from_its_canonical_form() -> None:
    policy = Policy(price_in=7, daily_budget=None, stakers=address(3))
    assert policy_from(policy.definition.body) == policy


def test_the_model_host_may_be_whoever_owns_the_adapter() -> None:
    policy = policy_from({"model_host": "adapter_owner", "platform": format_address(address(3))})
    assert policy_from(policy.definition.body) == policy
    owned = {"kind": "adapter", "owner": format_address(address(7))}
    assert policy.named(owned) == [("model_host", address(7)), ("platform", address(3))]
    for nobody in (None, {"kind": "adapter"}, {"kind": "adapter", "owner": None}):
        assert policy.named(nobody) == [("platform", address(3))]


def test_only_the_model_host_may_be_the_adapters_owner() -> None:
    with pytest.raises(Invalid, match="address"):
        policy_from({"stakers": "adapter_owner"})


def test_any_change_of_a_policy_changes_its_id() -> None:
    changed = [
        Policy(), Policy(price_per_answer=1), Policy(price_in=1), Policy(price_out=1),
        Policy(max_per_answer=1), Policy(daily_budget=None), Policy(daily_limit_per_address=1),
        Policy(model_host=address(1)), Policy(model_host="adapter_owner"),
        Policy(stakers=address(1)), Policy(platform=address(1)),
    ]  # fmt: skip
    assert len({policy.definition.definition_id for policy in changed}) == len(changed)


def test_what_a_table_leaves_out_has_its_default() -> None:
    assert policy_from({"price_per_answer": 12}) == Policy(price_per_answer=12)
    assert Policy().price_per_answer > 0


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"price": 1}, "price"),
        ({"price_in": -1}, "price_in"),
        ({"price_in": 1.5}, "price_in"),
        ({"price_in": True}, "price_in"),
        ({"price_in": None}, "price_in"),
        ({"price_in": "1e3"}, "price_in"),
        ({"price_in": MAX_AMOUNT + 1}, "price_in"),
        ({"stakers": 7}, "stakers"),
        ({"stakers": "0x" + "0" * 40}, "zero address"),
        ({"stakers": format_address(address(10)).swapcase()}, "address"),
    ],
)
def test_a_wrong_policy_is_refused_by_the_name_of_its_field(
    body: dict[str, Any], named: str
) -> None:
    with pytest.raises(Invalid, match=named):
        policy_from(body)


@pytest.mark.parametrize("fee", [0, 1, 2, 3, 5, 7, 10, 999, 10**18 + 1, MAX_AMOUNT])
def test_the_parts_of_every_fee_sum_to_it(fee: int) -> None:
    parts = Policy.parts(fee)
    assert parts.data + parts.model_host + parts.stakers + parts.platform == fee
