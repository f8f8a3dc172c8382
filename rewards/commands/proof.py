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
from rewards.commands.common import chain_of
from rewards.journal.journal import Journal
from rewards.verify import TextOf, verify_receipt


@click.command("audit")
@click.option("--json", "as_json", is_flag=True, help="Print the audit as JSON.")
def audit_command(as_json: bool) -> None:
    """Compare journal and chain, batch by batch and address by address; exit 70 on a difference."""
    settings = read_settings()
    found = audit(Journal(settings.journal), chain_of(settings))
    if as_json:
        click.echo(json.dumps(found.as_json()))
    else:
        click.echo(
            f"{found.batches} batches with {found.receipts} receipts: owed {found.owed}, "
            f"settled {found.settled}, credited {found.credited}, difference {found.difference}"
        )
        for difference in found.differences:
            click.echo(f"  {difference}")
    if found.differences:
        sys.exit(Broken.exit_code)


def verify_file(file: Path, text_of: TextOf, chain: EvmChain | None, *, offline: bool) -> None:
    """Print every check of a saved receipt; raises where it is false or stays unchecked."""
    try:
        saved = strict_json.loads(file.read_bytes())
    except ValueError as error:
        raise Invalid(f"{file} is no receipt", str(error)) from error
    if not isinstance(saved, dict):
        raise Invalid(f"{file} is no receipt", "save GET /v1/receipts/{id}")
    checks = verify_receipt(saved, text_of, chain)
    for check in checks:
        mark = {True: "ok  ", False: "FAIL", None: "?   "}[check.passed]
        click.echo(f"{mark} {check.name}{': ' + check.detail if check.detail else ''}")
    if any(check.passed is False for check in checks):
        raise Invalid("this receipt is not true", "see the checks that failed")
    if any(check.passed is None for check in checks) and not offline:
        raise Unavailable(
            "some of this receipt could not be checked",
            "set FOOTNOTE_RPC_URL, give --api, or say --offline",
        )
