"""The command of a Datanet's owner about near-duplicates: see them, and rule on them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from footnote.errors import Invalid, NotFound
from footnote.model import Document
from footnote.settings import read_settings
from indexer.commands import indexer_of
from indexer.duplicates import clusters_of
from indexer.progress import reporter
from indexer.tracing import put_first
from rag.datanets import published_folder
from rag.documents import Catalogue
from rag.lineage import Lineage, pair
from rag.snapshot import CATALOGUE, current_manifest

Pairs = Sequence[tuple[str, str]]


def ruled(
    lineage: Lineage, documents: Mapping[str, Document], first: Sequence[str], unrelated: Pairs,
    related: Pairs,
) -> Lineage:  # fmt: skip
    """``lineage`` with the owner's rulings; NotFound for a document that is not there."""
    named = {*first, *(name for one in (*unrelated, *related) for name in one)}
    for name in sorted(named - documents.keys()):
        raise NotFound(f"no document {name!r}", "list them with footnote show")
    if any(one == other for one, other in (*unrelated, *related)):
        raise Invalid("a document is always itself", "name two documents")
    apart = lineage.unrelated | {pair(*one) for one in unrelated}
    lineage = replace(lineage, unrelated=frozenset(apart - {pair(*one) for one in related}))
    for name in reversed(first):
        lineage = put_first(lineage, documents[name])
    return lineage


def clusters(documents: Mapping[str, Document], lineage: Lineage) -> list[dict[str, Any]]:
    """The clusters with their Documents in order of arrival, the first being paid for what they
    share, and the pairs that they were found by."""
    found = []
    for names in clusters_of(lineage.links):
        held = {name: lineage.arrivals[name, documents[name].version] for name in names}
        members = sorted(names, key=lambda name: (held[name], name))
        moved = [o for o in lineage.origins if o.document_id in held]
        found.append(
            {
                "first": members[0],
                "documents": [
                    {
                        "id": name,
                        "title": documents[name].title,
                        "arrival": held[name],
                        "ruled_first": held[name] < 1,
                        "sentences_of_others": sum(o.document_id == name for o in moved),
                    }
                    for name in members
                ],
                "pairs": [
                    {"one": link.one, "other": link.other, "containment": link.containment}
                    for link in lineage.links
                    if link.one in held
                ],
            }
        )
    return sorted(found, key=lambda cluster: str(cluster["first"]))


@click.command()
@click.argument("datanet")
@click.option(
    "--first",
    multiple=True,
    metavar="DOCUMENT",
    help="Rule that this document, as it stands, came before the others.",
)
@click.option(
    "--unrelated",
    type=(str, str),
    multiple=True,
    metavar="ONE OTHER",
    help="Rule that these two are no copies: each keeps what it says.",
)
@click.option(
    "--related",
    type=(str, str),
    multiple=True,
    metavar="ONE OTHER",
    help="Withdraw that ruling.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def review(
    datanet: str, first: tuple[str, ...], unrelated: tuple[tuple[str, str], ...],
    related: tuple[tuple[str, str], ...], as_json: bool,
) -> None:  # fmt: skip
    """List the near-duplicates in DATANET, and rule on who was first.

    A flag is no verdict: documents that share text may do so rightly. Where two hold the same
    sentence, the one that held it first is cited and paid. A ruling takes effect at once, for later
    answers; what was answered before stays as it was.

    \b
    footnote review eips
    footnote review eips --first eip-20 --unrelated erc-721 erc-1155
    """
    settings = read_settings()
    folder = published_folder(settings.home, datanet)
    if first or unrelated or related:
        with reporter() as progress:
            indexer_of(settings, folder.name, progress).review(
                lambda lineage, documents: ruled(lineage, documents, first, unrelated, related)
            )
    manifest = current_manifest(folder)
    assert manifest is not None, "a published Datanet has a manifest"
    catalogue = Catalogue(folder.snapshots / manifest.folder_name / CATALOGUE)
    documents = {document.document_id: document for document in catalogue.documents()}
    lineage = catalogue.lineage()
    found = clusters(documents, lineage)
    if as_json:
        body = {"clusters": found, "unrelated": sorted(lineage.unrelated), "marked": lineage.marks}
        click.echo(json.dumps(body))
        return
    _print(found, lineage, compared=catalogue.has_lineage)


def _print(found: list[dict[str, Any]], lineage: Lineage, *, compared: bool) -> None:
    for cluster in found:
        click.echo(f"first {cluster['first']}")
        for one in cluster["documents"][1:]:
            click.echo(
                f"  {one['id']:<40} {one['sentences_of_others']:>5} sentences of others  "
                f"{one['title']}"
            )
        for link in cluster["pairs"]:
            click.echo(f"  {link['containment']:>6.0%} shared by {link['one']} and {link['other']}")
    for one, other in sorted(lineage.unrelated):
        click.echo(f"ruled unrelated: {one} and {other}")
    for document_id, kinds in sorted(lineage.marks.items()):
        said = ", ".join(f"{passages} {kind}" for kind, passages in sorted(kinds.items()))
        click.echo(f"marked {document_id}: {said}")
    if not compared:
        click.echo("not compared yet; run footnote rebuild", err=True)
    elif not found:
        click.echo("no near-duplicates", err=True)
