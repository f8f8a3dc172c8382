"""``footnote keys``: who may use the service over HTTP."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import click

from api.keys import Scope, Wish, new_key
from footnote.errors import NotFound
from footnote.settings import read_settings
from rag.index.datanets import check_name
from rewards.journal.journal import Journal
from rewards.journal.records import ApiKey


@click.group()
def keys() -> None:
    """Make, list and revoke API keys.

    As long as no key was ever made, `footnote serve` on loopback takes every request of this
    machine. The first key closes it: from then on each request shows one, and only a setting
    (FOOTNOTE_ANONYMOUS) opens Datanets to others.
    """


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    default=[Scope.ASK.value],
    show_default=True,
    help="What it may do; give several times.",
)
@click.option("--datanet", "datanets", multiple=True, help="Only this one; give several times.")
@click.option("--tenant", help="Keys of one tenant see each other's answers; its own by default.")
@click.option("--per-minute", type=click.IntRange(1), help="Questions a minute.")
@click.option("--per-day", type=click.IntRange(1), help="Questions a UTC day to each Datanet.")
def create(
    name: str,
    scopes: tuple[str, ...],
    datanets: tuple[str, ...],
    tenant: str | None,
    per_minute: int | None,
    per_day: int | None,
) -> None:
    """Make a key for NAME, and show it this once.

    \b
    footnote keys create "the website" --datanet handbook --per-day 1000
    """
    wish = Wish(
        name,
        [Scope(scope) for scope in dict.fromkeys(scopes)],
        tenant,
        [check_name(one) for one in datanets] or None,
        per_minute,
        per_day,
    )
    shown, kept = new_key(wish)
    Journal(read_settings().journal).create_key(kept)
    click.echo(shown)
    click.echo("Keep it: it is stored as a hash, and never shown again.", err=True)


@keys.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_keys(as_json: bool) -> None:
    """List all keys, revoked ones too; nothing shown here lets anybody in."""
    found = Journal(read_settings().journal).keys()
    if as_json:
        click.echo(json.dumps([_object(one) for one in found]))
        return
    if not found:
        click.echo("No key was made yet; make one with footnote keys create NAME.")
    for one in found:
        state = "revoked " + _day(one.revoked_at) if one.revoked_at else "used " + _day(one.used_at)
        may = ", ".join(one.scopes) + " · " + (", ".join(one.datanets or ()) or "all Datanets")
        click.echo(f"{one.key_id}  {one.name}  ({may}; {state})")


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Revoke the key KEY_ID for good; services refuse it within two seconds."""
    named = key_id.removeprefix("fn_").partition("_")[0]  # of a whole key, never the secret
    if not Journal(read_settings().journal).revoke_key(named, int(time.time())):
        raise NotFound("no such key, or it is revoked already", "see footnote keys list")
    click.echo(f"revoked {named}")


def _object(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.key_id,
        "name": key.name,
        "tenant": key.tenant,
        "scopes": list(key.scopes),
        "datanets": None if key.datanets is None else list(key.datanets),
        "questions_per_minute": key.questions_per_minute,
        "questions_per_day": key.questions_per_day,
        "created_at": key.created_at,
        "used_at": key.used_at,
        "revoked_at": key.revoked_at,
    }


def _day(at: int | None) -> str:
    return "never" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
