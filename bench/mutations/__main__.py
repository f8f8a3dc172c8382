"""Whether what checks citations catches wrong ones and leaves right ones alone.

    python -m bench.mutations CORPUS_DIR... [--seed 1] [--limit 200] [--examples 0]

Takes folders in the layout of ``documents.jsonl`` with, where there are any, ``queries.jsonl`` and
``evidence.jsonl``. Every claim and source follows from the folder and the seed. Prints a table for
each corpus and one JSON object last; exits 1 below a bar.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from bench.mutations.corpus import read_corpus
from bench.mutations.generator import cases
from bench.mutations.report import Judged, bars, kinds, rejected, table
from bench.mutations.schemes import Ours, Remembering, Scheme, schemes_of_the_field
from rag.checking.verifier import Verifier
from rag.models.embedder import SentenceTransformerEmbedder

OURS = "footnote"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("corpora", nargs="+", type=Path, metavar="CORPUS_DIR")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=int, default=200, help="the most cases of a kind")
    parser.add_argument("--examples", type=int, default=0, help="wrongly judged cases to show")
    arguments = parser.parse_args()
    embedder = SentenceTransformerEmbedder(for_questions=True)
    judged: list[Judged] = []
    milliseconds: list[float] = []
    verifier: dict[str, Any] = {}
    for folder in arguments.corpora:
        made = cases(read_corpus(folder, arguments.seed), arguments.seed, arguments.limit)
        known = Remembering(embedder, [text for one in made for text in (one.claim, one.cited)])
        ours = Ours(Verifier(known), milliseconds)
        verifier = dict(ours.verifier.definition.body)
        schemes: dict[str, Scheme] = {OURS: ours, **schemes_of_the_field(known)}
        here = [Judged(folder.name, one, {n: s(one) for n, s in schemes.items()}) for one in made]
        print(f"{folder.name}: {len(here)} cases\n{table(here, list(schemes))}\n", flush=True)
        _show(here, arguments.examples)
        judged += here
    result = _result(judged, statistics.median(milliseconds or [0.0]))
    print(json.dumps({"seed": arguments.seed, "verifier": verifier, **result}))
    sys.exit(0 if result["passed"] else 1)


def _show(judged: list[Judged], count: int) -> None:
    """Some cases that our verifier judged wrongly, of each kind."""
    for key in kinds(judged):
        wrong = [
            one.case
            for one in judged
            if (one.case.base, one.case.group, one.case.kind) == key
            and one.accepted[OURS] != one.case.holds
        ]
        for case in wrong[:count]:
            print(f"{key[2]}\n  claim:  {case.claim}\n  source: {case.cited}\n  of: {case.title}")


def _result(judged: list[Judged], median: float) -> dict[str, Any]:
    schemes = list(judged[0].accepted) if judged else [OURS]
    by_kind = {
        corpus: [
            {"base": base, "group": group, "kind": kind}
            | {
                scheme: rejected(
                    (
                        j
                        for j in judged
                        if j.corpus == corpus
                        and (j.case.base, j.case.group, j.case.kind) == (base, group, kind)
                    ),
                    scheme,
                ).as_json()
                for scheme in schemes
            }
            for base, group, kind in kinds([j for j in judged if j.corpus == corpus])
        ]
        for corpus in dict.fromkeys(j.corpus for j in judged)
    }
    halves = {
        name: bars([j for j in judged if j.case.half == half], OURS, median)
        for half, name in enumerate(("chosen on", "untouched"))
    }
    overall = bars(judged, OURS, median)
    field = {scheme: bars(judged, scheme, 0.0)[:-1] for scheme in schemes if scheme != OURS}
    for bar in overall:
        value = bar.get("rate", bar.get("value"))
        print(f"{'ok  ' if bar['reached'] else 'LOW '}{bar['bar']}: {value}")
    return {
        "passed": bool(judged) and all(bar["reached"] for bar in overall),
        "bars": overall,
        "halves": halves,
        "field": field,
        "corpora": by_kind,
    }


if __name__ == "__main__":
    main()
