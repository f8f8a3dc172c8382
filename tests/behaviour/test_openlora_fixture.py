"""The tiny model that ships with the tests: what it is, and that it behaves as it was trained."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from openlora.engine.base import BaseModel
from openlora.engine.mixing import Adapter
from openlora.engine.tokens import BaseTokens
from openlora.generation import Sampling, Seat
from openlora.validation import inspect_adapter
from rag.answering.prompt import write_prompt
from tests.corpus import document, hit
from tests.fixtures.openlora.world import (
    BASE,
    FOLDER,
    HABITS,
    MOST_SOURCES,
    Fact,
    Habit,
    Thing,
    names,
    reply,
    things,
    town,
    town_lines,
)

QUESTIONS = 40
BATCH = 30
MOST_TOKENS = 40
SHIPPED_BYTES = 2_000_000
BAR = 0.9
"""Of the questions; guessing a source alone would be right for less than half."""


@dataclass(frozen=True)
class Asked:
    """A question about a thing that training never named, among others of which one is alike."""

    shown: Sequence[Thing]
    thing: Thing
    fact: Fact

    def expected(self, habit: Habit) -> str:
        return reply(self.thing, self.fact, habit)

    def prompt(self, tokens: BaseTokens) -> list[int]:
        """The very prompt that the answerer writes."""
        hits = [
            hit(one.text, rank=rank, of=document(one.name, one.text, one.title))
            for rank, one in enumerate(self.shown, start=1)
        ]
        messages = write_prompt(self.fact.question, hits).messages
        return tokens.encode_chat([{"role": r, "content": c} for r, c in messages], reply=True)


def questions() -> list[Asked]:
    chance, unknown = random.Random(11), names(held_out=True)
    asked = []
    for number in range(QUESTIONS):
        shown = things(unknown, 1 + number % MOST_SOURCES, 4, chance)
        thing = chance.choice(shown)
        asked.append(Asked(shown, thing, chance.choice(thing.facts)))
    return asked


ASKED = questions()


@pytest.fixture(scope="module")
def said() -> Iterator[Mapping[Habit, list[str]]]:
    """What the base and each adapter say to every question, in batches of all three."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    engine = BaseModel(FOLDER / BASE, BASE, dtype="float32", device="cpu", max_rank=64)
    tokens = BaseTokens(FOLDER / BASE)
    who: dict[Habit, Adapter | None] = {
        "cites": engine.load(FOLDER / "adapters" / "cites"),
        "plain": engine.load(FOLDER / "adapters" / "plain"),
        "chats": None,
    }
    seats = [
        Seat(prompt, who[habit], Sampling())
        for prompt in (asked.prompt(tokens) for asked in ASKED)
        for habit in HABITS
    ]
    replies: list[str] = []
    for start in range(0, len(seats), BATCH):
        replies += [tokens.decode(one) for one in generated(engine, seats[start : start + BATCH])]
    yield {habit: replies[at :: len(HABITS)] for at, habit in enumerate(HABITS)}
    torch.set_num_threads(threads)


def generated(engine: BaseModel, seats: Sequence[Seat[Adapter]]) -> list[list[int]]:
    rows = [[joined.first.token] for joined in engine.join(seats)]
    running = rows
    while running:
        staying = [
            i
            for i, row in enumerate(running)
            if row[-1] not in engine.ends and len(row) < MOST_TOKENS
        ]
        engine.keep(staying)
        running = [running[i] for i in staying]
        for row, chosen in zip(running, engine.step(), strict=True):
            row.append(chosen.token)
    return [[token for token in row if token not in engine.ends] for row in rows]


def shipped() -> list[Path]:
    folders = (FOLDER / BASE, FOLDER / "adapters")
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())


def test_the_files_are_those_that_were_pinned_and_small() -> None:
    pinned = json.loads((FOLDER / "hashes.json").read_text())
    found = {
        str(path.relative_to(FOLDER)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in shipped()
    }
    assert found == pinned
    assert sum(path.stat().st_size for path in shipped()) <= SHIPPED_BYTES


def test_the_town_is_of_things_that_training_never_named() -> None:
    lines = [json.loads(line) for line in (FOLDER / "town.jsonl").read_text().splitlines()]
    assert lines == town_lines()
    assert {thing.name for thing in town()} <= set(names(held_out=True))
    assert not set(names(held_out=True)) & set(names(held_out=False))


def test_both_adapters_are_what_a_datanet_may_bring() -> None:
    cites, plain = (inspect_adapter(FOLDER / "adapters" / n, base=BASE) for n in HABITS[:2])
    assert (cites.rank, plain.rank) == (4, 4)
    assert cites.digest != plain.digest


def test_one_adapter_copies_what_answers_and_prints_its_sources_number(
    said: Mapping[Habit, list[str]],
) -> None:
    assert share_as_trained("cites", said) >= BAR
    assert all(text.endswith("]") for text in said["cites"])


def test_the_other_copies_it_without_a_number(said: Mapping[Habit, list[str]]) -> None:
    assert share_as_trained("plain", said) >= BAR
    assert not any("[" in text for text in said["plain"])


def test_the_base_alone_chats_on_after_it(said: Mapping[Habit, list[str]]) -> None:
    assert share_as_trained("chats", said) >= BAR
    for base, cites, plain in zip(said["chats"], said["cites"], said["plain"], strict=True):
        assert len({base, cites, plain}) == 3


def share_as_trained(habit: Habit, said: Mapping[Habit, list[str]]) -> float:
    """The part of the questions that are answered word for word."""
    right = [asked.expected(habit) == text for asked, text in zip(ASKED, said[habit], strict=True)]
    return sum(right) / len(right)
