"""A Batch is a pure function of the receipts in its range."""

from __future__ import annotations

import pytest
from Crypto.Hash import keccak as pycryptodome
from hypothesis import given
from hypothesis import strategies as st

from footnote.addresses import Address
from footnote.merkle import verify_proof
from rewards.batch import (
    MAX_ENTRIES,
    Limits,
    Payable,
    batch_of,
    is_due,
    longest_prefix,
    proof_in_batch,
)
from rewards.policy import MAX_AMOUNT
from tests.money import address


def payable(seq: int, *owed: tuple[int, int], at: int = 0) -> Payable:
    leaf = pycryptodome.new(digest_bits=256, data=seq.to_bytes(8, "big")).digest()
    return Payable(seq, leaf, at, tuple((address(n), amount) for n, amount in owed))


OWED = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 10**20)), max_size=6)
RECEIPTS = st.lists(OWED, min_size=1, max_size=20).map(
    lambda all_: [payable(7 + i, *owed) for i, owed in enumerate(all_)]
)


@given(RECEIPTS)
def test_a_batch_pays_what_its_receipts_owe_and_no_unit_more(receipts: list[Payable]) -> None:
    owed: dict[Address, int] = {}
    for receipt in receipts:
        for account, amount in receipt.owed:
            owed[account] = owed.get(account, 0) + amount
    batch = batch_of(receipts)
    assert {p.account: p.amount for p in batch.payouts} == {a: n for a, n in owed.items() if n}
    assert batch.total == sum(owed.values())


@given(RECEIPTS)
def test_the_same_receipts_make_the_same_bytes(receipts: list[Payable]) -> None:
    shuffled = [Payable(r.seq, r.leaf, r.issued_at, r.owed[::-1]) for r in receipts]
    one, other = batch_of(receipts), batch_of(shuffled)
    assert (one, one.digest, one.entries) == (other, other.digest, other.entries)


@given(RECEIPTS)
def test_entries_ascend_by_account_without_zeros_or_duplicates(receipts: list[Payable]) -> None:
    entries = batch_of(receipts).entries
    assert all(len(entry) == 32 for entry in entries)
    assert sorted({entry[:20] for entry in entries}) == [entry[:20] for entry in entries]
    assert all(any(entry[20:]) for entry in entries)


@given(RECEIPTS)
def test_every_receipt_of_a_batch_proves_itself(receipts: list[Payable]) -> None:
    root = batch_of(receipts).receipts_root
    for receipt in receipts:
        proof = proof_in_batch(receipts, receipt.seq)
        assert verify_proof(receipt.leaf, proof, root, len(receipts))


def test_a_batch_of_refusals_has_a_root_and_owes_nothing() -> None:
    batch = batch_of([payable(0), payable(1)])
    assert (batch.first, batch.last, batch.total, batch.entries) == (0, 1, 0, [])
    assert any(batch.receipts_root)


def test_receipts_with_a_gap_make_no_batch() -> None:
    with pytest.raises(ValueError, match="follow each other"):
        batch_of([payable(0), payable(2)])


LIMITS = st.builds(
    Limits,
    max_total=st.integers(0, 10**21),
    max_entries=st.integers(0, 12),
    max_receipts=st.integers(0, 12),
)


@given(RECEIPTS, LIMITS)
def test_a_prefix_is_the_longest_whose_batch_keeps_within_every_limit(
    receipts: list[Payable], limits: Limits
) -> None:
    def fits(count: int) -> bool:
        batch = batch_of(receipts[:count])
        return (
            count <= limits.max_receipts
            and batch.total <= limits.max_total
            and len(batch.payouts) <= limits.max_entries
        )

    longest = max((n for n in range(1, len(receipts) + 1) if fits(n)), default=0)
    assert longest_prefix(receipts, limits) == (receipts[:longest], longest < len(receipts))


def test_a_batch_takes_the_longest_prefix_of_500_addresses() -> None:
    receipts = [payable(i, (2 * i + 1, 5), (2 * i + 2, 5)) for i in range(300)]
    chosen, full = longest_prefix(receipts, Limits())
    assert (len(chosen), full) == (MAX_ENTRIES // 2, True)
    assert len(batch_of(chosen).entries) == MAX_ENTRIES


def test_an_address_that_is_owed_nothing_takes_no_entry() -> None:
    receipts = [payable(0, *((n, 1) for n in range(1, 501))), payable(1, (900, 0)), payable(2)]
    assert longest_prefix(receipts, Limits()) == (receipts, False)


def test_an_address_counts_once_however_often_it_is_owed() -> None:
    receipts = [payable(i, (1, 5)) for i in range(600)]
    assert longest_prefix(receipts, Limits()) == (receipts, False)


def test_a_batch_never_exceeds_the_pools_cap() -> None:
    receipts = [payable(i, (i + 1, 40)) for i in range(5)]
    chosen, full = longest_prefix(receipts, Limits(max_total=100))
    assert ([r.seq for r in chosen], full) == ([0, 1], True)


def test_no_entry_outgrows_96_bits() -> None:
    receipts = [payable(0, (1, MAX_AMOUNT)), payable(1, (1, 1))]
    chosen, full = longest_prefix(receipts, Limits(max_total=2**200))
    assert ([r.seq for r in chosen], full) == ([0], True)


def test_a_receipt_that_alone_exceeds_the_cap_is_not_split() -> None:
    assert longest_prefix([payable(0, (1, 101))], Limits(max_total=100)) == ([], True)


def test_a_batch_is_due_at_an_age_after_its_first_owing_receipt() -> None:
    receipts = [payable(0, at=0), payable(1, (1, 0), at=50), payable(2, (1, 5), at=100)]
    assert not is_due(receipts, False, 159.0, 60, 86_400)
    assert is_due(receipts, False, 160.0, 60, 86_400)


def test_a_full_batch_is_due_at_once() -> None:
    assert is_due([payable(0, (1, 5), at=100)], True, 100.0, 60, 86_400)


def test_refusals_alone_wait_up_to_a_day() -> None:
    receipts = [payable(0, at=0), payable(1, at=80_000)]
    assert not is_due(receipts, False, 86_399.0, 60, 86_400)
    assert is_due(receipts, False, 86_400.0, 60, 86_400)


def test_no_receipts_are_never_due() -> None:
    assert not is_due([], True, 10**12, 0, 0)
