"""The commands that care for the journal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from footnote import strict_json
from footnote.errors import Invalid, NotFound
from footnote.settings import read_settings
from rewards.commands.common import chain_or_none, say
from rewards.journal.journal import Journal as Store
from rewards.marks import Marks
from rewards.resume import resume


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

    \b
    footnote journal resume handbook saved/ --abandon
    """
    settings = read_settings()
    store = Store(settings.journal)
    registration = store.registration(datanet)
    if registration is None:
        raise NotFound(f"{datanet} is not registered", "only paid receipts have a high-water mark")
    done = resume(
        store,
        Marks(settings.marks_path),
        chain_or_none(settings),
        registration,
        _receipts_in(saved),
        abandon=abandon,
    )
    lost = done.abandoned
    if lost is not None:
        say(f"receipts {lost.first}..{lost.last} are abandoned; their batch will say so")
    shown = {"first": lost.first, "last": lost.last} if lost else None
    click.echo(
        json.dumps(
            {
                "datanet": datanet,
                "readmitted": done.readmitted,
                "abandoned": shown,
                "next_seq": done.next_seq,
            }
        )
    )


def _receipts_in(paths: tuple[Path, ...]) -> Iterator[dict[str, Any]]:
    """Every receipt object in those files and folders."""
    for path in paths:
        files = sorted(path.rglob("*.json*")) if path.is_dir() else [path]
        for file in files:
            for shown in _objects(file):
                yield from shown["receipts"] if shown.get("object") == "batch" else [shown]


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
