"""What we rely on in anvil, and its known traps."""

from __future__ import annotations

import time

import pytest
from eth_account import Account

from cli.stack import Stack, give_coin
from footnote.addresses import format_address
from footnote.errors import Unavailable
from rewards.chain import EvmChain
from rewards.keys import Key
from tests.conftest import rpc, start_chain
from tests.money import Pool, address, mined


@pytest.fixture(scope="module")
def url(stack: Stack) -> str:
    return start_chain(stack)


def test_the_finalized_tag_lags_64_blocks_unless_an_epoch_is_made_short(
    url: str, final_pool: Pool
) -> None:
    chain = EvmChain(url)
    rpc(url, "anvil_mine", "0x64")
    assert chain.head() - chain.finalized() == 64
    short = final_pool.chain
    assert 0 <= short.head() - short.finalized() <= 3


def test_automine_makes_no_blocks_when_idle(url: str) -> None:
    chain = EvmChain(url)
    before = chain.head()
    time.sleep(0.5)
    assert chain.head() == before


def sender(url: str) -> Key:
    key = Key(Account.create())
    give_coin(url, format_address(key.address), 10**18)
    return key


def transfer(key: Key, nonce: int, fee: int, value: int = 1) -> tuple[bytes, bytes]:
    return key.sign_transaction(
        {"type": 2, "chainId": 31337, "nonce": nonce, "to": format_address(address(5)),
         "value": value, "gas": 21_000, "maxFeePerGas": fee, "maxPriorityFeePerGas": fee}
    )  # fmt: skip


def test_a_transaction_that_a_reorg_undid_does_not_come_back(url: str) -> None:
    chain, key = EvmChain(url), sender(url)
    raw, tx_hash = transfer(key, 0, 10**10)
    chain.send(raw)
    mined(chain, tx_hash)
    rpc(url, "anvil_reorg", 1, [])
    rpc(url, "anvil_mine", "0x3")
    assert chain.receipt(tx_hash) is None
    assert chain.nonce(key.address, "latest") == 0


def test_a_dropped_transaction_leaves_no_trace(url: str) -> None:
    chain, key = EvmChain(url), sender(url)
    rpc(url, "evm_setAutomine", False)
    try:
        raw, tx_hash = transfer(key, 0, 10**10)
        chain.send(raw)
        rpc(url, "anvil_dropTransaction", "0x" + tx_hash.hex())
        rpc(url, "evm_mine")
        assert chain.nonce(key.address, "pending") == 0
    finally:
        rpc(url, "evm_setAutomine", True)


def test_the_same_bytes_may_be_sent_twice_and_count_once(url: str) -> None:
    chain, key = EvmChain(url), sender(url)
    raw, tx_hash = transfer(key, 0, 10**10)
    chain.send(raw)
    mined(chain, tx_hash)
    with pytest.raises(Unavailable):
        chain.send(raw)
    assert chain.nonce(key.address, "latest") == 1


def test_a_replacement_for_a_quarter_more_is_taken(url: str) -> None:
    chain, key = EvmChain(url), sender(url)
    rpc(url, "evm_setAutomine", False)
    try:
        chain.send(transfer(key, 0, 10**10)[0])
        raw, tx_hash = transfer(key, 0, 10**10 * 5 // 4, value=2)
        chain.send(raw)
        rpc(url, "evm_mine")
        mined(chain, tx_hash)
    finally:
        rpc(url, "evm_setAutomine", True)


def test_one_transaction_has_a_gas_limit(url: str) -> None:
    chain, key = EvmChain(url), sender(url)
    raw, _ = key.sign_transaction(
        {"type": 2, "chainId": 31337, "nonce": 0, "to": format_address(address(5)), "value": 0,
         "gas": 16_777_217, "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 0}
    )  # fmt: skip
    with pytest.raises(Unavailable):
        chain.send(raw)
