"""``footnote tune`` as its user runs it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from cli.stack import FOOTNOTE, clean_environment
from tests.conftest import CHECKOUT

HANDBOOK = CHECKOUT / "examples" / "handbook"
LABELS = CHECKOUT / "bench" / "handbook_questions.jsonl"


def footnote(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(HOME=str(home))
    return subprocess.run(
        [*FOOTNOTE, *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_a_datanet_is_fitted_to_its_questions_and_answers_by_it(home: Path, tmp_path: Path) -> None:
    assert footnote(home, "ingest", "handbook", str(HANDBOOK)).returncode == 0
    questions = tmp_path / "questions.jsonl"
    rows = [json.loads(line) for line in LABELS.read_text("utf-8").splitlines()]
    questions.write_text(
        "".join(
            json.dumps(
                {
                    "question": row["question"],
                    "documents": [row["document"]] if row["document"] else [],
                }
            )
            + "\n"
            for row in rows
        )
    )
    before = json.loads(footnote(home, "show", "handbook", "--json").stdout)
    tried = footnote(home, "tune", "handbook", str(questions), "--dry-run", "--json")
    assert tried.returncode == 0, tried.stderr
    assert json.loads(tried.stdout)["snapshot"] is None
    assert json.loads(footnote(home, "show", "handbook", "--json").stdout) == before
    done = footnote(home, "tune", "handbook", str(questions), "--json")
    fitted = json.loads(done.stdout)
    weight, refusal = fitted["weight"], fitted["refusal"]
    assert weight["after"] >= max(weight["before"], weight["dense_alone"], weight["lexical_alone"])
    assert refusal["false_refusals"] <= 0.07
    assert fitted["snapshot"] != before["snapshot"]
    manifests = list((home / "datanets" / "handbook" / "snapshots").glob("*/manifest.json"))
    bodies = [json.loads(path.read_text()) for path in manifests]
    (tuned,) = [body for body in bodies if "calibration" in body]
    assert tuned["fusion"]["dense_weight"] == str(weight["dense_weight"])
    assert float(tuned["calibration"]["bar"]) == refusal["calibration"]["bar"]
    again = json.loads(footnote(home, "rebuild", "handbook", "--json").stdout)
    assert again["chunks_embedded"] == 0
    kept = json.loads(
        (home / "datanets" / "handbook" / "snapshots" / again["snapshot"][7:23] / "manifest.json")
        .read_text()
    )  # fmt: skip
    assert kept["calibration"] == tuned["calibration"], "a rebuild keeps what was fitted"


def test_labels_that_name_no_document_are_refused(home: Path, tmp_path: Path) -> None:
    footnote(home, "ingest", "handbook", str(HANDBOOK))
    questions = tmp_path / "questions.jsonl"
    row = json.dumps({"question": "What is it?", "documents": ["nowhere.md"]})
    questions.write_text(f"{row}\n" * 12)
    refused = footnote(home, "tune", "handbook", str(questions))
    assert refused.returncode != 0
    assert "such as nowhere.md" in refused.stderr
    questions.write_text(f"{row}\n" * 3)
    assert "only 3 of the questions" in footnote(home, "tune", "handbook", str(questions)).stderr
