"""Asking from the terminal, and showing answers there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import httpx

from api.app import build_services
from footnote.errors import NotFound, Unavailable
from footnote.model import Question
from footnote.settings import Settings, read_settings
from rag.index.datanets import datanet_names, published_folder
from rag.index.documents import Texts
from rewards.commands.common import chain_or_none
from rewards.commands.proof import verify_batch_file, verify_file
from rewards.verify import TextOf


@click.command()
@click.argument("datanet")
@click.argument("question")
@click.option("-k", default=8, show_default=True, help="How many chunks to retrieve.")
@click.option("--answerer", type=click.Choice(["extractive", "openlora"]), help="How to answer.")
@click.option("--adapter", help="Which LoRA adapter answers.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer object as JSON.")
def ask(
    datanet: str, question: str, k: int, answerer: str | None, adapter: str | None, as_json: bool
) -> None:
    """Ask DATANET a QUESTION. The answer gets a receipt, as over HTTP.

    \b
    footnote ask handbook "How is a batch settled?"
    """
    services = build_services(read_settings())
    answer = services.answerer.answer(Question(datanet, question, k, answerer, adapter))
    body = services.recorder.record(answer)
    services.wake_ups.announce(datanet)
    if as_json:
        click.echo(json.dumps(body))
    else:
        click.echo(shown(body))


def shown(answer: dict[str, Any]) -> str:
    """An answer as a person reads it: text, then each citation's quote, source and earnings."""
    if answer["refused"]:
        lines = [answer["text"], f"(confidence {answer['confidence']:.2f}; nothing is owed)"]
        near = dict.fromkeys(hit["title"] for hit in answer["retrieved"])
        return "\n".join(lines + [f"  nearest: {title}" for title in list(near)[:3]])
    lines = [answer["text"], ""]
    for citation in answer["citations"]:
        source, span = citation["source"], citation["source_span"]
        quote = " ".join(citation["cited_text"].split())
        lines.append(f"  [{citation['marker']}] “{quote}”")
        lines.append(
            f"      {source['title']} ({source['document_id']}, characters "
            f"{span['start']}–{span['end']}), {citation['verdict']}"
        )
        for contributor in citation["contributors"]:
            name = contributor["name"] or contributor["address"]
            lines.append(f"      {name} earns {tokens(contributor['amount'])}")
    return "\n".join(lines)


def tokens(base_units: str) -> str:
    """Base units as whole tokens, exactly."""
    whole, rest = divmod(int(base_units), 10**18)
    return f"{whole}.{rest:018d}".rstrip("0").rstrip(".") + " tokens"


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--batch", is_flag=True, help="FILE is a batch: rebuild it from its receipts.")
@click.option("--api", help="Address of a Footnote service to read cited texts from.")
@click.option("--offline", is_flag=True, help="Do not ask a chain; say what stays unchecked.")
def verify(file: Path, batch: bool, api: str | None, offline: bool) -> None:
    """Check a saved receipt or batch against its hashes, its signatures and the chain.

    Save FILE from GET /v1/receipts/{id}, or GET /v1/batches/{id} for --batch. The chain is
    FOOTNOTE_RPC_URL. A receipt's cited texts come from the Datanets here, or from --api. Exit 65
    if anything is false, 69 if something could not be checked.
    """
    if batch and api:
        raise click.UsageError("a batch holds no cited texts, so --api says nothing")
    settings = read_settings()
    chain = None if offline else chain_or_none(settings)
    if batch:
        verify_batch_file(file, chain, offline=offline)
    else:
        text_of = _texts_over_http(api) if api else _texts_here(settings)
        verify_file(file, text_of, chain, offline=offline)


def _texts_here(settings: Settings) -> TextOf:
    stores = [
        Texts(published_folder(settings.home, name).texts) for name in datanet_names(settings.home)
    ]

    def text_of(version: bytes) -> str:
        for store in stores:
            try:
                return store.get(version)
            except NotFound:
                continue
        raise NotFound("no text of that version is here", "give --api")

    return text_of


def _texts_over_http(api: str) -> TextOf:
    client = httpx.Client(base_url=api, timeout=30)

    def text_of(version: bytes) -> str:
        try:
            names = [one["id"] for one in client.get("/v1/datanets").json()["data"]]
            for name in names:
                found = client.get(f"/v1/datanets/{name}/texts/{version.hex()}")
                if found.status_code == 200:
                    return found.content.decode("utf-8")
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise Unavailable("the service does not answer", "check --api") from error
        raise NotFound("no text of that version is there", "ask another service")

    return text_of
