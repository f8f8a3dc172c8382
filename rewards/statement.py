"""What one address earned: every line with its place and its proof, and what the lines come to."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from footnote.addresses import Address, format_address
from footnote.merkle import MerkleTree
from rewards.answered import INELIGIBLE, SETTLED, status_at
from rewards.journal.journal import Journal
from rewards.journal.records import Earned, Earning, Wanted
from rewards.journal.tables import NO_LEDGER

PAGE = 1_000
"""Lines read at once."""

PROVED = ("mined", "final")
"""Stages at which the pool holds a Batch, and a proof in it means something."""

COLUMNS = (
    "datanet", "ledger_id", "seq", "receipt", "issued_at", "part", "document_id", "version",
    "start", "end", "amount", "status", "batch_id", "tx_hash", "leaf", "proof",
)  # fmt: skip

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the start of a formula (OWASP, CSV injection)."""


@dataclass(frozen=True, slots=True)
class Total:
    """What an address earned in one Ledger, in base units. ``withdrawn`` is as of the final block
    that the worker looked at last; pending is what no final Batch holds yet."""

    ledger_id: bytes
    pending: int
    settled: int
    withdrawn: int

    @property
    def claimable(self) -> int:
        return self.settled - self.withdrawn

    def as_json(self) -> dict[str, str]:
        names = ("pending", "settled", "withdrawn", "claimable")
        amounts = {name: str(getattr(self, name)) for name in names}
        return {"ledger_id": "0x" + self.ledger_id.hex(), **amounts}


def pending_and_settled(earned: Iterable[Earned]) -> tuple[int, int]:
    """Their sums: of what no final Batch holds yet, and of the rest."""
    sums = [0, 0]
    for one in earned:
        sums[status_at(one.stage) == SETTLED] += one.amount
    return sums[0], sums[1]


def totals(journal: Journal, account: Address, earned: Iterable[Earned]) -> list[Total]:
    """What ``earned`` comes to by Ledger, with what was withdrawn there. Lines without a Ledger owe
    nothing."""
    by_ledger: dict[bytes, list[Earned]] = {}
    for one in earned:
        if one.ledger_id != NO_LEDGER:
            by_ledger.setdefault(one.ledger_id, []).append(one)
    return [
        Total(ledger_id, *pending_and_settled(ones), journal.claimed(ledger_id, account))
        for ledger_id, ones in sorted(by_ledger.items())
    ]


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A line and the proof of its receipt in its Batch; no proof before the Batch is mined."""

    earning: Earning
    proof: list[bytes] | None

    def as_json(self) -> dict[str, Any]:
        earning, line = self.earning, self.earning.line
        proved = self.proof is not None
        return {
            "datanet": earning.datanet,
            "ledger_id": "0x" + earning.ledger_id.hex(),
            "seq": earning.seq,
            "receipt": "0x" + earning.digest.hex(),
            "issued_at": datetime.fromtimestamp(earning.issued_at, UTC).strftime("%FT%TZ"),
            "part": line.part,
            "document_id": line.document_id,
            "version": "sha256:" + line.version_hash.hex(),
            "start": line.start,
            "end": line.end,
            "amount": str(line.amount),
            "status": line_status(earning),
            "batch_id": _hex(earning.batch_id if proved else None),
            "tx_hash": _hex(earning.tx_hash if proved else None),
            "leaf": "0x" + earning.leaf.hex(),
            "proof": None if self.proof is None else ["0x" + node.hex() for node in self.proof],
        }


def line_status(earning: Earning) -> str:
    return status_at(earning.stage) if earning.line.amount else INELIGIBLE


def _hex(value: bytes | None) -> str | None:
    return None if value is None else "0x" + value.hex()


def statement(journal: Journal, account: Address, wanted: Wanted) -> Iterator[StatementLine]:
    """The lines that name ``account``, newest first, read page by page."""
    proofs = _Proofs(journal)
    while page := journal.earnings(account, wanted, PAGE):
        for earning in page:
            yield StatementLine(earning, proofs.of(earning))
        wanted = replace(wanted, after=(page[-1].digest, page[-1].position))


@dataclass(slots=True)
class _Proofs:
    """Proofs in Batches. Lines come by time, so the Batch that each Datanet was at last is kept,
    and its leaves are read once."""

    journal: Journal
    at: dict[tuple[bytes, str], tuple[bytes, int, MerkleTree]] = field(default_factory=dict)

    def of(self, earning: Earning) -> list[bytes] | None:
        if earning.batch_id is None or earning.stage not in PROVED:
            return None
        place = earning.ledger_id, earning.datanet
        known = self.at.get(place)
        if known is None or known[0] != earning.batch_id:
            known = self.at[place] = self._read(earning.batch_id)
        _, first, tree = known
        return tree.proof(earning.seq - first)

    def _read(self, batch_id: bytes) -> tuple[bytes, int, MerkleTree]:
        stored = self.journal.batch(batch_id)
        first, last = stored.batch.first, stored.batch.last
        payables = self.journal.payables(
            stored.ledger_id, stored.datanet, first, last, last - first + 1
        )
        return batch_id, first, MerkleTree([payable.leaf for payable in payables])


def as_csv(lines: Iterable[StatementLine]) -> Iterator[str]:
    """RFC 4180: a head, then one row for each line, each ended by CR LF. Proofs are separated by
    spaces. Free text that a spreadsheet would run as a formula follows an apostrophe."""
    yield _row(COLUMNS)
    for line in lines:
        shown = line.as_json()
        shown["document_id"] = formula_safe(shown["document_id"] or "")
        shown["datanet"] = formula_safe(shown["datanet"])
        shown["proof"] = " ".join(shown["proof"] or ())
        yield _row("" if shown[name] is None else shown[name] for name in COLUMNS)


def formula_safe(text: str) -> str:
    """``text`` on one line, so that no spreadsheet runs it."""
    one_line = " ".join(text.splitlines())
    return "'" + one_line if text.startswith(FORMULA_SIGNS) else one_line


def _row(values: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n").writerow(values)
    return text.getvalue()


def as_json(
    account: Address, lines: Iterable[StatementLine], of_ledgers: Iterable[Total]
) -> Iterator[str]:
    """One JSON object in pieces, so that a long statement never lies in memory whole."""
    head = {"object": "statement", "address": format_address(account)}
    head_text = json.dumps({**head, "totals": [total.as_json() for total in of_ledgers]})
    yield head_text[:-1] + ', "lines": ['
    separator = ""
    for line in lines:
        yield separator + json.dumps(line.as_json())
        separator = ", "
    yield "]}\n"
