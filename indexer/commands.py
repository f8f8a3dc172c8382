"""The commands of documents: ingest, remove, rebuild, datanets, show."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from footnote.addresses import format_address, parse_address
from footnote.errors import NotFound, Refused
from footnote.model import Document
from footnote.settings import Settings, read_settings
from indexer.admission import Defaults
from indexer.ingest import Indexer
from indexer.progress import Reporter, reporter
from indexer.readers.files import find_files
from indexer.report import Report
from rag.index.datanets import datanet_folder, datanet_names, published_folder
from rag.index.documents import Catalogue, Texts
from rag.index.snapshot import CATALOGUE, Manifest, current_manifest
from rag.models.choice import export_id_of, indexing_embedder

_weight_option = click.option(
    "--dense-weight",
    type=click.FloatRange(0.0, 1.0),
    help="Weight of meaning against words in retrieval; the Datanet keeps it.  [default: 0.5]",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def _run(
    datanet: str,
    as_json: bool,
    work: Callable[[Indexer], Report],
    dense_weight: float | None = None,
) -> None:
    """Do ``work`` with progress shown, then print its report and end with its exit code."""
    settings = read_settings()
    folder = datanet_folder(settings.home, datanet)
    with reporter() as progress:
        report = work(indexer_of(settings, folder.name, progress, dense_weight))
    _print(report, as_json)
    if report.refused:
        sys.exit(Refused.exit_code)


def indexer_of(
    settings: Settings, datanet: str, progress: Reporter, dense_weight: float | None = None
) -> Indexer:
    """The Indexer of a Datanet as the settings have it."""
    embedder = indexing_embedder(settings)
    return Indexer(
        datanet_folder(settings.home, datanet),
        settings.cache_path,
        embedder,
        settings.max_document_bytes,
        report_to=progress,
        dense_weight=dense_weight,
        export=export_id_of(embedder),
    )


def _print(report: Report, as_json: bool) -> None:
    for refusal in report.refused:
        click.echo(f"refused {refusal['id']}: {refusal['reason']}", err=True)
    for marked in report.marked:
        click.echo(f"marked {marked['id']}: {_said_of(marked)}", err=True)
    if report.prune_skipped:
        click.echo("nothing was pruned, since some of the input could not be read", err=True)
    if as_json:
        click.echo(json.dumps(report.as_json()))
        return
    click.echo(
        f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged, "
        f"{report.removed} removed, {len(report.refused)} refused; {report.chunks:,} chunks, "
        f"{report.chunks_embedded:,} embedded in {report.seconds:.1f} s; {report.snapshot[:23]}"
    )


def _said_of(marked: dict[str, Any]) -> str:
    hidden, orders = marked.get("hidden", 0), marked.get("instructions", 0)
    parts = [f"{hidden} hidden passages left out"] if hidden else []
    parts += [f"{orders} instructions to machines, never shown to a model"] if orders else []
    return ", ".join(parts)


@click.command()
@click.argument("datanet")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--contributor",
    "contributors",
    multiple=True,
    metavar="0x…",
    help="Who contributed documents that do not say so; several share equally.",
)
@click.option("--license", "license_", help="Licence of documents that name none, as SPDX has it.")
@click.option("--prune", is_flag=True, help="Remove documents that PATHS no longer hold.")
@_weight_option
@_json_option
def ingest(
    datanet: str,
    paths: tuple[Path, ...],
    contributors: tuple[str, ...],
    license_: str | None,
    prune: bool,
    dense_weight: float | None,
    as_json: bool,
) -> None:
    """Add the documents in PATHS to DATANET and publish it.

    PATHS are files or folders with .jsonl, .md, .rst, .txt, .html, .pdf and .docx. Every document
    needs a licence and contributors: in its JSON, in YAML front matter, in a datanet.toml beside
    it, or by the options here. Unchanged documents cost nothing; a killed run goes on where it
    stopped; a refused document stops no other, and the exit code is then 65.

    \b
    footnote ingest handbook docs/ --contributor 0x… --license CC-BY-4.0
    footnote ingest eips documents.jsonl --json
    """
    for contributor in contributors:
        parse_address(contributor)
    datanet_folder(read_settings().home, datanet)
    files = find_files(list(paths))
    if not files:
        raise NotFound("PATHS hold no document", "see footnote ingest --help for what is read")
    defaults = Defaults(contributors, license_)
    _run(
        datanet,
        as_json,
        lambda indexer: indexer.ingest(files, defaults, prune=prune),
        dense_weight,
    )


@click.command()
@click.argument("datanet")
@click.argument("documents", nargs=-1, required=True)
@_json_option
def remove(datanet: str, documents: tuple[str, ...], as_json: bool) -> None:
    """Take DOCUMENTS out of DATANET. Receipts that cite them stay checkable."""
    published_folder(read_settings().home, datanet)
    _run(datanet, as_json, lambda indexer: indexer.remove(documents))


@click.command()
@click.argument("datanet")
@_weight_option
@_json_option
def rebuild(datanet: str, dense_weight: float | None, as_json: bool) -> None:
    """Index DATANET again from its stored text, as after damage or a change of model."""
    published_folder(read_settings().home, datanet)
    _run(datanet, as_json, lambda indexer: indexer.rebuild(), dense_weight)


@click.command()
@_json_option
def datanets(as_json: bool) -> None:
    """List the published Datanets."""
    home = read_settings().home
    found = [_summary(home, name) for name in datanet_names(home)]
    if as_json:
        click.echo(json.dumps({"object": "list", "data": found}))
        return
    for one in found:
        click.echo(f"{one['id']:<24} {one['documents']:>8,} documents {one['chunks']:>10,} chunks")
    if not found:
        click.echo("no Datanet is published; see footnote ingest --help", err=True)


@click.command()
@click.argument("datanet")
@click.argument("document", required=False)
@click.option("--text", is_flag=True, help="Print the document's stored text.")
@_json_option
def show(datanet: str, document: str | None, text: bool, as_json: bool) -> None:
    """Show DATANET and its documents, or one DOCUMENT."""
    home = read_settings().home
    folder = published_folder(home, datanet)
    manifest = _manifest(home, datanet)
    catalogue = Catalogue(folder.snapshots / manifest.folder_name / CATALOGUE)
    if document is None:
        _show_datanet(_summary(home, datanet), catalogue, as_json)
        return
    found = catalogue.document(document)
    if text:
        click.echo(Texts(folder.texts).get(found.version), nl=False)
    elif as_json:
        click.echo(json.dumps(_document(found)))
    else:
        for name, value in _document(found).items():
            click.echo(f"{name:<14} {value}")


def _show_datanet(summary: dict[str, Any], catalogue: Catalogue, as_json: bool) -> None:
    documents = [_document(document) for document in catalogue.documents()]
    if as_json:
        click.echo(json.dumps({**summary, "data": documents}))
        return
    for name, value in summary.items():
        click.echo(f"{name:<14} {value}")
    for one in documents:
        click.echo(f"  {one['id']:<40} {len(one['contributors']):>2} contributors  {one['title']}")


def _manifest(home: Path, datanet: str) -> Manifest:
    manifest = current_manifest(published_folder(home, datanet))
    assert manifest is not None, "a published Datanet has a manifest"
    return manifest


def _summary(home: Path, datanet: str) -> dict[str, Any]:
    manifest = _manifest(home, datanet)
    return {
        "id": datanet,
        "documents": manifest.documents,
        "chunks": manifest.chunks,
        "snapshot": manifest.snapshot_hex,
        "published": manifest.body["created"],
        "embedder": manifest.embedder["model"],
        "vectors": manifest.vector_kind.value,
        "content_root": "0x" + manifest.content_root.hex(),
    }


def _document(document: Document) -> dict[str, Any]:
    return {
        "id": document.document_id,
        "version": "sha256:" + document.version.hex(),
        "title": document.title,
        "url": document.url,
        "license": document.license,
        "contributors": [
            {"address": format_address(c.address), "name": c.name, "share_bps": c.share_bps}
            for c in document.contributors
        ],
    }
