"""Footnote over corpora with gold evidence: found, cited, refused, paid.

    python -m bench.judge CORPUS_DIR... [--home HOME] [--out FOLDER] [--questions N]

Each corpus is a folder as :mod:`bench.judge.corpus` describes it, and its name that of the Datanet.
Prints a table for each, writes ``judge.json`` and ``judge.png`` into the folder, and ends with one
JSON object; the exit status is 1 where something is below its bar (``bars.json``).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.ingested import ingest
from bench.judge.asking import ask, costs
from bench.judge.corpus import read_corpus
from bench.judge.table import plot, table
from bench.judge.verdict import below_bar, measure
from rag.answerer import Answerer
from rag.answering.extractive import Extractive
from rag.index.library import Library
from rag.models.embedder import SentenceTransformerEmbedder

TIMED = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("corpora", type=Path, nargs="+", metavar="CORPUS_DIR")
    parser.add_argument("--home", type=Path, help="keep the Datanets here, for the next run")
    parser.add_argument("--out", type=Path, default=Path("bench/results"))
    parser.add_argument("--questions", type=int, help="only the first so many of each corpus")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = arguments.home or Path(temporary)
        every = [_judge(home, folder, arguments.questions) for folder in arguments.corpora]
    missed = [line for measured in every for line in below_bar(measured)]
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "judge.json").write_text(json.dumps(every, indent=1))
    plot(every, arguments.out / "judge.png")
    for line in missed:
        print(f"below the bar: {line}", file=sys.stderr)
    print(json.dumps({"corpora": every, "below_bar": missed, "passed": not missed}))
    sys.exit(1 if missed else 0)


def _judge(home: Path, folder: Path, limit: int | None) -> dict[str, Any]:
    corpus = read_corpus(folder)
    ingest(home, corpus.name, corpus.documents)
    library, embedder = Library(home), SentenceTransformerEmbedder(for_questions=True)
    answerer = Answerer(library, embedder, {"extractive": Extractive()}, "extractive")
    questions = corpus.questions[:limit]
    asked = []
    snapshot = library.snapshot(corpus.name)
    for one in ask(answerer, snapshot, embedder, corpus.name, questions):
        asked.append(one)
        if len(asked) % 100 == 0:
            print(f"{corpus.name}: {len(asked)} of {len(questions)}", file=sys.stderr)
    taken = costs(answerer, corpus.name, questions[:TIMED])
    measured = measure(corpus.name, asked, taken)
    print(table(measured) + "\n")
    return measured


if __name__ == "__main__":
    main()
