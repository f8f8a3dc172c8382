"""The simulated chain as one process sees it: a :class:`rewards.chain.Chain`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from footnote.addresses import Address, format_address
from footnote.errors import Unavailable
from rewards.batch import Batch
from rewards.chain import (
    Block,
    ChainIdentity,
    Fees,
    OnChainBatch,
    Reverted,
    TransactionReceipt,
)
from rewards.ledger import Ledger, SignerTerm
from tests.simulator import chain as model

SETTLE_MARGIN_PERCENT = 20


class Line(Protocol):
    """What lies between a process and the nodes."""

    def call(self, name: str) -> model.Node:
        """The node that answers this call.

        Raises:
            Unavailable: none does.
        """

    def sent(self, node: model.Node, raw: bytes) -> None:
        """Hand signed bytes to a node.

        Raises:
            Unavailable: the node did not take them, or its answer was lost.
        """

    @property
    def net(self) -> model.Net: ...


@dataclass(frozen=True, slots=True)
class SimulatedChain:
    """Reads and sends through a :class:`Line`, which may fail or reach another node each time."""

    line: Line

    def identity(self) -> ChainIdentity:
        self.line.call("identity")
        return ChainIdentity(model.CHAIN_ID, self.line.net.genesis_hash)

    def finalized(self) -> int:
        node = self.line.call("finalized")
        return max(0, node.head.number - self.line.net.finality) + node.claims_ahead

    def is_ledger(self, ledger: Ledger) -> bool:
        block = self.line.call("is_ledger").head.ancestor(ledger.deployment_block)
        return (
            self.line.net.genesis_hash == ledger.genesis_hash
            and block is not None
            and block.block_hash == ledger.deployment_block_hash
        )

    def contradicts(self, ledger: Ledger) -> bool:
        block = self.line.call("contradicts").head.ancestor(ledger.deployment_block)
        if self.line.net.genesis_hash != ledger.genesis_hash:
            return True
        return block is not None and block.block_hash != ledger.deployment_block_hash

    def cursor(self, ledger: Ledger, datanet_id: bytes, block: Block) -> int:
        return self._pool("cursor", ledger, block).cursor.get(datanet_id, 0)

    def batch_at(
        self, ledger: Ledger, datanet_id: bytes, first: int, block: Block
    ) -> OnChainBatch | None:
        pool = self._pool("batch_at", ledger, block)
        batch_id = pool.batch_at.get((datanet_id, first))
        return None if batch_id is None else pool.batches[batch_id]

    def credits(
        self, ledger: Ledger, accounts: Sequence[Address], block: Block
    ) -> dict[Address, int]:
        pool = self._pool("credits", ledger, block)
        return {account: pool.credit.get(account, 0) for account in accounts}

    def most_payable(self, ledger: Ledger, datanet_id: bytes) -> int:
        node = self.line.call("most_payable")
        pool = _pool(node.head, ledger)
        return min(pool.max_batch, pool.window_left(datanet_id, node.head.timestamp))

    def signer_term(self, ledger: Ledger, datanet_id: bytes, signer: Address) -> SignerTerm | None:
        return self._pool("signer_term", ledger, "latest").signers.get((datanet_id, signer))

    def nonce(self, account: Address, block: Block) -> int:
        node = self.line.call("nonce")
        if block == "pending":
            return node.pending_nonce(account)
        return _at(node, block).state.nonces.get(account, 0)

    def balance(self, account: Address) -> int:
        return self.line.call("balance").head.state.balances.get(account, 0)

    def fees(self) -> Fees:
        head, tip = self.line.call("fees").head, self.line.net.tip
        return Fees(2 * head.base_fee + tip, tip, head.base_fee)

    def settle_gas(self, ledger: Ledger, datanet_id: bytes, batch: Batch, sender: Address) -> int:
        head = self.line.call("settle_gas").head
        pool = _pool(head, ledger).copy()
        asked = model.Settlement.of(datanet_id, batch)
        gas = model.TRANSFER_GAS + pool.gas(asked)
        try:
            pool.settle(ledger.pool, sender, asked, b"", head.timestamp)
        except model.PoolRefuses as refusal:
            raise Reverted(refusal.name) from refusal
        return gas + gas * SETTLE_MARGIN_PERCENT // 100

    def settle_transaction(
        self, ledger: Ledger, datanet_id: bytes, batch: Batch, nonce: int, gas: int, fees: Fees
    ) -> dict[str, Any]:
        data = model.Settlement.of(datanet_id, batch).data
        return _transaction(ledger, ledger.pool, data, nonce, gas, fees)

    def empty_transfer(
        self, ledger: Ledger, account: Address, nonce: int, fees: Fees
    ) -> dict[str, Any]:
        self.line.call("empty_transfer")
        return _transaction(ledger, account, b"", nonce, model.TRANSFER_GAS, fees)

    def l1_fee(self, envelope: bytes) -> int:
        self.line.call("l1_fee")
        return self.line.net.l1_price * len(envelope)

    def send(self, raw: bytes) -> None:
        self.line.sent(self.line.call("send"), raw)

    def receipt(self, tx_hash: bytes) -> TransactionReceipt | None:
        for block in self.line.call("receipt").head.back():
            mined = block.receipts.get(tx_hash)
            if mined is not None:
                return TransactionReceipt(block.number, mined.succeeded, mined.fee)
        return None

    def settlement_tx(self, ledger: Ledger, batch_id: bytes) -> bytes | None:
        paid = self._pool("settlement_tx", ledger, "latest").paid
        return next((one.tx_hash for one in paid if one.batch_id == batch_id), None)

    def claims(
        self, ledger: Ledger, first_block: int, last_block: int
    ) -> list[tuple[Address, int]]:
        return [
            (account, amount)
            for block in self.line.call("claims").head.back()
            if first_block <= block.number <= last_block
            for pool, account, amount in block.claims
            if pool == ledger.pool
        ]

    def funds(self, ledger: Ledger, datanet_id: bytes) -> int:
        return self._pool("funds", ledger, "latest").funds.get(datanet_id, 0)

    def _pool(self, name: str, ledger: Ledger, block: Block) -> model.Pool:
        return _pool(_at(self.line.call(name), block), ledger)


def _at(node: model.Node, block: Block) -> model.Block:
    if isinstance(block, str):
        return node.head
    found = node.head.ancestor(block)
    if found is None:
        raise Unavailable("the node does not know that block", "try again")
    return found


def _pool(block: model.Block, ledger: Ledger) -> model.Pool:
    pool = block.state.pools.get(ledger.pool)
    if pool is None:
        raise Unavailable("the pool is not on this chain at that block", "check FOOTNOTE_RPC_URL")
    return pool


def _transaction(
    ledger: Ledger, to: Address, data: bytes, nonce: int, gas: int, fees: Fees
) -> dict[str, Any]:
    return {
        "type": 2,
        "chainId": ledger.chain_id,
        "nonce": nonce,
        "to": format_address(to),
        "value": 0,
        "data": "0x" + data.hex(),
        "gas": gas,
        "maxFeePerGas": fees.max_fee,
        "maxPriorityFeePerGas": fees.priority_fee,
    }
