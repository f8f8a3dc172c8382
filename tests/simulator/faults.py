"""Which faults a schedule may draw, how often, and how often each was drawn."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum


class Fault(Enum):
    """What may go wrong and must not matter."""

    CRASH = "crash"
    REFUSED = "rpc refused"
    TIMED_OUT = "rpc timed out"
    ACCEPTED_BUT_ERRORED = "rpc accepted but errored"
    STALE_NODE = "stale node"
    LYING_HEAD = "lying head"
    DROPPED = "transaction dropped"
    LEFT_OUT = "transaction left out"
    REORG = "reorg"
    STRANGER = "nonce used by a stranger"
    FEE_SPIKE = "fee spike"
    NO_GAS = "empty gas account"
    NO_FUNDS = "empty pool"
    PAUSE = "pause"
    CAPS = "caps"
    NO_RIGHT = "right to settle withdrawn"
    CLAIM = "claim"
    REDIS = "redis wiped"
    CLOCK = "clock jump"
    DISK_FULL = "disk full"
    UNSURE_COMMIT = "commit that reports an error"
    LOCKED = "journal locked"
    SETTLED_BY_OTHERS = "same content settled by others"
    NEW_POOL = "new pool"
    OLD_BATCHES = "journal restored, receipts whole"


class Disaster(Enum):
    """What must stop payment and alarm, and never mis-pay. At most one in a schedule."""

    NONE = "none"
    DEEP_REORG = "reorg past finality"
    STRANGE_BATCH = "strange batch"
    OLD_JOURNAL = "journal restored from an older copy"
    RESET = "reset chain"


EXPECTED_DISASTER = 0.3
"""How many of all schedules have one."""


@dataclass(slots=True)
class Profile:
    """What one schedule is like, drawn from its seed."""

    faults: frozenset[Fault]
    disaster: Disaster
    workers: int
    keys: int
    datanets: int
    leased: bool
    finality: int
    l1_price: int
    answers: int
    daily_fees: bool

    @classmethod
    def drawn(cls, chance: random.Random) -> Profile:
        """Each schedule has its own mixture: rare faults show only where common ones are absent."""
        share = chance.choice((0.2, 0.5, 0.8))
        faults = frozenset(fault for fault in Fault if chance.random() < share)
        disaster = Disaster.NONE
        if chance.random() < EXPECTED_DISASTER:
            disaster = chance.choice([one for one in Disaster if one is not Disaster.NONE])
        return cls(
            faults=faults,
            disaster=disaster,
            workers=chance.choice((1, 2, 2, 3, 4)),
            keys=chance.choice((1, 1, 1, 2)),
            datanets=chance.choice((1, 2, 3)),
            leased=chance.random() < 0.5,
            finality=chance.choice((3, 5, 8)),
            l1_price=chance.choice((0, 0, 10**7)),
            answers=chance.randrange(8, 28),
            daily_fees=chance.random() < 0.2,
        )

    def shown(self) -> str:
        names = sorted(fault.value for fault in self.faults)
        return (
            f"{self.workers} workers, {self.keys} keys, {self.datanets} datanets, "
            f"{'leased' if self.leased else 'no lease'}, finality {self.finality}, "
            f"{self.answers} answers; disaster: {self.disaster.value}; faults: {', '.join(names)}"
        )


@dataclass(slots=True)
class Coverage:
    """How often each thing happened."""

    counts: Counter[str] = field(default_factory=Counter)

    def note(self, fault: Fault | Disaster, detail: str = "") -> None:
        self.counts[f"{fault.value}{': ' if detail else ''}{detail}"] += 1
