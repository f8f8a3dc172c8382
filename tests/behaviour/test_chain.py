"""The door of web3, against a real chain and the real contracts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.stack import Stack, free_port, give_coin
from footnote.addresses import ZERO_ADDRESS, format_address
from footnote.errors import Unavailable
from footnote.ids import keccak
from footnote.merkle import merkle_proof, merkle_root
from rewards.batch import Batch, Payout
from rewards.chain import EvmChain, Reverted
from rewards.keys import Key
from rewards.ledger import Ledger
from tests.conftest import rpc, start_chain
from tests.money import InstantChain, Place, Pool, address, deployed, mined, new_key, place


@pytest.fixture
def here(instant_pool: Pool, tmp_path: Path) -> Place:
    return place(instant_pool, tmp_path)


def leaves_of(count: int) -> list[bytes]:
    return [keccak(count.to_bytes(2, "big") + bytes([i])) for i in range(count)]


def settle(here: Place, batch: Batch, key: Key | None = None) -> bytes:
    """Settle ``batch`` directly."""
    key, chain, ledger = key or here.distributor, here.pool.chain, here.pool.ledger
    identity = here.registration.datanet_id
    raw, tx_hash = key.sign_transaction(
        chain.settle_transaction(
            ledger, identity, batch, chain.nonce(key.address, "latest"), 3_000_000, chain.fees()
        )
    )
    chain.send(raw)
    return tx_hash


def test_the_pool_verifies_every_leaf_of_trees_of_1_to_17_and_no_inner_node(here: Place) -> None:
    chain, ledger, identity = here.pool.chain, here.pool.ledger, here.registration.datanet_id
    first = 0
    for count in range(1, 18):
        leaves = leaves_of(count)
        batch = Batch(first, first + count - 1, merkle_root(leaves), ())
        mined(chain, settle(here, batch))
        batch_id = batch.batch_id(ledger.chain_id, ledger.pool, identity)
        found = chain.batch_at(ledger, identity, first, "latest")
        assert found is not None
        assert (found.batch_id, found.digest, found.receipts_root, found.first, found.last) == (
            batch_id, batch.digest, batch.receipts_root, first, first + count - 1,
        )  # fmt: skip
        for index, leaf in enumerate(leaves):
            proof = merkle_proof(leaves, index)
            assert chain.verify_receipt(ledger, batch_id, leaf, proof), (count, index)
            if proof:
                inner = keccak(min(leaf, proof[0]) + max(leaf, proof[0]))
                assert not chain.verify_receipt(ledger, batch_id, inner, proof[1:])
        assert not chain.verify_receipt(ledger, batch_id, bytes(32), merkle_proof(leaves, 0))
        assert not chain.verify_receipt(ledger, keccak(b"x"), leaves[0], [])
        first += count
    assert here.cursor() == first


def test_settling_credits_each_entry_and_moves_the_cursor(here: Place) -> None:
    chain, ledger = here.pool.chain, here.pool.ledger
    one, two = new_key().address, new_key().address
    low, high = sorted((one, two))
    batch = Batch(0, 2, keccak(b"root"), (Payout(low, 7), Payout(high, 2**64)))
    mined(chain, settle(here, batch))
    assert chain.credits(ledger, [one, two], "latest") == {low: 7, high: 2**64}
    assert here.cursor() == 3
    assert chain.funds(ledger, here.registration.datanet_id) == 10**21 - 7 - 2**64
    tx_hash = chain.settlement_tx(
        ledger, batch.batch_id(ledger.chain_id, ledger.pool, here.registration.datanet_id)
    )
    assert tx_hash is not None
    receipt = chain.receipt(tx_hash)
    assert receipt is not None
    assert receipt.succeeded


def test_the_contracts_refusals_are_named_with_a_remedy(here: Place) -> None:
    chain, ledger, identity = here.pool.chain, here.pool.ledger, here.registration.datanet_id
    good = Batch(0, 0, keccak(b"root"), (Payout(address(1), 1),))
    for name, batch, sender in [
        ("NotDistributor", good, here.signer.address),
        ("BadCursor", replace(good, first=1, last=1), here.distributor.address),
        ("InsufficientFunds", replace(good, payouts=(Payout(address(1), 10**22),)),
         here.distributor.address),
        ("ZeroReceiptsRoot", replace(good, receipts_root=bytes(32)), here.distributor.address),
    ]:  # fmt: skip
        with pytest.raises(Reverted, match=name) as refused:
            chain.settle_gas(ledger, identity, batch, sender)
        assert refused.value.name == name
        assert refused.value.what_to_do
    assert 50_000 < chain.settle_gas(ledger, identity, good, here.distributor.address) < 400_000


def test_the_largest_batch_fits_one_transaction(here: Place) -> None:
    chain, ledger, identity = here.pool.chain, here.pool.ledger, here.registration.datanet_id
    fresh = sorted(keccak(bytes([i % 256, i // 256]) + identity)[:20] for i in range(500))
    payouts = tuple(Payout(type(ZERO_ADDRESS)(account), 1) for account in fresh)
    batch = Batch(0, 4_999, keccak(b"root"), payouts)
    gas = chain.settle_gas(ledger, identity, batch, here.distributor.address)
    raw, tx_hash = here.distributor.sign_transaction(
        chain.settle_transaction(ledger, identity, batch, 0, gas, chain.fees())
    )
    chain.send(raw)
    mined(chain, tx_hash)
    assert here.cursor() == 5_000


def test_a_withdrawal_is_found_in_its_blocks(here: Place) -> None:
    chain, ledger = here.pool.chain, here.pool.ledger
    contributor = new_key()
    give_coin(here.pool.url, format_address(contributor.address), 10**18)
    mined(chain, settle(here, Batch(0, 0, keccak(b"root"), (Payout(contributor.address, 123),))))
    before = chain.head()
    had = chain.balance(address(5))
    claim = chain._pool(ledger).functions.claim(format_address(address(5)))
    mined(chain, chain._transact(contributor, claim))
    assert chain.claims(ledger, before, chain.head()) == [(contributor.address, 123)]
    assert chain.claims(ledger, before + 2, before + 1) == []
    assert chain.credits(ledger, [contributor.address], "latest") == {contributor.address: 0}
    assert chain.balance(address(5)) == had + 123


def test_logs_are_read_over_more_blocks_than_an_endpoint_answers_for(here: Place) -> None:
    chain, ledger = here.pool.chain, here.pool.ledger
    batch = Batch(0, 0, keccak(b"root"), ())
    tx_hash = settle(here, batch)
    mined(chain, tx_hash)
    rpc(here.pool.url, "anvil_mine", hex(1_100))
    batch_id = batch.batch_id(ledger.chain_id, ledger.pool, here.registration.datanet_id)
    assert chain.settlement_tx(ledger, batch_id) == tx_hash
    assert chain.settlement_tx(ledger, keccak(b"no batch")) is None


def test_a_ledger_is_recognised_by_chain_genesis_and_deployment(instant_pool: Pool) -> None:
    chain, ledger = instant_pool.chain, instant_pool.ledger
    assert chain.is_ledger(ledger)
    assert not chain.contradicts(ledger)
    for other in (
        replace(ledger, genesis_hash=keccak(b"x")),
        replace(ledger, deployment_block_hash=keccak(b"x")),
        replace(ledger, deployment_block=ledger.deployment_block - 1),
    ):
        assert not chain.is_ledger(other)
        assert chain.contradicts(other)


def test_a_node_that_has_not_reached_the_deployment_contradicts_nothing(
    instant_pool: Pool,
) -> None:
    ahead = replace(instant_pool.ledger, deployment_block=10**9)
    assert not instant_pool.chain.is_ledger(ahead)
    assert not instant_pool.chain.contradicts(ahead)


def test_another_chain_contradicts_nothing(instant_pool: Pool) -> None:
    other = replace(instant_pool.ledger, chain_id=1)
    assert not instant_pool.chain.is_ledger(other)
    assert not instant_pool.chain.contradicts(other)


def test_everything_that_a_ledger_says_is_confirmed_by_the_chain(instant_pool: Pool) -> None:
    chain, ledger = instant_pool.chain, instant_pool.ledger
    assert chain.confirms(ledger)
    for other in (
        replace(ledger, registry=address(1)),
        replace(ledger, token=address(1)),
        replace(ledger, created_at=ledger.created_at + 1),
    ):
        assert other.ledger_id == ledger.ledger_id, "only the chain tells them apart"
        assert not chain.confirms(other)


def test_a_signers_term_begins_with_its_block(here: Place) -> None:
    chain, ledger, identity = here.pool.chain, here.pool.ledger, here.registration.datanet_id
    term = chain.signer_term(ledger, identity, here.signer.address)
    assert term is not None
    assert (term.signer, term.until_time) == (here.signer.address, 2**64 - 1)
    assert not term.covers(term.from_time - 1)
    assert term.covers(term.from_time)
    assert chain.signer_term(ledger, identity, here.distributor.address) is None


def test_a_revoked_signers_term_says_so(here: Place) -> None:
    chain, ledger, identity = here.pool.chain, here.pool.ledger, here.registration.datanet_id
    revoke = chain._registry(ledger).functions.revokeSigner(
        identity, format_address(here.signer.address)
    )
    mined(chain, chain._transact(here.pool.owner, revoke))
    term = chain.signer_term(ledger, identity, here.signer.address)
    assert term is not None
    assert term.compromised
    assert term.until_time < 2**63


def test_final_is_the_tag_or_a_depth(instant_pool: Pool, final_pool: Pool) -> None:
    deep = EvmChain(instant_pool.url, confirmations=3)
    assert deep.finalized() == max(0, deep.head() - 3)
    head = final_pool.chain.head()
    assert head - 3 <= final_pool.chain.finalized() <= head


def test_deployment_returns_once_it_is_final(final_pool: Pool) -> None:
    assert final_pool.ledger.deployment_block <= final_pool.chain.finalized()
    assert final_pool.chain.confirms(final_pool.ledger)


def test_fees_cover_what_a_block_asks_and_an_owners_stay_under_the_ceiling(
    instant_pool: Pool,
) -> None:
    fees = EvmChain(instant_pool.url).fees()
    assert fees.max_fee >= fees.base_fee + fees.priority_fee > 0
    key = new_key()
    give_coin(instant_pool.url, format_address(key.address), 10**18)
    capped = EvmChain(instant_pool.url, max_fee_gwei=1.5)
    sent = capped.create_datanet(key, instant_pool.ledger, bytes(32), "")
    found: Any = rpc(instant_pool.url, "eth_getTransactionByHash", "0x" + sent.hex())
    assert int(found["maxFeePerGas"], 16) <= 1_500_000_000


def test_a_chain_that_does_not_answer_is_unavailable() -> None:
    chain = EvmChain(f"http://127.0.0.1:{free_port()}")
    for act in (chain.identity, chain.head, chain.finalized, chain.fees):
        with pytest.raises(Unavailable, match="FOOTNOTE_RPC_URL"):
            act()
    with pytest.raises(Unavailable):
        chain.send(b"\x02")


def test_bytes_that_a_node_refuses_are_unknown_and_not_refused(here: Place) -> None:
    tx = settle(here, Batch(0, 0, keccak(b"root"), ()))
    mined(here.pool.chain, tx)
    raw, _ = here.distributor.sign_transaction(
        here.pool.chain.settle_transaction(
            here.pool.ledger, here.registration.datanet_id, Batch(1, 1, keccak(b"r"), ()), 0,
            100_000, here.pool.chain.fees(),
        )
    )  # fmt: skip
    with pytest.raises(Unavailable):
        here.pool.chain.send(raw)  # its nonce is spent


def test_a_new_chain_with_the_same_id_contradicts_the_old_ledger(stack: Stack) -> None:
    url = start_chain(stack)
    pool = deployed(url, InstantChain(url, confirmations=0))
    old: Ledger = pool.ledger
    rpc(url, "anvil_reset")
    rpc(url, "anvil_mine", hex(old.deployment_block + 2))
    assert not pool.chain.is_ledger(old)
    assert pool.chain.contradicts(old)


def test_a_pool_is_settled_through_several_endpoints_of_which_one_is_dead(
    instant_pool: Pool, tmp_path: Path
) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    localhost = instant_pool.url.replace("127.0.0.1", "localhost")
    chain = EvmChain(f"{dead},{localhost},{instant_pool.url}", confirmations=0)
    fresh = deployed(instant_pool.url, instant_pool.chain)  # nobody has been credited here yet
    at = place(replace(fresh, chain=chain), tmp_path)
    at.record(1, 2)
    at.settle()
    assert at.credited() == at.owed()
    assert list(chain.endpoints.left_out()) == [dead]
