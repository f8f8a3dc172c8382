"""What ``footnote doctor`` finds, with and without chain, Redis and keys."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner

from cli.main import footnote
from cli.stack import clean_environment, free_port, give_coin
from footnote.addresses import format_address
from footnote.ids import keccak
from footnote.settings import Settings
from rewards.doctor import FAIL, OK, WARN, Check, examine
from rewards.keys import create_key, read_key
from rewards.marks import Mark, Marks
from rewards.queue import RedisWakeUps
from rewards.record import Recorder
from rewards.settler import lease_of
from tests.conftest import rpc
from tests.money import Place, Pool, deployed, mined, new_key, paying, place

Found = dict[str, list[Check]]


@pytest.fixture
def here(instant_pool: Pool, tmp_path: Path) -> Place:
    return place(deployed(instant_pool.url, instant_pool.chain), tmp_path)


def record(at: Place, *numbers: int) -> None:
    """Record paying answers as the API does, which notes its marks."""
    recorder = Recorder(at.journal, at.signer, Marks(at.folder / "marks"))
    for number in numbers:
        recorder.record(paying(number, at.name))


def settings_of(at: Place, **more: object) -> Settings:
    given = {name.lower(): value for name, value in at.settings().items()}
    return Settings.model_validate({**given, "confirmations": 1, **more})


def look(settings: Settings, clock: Callable[[], float] = time.time) -> Found:
    found: Found = {}
    for check in examine(settings, clock):
        assert check.state in (OK, WARN, FAIL)
        assert bool(check.remedy) == (check.state != OK), check
        found.setdefault(check.name, []).append(check)
    return found


def failing(found: Found) -> list[str]:
    return [check.what for checks in found.values() for check in checks if check.state == FAIL]


def states(found: Found, name: str) -> list[str]:
    return [check.state for check in found[name]]


def owner_call(at: Place, contract: str, name: str, *arguments: object) -> None:
    """The owner of pool and Datanet calls the registry or the pool."""
    chain = at.pool.chain
    held = chain._pool(at.pool.ledger) if contract == "pool" else chain._registry(at.pool.ledger)
    mined(chain, chain._transact(at.pool.owner, getattr(held.functions, name)(*arguments)))


def test_a_host_on_which_nothing_is_set_up_has_warnings_and_no_failure(tmp_path: Path) -> None:
    found = look(Settings(home=tmp_path / "home"))
    assert failing(found) == []
    assert not (tmp_path / "home").exists(), "looking makes nothing"
    for name in ("home", "marks", "signer key", "distributor key", "redis", "chain", "journal"):
        assert states(found, name) == [WARN], name


def test_a_deployment_in_order_passes(here: Place) -> None:
    record(here, 1)
    lease = lease_of(here.distributor.address)
    assert here.journal.lead(lease, "first", 60, time.time())
    found = look(settings_of(here))
    assert failing(found) == []
    assert [check.state for check in found["datanet eips"]] == [OK, OK, OK, OK]
    assert found["worker"][0].what == "first leads"
    assert found["mark of eips"][0].what == "not ahead of the journal"
    assert states(found, "gas") == [OK]
    assert [
        check.state for name in found if name.startswith("ledger") for check in found[name]
    ] == [OK]


def test_the_command_says_it_to_people_and_to_machines(here: Place) -> None:
    environment = clean_environment(**here.settings())
    run = CliRunner().invoke(footnote, ["doctor", "--json"], env=environment)
    assert run.exit_code == 0
    report = json.loads(run.stdout)
    assert report["healthy"]
    assert {"name", "state", "what", "remedy"} == set(report["checks"][0])
    broken = {**environment, "FOOTNOTE_DISTRIBUTOR_PASSPHRASE_FILE": str(here.folder / "none")}
    run = CliRunner().invoke(footnote, ["doctor"], env=broken)
    assert run.exit_code == 70
    assert "FAIL distributor key:" in run.stdout
    wrong = {**environment, "FOOTNOTE_MAX_FEE_GWEI": "-1"}
    run = CliRunner().invoke(footnote, ["doctor"], env=wrong)
    assert run.exit_code == 70
    assert run.stdout.startswith("FAIL settings: a setting cannot be used (FOOTNOTE_MAX_FEE_GWEI")


def test_a_chain_that_is_away_fails_and_the_rest_is_still_looked_at(here: Place) -> None:
    record(here, 1)
    found = look(settings_of(here, rpc_url=f"http://127.0.0.1:{free_port()}"))
    assert failing(found) == ["the chain does not answer", "no RPC endpoint answers"]
    assert states(found, "datanet eips") == [WARN]
    assert states(found, "waiting of eips") == [OK]


def test_one_of_two_endpoints_that_is_away_is_a_warning(here: Place) -> None:
    away = f"http://user:secret@127.0.0.1:{free_port()}/key"
    found = look(settings_of(here, rpc_url=f"{here.pool.url},{away}"))
    assert failing(found) == []
    assert states(found, "rpc 2 (127.0.0.1)") == [WARN]
    assert found["chain"][0].what == "1 of 2 RPC endpoints agree"
    assert "secret" not in str(found)


def test_endpoints_of_two_chains_fail(here: Place, final_pool: Pool) -> None:
    found = look(settings_of(here, rpc_url=f"{here.pool.url},{final_pool.url}"))
    assert "the RPC endpoints are of different chains" in failing(found)


def test_the_clock_is_held_against_the_newest_block(here: Place) -> None:
    block = here.pool.chain.timestamp("latest")
    assert states(look(settings_of(here), lambda: block + 5.0), "rpc 1 (127.0.0.1)") == [OK, OK]
    behind = look(settings_of(here), lambda: block - 60.0)["rpc 1 (127.0.0.1)"][0]
    assert (behind.state, "60 seconds ahead of us" in behind.what) == (WARN, True)
    ahead = look(settings_of(here), lambda: block + 3_600.0)["rpc 1 (127.0.0.1)"][0]
    assert (ahead.state, "3600 seconds old" in ahead.what) == (WARN, True)


def test_an_ended_a_revoked_and_an_unknown_signer_fail(here: Place) -> None:
    keystore, passphrase = here.folder / "signer.json", here.folder / "signer.pass"
    create_key(keystore, passphrase, iterations=2)
    signer = format_address(read_key(keystore, passphrase, "x").address)
    settings = settings_of(here, signer_keystore=keystore, signer_passphrase_file=passphrase)
    identity = here.registration.datanet_id
    assert failing(look(settings)) == [f"the registry does not know the signer {signer}"]
    owner_call(here, "registry", "addSigner", identity, signer)
    assert failing(look(settings)) == [f"this journal does not know the signer {signer}"]
    until = here.pool.chain.timestamp("latest") + 100
    owner_call(here, "registry", "endSigner", identity, signer, until)
    assert failing(look(settings)) == [f"the signer {signer} ended at {until}"]
    owner_call(here, "registry", "revokeSigner", identity, signer)
    assert failing(look(settings)) == [f"the signer {signer} was revoked as compromised"]


def test_a_datanet_that_changed_hands_is_a_warning(here: Place) -> None:
    chain, identity, heir = here.pool.chain, here.registration.datanet_id, new_key()
    give_coin(here.pool.url, format_address(heir.address), 10**18)
    owner_call(here, "registry", "transferOwnership", identity, format_address(heir.address))
    accept = chain._registry(here.pool.ledger).functions.acceptOwnership(identity)
    mined(chain, chain._transact(heir, accept))
    owner = look(settings_of(here))["datanet eips"][0]
    assert owner.state == WARN
    assert owner.what.startswith(f"{format_address(heir.address)} owns it now")


def test_a_ledger_whose_registry_was_changed_in_the_journal_fails(here: Place) -> None:
    with here.journal._writing() as connection:
        connection.exec_driver_sql(
            "UPDATE ledgers SET body = json_set(body, '$.registry', ?)", ("0x" + "11" * 20,)
        )
    assert any("with another registry" in what for what in failing(look(settings_of(here))))


def test_a_distributor_without_the_right_and_without_gas_fails(here: Place) -> None:
    text, identity = format_address(here.distributor.address), here.registration.datanet_id
    owner_call(here, "registry", "setDistributor", identity, text, False)
    rpc(here.pool.url, "anvil_setBalance", text, hex(10**9))
    found = look(settings_of(here))
    assert f"{text} may not settle it" in failing(found)
    assert states(found, "gas") == [FAIL]


def test_a_pool_that_is_paused_capped_or_too_poor_is_named(here: Place) -> None:
    record(here, 1)
    owner_call(here, "pool", "pause", 3)
    assert "the pool has paused funding and settling" in failing(look(settings_of(here)))
    here.settle()
    owner_call(here, "pool", "unpause", 3)
    owner_call(here, "pool", "setCaps", 1, 2**256 - 1, 3_600)
    capped = look(settings_of(here))
    assert failing(capped) == []
    assert states(capped, "datanet eips")[-1] == WARN
    assert states(capped, "waiting of eips") == [WARN], "it is held still"


def test_a_pool_that_owes_more_than_it_holds_fails(instant_pool: Pool, tmp_path: Path) -> None:
    at = place(deployed(instant_pool.url, instant_pool.chain), tmp_path, funds=0)
    assert states(look(settings_of(at)), "datanet eips")[2] == WARN
    record(at, 1)
    (what,) = failing(look(settings_of(at)))
    assert what == f"its pool holds 0, and {sum(at.owed().values())} is owed"


def test_a_journal_that_is_older_than_the_chain_fails(here: Place) -> None:
    record(here, 1)
    here.journal.back_up(here.folder / "older.sqlite")
    record(here, 2, 3)
    here.settle()
    older = settings_of(here, journal_url=f"sqlite:///{here.folder / 'older.sqlite'}")
    assert "the chain settled 3 receipts, and the journal has 1" in failing(look(older))
    snapshot = rpc(here.pool.url, "evm_snapshot")
    record(here, 4)
    here.settle()
    rpc(here.pool.url, "evm_revert", snapshot)
    what = "the chain's cursor is 3, and 4 receipts were final"
    assert what in failing(look(settings_of(here)))


def test_a_lost_ledger_and_a_mark_ahead_of_the_journal_fail(here: Place) -> None:
    Marks(here.folder / "marks").note(here.ledger_id, "eips", Mark(7, keccak(b"lost")))
    here.journal.lose_ledger(here.ledger_id, "the chain was reset")
    assert failing(look(settings_of(here))) == [
        "lost: the chain was reset",
        "receipts up to 7 of eips were issued, and the journal lacks some",
    ]


def test_keys_that_others_can_read_and_one_key_for_two_roles_are_named(here: Place) -> None:
    keystore, passphrase = here.folder / "distributor.json", here.folder / "distributor.pass"
    passphrase.chmod(0o644)
    both = settings_of(here, signer_keystore=keystore, signer_passphrase_file=passphrase)
    found = look(both)
    assert states(found, "distributor key") == [WARN]
    assert found["distributor key"][0].remedy == f"chmod 600 {passphrase}"
    assert states(found, "accounts") == [FAIL]


def test_a_receipt_that_waits_too_long_and_nobody_who_leads_are_warnings(here: Place) -> None:
    record(here, 1)
    found = look(settings_of(here), lambda: time.time() + 5_000)
    assert states(found, "waiting of eips") == [WARN]
    assert found["worker"][0].what == "no worker leads"


def test_a_home_that_is_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    found = look(Settings(home=tmp_path / "home", journal_url=f"sqlite:///{tmp_path}/j.sqlite"))
    assert states(found, "home") == [FAIL]


@pytest.fixture
def evicting(redis_url: str) -> Iterator[str]:
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        yield redis_url
        client.config_set("maxmemory-policy", "noeviction")


def test_a_redis_that_would_drop_wake_ups_is_a_warning(
    evicting: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = look(Settings(home=tmp_path, redis_url=evicting))
    assert found["redis"][0].what == "its maxmemory-policy is allkeys-lru"
    worker = RedisWakeUps(evicting, "worker")
    for _ in range(3):
        worker.wait(0.01)
    said = [one for one in caplog.messages if "maxmemory-policy allkeys-lru" in one]
    assert len(said) == 1, "once"


def test_a_redis_in_order_passes_and_one_that_is_away_is_a_warning(
    redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = look(Settings(home=tmp_path, redis_url=redis_url))
    assert found["redis"][0].what == "answers, with maxmemory-policy noeviction"
    RedisWakeUps(redis_url, "worker").wait(0.01)
    assert caplog.messages == []
    away = look(Settings(home=tmp_path, redis_url=f"redis://127.0.0.1:{free_port()}/0"))
    assert states(away, "redis") == [WARN]
    assert failing(look(Settings(home=tmp_path, redis_url="http://x"))) == [
        "FOOTNOTE_REDIS_URL is no Redis address"
    ]


def test_what_a_mined_batch_took_from_the_pool_is_not_owed_again(
    here: Place,
) -> None:
    record(here, 1)
    at_rest = replace(here.settler(), crash_point=_stop_after_look)
    with pytest.raises(InterruptedError):
        at_rest.settle(here.registration)
    found = look(settings_of(here))
    assert failing(found) == []


def _stop_after_look(point: str) -> None:
    if point == "after SentBatch":
        raise InterruptedError
