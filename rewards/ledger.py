"""A Ledger: one pool on one chain, fixed once its deployment is final; and who may sign into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from footnote import ids
from footnote.addresses import Address
from rewards.receipt import Domain

FOR_EVER = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Ledger:
    """Identity and addresses of a deployment. A reset chain or a new pool is another Ledger, with
    its own numbering, so that history is never paid again. ``token`` is zero for native coin."""

    chain_id: int
    genesis_hash: bytes
    pool: Address
    registry: Address
    token: Address
    deployment_tx: bytes
    deployment_block_hash: bytes
    deployment_block: int
    created_at: int

    @property
    def ledger_id(self) -> bytes:
        return ids.ledger_id(
            self.chain_id, self.genesis_hash, self.pool, self.deployment_tx,
            self.deployment_block_hash,
        )  # fmt: skip

    @property
    def domain(self) -> Domain:
        return Domain(self.chain_id, self.pool)

    def as_json(self) -> dict[str, Any]:
        return {
            name: "0x" + value.hex() if isinstance(value, bytes) else value
            for name, value in ((name, getattr(self, name)) for name in self.__slots__)
        }

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Ledger:
        """The inverse of :meth:`as_json`; ValueError, KeyError or TypeError for anything else."""
        values: dict[str, Any] = {
            name: bytes.fromhex(value[2:]) if isinstance(value, str) else value
            for name, value in shown.items()
        }
        if any(type(values[n]) is not int for n in ("chain_id", "deployment_block", "created_at")):
            raise ValueError("a number of the ledger is no whole number")
        return cls(**values)


@dataclass(frozen=True, slots=True)
class SignerTerm:
    """A signature of ``signer`` is good if ``from_time ≤ issuedAt < until_time``, block times."""

    signer: Address
    from_time: int
    until_time: int = FOR_EVER
    compromised: bool = False
    """Revoked for compromise: what it signed and was not settled by then waits for the owner."""

    def covers(self, issued_at: int) -> bool:
        return self.from_time <= issued_at < self.until_time


@dataclass(frozen=True, slots=True)
class Registration:
    """A Datanet's place in a Ledger."""

    datanet: str
    ledger: Ledger
    datanet_id: bytes
    owner: Address
    signers: tuple[SignerTerm, ...]

    def term_of(self, signer: Address) -> SignerTerm | None:
        return next((term for term in self.signers if term.signer == signer), None)
