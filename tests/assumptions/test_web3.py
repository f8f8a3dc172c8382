"""What we rely on in web3 and eth-account."""

from __future__ import annotations

import sys

import pytest
from eth_account import Account
from web3.exceptions import BadFunctionCallOutput, ContractLogicError, Web3Exception

from rewards.chain import MAX_TRANSACTION_GAS, _errors
from tests.money import key_of


def test_errors_of_contracts_are_told_from_errors_of_the_node() -> None:
    assert issubclass(ContractLogicError, Web3Exception)
    assert issubclass(BadFunctionCallOutput, Web3Exception)
    assert not issubclass(BadFunctionCallOutput, ContractLogicError)


def test_signing_the_same_transaction_gives_the_same_bytes() -> None:
    transaction = {
        "type": 2, "chainId": 1, "nonce": 0, "to": "0x" + "11" * 20, "value": 0, "data": "0x",
        "gas": MAX_TRANSACTION_GAS, "maxFeePerGas": 1, "maxPriorityFeePerGas": 1,
    }  # fmt: skip
    assert key_of("a").sign_transaction(transaction) == key_of("a").sign_transaction(transaction)


def test_a_keystore_with_a_wrong_passphrase_is_a_value_error() -> None:
    encrypted = Account.encrypt(b"\x01" * 32, "right", iterations=2)
    with pytest.raises(ValueError, match="MAC"):
        Account.decrypt(encrypted, "wrong")


def test_every_custom_error_of_the_contracts_has_its_own_selector() -> None:
    names = _errors()
    assert {"BadCursor", "InsufficientFunds", "NotDistributor", "IsPaused"} <= set(names.values())
    assert len(set(names.values())) == len(names)


def test_libraries_raise_the_recursion_limit_beyond_what_the_stack_holds() -> None:
    """Why ``footnote.strict_json`` counts brackets itself."""
    import py_ecc

    assert py_ecc.__name__ == "py_ecc"
    assert sys.getrecursionlimit() >= 1_000
