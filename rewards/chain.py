"""What the chain says, and what is sent to it. The door of web3.

A failed read is ``Unavailable``. After a send any error means *unknown*: the caller looks at the
chain and never infers from the error.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import requests
from eth_abi.abi import decode as abi_decode
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import (
    BadFunctionCallOutput,
    BlockNotFound,
    ContractLogicError,
    TransactionNotFound,
    Web3Exception,
)
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from contracts_abi.artifacts import load
from footnote.addresses import ZERO_ADDRESS, Address, format_address
from footnote.errors import FootnoteError, Misconfigured, Refused, Unavailable
from footnote.ids import ZERO_HASH, keccak
from rewards.batch import Batch
from rewards.endpoints import Endpoints, http_transport, urls_of
from rewards.keys import Key
from rewards.ledger import Ledger, SignerTerm

log = logging.getLogger(__name__)

MAX_TRANSACTION_GAS = 16_777_216
"""EIP-7825's cap on one transaction."""

TRANSFER_GAS = 21_000
"""What sending coin to an account without code takes."""

L1_FEE_ORACLE = Address(bytes.fromhex("420000000000000000000000000000000000000F"))
"""The GasPriceOracle predeploy of OP-Stack chains (specs.optimism.io, predeploys). Such a chain
also charges for a transaction's bytes on the chain below."""

WAIT_SECONDS = 3_600.0

LOG_RANGE_BLOCKS = 500
"""Public endpoints answer for at most 500 to 1,000 blocks at once."""

Block = int | str
"""A block number, or ``latest``."""


class Reverted(Refused):
    """The contract refuses the call; ``name`` is its error's, such as ``BadCursor``."""

    default_code = "reverted"

    def __init__(self, name: str) -> None:
        super().__init__(f"the contract refuses ({name})", _REMEDIES.get(name, "see the contract"))
        self.name = name


_REMEDIES = {
    "InsufficientFunds": "fund the Datanet's pool",
    "NotDistributor": "let the Datanet's owner name this account a distributor",
    "IsPaused": "wait until the pool is no longer paused",
    "BatchCapExceeded": "raise the pool's cap, or wait for smaller batches",
    "WindowCapExceeded": "wait until the pool's window has room",
    "BadCursor": "look at the chain again",
    "UnknownDatanet": "register the Datanet first",
    "NotOwner": "use the key of the Datanet's owner",
    "VersionConflict": "somebody published meanwhile: run it again",
}


@dataclass(frozen=True, slots=True)
class ChainIdentity:
    chain_id: int
    genesis_hash: bytes


@dataclass(frozen=True, slots=True)
class OnChainBatch:
    """A settled Batch as the pool keeps it."""

    batch_id: bytes
    digest: bytes
    receipts_root: bytes
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """A Batch as the pool announced it."""

    batch_id: bytes
    datanet_id: bytes
    first: int
    last: int
    receipts_root: bytes
    total: int
    count: int
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class Fees:
    """EIP-1559 fees in wei for one unit of gas. With less than ``base_fee`` and the priority fee
    nothing is mined now."""

    max_fee: int
    priority_fee: int
    base_fee: int = 0


@dataclass(frozen=True, slots=True)
class TransactionReceipt:
    """``fee``: what it cost in wei, the chain below included."""

    block: int
    succeeded: bool
    fee: int = 0


class Chain(Protocol):
    """What settlement needs of a chain. ``block`` is a number or ``latest``."""

    def identity(self) -> ChainIdentity: ...
    def finalized(self) -> int:
        """The number of the newest block that can no longer be undone."""

    def is_ledger(self, ledger: Ledger) -> bool:
        """Whether this chain holds that very deployment."""

    def contradicts(self, ledger: Ledger) -> bool:
        """Whether this chain can never hold that deployment, though it has the Ledger's chain id;
        a node that has not reached its block yet contradicts nothing."""

    def cursor(self, ledger: Ledger, datanet_id: bytes, block: Block) -> int: ...
    def batch_at(
        self, ledger: Ledger, datanet_id: bytes, first: int, block: Block
    ) -> OnChainBatch | None: ...
    def credits(
        self, ledger: Ledger, accounts: Sequence[Address], block: Block
    ) -> dict[Address, int]: ...
    def most_payable(self, ledger: Ledger, datanet_id: bytes) -> int:
        """The most that one Batch may total now, under the pool's caps."""

    def signer_term(
        self, ledger: Ledger, datanet_id: bytes, signer: Address
    ) -> SignerTerm | None: ...
    def nonce(self, account: Address, block: Block) -> int: ...
    def balance(self, account: Address) -> int: ...
    def fees(self) -> Fees: ...
    def settle_gas(self, ledger: Ledger, datanet_id: bytes, batch: Batch, sender: Address) -> int:
        """The gas that settling would take now.

        Raises:
            Reverted: the pool would refuse it.
        """

    def settle_transaction(
        self, ledger: Ledger, datanet_id: bytes, batch: Batch, nonce: int, gas: int, fees: Fees
    ) -> dict[str, Any]: ...
    def empty_transfer(
        self, ledger: Ledger, account: Address, nonce: int, fees: Fees
    ) -> dict[str, Any]:
        """A transaction of ``account`` to itself that moves nothing."""

    def l1_fee(self, envelope: bytes) -> int:
        """Wei that the chain below takes for a transaction of these bytes; 0 where there is none
        below."""

    def send(self, raw: bytes) -> None:
        """Raises Unavailable where it is not known whether the bytes arrived."""

    def receipt(self, tx_hash: bytes) -> TransactionReceipt | None: ...
    def settlement_tx(self, ledger: Ledger, batch_id: bytes) -> bytes | None:
        """The hash of the transaction that settled a Batch."""

    def claims(
        self, ledger: Ledger, first_block: int, last_block: int
    ) -> list[tuple[Address, int]]:
        """Withdrawals in a range of blocks, as (account, amount)."""

    def funds(self, ledger: Ledger, datanet_id: bytes) -> int:
        """What the pool holds for a Datanet now."""


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ContractLogicError as error:
        raise Reverted(_error_name(error)) from error
    except (requests.RequestException, OSError, TimeoutError) as error:
        raise Unavailable("the chain does not answer", "check FOOTNOTE_RPC_URL") from error
    except FootnoteError:
        raise
    except (Web3Exception, ValueError) as error:
        raise Unavailable(f"the chain answers {type(error).__name__}", "try again") from error


class _Provider(JSONBaseProvider):
    """Lets web3 ask several endpoints."""

    def __init__(self, endpoints: Endpoints) -> None:
        super().__init__()
        self._endpoints = endpoints

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        body = self.encode_rpc_request(method, params)
        return self.decode_rpc_response(self._endpoints.ask(method, params, body))


class EvmChain:
    """A Chain over JSON-RPC.

    Args:
        url: of an endpoint, or of several, separated by commas.
        confirmations: final is this deep where there is no ``finalized`` tag; None trusts the tag.
    """

    def __init__(
        self, url: str, *, confirmations: int | None = None, max_fee_gwei: float = 500.0
    ) -> None:
        self.endpoints = Endpoints(urls_of(url), http_transport(10.0))
        self._web3 = Web3(_Provider(self.endpoints))
        self._confirmations = confirmations
        self._max_fee = int(max_fee_gwei * 10**9)
        self._has_l1: bool | None = None
        self._pool_abi = load("RewardPool").abi
        self._registry_abi = load("DatanetRegistry").abi

    def identity(self) -> ChainIdentity:
        with _translated():
            genesis = self._web3.eth.get_block(0)
            return ChainIdentity(int(self._web3.eth.chain_id), bytes(genesis["hash"]))

    def head(self) -> int:
        with _translated():
            return int(self._web3.eth.block_number)

    def timestamp(self, block: Block) -> int:
        with _translated():
            return int(self._web3.eth.get_block(block)["timestamp"])  # type: ignore[arg-type]

    def finalized(self) -> int:
        with _translated():
            if self._confirmations is not None:
                return max(0, int(self._web3.eth.block_number) - self._confirmations)
            try:
                return int(self._web3.eth.get_block("finalized")["number"])
            except BlockNotFound as error:
                raise Misconfigured(
                    "this chain has no finalized tag", "set FOOTNOTE_CONFIRMATIONS to a depth"
                ) from error

    def is_ledger(self, ledger: Ledger) -> bool:
        identity = self.identity()
        if (identity.chain_id, identity.genesis_hash) != (ledger.chain_id, ledger.genesis_hash):
            return False
        deployment = self._block(ledger.deployment_block)
        return deployment is not None and bytes(deployment["hash"]) == ledger.deployment_block_hash

    def contradicts(self, ledger: Ledger) -> bool:
        identity = self.identity()
        if identity.chain_id != ledger.chain_id:
            return False
        if identity.genesis_hash != ledger.genesis_hash:
            return True
        deployment = self._block(ledger.deployment_block)
        return deployment is not None and bytes(deployment["hash"]) != ledger.deployment_block_hash

    def confirms(self, ledger: Ledger) -> bool:
        """Whether this chain holds that deployment, and all else that ``ledger`` says of it is so:
        registry, token and time are no part of a Ledger's id."""
        if not self.is_ledger(ledger):
            return False
        pool = self._pool(ledger).functions
        registry, token = (self._read(f(), "latest") for f in (pool.registry, pool.token))
        return (
            str(registry) == format_address(ledger.registry)
            and str(token) == format_address(ledger.token)
            and self.timestamp(ledger.deployment_block) == ledger.created_at
        )

    def cursor(self, ledger: Ledger, datanet_id: bytes, block: Block) -> int:
        return int(self._read(self._pool(ledger).functions.cursor(datanet_id), block))

    def batch_at(
        self, ledger: Ledger, datanet_id: bytes, first: int, block: Block
    ) -> OnChainBatch | None:
        pool = self._pool(ledger).functions
        batch_id = bytes(self._read(pool.batchAt(datanet_id, first), block))
        if batch_id == ZERO_HASH:
            return None
        return self.batch(ledger, batch_id, block)

    def batch(self, ledger: Ledger, batch_id: bytes, block: Block) -> OnChainBatch:
        stored = self._read(self._pool(ledger).functions.batches(batch_id), block)
        digest, root, first, last, _ = stored
        return OnChainBatch(batch_id, bytes(digest), bytes(root), int(first), int(last))

    def credits(
        self, ledger: Ledger, accounts: Sequence[Address], block: Block
    ) -> dict[Address, int]:
        pool = self._pool(ledger).functions
        return {
            account: int(self._read(pool.credit(format_address(account)), block))
            for account in accounts
        }

    def claims(
        self, ledger: Ledger, first_block: int, last_block: int
    ) -> list[tuple[Address, int]]:
        """Withdrawals in a range of blocks, as (account, amount)."""
        return [
            (Address(bytes.fromhex(event["args"]["account"][2:])), int(event["args"]["amount"]))
            for event in self._events(ledger, "Claimed", {}, first_block, last_block)
        ]

    def funds(self, ledger: Ledger, datanet_id: bytes, block: Block = "latest") -> int:
        return int(self._read(self._pool(ledger).functions.funds(datanet_id), block))

    def settlements(self, ledger: Ledger, last_block: int) -> Iterator[Settlement]:
        """Every batch that the pool says it settled, in order, up to a block."""
        first = ledger.deployment_block
        for event in self._events(ledger, "BatchSettled", {}, first, last_block):
            said = event["args"]
            yield Settlement(
                bytes(said["batchId"]), bytes(said["datanetId"]), int(said["first"]),
                int(said["last"]), bytes(said["receiptsRoot"]), int(said["total"]),
                int(said["count"]), bytes(event["transactionHash"]),
            )  # fmt: skip

    def keeps_logs(self, ledger: Ledger) -> bool:
        """Whether the logs of the pool's own deployment are there, as they are on any node that
        keeps all: some forget old ones and say of none that it is missing."""
        block = ledger.deployment_block
        return any(self._events(ledger, "RoleGranted", {}, block, block))

    def money_in(self, ledger: Ledger, last_block: int) -> dict[bytes, int]:
        """What was put into each Datanet's pool, less what its owner took back, up to a block."""
        found: dict[bytes, int] = {}
        for name, sign in (("Funded", 1), ("Defunded", -1)):
            for event in self._events(ledger, name, {}, ledger.deployment_block, last_block):
                datanet_id = bytes(event["args"]["datanetId"])
                found[datanet_id] = found.get(datanet_id, 0) + sign * int(event["args"]["amount"])
        return found

    def most_payable(self, ledger: Ledger, datanet_id: bytes) -> int:
        pool = self._pool(ledger).functions
        batch, window = pool.maxBatch(), pool.windowAvailable(datanet_id)
        return min(int(self._read(batch, "latest")), int(self._read(window, "latest")))

    def owner_of(self, ledger: Ledger, datanet_id: bytes) -> Address:
        """Who may name a Datanet's signers and distributors, as the registry has it."""
        function = self._registry(ledger).functions.ownerOf(datanet_id)
        return Address(bytes.fromhex(str(self._read(function, "latest"))[2:]))

    def paused(self, ledger: Ledger) -> int:
        """The pool's pause bits: 1 funding, 2 settling, 4 withdrawing."""
        return int(self._read(self._pool(ledger).functions.paused(), "latest"))

    def verify_receipt(
        self, ledger: Ledger, batch_id: bytes, leaf: bytes, proof: Sequence[bytes]
    ) -> bool:
        pool = self._pool(ledger).functions
        return bool(self._read(pool.verifyReceipt(batch_id, leaf, list(proof)), "latest"))

    def signer_term(self, ledger: Ledger, datanet_id: bytes, signer: Address) -> SignerTerm | None:
        """When ``signer`` may sign receipts of a Datanet, as the registry has it."""
        registry = self._registry(ledger).functions
        start, until, compromised = self._read(
            registry.signerOf(datanet_id, format_address(signer)), "latest"
        )
        return SignerTerm(signer, int(start), int(until), bool(compromised)) if start else None

    def nonce(self, account: Address, block: Block) -> int:
        with _translated():
            return int(
                self._web3.eth.get_transaction_count(
                    Web3.to_checksum_address(account),
                    block,  # type: ignore[arg-type]
                )
            )

    def balance(self, account: Address) -> int:
        with _translated():
            return int(self._web3.eth.get_balance(Web3.to_checksum_address(account)))

    def fees(self) -> Fees:
        with _translated():
            base = int(self._web3.eth.get_block("latest").get("baseFeePerGas", 0))
            tip = int(self._web3.eth.max_priority_fee)
        return Fees(2 * base + tip, tip, base)

    @property
    def max_fee(self) -> int:
        return self._max_fee

    def settle_gas(self, ledger: Ledger, datanet_id: bytes, batch: Batch, sender: Address) -> int:
        call = {
            "from": format_address(sender),
            "to": format_address(ledger.pool),
            "data": self._settle_data(ledger, datanet_id, batch),
        }
        with _translated():
            gas = int(self._web3.eth.estimate_gas(call))  # type: ignore[arg-type]
        return min(gas + gas // 5, MAX_TRANSACTION_GAS)

    def settle_transaction(
        self, ledger: Ledger, datanet_id: bytes, batch: Batch, nonce: int, gas: int, fees: Fees
    ) -> dict[str, Any]:
        return {
            "type": 2,
            "chainId": ledger.chain_id,
            "nonce": nonce,
            "to": format_address(ledger.pool),
            "value": 0,
            "data": self._settle_data(ledger, datanet_id, batch),
            "gas": gas,
            "maxFeePerGas": fees.max_fee,
            "maxPriorityFeePerGas": fees.priority_fee,
        }

    def empty_transfer(
        self, ledger: Ledger, account: Address, nonce: int, fees: Fees
    ) -> dict[str, Any]:
        own = format_address(account)
        with _translated():
            gas = int(self._web3.eth.estimate_gas({"from": own, "to": own, "value": 0}))  # type: ignore[typeddict-item]
        return {
            "type": 2,
            "chainId": ledger.chain_id,
            "nonce": nonce,
            "to": own,
            "value": 0,
            "data": "0x",
            "gas": gas,
            "maxFeePerGas": fees.max_fee,
            "maxPriorityFeePerGas": fees.priority_fee,
        }

    def l1_fee(self, envelope: bytes) -> int:
        oracle = Web3.to_checksum_address(L1_FEE_ORACLE)
        with _translated():
            if self._has_l1 is None:
                self._has_l1 = len(self._web3.eth.get_code(oracle)) > 0
            if not self._has_l1:
                return 0
        contract = self._web3.eth.contract(oracle, abi=_L1_FEE_ABI)
        return int(self._read(contract.functions.getL1Fee(envelope), "latest"))

    def send(self, raw: bytes) -> None:
        with _translated():
            self._web3.eth.send_raw_transaction(raw)

    def receipt(self, tx_hash: bytes) -> TransactionReceipt | None:
        with _translated():
            try:
                found = self._web3.eth.get_transaction_receipt(HexBytes(tx_hash))
            except TransactionNotFound:
                return None
        fee = int(found["gasUsed"]) * int(found["effectiveGasPrice"])
        fee += _wei(dict(found).get("l1Fee", 0))
        return TransactionReceipt(int(found["blockNumber"]), int(found["status"]) == 1, fee)

    def settlement_tx(self, ledger: Ledger, batch_id: bytes) -> bytes | None:
        last = self.head()
        while last >= ledger.deployment_block:  # it is more likely among the newest
            first = max(ledger.deployment_block, last - LOG_RANGE_BLOCKS + 1)
            for event in self._events(ledger, "BatchSettled", {"batchId": batch_id}, first, last):
                return bytes(event["transactionHash"])
            last = first - 1
        return None

    # What owners do

    def deploy(
        self, key: Key, token: Address, admin_delay_seconds: int, on_step: Callable[[str], None]
    ) -> Ledger:
        """Deploy registry and pool; returns once the pool's deployment is final."""
        on_step("deploying DatanetRegistry")
        registry_tx = self._create(key, "DatanetRegistry", [])
        registry = self._contract_of(registry_tx)
        on_step("deploying RewardPool")
        pool_tx = self._create(
            key,
            "RewardPool",
            [
                format_address(token), format_address(registry), format_address(key.address),
                admin_delay_seconds,
            ],
        )  # fmt: skip
        on_step("waiting until the deployment is final")
        block = self.wait_final(pool_tx)
        with _translated():
            mined = self._web3.eth.get_block(block)
        identity = self.identity()
        return Ledger(
            identity.chain_id, identity.genesis_hash, self._contract_of(pool_tx), registry, token,
            pool_tx, bytes(mined["hash"]), block, int(mined["timestamp"]),
        )  # fmt: skip

    def create_datanet(self, key: Key, ledger: Ledger, salt: bytes, uri: str) -> bytes:
        return self._transact(key, self._registry(ledger).functions.create(salt, uri))

    def set_distributor(
        self, key: Key, ledger: Ledger, datanet_id: bytes, account: Address
    ) -> bytes:
        function = self._registry(ledger).functions.setDistributor
        return self._transact(key, function(datanet_id, format_address(account), True))

    def is_distributor(self, ledger: Ledger, datanet_id: bytes, account: Address) -> bool:
        function = self._registry(ledger).functions.isDistributor
        return bool(self._read(function(datanet_id, format_address(account)), "latest"))

    def add_signer(self, key: Key, ledger: Ledger, datanet_id: bytes, signer: Address) -> bytes:
        function = self._registry(ledger).functions.addSigner
        return self._transact(key, function(datanet_id, format_address(signer)))

    def version(self, ledger: Ledger, datanet_id: bytes) -> int:
        """The version published last; 0 before the first."""
        return int(self._read(self._registry(ledger).functions.version(datanet_id), "latest"))

    def content_root(self, ledger: Ledger, datanet_id: bytes, version: int) -> bytes:
        function = self._registry(ledger).functions.contentRoot(datanet_id, version)
        return bytes(self._read(function, "latest"))

    def verify_document(
        self,
        ledger: Ledger,
        datanet_id: bytes,
        version: int,
        leaf: bytes,
        proof: Sequence[bytes],
    ) -> bool:
        function = self._registry(ledger).functions.verifyDocument
        return bool(self._read(function(datanet_id, version, leaf, list(proof)), "latest"))

    def publish(
        self, key: Key, ledger: Ledger, datanet_id: bytes, expected: int, root: bytes, uri: str
    ) -> bytes:
        """Publish the version after ``expected``, unless another one was published meanwhile."""
        function = self._registry(ledger).functions.publish
        return self._transact(key, function(datanet_id, expected, root, uri))

    def fund(self, key: Key, ledger: Ledger, datanet_id: bytes, amount: int) -> bytes:
        native = ledger.token == ZERO_ADDRESS
        if not native:
            approval = self._token(ledger).functions.approve(format_address(ledger.pool), amount)
            self.wait_mined(self._transact(key, approval))
        function = self._pool(ledger).functions.fund(datanet_id, amount)
        return self._transact(key, function, amount if native else 0)

    def decimals(self, ledger: Ledger) -> int:
        """How many decimals a whole token has."""
        if ledger.token == ZERO_ADDRESS:
            return 18
        return int(self._read(self._token(ledger).functions.decimals(), "latest"))

    def wait_mined(self, tx_hash: bytes) -> int:
        """Wait until a transaction is in a block; returns it. Errors as :meth:`wait_final`."""
        return self._wait(tx_hash, lambda block: True)

    def wait_final(self, tx_hash: bytes) -> int:
        """Wait until a transaction is final; returns its block.

        Raises:
            Reverted: it failed.
            Unavailable: it was not there in an hour.
        """
        return self._wait(tx_hash, lambda block: block <= self.finalized())

    def _wait(self, tx_hash: bytes, enough: Callable[[int], bool]) -> int:
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            receipt = self.receipt(tx_hash)
            if receipt is not None:
                if not receipt.succeeded:
                    raise Reverted("a transaction failed")
                if enough(receipt.block):
                    return receipt.block
            time.sleep(0.2)
        raise Unavailable("a transaction was not there in time", "look at it on the chain")

    # Plumbing

    def _block(self, number: int) -> Any:
        with _translated():
            try:
                return self._web3.eth.get_block(number)
            except BlockNotFound:
                return None

    def _pool(self, ledger: Ledger) -> Any:
        return self._web3.eth.contract(Web3.to_checksum_address(ledger.pool), abi=self._pool_abi)

    def _token(self, ledger: Ledger) -> Any:
        return self._web3.eth.contract(Web3.to_checksum_address(ledger.token), abi=_ERC20_ABI)

    def _registry(self, ledger: Ledger) -> Any:
        address = Web3.to_checksum_address(ledger.registry)
        return self._web3.eth.contract(address, abi=self._registry_abi)

    def _read(self, function: Any, block: Block) -> Any:
        with _translated():
            try:
                return function.call(block_identifier=block)
            except BadFunctionCallOutput as error:
                raise Unavailable(
                    "the pool is not on this chain at that block", "check FOOTNOTE_RPC_URL"
                ) from error

    def _events(
        self, ledger: Ledger, name: str, filters: dict[str, Any], first: int, last: int
    ) -> Iterator[Any]:
        """Events in blocks ``first..last``, asked for in ranges that public endpoints allow."""
        event = self._pool(ledger).events[name]
        for start in range(first, last + 1, LOG_RANGE_BLOCKS):
            end = min(start + LOG_RANGE_BLOCKS - 1, last)
            with _translated():
                try:
                    found = event.get_logs(argument_filters=filters, from_block=start, to_block=end)
                except Web3Exception as error:
                    raise Unavailable(
                        f"the chain gives no logs of blocks {start} to {end}",
                        "name an endpoint in FOOTNOTE_RPC_URL that answers eth_getLogs",
                    ) from error
            yield from found

    def _settle_data(self, ledger: Ledger, datanet_id: bytes, batch: Batch) -> str:
        return str(
            self._pool(ledger).encode_abi(
                "settle",
                args=[
                    datanet_id, batch.first, batch.last, batch.receipts_root, batch.total,
                    batch.entries,
                ],
            )
        )  # fmt: skip

    def _create(self, key: Key, name: str, arguments: list[Any]) -> bytes:
        artifact = load(name)
        contract = self._web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
        with _translated():
            data = contract.constructor(*arguments).data_in_transaction
        return self._sign_and_send(key, {"data": data, "value": 0})

    def _contract_of(self, tx_hash: bytes) -> Address:
        with _translated():
            receipt = self._web3.eth.wait_for_transaction_receipt(
                HexBytes(tx_hash), timeout=600, poll_latency=0.1
            )
        return Address(bytes.fromhex(str(receipt["contractAddress"])[2:]))

    def _transact(self, key: Key, function: Any, value: int = 0) -> bytes:
        to = function.address
        data = function._encode_transaction_data()
        return self._sign_and_send(key, {"to": to, "data": data, "value": value})

    def _sign_and_send(self, key: Key, call: dict[str, Any]) -> bytes:
        fees = self.fees()
        max_fee = min(fees.max_fee, self._max_fee)
        sender = format_address(key.address)
        with _translated():
            gas = int(self._web3.eth.estimate_gas({"from": sender, **call}))  # type: ignore[typeddict-item]
        transaction = {
            "type": 2,
            "chainId": self.identity().chain_id,
            "nonce": self.nonce(key.address, "pending"),
            "gas": gas + gas // 5,
            "maxFeePerGas": max_fee,
            "maxPriorityFeePerGas": min(fees.priority_fee, max_fee),
            **call,
        }
        raw, tx_hash = key.sign_transaction(transaction)
        self.send(raw)
        return tx_hash


_ERC20_ABI = [
    {
        "type": "function", "name": "approve", "stateMutability": "nonpayable",
        "inputs": [{"name": "spender", "type": "address"}, {"name": "value", "type": "uint256"}],
        "outputs": [{"name": "", "type": "bool"}],
    },
    {
        "type": "function", "name": "decimals", "stateMutability": "view", "inputs": [],
        "outputs": [{"name": "", "type": "uint8"}],
    },
]  # fmt: skip
"""What funding needs of an ERC-20 (EIP-20)."""


_L1_FEE_ABI = [
    {
        "type": "function", "name": "getL1Fee", "stateMutability": "view",
        "inputs": [{"name": "data", "type": "bytes"}],
        "outputs": [{"name": "", "type": "uint256"}],
    },
]  # fmt: skip


def envelope_of(transaction: Mapping[str, Any]) -> bytes:
    """About the bytes of a signed transaction: its data, and what surrounds it at its dearest."""
    return bytes.fromhex(transaction["data"].removeprefix("0x")) + b"\xff" * 128


def _wei(shown: Any) -> int:
    """A field that web3 does not know stays as the node wrote it."""
    return int(shown, 16) if isinstance(shown, str) else int(shown)


def _errors() -> dict[bytes, str]:
    """Names of the contracts' custom errors by their selectors."""
    found = {}
    for name in ("RewardPool", "DatanetRegistry"):
        for entry in load(name).abi:
            if entry["type"] == "error":
                types = ",".join(argument["type"] for argument in entry["inputs"])
                found[keccak(f"{entry['name']}({types})".encode())[:4]] = str(entry["name"])
    return found


def _error_name(error: ContractLogicError) -> str:
    data = error.data if isinstance(error.data, str) else ""
    raw = bytes.fromhex(data.removeprefix("0x")) if data.startswith("0x") else b""
    if raw[:4] == bytes.fromhex("08c379a0"):
        return str(abi_decode(["string"], raw[4:])[0])
    return _errors().get(raw[:4], error.message or "reverted")
