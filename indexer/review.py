"""The command of a Datanet's owner about near-duplicates: see them, and rule on them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from footnote.errors import NotFound
from footnote.model import Document
from footnote.settings import read_settings
from indexer.commands import indexer_of
from indexer.progress import reporter
from indexer.tracing import put_first
from rag.index.clusters import Pairs, check_ruling, clusters
from rag.index.datanets import published_folder
from rag.index.documents import Catalogue
from rag.index.lineage import Lineage, pair
from rag.index.snapshot import CATALOGUE, current_manifest


def ruled(
    lineage: Lineage, documents: Mapping[str, Document], first: Sequence[str], unrelated: Pairs,
    related: Pairs,
) -> Lineage:  # fmt: skip
    """``lineage`` with the owner's rulings; NotFound for a document that is not there."""
    named = {*first, *(name for one in (*unrelated, *related) for name in one)}
    for name in sorted(named - documents.keys()):
        raise NotFound(f"no document {name!r}", "list them with footnote show")
    check_ruling(unrelated, related)
    apart = lineage.unrelated | {pair(*one) for one in unrelated}
    lineage = replace(lineage, unrelated=frozenset(apart - {pair(*one) for one in related}))
    for name in reversed(first):
        lineage = put_first(lineage, documents[name])
    return lineage


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


def in_words(cluster: Mapping[str, Any]) -> list[str]:
    """A cluster as lines to read: its Documents with what each is paid for, then its pairs."""
    members = cluster["documents"]
    lines = [f"first {cluster['first']}, of {len(members)} that share text"]
    for one in members:
        lines.append(f"  {one['id']:<40} {one['title']}")
        lines.append(
            f"    {_counted(one['sentences_of_others'])} of its own paid to others, "
            f"{_counted(one['sentences_in_others'])} in others paid to it"
        )
        lines += [f"    {said}" for said in _ruling(one, cluster["first"])]
    for link in cluster["pairs"]:
        lines.append(f"  {link['containment']:>6.0%} shared by {link['one']} and {link['other']}")
    return lines


def _counted(sentences: int) -> str:
    return "1 sentence" if sentences == 1 else f"{sentences:,} sentences"


def _ruling(one: Mapping[str, Any], first: str) -> list[str]:
    """What a ruling on one Document means today, if there is one."""
    if one["ruled_first"] and one["id"] == first:
        return ["ruled first: as it stands it counts as having come before all others"]
    if one["ruled_first"]:
        return [f"ruled first, but {first} was ruled before it later on"]
    if one["ruled_first_before_change"]:
        return [
            "ruled first before it changed: what it said then stays first, what is new came late; "
            "rule again to include it"
        ]
    return []


def _print(found: list[dict[str, Any]], lineage: Lineage, *, compared: bool) -> None:
    for cluster in found:
        for line in in_words(cluster):
            click.echo(line)
    for one, other in sorted(lineage.unrelated):
        click.echo(f"ruled unrelated: {one} and {other}")
    for document_id, kinds in sorted(lineage.marks.items()):
        said = ", ".join(f"{passages} {kind}" for kind, passages in sorted(kinds.items()))
        click.echo(f"marked {document_id}: {said}")
    if not compared:
        click.echo("not compared yet; run footnote rebuild", err=True)
    elif not found:
        click.echo("no near-duplicates", err=True)
