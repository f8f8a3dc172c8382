"""A saved batch is rebuilt from its public lines, and any change of any value is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.main import footnote
from cli.stack import clean_environment
from footnote.errors import Invalid, Unavailable
from rewards.audit import audit
from rewards.chain import EvmChain
from rewards.marks import Mark, Marks
from rewards.policy import Policy
from rewards.published import batch_object
from rewards.record import Recorder
from rewards.resume import resume
from rewards.verify_batch import verify_batch
from tests.conftest import rpc
from tests.money import (
    Place,
    Pool,
    address,
    answer,
    deployed,
    document,
    paying,
    place,
    refusal,
    supported,
)

OWN_WORD = {"datanet", "at"}
"""What nothing signed holds; and ``held`` of a batch that waits."""


@pytest.fixture(scope="module")
def at(instant_pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("batch")
    made = place(deployed(instant_pool.url, instant_pool.chain), folder)
    policy = Policy(daily_budget=None, daily_limit_per_address=10**16, platform=address(73))
    made.journal.set_policy("eips", policy)
    cited, other = document("eip-1153", (1, 7_000), (2, 3_000)), document("Ægir", (3, 10_000))
    made.recorder.record(answer([supported(1, cited), supported(2, other)]))
    made.recorder.record(refusal())
    made.journal.set_policy("eips", Policy(daily_budget=None, daily_limit_per_address=None))
    made.recorder.record(answer([supported(1, other)]))
    made.settle()
    yield made
    assert audit(made.journal, made.pool.chain).differences == []


def saved_of(at: Place, number: int = 0) -> dict[str, Any]:
    batch = at.journal.batches(at.ledger_id)[number]
    saved: dict[str, Any] = json.loads(json.dumps(batch_object(at.journal, batch.batch_id)))
    return saved


def passed(saved: dict[str, Any], chain: EvmChain | None) -> list[bool | None]:
    return [check.passed for check in verify_batch(saved, chain)]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value that is no object and no list."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))
    else:
        yield path


def changes(value: Any) -> list[Any]:
    if isinstance(value, str):
        middle = len(value) // 2
        return [
            value[:i] + ("1" if value[i] == "0" else "0") + value[i + 1 :]
            for i in sorted({0, middle, len(value) - 1})
            if value
        ] + [value + "0", None]
    if value is None:
        return ["0x00", 0]
    return [not value] if isinstance(value, bool) else [value + 1, str(value), None, float(value)]


def test_a_batch_that_was_settled_holds(at: Place) -> None:
    assert set(passed(saved_of(at), at.pool.chain)) == {True}
    assert passed(saved_of(at), None)[-2:] == [None, None], "without a chain this stays unchecked"
    assert False not in passed(saved_of(at), None)


def test_any_value_that_is_changed_is_refused(at: Place) -> None:
    whole = saved_of(at)
    found = [path for path in places(whole) if path[-1] not in OWN_WORD]
    assert len(found) > 100
    accepted = []
    for path in found:
        for changed in changes(at_path(whole, path)):
            saved = copy.deepcopy(whole)
            at_path(saved, path[:-1])[path[-1]] = changed
            if False not in passed(saved, at.pool.chain):
                accepted.append((path, changed))
    assert accepted == []


def at_path(value: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        value = value[part]
    return value


def test_receipts_that_are_left_out_doubled_or_moved_are_refused(at: Place) -> None:
    whole = saved_of(at)
    for change in (
        lambda receipts: receipts[1:],
        lambda receipts: receipts[:-1],
        lambda receipts: [*receipts, receipts[0]],
        lambda receipts: receipts[::-1],
        lambda receipts: [],
    ):
        saved = {**whole, "receipts": change(whole["receipts"])}
        assert False in passed(saved, at.pool.chain)
    for name in whole:
        assert False in passed({k: v for k, v in whole.items() if k != name}, None), name
    assert False in passed({**whole, "more": 1}, None)


def test_abandoned_numbers_are_part_of_their_batch(instant_pool: Pool, tmp_path: Path) -> None:
    at = place(deployed(instant_pool.url, instant_pool.chain), tmp_path)
    marks = Marks(tmp_path / "marks")
    recorder = Recorder(at.journal, at.signer, marks)
    recorder.record(paying(1))
    marks.note(at.ledger_id, "eips", Mark(3, b"\x07" * 32))
    resume(at.journal, marks, at.pool.chain, at.registration, [], abandon=True)
    recorder.record(paying(2))
    at.settle()
    saved = saved_of(at)
    assert set(passed(saved, at.pool.chain)) == {True}
    (gap,) = saved["abandoned"]
    assert (gap["first"], gap["last"], gap["digest"]) == (1, 3, "0x" + "07" * 32)
    for name, value in (("first", 2), ("last", 2), ("digest", "0x" + "08" * 32),
                        ("previous", "0x" + "08" * 32)):  # fmt: skip
        wrong = {**saved, "abandoned": [{**gap, name: value}]}
        assert False in passed(wrong, at.pool.chain), name
    found = audit(at.journal, at.pool.chain)
    assert (found.differences, found.abandoned, found.receipts) == ([], 3, 5)
    assert at.credited() == at.owed()


def test_a_batch_that_waits_is_not_called_settled(at: Place) -> None:
    at.recorder.record(paying(5))
    rpc(at.pool.url, "evm_setAutomine", False)
    try:
        at.settle()
        waiting = saved_of(at, 1)
        assert passed(waiting, at.pool.chain)[-2:] == [None, True]
        assert False in passed({**waiting, "status": "final"}, at.pool.chain)
    finally:
        rpc(at.pool.url, "evm_mine")
        rpc(at.pool.url, "evm_setAutomine", True)
    assert False in passed(waiting, at.pool.chain), "it was settled meanwhile"
    at.settle()
    assert set(passed(saved_of(at, 1), at.pool.chain)) == {True}


def test_the_command_says_what_it_could_not_check(at: Place, tmp_path: Path) -> None:
    file = tmp_path / "batch.json"
    file.write_text(json.dumps(saved_of(at)))
    call = ["verify", str(file), "--batch"]
    environment = clean_environment(**at.settings(), CONFIRMATIONS="1")
    del environment["FOOTNOTE_CONFIRMATIONS"]
    assert CliRunner().invoke(footnote, [*call, "--offline"], env=environment).exception is None
    without = clean_environment(HOME=str(tmp_path))
    assert isinstance(CliRunner().invoke(footnote, call, env=without).exception, Unavailable)
    file.write_text(json.dumps({**saved_of(at), "total": "1"}))
    assert isinstance(CliRunner().invoke(footnote, call, env=without).exception, Invalid)
