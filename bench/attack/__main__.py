"""What an attacker gains, and what honest contributors lose.

    python -m bench.attack CORPUS_DIR... [--documents 250] [--questions 120] [--only NAME]

For each corpus: ingests honest documents and asks labelled questions; then, for each attack, adds
the attacker's documents and asks again. Every document that a question is about is attacked at
once. Where a folder ``<corpus>-dups`` lies beside a corpus, its older revisions are submitted by
the attacker too. Ends with one JSON object; the exit status is 1 where something is below its bar.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.attack.arena import HONEST, Arena, Earned, attacker_gain, honest_loss
from bench.attack.attacks import Attack, Row, Target, every_attack
from bench.attack.self_asking import drained

MOST_LOST = 2.0
"""Percent of the pool that honest contributors may lose to any attack."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("corpora", type=Path, nargs="*", metavar="CORPUS_DIR")
    parser.add_argument("--documents", type=int, default=250, help="honest ones of each corpus")
    parser.add_argument("--questions", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", help="this attack; may be repeated")
    parser.add_argument("--cache", type=Path, help="an embedding cache to use and add to")
    arguments = parser.parse_args()
    results = [_attacked(folder, arguments) for folder in arguments.corpora]
    self_asking = drained()
    missed = [
        f"{result['corpus']}: {one['attack']}"
        for result in results
        for one in result["attacks"]
        if not one["passed"]
    ]
    missed += [] if self_asking["passed"] else ["self-questions"]
    print(
        json.dumps(
            {"corpora": results, "self_questions": self_asking, "below_bar": missed,
             "passed": not missed}
        )
    )  # fmt: skip
    sys.exit(1 if missed else 0)


def _attacked(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    rows = {row["id"]: row for row in _rows(folder / "documents.jsonl")}
    dice = random.Random(arguments.seed)
    targets = _targets(folder, rows, dice)[: arguments.questions]
    about = {target.row["id"] for target in targets}
    others = [name for name in rows if name not in about]
    chosen = about | set(
        dice.sample(others, min(max(arguments.documents - len(about), 0), len(others)))
    )
    honest = [row for name, row in rows.items() if name in chosen]
    attacks = [
        attack
        for attack in every_attack(_revisions(folder))
        if not arguments.only or attack.name in arguments.only
    ]
    with tempfile.TemporaryDirectory() as home:
        arena = Arena(Path(home), arguments.cache or Path(home) / "cache.sqlite")
        _say(f"{folder.name}: {len(honest)} honest documents, {len(targets)} questions")
        arena.ingest(HONEST, honest)
        questions = [target.question for target in targets]
        before = arena.ask(HONEST, questions)
        found = [_one(arena, attack, honest, targets, before, arguments.seed) for attack in attacks]
    return {
        "corpus": folder.name, "documents": len(honest), "questions": len(targets),
        "pools_without_attack": round(before.pool, 2), "attacks": found,
    }  # fmt: skip


def _one(
    arena: Arena, attack: Attack, honest: list[Row], targets: list[Target], before: Earned,
    seed: int,
) -> dict[str, Any]:  # fmt: skip
    began = time.perf_counter()
    made = attack.make(targets, random.Random(seed))
    datanet = "attacked"
    if attack.first:
        arena.ingest(datanet, [{**row, "text": f"Nothing yet, {row['id']}."} for row in made])
        arena.ingest(datanet, honest)
    else:
        arena.copy(HONEST, datanet)
    arena.ingest(datanet, made)
    after = arena.ask(datanet, [target.question for target in targets])
    arena.forget(datanet)
    gain = attacker_gain(after)
    sources = {one["address"].lower() for target in targets for one in target.row["contributors"]}
    base = before.of(sources) if attack.copies else before.pool
    measured: dict[str, Any] = {
        "attack": attack.name,
        "documents": len(made),
        "gain_percent": round(100 * gain / base, 2) if base else 0.0,
        "of": "its sources" if attack.copies else "the pool",
        "honest_lose_percent": round(100 * honest_loss(before, after), 2),
        "bar_percent": attack.bar,
        "seconds": round(time.perf_counter() - began, 1),
    }
    low = attack.bar is None or measured["gain_percent"] <= attack.bar
    measured["passed"] = low and (
        attack.bar is None or measured["honest_lose_percent"] <= MOST_LOST
    )
    _say(
        f"{attack.name:<20} {measured['documents']:>5} documents gain "
        f"{measured['gain_percent']:>6.2f} % of {measured['of']:<11} honest lose "
        f"{measured['honest_lose_percent']:>6.2f} %"
        f"{'' if measured['passed'] else '  below the bar'}  ({measured['seconds']} s)"
    )
    return measured


def _targets(folder: Path, rows: dict[str, Row], dice: random.Random) -> list[Target]:
    """Labelled questions with the document that answers each, in an order of their own."""
    texts = {row["_id"]: row["text"] for row in _rows(folder / "queries.jsonl")}
    labels = folder / "qrels.tsv"
    found: dict[str, Target] = {}
    for line in labels.read_text("utf-8").splitlines()[1:]:
        question, document, _ = line.split("\t")
        found.setdefault(question, Target(rows[document], texts[question]))
    targets = list(found.values())
    dice.shuffle(targets)
    return targets


def _revisions(folder: Path) -> dict[str, Row]:
    path = folder.with_name(folder.name + "-dups") / "documents.jsonl"
    return {row["id"].split("@")[0]: row for row in _rows(path)} if path.exists() else {}


def _rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
