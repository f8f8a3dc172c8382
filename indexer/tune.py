"""The command that fits a Datanet's retrieval and refusal to labelled questions."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from footnote.errors import Invalid
from footnote.model import Question
from footnote.settings import read_settings
from indexer.admission import Defaults
from indexer.ingest import Indexer
from indexer.progress import reporter
from rag.answerer import check_question
from rag.index.datanets import published_folder
from rag.index.snapshot import open_current
from rag.models.embedder import SentenceTransformerEmbedder
from rag.retrieval.tuning import (
    MIN_OF_EACH,
    LabelledQuestion,
    RefusalFit,
    WeightFit,
    find,
    fit_refusal,
    fit_weight,
)

MIN_QUESTIONS = 10


@click.command()
@click.argument("datanet")
@click.argument("questions", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--false-refusals",
    type=click.FloatRange(0.0, 0.5),
    default=0.07,
    show_default=True,
    help="The part of answerable questions that may be refused.",
)
@click.option("--dry-run", is_flag=True, help="Show what would fit, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def tune(
    datanet: str, questions: Path, false_refusals: float, dry_run: bool, as_json: bool
) -> None:
    """Fit DATANET's retrieval and refusal to labelled QUESTIONS, and publish it so.

    QUESTIONS is a file with one JSON object a line, {"question": "…", "documents": ["id", …]},
    where no documents says that the Datanet does not hold the answer; or a folder with
    queries.jsonl and qrels.tsv. Fitted are the weight of meaning against words, and the
    confidence below which an answer is refused. Where fewer than 20 questions have no answer,
    some are made by hiding the documents that answer the others.

    \b
    footnote tune eips questions.jsonl --dry-run
    """
    settings = read_settings()
    folder = published_folder(settings.home, datanet)
    labelled = read_questions(questions)
    embedder = SentenceTransformerEmbedder.of(settings, for_questions=True)
    snapshot = open_current(folder)
    _check(labelled, {d.document_id for d in snapshot.catalogue.documents()})
    with reporter() as progress:
        progress.stage("asking", len(labelled), "questions")
        found = []
        for one in find(snapshot, embedder, labelled):
            found.append(one)
            progress.advance(1)
        weight = fit_weight(found, snapshot.manifest.dense_weight)
        refusal = fit_refusal(snapshot, found, weight.dense_weight, false_refusals)
        published = None
        if not dry_run:
            indexer = Indexer(
                folder,
                settings.cache_path,
                embedder,
                settings.max_document_bytes,
                report_to=progress,
                dense_weight=weight.dense_weight,
                calibration=refusal.calibration if refusal else None,
            )
            published = indexer.ingest([], Defaults()).snapshot
    if as_json:
        click.echo(json.dumps(_as_json(weight, refusal, published)))
    else:
        _print(weight, refusal, published)


def read_questions(path: Path) -> list[LabelledQuestion]:
    """Invalid names the line that is none."""
    if path.is_dir():
        return _of_corpus(path)
    found = []
    try:
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise Invalid(f"{path.name} is no text in UTF-8", "write one JSON object a line") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            documents = frozenset(str(name) for name in row["documents"])
            check_question(Question("any", str(row["question"])))
            found.append(LabelledQuestion(str(row["question"]), documents))
        except (ValueError, TypeError, KeyError, Invalid) as error:
            raise Invalid(
                f"{path.name}, line {number} is no labelled question",
                'write {"question": "…", "documents": ["id", …]}',
            ) from error
    return found


def _of_corpus(folder: Path) -> list[LabelledQuestion]:
    try:
        right: dict[str, set[str]] = {}
        for line in (folder / "qrels.tsv").read_text("utf-8").splitlines()[1:]:
            query_id, document_id, _ = line.split("\t")
            right.setdefault(query_id, set()).add(document_id)
        rows = [json.loads(r) for r in (folder / "queries.jsonl").read_text("utf-8").splitlines()]
        return [
            LabelledQuestion(str(row["text"]), frozenset(right.get(row["_id"], ()))) for row in rows
        ]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Invalid(
            f"{folder.name} holds no labelled questions",
            "it needs queries.jsonl (_id, text) and qrels.tsv (query-id, corpus-id, score)",
        ) from error


def _check(labelled: list[LabelledQuestion], known: set[str]) -> None:
    answerable = [one for one in labelled if one.documents]
    if len(answerable) < MIN_QUESTIONS:
        raise Invalid(
            f"only {len(answerable)} of the questions have an answer",
            f"label at least {MIN_QUESTIONS}, better {5 * MIN_OF_EACH}",
        )
    unknown = sorted({name for one in answerable for name in one.documents} - known)
    if unknown:
        raise Invalid(
            f"{len(unknown)} documents of the labels are not in the Datanet, such as {unknown[0]}",
            "list them with footnote show, or ingest them first",
        )


def _as_json(
    weight: WeightFit, refusal: RefusalFit | None, published: str | None
) -> dict[str, Any]:
    return {
        "weight": asdict(weight),
        "refusal": asdict(refusal) if refusal else None,
        "snapshot": published,
    }


def _print(weight: WeightFit, refusal: RefusalFit | None, published: str | None) -> None:
    click.echo(
        f"weight of meaning {weight.dense_weight}: nDCG@10 {weight.before:.3f} before, "
        f"{weight.after:.3f} now, {weight.held_out:.3f} on questions held out; "
        f"meaning alone {weight.dense_alone:.3f}, words alone {weight.lexical_alone:.3f}"
    )
    if refusal is None:
        click.echo(f"refusal stays: label at least {MIN_OF_EACH} questions that have an answer")
    else:
        made = "made by hiding documents" if refusal.made_up else "labelled"
        click.echo(
            f"refusal below {refusal.calibration.bar}: {refusal.false_refusals:.1%} of "
            f"{refusal.answerable} answerable questions and {refusal.unanswerable_refused:.1%} of "
            f"{refusal.unanswerable} unanswerable ones ({made}), on questions held out; "
            f"area under the curve {refusal.area_under_curve:.3f}"
        )
    click.echo(f"published {published[:23]}" if published else "nothing was changed")
