"""From an empty folder to a paid contributor with the commands alone, as an operator runs them."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.stack import FOOTNOTE, clean_environment, give_coin
from rewards.chain import EvmChain
from rewards.journal.journal import Journal
from rewards.keys import create_key, read_key
from rewards.published import receipt_object
from rewards.record import Recorder
from tests.conftest import rpc
from tests.money import Pool, answer, document, supported


@dataclass(frozen=True)
class Operator:
    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [*FOOTNOTE, *arguments], env=self.environment, capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    def json(self, *arguments: str) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.run(*arguments).splitlines()[-1])
        return body


@pytest.fixture
def operator(tmp_path: Path, final_pool: Pool) -> Operator:
    settings = {
        "HOME": str(tmp_path), "RPC_URL": final_pool.url, "BATCH_AGE_SECONDS": "0",
        "POLL_SECONDS": "0.2",
    }  # fmt: skip
    for name in ("owner", "signer", "distributor"):
        keystore, passphrase = tmp_path / f"{name}.json", tmp_path / f"{name}.pass"
        create_key(keystore, passphrase, iterations=2)
        settings[f"{name.upper()}_KEYSTORE"] = str(keystore)
        settings[f"{name.upper()}_PASSPHRASE_FILE"] = str(passphrase)
        give_coin(final_pool.url, "0x" + json.loads(keystore.read_text())["address"], 10**21)
    return Operator(tmp_path, clean_environment(**settings))


def test_deploy_register_fund_answer_settle_audit_and_verify(
    operator: Operator, final_pool: Pool
) -> None:
    ledger = operator.json("deploy")
    assert ledger["chain_id"] == 31337
    registered = operator.json("register", "eips")
    assert registered["ledger_id"] == ledger["ledger_id"]
    again = operator.json("register", "eips")
    assert again["datanet_id"] == registered["datanet_id"], "running it twice changes nothing"
    funded = operator.json("fund", "eips", "1.5")
    assert funded["funds"] == str(15 * 10**17)

    journal = Journal(f"sqlite:///{operator.folder / 'journal.sqlite'}")
    signer = read_key(operator.folder / "signer.json", operator.folder / "signer.pass", "x")
    body = Recorder(journal, signer).record(
        answer([supported(1, document("a", (901, 6_000), (902, 4_000)))])
    )
    ledger_id = bytes.fromhex(ledger["ledger_id"][2:])

    receipt = operator.folder / "receipt.json"
    digest = bytes.fromhex(body["receipt"]["id"][2:])
    receipt.write_text(json.dumps(receipt_object(journal, digest)))
    said = operator.run("verify", str(receipt), code=69)
    assert "the source is not at hand" in said, "a text that is nowhere stays unchecked"
    assert "FAIL" not in said
    assert "pending" in said

    operator.run("worker", "--once")
    assert [batch.stage for batch in journal.batches(ledger_id)] == ["final"]
    owed = journal.owed_in(ledger_id)
    pool = next(one for one in journal.ledgers() if one.ledger_id == ledger_id)
    chain: EvmChain = final_pool.chain
    assert chain.credits(pool, sorted(owed), "latest") == owed
    assert sum(owed.values()) == 25 * 10**14

    audited = operator.json("audit", "--json")
    assert (audited["difference"], audited["differences"]) == ("0", [])
    assert audited["credited"] == str(sum(owed.values()))

    operator.run("verify", str(receipt), code=65)  # settled meanwhile: fetch it again
    saved = receipt_object(journal, digest)
    receipt.write_text(json.dumps(saved))
    assert "FAIL" not in operator.run("verify", str(receipt), code=69)
    operator.run("verify", str(receipt), "--offline")
    saved["lines"][0]["amount"] = str(int(saved["lines"][0]["amount"]) + 1)
    receipt.write_text(json.dumps(saved))
    assert "FAIL" in operator.run("verify", str(receipt), "--offline", code=65)

    with journal._writing() as connection:
        connection.exec_driver_sql("UPDATE lines SET amount = '7' WHERE position = 0")
    told = operator.run("audit", code=70)
    assert "is not the journal's" in told
    journal.close()
    assert rpc(final_pool.url, "eth_chainId") == "0x7a69"
