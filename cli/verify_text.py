"""The command that checks a text against sources at hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from api.routes.verify import shown
from footnote.errors import Invalid
from footnote.model import Verdict
from footnote.settings import read_settings
from rag.answering.grounding import Grounded, Source, check_text
from rag.models.embedder import SentenceTransformerEmbedder


@click.command("verify-text")
@click.argument("text")
@click.option(
    "--source",
    "sources",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file of text; give several, and [2] in TEXT names the second.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify_text(text: str, sources: tuple[Path, ...], as_json: bool) -> None:
    """Check each sentence of TEXT against the sources given; - reads it from standard input.

    Prints each sentence with its verdict and what it rests on. The exit code is 65 where one is
    not supported.

    \b
    footnote verify-text "The bell was cast in 1871. [1]" --source harbour.txt
    """
    from api.app import build_verifier

    given = sys.stdin.read() if text == "-" else text
    settings = read_settings()
    verifier = build_verifier(
        settings, SentenceTransformerEmbedder.of(settings, for_questions=True)
    )
    read = [Source(_text(path), path.stem) for path in sources]
    found = check_text(given, read, verifier)
    names = [str(path) for path in sources]
    if as_json:
        click.echo(json.dumps(shown(found, names) | {"verifier": verifier.definition.body}))
    else:
        _print(found, names)
    if any(claim.verdict is not Verdict.SUPPORTED for claim in found.claims):
        sys.exit(Invalid.exit_code)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise Invalid(f"{path} is no text in UTF-8", "give a text file") from None


def _print(found: Grounded, names: list[str]) -> None:
    by_id = {citation.citation_id: citation for citation in found.citations}
    for claim in found.claims:
        click.echo(f"{claim.verdict.value:<13} {claim.text}")
        for one in (by_id[citation_id] for citation_id in claim.citation_ids):
            name = names[int(one.document.document_id) - 1]
            place = f"{name} {one.span.start}..{one.span.end}"
            click.echo(f"{'':<13} {one.verdict.value} by {place}: {one.cited_text}")
