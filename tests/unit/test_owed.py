"""What an Answer owes to whom, to the last base unit."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from footnote.addresses import format_address
from footnote.model import MAX_CITATIONS, Definition, Usage, Verdict
from rewards.owed import Owed, Spent, owed_for, payees, unpaid
from rewards.policy import Policy
from tests.money import address, answer, document, refusal, supported

PLAIN = Policy(
    price_per_answer=1_000, price_in=0, price_out=0, daily_budget=None, daily_limit_per_address=None
)
HOST, STAKERS, PLATFORM = address(71), address(72), address(73)
NAMED = replace(PLAIN, model_host=HOST, stakers=STAKERS, platform=PLATFORM)
ONE = answer([supported(1, document("a", (1, 10_000)))])
UNSUPPORTED = answer([(1, document("a", (1, 10_000)), Verdict.PARTIAL)])


def paid(owed: Owed) -> dict[int, int]:
    """Amounts by the number of the account."""
    found: dict[int, int] = {}
    for line in owed.lines:
        number = int.from_bytes(line.account, "big") & 0xFFFF
        found[number] = found.get(number, 0) + line.amount
    return found


def test_the_fee_is_the_price_of_the_answer_and_of_its_tokens_rounded_down() -> None:
    policy = replace(PLAIN, price_per_answer=5, price_in=1_000, price_out=2_999)
    assert policy.fee(Usage(7, 1)) == 5 + 7 + 2
    assert policy.fee(Usage(0, 0)) == 5
    # The tokens' prices are added before they are rounded.
    halves = replace(PLAIN, price_per_answer=0, price_in=500, price_out=500)
    assert halves.fee(Usage(1, 1)) == 1


def test_a_fee_never_exceeds_the_most_that_an_answer_may_cost() -> None:
    policy = replace(PLAIN, price_in=10**9, max_per_answer=1_234)
    assert owed_for(replace(ONE, usage=Usage(10**6, 0)), policy, Spent()).fee == 1_234


def test_half_a_fee_goes_to_contributors_and_the_rest_to_the_named_parts() -> None:
    owed = owed_for(ONE, NAMED, Spent())
    assert (owed.fee, owed.data_pool, owed.total) == (1_000, 500, 1_000)
    assert paid(owed) == {1: 500, 71: 200, 72: 200, 73: 100}
    assert [line.part for line in owed.lines] == ["data", "model_host", "stakers", "platform"]


def test_the_parts_of_an_odd_fee_still_sum_to_it() -> None:
    for fee in range(40):
        owed = owed_for(ONE, replace(NAMED, price_per_answer=fee), Spent())
        assert owed.total == fee


def test_a_part_without_an_address_is_not_charged() -> None:
    owed = owed_for(ONE, replace(PLAIN, stakers=STAKERS), Spent())
    assert paid(owed) == {1: 500, 72: 200}
    assert owed.fee == 1_000


def test_the_owner_of_the_adapter_that_answered_is_paid_as_its_host() -> None:
    policy = replace(PLAIN, model_host="adapter_owner")
    adapter = Definition({"kind": "adapter", "owner": format_address(address(9))})
    owed = owed_for(replace(ONE, adapter=adapter), policy, Spent())
    assert paid(owed) == {1: 500, 9: 200}
    assert paid(owed_for(ONE, policy, Spent())) == {1: 500}, "no adapter, nothing owed"
    assert address(9) in payees(replace(ONE, adapter=adapter), policy)


def test_a_line_of_a_named_part_has_no_source() -> None:
    line = owed_for(ONE, NAMED, Spent()).lines[-1]
    assert (line.document_hash, line.version_hash, line.cited_text_hash) == (bytes(32),) * 3
    assert (line.start, line.end, line.weight_ppm, line.share_bps) == (0, 0, 0, 0)
    assert (line.citation_id, line.document_id) == (None, None)


def test_a_refusal_owes_nothing_to_anybody() -> None:
    assert owed_for(refusal(), NAMED, Spent()) == Owed(0, 0, ())


def test_without_a_supported_citation_contributors_get_nothing_and_named_parts_theirs() -> None:
    owed = owed_for(UNSUPPORTED, NAMED, Spent())
    assert (owed.fee, owed.data_pool) == (1_000, 0)
    assert paid(owed) == {1: 0, 71: 200, 72: 200, 73: 100}


def test_a_contributor_cited_twice_is_paid_for_both_citations() -> None:
    first, second = document("a", (1, 10_000)), document("b", (1, 4_000), (2, 6_000))
    owed = owed_for(answer([supported(1, first), supported(2, second)]), PLAIN, Spent())
    assert paid(owed) == {1: 250 + 100, 2: 150}
    assert [(line.citation_id, line.amount) for line in owed.lines] == [
        ("cit_1", 250), ("cit_2", 100), ("cit_2", 150),
    ]  # fmt: skip


def test_lines_stand_by_citation_then_by_address() -> None:
    cited = document("a", (9, 1_000), (3, 4_000), (5, 5_000))
    owed = owed_for(answer([supported(1, cited), supported(1, cited)]), NAMED, Spent())
    assert [(line.citation_id, line.account) for line in owed.lines] == [
        ("cit_1", address(3)), ("cit_1", address(5)), ("cit_1", address(9)),
        ("cit_2", address(3)), ("cit_2", address(5)), ("cit_2", address(9)),
        (None, HOST), (None, STAKERS), (None, PLATFORM),
    ]  # fmt: skip


def test_a_unit_left_over_goes_to_the_lower_address_then_to_the_earlier_citation() -> None:
    # Four equal lines share 3 units: both of account 1, then the first of account 2.
    cited = document("a", (1, 5_000), (2, 5_000))
    twice = answer([supported(1, cited), supported(1, cited)])
    owed = owed_for(twice, replace(PLAIN, price_per_answer=6), Spent())
    assert owed.data_pool == 3
    assert [(line.citation_id, line.account, line.amount) for line in owed.lines] == [
        ("cit_1", address(1), 1), ("cit_1", address(2), 1),
        ("cit_2", address(1), 1), ("cit_2", address(2), 0),
    ]  # fmt: skip


def test_only_supported_citations_earn() -> None:
    a, b, c = (document(name, (n, 10_000)) for n, name in ((1, "a"), (2, "b"), (3, "c")))
    given_ = answer([(1, a, Verdict.CONTRADICTED), supported(1, b), (2, c, Verdict.UNSUPPORTED)])
    assert paid(owed_for(given_, PLAIN, Spent())) == {1: 0, 2: 500, 3: 0}


@given(
    fee=st.integers(0, 10**18),
    cited=st.lists(
        st.tuples(
            st.integers(1, 3),
            st.lists(st.integers(1, 40), min_size=1, max_size=5, unique=True),
            st.booleans(),
        ),
        max_size=MAX_CITATIONS,
    ),
)
def test_contributor_lines_sum_exactly_to_the_pool(
    fee: int, cited: list[tuple[int, list[int], bool]]
) -> None:
    cites = []
    for number, accounts, holds in cited:
        shares = [10_000 // len(accounts)] * len(accounts)
        shares[0] += 10_000 - sum(shares)
        named = document(f"d{accounts}", *zip(accounts, shares, strict=True))
        cites.append((number, named, Verdict.SUPPORTED if holds else Verdict.PARTIAL))
    policy = replace(PLAIN, price_per_answer=fee)
    owed = owed_for(answer(cites), policy, Spent())
    pool = Policy.parts(fee).data if any(holds for _, _, holds in cited) else 0
    assert owed.data_pool == sum(line.amount for line in owed.lines) == pool


@given(st.permutations([3, 1, 2]))
def test_what_is_owed_does_not_depend_on_the_order_of_a_documents_contributors(
    order: list[int],
) -> None:
    shares = {1: 3_334, 2: 3_333, 3: 3_333}
    cited = document("a", *((n, shares[n]) for n in order))
    owed = owed_for(answer([supported(1, cited)]), PLAIN, Spent())
    assert paid(owed) == {1: 167, 2: 167, 3: 166}
    assert owed == owed_for(
        answer([supported(1, document("a", *sorted(shares.items())))]), PLAIN, Spent()
    )


def test_a_receipt_whose_fee_exceeds_what_is_left_of_the_days_budget_owes_nothing_at_all() -> None:
    policy = replace(NAMED, daily_budget=1_999)
    within = owed_for(ONE, policy, Spent(fees=999))
    beyond = owed_for(ONE, policy, Spent(fees=1_000))
    assert (within.total, within.fee) == (1_000, 1_000)
    assert (beyond.total, beyond.data_pool, beyond.fee) == (0, 0, 1_000)
    assert len(beyond.lines) == len(within.lines), "its lines stay, at 0"
    assert all(line.withheld for line in beyond.lines), "so that each says why it is 0"


def test_a_line_beyond_its_addresss_daily_limit_is_withheld_whole() -> None:
    cited = document("a", (1, 5_000), (2, 5_000))
    policy = replace(PLAIN, daily_limit_per_address=1_000)
    owed = owed_for(answer([supported(1, cited)]), policy, Spent(0, {address(1): 751}))
    assert [(line.amount, line.withheld) for line in owed.lines] == [(0, True), (250, False)]
    assert owed.data_pool == 250, "the pool is what remains"


def test_a_line_that_just_reaches_the_limit_is_paid() -> None:
    policy = replace(PLAIN, daily_limit_per_address=1_000)
    owed = owed_for(ONE, policy, Spent(0, {address(1): 500}))
    assert [(line.amount, line.withheld) for line in owed.lines] == [(500, False)]


def test_the_limit_counts_the_lines_of_one_receipt_together() -> None:
    cited = document("a", (1, 10_000))
    twice = answer([supported(1, cited), supported(2, cited)])
    owed = owed_for(twice, replace(PLAIN, daily_limit_per_address=400), Spent())
    assert [(line.amount, line.withheld) for line in owed.lines] == [(250, False), (0, True)]


def test_the_limit_holds_for_named_parts_too() -> None:
    owed = owed_for(ONE, replace(NAMED, daily_limit_per_address=150), Spent())
    assert {line.part: line.amount for line in owed.lines} == {
        "data": 0, "model_host": 0, "stakers": 0, "platform": 100,
    }  # fmt: skip


def test_without_a_ledger_citations_weigh_as_always_and_owe_nothing() -> None:
    owed = unpaid(ONE)
    assert (owed.fee, owed.data_pool, owed.total) == (0, 0, 0)
    assert [line.weight_ppm for line in owed.lines] == [1_000_000]


def test_the_largest_answer_fits_one_batch() -> None:
    shares = [(n, 250) for n in range(1, 41)]
    cites = [
        supported(1, document(f"d{i}", *((n + 1_000 + 40 * i, bps) for n, bps in shares)))
        for i in range(MAX_CITATIONS)
    ]
    owed = owed_for(answer(cites), NAMED, Spent())
    assert len({line.account for line in owed.lines}) == 403
