"""Every question of a labelled corpus over HTTP, and every promise of an answer checked.

    python -m bench.answers CORPUS_DIR [--home HOME --datanet NAME] [--bar 0.83]

Starts ``footnote serve`` without chain, Redis or worker, over a home of its own into which the
corpus is ingested first, unless one is given. Reports how often a right document is cited first
(refusals count as wrong), and counts broken promises: a span that does not rebuild its quote, a
hash or claim span that does not match, weights that sum to neither 1,000,000 nor 0. The bar is on
the first; the second must be 0.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from cli.stack import FOOTNOTE, Stack, clean_environment, free_port


def labelled(corpus: Path) -> list[tuple[str, set[str]]]:
    """Questions with the ids of their right documents; none where the corpus says so."""
    right: dict[str, set[str]] = {}
    for line in (corpus / "qrels.tsv").read_text().splitlines()[1:]:
        question, document, _ = line.split("\t")
        right.setdefault(question, set()).add(document)
    queries = (json.loads(line) for line in (corpus / "queries.jsonl").read_text().splitlines())
    return [(query["text"], right.get(query["_id"], set())) for query in queries]


def texts(corpus: Path) -> dict[str, str]:
    """Texts by document id."""
    lines = (corpus / "documents.jsonl").read_text().splitlines()
    return {row["id"]: row["text"] for row in map(json.loads, lines)}


def broken_promises(answer: dict[str, Any], stored: dict[str, str]) -> list[str]:
    """What in ``answer`` does not hold against the texts that were given."""
    found = []
    for citation in answer["citations"]:
        span, text = citation["source_span"], stored[citation["source"]["document_id"]]
        quote = text[span["start"] : span["end"]]
        if quote != citation["cited_text"]:
            found.append("a span does not rebuild its quote")
        if hashlib.sha256(quote.encode()).hexdigest() != citation["cited_text_sha256"]:
            found.append("a quote's hash does not match")
        version = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        if version != citation["source"]["version"]:
            found.append("a version is not the text's hash")
        if len(quote) > 1_000:
            found.append("a quote is too long")
    for claim in answer["claims"]:
        if answer["text"][claim["start"] : claim["end"]] != claim["text"]:
            found.append("a claim's span does not match")
    weights = sum(citation["reward"]["weight_ppm"] for citation in answer["citations"])
    if weights not in (0, 1_000_000) or (answer["refused"] and answer["citations"]):
        found.append("weights do not sum")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--home", type=Path, help="a home that holds the corpus already")
    parser.add_argument("--datanet", default="bench")
    parser.add_argument("--bar", type=float, default=0.83)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = arguments.home or Path(temporary)
        environment = clean_environment(HOME=str(home))
        if arguments.home is None:
            documents = str(arguments.corpus / "documents.jsonl")
            command = [*FOOTNOTE, "ingest", arguments.datanet, documents]
            subprocess.run(command, env=environment, check=True)
        with Stack(Path(temporary), environment) as stack:
            port = free_port()
            began = time.perf_counter()
            stack.start("api", [*FOOTNOTE, "serve", "--port", str(port)])
            stack.wait_http(f"http://127.0.0.1:{port}/readyz")
            result = _ask_all(f"http://127.0.0.1:{port}", arguments, began)
    result["bar"] = arguments.bar
    result["passed"] = result["right_first"] >= arguments.bar and not result["broken_promises"]
    print(json.dumps(result))
    sys.exit(0 if result["passed"] else 1)


def _ask_all(api: str, arguments: argparse.Namespace, began: float) -> dict[str, Any]:
    stored, questions = texts(arguments.corpus), labelled(arguments.corpus)
    right = refused = unanswerable = rightly_refused = 0
    broken: list[str] = []
    milliseconds: list[float] = []
    first_answer_seconds = 0.0
    with httpx.Client(base_url=api, timeout=60) as client:
        for number, (question, documents) in enumerate(questions):
            asked = time.perf_counter()
            reply = client.post(
                "/v1/answers", json={"datanet": arguments.datanet, "question": question}
            )
            reply.raise_for_status()
            answer = reply.json()
            milliseconds.append((time.perf_counter() - asked) * 1_000)
            first_answer_seconds = first_answer_seconds or time.perf_counter() - began
            broken += broken_promises(answer, stored)
            unanswerable += not documents
            rightly_refused += answer["refused"] and not documents
            refused += answer["refused"] and bool(documents)
            cited = [c["source"]["document_id"] for c in answer["citations"]]
            right += bool(cited) and cited[0] in documents
            if number % 100 == 99:
                print(f"{number + 1} of {len(questions)}", file=sys.stderr)
    answerable = max(len(questions) - unanswerable, 1)
    return {
        "questions": len(questions),
        "right_first": round(right / answerable, 4),
        "false_refusals": round(refused / answerable, 4),
        "unanswerable_refused": round(rightly_refused / max(unanswerable, 1), 4),
        "broken_promises": sorted(set(broken)),
        "median_ms": round(sorted(milliseconds)[len(milliseconds) // 2], 1),
        "first_answer_seconds": round(first_answer_seconds, 2),
    }


if __name__ == "__main__":
    main()
