"""One Datanet of one Ledger, from receipts to credits, told in :func:`settle`.

The journal says what is owed, the contract's cursor what is paid; nothing else is believed. Every
step stores its intent before its effect, may run twice, and counts once. After a send, an error
says nothing: the next look at the chain decides.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from footnote.addresses import Address, format_address
from footnote.errors import Broken, FootnoteError, Unavailable
from rewards.batch import (
    Attempt,
    Limits,
    MinedBatch,
    NoncedBatch,
    OpenBatch,
    Payable,
    PlannedBatch,
    Purpose,
    SentBatch,
    SignedBatch,
    batch_of,
    is_due,
    longest_prefix,
)
from rewards.chain import TRANSFER_GAS, Chain, Fees, OnChainBatch, Reverted, envelope_of
from rewards.integrity import is_vouched_for, is_whole
from rewards.journal.journal import Journal
from rewards.journal.records import Overtaken
from rewards.keys import Key
from rewards.ledger import Registration

log = logging.getLogger(__name__)

FEE_BUMP_PERCENT = 25
"""Nodes want at least 10 % more to replace a transaction, some 12.5 %."""


DAY_SECONDS = 86_400


class Alarm(Broken):
    """What the chain holds and what the journal holds cannot both be right: stop paying."""

    default_code = "settlement-alarm"


@dataclass(frozen=True, slots=True)
class Pace:
    """When things are due, in seconds."""

    batch_age_seconds: float = 60.0
    idle_batch_age_seconds: float = 86_400.0
    resend_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Spending:
    """What the key may spend on gas, in wei: for one unit of it, and in a UTC day."""

    max_fee: int
    daily_fees: int | None = None


@dataclass(frozen=True, slots=True)
class Settler:
    """Settles Datanets with one key. ``crash_point`` is called by name between steps; tests end the
    process there."""

    journal: Journal
    chain: Chain
    key: Key
    pace: Pace
    spending: Spending
    clock: Callable[[], float] = time.time
    crash_point: Callable[[str], None] = lambda name: None

    def settle(self, registration: Registration) -> bool:
        """Take the Datanet's open Batch as far as it goes now, or plan one; returns whether
        anything moved.

        Raises:
            Alarm: journal and chain contradict each other.
            Unavailable: the chain or the journal does not answer; nothing is lost.
        """
        try:
            return self._settle(registration)
        except Overtaken:
            return True  # another worker is at it: look again

    def _settle(self, registration: Registration) -> bool:
        ledger_id, datanet = registration.ledger.ledger_id, registration.datanet
        opened = self.journal.open_batch(ledger_id, datanet)
        if opened is None or isinstance(opened, PlannedBatch):
            adopted = self._adopt_settled(registration)
            opened = adopted or self._plan(registration, opened)
        moved = False
        while opened is not None:
            following = self._step(registration, opened)
            self.crash_point(f"after {type(opened).__name__}")
            moved = moved or following is not opened
            if following is opened:
                break
            opened = following
        return moved

    def _step(self, registration: Registration, opened: OpenBatch) -> OpenBatch | None:
        """One step: the next stage, the same one where it must wait, or None at the end."""
        match opened:
            case PlannedBatch():
                return self._take_nonce(registration, opened)
            case NoncedBatch():
                return self._sign(registration, opened)
            case SignedBatch():
                return self._send(opened)
            case SentBatch():
                return self._look(registration, opened)
            case MinedBatch():
                return self._finish(registration, opened)

    def _adopt_settled(self, registration: Registration) -> MinedBatch | None:
        """A Batch that the chain holds and the journal does not know as its own: another worker's,
        or ours from before a backup was restored. It must be the very Batch we would make."""
        ledger, datanet = registration.ledger, registration.datanet
        settled_to = self.journal.settled_to(ledger.ledger_id, datanet)
        cursor = self.chain.cursor(ledger, registration.datanet_id, "latest")
        if cursor == settled_to:
            return None
        if cursor < settled_to:
            raise self._behind(registration, settled_to)
        found = self.chain.batch_at(ledger, registration.datanet_id, settled_to, "latest")
        if found is None:
            raise self._not_from_there(registration, settled_to)
        return self._adopt(registration, found)

    def _adopt(self, registration: Registration, found: OnChainBatch) -> MinedBatch:
        planned = self._rebuilt(registration, found)
        datanet, first, last = registration.datanet, found.first, found.last
        log.warning("%s: adopting batch %d..%d from the chain", datanet, first, last)
        return self.journal.adopt(planned, self._settled_by(registration, found.batch_id))

    def _behind(self, registration: Registration, settled_to: int) -> FootnoteError:
        """Why the chain's cursor is behind what was final: it lost that, or a node lags."""
        ledger, datanet = registration.ledger, registration.datanet
        final, seen = self.chain.finalized(), self.journal.final_at(ledger.ledger_id, datanet)
        cursor = self.chain.cursor(ledger, registration.datanet_id, final)
        if final >= seen and cursor < settled_to:
            return Alarm(
                f"the chain's cursor of {datanet} is {cursor}, behind batches that were final",
                "run footnote audit; the chain lost blocks that were final",
            )
        return Unavailable("the chain's node is behind what was final", "another may be ahead")

    def _not_from_there(self, registration: Registration, settled_to: int) -> FootnoteError:
        """Why the chain has no batch where ours ended: it has another, or two nodes answered."""
        ledger, final = registration.ledger, self.chain.finalized()
        cursor = self.chain.cursor(ledger, registration.datanet_id, final)
        found = self.chain.batch_at(ledger, registration.datanet_id, settled_to, final)
        if cursor > settled_to and found is None:
            return Alarm(
                f"the chain settled past seq {settled_to} of {registration.datanet}, but not from "
                "there",
                "run footnote audit; the journal may be an older copy",
            )
        return Unavailable("the chain's answers do not agree yet", "try again")

    def _rebuilt(self, registration: Registration, found: OnChainBatch) -> PlannedBatch:
        """Our own Batch over the range of ``found``; Alarm unless both are the same."""
        ledger, datanet = registration.ledger, registration.datanet
        receipts = self.journal.payables(ledger.ledger_id, datanet, found.first, found.last)
        if len(receipts) != found.last - found.first + 1:
            raise Alarm(
                f"the chain settled receipts {found.first}..{found.last} of {datanet}, and the "
                "journal lacks some",
                "restore the newest journal; until then nothing more is paid",
            )
        batch = batch_of(receipts)
        if (batch.receipts_root, batch.digest) != (found.receipts_root, found.digest):
            raise Alarm(
                f"the chain settled receipts {found.first}..{found.last} of {datanet} otherwise "
                "than the journal owes them",
                "run footnote audit; somebody settled other content",
            )
        return PlannedBatch(
            ledger.ledger_id, datanet, registration.datanet_id, found.batch_id, batch
        )

    def _plan(self, registration: Registration, before: PlannedBatch | None) -> PlannedBatch | None:
        """The Batch that is due from the cursor on, stored; None where none is."""
        ledger, datanet = registration.ledger, registration.datanet
        first = self.journal.settled_to(ledger.ledger_id, datanet)
        waiting = self.journal.payables(ledger.ledger_id, datanet, first)
        limits = Limits(max_total=self.chain.most_payable(ledger, registration.datanet_id))
        chosen, full = longest_prefix(waiting, limits)
        if not chosen:
            chosen = waiting[:1]  # beyond the pool's cap by itself: planned, and seen to be held
        pace = self.pace
        if not is_due(
            chosen, full, self.clock(), pace.batch_age_seconds, pace.idle_batch_age_seconds
        ):
            return None
        batch = batch_of(chosen)
        if before is None or before.batch != batch:
            batch = batch_of(self._trusted(registration, chosen))
        planned = PlannedBatch(
            ledger.ledger_id,
            datanet,
            registration.datanet_id,
            batch.batch_id(ledger.chain_id, ledger.pool, registration.datanet_id),
            batch,
            before.held if before else None,
        )
        if before == planned:
            return before
        return self.journal.plan(planned)

    def _trusted(self, registration: Registration, chosen: list[Payable]) -> list[Payable]:
        """The leading receipts that are whole and whose signer may be believed; abandoned numbers
        have nothing to check.

        Raises:
            Alarm: the very first is not.
        """
        ledger, datanet = registration.ledger, registration.datanet
        stored = self.journal.receipts(ledger.ledger_id, datanet, chosen[0].seq, chosen[-1].seq)
        by_seq = {receipt.message.seq: receipt for receipt in stored}
        for count, payable in enumerate(chosen):
            if payable.abandoned:
                continue
            receipt = by_seq[payable.seq]
            if not is_whole(receipt, payable, registration):
                problem = f"receipt {payable.seq} of {datanet} is not what was signed"
                remedy = "restore the newest journal; until then it is not paid"
            elif not is_vouched_for(receipt, registration):
                problem = f"receipt {payable.seq} of {datanet} is signed by a revoked key"
                remedy = "its owner must decide; until then it waits"
            else:
                continue
            if count == 0:
                raise Alarm(problem, remedy)
            return chosen[:count]
        return chosen

    def _take_nonce(self, registration: Registration, planned: PlannedBatch) -> OpenBatch:
        """Own a nonce, once the pool would take the Batch now and its gas can be paid."""
        try:
            gas = self._settle_gas(registration, planned)
        except Reverted as refusal:
            return self._held(planned, f"{refusal.name}: {refusal.what_to_do}")
        nonce = self.chain.nonce(self.key.address, "latest")
        fees = self._fees(planned, nonce)
        refused = self._unaffordable(registration, planned, nonce, gas, fees)
        if refused is not None:
            return self._held(planned, refused)
        return self.journal.take_nonce(planned, self.key.address, nonce) or planned

    def _settle_gas(self, registration: Registration, planned: PlannedBatch) -> int:
        """Raises Reverted where the pool would refuse the Batch now."""
        return self.chain.settle_gas(
            registration.ledger, registration.datanet_id, planned.batch, self.key.address
        )

    def _fees(self, planned: PlannedBatch, nonce: int) -> Fees:
        """What the chain asks now, and enough to replace whatever was signed for that nonce."""
        now = self.chain.fees()
        max_fee, priority_fee = map(
            _bumped, self.journal.fees_tried(self.key.address, planned.ledger_id, nonce)
        )
        least = max(now.base_fee + now.priority_fee, max_fee)
        wanted = min(max(now.max_fee, max_fee), self.spending.max_fee)
        return Fees(max(least, wanted), max(now.priority_fee, priority_fee))

    def _unaffordable(
        self, registration: Registration, planned: PlannedBatch, nonce: int, gas: int, fees: Fees
    ) -> str | None:
        """Why a transaction cannot be paid for now, and what to do; None where it can be."""
        if fees.max_fee > self.spending.max_fee:
            return "FeeCeiling: wait until gas costs less, or raise FOOTNOTE_MAX_FEE_GWEI"
        call = self.chain.settle_transaction(
            registration.ledger, registration.datanet_id, planned.batch, nonce, gas, fees
        )
        most = gas * fees.max_fee + self.chain.l1_fee(envelope_of(call))
        if self.chain.balance(self.key.address) < most:
            return f"NoGas: send coin for gas to {format_address(self.key.address)}"
        if self.spending.daily_fees is not None:
            midnight = self.clock() // DAY_SECONDS * DAY_SECONDS
            spent = self.journal.fees_paid(planned.ledger_id, self.key.address, midnight)
            if spent + most > self.spending.daily_fees:
                return "FeeBudget: wait for the next UTC day, or raise FOOTNOTE_MAX_DAILY_FEES"
        return None

    def _hold(self, planned: PlannedBatch, reason: str) -> None:
        """It waits where it is; said once for each reason."""
        if planned.held != reason:
            log.warning("%s: batch held: %s", planned.datanet, reason)
            self.journal.hold(planned, reason)

    def _held(self, planned: PlannedBatch, reason: str) -> PlannedBatch:
        self._hold(planned, reason)
        return planned

    def _sign(self, registration: Registration, nonced: NoncedBatch) -> OpenBatch | None:
        """Store signed bytes; or give the nonce back, for nobody has seen anything of it yet."""
        if nonced.key != self.key.address:
            if self.journal.leader(lease_of(nonced.key), self.clock()) is not None:
                return nonced  # its own worker goes on with it
            return self.journal.release_nonce(nonced, "its worker is gone")
        try:
            gas = self._settle_gas(registration, nonced.planned)
        except Reverted as refusal:
            self._release(nonced, f"{refusal.name}: {refusal.what_to_do}")
            return None
        fees = self._fees(nonced.planned, nonced.nonce)
        refused = self._unaffordable(registration, nonced.planned, nonced.nonce, gas, fees)
        if refused is not None:
            self._release(nonced, refused)
            return None
        if self.chain.nonce(self.key.address, "latest") != nonced.nonce:
            self._release(nonced, "its nonce was spent by another transaction")
            return None
        # the same batch may have had this nonce before a reorg
        earlier = self.journal.attempts_for(nonced)
        attempt = self._settlement(registration, nonced, gas, fees)
        return self.journal.store_attempt(nonced, attempt, earlier)

    def _release(self, nonced: NoncedBatch, reason: str) -> None:
        log.warning("%s: batch held: %s", nonced.planned.datanet, reason)
        self.journal.release_nonce(nonced, reason)

    def _settlement(
        self, registration: Registration, nonced: NoncedBatch, gas: int, fees: Fees
    ) -> Attempt:
        call = self.chain.settle_transaction(
            registration.ledger, registration.datanet_id, nonced.planned.batch, nonced.nonce, gas,
            fees,
        )  # fmt: skip
        raw, tx_hash = self.key.sign_transaction(call)
        return Attempt(tx_hash, raw, fees.max_fee, fees.priority_fee)

    def _cancellation(self, registration: Registration, nonced: NoncedBatch, fees: Fees) -> Attempt:
        """Coin to ourselves, none of it: spends the nonce for the least gas."""
        call = self.chain.empty_transfer(registration.ledger, self.key.address, nonced.nonce, fees)
        raw, tx_hash = self.key.sign_transaction(call)
        return Attempt(tx_hash, raw, fees.max_fee, fees.priority_fee, purpose=Purpose.CANCEL)

    def _send(self, signed: SignedBatch) -> SentBatch:
        self._broadcast(signed.nonced.planned, signed.latest)
        return self.journal.mark_sent(signed, self.clock())

    def _broadcast(self, planned: PlannedBatch, attempt: Attempt) -> None:
        """Whatever the node says, only the chain tells what became of the bytes."""
        try:
            self.chain.send(attempt.raw)
        except Unavailable as error:
            log.info("sending batch of %s: %s", planned.datanet, error.what)

    def _look(self, registration: Registration, sent: SentBatch) -> OpenBatch | None:
        """What became of a sent Batch."""
        signed = sent.signed
        nonced, batch = signed.nonced, signed.nonced.planned.batch
        if self.chain.cursor(registration.ledger, registration.datanet_id, "latest") > batch.first:
            return self._mined(registration, sent)
        final = self.chain.finalized()
        if self.chain.nonce(nonced.key, final) > nonced.nonce:
            return self._spent(sent, final)
        if any(self.chain.receipt(attempt.tx_hash) for attempt in signed.attempts):
            return sent  # mined, and changed nothing: wait until that is final
        if abs(self.clock() - (signed.latest.sent_at or 0.0)) < self.pace.resend_seconds:
            return sent  # far ahead is late too: a clock was wrong
        if nonced.key == self.key.address:
            return self._resend(registration, sent)
        if self.journal.leader(lease_of(nonced.key), self.clock()) is not None:
            return sent  # its own worker goes on with it
        account = format_address(nonced.key)
        self._hold(nonced.planned, f"OtherKey: run a worker with the key of {account}")
        return self._send(signed)  # the least that can be done without its key

    def _spent(self, sent: SentBatch, final: int) -> OpenBatch | None:
        """Its nonce is spent for good, and not on settling it: plan again."""
        reason = "its nonce was spent by another transaction"
        for attempt in sent.signed.attempts:
            receipt = self.chain.receipt(attempt.tx_hash)
            if receipt is not None:
                if receipt.block > final:
                    return sent  # a reorg between two reads: look again
                self.journal.note_fee(attempt.tx_hash, receipt.fee)
                reverted = attempt.purpose is Purpose.SETTLE
                reason = "the transaction reverted" if reverted else "cancelled"
        log.warning("%s: batch is planned again: %s", sent.signed.nonced.planned.datanet, reason)
        self.journal.give_up_nonce(sent, reason)
        return None

    def _mined(self, registration: Registration, sent: SentBatch) -> OpenBatch:
        planned = sent.signed.nonced.planned
        found = self.chain.batch_at(
            registration.ledger, registration.datanet_id, planned.batch.first, "latest"
        )
        if found is None:
            return sent  # a reorg between two reads; look again
        if found.batch_id != planned.batch_id or found.digest != planned.batch.digest:
            return self._adopt(registration, found)
        tx_hash = self._settled_by(registration, found.batch_id, sent.signed.attempts)
        return self.journal.mark_mined(sent, tx_hash)

    def _settled_by(
        self, registration: Registration, batch_id: bytes, ours: Sequence[Attempt] = ()
    ) -> bytes | None:
        """The transaction that did it: one of ours that succeeded, else somebody else's; None where
        the node gives no logs. Only people want to know it."""
        for attempt in ours:
            receipt = self.chain.receipt(attempt.tx_hash)
            if receipt is not None and receipt.succeeded and attempt.purpose is Purpose.SETTLE:
                return attempt.tx_hash
        try:
            return self.chain.settlement_tx(registration.ledger, batch_id)
        except Unavailable as error:
            log.info("%s: who settled it cannot be read: %s", registration.datanet, error.what)
            return None

    def _resend(self, registration: Registration, sent: SentBatch) -> OpenBatch:
        """The same bytes again and, where that can be paid, a replacement for more: the settlement,
        or, if that can no longer succeed, an empty transfer that frees the nonce."""
        signed = sent.signed
        nonced, planned = signed.nonced, signed.nonced.planned
        self._broadcast(planned, signed.latest)
        if self._waits_behind(registration, nonced):
            return self.journal.mark_sent(signed, self.clock())
        fees = self._fees(planned, nonced.nonce)
        gas = self._gas_to_settle(registration, sent)
        refused = self._unaffordable(registration, planned, nonced.nonce, gas or TRANSFER_GAS, fees)
        if refused is not None:
            self._hold(planned, refused)
            return self.journal.mark_sent(signed, self.clock())
        if gas is None:
            attempt = self._cancellation(registration, nonced, fees)
        else:
            attempt = self._settlement(registration, nonced, gas, fees)
        return self.journal.store_attempt(nonced, attempt, signed.attempts)

    def _waits_behind(self, registration: Registration, nonced: NoncedBatch) -> bool:
        """Whether a lower nonce is unspent, so that more fee for ours helps nobody. One that no
        open Batch owns, because a reorg undid what had spent it, is spent on nothing."""
        unspent = self.chain.nonce(nonced.key, "latest")
        if unspent >= nonced.nonce:
            return False
        if unspent not in self.journal.nonces_owned(nonced.key, nonced.planned.ledger_id):
            planned = nonced.planned
            fees = self._fees(planned, unspent)
            if not self._unaffordable(registration, planned, unspent, TRANSFER_GAS, fees):
                filler = self._cancellation(registration, replace(nonced, nonce=unspent), fees)
                log.warning("%s: filling the gap at nonce %d", planned.datanet, unspent)
                self.journal.store_filler(replace(nonced, nonce=unspent), filler, self.clock())
                self._broadcast(planned, filler)
        return True

    def _gas_to_settle(self, registration: Registration, sent: SentBatch) -> int | None:
        """None where the Batch is being cancelled, or must be now."""
        planned = sent.signed.nonced.planned
        if sent.signed.latest.purpose is Purpose.CANCEL:
            return None
        try:
            return self._settle_gas(registration, planned)
        except Reverted as refusal:
            reason = f"{refusal.name}: {refusal.what_to_do}"
            log.warning("%s: cancelling the transaction: %s", planned.datanet, reason)
            return None

    def _finish(self, registration: Registration, mined: MinedBatch) -> OpenBatch | None:
        """Final, undone, or still waiting."""
        ledger, planned = registration.ledger, mined.planned
        first = planned.batch.first
        final = self.chain.finalized()
        if final >= ledger.deployment_block:
            found = self.chain.batch_at(ledger, registration.datanet_id, first, final)
            if found is not None:
                if (found.batch_id, found.digest) != (planned.batch_id, planned.batch.digest):
                    return self._adopt(registration, found)  # a reorg, and another's came first
                self._end(registration, mined, final)
                return None
        if self.chain.cursor(ledger, registration.datanet_id, "latest") <= first:
            log.warning("%s: a reorg undid batch %d", planned.datanet, first)
            self.journal.mark_unmined(mined)
            return None
        return mined

    def _end(self, registration: Registration, mined: MinedBatch, final: int) -> None:
        """Close a Batch that the block ``final`` holds. Where another's transaction settled it, the
        nonce of ours may be unspent; the next Batch needs it then."""
        planned, sent = mined.planned, mined.sent
        ours = sent.signed.attempts if sent else ()
        nonced = sent.signed.nonced if sent else None
        tx_hash = self._settled_by(registration, planned.batch_id, ours) or mined.tx_hash
        spent = nonced is None or self.chain.nonce(nonced.key, final) > nonced.nonce
        receipt = self.chain.receipt(tx_hash) if tx_hash else None
        if tx_hash and receipt:
            self.journal.note_fee(tx_hash, receipt.fee)
        self.journal.mark_final(replace(mined, tx_hash=tx_hash), final, nonce_spent=spent)
        log.info(
            "%s: batch %d..%d is final", planned.datanet, planned.batch.first, planned.batch.last
        )


def lease_of(key: Address) -> str:
    """The name under which the worker that settles with ``key`` leads."""
    return f"settle:{format_address(key)}"


def _bumped(fee: int) -> int:
    return fee + -(-fee * FEE_BUMP_PERCENT // 100)
