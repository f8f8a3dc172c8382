"""A contributor's statement: every line once, with a proof that the pool confirms."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.engine import Connection

from cli.main import footnote
from cli.stack import give_coin
from footnote.addresses import Address, format_address
from footnote.errors import Invalid, NotFound
from footnote.model import Contributor
from rewards.journal.journal import Journal
from rewards.journal.records import Wanted
from rewards.record import Recorder
from rewards.statement import COLUMNS, as_csv, as_json, formula_safe, statement, totals
from tests.money import (
    Place,
    Pool,
    address,
    answer,
    deployed,
    document,
    journal_at,
    mined,
    new_key,
    paying,
    place,
    supported,
)

DAY = 86_400
BEGIN = (int(time.time()) // DAY + 2) * DAY
"""A midnight that the signer's term covers."""

ALICE = new_key()


def paying_alice(name: str, share_bps: int = 10_000) -> Any:
    cited = document(name, (2, 10_000))
    others = () if share_bps == 10_000 else (Contributor(address(2), 10_000 - share_bps, None),)
    shares = (Contributor(ALICE.address, share_bps, "Alice"), *others)
    return answer([supported(1, replace(cited, contributors=shares))])


@pytest.fixture(scope="module")
def at(instant_pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Alice is paid by three receipts of one batch, claims, and waits for a fourth."""
    folder = tmp_path_factory.mktemp("statement")
    made = place(deployed(instant_pool.url, instant_pool.chain), folder)
    give_coin(instant_pool.url, format_address(ALICE.address), 10**18)
    now = [BEGIN + DAY / 2]
    recorder = Recorder(made.journal, made.signer, clock=lambda: now[0])
    for name in ("one", "=two", "three"):
        recorder.record(paying_alice(name, 6_000))
        now[0] += DAY
    made.record(5)
    made.settle()
    chain = made.pool.chain
    claim = chain._pool(made.pool.ledger).functions.claim(format_address(ALICE.address))
    mined(chain, chain._transact(ALICE, claim))
    head = chain.head()
    claimed = chain.claims(made.pool.ledger, made.pool.ledger.deployment_block, head)
    made.journal.add_claims(made.ledger_id, claimed, 0, head)
    recorder.record(paying_alice("four"))
    return made


def shown(journal: Journal, account: Address, **wanted: Any) -> list[dict[str, Any]]:
    return [line.as_json() for line in statement(journal, account, Wanted(**wanted))]


def test_every_line_of_a_settled_batch_is_proved_to_the_pool(at: Place) -> None:
    lines = shown(at.journal, ALICE.address)
    assert {line["seq"]: line["status"] for line in lines} == {
        4: "pending", 2: "settled", 1: "settled", 0: "settled",
    }  # fmt: skip
    for line in lines:
        assert (line["proof"] is None) == (line["batch_id"] is None) == (line["seq"] == 4)
        if line["proof"]:
            batch_id, leaf = (bytes.fromhex(line[name][2:]) for name in ("batch_id", "leaf"))
            proof = [bytes.fromhex(node[2:]) for node in line["proof"]]
            assert at.pool.chain.verify_receipt(at.pool.ledger, batch_id, leaf, proof)
            assert not at.pool.chain.verify_receipt(at.pool.ledger, batch_id, leaf, proof[1:])


def test_totals_by_ledger_are_what_the_lines_come_to(at: Place) -> None:
    lines = shown(at.journal, ALICE.address)
    (total,) = totals(at.journal, ALICE.address, at.journal.earned(ALICE.address))
    settled = sum(int(line["amount"]) for line in lines if line["status"] == "settled")
    pending = sum(int(line["amount"]) for line in lines if line["status"] == "pending")
    assert (total.settled, total.pending, total.withdrawn, total.claimable) == (
        settled, pending, settled, 0,
    )  # fmt: skip
    assert settled == 3 * 15 * 10**14
    assert pending == 25 * 10**14


def test_dates_are_utc_days_and_a_datanet_can_be_named(at: Place) -> None:
    of = at.journal, ALICE.address
    assert [line["seq"] for line in shown(*of, since=BEGIN + DAY, until=BEGIN + 2 * DAY)] == [1]
    assert [line["seq"] for line in shown(*of, until=BEGIN + DAY)] == [0]
    assert shown(*of, datanet="rfcs") == []
    assert len(shown(*of, datanet="eips")) == 4


class _Counting:
    """Counts the statements that a journal executes."""

    def __init__(self, journal: Journal) -> None:
        self.asked: list[str] = []
        sa.event.listen(journal._engine, "before_cursor_execute", self)

    def __call__(self, _1: Connection, _2: Any, text: str, *_3: Any) -> None:
        self.asked.append(text)


def test_the_leaves_of_a_batch_are_read_once_for_all_its_lines(at: Place, tmp_path: Path) -> None:
    journal = journal_at(at.folder)
    counting = _Counting(journal)
    assert sum(line["proof"] is not None for line in shown(journal, ALICE.address)) == 3
    assert len([text for text in counting.asked if "receipts.leaf" in text.split("FROM")[0]
                and "lines" not in text]) == 1  # fmt: skip
    journal.close()


# CSV and JSON


def test_csv_has_one_row_for_each_line_and_runs_nothing(at: Place) -> None:
    text = "".join(as_csv(statement(at.journal, ALICE.address, Wanted())))
    assert text.count("\r\n") == text.count("\n") == 5
    head, *rows = list(csv.reader(io.StringIO(text, newline="")))
    assert tuple(head) == COLUMNS
    found = [dict(zip(head, row, strict=True)) for row in rows]
    assert {row["document_id"] for row in found} == {"one", "'=two", "three", "four"}
    for row, line in zip(found, shown(at.journal, ALICE.address), strict=True):
        assert row["amount"] == line["amount"]
        assert row["proof"].split() == (line["proof"] or [])
        assert row["batch_id"] == (line["batch_id"] or "")


@pytest.mark.parametrize(
    ("text", "safe"),
    [("eip-1153", "eip-1153"), ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@a", "'@a"),
     ("\t=1", "'\t=1"), ("\r=1", "' =1"), ("＝1", "'＝1"), ("a\nb", "a b"), ("a\u2028b", "a b"),
     ("a=1", "a=1"), ("", "")],
)  # fmt: skip
def test_free_text_starts_no_formula_and_stays_on_its_line(text: str, safe: str) -> None:
    assert formula_safe(text) == safe


def test_quotes_and_separators_in_free_text_stay_in_their_cell(tmp_path: Path) -> None:
    journal = journal_at(tmp_path)
    Recorder(journal, None).record(answer([supported(1, document('a,"b";=c'))]))
    text = "".join(as_csv(statement(journal, address(1), Wanted())))
    (row,) = list(csv.DictReader(io.StringIO(text, newline="")))
    assert row["document_id"] == 'a,"b";=c'
    assert '"a,""b"";=c"' in text
    journal.close()


def test_json_is_one_object_with_lines_and_totals(at: Place) -> None:
    of_ledgers = totals(at.journal, ALICE.address, at.journal.earned(ALICE.address))
    lines = statement(at.journal, ALICE.address, Wanted())
    body = json.loads("".join(as_json(ALICE.address, lines, of_ledgers)))
    assert body["address"] == format_address(ALICE.address)
    assert body["lines"] == shown(at.journal, ALICE.address)
    assert [total["claimable"] for total in body["totals"]] == ["0"]
    nobody = json.loads("".join(as_json(address(99), iter(()), ())))
    assert (nobody["lines"], nobody["totals"]) == ([], [])


# Pages


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = journal_at(tmp_path)
    yield made
    made.close()


def pages(journal: Journal, size: int) -> Iterator[list[tuple[str, int, int]]]:
    wanted = Wanted()
    while page := journal.earnings(address(1), wanted, size):
        yield [(one.datanet, one.seq, one.position) for one in page]
        wanted = Wanted(after=(page[-1].digest, page[-1].position))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_pages_hold_every_line_once_whatever_their_size(journal: Journal, size: int) -> None:
    """Several Datanets with the same numbers in the same second, several lines to a receipt."""
    recorder = Recorder(journal, None, clock=lambda: 1_800_000_000.0)
    for datanet in ("eips", "rfcs", "peps"):
        for _ in range(3):
            cited = [supported(n, document(f"d{n}")) for n in (1, 2)]
            recorder.record(answer(cited, datanet=datanet))
    found = [line for page in pages(journal, size) for line in page]
    assert len(found) == len(set(found)) == 18
    assert found == [line for page in pages(journal, 100) for line in page]


def test_what_is_issued_meanwhile_moves_no_page(journal: Journal) -> None:
    now = [1_800_000_000.0]
    recorder = Recorder(journal, None, clock=lambda: now[0])
    for _ in range(6):
        recorder.record(paying(1))
        now[0] += 1
    before = [line for page in pages(journal, 2) for line in page]
    found = []
    for page in pages(journal, 2):
        found += page
        recorder.record(paying(1))
        now[0] += 1
    assert found == before


def test_a_cursor_that_names_no_line_is_refused(journal: Journal) -> None:
    with pytest.raises(Invalid, match="names no line"):
        journal.earnings(address(1), Wanted(after=(bytes(32), 0)), 1)


# The command


def test_the_command_prints_lines_and_totals(at: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTNOTE_HOME", str(at.folder))
    alice = format_address(ALICE.address)
    second = datetime.fromtimestamp(BEGIN + DAY, UTC).strftime("%F")
    told = CliRunner().invoke(footnote, ["statement", alice])
    assert told.exit_code == 0, told.output
    assert "=two 47..93  1500000000000000 settled" in told.output
    assert "withdrawn 4500000000000000, claimable 0" in told.output
    body = CliRunner().invoke(footnote, ["statement", alice, "--json", "--since", second])
    assert [line["seq"] for line in json.loads(body.output)["lines"]] == [4, 2, 1]
    text = CliRunner().invoke(
        footnote, ["statement", alice, "--csv", "--until", second, "--datanet", "eips"]
    )
    assert text.stdout_bytes.count(b"\r\n") == 3
    nothing = CliRunner().invoke(footnote, ["statement", "0x" + "ab" * 20])
    assert nothing.output.endswith("nothing\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [(["0x12"], Invalid), (["0x" + "ab" * 20, "--since", "yesterday"], Invalid),
     (["0x" + "ab" * 20, "--until", "9999-12-31"], Invalid),
     (["0x" + "ab" * 20, "--datanet", "none"], NotFound)],
)  # fmt: skip
def test_the_command_refuses_what_it_cannot_read(
    at: Place, monkeypatch: pytest.MonkeyPatch, arguments: list[str], error: type[Exception]
) -> None:
    monkeypatch.setenv("FOOTNOTE_HOME", str(at.folder))
    told = CliRunner().invoke(footnote, ["statement", *arguments])
    assert isinstance(told.exception, error), told.output
