"""A saved batch can be rebuilt by anybody, and any change of any byte of it is refused."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from api.responses import json_bytes
from cli.main import footnote
from footnote import strict_json
from footnote.addresses import format_address
from footnote.errors import Invalid, Unavailable
from footnote.ids import keccak
from footnote.model import Definition
from rewards.audit import audit
from rewards.commands.journal import _receipts_in
from rewards.policy import Policy
from rewards.published import batch_object, checksum
from rewards.receipt import abandoned_leaf
from rewards.verify_batch import is_plain, verify_batch
from tests.behaviour.test_verify import Place_, Saved, flips, leaves, with_value
from tests.conftest import rpc
from tests.money import (
    Place,
    Pool,
    address,
    answer,
    deployed,
    document,
    new_key,
    paying,
    place,
    refusal,
    supported,
)

LOST = keccak(b"the last lost receipt")


def abandon(at: Place, last: int, digest: bytes = LOST) -> None:
    """Give up the numbers from the journal's next one to ``last``."""
    with at.journal.issuing(at.name, at.registration) as issue:
        issue.abandon(last, digest, 1_700_000_000)


@pytest.fixture(scope="module")
def at(instant_pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Batches 0..1, 2..6 with 3..4 abandoned, 7..8 that ends with an abandoned number, 9..9; and a
    receipt that waits."""
    folder = tmp_path_factory.mktemp("verify-batch")
    made = place(deployed(instant_pool.url, instant_pool.chain), folder)
    limited = Policy(daily_budget=None, daily_limit_per_address=10**15, platform=address(73))
    made.journal.set_policy("eips", limited)
    cited, other = document("eip-1153", (1, 7_000), (2, 3_000)), document("Ægir", (3, 10_000))
    made.recorder.record(answer([supported(1, cited), supported(2, other)]))
    made.recorder.record(refusal())
    made.settle()
    made.recorder.record(paying(5))
    made.journal.set_policy("eips", Policy(daily_budget=None, daily_limit_per_address=None))
    abandon(made, 4)
    made.recorder.record(paying(6))
    made.recorder.record(paying(7))
    made.settle()
    made.recorder.record(paying(8))
    abandon(made, 8, keccak(b"another"))
    made.settle()
    made.recorder.record(paying(9))
    made.settle()
    made.recorder.record(paying(9))
    yield made
    found = audit(made.journal, made.pool.chain)
    assert (found.differences, found.abandoned, found.events) == ([], 3, 4)


def saved_of(at: Place, number: int) -> Saved:
    """A batch as a person saves it, with keys in the order of the file."""
    batch = at.journal.batches(at.ledger_id)[number]
    saved: Saved = json.loads(json_bytes(batch_object(at.journal, batch.batch_id)))
    return saved


def failed(saved: Saved, at: Place | None) -> list[str]:
    checks = verify_batch(saved, at.pool.chain if at else None)
    return [f"{check.name}: {check.detail}" for check in checks if check.passed is not True]


def sealed(saved: Saved) -> Saved:
    """As a forger leaves it: with the checksum of what it says now."""
    return {**saved, "checksum": checksum(saved)}


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_a_saved_batch_is_rebuilt_from_its_lines(at: Place, number: int) -> None:
    saved = saved_of(at, number)
    assert failed(saved, at) == []
    assert saved["status"] == "final"


def test_a_batch_shows_which_of_its_numbers_are_abandoned(at: Place) -> None:
    saved = saved_of(at, 1)
    (gap,) = saved["abandoned"]
    (before,) = at.journal.receipts(at.ledger_id, "eips", 2, 2)
    assert gap == {
        "first": 3, "last": 4, "previous": "0x" + before.digest.hex(), "digest": "0x" + LOST.hex(),
        "at": 1_700_000_000,
    }  # fmt: skip
    assert [one["message"]["seq"] for one in saved["receipts"]] == [2, 5, 6]
    assert saved["receipts"][1]["message"]["previous"] == gap["digest"]
    lost = at.journal.payables(at.ledger_id, "eips", 3, 4)
    assert [one.leaf for one in lost] == [
        abandoned_leaf(at.registration.datanet_id, seq) for seq in (3, 4)
    ]
    told = [check.detail for check in verify_batch(saved, None)]
    assert "2..6, 2 of them abandoned" in told


def test_without_a_chain_what_only_it_knows_stays_unchecked(at: Place) -> None:
    checks = verify_batch(saved_of(at, 1), None)
    assert [check.passed for check in checks] == [True] * 5 + [None] * 2


def refused(text: bytes) -> bool:
    """Whether ``footnote verify --batch --offline`` would refuse a file of these bytes."""
    try:
        saved = strict_json.loads(text)
    except ValueError:
        return True
    checks = verify_batch(saved, None) if isinstance(saved, dict) else []
    good = bool(checks) and all(check.passed is not False for check in checks)
    return not good or not is_plain(text.decode(), saved)


def test_any_changed_byte_is_refused_and_only_space_between_tokens_may_differ(at: Place) -> None:
    """Every byte of the file, changed to others drawn from a fixed seed."""
    chance = random.Random(1)
    saved = saved_of(at, 1)
    text = json_bytes(saved)
    assert not refused(text)
    assert not refused(json.dumps(saved, indent=2).encode())
    for index, byte in enumerate(text):
        for other in {byte ^ 1 << chance.randrange(8), chance.randrange(256), byte ^ 0x20} - {byte}:
            changed = text[:index] + bytes([other]) + text[index + 1 :]
            assert refused(changed), (index, text[index - 20 : index + 20], other)
    for index in chance.sample(range(len(text)), 300):
        assert refused(text[:index] + text[index + 1 :]), index
        assert refused(text[:index] + text[index : index + 1] + text[index:]), index


@pytest.mark.parametrize(
    ("plain", "other"),
    [(b'"first":2', b'"first":2.0'), (b'"first":2', b'"first":02'), (b'"first":2', b'"first":2e0'),
     (b'"eips"', b'"\\u0065ips"'), (b'"held":null', b'"held":""'), (b"{", b'{"first":2,')],
)  # fmt: skip
def test_the_same_value_in_another_spelling_is_refused(
    at: Place, plain: bytes, other: bytes
) -> None:
    text = json_bytes(saved_of(at, 1))
    assert plain in text
    assert refused(text.replace(plain, other, 1))


UNVOUCHED = {("datanet",), ("abandoned", 0, "at")}
"""Nothing signed or on chain holds these; only the checksum notices."""


@pytest.mark.parametrize(
    ("number", "beyond"),
    [(0, set()), (1, set()), (2, {("abandoned", 0, "digest"), ("abandoned", 0, "last")})],
    ids=["plain", "a range within", "a range at the end"],
)
def test_a_forger_who_renews_the_checksum_is_refused_all_the_same(
    at: Place, number: int, beyond: set[Place_]
) -> None:
    """A character of each value, changed; the chain is asked where nothing else notices."""
    chance = random.Random(number)
    saved = saved_of(at, number)
    for path, value in leaves(saved):
        if path == ("checksum",) or path in UNVOUCHED | beyond:
            continue
        other = chance.choice([one for one in flips(value, chance) if one != value] or [7])
        changed = sealed(with_value(saved, path, other))
        if not any(check.passed is False for check in verify_batch(changed, None)):
            assert failed(changed, at), (path, other)
    for path in UNVOUCHED & {path for path, _ in leaves(saved)}:
        assert failed(with_value(saved, path, "x"), None), "the checksum notices"


def test_the_batches_hold_what_a_batch_can(at: Place) -> None:
    """A refusal, a withheld line, two policies, and a named part."""
    first, second = saved_of(at, 0), saved_of(at, 1)
    lines = [line for one in first["receipts"] for line in one["lines"]]
    assert any(line["withheld"] for line in lines)
    assert {line["part"] for line in lines} == {"data", "platform"}
    assert (first["receipts"][1]["lines"], len(second["policies"])) == ([], 2)


def test_what_a_neighbour_vouches_for_is_seen_there(at: Place) -> None:
    ending, following = saved_of(at, 2), saved_of(at, 3)
    assert following["receipts"][0]["message"]["previous"] == ending["abandoned"][0]["digest"]


Forgery = Callable[[Saved], None]


def without(*path: Any) -> Forgery:
    def forge(saved: Saved) -> None:
        inner: Any = saved
        for part in path[:-1]:
            inner = inner[part]
        del inner[path[-1]]

    return forge


def repeated(name: str) -> Forgery:
    return lambda saved: saved[name].append(saved[name][-1])


def turned(name: str) -> Forgery:
    return lambda saved: saved[name].reverse()


def set_to(name: str, value: Any) -> Forgery:
    return lambda saved: saved.update({name: value})


@pytest.mark.parametrize(
    "forge",
    [
        without("receipts", 0), without("receipts", 1), without("receipts", 2),
        without("abandoned", 0), without("payouts", 0), repeated("receipts"),
        repeated("abandoned"), repeated("payouts"), turned("receipts"), turned("payouts"),
        without("receipts", 0, "lines", 0), without("receipts", 0, "signer"), without("held"),
        without("abandoned", 0, "at"), without("ledger", "token"), set_to("extra", 1),
        set_to("policies", {}), set_to("ledger", None), set_to("receipts", None),
        set_to("receipts", [[]]), set_to("abandoned", [None]), set_to("policies", []),
        set_to("first", False), set_to("last", 10**30), set_to("first", -1), set_to("last", "6"),
        set_to("status", []), set_to("tx_hash", 7), set_to("held", 7), set_to("datanet", None),
        set_to("object", "receipt"), set_to("status", "planned"), set_to("datanet_id", "0x"),
        set_to("tx_hash", "0x00"),
    ],
)  # fmt: skip
def test_what_is_missing_doubled_moved_or_of_another_kind_is_refused(
    at: Place, forge: Forgery
) -> None:
    saved = copy.deepcopy(saved_of(at, 1))
    forge(saved)
    checks = verify_batch(sealed(saved), None)
    assert any(check.passed is False for check in checks), checks


def test_a_range_of_abandoned_numbers_that_hides_a_receipt_is_refused(at: Place) -> None:
    saved = saved_of(at, 1)
    saved["receipts"] = saved["receipts"][:1] + saved["receipts"][2:]
    saved["abandoned"][0] |= {"last": 5, "digest": saved["receipts"][1]["message"]["previous"]}
    (problem,) = [one for one in failed(sealed(saved), None) if "not what the receipts" in one]
    assert "receipts_root" in problem


def test_a_batch_signed_by_a_stranger_is_refused_by_the_chain(at: Place) -> None:
    saved = saved_of(at, 3)
    forger, shown = new_key(), saved["receipts"][0]
    shown["signature"] = "0x" + forger.sign_digest(bytes.fromhex(shown["digest"][2:])).hex()
    shown["signer"] = format_address(forger.address)
    assert failed(sealed(saved), at) == [
        "its signers were registered at the time: receipt 9 is signed by a stranger"
    ]


def test_a_batch_of_another_chain_is_refused(at: Place, final_pool: Pool) -> None:
    checks = verify_batch(saved_of(at, 0), final_pool.chain)
    assert any(check.passed is False for check in checks)


def test_a_batch_that_nobody_settled_yet_stays_unchecked(
    instant_pool: Pool, tmp_path: Path
) -> None:
    made = place(deployed(instant_pool.url, instant_pool.chain), tmp_path, funds=0)
    made.record(1)
    made.settle()
    saved = saved_of(made, 0)
    assert (saved["status"], bool(saved["held"])) == ("planned", True)
    assert failed(saved, made) == ["the pool holds exactly this batch: not settled yet"]


def test_a_batch_that_is_sent_is_not_called_settled(instant_pool: Pool, tmp_path: Path) -> None:
    made = place(deployed(instant_pool.url, instant_pool.chain), tmp_path)
    made.record(1)
    rpc(made.pool.url, "evm_setAutomine", False)
    try:
        made.settle()
        waiting = saved_of(made, 0)
        assert waiting["status"] == "sent"
        assert failed(waiting, made) == ["the pool holds exactly this batch: not settled yet"]
        (told,) = failed(sealed({**waiting, "status": "final"}), made)
        assert "the chain holds no such batch" in told
    finally:
        rpc(made.pool.url, "evm_mine")
        rpc(made.pool.url, "evm_setAutomine", True)
    (told,) = failed(waiting, made)
    assert "fetch it again" in told
    made.settle()
    assert failed(saved_of(made, 0), made) == []


def test_a_policy_that_is_lost_is_said_and_not_taken_for_true(at: Place) -> None:
    saved = saved_of(at, 0)
    saved["policies"] = dict.fromkeys(saved["policies"])
    (unchecked,) = failed(sealed(saved), at)
    assert "the policy or adapter of 2 receipts is lost" in unchecked


def test_what_an_adapters_owner_is_paid_follows_from_the_batch(
    instant_pool: Pool, tmp_path: Path
) -> None:
    made = place(instant_pool, tmp_path)
    made.journal.set_policy(made.name, Policy(model_host="adapter_owner"))
    owned = Definition({"kind": "adapter", "owner": format_address(address(9))})
    made.recorder.record(answer([supported(1, document("d"))], adapter=owned))
    made.record(2)
    made.settle()
    saved = saved_of(made, 0)
    assert saved["adapters"] == {"0x" + owned.definition_id.hex(): owned.body}
    hosts = [x["account"] for r in saved["receipts"] for x in r["lines"] if x["part"] != "data"]
    assert hosts == [format_address(address(9))]
    assert failed(saved, made) == []
    lost = {**saved, "adapters": dict.fromkeys(saved["adapters"])}
    (unchecked,) = failed(sealed(lost), made)
    assert "the policy or adapter of 1 receipts is lost" in unchecked
    assert failed(sealed({**saved, "adapters": {}}), made)
    other = {name: {**owned.body, "owner": None} for name in saved["adapters"]}
    assert failed(sealed({**saved, "adapters": other}), made)


def test_resuming_from_a_saved_batch_brings_its_policies_too(at: Place, tmp_path: Path) -> None:
    saved = saved_of(at, 1)
    file = tmp_path / "batch.json"
    file.write_bytes(json_bytes(saved))
    receipts = list(_receipts_in((file,)))
    assert [one["policy"] for one in receipts] == [
        saved["policies"][one["message"]["policyId"]] for one in saved["receipts"]
    ]
    file.write_text('{"object": "batch", "receipts": [7]}')
    with pytest.raises(Invalid):
        list(_receipts_in((file,)))


def test_the_command_reads_a_file_and_says_what_stays_unchecked(
    at: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "batch.json"
    file.write_bytes(json_bytes(saved_of(at, 1)))
    monkeypatch.setenv("FOOTNOTE_HOME", str(at.folder))
    told = CliRunner().invoke(footnote, ["verify", "--batch", str(file)])
    assert isinstance(told.exception, Unavailable)
    assert "?    the pool holds exactly this batch: no chain was asked" in told.output
    told = CliRunner().invoke(footnote, ["verify", "--batch", "--offline", str(file)])
    assert (told.exit_code, "FAIL" in told.output) == (0, False)
    monkeypatch.setenv("FOOTNOTE_RPC_URL", at.pool.url)
    monkeypatch.setenv("FOOTNOTE_CONFIRMATIONS", "1")
    rpc(at.pool.url, "anvil_mine", "0x1")
    told = CliRunner().invoke(footnote, ["verify", "--batch", str(file)])
    assert told.exit_code == 0, told.output
    file.write_bytes(file.read_bytes().replace(b'"eips"', b'"rfcs"', 1))
    told = CliRunner().invoke(footnote, ["verify", "--batch", str(file)])
    assert isinstance(told.exception, Invalid)
    assert "its checksum is another" in told.output
