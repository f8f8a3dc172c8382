"""What the journal shows to people as settled is what the chain holds, or the audit says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from footnote.errors import Unavailable
from rewards.audit import audit
from tests.conftest import rpc
from tests.money import Place, Pool, deployed, place


@pytest.fixture
def at(instant_pool: Pool, tmp_path: Path) -> Place:
    return place(deployed(instant_pool.url, instant_pool.chain), tmp_path)


@pytest.fixture
def undone(at: Place) -> Place:
    """A chain that lost the block in which a final batch was settled, and no block since."""
    at.record(1)
    snapshot = rpc(at.pool.url, "evm_snapshot")
    at.settle()
    assert audit(at.journal, at.pool.chain).differences == []
    rpc(at.pool.url, "evm_revert", snapshot)
    return at


def change(at: Place, statement: str) -> None:
    with at.journal._writing() as connection:
        assert connection.exec_driver_sql(statement).rowcount == 1


def test_a_node_behind_what_was_final_gives_no_verdict(undone: Place) -> None:
    with pytest.raises(Unavailable, match="batches were seen final at"):
        audit(undone.journal, undone.pool.chain)


def test_a_chain_that_lost_what_was_final_is_a_difference(undone: Place) -> None:
    rpc(undone.pool.url, "anvil_mine", "0x2")
    found = audit(undone.journal, undone.pool.chain)
    assert found.differences == [
        "eips: the journal calls receipts 0..0 settled, and the chain's cursor is 0"
    ]
    assert found.as_json()["agrees"] is False


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE batches SET entries = substr(entries, 1, 32)", "shows another batch at seq 0"),
        ("UPDATE batches SET batch_id = zeroblob(32)", "shows another batch at seq 0"),
        ("UPDATE batches SET tx_hash = zeroblob(32)", "of another transaction than the journal"),
    ],
)
def test_a_final_batch_that_was_changed_in_the_journal_is_a_difference(
    at: Place, statement: str, told: str
) -> None:
    at.record(1)
    at.settle()
    change(at, statement)
    (difference,) = audit(at.journal, at.pool.chain).differences
    assert told in difference


def test_a_batch_whose_transaction_nobody_knows_is_no_difference(at: Place) -> None:
    at.record(1)
    at.settle()
    change(at, "UPDATE batches SET tx_hash = NULL")
    assert audit(at.journal, at.pool.chain).differences == []


def test_what_the_worker_has_not_finished_yet_is_no_difference(at: Place) -> None:
    at.record(1)
    at.settle()
    change(at, "UPDATE batches SET stage = 'mined', final_at = NULL")
    assert audit(at.journal, at.pool.chain).differences == []
