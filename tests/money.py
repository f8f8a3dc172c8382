"""What tests of money share: small true Answers, and a Ledger on a development chain."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eth_account import Account
from web3.types import RPCEndpoint

from cli.stack import give_coin
from footnote.addresses import ZERO_ADDRESS, Address, format_address
from footnote.ids import datanet_id, new_answer_id, sha256
from footnote.model import (
    Answer,
    Citation,
    Claim,
    Contributor,
    Definition,
    Document,
    Question,
    Span,
    Usage,
    Verdict,
)
from footnote.shares import citation_weights
from rewards.chain import EvmChain
from rewards.journal.journal import Journal
from rewards.keys import Key, create_key, read_key
from rewards.ledger import Ledger, Registration
from rewards.policy import Policy
from rewards.record import Recorder
from rewards.settler import Pace, Settler, Spending

MODEL = Definition({"kind": "extractive", "version": 1})
VERIFIER = Definition({"kind": "verifier", "version": 1})
TEXT = "Storage that a transaction forgets costs less. " * 40


def address(number: int) -> Address:
    """A different account for each number, in the numbers' order."""
    return Address((0xA0 << 152 | number).to_bytes(20, "big"))


def document(name: str, *shares: tuple[int, int], text: str = TEXT) -> Document:
    """A Document whose contributors are given as (number of the account, share)."""
    contributors = tuple(
        Contributor(address(number), bps, f"c{number}") for number, bps in shares or ((1, 10_000),)
    )
    version = sha256(text.encode())
    return Document(name, version, name.title(), f"https://x.org/{name}", "CC0-1.0", contributors)


Cites = tuple[int, Document, Verdict]
"""The number of a claim, the Document that it cites, and the verdict."""


def supported(claim: int, cited: Document) -> Cites:
    return claim, cited, Verdict.SUPPORTED


def answer(
    cites: Sequence[Cites],
    *,
    datanet: str = "eips",
    usage: Usage | None = None,
    refused: str | None = None,
    text: str = "Storage that a transaction forgets costs less. [1]",
    question: str = "What does transient storage cost?",
    answer_id: str | None = None,
    adapter: Definition | None = None,
) -> Answer:
    """An Answer as an Answerer makes it, over ``cites``."""
    weighed = [(n, d.document_id) for n, d, verdict in cites if verdict is Verdict.SUPPORTED]
    weights = iter(citation_weights(weighed))
    citations = []
    for marker, (number, cited, verdict) in enumerate(cites, start=1):
        span = Span(marker * 47, marker * 47 + 46)
        citations.append(
            Citation(
                f"cit_{marker}", f"clm_{number}", marker, cited, span, span.of(TEXT), verdict, 0.9,
                next(weights) if verdict is Verdict.SUPPORTED else 0,
            )
        )  # fmt: skip
    claims = tuple(
        Claim(
            f"clm_{number}", Span(0, 46), text[:46], Verdict.SUPPORTED, 0.9,
            tuple(c.citation_id for c in citations if c.claim_id == f"clm_{number}"),
        )
        for number in sorted({number for number, _, _ in cites})
    )  # fmt: skip
    return Answer(
        answer_id=answer_id or new_answer_id(),
        question=Question(datanet, question),
        text=refused or text,
        refusal_reason=refused,
        confidence=0.9,
        claims=claims,
        citations=tuple(citations),
        retrieved=(),
        used_chunk_ids=frozenset(),
        snapshot_id=hashlib.sha256(b"snapshot").digest(),
        model=MODEL,
        verifier=VERIFIER,
        adapter=adapter,
        usage=usage or Usage(),
    )


def refusal(datanet: str = "eips") -> Answer:
    return answer((), datanet=datanet, refused="The Datanet does not hold the answer.")


def paying(number: int = 1, datanet: str = "eips", snapshot_id: bytes | None = None) -> Answer:
    """An Answer that owes two contributors."""
    cited = document(f"d{number}", (number, 7_000), (number + 1, 3_000))
    made = answer([supported(1, cited)], datanet=datanet)
    return made if snapshot_id is None else replace(made, snapshot_id=snapshot_id)


def key_of(seed: str) -> Key:
    """The same Key for the same seed."""
    return Key(Account.from_key(sha256(seed.encode())))


def new_key() -> Key:
    return Key(Account.create())


def journal_url(folder: Path) -> str:
    """Of the journal that belongs to ``folder``: what ``journal.url`` there names, else a file."""
    named = folder / "journal.url"
    return named.read_text() if named.exists() else f"sqlite:///{folder / 'journal.sqlite'}"


def journal_at(folder: Path) -> Journal:
    return Journal(journal_url(folder))


FAR = Ledger(
    31337, sha256(b"genesis"), address(90), address(91), ZERO_ADDRESS, sha256(b"tx"),
    sha256(b"block"), 4, 1_700_000_000,
)  # fmt: skip
"""A Ledger on no chain that anybody can reach."""


class InstantChain(EvmChain):
    """A development chain that mines at once: ``send`` returns when it has.

    anvil acknowledges a transaction before it mines it; on a busy machine the next call may come
    between the two.
    """

    def send(self, raw: bytes) -> None:
        super().send(raw)
        until = time.monotonic() + 10
        while self._asked("anvil_getAutomine") and time.monotonic() < until:
            if int(self._asked("txpool_status")["pending"], 16) == 0:
                return
            time.sleep(0.01)

    def _asked(self, method: str) -> Any:
        return self._web3.provider.make_request(RPCEndpoint(method), [])["result"]


@dataclass(frozen=True)
class Pool:
    """A deployed pool and the account that owns it."""

    url: str
    chain: EvmChain
    ledger: Ledger
    owner: Key


def deployed(url: str, chain: EvmChain) -> Pool:
    """Deploy registry and pool."""
    owner = new_key()
    give_coin(url, format_address(owner.address), 10**24)
    ledger = chain.deploy(owner, ZERO_ADDRESS, 0, lambda step: None)
    return Pool(url, chain, ledger, owner)


@dataclass(frozen=True)
class Place:
    """A registered and funded Datanet with its own journal and keys."""

    pool: Pool
    journal: Journal
    registration: Registration
    signer: Key
    distributor: Key
    folder: Path

    @property
    def name(self) -> str:
        return self.registration.datanet

    @property
    def ledger_id(self) -> bytes:
        return self.pool.ledger.ledger_id

    @property
    def recorder(self) -> Recorder:
        return Recorder(self.journal, self.signer)

    def record(self, *numbers: int) -> None:
        """Record one paying Answer for each number."""
        for number in numbers:
            self.recorder.record(paying(number, self.name))

    def settler(self, journal: Journal | None = None, key: Key | None = None) -> Settler:
        chain = self.pool.chain
        return Settler(
            journal or self.journal,
            chain,
            key or self.distributor,
            Pace(0, 0),
            Spending(chain.max_fee),
        )

    def settle(self) -> bool:
        return self.settler().settle(self.registration)

    def owed(self) -> dict[Address, int]:
        return {a: n for a, n in self.journal.owed_in(self.ledger_id).items() if n}

    def credited(self) -> dict[Address, int]:
        accounts = sorted(self.journal.owed_in(self.ledger_id))
        found = self.pool.chain.credits(self.pool.ledger, accounts, "latest")
        return {account: amount for account, amount in found.items() if amount}

    def cursor(self) -> int:
        return self.pool.chain.cursor(self.pool.ledger, self.registration.datanet_id, "latest")

    def settings(self) -> dict[str, str]:
        """What FOOTNOTE_… a worker of this place needs."""
        return {
            "HOME": str(self.folder),
            "JOURNAL_URL": journal_url(self.folder),
            "RPC_URL": self.pool.url,
            "DISTRIBUTOR_KEYSTORE": str(self.folder / "distributor.json"),
            "DISTRIBUTOR_PASSPHRASE_FILE": str(self.folder / "distributor.pass"),
            "BATCH_AGE_SECONDS": "0",
            "POLL_SECONDS": "0.2",
            "RESEND_SECONDS": "1",
            "LEASE_SECONDS": "0.1",
        }


def place(pool: Pool, folder: Path, funds: int = 10**21, datanet: str = "eips") -> Place:
    """Register a Datanet with fresh keys and fund it; its journal lies in ``folder``."""
    keystore, passphrase = folder / "distributor.json", folder / "distributor.pass"
    create_key(keystore, passphrase, iterations=2)
    distributor, signer = read_key(keystore, passphrase, "x"), new_key()
    give_coin(pool.url, format_address(distributor.address), 10**21)
    chain, ledger, owner, salt = pool.chain, pool.ledger, pool.owner, secrets.token_bytes(32)
    identity = datanet_id(ledger.chain_id, ledger.registry, owner.address, salt)
    mined(chain, chain.create_datanet(owner, ledger, salt, "https://x.org"))
    sent = [
        chain.set_distributor(owner, ledger, identity, distributor.address),
        chain.add_signer(owner, ledger, identity, signer.address),
    ]
    if funds:
        sent.append(chain.fund(owner, ledger, identity, funds))
    for transaction in sent:
        mined(chain, transaction)
    term = chain.signer_term(ledger, identity, signer.address)
    assert term is not None
    registration = Registration(datanet, ledger, identity, owner.address, (term,))
    journal = journal_at(folder)
    journal.add_ledger(ledger)
    journal.register(registration)
    unlimited = Policy(daily_budget=None, daily_limit_per_address=None)
    journal.set_policy(datanet, unlimited)
    return Place(pool, journal, registration, signer, distributor, folder)


def mined(chain: EvmChain, transaction: bytes) -> None:
    until = time.monotonic() + 20
    while (receipt := chain.receipt(transaction)) is None:
        assert time.monotonic() < until, "not mined"
        time.sleep(0.02)
    assert receipt.succeeded
