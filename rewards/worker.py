"""The worker: looks at every Datanet of every Ledger that this chain holds, again and again.

One Datanet never holds up another: what goes wrong with one is logged and tried again next time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from dataclasses import dataclass, field

from footnote.errors import FootnoteError, Misconfigured, Unavailable
from footnote.settings import Settings
from rewards.chain import EvmChain
from rewards.crash import crash_at
from rewards.journal.journal import Journal
from rewards.keys import read_key
from rewards.ledger import Ledger, Registration
from rewards.metrics import Doings
from rewards.queue import WakeUps, wake_ups
from rewards.settler import Alarm, Pace, Settler, Spending, lease_of
from rewards.status import alarm_name

log = logging.getLogger(__name__)

BUSY_SECONDS = 0.3
"""How soon to look again while a Batch is on its way."""

LOOK_SECONDS = 30.0
"""How often the registry is asked whether a signer's term changed, and the pool what it holds."""

MAX_CLAIM_BLOCKS = 5_000
"""Blocks searched for withdrawals in one pass."""


@dataclass(slots=True)
class Worker:
    """Runs a Settler over all registrations until told to stop."""

    settler: Settler
    wake_ups: WakeUps
    poll_seconds: float
    lease_seconds: float = 10.0
    name: str = "worker"
    doings: Doings = field(default_factory=Doings)
    _asked: dict[bytes, float] = field(default_factory=dict)
    _led: bool | None = None
    _leading_until: float = 0.0

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set; a step that runs is finished first. Of several workers with one
        key one leads, and another takes over where that one stops."""
        while not stop.is_set():
            busy = self._leads() and self.pass_once()
            if busy:
                stop.wait(BUSY_SECONDS)
            else:
                self._wait(stop)
        with contextlib.suppress(FootnoteError):
            self.settler.journal.stop_leading(self._lease, self.name)

    @property
    def _lease(self) -> str:
        return lease_of(self.settler.key.address)

    def _leads(self) -> bool:
        """Whether this worker is the one to work now."""
        now = self.settler.clock()
        if self.lease_seconds / 2 < self._leading_until - now <= self.lease_seconds:
            return True
        try:
            leads = self.settler.journal.lead(self._lease, self.name, self.lease_seconds, now)
        except FootnoteError as error:
            log.warning("%s: %s", error.what, error.what_to_do)
            self.doings.leads = False
            return False
        if leads != self._led:
            log.info("this worker leads" if leads else "another worker leads")
        self._led = self.doings.leads = leads
        self._leading_until = now + self.lease_seconds if leads else 0.0
        return leads

    def pass_once(self) -> bool:
        """Look at every Datanet once; whether any Batch is on its way."""
        began = time.monotonic()
        try:
            live = self._live_ledgers()
            registrations = self._in_order(self.settler.journal.registrations())
        except FootnoteError as error:
            log.warning("%s: %s", error.what, error.what_to_do)
            self.doings.failures += 1
            return False
        busy = False
        for registration in registrations:
            if registration.ledger.ledger_id in live:
                busy = self._attend(registration) or busy
        self.doings.passed(time.monotonic() - began, self.settler.clock())
        return busy

    def _attend(self, registration: Registration) -> bool:
        """Take one Datanet as far as it goes now; whether its Batch is on its way."""
        ledger_id, datanet = registration.ledger.ledger_id, registration.datanet
        try:
            moved = self.settler.settle(self._refreshed(registration))
            opened = self.settler.journal.open_batch(ledger_id, datanet)
            if moved:
                self._note_funds(registration)
        except Alarm as alarm:
            log.critical("ALARM %s: %s: %s", datanet, alarm.what, alarm.what_to_do)
            self.doings.alarms[ledger_id, datanet] = alarm_name(alarm.what)
            return False
        except FootnoteError as error:
            log.warning("%s: %s: %s", datanet, error.what, error.what_to_do)
            self.doings.failures += 1
            return False  # which says nothing of an alarm that rings already
        self.doings.alarms[ledger_id, datanet] = ""
        return moved or (opened is not None and getattr(opened, "held", None) is None)

    def _in_order(self, registrations: list[Registration]) -> list[Registration]:
        """Those that own the lowest nonces first: what waits behind a nonce cannot go before it."""
        journal, key = self.settler.journal, self.settler.key.address
        nonces = journal.in_flight(key) if registrations else {}
        none = 2**63
        return sorted(
            registrations, key=lambda r: nonces.get((r.ledger.ledger_id, r.datanet), none)
        )

    def _live_ledgers(self) -> set[bytes]:
        """The Ledgers that this very chain holds. Into one that it can never hold nothing is issued
        any more, unless a later look finds the right chain again."""
        live = set()
        chain, journal = self.settler.chain, self.settler.journal
        whole = {ledger.ledger_id for ledger in journal.ledgers()}
        for ledger in journal.ledgers(lost=True):
            if chain.is_ledger(ledger):
                live.add(ledger.ledger_id)
                if ledger.ledger_id not in whole:
                    journal.lose_ledger(ledger.ledger_id, None)
                    log.warning("the chain of pool 0x%s is back", ledger.pool.hex())
                self._note_claims(ledger)
            elif ledger.ledger_id in whole and chain.contradicts(ledger):
                self._lose(ledger)
        return live

    def _note_claims(self, ledger: Ledger) -> None:
        """Bring what accounts withdrew into the journal, where the API reads it. Nothing is settled
        by it, so a node that gives no logs holds nothing up."""
        journal, chain = self.settler.journal, self.settler.chain
        scanned = journal.claims_scanned_to(ledger.ledger_id)
        first = ledger.deployment_block if scanned is None else scanned + 1
        last = min(chain.finalized(), first + MAX_CLAIM_BLOCKS - 1)
        if last < first:
            return
        try:
            journal.add_claims(ledger.ledger_id, chain.claims(ledger, first, last), first, last)
        except Unavailable as error:
            log.warning("withdrawals cannot be read from the chain's logs: %s", error.what)

    def _note_funds(self, registration: Registration) -> None:
        """Bring what the pool holds for a Datanet into the journal, where the API reads it."""
        try:
            funds = self.settler.chain.funds(registration.ledger, registration.datanet_id)
        except Unavailable as error:
            log.warning("%s: the pool's funds cannot be read: %s", registration.datanet, error.what)
            return
        at = int(self.settler.clock())
        ledger_id = registration.ledger.ledger_id
        self.settler.journal.note_funds(ledger_id, registration.datanet, funds, at)

    def _refreshed(self, registration: Registration) -> Registration:
        """``registration`` with its signers' terms as the registry has them, asked now and then,
        when the pool's funds are noted too."""
        key = registration.ledger.ledger_id + registration.datanet_id
        now = self.settler.clock()
        if key in self._asked and 0 <= now - self._asked[key] < LOOK_SECONDS:
            return registration
        chain, journal = self.settler.chain, self.settler.journal
        for term in registration.signers:
            known = chain.signer_term(registration.ledger, registration.datanet_id, term.signer)
            if known is not None and known != term:
                log.warning("%s: the registry changed a signer's term", registration.datanet)
                journal.update_signer(registration, known)
        self._note_funds(registration)
        self._asked[key] = now
        return next(
            one
            for one in journal.registrations(lost=True)  # another worker may just have lost it
            if one.ledger == registration.ledger and one.datanet == registration.datanet
        )

    def _lose(self, ledger: Ledger) -> None:
        log.critical(
            "ALARM the chain is not the one that pool 0x%s was deployed on; nothing more is issued "
            "into that Ledger until it is again: check FOOTNOTE_RPC_URL; if the chain was reset, "
            "run footnote deploy and register anew",
            ledger.pool.hex(),
        )
        self.settler.journal.lose_ledger(ledger.ledger_id, "the chain was reset or is another one")

    def _wait(self, stop: threading.Event) -> None:
        """Until a wake-up, the next poll, or the end."""
        left = self.poll_seconds
        while left > 0 and not stop.is_set():
            if self.wake_ups.wait(min(left, 1.0)):
                return
            left -= 1.0


def build_worker(settings: Settings) -> Worker:
    """The worker that the settings describe.

    Raises:
        Misconfigured: names the setting that is missing.
    """
    if settings.rpc_url is None:
        raise Misconfigured("the worker has no chain", "set FOOTNOTE_RPC_URL")
    if settings.distributor_keystore is None:
        raise Misconfigured("the worker has no key", "set FOOTNOTE_DISTRIBUTOR_KEYSTORE")
    key = read_key(
        settings.distributor_keystore,
        settings.distributor_passphrase_file,
        "FOOTNOTE_DISTRIBUTOR_KEYSTORE",
    )
    chain = EvmChain(
        settings.rpc_url, confirmations=settings.confirmations, max_fee_gwei=settings.max_fee_gwei
    )
    settler = Settler(
        Journal(settings.journal),
        chain,
        key,
        Pace(settings.batch_age_seconds, settings.idle_batch_age_seconds, settings.resend_seconds),
        Spending(chain.max_fee, settings.max_daily_fees_wei),
        crash_point=crash_at,
    )
    consumer = f"{socket.gethostname()}-{os.getpid()}"
    return Worker(
        settler,
        wake_ups(settings.redis_url, consumer),
        settings.poll_seconds,
        settings.lease_seconds,
        consumer,
        Doings(chain.endpoints.left_out),
    )
