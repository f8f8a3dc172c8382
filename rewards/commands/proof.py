"""The commands that see and prove: audit, statement, verify."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from footnote import strict_json
from footnote.addresses import format_address, parse_address
from footnote.errors import Broken, Invalid, NotFound, Unavailable
from footnote.settings import read_settings
from rewards.audit import Audit, audit
from rewards.chain import EvmChain
from rewards.commands.common import chain_of, say
from rewards.journal.journal import Journal
from rewards.journal.records import Wanted
from rewards.statement import StatementLine, Total, as_csv, as_json, line_status, statement, totals
from rewards.verify import Check, TextOf, verify_receipt
from rewards.verify_batch import is_plain, verify_batch

PROGRESS_SECONDS = 2.0


@click.command("audit")
@click.option("--datanet", help="Compare this Datanet alone.")
@click.option("--json", "as_json", is_flag=True, help="Print the audit as JSON.")
def audit_command(datanet: str | None, as_json: bool) -> None:
    """Compare journal and chain; exit 70 on a difference.

    Receipt by receipt, batch by batch, event by event and address by address, at the newest final
    block. Credits are those of a whole pool, so --datanet leaves them out.
    """
    settings = read_settings()
    journal = Journal(settings.journal)
    found = audit(journal, chain_of(settings), _Progress(), datanet=datanet)
    journal.note_audit(datanet, found.as_json(), int(time.time()))
    if as_json:
        click.echo(json.dumps(found.as_json()))
    else:
        click.echo(_told(found))
    if found.differences:
        sys.exit(Broken.exit_code)


@dataclass(slots=True)
class _Progress:
    """Says how far it is every two seconds, so that what is quick says nothing."""

    said_at: float = field(default_factory=time.monotonic)

    def __call__(self, text: str) -> None:
        now = time.monotonic()
        if now - self.said_at >= PROGRESS_SECONDS:
            self.said_at = now
            say(text)


def _told(found: Audit) -> str:
    lines = [
        f"{found.batches} batches with {found.receipts} receipts, {found.events} events: "
        f"owed {found.owed}, settled {found.settled}, credited {found.credited}, "
        f"difference {found.difference}",
        f"funded {found.funded}, of which the pool holds {found.funds}",
    ]
    if found.abandoned:
        lines.append(f"{found.abandoned} numbers are abandoned: their receipts were lost")
    lines += [f"not compared: {what}" for what in found.unchecked]
    lines += [f"  {difference}" for difference in found.differences]
    count = len(found.differences)
    lines.append(
        f"journal and chain DIFFER in {count} places" if count else "journal and chain agree"
    )
    return "\n".join(lines)


@click.command("statement")
@click.argument("address")
@click.option("--datanet", help="Lines of this Datanet alone.")
@click.option("--since", metavar="DATE", help="Lines from this UTC day on: YYYY-MM-DD.")
@click.option("--until", metavar="DATE", help="Lines up to this UTC day, that day included.")
@click.option("--csv", "in_csv", is_flag=True, help="Print one row of CSV for each line.")
@click.option("--json", "in_json", is_flag=True, help="Print the statement as JSON.")
def statement_command(
    address: str,
    datanet: str | None,
    since: str | None,
    until: str | None,
    in_csv: bool,
    in_json: bool,
) -> None:
    """List what ADDRESS earned, line by line, and what it comes to.

    CSV and JSON hold each receipt's leaf and its Merkle proof, as the pool's verifyReceipt takes
    them. Amounts are base units. The totals are of all lines, whatever the dates.

    \b
    footnote statement 0x… --since 2026-01-01 --csv > 2026.csv
    """
    if in_csv and in_json:
        raise click.UsageError("give --csv or --json, not both")
    account = parse_address(address)
    journal = Journal(read_settings().journal)
    if datanet is not None and not journal.knows(datanet):
        raise NotFound(f"the journal knows no Datanet {datanet}", "check its name")
    wanted = Wanted(datanet, _day(since), _day(until, days=1))
    lines = statement(journal, account, wanted)
    of_ledgers = totals(journal, account, journal.earned(account))
    if in_csv:
        pieces: Iterable[str] = as_csv(lines)
    elif in_json:
        pieces = as_json(account, lines, of_ledgers)
    else:
        click.echo(f"what {format_address(account)} earned, in base units")
        pieces = (_shown(line) for line in lines)
    for piece in pieces:
        click.echo(piece, nl=False)
    if not in_csv and not in_json:
        click.echo("\n".join(_totalled(total) for total in of_ledgers) or "nothing")


def _day(text: str | None, days: int = 0) -> int | None:
    """The second in which that UTC day begins, or the one so many days later."""
    if text is None:
        return None
    try:
        begin = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        return int((begin + timedelta(days=days)).timestamp())
    except (ValueError, OverflowError) as error:
        raise Invalid("a date cannot be read", "write it as YYYY-MM-DD, such as 2026-01-31") from (
            error
        )


def _shown(line: StatementLine) -> str:
    earning = line.earning
    at = datetime.fromtimestamp(earning.issued_at, UTC).strftime("%F %T")
    what = earning.line.part
    if earning.line.document_id is not None:
        what = f"{earning.line.document_id} {earning.line.start}..{earning.line.end}"
    place = "no batch yet"
    if line.proof is not None and earning.batch_id is not None:
        paid_in = "unknown" if earning.tx_hash is None else "0x" + earning.tx_hash.hex()
        place = f"batch 0x{earning.batch_id.hex()}, transaction {paid_in}"
    return (
        f"{at}  {earning.datanet} {earning.seq}  {what}  {earning.line.amount} "
        f"{line_status(earning)}\n    receipt 0x{earning.digest.hex()}, {place}\n"
    )


def _totalled(total: Total) -> str:
    shown = total.as_json()
    sums = ", ".join(f"{name} {value}" for name, value in list(shown.items())[1:])
    return f"Ledger {shown['ledger_id']}: {sums}"


def verify_file(file: Path, text_of: TextOf, chain: EvmChain | None, *, offline: bool) -> None:
    """Print every check of a saved receipt; raises where it is false or stays unchecked."""
    saved, _ = _saved(file, "receipt", "receipts")
    checks = verify_receipt(saved, text_of, chain)
    _judge(checks, "receipt", "set FOOTNOTE_RPC_URL, give --api, or say --offline", offline)


def verify_batch_file(file: Path, chain: EvmChain | None, *, offline: bool) -> None:
    """Print every check of a saved batch; raises where it is false or stays unchecked."""
    saved, text = _saved(file, "batch", "batches")
    plain = Check("it is written as Footnote writes JSON", is_plain(text, saved))
    first = "wait until it is settled" if chain else "set FOOTNOTE_RPC_URL"
    checks = [plain, *verify_batch(saved, chain)]
    _judge(checks, "batch", f"{first}, or say --offline", offline)


def _saved(file: Path, kind: str, route: str) -> tuple[dict[str, object], str]:
    """What a file holds, parsed and as text."""
    text = file.read_bytes()
    try:
        saved = strict_json.loads(text)
    except ValueError as error:
        raise Invalid(f"{file} is no {kind}", str(error)) from error
    if not isinstance(saved, dict):
        raise Invalid(f"{file} is no {kind}", f"save GET /v1/{route}/{{id}}")
    return saved, text.decode("utf-8")


def _judge(checks: Iterable[Check], kind: str, remedy: str, offline: bool) -> None:
    passed = set()
    for check in checks:
        mark = {True: "ok  ", False: "FAIL", None: "?   "}[check.passed]
        click.echo(f"{mark} {check.name}{': ' + check.detail if check.detail else ''}")
        passed.add(check.passed)
    if False in passed:
        raise Invalid(f"this {kind} is not true", "see the checks that failed")
    if None in passed and not offline:
        raise Unavailable(f"some of this {kind} could not be checked", remedy)
