"""The commands that look: status, doctor. They change nothing that anybody is owed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import click

from footnote.errors import Broken, FootnoteError, NotFound
from footnote.settings import read_settings
from rewards.commands.common import chain_or_none
from rewards.doctor import FAIL, Check, examine, unusable
from rewards.journal.journal import Journal
from rewards.status import as_text, status

_MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


@click.command("status")
@click.argument("datanet", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON; amounts are exact.")
def status_command(datanet: str | None, as_json: bool) -> None:
    """Show what is owed, settled, on its way or held, of one DATANET or of all.

    Reads the journal and needs no chain; with FOOTNOTE_RPC_URL it shows the pools' funds too.
    Amounts are base units.
    """
    settings = read_settings()
    shown = status(Journal(settings.journal), time.time(), datanet, chain_or_none(settings))
    if datanet is not None and not shown.places and datanet not in shown.unpaid:
        raise NotFound(f"the journal knows nothing of {datanet}", "see footnote datanets")
    if as_json:
        click.echo(json.dumps(shown.as_json()))
        return
    lines = list(as_text(shown))
    for line in lines or ["nothing was answered yet, and no Datanet is registered"]:
        click.echo(line)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print every check as JSON.")
def doctor(as_json: bool) -> None:
    """Check the whole deployment and say what to mend; exit 70 where something fails.

    Looks at settings, disks, keys, journal, high-water marks, Redis, every RPC endpoint, Ledgers
    and Datanets. What is not set up here is a warning.
    """
    failed = False
    found = []
    for check in _checks():
        failed = failed or check.state == FAIL
        found.append(check.as_json())
        if not as_json:
            click.echo(f"{_MARKS[check.state]} {check.name}: {check.what}")
            if check.remedy:
                click.echo(f"       {check.remedy}")
    if as_json:
        click.echo(json.dumps({"healthy": not failed, "checks": found}))
    if failed:
        sys.exit(Broken.exit_code)


def _checks() -> Iterator[Check]:
    try:
        settings = read_settings()
    except FootnoteError as error:
        yield unusable(error)
        return
    yield from examine(settings)
