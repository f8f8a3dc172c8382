"""The attack suite attacks what it says, the same way for the same seed."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from bench.attack.arena import Earned, attacker_gain, honest_loss
from bench.attack.attacks import ATTACKER, Attack, Target, every_attack
from bench.attack.copies import homoglyphs, pieces, reordered, swapped
from bench.attack.self_asking import drained
from indexer.admission import Defaults, admit
from indexer.readers.submission import Submission
from rag.text.letters import letters
from rewards.policy import Policy
from tests.corpus import fields
from tests.unit.test_duplicates import WORDS, tale

TARGETS = [
    Target(fields(f"d{i}", tale(i, 12), title=f"Tale {i}"), f"Which tale holds number {i}?")
    for i in range(4)
]
ATTACKS = every_attack({"d1": fields("d1@old", tale(1, 11), title="Tale 1")})


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
def test_an_attack_is_a_set_of_admissible_documents_that_its_seed_decides(attack: Attack) -> None:
    made = attack.make(TARGETS, random.Random(3))
    assert made
    assert made == attack.make(TARGETS, random.Random(3))
    assert len({row["id"] for row in made}) == len(made)
    for row in made:
        admitted = admit(Submission(row["id"], row["text"], row), Defaults(), 5_000_000)
        assert [c.address.hex() for c in admitted.contributors] == [ATTACKER[2:]]


def test_copies_are_dressed_as_their_names_say() -> None:
    text, dice = tale(1), random.Random(1)
    look = homoglyphs(text, dice)
    assert look != text
    assert letters(look) == letters(text)
    moved = reordered(text, dice)
    assert moved != text
    assert sorted(moved.split()) == sorted(text.split())
    kept = [
        a == b for a, b in zip(text.split(), swapped(text, 0.3, WORDS, dice).split(), strict=True)
    ]
    assert 0.6 < sum(kept) / len(kept) < 0.8
    assert "".join("".join(pieces(text, 5)).split()) == "".join(text.split())


def test_gain_and_loss_are_parts_of_what_was_paid() -> None:
    before = Earned((Counter({"0xa": 1_000_000}), Counter({"0xb": 1_000_000}), Counter()))
    after = Earned((Counter({"0xa": 500_000, ATTACKER: 500_000}), Counter({"0xb": 1_000_000})))
    assert (before.pool, after.pool) == (2.0, 2.0)
    assert attacker_gain(after) == 0.5
    assert honest_loss(before, after) == 0.25
    assert honest_loss(Earned(()), after) == 0.0


def test_who_asks_himself_drains_no_more_than_an_addresss_limit() -> None:
    found = drained()
    assert found["drained"] == found["limit_per_address"] == str(Policy().daily_limit_per_address)
    assert found["percent_of_daily_budget"] == 20.0
    assert found["passed"]
    assert not drained(Policy(daily_limit_per_address=None))["passed"]
