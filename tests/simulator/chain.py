"""A chain in memory: blocks, nodes with their own views and mempools, reorgs, and the pool.

The bytes that it executes are those that our key signed. The pool follows
``contracts/src/RewardPool.sol``; two weaker rules are there for the wrong variants.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

import rlp  # type: ignore[import-untyped]
from eth_abi.abi import decode as abi_decode
from eth_account import Account

from footnote import ids
from footnote.addresses import ZERO_ADDRESS, Address, format_address
from footnote.ids import abi_encode, keccak, sha256
from rewards.batch import Batch
from rewards.chain import OnChainBatch
from rewards.keys import Key
from rewards.ledger import Ledger, SignerTerm

CHAIN_ID = 31337
GWEI = 10**9
NO_LIMIT = 2**256 - 1
WINDOW_SECONDS = 60
SETTLE_TYPES = ["bytes32", "uint64", "uint64", "bytes32", "uint256", "bytes32[]"]
SETTLE_SELECTOR = keccak(f"settle({','.join(SETTLE_TYPES)})".encode())[:4]
TRANSFER_GAS = 21_000
ENTRY_GAS, REPEATED_ENTRY_GAS, BATCH_GAS = 23_000, 6_000, 90_000
BLOCK_GAS = 30_000_000
REPLACEMENT_PERCENT = 10


class Rules(Enum):
    """What keeps a pool from paying twice."""

    CURSOR = "cursor"
    BATCH_ID = "batch id"
    NONE = "none"


class PoolRefuses(Exception):
    """The pool reverts; the first argument is its error's name."""

    @property
    def name(self) -> str:
        return str(self.args[0])


class NodeRefuses(Exception):
    """A node does not take a transaction."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a ``settle`` call asks for."""

    datanet_id: bytes
    first: int
    last: int
    receipts_root: bytes
    total: int
    entries: tuple[bytes, ...]

    @property
    def data(self) -> bytes:
        values = [
            self.datanet_id, self.first, self.last, self.receipts_root, self.total,
            list(self.entries),
        ]  # fmt: skip
        return SETTLE_SELECTOR + abi_encode(SETTLE_TYPES, values)

    @classmethod
    def of(cls, datanet_id: bytes, batch: Batch) -> Settlement:
        return cls(
            datanet_id, batch.first, batch.last, batch.receipts_root, batch.total,
            tuple(batch.entries),
        )  # fmt: skip

    @classmethod
    def decoded(cls, data: bytes) -> Settlement:
        if data[:4] != SETTLE_SELECTOR:
            raise PoolRefuses("unknown function")
        datanet_id, first, last, root, total, entries = abi_decode(SETTLE_TYPES, data[4:])
        return cls(datanet_id, first, last, root, total, tuple(entries))

    @property
    def payouts(self) -> list[tuple[Address, int]]:
        return [(Address(e[:20]), int.from_bytes(e[20:], "big")) for e in self.entries]


@dataclass(frozen=True, slots=True)
class Paid:
    """One settlement that the pool took, and the transaction that carried it."""

    batch_id: bytes
    settlement: Settlement
    tx_hash: bytes


@dataclass(slots=True)
class Pool:
    """The state of one RewardPool and of what its registry says."""

    rules: Rules
    distributors: dict[bytes, tuple[Address, ...]] = field(default_factory=dict)
    signers: dict[tuple[bytes, Address], SignerTerm] = field(default_factory=dict)
    funds: dict[bytes, int] = field(default_factory=dict)
    cursor: dict[bytes, int] = field(default_factory=dict)
    batch_at: dict[tuple[bytes, int], bytes] = field(default_factory=dict)
    batches: dict[bytes, OnChainBatch] = field(default_factory=dict)
    credit: dict[Address, int] = field(default_factory=dict)
    claimed: dict[Address, int] = field(default_factory=dict)
    paid: tuple[Paid, ...] = ()
    paused: bool = False
    max_batch: int = NO_LIMIT
    max_window: int = NO_LIMIT
    window: tuple[tuple[int, bytes, int], ...] = ()

    def copy(self) -> Pool:
        return replace(
            self,
            distributors=dict(self.distributors), signers=dict(self.signers),
            funds=dict(self.funds), cursor=dict(self.cursor), batch_at=dict(self.batch_at),
            batches=dict(self.batches), credit=dict(self.credit), claimed=dict(self.claimed),
        )  # fmt: skip

    def window_left(self, datanet_id: bytes, now: int) -> int:
        if self.max_window == NO_LIMIT:
            return NO_LIMIT
        used = sum(a for t, d, a in self.window if d == datanet_id and now - t < WINDOW_SECONDS)
        return max(0, self.max_window - used)

    def settle(
        self, address: Address, sender: Address, asked: Settlement, tx_hash: bytes, now: int
    ) -> None:
        """As ``RewardPool.settle``, in its order of checks.

        Raises:
            PoolRefuses: and then nothing has changed.
        """
        datanet_id, first, last = asked.datanet_id, asked.first, asked.last
        if self.paused:
            raise PoolRefuses("IsPaused")
        if sender not in self.distributors.get(datanet_id, ()):
            raise PoolRefuses("NotDistributor")
        batch_id = ids.batch_id(CHAIN_ID, address, datanet_id, first, last, asked.receipts_root)
        if self.rules is Rules.CURSOR and first != self.cursor.get(datanet_id, 0):
            raise PoolRefuses("BadCursor")
        if self.rules is Rules.BATCH_ID and batch_id in self.batches:
            raise PoolRefuses("AlreadyPaid")
        if last < first:
            raise PoolRefuses("BadRange")
        if not any(asked.receipts_root):
            raise PoolRefuses("ZeroReceiptsRoot")
        self._check_money(asked, now)
        _check_entries(asked)
        self.cursor[datanet_id] = max(self.cursor.get(datanet_id, 0), last + 1)
        self.funds[datanet_id] = self.funds.get(datanet_id, 0) - asked.total
        if asked.total and self.max_window != NO_LIMIT:
            self.window = (*self.window, (now, datanet_id, asked.total))
        for account, amount in asked.payouts:
            self.credit[account] = self.credit.get(account, 0) + amount
        digest = keccak(abi_encode(["uint256", "bytes32[]"], [asked.total, list(asked.entries)]))
        self.batch_at[datanet_id, first] = batch_id
        self.batches[batch_id] = OnChainBatch(batch_id, digest, asked.receipts_root, first, last)
        self.paid = (*self.paid, Paid(batch_id, asked, tx_hash))

    def _check_money(self, asked: Settlement, now: int) -> None:
        if asked.total == 0:
            return
        if asked.total > self.max_batch:
            raise PoolRefuses("BatchCapExceeded")
        if asked.total > self.funds.get(asked.datanet_id, 0):
            raise PoolRefuses("InsufficientFunds")
        if asked.total > self.window_left(asked.datanet_id, now):
            raise PoolRefuses("WindowCapExceeded")

    def claim(self, account: Address) -> None:
        amount = self.credit.pop(account, 0)
        if amount:
            self.claimed[account] = self.claimed.get(account, 0) + amount

    def received(self) -> dict[Address, int]:
        """All that accounts were ever credited."""
        accounts = sorted({*self.credit, *self.claimed})
        return {a: self.credit.get(a, 0) + self.claimed.get(a, 0) for a in accounts}

    def gas(self, asked: Settlement) -> int:
        """Dearer where an account has no credit yet."""
        return BATCH_GAS + sum(
            REPEATED_ENTRY_GAS if self.credit.get(account) else ENTRY_GAS
            for account, _ in asked.payouts
        )


def _check_entries(asked: Settlement) -> None:
    previous, total = ZERO_ADDRESS, 0
    for account, amount in asked.payouts:
        if account <= previous:
            raise PoolRefuses("NotAscending")
        if not amount:
            raise PoolRefuses("ZeroEntry")
        previous, total = account, total + amount
    if total != asked.total:
        raise PoolRefuses("TotalMismatch")


@dataclass(slots=True)
class State:
    """What a block leaves behind."""

    nonces: dict[Address, int] = field(default_factory=dict)
    balances: dict[Address, int] = field(default_factory=dict)
    pools: dict[Address, Pool] = field(default_factory=dict)

    def copy(self) -> State:
        pools = {address: pool.copy() for address, pool in self.pools.items()}
        return State(dict(self.nonces), dict(self.balances), pools)


Act = Callable[[State], None]
"""What an owner or admin does in a block; a reorg takes it into a later one."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A contributor withdraws its credit."""

    pool: Address
    account: Address

    def __call__(self, state: State) -> None:
        state.pools[self.pool].claim(self.account)


@dataclass(frozen=True, slots=True)
class Transaction:
    raw: bytes
    tx_hash: bytes
    sender: Address
    nonce: int
    max_fee: int
    priority_fee: int
    gas: int
    to: bytes
    value: int
    data: bytes

    @classmethod
    def decoded(cls, raw: bytes) -> Transaction:
        """An EIP-1559 transaction with its recovered sender."""
        fields = rlp.decode(raw[1:])
        _, nonce, tip, fee, gas, to, value, data = fields[:8]
        sender = Address(bytes.fromhex(Account.recover_transaction(raw)[2:]))
        return cls(
            raw, keccak(raw), sender, _number(nonce), _number(fee), _number(tip), _number(gas),
            to, _number(value), data,
        )  # fmt: skip

    @property
    def most(self) -> int:
        """What its sender must hold."""
        return self.gas * self.max_fee + self.value


@dataclass(frozen=True, slots=True)
class Mined:
    """What became of a transaction in a block."""

    succeeded: bool
    fee: int


@dataclass(slots=True, eq=False)
class Block:
    number: int
    parent: Block | None
    block_hash: bytes
    timestamp: int
    base_fee: int
    state: State
    transactions: list[Transaction] = field(default_factory=list)
    receipts: dict[bytes, Mined] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)
    claims: list[tuple[Address, Address, int]] = field(default_factory=list)

    def back(self) -> Iterator[Block]:
        """This block and its ancestors."""
        block: Block | None = self
        while block is not None:
            yield block
            block = block.parent

    def ancestor(self, number: int) -> Block | None:
        return next((block for block in self.back() if block.number == number), None)


@dataclass(slots=True, eq=False)
class Node:
    """One endpoint: its own head, which may lag or be on a lost branch, and its own mempool."""

    name: str
    head: Block
    mempool: dict[tuple[Address, int], Transaction] = field(default_factory=dict)
    claims_ahead: int = 0
    """How far beyond its head a lying node says that blocks are final."""

    def take(self, transaction: Transaction) -> None:
        """Into the mempool.

        Raises:
            NodeRefuses: in the words of common nodes.
        """
        state = self.head.state
        if transaction.nonce < state.nonces.get(transaction.sender, 0):
            raise NodeRefuses("nonce too low")
        if transaction.most > state.balances.get(transaction.sender, 0):
            raise NodeRefuses("insufficient funds for gas * price + value")
        place = (transaction.sender, transaction.nonce)
        known = self.mempool.get(place)
        if known is not None and known.tx_hash == transaction.tx_hash:
            raise NodeRefuses("already known")
        if known is not None and not _outbids(transaction, known):
            raise NodeRefuses("replacement transaction underpriced")
        self.mempool[place] = transaction

    def pending_nonce(self, account: Address) -> int:
        nonce = self.head.state.nonces.get(account, 0)
        while (account, nonce) in self.mempool:
            nonce += 1
        return nonce

    def follow(self, head: Block) -> None:
        """See ``head``, and forget what can no longer be mined."""
        self.head = head
        nonces = head.state.nonces
        self.mempool = {
            place: kept for place, kept in self.mempool.items()
            if kept.nonce >= nonces.get(kept.sender, 0)
        }  # fmt: skip


def _outbids(new: Transaction, old: Transaction) -> bool:
    wanted = 100 + REPLACEMENT_PERCENT
    return (
        new.max_fee * 100 >= old.max_fee * wanted
        and new.priority_fee * 100 >= old.priority_fee * wanted
    )


class Net:
    """All nodes, and the branch that they agree on in the end. The first node makes the blocks."""

    def __init__(self, name: str, now: int, finality: int, rules: Rules, l1_price: int) -> None:
        self.name = name
        self.finality = finality
        self.rules = rules
        self.l1_price = l1_price
        self.base_fee = GWEI
        self.tip = 10**8
        self.waiting: list[Act] = []
        self._made = 0
        genesis = Block(0, None, sha256(f"genesis {name}".encode()), now, self.base_fee, State())
        self.nodes = [Node(f"{name}{i}", genesis) for i in range(3)]
        self.left_out = 0

    @property
    def genesis_hash(self) -> bytes:
        return [block.block_hash for block in self.head.back()][-1]

    @property
    def producer(self) -> Node:
        return self.nodes[0]

    @property
    def head(self) -> Block:
        return self.producer.head

    def final(self) -> Block:
        """The newest block that an honest reorg cannot undo."""
        number = max(0, self.head.number - self.finality)
        return next(block for block in self.head.back() if block.number == number)

    def deploy(self, number: int, now: int) -> Ledger:
        """A pool in the next block."""
        pool, registry = _account(f"{self.name} pool {number}"), _account(f"registry {number}")

        def create(state: State) -> None:
            state.pools[pool] = Pool(self.rules)

        self.waiting.append(create)
        block = self.mine(now)
        return Ledger(
            CHAIN_ID, self.genesis_hash, pool, registry, ZERO_ADDRESS,
            sha256(f"{self.name} deployment {number}".encode()), block.block_hash, block.number,
            block.timestamp,
        )  # fmt: skip

    def mine(
        self, now: int, chance: random.Random | None = None, *, left_out: float = 0.0
    ) -> Block:
        """The next block, of what the producer knows; each transaction is left out now and then."""
        parent = self.head
        self._made += 1
        block = Block(
            parent.number + 1, parent,
            keccak(parent.block_hash + self._made.to_bytes(8, "big")),
            max(parent.timestamp + 1, now), self.base_fee, parent.state.copy(),
        )  # fmt: skip
        acts, self.waiting = self.waiting, []
        for act in acts:
            if isinstance(act, Claim):
                amount = block.state.pools[act.pool].credit.get(act.account, 0)
                block.claims += [(act.pool, act.account, amount)] if amount else []
            act(block.state)
            block.acts.append(act)
        late: set[Address] = set()
        for (sender, _), transaction in sorted(self.producer.mempool.items()):
            if chance is not None and chance.random() < left_out:
                late.add(sender)
                self.left_out += 1
            if sender not in late and not self._execute(block, transaction):
                late.add(sender)
        self.producer.follow(block)
        return block

    def reorg(self, depth: int, now: int, chance: random.Random, back: float) -> None:
        """Undo ``depth`` blocks; each of their transactions returns with probability ``back``, the
        others are gone. The new branch is at least as long."""
        undone: list[Block] = []
        for block in self.head.back():
            if len(undone) == depth:
                break
            undone.append(block)
        fork = undone[-1].parent
        assert fork is not None
        self.producer.follow(fork)
        for block in reversed(undone):
            self.waiting += block.acts
            for transaction in block.transactions:
                if chance.random() < back:
                    self.producer.mempool.setdefault(
                        (transaction.sender, transaction.nonce), transaction
                    )
        for _ in range(depth + chance.randrange(2)):
            self.mine(now, chance, left_out=0.5)

    def gossip(self, chance: random.Random, likelihood: float) -> None:
        """What nodes tell each other."""
        for giver in self.nodes:
            for transaction in list(giver.mempool.values()):
                for taker in self.nodes:
                    if taker is not giver and chance.random() < likelihood:
                        try:
                            taker.take(transaction)
                        except NodeRefuses:
                            continue

    def drop(self, chance: random.Random) -> bool:
        """All nodes forget one transaction; whether there was one."""
        known = sorted({place for node in self.nodes for place in node.mempool})
        if not known:
            return False
        place = chance.choice(known)
        for node in self.nodes:
            node.mempool.pop(place, None)
        return True

    def _execute(self, block: Block, transaction: Transaction) -> bool:
        """Whether it could be included."""
        state, sender = block.state, transaction.sender
        if transaction.nonce != state.nonces.get(sender, 0):
            return False
        price = min(transaction.max_fee, block.base_fee + transaction.priority_fee)
        l1_fee = self.l1_price * len(transaction.raw)
        balance = state.balances.get(sender, 0)
        if transaction.max_fee < block.base_fee or balance < transaction.most + l1_fee:
            return False
        succeeded, gas = self._run(block, transaction)
        fee = gas * price + l1_fee
        state.nonces[sender] = transaction.nonce + 1
        state.balances[sender] = state.balances.get(sender, 0) - fee
        block.transactions.append(transaction)
        block.receipts[transaction.tx_hash] = Mined(succeeded, fee)
        return True

    def _run(self, block: Block, transaction: Transaction) -> tuple[bool, int]:
        """Whether it succeeds, and the gas it takes."""
        state, to = block.state, Address(transaction.to)
        pool = state.pools.get(to)
        if pool is None:
            state.balances[transaction.sender] = (
                state.balances.get(transaction.sender, 0) - transaction.value
            )
            state.balances[to] = state.balances.get(to, 0) + transaction.value
            return True, TRANSFER_GAS
        try:
            asked = Settlement.decoded(transaction.data)
            needed = TRANSFER_GAS + pool.gas(asked)
            if transaction.gas < needed:
                return False, transaction.gas
            pool.settle(to, transaction.sender, asked, transaction.tx_hash, block.timestamp)
        except PoolRefuses:
            return False, 60_000
        return True, needed


def transfer(key: Key, nonce: int, fee: int, to: Address, value: int = 1) -> bytes:
    """A stranger's transaction, signed."""
    raw, _ = key.sign_transaction(
        {
            "type": 2, "chainId": CHAIN_ID, "nonce": nonce, "to": format_address(to),
            "value": value, "data": b"", "gas": TRANSFER_GAS,
            "maxFeePerGas": fee, "maxPriorityFeePerGas": fee,
        }
    )  # fmt: skip
    return raw


def _number(field: bytes) -> int:
    return int.from_bytes(field, "big")


def _account(name: str) -> Address:
    return Address(sha256(name.encode())[:20])
