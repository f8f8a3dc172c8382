"""The real thing, and wrong variants of it that the schedules must catch.

A simulator that lets one of these pass tests nothing. Where the pool itself would save a wrong
worker, the variant has a weaker pool: the real pool's cursor forgives much.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from footnote.errors import Unavailable
from footnote.model import Answer
from rewards.batch import (
    MinedBatch,
    NoncedBatch,
    OpenBatch,
    PlannedBatch,
    SentBatch,
    SignedBatch,
)
from rewards.chain import Reverted
from rewards.journal.records import ANONYMOUS, Asker, Retry
from rewards.ledger import Registration
from rewards.record import Recorder
from rewards.settler import Settler
from tests.simulator.chain import Rules
from tests.simulator.faults import Disaster, Fault, Profile
from tests.simulator.misfortunes import lose_everything
from tests.simulator.processes import Process, ScheduledJournal, ScheduledMarks

if TYPE_CHECKING:
    from tests.simulator.schedule import Schedule


def _recorder(schedule: Schedule, process: Process, journal: ScheduledJournal) -> Recorder:
    return Recorder(
        journal, schedule.signer, ScheduledMarks(schedule.folder / "marks", process), process.clock,
        schedule.new_salt, process.point,
    )  # fmt: skip


def _nothing(schedule: Schedule) -> None:
    """Redis holds nothing that cannot be lost."""


@dataclass(frozen=True, slots=True)
class Variant:
    name: str
    rules: Rules = Rules.CURSOR
    settler: type[Settler] = Settler
    recorder: Callable[[Schedule, Process, ScheduledJournal], Recorder] = _recorder
    wipe: Callable[[Schedule], None] = _nothing
    """What a wiped Redis takes with it."""
    needs: frozenset[Fault] = frozenset()
    disaster: Disaster = Disaster.NONE
    """What it is wrong about."""

    def focused(self, profile: Profile, chance: random.Random) -> Profile:
        """``profile`` with that in each schedule, and little else, so that it comes often."""
        others = {fault for fault in Fault if fault in profile.faults and chance.random() < 0.3}
        return replace(profile, faults=self.needs | others, disaster=self.disaster)


REAL = Variant("the real thing")


class AnyNonce(Settler):
    """Takes the nonce that follows what a node has pending, and signs for it."""

    def _take_nonce(self, registration: Registration, planned: PlannedBatch) -> OpenBatch:
        nonce = self.chain.nonce(self.key.address, "pending")
        return self.journal.take_nonce(planned, self.key.address, nonce) or planned

    def _sign(self, registration: Registration, nonced: NoncedBatch) -> OpenBatch | None:
        gas = self._settle_gas(registration, nonced.planned)
        fees = self._fees(nonced.planned, nonced.nonce)
        return self.journal.store_attempt(nonced, self._settlement(registration, nonced, gas, fees))


class FreshNonceOnRetry(AnyNonce):
    """A transaction that is late is forgotten, and the batch sent again with another nonce."""

    def _resend(self, registration: Registration, sent: SentBatch) -> OpenBatch:
        planned = sent.signed.nonced.planned
        self.journal.give_up_nonce(sent, "late")
        return self._take_nonce(registration, planned)


class BelievesErrors(AnyNonce):
    """What a node answers with an error was not taken, so its nonce is free."""

    def _send(self, signed: SignedBatch) -> SentBatch:
        try:
            self.chain.send(signed.latest.raw)
        except Unavailable:
            sent = self.journal.mark_sent(signed, self.clock())
            self.journal.give_up_nonce(sent, "the node refused")
            raise
        return self.journal.mark_sent(signed, self.clock())


class DoneAtOneConfirmation(Settler):
    """What the newest block holds is paid."""

    def _finish(self, registration: Registration, mined: MinedBatch) -> OpenBatch | None:
        found = self.chain.batch_at(
            registration.ledger, registration.datanet_id, mined.planned.batch.first, "latest"
        )
        if found is None:
            self.journal.mark_unmined(mined)
        else:
            self.journal.mark_final(mined, self.chain.finalized())
        return None


class SavedAfterSending(Settler):
    """The bytes are sent, then stored; what became of them is asked by their hash alone."""

    def _sign(self, registration: Registration, nonced: NoncedBatch) -> OpenBatch | None:
        gas = self._settle_gas(registration, nonced.planned)
        fees = self._fees(nonced.planned, nonced.nonce)
        attempt = self._settlement(registration, nonced, gas, fees)
        self.chain.send(attempt.raw)
        signed = self.journal.store_attempt(nonced, attempt)
        return self.journal.mark_sent(signed, self.clock())

    def _look(self, registration: Registration, sent: SentBatch) -> OpenBatch | None:
        for attempt in sent.signed.attempts:
            receipt = self.chain.receipt(attempt.tx_hash)
            if receipt is not None and receipt.succeeded:
                return self.journal.mark_mined(sent, attempt.tx_hash)
        if self.clock() - (sent.signed.latest.sent_at or 0.0) >= self.pace.resend_seconds:
            self._broadcast(sent.signed.nonced.planned, sent.signed.latest)
        return sent

    def _adopt_settled(self, registration: Registration) -> MinedBatch | None:
        return None


class BatchIdWithoutCursor(Settler):
    """The pool remembers ids of batches and no cursor: there is nothing to adopt, and nothing to
    tell that a receipt was settled in another batch."""

    def _adopt_settled(self, registration: Registration) -> MinedBatch | None:
        return None

    def _look(self, registration: Registration, sent: SentBatch) -> OpenBatch | None:
        planned = sent.signed.nonced.planned
        found = self.chain.batch_at(
            registration.ledger, registration.datanet_id, planned.batch.first, "latest"
        )
        if found is not None and found.batch_id == planned.batch_id:
            return self.journal.mark_mined(sent, sent.signed.latest.tx_hash)
        final = self.chain.finalized()
        if self.chain.nonce(sent.signed.nonced.key, final) > sent.signed.nonced.nonce:
            self.journal.give_up_nonce(sent, "spent")
            return None
        if self.clock() - (sent.signed.latest.sent_at or 0.0) >= self.pace.resend_seconds:
            return self._resend(registration, sent)
        return sent

    def _finish(self, registration: Registration, mined: MinedBatch) -> OpenBatch | None:
        final, planned = self.chain.finalized(), mined.planned
        found = self.chain.batch_at(
            registration.ledger, registration.datanet_id, planned.batch.first, final
        )
        if found is not None and found.batch_id == planned.batch_id:
            self.journal.mark_final(mined, final)
            return None
        head = self.chain.batch_at(
            registration.ledger, registration.datanet_id, planned.batch.first, "latest"
        )
        if head is None or head.batch_id != planned.batch_id:
            self.journal.mark_unmined(mined)
            return None
        return mined


class NeverResends(Settler):
    """What was sent once arrives."""

    def _resend(self, registration: Registration, sent: SentBatch) -> OpenBatch:
        return sent


class NoGapFilled(Settler):
    """A lower nonce that nobody spends is somebody else's matter."""

    def _waits_behind(self, registration: Registration, nonced: NoncedBatch) -> bool:
        return False


class GivesUpEarly(Settler):
    """A nonce that is spent at the newest block is spent for good."""

    def _look(self, registration: Registration, sent: SentBatch) -> OpenBatch | None:
        planned = sent.signed.nonced.planned
        if self.chain.cursor(registration.ledger, registration.datanet_id, "latest") > (
            planned.batch.first
        ):
            return self._mined(registration, sent)
        if self.chain.nonce(sent.signed.nonced.key, "latest") > sent.signed.nonced.nonce:
            self.journal.give_up_nonce(sent, "spent")
            return None
        return Settler._look(self, registration, sent)


class DropsWhatIsRefused(Settler):
    """A batch that the pool refuses is done with, so that the others can go on."""

    def _take_nonce(self, registration: Registration, planned: PlannedBatch) -> OpenBatch:
        try:
            self._settle_gas(registration, planned)
        except Reverted:
            mined = self.journal.adopt(planned, None)
            self.journal.mark_final(mined, 0)
            return planned
        return Settler._take_nonce(self, registration, planned)


class AnswersFirst(Recorder):
    """The caller has its answer before the commit is known to have happened."""

    def record(
        self, answer: Answer, retry: Retry | None = None, asker: Asker = ANONYMOUS
    ) -> dict[str, Any]:
        try:
            return Recorder.record(self, answer, retry, asker)
        except Unavailable:
            digest = "0x" + bytes(31).hex() + "01"
            return {
                "id": answer.answer_id, "citations": [], "receipt": {"id": digest, "seq": 10**6},
            }  # fmt: skip


def _answers_first(schedule: Schedule, process: Process, journal: ScheduledJournal) -> Recorder:
    real = _recorder(schedule, process, journal)
    return AnswersFirst(
        real.journal, real.key, real.marks, real.clock, real.new_salt, real.crash_point
    )


def _without_marks(schedule: Schedule, process: Process, journal: ScheduledJournal) -> Recorder:
    return replace(_recorder(schedule, process, journal), marks=None)


def _everything(schedule: Schedule) -> None:
    """Redis was the only store: places are set up again, and all else is gone."""
    lose_everything(schedule)


def _needs(*faults: Fault) -> frozenset[Fault]:
    return frozenset(faults)


_ALL = (
    REAL,
    Variant(
        "fresh nonce on retry", Rules.NONE, FreshNonceOnRetry,
        needs=_needs(Fault.LEFT_OUT, Fault.FEE_SPIKE),
    ),
    Variant(
        "done at one confirmation", settler=DoneAtOneConfirmation, needs=_needs(Fault.REORG)
    ),
    Variant("hash saved after sending", settler=SavedAfterSending, needs=_needs(Fault.CRASH)),
    Variant(
        "batch id without cursor", Rules.BATCH_ID, BatchIdWithoutCursor,
        needs=_needs(Fault.SETTLED_BY_OTHERS, Fault.OLD_BATCHES),
    ),
    Variant(
        "Redis as the only store", recorder=_without_marks, wipe=_everything,
        needs=_needs(Fault.REDIS),
    ),
    Variant(
        "errors are believed", Rules.NONE, BelievesErrors,
        needs=_needs(Fault.ACCEPTED_BUT_ERRORED),
    ),
    Variant("never resends", settler=NeverResends, needs=_needs(Fault.DROPPED, Fault.REORG)),
    Variant("no gap filled", settler=NoGapFilled, needs=_needs(Fault.STRANGER, Fault.REORG)),
    Variant(
        "a nonce given up before it is final", Rules.NONE, GivesUpEarly,
        needs=_needs(Fault.REORG, Fault.STALE_NODE),
    ),
    Variant(
        "what is refused is dropped", settler=DropsWhatIsRefused,
        needs=_needs(Fault.PAUSE, Fault.NO_FUNDS),
    ),
    Variant(
        "answered before the commit", recorder=_answers_first, needs=_needs(Fault.DISK_FULL)
    ),
    Variant("no high-water mark", recorder=_without_marks, disaster=Disaster.OLD_JOURNAL),
)  # fmt: skip

VARIANTS: Mapping[str, Variant] = {variant.name: variant for variant in _ALL}
