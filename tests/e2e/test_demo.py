"""The whole story, as a stranger runs it: ``footnote demo --once --json``."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import psutil
import pytest

from cli.stack import FOOTNOTE, anvil_path, clean_environment, redis_path
from footnote.errors import Misconfigured
from footnote.model import Usage
from rewards.policy import Policy
from tests.conftest import CHECKOUT, required


@pytest.fixture(autouse=True)
def services() -> None:
    try:
        anvil_path(CHECKOUT)
        redis_path()
    except Misconfigured as error:
        required(error.what)


def processes_of(folder: Path) -> list[psutil.Process]:
    """Every process that has to do with this demo."""
    found = []
    for process in psutil.process_iter():
        try:
            about = [*process.cmdline(), process.environ().get("FOOTNOTE_HOME", "")]
        except (psutil.Error, OSError):
            continue
        if any(str(folder) in text for text in about) and process.pid != os.getpid():
            found.append(process)
    return found


def test_the_demo_pays_every_contributor_to_the_last_unit_and_leaves_nothing_running(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "demo"
    done = subprocess.run(
        [*FOOTNOTE, "demo", "--once", "--json", "--dir", str(folder)],
        env=clean_environment(), cwd=tmp_path, capture_output=True, text=True, check=False,
        timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3_000:]
    result = json.loads(done.stdout.splitlines()[-1])
    reconciliation = result["reconciliation"]
    assert reconciliation["difference"] == "0"
    assert int(reconciliation["owed"]) > 0
    assert reconciliation["owed"] == reconciliation["credited"]
    cited = [answer for answer in result["answers"] if answer["citations"]]
    assert len(cited) >= 4
    modelled = cited[-1]
    assert modelled["text"] == "The owner of the harbour lighthouse is Clara Costa. [1]"
    assert [c["verdict"] for c in modelled["citations"]] == ["supported"]
    assert modelled["receipt"]["adapter"].startswith("sha256:")
    policy = Policy()
    hosted = policy.parts(policy.fee(Usage(**modelled["usage"]))).model_host
    earned = sum(int(c["reward"]["amount"]) for answer in cited for c in answer["citations"])
    assert hosted > 0
    assert str(earned + hosted) == reconciliation["owed"]
    assert {c["reward"]["status"] for answer in cited for c in answer["citations"]} == {"settled"}
    assert result["batches"]
    for batch in result["batches"]:
        assert batch["status"] == "final"
        assert len(bytes.fromhex(batch["tx_hash"][2:])) == 32
    assert {batch["datanet"] for batch in result["batches"]} == {"footnote", "town"}
    assert sum(int(batch["total"]) for batch in result["batches"]) == earned + hosted
    assert processes_of(folder) == []
    for log in (folder / "logs").glob("*.log"):
        text = log.read_text(errors="replace")
        assert "Traceback" not in text, log
        for answer in cited:
            assert answer["question"] not in text, log


def test_a_demo_empties_no_folder_but_its_own(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "owner.json").write_text("precious")
    done = subprocess.run(
        [*FOOTNOTE, "demo", "--once", "--dir", str(tmp_path)],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 65
    assert "is not empty and no demo's" in done.stderr
    assert (keys / "owner.json").read_text() == "precious"
