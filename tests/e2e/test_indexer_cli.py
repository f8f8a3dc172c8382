"""The commands of documents as a user runs them, each a process of its own."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rag.index.datanets import datanet_folder
from rag.index.snapshot import open_current, published_names
from tests.conftest import CHECKOUT
from tests.corpus import ALICE, fields, stored_texts, write_lines

MANY = [
    fields(f"d{i}", f"Tale {i} tells of a fox, a crow and {i * 37} grapes.") for i in range(1_400)
]


def environment(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("FOOTNOTE_")}
    return {**kept, "FOOTNOTE_HOME": str(home), "OMP_NUM_THREADS": "1"}


def start(home: Path, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT,
        env=environment(home),
    )  # fmt: skip


def footnote(home: Path, *arguments: object, exit_code: int = 0) -> tuple[str, str]:
    process = start(home, *arguments)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == exit_code, errors
    assert "Traceback" not in errors
    return output, errors


def as_json(output: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(output.splitlines()[-1])
    return report


def test_a_folder_becomes_a_datanet_and_its_documents_can_be_shown(
    home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "fox.md").write_text("# The fox\n\nThe fox wants the grapes.")
    (folder / "crow.html").write_text("<title>The crow</title><p>The crow drops the cheese.")
    (folder / "bad.txt").write_bytes(b"\xff\xfe\x00")
    arguments = ("ingest", "fables", folder, "--license", "CC0-1.0", "--contributor", ALICE)
    output, errors = footnote(home, *arguments, "--json", exit_code=65)
    report = as_json(output)
    assert list(report) == [
        "added", "updated", "unchanged", "removed", "refused", "chunks", "chunks_embedded",
        "seconds", "snapshot",
    ]  # fmt: skip
    reason = "not UTF-8 text; convert it first"
    assert (report["added"], report["chunks"], report["chunks_embedded"]) == (2, 2, 2)
    assert report["refused"] == [{"id": "bad.txt", "reason": reason}]
    assert f"refused bad.txt: {reason}" in errors

    listed = as_json(footnote(home, "datanets", "--json")[0])["data"]
    assert [(d["id"], d["documents"], d["snapshot"]) for d in listed] == [
        ("fables", 2, report["snapshot"])
    ]
    shown = as_json(footnote(home, "show", "fables", "--json")[0])["data"]
    assert [(d["id"], d["title"]) for d in shown] == [
        ("crow.html", "The crow"),
        ("fox.md", "The fox"),
    ]
    text, _ = footnote(home, "show", "fables", "fox.md", "--text")
    assert text == "# The fox\n\nThe fox wants the grapes."

    (folder / "bad.txt").unlink()
    (folder / "crow.html").unlink()
    report = as_json(footnote(home, *arguments, "--prune", "--json")[0])
    assert (report["unchanged"], report["removed"], report["chunks_embedded"]) == (1, 1, 0)
    footnote(home, "remove", "fables", "fox.md")
    assert stored_texts(home, "fables") == {}


@pytest.mark.parametrize(
    ("arguments", "exit_code", "line"),
    [
        (("ingest", "Bad Name", "tests"), 65, "not a Datanet's name"),
        (("ingest", "fables", "nothing.md"), 66, "nothing.md does not exist"),
        (("ingest", "fables", "Makefile"), 65, "Makefile is of a kind that no reader knows"),
        (("ingest", "fables", "tests", "--contributor", "0x1"), 65, "not an Ethereum address"),
        (("ingest", "fables"), 64, "Missing argument 'PATHS...'"),
        (("show", "fables"), 66, "no such Datanet"),
        (("remove", "fables", "a"), 66, "no such Datanet"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(
    home: Path, arguments: tuple[str, ...], exit_code: int, line: str
) -> None:
    output, errors = footnote(home, *arguments, exit_code=exit_code)
    assert output == ""
    assert errors.startswith(f"footnote: error: {line}: ")
    assert errors.count("\n") == 1


def cached(home: Path) -> int:
    """How many vectors the cache holds, 0 before there is one."""
    path = home / "cache" / "embeddings.sqlite"
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            (count,) = connection.execute("SELECT count(*) FROM embeddings").fetchone()
        finally:
            connection.close()
    except sqlite3.OperationalError:
        return 0
    return int(count)


def test_killed_at_any_moment_the_earlier_snapshot_stays_whole_and_the_rerun_goes_on(
    home: Path, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "in.jsonl", MANY[:2])
    first = as_json(footnote(home, "ingest", "tales", path, "--json")[0])
    before = stored_texts(home)
    write_lines(path, [*MANY[:1], fields("d1", "A new text."), *MANY[2:]])
    folder = datanet_folder(home, "tales")
    published = published_names(folder)
    dice = random.Random()
    kept = 0
    for least in (0, dice.randint(3, 513), dice.randint(514, 1_025), 1_400):
        process = start(home, "ingest", "tales", path, "--json")
        deadline = time.monotonic() + 60
        while process.poll() is None and cached(home) < least and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(dice.uniform(0, 4.0 if least == 0 else 0.15))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
        assert cached(home) >= max(least, kept), "what was embedded is lost"
        kept = cached(home)
        if published_names(folder) == published:
            assert open_current(folder).manifest.snapshot_hex == first["snapshot"]
            assert stored_texts(home) == before
        else:  # the rename came first: then all of it is there
            assert len(stored_texts(home)) == len(MANY)
    if published_names(folder) == published:
        report = as_json(footnote(home, "ingest", "tales", path, "--json")[0])
        assert (report["added"], report["updated"], report["unchanged"]) == (1_398, 1, 1)
        assert report["chunks_embedded"] <= 1_401 - kept
    assert stored_texts(home) == {f["id"]: f["text"] for f in MANY} | {"d1": "A new text."}
    assert {p.name for p in folder.snapshots.iterdir()} == set(published_names(folder))


def test_of_two_ingests_at_once_the_second_is_told_to_try_again(home: Path, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "in.jsonl", MANY)
    first = start(home, "ingest", "tales", path, "--json")
    deadline = time.monotonic() + 60
    while not datanet_folder(home, "tales").texts.exists() and time.monotonic() < deadline:
        time.sleep(0.002)  # what it makes once it has the lock
    os.kill(first.pid, signal.SIGSTOP)
    try:
        output, errors = footnote(home, "ingest", "tales", path, "--json", exit_code=75)
    finally:
        os.kill(first.pid, signal.SIGCONT)
    assert output == ""
    assert errors == (
        "footnote: error: another process is ingesting into tales: wait for it, then try again\n"
    )
    first.communicate(timeout=120)
    assert first.returncode == 0
    assert len(stored_texts(home)) == 1_400
