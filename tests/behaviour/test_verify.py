"""A saved receipt verifies, and any change of any character of it makes it fail."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from footnote.addresses import format_address
from footnote.errors import NotFound
from footnote.ids import version_of
from footnote.model import Definition
from rewards.audit import audit
from rewards.ledger import SignerTerm
from rewards.policy import Policy
from rewards.published import batch_object, receipt_object
from rewards.record import Recorder
from rewards.verify import verify_receipt
from tests.money import (
    TEXT,
    Place,
    Pool,
    address,
    answer,
    deployed,
    document,
    journal_at,
    new_key,
    place,
    refusal,
    supported,
)

Saved = dict[str, Any]


def text_of(version: bytes) -> str:
    if version == version_of(TEXT):
        return TEXT
    raise NotFound("no such text", "x")


def failed(saved: Saved, at: Place, text: Any = text_of) -> list[str]:
    """The names of the checks that do not pass, as ``footnote verify`` would list them."""
    checks = verify_receipt(saved, text, at.pool.chain)
    return [check.name for check in checks if check.passed is not True]


@pytest.fixture(scope="module")
def at(instant_pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Three receipts in a final batch, a fourth that waits."""
    folder = tmp_path_factory.mktemp("verify")
    made = place(deployed(instant_pool.url, instant_pool.chain), folder)
    made.journal.set_policy(
        "eips",
        Policy(daily_budget=None, daily_limit_per_address=10**16, model_host=address(71),
               platform=address(73)),
    )  # fmt: skip
    cited = document("eip-1153", (1, 7_000), (2, 3_000))
    other = document("Ægir", (3, 10_000))
    adapter = Definition({"kind": "adapter", "name": "legal"})
    made.recorder.record(
        answer([supported(1, cited), supported(2, other), supported(2, cited)], adapter=adapter)
    )
    made.recorder.record(refusal())
    made.recorder.record(answer([supported(1, other)]))
    made.settle()
    made.recorder.record(answer([supported(1, cited)]))
    yield made
    assert audit(made.journal, made.pool.chain).differences == []


def saved_of(at: Place, seq: int) -> Saved:
    (stored,) = at.journal.receipts(at.ledger_id, "eips", seq, seq)
    saved: Saved = json.loads(json.dumps(receipt_object(at.journal, stored.digest)))
    return saved


@pytest.mark.parametrize("seq", [0, 1, 2, 3])
def test_a_signed_receipt_verifies_settled_or_waiting(at: Place, seq: int) -> None:
    saved = saved_of(at, seq)
    assert failed(saved, at) == []
    assert (saved["batch"] is None) == (seq == 3)


Place_ = tuple[Any, ...]
"""Keys and indexes that lead to a value."""


def leaves(value: Any, path: Place_ = ()) -> Iterator[tuple[Place_, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path, value


def with_value(saved: Saved, path: Place_, value: Any) -> Saved:
    changed = copy.deepcopy(saved)
    inner: Any = changed
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return changed


def flips(value: Any, chance: random.Random) -> Iterator[Any]:
    """``value`` with one character changed, at each place."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        for text in flips(str(value), chance):
            if text.isdigit() and str(int(text)) == text:
                yield int(text)
    elif isinstance(value, str):
        for place_, character in enumerate(value):
            pool = "0123456789" if character.isdigit() else "abcdefABCDEFxg~"
            other = chance.choice([c for c in pool if c != character])
            yield value[:place_] + other + value[place_ + 1 :]
        if value.swapcase() != value:
            yield value.swapcase()
        yield value + "0"
        yield value[:-1]
    elif value is None:
        yield "0x00"


@pytest.mark.parametrize("seq", [0, 3])
def test_any_changed_character_of_any_value_makes_it_fail(at: Place, seq: int) -> None:
    """Each character of each value, changed to another one drawn from a fixed seed. The chain is
    asked where nothing else notices."""
    chance = random.Random(seq)
    saved = saved_of(at, seq)
    changes = [
        (path, other) for path, value in leaves(saved) for other in flips(value, chance)
    ]  # fmt: skip
    assert len(changes) > 1_500
    for path, other in changes:
        changed = with_value(saved, path, other)
        offline = verify_receipt(changed, text_of, None)
        if not any(check.passed is False for check in offline):
            assert failed(changed, at), (path, other)


@pytest.mark.parametrize("seq", [0, 3])
def test_a_field_that_is_missing_or_new_makes_it_fail(at: Place, seq: int) -> None:
    saved = saved_of(at, seq)
    for key in saved:
        assert failed({k: v for k, v in saved.items() if k != key}, at), key
    assert failed({**saved, "extra": 1}, at)
    for part in ("domain", "message", "ledger", "policy", "model", "verifier"):
        for key in saved[part]:
            without = {k: v for k, v in saved[part].items() if k != key}
            assert failed({**saved, part: without}, at), (part, key)
        assert failed({**saved, part: {**saved[part], "extra": 1}}, at), part
        nothings: list[Any] = [None, [], 7, "x", True]
        for other in nothings:
            assert failed({**saved, part: other}, at), (part, other)


def test_a_number_written_as_another_kind_makes_it_fail(at: Place) -> None:
    saved = saved_of(at, 0)
    for path, other in [
        (("message", "seq"), False), (("message", "seq"), 0.0), (("message", "seq"), "0"),
        (("message", "registryVersion"), False), (("lines", 0, "withheld"), 0),
        (("message", "fee"), int(saved["message"]["fee"])),
        (("lines", 0, "start"), float(saved["lines"][0]["start"])),
        (("domain", "chainId"), float(saved["domain"]["chainId"])),
        (("ledger", "deployment_block"), float(saved["ledger"]["deployment_block"])),
        (("lines", 0, "start"), -1), (("lines", 0, "end"), 2**70), (("domain", "chainId"), -1),
        (("domain", "chainId"), 2**300), (("ledger", "chain_id"), 2**300),
        (("ledger", "pool"), "0x"), (("lines", 0, "account"), "0x"),
        (("batch", "first"), False), (("batch", "last"), float(saved["batch"]["last"])),
    ]:  # fmt: skip
        assert failed(with_value(saved, path, other), at), (path, other)


def test_lines_that_move_vanish_or_come_twice_make_it_fail(at: Place) -> None:
    saved = saved_of(at, 0)
    lines = saved["lines"]
    for other in (lines[::-1], lines[1:], lines[:-1], [*lines, lines[-1]], []):
        assert failed({**saved, "lines": other}, at)


def test_a_changed_cited_text_makes_it_fail(at: Place) -> None:
    saved = saved_of(at, 0)
    line = saved["lines"][0]
    for place_ in (0, line["start"], line["end"] - 1, len(TEXT) - 1):
        changed = TEXT[:place_] + "~" + TEXT[place_ + 1 :]
        assert failed(saved, at, lambda version, changed=changed: changed)
    assert not failed(saved, at)


def test_a_source_that_is_not_at_hand_is_unchecked_and_not_true(at: Place) -> None:
    def nothing(version: bytes) -> str:
        raise NotFound("no such text", "x")

    checks = verify_receipt(saved_of(at, 0), nothing, at.pool.chain)
    assert [check.passed for check in checks if "stands in" in check.name] == [None] * 3


def test_without_a_chain_what_only_it_knows_stays_unchecked(at: Place) -> None:
    checks = verify_receipt(saved_of(at, 0), text_of, None)
    assert not [check for check in checks if check.passed is False]
    assert len([check for check in checks if check.passed is None]) == 3


def test_a_receipt_signed_by_somebody_else_fails(at: Place) -> None:
    saved = saved_of(at, 3)
    forger = new_key()
    signature = forger.sign_digest(bytes.fromhex(saved["digest"][2:]))
    forged = {
        **saved,
        "signature": "0x" + signature.hex(),
        "signer": format_address(forger.address),
    }
    assert failed(forged, at) == ["the signature is that of a registered signer"]


def test_a_receipt_of_another_chain_fails(at: Place, final_pool: Pool) -> None:
    checks = verify_receipt(saved_of(at, 0), text_of, final_pool.chain)
    assert any(check.passed is False for check in checks)


def test_a_pending_receipt_that_was_settled_meanwhile_asks_to_be_fetched_again(
    at: Place,
) -> None:
    saved = saved_of(at, 0) | {"batch": None, "proof": None}
    (check,) = [c for c in verify_receipt(saved, text_of, at.pool.chain) if c.passed is not True]
    assert "fetch it again" in check.detail


def test_the_proof_of_another_receipt_fails(at: Place) -> None:
    saved, other = saved_of(at, 0), saved_of(at, 2)
    assert failed({**saved, "proof": other["proof"]}, at)
    assert failed({**saved, "message": other["message"], "digest": other["digest"]}, at)


def test_a_batch_is_public_with_all_that_rebuilds_it(at: Place) -> None:
    (batch,) = at.journal.batches(at.ledger_id)
    shown = batch_object(at.journal, batch.batch_id)
    assert shown["status"] == "final"
    assert [one["message"]["seq"] for one in shown["receipts"]] == [0, 1, 2]
    owed: dict[str, int] = {}
    for receipt in shown["receipts"]:
        for line in receipt["lines"]:
            owed[line["account"]] = owed.get(line["account"], 0) + int(line["amount"])
    assert {p["address"]: int(p["amount"]) for p in shown["payouts"]} == {
        account: amount for account, amount in owed.items() if amount
    }
    assert shown["total"] == str(sum(owed.values()))
    text = json.dumps(shown)
    assert "transient storage" not in text.lower(), "no question"
    assert "forgets" not in text, "no answer"


def test_a_receipt_without_a_ledger_verifies_as_owing_nothing(tmp_path: Path, at: Place) -> None:
    journal = journal_at(tmp_path)
    body = Recorder(journal, None).record(answer([supported(1, document("a"))]))
    shown = receipt_object(journal, bytes.fromhex(body["receipt"]["id"][2:]))
    saved: Saved = json.loads(json.dumps(shown))
    assert failed(saved, at) == []
    chance = random.Random(1)
    for path, value in leaves(saved):
        for other in chance.sample(list(flips(value, chance)), 1) if value != 0 else []:
            assert failed(with_value(saved, path, other), at), (path, other)
    journal.close()


def test_a_signers_term_ends_where_the_registry_says() -> None:
    term = SignerTerm(address(1), 10, 20)
    assert [term.covers(at) for at in (9, 10, 19, 20)] == [False, True, True, False]
