"""The commands of adapters: add, list, show, remove, set-default."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from footnote.addresses import parse_address
from footnote.errors import Misconfigured
from footnote.settings import Settings, read_settings
from openlora.validation import MAX_RANK, inspect_adapter
from rag.adapters.admin import AdapterAdmin, admin_of
from rag.adapters.store import Adapter, AdapterStore, DatanetAdapters, adapter_id

_json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.group()
def adapters() -> None:
    """Keep the LoRA adapters of Datanets.

    A Datanet may bring adapters of its own. One of them answers a question that names none, any
    other by its id, and receipts name it by the hash of its files. A policy with
    model_host = "adapter_owner" pays its owner.

    \b
    footnote adapters add handbook ./my-lora --owner 0x… --license Apache-2.0
    footnote adapters set-default handbook handbook-0123456789ab
    """


@adapters.command()
@click.argument("datanet")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--owner", help="Who owns the adapter, 0x…; nobody is paid for it without.")
@click.option("--license", "license_", required=True, help="Its licence, as SPDX has it.")
@click.option("--base", help="Its base model's id.  [default: FOOTNOTE_OPENLORA_MODEL]")
@click.option("--max-rank", type=click.IntRange(1, 512), default=MAX_RANK, show_default=True)
@click.option("--default", "as_default", is_flag=True, help="Let it answer from now on.")
@_json_option
def add(
    datanet: str,
    folder: Path,
    owner: str | None,
    license_: str,
    base: str | None,
    max_rank: int,
    as_default: bool,
    as_json: bool,
) -> None:
    """Check the adapter in FOLDER and give it to DATANET.

    FOLDER is as PEFT writes it. Accepted is a plain LoRA in safetensors, of the base model that
    is served, with finite weights; anything else would answer differently on another server.
    """
    settings = read_settings()
    base = base or settings.openlora_model
    if base is None:
        raise Misconfigured("no base model is named", "give --base, or FOOTNOTE_OPENLORA_MODEL")
    account = None if owner is None else parse_address(owner)
    store = AdapterStore(settings.home)
    store.of(datanet)
    facts = inspect_adapter(folder, base=base, max_rank=max_rank)
    made = Adapter(
        adapter_id(datanet, facts.digest), facts.digest, facts.base, facts.rank, account, license_
    )
    made = store.add(datanet, folder, made)
    if as_default:
        store.set_default(datanet, made.adapter_id, fallback=store.of(datanet).fallback)
    _admin(settings).load(made.adapter_id, _seen(settings, store) / made.adapter_id)
    _show(store, made, store.of(datanet), as_json)


@adapters.command("list")
@click.argument("datanet")
@_json_option
def list_(datanet: str, as_json: bool) -> None:
    """List DATANET's adapters; the default has a star."""
    store = AdapterStore(read_settings().home)
    found = store.of(datanet)
    if as_json:
        data = [one.as_json() | _state(store, one) for one in found.adapters.values()]
        body = {"object": "list", "default": found.default, "fallback": found.fallback}
        click.echo(json.dumps({**body, "data": data}))
        return
    for one in found.adapters.values():
        star = "*" if one.adapter_id == found.default else " "
        click.echo(
            f"{star} {one.adapter_id:<40} rank {one.rank:<4} {one.license}{_damage(store, one)}"
        )
    if not found.adapters:
        click.echo(f"{datanet} has no adapter: the base model answers", err=True)


@adapters.command()
@click.argument("datanet")
@click.argument("adapter")
@_json_option
def show(datanet: str, adapter: str, as_json: bool) -> None:
    """Show an ADAPTER of DATANET."""
    store = AdapterStore(read_settings().home)
    found = store.of(datanet)
    _show(store, found.get(adapter), found, as_json)


@adapters.command()
@click.argument("datanet")
@click.argument("adapter")
def remove(datanet: str, adapter: str) -> None:
    """Take an ADAPTER from DATANET. Receipts that name it stay checkable."""
    settings = read_settings()
    AdapterStore(settings.home).remove(datanet, adapter)
    _admin(settings).unload(adapter)
    click.echo(f"removed {adapter}")


@adapters.command("set-default")
@click.argument("datanet")
@click.argument("adapter", required=False)
@click.option(
    "--fallback-to-base",
    is_flag=True,
    help="Let the base model answer where the server cannot serve the default.",
)
def set_default(datanet: str, adapter: str | None, fallback_to_base: bool) -> None:
    """Let ADAPTER answer questions to DATANET that name none; without it, the base model."""
    store = AdapterStore(read_settings().home)
    store.set_default(datanet, adapter, fallback=fallback_to_base)
    click.echo(f"{adapter or 'the base model'} answers for {datanet}")


def _admin(settings: Settings) -> AdapterAdmin:
    if settings.openlora_url is None:
        return admin_of("none", "", None)
    return admin_of(
        settings.openlora_admin, settings.openlora_url, settings.openlora_admin_token_file
    )


def _seen(settings: Settings, store: AdapterStore) -> Path:
    return settings.openlora_adapters or store.folder


def _state(store: AdapterStore, one: Adapter) -> dict[str, bool]:
    return {"intact": store.is_intact(one)}


def _damage(store: AdapterStore, one: Adapter) -> str:
    return "" if store.is_intact(one) else "  damaged: add it again"


def _show(store: AdapterStore, one: Adapter, found: DatanetAdapters, as_json: bool) -> None:
    body: dict[str, Any] = {
        **one.as_json(),
        "default": one.adapter_id == found.default,
        **_state(store, one),
    }
    if as_json:
        click.echo(json.dumps(body))
        return
    for name, value in body.items():
        click.echo(f"{name:<8} {value}")
