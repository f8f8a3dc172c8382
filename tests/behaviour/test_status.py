"""What the journal says of itself: to people, to machines, and to Prometheus."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from api.app import build_app, build_services
from cli.main import footnote
from cli.stack import FOOTNOTE, clean_environment, free_port
from footnote.addresses import format_address
from footnote.errors import Misconfigured, NotFound
from footnote.ids import keccak
from footnote.settings import Settings
from rewards.chain import EvmChain
from rewards.journal.journal import Journal
from rewards.ledger import Registration
from rewards.marks import Mark, Marks
from rewards.metrics import Doings, exposition, serve
from rewards.queue import Polling
from rewards.record import Recorder
from rewards.settler import Spending
from rewards.status import as_text, hold_of, status
from rewards.worker import Worker
from tests.conftest import rpc
from tests.corpus import WordEmbedder
from tests.money import FAR, Place, Pool, deployed, paying, place, refusal

Samples = dict[tuple[str, tuple[str, ...]], float]


@pytest.fixture
def here(instant_pool: Pool, tmp_path: Path) -> Place:
    return place(deployed(instant_pool.url, instant_pool.chain), tmp_path)


@pytest.fixture
def no_mining(here: Place) -> Iterator[Place]:
    rpc(here.pool.url, "evm_setAutomine", False)
    yield here
    rpc(here.pool.url, "evm_setAutomine", True)


def samples(exposed: bytes) -> Samples:
    """Each sample's value by its name and the values of its labels, but for the Ledger's."""
    return {
        (one.name, tuple(v for k, v in sorted(one.labels.items()) if k != "ledger")): one.value
        for family in text_string_to_metric_families(exposed.decode())
        for one in family.samples
    }


def shown(at: Place) -> dict[str, object]:
    (found,) = status(at.journal, time.time()).as_json()["datanets"]
    assert isinstance(found, dict)
    return found


def owed(at: Place) -> int:
    return sum(at.owed().values())


def test_what_is_owed_is_what_is_settled_and_what_is_pending(here: Place) -> None:
    here.record(1, 2)
    here.settle()
    settled = owed(here)
    here.recorder.record(refusal("eips"))
    here.record(3)
    found = shown(here)
    assert found["receipts"] == {"issued": 4, "settled": 2, "waiting": 2, "abandoned": 0}
    assert (found["settled"], found["owed"]) == (str(settled), str(owed(here)))
    assert found["pending"] == str(owed(here) - settled) != "0"
    assert (found["in_flight"], found["final_batches"], found["batch"]) == ("0", 1, None)
    assert found["oldest_unsettled_seconds"] in (0, 1, 2)
    here.settle()
    assert shown(here)["pending"] == "0"
    assert shown(here)["oldest_unsettled_seconds"] is None


def test_amounts_beyond_what_databases_count_are_summed_exactly(here: Place) -> None:
    most = 2**96 // 3
    policy = replace(here.journal.policy("eips"), price_per_answer=most, max_per_answer=most)
    here.journal.set_policy("eips", policy)
    here.record(*range(1, 41))
    assert int(str(shown(here)["pending"])) == owed(here) > 2**96


def test_a_batch_on_its_way_shows_its_nonce_its_bytes_and_its_fees(no_mining: Place) -> None:
    at = no_mining
    at.record(1)
    at.settle()
    batch = shown(at)["batch"]
    assert isinstance(batch, dict)
    (attempt,) = at.journal.open_batch(at.ledger_id, "eips").signed.attempts  # type: ignore[union-attr]
    assert (batch["stage"], batch["first"], batch["last"]) == ("sent", 0, 0)
    assert (batch["nonce"], batch["attempts"], batch["purpose"]) == (0, 1, "settle")
    assert batch["key"] == format_address(at.distributor.address)
    assert batch["tx_hash"] == "0x" + attempt.tx_hash.hex()
    assert batch["max_fee_wei"] == str(attempt.max_fee)
    assert shown(at)["in_flight"] == batch["total"] == str(owed(at))
    lines = "\n".join(as_text(status(at.journal, time.time())))
    assert "batch 0..0 is sent, nonce 0 of" in lines
    assert attempt.tx_hash.hex() in lines


def test_a_held_batch_says_why_and_what_to_do(here: Place) -> None:
    here.record(1)
    replace(here.settler(), spending=Spending(1)).settle(here.registration)
    batch = shown(here)["batch"]
    assert isinstance(batch, dict)
    assert batch["stage"] == "planned"
    assert batch["held"] == {
        "name": "FeeCeiling",
        "reason": "FeeCeiling: wait until gas costs less, or raise FOOTNOTE_MAX_FEE_GWEI",
        "what_to_do": "wait until gas costs less, or raise FOOTNOTE_MAX_FEE_GWEI",
    }
    assert shown(here)["in_flight"] == "0", "a plan alone is nothing on its way"
    exposed = samples(exposition(here.journal))
    assert exposed["footnote_batch_held", ("eips", "FeeCeiling")] == 1


@pytest.mark.parametrize(
    ("reason", "name", "what_to_do"),
    [
        ("NoGas: send coin for gas to 0x1", "NoGas", "send coin for gas to 0x1"),
        ("cancelled", "Cancelled", "nothing: the worker plans it again"),
        ("execution reverted: a: b: see the contract", "Other", "look at the worker's log"),
        ("0x4e487b71", "Other", "look at the worker's log"),
    ],
)
def test_whatever_a_node_answers_the_names_of_reasons_stay_few(
    reason: str, name: str, what_to_do: str
) -> None:
    held = hold_of(reason)
    assert held is not None
    assert (held.name, held.what_to_do, held.reason) == (name, what_to_do, reason)


def test_abandoned_numbers_and_lost_ledgers_are_shown(here: Place) -> None:
    here.record(1)
    with here.journal.issuing("eips", here.registration) as issue:
        issue.abandon(3, keccak(b"lost"), 5)
    here.journal.lose_ledger(here.ledger_id, "the chain was reset")
    found = shown(here)
    assert found["receipts"] == {"issued": 4, "settled": 0, "waiting": 4, "abandoned": 3}
    assert found["lost"] == "the chain was reset"
    here.journal.add_ledger(FAR)
    here.journal.register(Registration("rfcs", FAR, keccak(b"rfcs"), here.registration.owner, ()))
    lines = list(as_text(status(here.journal, time.time())))
    assert "eips: LOST LEDGER: the chain was reset" in lines
    assert "eips: 3 numbers are abandoned" in lines
    assert "no worker leads: nothing is settled now" in lines
    assert samples(exposition(here.journal))["footnote_receipts_abandoned", ("eips",)] == 3


def test_the_oldest_waiting_receipt_is_found_behind_abandoned_numbers(here: Place) -> None:
    with here.journal.issuing("eips", here.registration) as issue:
        issue.abandon(2, keccak(b"lost"), 5)
    replace(here.recorder, clock=lambda: time.time() + 500).record(paying(1))
    (found,) = status(here.journal, time.time() + 600).places
    assert found.age_seconds(time.time() + 600) in (99, 100, 101)
    assert found.standing.oldest_at == here.journal.oldest_waiting(here.ledger_id, "eips")


def test_fees_and_leaders_are_those_of_the_worker(here: Place) -> None:
    here.record(1)
    worker = Worker(here.settler(), Polling(), 0.1, 5.0, "first")
    assert worker._leads()
    worker.pass_once()
    found = status(here.journal, time.time()).as_json()
    (shown_place,) = found["datanets"]
    assert shown_place["funds"] == str(10**21 - owed(here)), "as the worker saw it"
    spent = here.journal.fees_paid(here.ledger_id, here.distributor.address)
    assert [one["fees_spent_wei"] for one in found["ledgers"]] == [str(spent)]
    assert spent > 0
    lease = f"settle:{format_address(here.distributor.address)}"
    assert found["leaders"] == {lease: "first"}
    exposed = samples(exposition(here.journal))
    assert exposed["footnote_leads", ("first", lease)] == 1
    assert exposed["footnote_fees_spent_wei_total", ()] == float(spent)


def test_the_command_shows_a_table_and_with_a_chain_the_funds(here: Place) -> None:
    here.record(1)
    environment = clean_environment(**here.settings())
    run = CliRunner().invoke(footnote, ["status", "eips", "--json"], env=environment)
    assert run.exception is None
    (one,) = json.loads(run.stdout)["datanets"]
    assert one["funds"] == str(10**21)
    away = {**environment, "FOOTNOTE_RPC_URL": f"http://127.0.0.1:{free_port()}"}
    for given in (away, {**environment, "FOOTNOTE_RPC_URL": ""}):
        table = CliRunner().invoke(footnote, ["status"], env=given)
        assert table.exception is None
        head, row, *_ = table.stdout.splitlines()
        assert head.split()[:3] == ["DATANET", "POOL", "ISSUED"]
        assert row.split()[0] == "eips"
        assert row.split()[-1] == "-"
    nobody = CliRunner().invoke(footnote, ["status", "nobody"], env=environment)
    assert isinstance(nobody.exception, NotFound)


def test_receipts_that_no_ledger_pays_are_counted_apart(tmp_path: Path, here: Place) -> None:
    Recorder(here.journal, None).record(paying(1, "unpaid"))
    found = status(here.journal, time.time())
    assert found.unpaid == {"unpaid": 1}
    assert "unpaid: 1 receipts that no Ledger pays" in list(as_text(found))
    assert samples(exposition(here.journal))["footnote_receipts_total", ("unpaid",)] == 1


# Prometheus


def test_a_scrape_tells_receipts_and_money(here: Place) -> None:
    here.record(1)
    here.settle()
    here.record(2, 3)
    exposed = samples(exposition(here.journal))
    assert exposed["footnote_receipts_total", ("eips",)] == 3
    assert exposed["footnote_receipts_final", ("eips",)] == 1
    assert exposed["footnote_receipts_pending", ("eips",)] == 2
    assert exposed["footnote_batches_final_total", ("eips",)] == 1
    assert exposed["footnote_batches_in_flight", ("eips",)] == 0
    assert exposed["footnote_owed_base_units", ("eips",)] == float(owed(here))
    assert exposed["footnote_ledger_lost", ()] == 0
    assert b"exact only up to 2^53" in exposition(here.journal)


def test_a_journal_that_was_rolled_back_shows_in_the_apis_numbers(
    here: Place, tmp_path: Path
) -> None:
    marks = Marks(tmp_path / "marks")
    recorder = Recorder(here.journal, here.signer, marks)
    recorder.record(paying(1))
    assert samples(exposition(here.journal, recorder))["footnote_rolled_back", ("eips",)] == 0
    marks.note(here.ledger_id, "eips", Mark(9, keccak(b"lost")))
    assert samples(exposition(here.journal, recorder))["footnote_rolled_back", ("eips",)] == 1


def test_the_api_serves_them(here: Place) -> None:
    Recorder(here.journal, here.signer, Marks(here.folder / "marks")).record(paying(1))
    settings = Settings(home=here.folder)
    app = build_app(build_services(settings, WordEmbedder()))
    with TestClient(app, "http://127.0.0.1", client=("127.0.0.1", 50_000)) as client:
        answer = client.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=")
        exposed = samples(answer.content)
        assert exposed["footnote_receipts_pending", ("eips",)] == 1
        assert exposed["footnote_rolled_back", ("eips",)] == 0


def test_a_journal_that_cannot_be_read_says_so_and_nothing_else(
    here: Place, tmp_path: Path
) -> None:
    here.record(1)
    copy = tmp_path / "copy.sqlite"
    here.journal.back_up(copy)
    damaged = Journal(f"sqlite:///{copy}")
    assert samples(exposition(damaged))["footnote_journal_up", ()] == 1
    damaged.close()
    copy.write_bytes(b"no database" * 1_000)
    assert samples(exposition(damaged, Recorder(damaged, None, Marks(tmp_path)))) == {
        ("footnote_journal_up", ()): 0.0
    }


def scrape(port: int) -> Samples:
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10)
    assert answer.status_code == 200
    return samples(answer.content)


def test_the_worker_serves_its_alarms_and_forgets_one_that_is_over(here: Place) -> None:
    here.record(1)
    here.settle()
    worker = Worker(here.settler(), Polling(), 0.1)
    registration = here.registration
    stranger = replace(registration, signers=())
    here.record(2)
    port = free_port()
    end = serve(port, here.journal, worker.doings)
    try:
        worker.doings.left_out = lambda: {"http://x": "does not answer"}
        worker._asked[registration.ledger.ledger_id + registration.datanet_id] = time.time()
        worker._attend(stranger)
        rings = scrape(port)
        assert rings["footnote_alarm", ("eips", "SignerRevoked")] == 1
        assert rings["footnote_rpc_endpoints_left_out", ()] == 1
        assert rings["footnote_worker_passes_total", ()] == 0
        assert rings["footnote_worker_failures_total", ()] == 0
        worker.pass_once()
        after = scrape(port)
        assert after["footnote_alarm", ("eips", "")] == 0
        assert ("footnote_alarm", ("eips", "SignerRevoked")) not in after
        assert 0 < after["footnote_worker_pass_seconds_total", ()] < 60
        assert after["footnote_worker_passes_total", ()] == 1
        assert after["footnote_worker_last_pass_timestamp_seconds", ()] > time.time() - 60
        assert after["footnote_receipts_total", ("eips",)] == 2
        with pytest.raises(Misconfigured, match="FOOTNOTE_METRICS_PORT"):
            serve(port, here.journal, Doings())
    finally:
        end()


def test_a_look_that_an_error_ends_is_counted_and_silences_no_alarm(here: Place) -> None:
    away = EvmChain(f"http://127.0.0.1:{free_port()}", confirmations=0)
    worker = Worker(replace(here.settler(), chain=away), Polling(), 0.1)
    place_ = here.ledger_id, "eips"
    worker.doings.alarms[place_] = "ReceiptChanged"
    worker.pass_once()
    worker._attend(here.registration)
    assert worker.doings.failures == 2
    assert (worker.doings.passes, worker.doings.alarms) == (0, {place_: "ReceiptChanged"})


def test_funds_are_told_in_answers_as_dear_as_those_so_far(here: Place) -> None:
    def left() -> int | None:
        (found,) = status(here.journal, time.time(), chain=here.pool.chain).places
        return found.answers_left

    assert left() is None, "no answer, no price"
    here.record(1)
    here.recorder.record(refusal())
    price = owed(here)
    assert left() == (10**21 - price) * 2 // price
    here.settle()
    assert left() == (10**21 - price) * 2 // price, "settling changes nothing"
    lines = list(as_text(status(here.journal, time.time(), chain=here.pool.chain)))
    assert f"eips: its funds may do for {left()} more answers" in lines


def test_what_a_mined_batch_took_is_not_taken_from_the_answers_twice(here: Place) -> None:
    here.record(1)
    (before,) = status(here.journal, time.time(), chain=here.pool.chain).places

    def stop(point: str) -> None:
        if point == "after SentBatch":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        replace(here.settler(), crash_point=stop).settle(here.registration)
    (mined,) = status(here.journal, time.time(), chain=here.pool.chain).places
    assert mined.flight is not None
    assert (mined.flight.stage, mined.answers_left) == ("mined", before.answers_left)


def test_a_worker_whose_port_is_set_can_be_scraped_until_it_ends(here: Place) -> None:
    here.record(1)
    port = free_port()
    settings = {**here.settings(), "METRICS_PORT": str(port), "LEASE_SECONDS": "5"}
    worker = subprocess.Popen(
        [*FOOTNOTE, "worker"], env=clean_environment(**settings), stderr=subprocess.DEVNULL
    )
    try:
        assert_soon(lambda: scrape(port)["footnote_worker_leads", ()] == 1)
        assert_soon(lambda: scrape(port)["footnote_worker_passes_total", ()] > 0)
        assert scrape(port)["footnote_rpc_endpoints_left_out", ()] == 0
    finally:
        worker.terminate()
    assert worker.wait(20) == 0


def assert_soon(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if holds():
                return
        time.sleep(0.1)
    pytest.fail("not within 30 seconds")
