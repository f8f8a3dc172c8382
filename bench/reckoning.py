"""What clients were told, against the journal's rows and the chain's credits.

Reads the database with SQL of its own: what is checked here must not rest on the code that wrote
it. ``footnote audit`` is asked besides.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.asking import Told
from cli.stack import FOOTNOTE
from footnote.addresses import parse_address
from rewards.chain import EvmChain
from rewards.journal.journal import Journal


@dataclass(slots=True)
class Reckoning:
    """Amounts in base units; ``wrong`` says in words what does not hold."""

    receipts: int = 0
    told: int = 0
    owed: int = 0
    credited: int = 0
    batches: int = 0
    audit: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.wrong and self.told == self.owed == self.credited

    def as_json(self) -> dict[str, Any]:
        return {
            "receipts": self.receipts,
            "told": str(self.told),
            "owed": str(self.owed),
            "credited": str(self.credited),
            "batches": self.batches,
            "audit_difference": self.audit.get("difference"),
            "wrong": self.wrong[:10],
        }


def reckon(told: Mapping[str, Told], journal: Path, environment: Mapping[str, str]) -> Reckoning:
    """Compare once everything that is owed is final. ``told`` is by Idempotency-Key."""
    found = Reckoning(told=sum(amount for one in told.values() for _, amount in one.owed))
    found.wrong += missing(told, journal)
    owed = _owed(journal)
    found.owed = sum(owed.values())
    found.receipts = _count(journal, "receipts")
    found.batches = _count(journal, "batches")
    credited = _credited(journal, environment["FOOTNOTE_RPC_URL"], sorted(owed))
    found.credited = sum(credited.values())
    found.wrong += [
        f"{account} is owed {owed[account]} and was credited {credited[account]}"
        for account in sorted(owed)
        if owed[account] != credited[account]
    ]
    found.audit = _audit(environment)
    if found.audit.get("difference") != "0" or found.audit.get("differences"):
        found.wrong.append(f"footnote audit: {found.audit}")
    return found


def missing(told: Mapping[str, Told], journal: Path) -> list[str]:
    """What was acknowledged and does not stand in the journal just so, once."""
    wrong = []
    with closing(sqlite3.connect(journal)) as rows:
        receipts = dict(rows.execute("SELECT answer_id, lower(hex(digest)) FROM receipts"))
        bodies = dict(rows.execute("SELECT answer_id, body FROM answers"))
        keys = dict(rows.execute("SELECT key, answer_id FROM idempotency"))
        paying: dict[str, dict[str, int]] = {}
        for answer_id, account, amount in rows.execute(
            "SELECT answer_id, lower(hex(account)), amount FROM lines JOIN receipts USING (digest)"
        ):
            amounts = paying.setdefault(answer_id, {})
            amounts["0x" + account] = amounts.get("0x" + account, 0) + int(amount)
    for key, one in told.items():
        if keys.get(key) != one.answer_id:
            wrong.append(f"{key} was answered by {one.answer_id}, stored is {keys.get(key)}")
        elif "0x" + receipts.get(one.answer_id, "") != one.receipt_id:
            wrong.append(f"{one.answer_id} has no receipt {one.receipt_id}")
        elif json.loads(bodies[one.answer_id])["receipt"]["id"] != one.receipt_id:
            wrong.append(f"{one.answer_id} is stored with another receipt")
        elif _paid(dict(one.owed)) != _paid(paying.get(one.answer_id, {})):
            wrong.append(f"{one.answer_id} promised {one.owed}, its lines owe otherwise")
    return wrong


def _paid(amounts: Mapping[str, int]) -> dict[str, int]:
    return {account: amount for account, amount in amounts.items() if amount}


def _owed(journal: Path) -> dict[str, int]:
    owed: dict[str, int] = {}
    with closing(sqlite3.connect(journal)) as rows:
        for account, amount in rows.execute("SELECT lower(hex(account)), amount FROM lines"):
            owed["0x" + account] = owed.get("0x" + account, 0) + int(amount)
    return owed


def _count(journal: Path, table: str) -> int:
    with closing(sqlite3.connect(journal)) as rows:
        return int(rows.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _credited(journal: Path, rpc_url: str, accounts: list[str]) -> dict[str, int]:
    """What the pool credits in the final block; nobody withdraws here."""
    opened = Journal(f"sqlite:///{journal}")
    (ledger,) = opened.ledgers(lost=True)
    opened.close()
    chain = EvmChain(rpc_url)
    addresses = {parse_address(account): account for account in accounts}
    credits = chain.credits(ledger, sorted(addresses), chain.finalized())
    return {addresses[address]: amount for address, amount in credits.items()}


def _audit(environment: Mapping[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [*FOOTNOTE, "audit", "--json"],
        env=dict(environment), capture_output=True, text=True, check=False,
    )  # fmt: skip
    last = done.stdout.strip().splitlines()[-1:] or ["{}"]
    shown: dict[str, Any] = json.loads(last[0])
    return shown
