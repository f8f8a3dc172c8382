"""What several commands need: the chain, the owner's key, a word to the operator."""

from __future__ import annotations

import json
from pathlib import Path

import click

from footnote.addresses import Address, parse_address
from footnote.errors import Misconfigured
from footnote.settings import Settings
from rewards.chain import EvmChain
from rewards.keys import Key, read_key


def chain_of(settings: Settings) -> EvmChain:
    if settings.rpc_url is None:
        raise Misconfigured("no chain is set up", "set FOOTNOTE_RPC_URL")
    return EvmChain(
        settings.rpc_url, confirmations=settings.confirmations, max_fee_gwei=settings.max_fee_gwei
    )


def owner_key(settings: Settings) -> Key:
    if settings.owner_keystore is None:
        raise Misconfigured("no owner's key is set up", "set FOOTNOTE_OWNER_KEYSTORE")
    return read_key(
        settings.owner_keystore, settings.owner_passphrase_file, "FOOTNOTE_OWNER_KEYSTORE"
    )


def say(text: str) -> None:
    click.echo(text, err=True)


def chain_or_none(settings: Settings) -> EvmChain | None:
    return chain_of(settings) if settings.rpc_url else None


def address_in(keystore: Path) -> Address:
    """The address that stands in clear in a keystore file."""
    try:
        return parse_address("0x" + json.loads(keystore.read_text())["address"].removeprefix("0x"))
    except (OSError, ValueError, KeyError):
        raise Misconfigured(f"{keystore} is no keystore", "name another file") from None
