"""What was asked and answered, and what that owes: kept apart from our journal, which is judged by
it. Amounts follow from a formula of its own, not from ``rewards.owed``."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from footnote.addresses import Address
from footnote.model import Answer
from rewards.journal.records import Retry
from rewards.policy import Policy
from tests.money import address, answer, document, refusal, supported

PRICE = 4_000_000
"""Base units of an answer; half of it goes to contributors, a basis point of that is 200."""

PLATFORM_OWED = PRICE // 10
SHARE_UNIT = PRICE // 2 // 10_000


@dataclass(slots=True)
class Ask:
    """A caller that asks until it is answered, with the same key each time."""

    number: int
    datanet: str
    shares: tuple[tuple[int, int], ...]
    """Numbers of accounts and their basis points; none for a refusal."""
    platform: int | None
    tried: list[str] = field(default_factory=list)
    """The answer ids that were offered to the recorder."""

    @property
    def retry(self) -> Retry:
        return Retry("caller", f"ask-{self.number}", self.number.to_bytes(32, "big"))

    @property
    def owed(self) -> dict[Address, int]:
        owed = {address(number): bps * SHARE_UNIT for number, bps in self.shares}
        if self.shares and self.platform is not None:
            owed[address(self.platform)] = PLATFORM_OWED
        return owed

    def answer(self) -> Answer:
        """Another answer to the same question, with an id of its own."""
        answer_id = f"ans_{self.number}_{len(self.tried)}"
        self.tried.append(answer_id)
        if not self.shares:
            made = refusal(self.datanet)
            return answer(
                (), datanet=self.datanet, refused=made.refusal_reason, answer_id=answer_id
            )
        cited = document(f"d{self.number}", *self.shares)
        return answer([supported(1, cited)], datanet=self.datanet, answer_id=answer_id)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An answer that a caller holds in hand."""

    ask: Ask
    answer_id: str
    digest: bytes
    ledger_id: bytes
    seq: int
    promised: int
    """The sum that the answer itself names."""


def policy(position: int) -> Policy:
    """Every second Datanet pays a platform too."""
    return Policy(
        price_per_answer=PRICE, price_in=0, price_out=0, daily_budget=None,
        daily_limit_per_address=None, platform=_platform(position),
    )  # fmt: skip


def drawn(chance: random.Random, number: int, datanets: list[str]) -> Ask:
    """A question to one of the Datanets, each of which has its own accounts."""
    position = chance.randrange(len(datanets))
    count = 0 if chance.random() < 0.15 else chance.randrange(1, 6)
    shares, left = [], 10_000
    for i, account in enumerate(chance.sample(range(1, 13), count)):
        bps = left if i == count - 1 else chance.randrange(1, left - (count - i))
        shares.append((1_000 * (position + 1) + account, bps))
        left -= bps
    platform = 1_000 * (position + 1) if position % 2 else None
    return Ask(number, datanets[position], tuple(shares), platform)


def accounts_of(position: int) -> list[Address]:
    """All accounts that a Datanet may ever owe."""
    return [address(1_000 * (position + 1) + i) for i in range(13)]


def _platform(position: int) -> Address | None:
    return address(1_000 * (position + 1)) if position % 2 else None
