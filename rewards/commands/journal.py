"""The commands that care for the journal."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from footnote import strict_json
from footnote.errors import Broken, Invalid, NotFound, Refused
from footnote.settings import read_settings
from rewards.commands.common import address_in, chain_or_none, say
from rewards.journal.journal import Journal as Store
from rewards.journal.schema import known_version
from rewards.journal.schema import migrate as bring_up_to_date
from rewards.journal.tables import SCHEMA_VERSION
from rewards.marks import Marks
from rewards.resume import Resumed, resume


@click.command()
@click.argument("answer_id")
def erase(answer_id: str) -> None:
    """Delete what was asked and answered in ANSWER_ID, and the salt of its receipt, for good.

    Receipt and payment stay, and can be checked as before; nobody can tell from them any more what
    was asked. Backups made before still hold it.
    """
    digest = Store(read_settings().journal).erase(answer_id, int(time.time()))
    say(f"erased {answer_id}; its receipt 0x{digest.hex()} stays")


@click.group()
def journal() -> None:
    """Care for the journal, the record of what is owed."""


@journal.command("resume")
@click.argument("datanet")
@click.argument("saved", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--abandon", is_flag=True, help="Give up, openly and for good, what no saved receipt restores."
)
def resume_command(datanet: str, saved: tuple[Path, ...], abandon: bool) -> None:
    """Issue receipts of DATANET again after the journal lost some.

    SAVED are files, or folders of files, of receipts or batches as the API gives them, one JSON
    object each or one a line. All are checked. What they do not bring back is only given up with
    --abandon: its numbers are settled without owing anything, and shown as abandoned for ever.
    Stop every worker before: a settlement that is on its way must not be abandoned.

    \b
    footnote journal resume handbook saved/ --abandon
    """
    settings = read_settings()
    store = Store(settings.journal)
    marks, chain = Marks(settings.marks_path), chain_or_none(settings)
    registrations = [one for one in store.registrations(lost=True) if one.datanet == datanet]
    known = {registration.ledger.ledger_id for registration in registrations}
    strange = [ledger_id for ledger_id in marks.ledgers(datanet) if ledger_id not in known]
    if not registrations and not strange:
        raise NotFound(f"{datanet} is not registered", "only paid receipts have a high-water mark")
    if strange and not abandon:
        raise Refused(
            f"the journal does not know {len(strange)} Ledger that {datanet} was paid in",
            "restore a journal that does, or give --abandon to forget its mark",
        )
    receipts = list(_receipts_in(saved))
    keystore = settings.distributor_keystore
    distributors = [address_in(keystore)] if keystore else []
    shown = []
    for registration in registrations:
        done = resume(
            store, marks, chain, registration, receipts, abandon=abandon, distributors=distributors
        )
        shown.append({"ledger_id": "0x" + registration.ledger.ledger_id.hex(), **_shown(done)})
    for ledger_id in strange:
        marks.forget(ledger_id, datanet)
        say(f"the mark of Ledger 0x{ledger_id.hex()} is forgotten")
    click.echo(json.dumps({"datanet": datanet, "ledgers": shown}))


@click.command()
@click.option("--check", is_flag=True, help="Only look; exit 70 where the journal is behind.")
def migrate(check: bool) -> None:
    """Bring the journal up to this Footnote's schema, or make it where there is none.

    Of several hosts on one PostgreSQL, stop API and worker everywhere, run this on one of them,
    then start the new Footnote. A SQLite journal also comes up to date by itself when it is opened.
    """
    url = read_settings().journal
    known = known_version(url)
    behind = known is None or known < SCHEMA_VERSION
    if not check or (known or 0) > SCHEMA_VERSION:
        bring_up_to_date(url)
    click.echo(json.dumps({"from": known, "to": SCHEMA_VERSION}))
    if check and behind:
        raise Broken(f"the journal is behind schema {SCHEMA_VERSION}", "run footnote migrate")


def _shown(done: Resumed) -> dict[str, Any]:
    for lost in done.abandoned:
        say(f"receipts {lost.first}..{lost.last} are abandoned; their batch will say so")
    return {
        "readmitted": done.readmitted,
        "abandoned": [{"first": lost.first, "last": lost.last} for lost in done.abandoned],
        "next_seq": done.next_seq,
    }


def _receipts_in(paths: tuple[Path, ...]) -> Iterator[dict[str, Any]]:
    """Every receipt object in those files and folders."""
    for path in paths:
        files = sorted(path.rglob("*.json*")) if path.is_dir() else [path]
        for file in files:
            for shown in _objects(file):
                yield from _receipts_of(file, shown)


def _receipts_of(file: Path, shown: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A receipt itself, or those of a batch, each with its policy and adapter."""
    if shown.get("object") != "batch":
        yield shown
        return
    try:
        for receipt in shown["receipts"]:
            message = receipt["message"]
            yield {
                **receipt,
                "policy": shown["policies"][message["policyId"]],
                "adapter": shown["adapters"].get(message["adapterId"]),
            }
    except (KeyError, TypeError) as error:
        raise Invalid(f"{file} is no batch", "give what the API returned") from error


def _objects(file: Path) -> Iterator[dict[str, Any]]:
    text = file.read_bytes()
    parts = text.splitlines() if file.suffix == ".jsonl" else [text]
    for part in parts:
        try:
            shown = strict_json.loads(part)
        except ValueError as error:
            raise Invalid(f"{file} is not valid JSON", str(error)) from error
        if not isinstance(shown, dict):
            raise Invalid(f"{file} holds no receipt", "give what the API returned")
        yield shown
