"""The commands that see and prove: audit, verify."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from footnote import strict_json
from footnote.errors import Broken, Invalid, Unavailable
from footnote.settings import read_settings
from rewards.audit import audit
from rewards.chain import EvmChain
from rewards.commands.common import chain_of, say
from rewards.journal.journal import Journal
from rewards.verify import TextOf, verify_receipt
from rewards.verify_batch import verify_batch


@click.command("audit")
@click.option("--json", "as_json", is_flag=True, help="Print the audit as JSON.")
def audit_command(as_json: bool) -> None:
    """Compare journal and chain; exit 70 on a difference.

    Batch by batch, event by event and address by address, at the newest final block.
    """
    settings = read_settings()
    found = audit(Journal(settings.journal), chain_of(settings), say)
    if as_json:
        click.echo(json.dumps(found.as_json()))
    else:
        click.echo(
            f"{found.batches} batches with {found.receipts} receipts: owed {found.owed}, "
            f"settled {found.settled}, credited {found.credited}, difference {found.difference}"
        )
        if found.abandoned:
            click.echo(f"{found.abandoned} numbers are abandoned: their receipts were lost")
        for difference in found.differences:
            click.echo(f"  {difference}")
    if found.differences:
        sys.exit(Broken.exit_code)


def verify_file(
    file: Path, text_of: TextOf, chain: EvmChain | None, *, offline: bool, batch: bool = False
) -> None:
    """Print every check of a saved receipt or batch; raises where it is false or stays
    unchecked."""
    kind = "batch" if batch else "receipt"
    try:
        saved = strict_json.loads(file.read_bytes())
    except ValueError as error:
        raise Invalid(f"{file} is no {kind}", str(error)) from error
    if not isinstance(saved, dict):
        route = "batches" if batch else "receipts"
        raise Invalid(f"{file} is no {kind}", f"save GET /v1/{route}/{{id}}")
    checks = verify_batch(saved, chain) if batch else verify_receipt(saved, text_of, chain)
    for check in checks:
        mark = {True: "ok  ", False: "FAIL", None: "?   "}[check.passed]
        click.echo(f"{mark} {check.name}{': ' + check.detail if check.detail else ''}")
    if any(check.passed is False for check in checks):
        raise Invalid(f"this {kind} is not true", "see the checks that failed")
    if any(check.passed is None for check in checks) and not offline:
        raise Unavailable(
            f"some of this {kind} could not be checked",
            "set FOOTNOTE_RPC_URL, give --api, or say --offline",
        )
