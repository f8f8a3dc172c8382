"""Putting a snapshot's content root on chain."""

from __future__ import annotations

import json
from collections.abc import Callable

import click

from footnote.errors import NotFound
from footnote.settings import read_settings
from rag.index.datanets import published_folder
from rag.index.snapshot import Manifest, current_manifest
from rewards.chain import EvmChain
from rewards.commands.common import chain_of, owner_key, say
from rewards.journal.journal import Journal
from rewards.journal.records import Version
from rewards.keys import Key
from rewards.ledger import Registration


@click.command()
@click.argument("datanet")
@click.option("--uri", default="", help="Where people find this version of the documents.")
def publish(datanet: str, uri: str) -> None:
    """Write the content root of DATANET's newest snapshot on chain, as its next version.

    From then on receipts name that version, and anybody can prove with verifyDocument that a
    document belonged to it. Uses FOOTNOTE_OWNER_KEYSTORE. What is published already is not
    published again.
    """
    settings = read_settings()
    journal, chain = Journal(settings.journal), chain_of(settings)
    manifest = current_manifest(published_folder(settings.home, datanet))
    registration = journal.registration(datanet)
    if manifest is None:
        raise NotFound(f"{datanet} has no snapshot", "run footnote ingest")
    if registration is None:
        raise NotFound(f"{datanet} is not registered", "run footnote register")
    version, tx_hash = _publish(chain, lambda: owner_key(settings), registration, manifest, uri)
    journal.add_version(
        registration, Version(version, manifest.snapshot_id, manifest.content_root, uri)
    )
    click.echo(
        json.dumps(
            {
                "datanet": datanet,
                "version": version,
                "content_root": "0x" + manifest.content_root.hex(),
                "snapshot": manifest.snapshot_hex,
                "tx_hash": "0x" + tx_hash.hex() if tx_hash else None,
            }
        )
    )


def _publish(
    chain: EvmChain,
    owner: Callable[[], Key],
    registration: Registration,
    manifest: Manifest,
    uri: str,
) -> tuple[int, bytes | None]:
    """The version that holds the manifest's documents, and its transaction if that was made now.

    Raises:
        Reverted: somebody else published meanwhile, or the key is not the owner's.
    """
    ledger, datanet_id = registration.ledger, registration.datanet_id
    newest = chain.version(ledger, datanet_id)
    if newest and chain.content_root(ledger, datanet_id, newest) == manifest.content_root:
        return newest, None
    tx_hash = chain.publish(owner(), ledger, datanet_id, newest, manifest.content_root, uri)
    say("waiting until that is final")
    chain.wait_final(tx_hash)
    return newest + 1, tx_hash
