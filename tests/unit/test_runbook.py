"""The runbook knows every alarm, every reason for which a batch is held, and every refusal."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from cli.main import _COMMANDS
from rewards.chain import _REMEDIES
from rewards.status import ALARMS, PLAIN_HOLDS, alarm_name
from tests.conftest import CHECKOUT

PAGE = (CHECKOUT / "docs" / "runbook.md").read_text("utf-8")
SECTIONS = dict(part.split("\n", 1) for part in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:])
PARTS = ("**Seen.**", "**Means.**", "**Safe meanwhile.**", "**Do.**", "**Over when.**")

STOPPERS = {
    "settler": {"Alarm", "Unavailable"},
    "worker": {"critical"},
    "marks": {"RolledBack", "StorageFull", "Unavailable"},
    "record": {"Misconfigured"},
    "resume": {"Refused", "Invalid"},
    "endpoints": {"Unavailable"},
    "chain": {"Unavailable", "Misconfigured"},
    "journal/store": {"Broken", "StorageFull", "Unavailable"},
}
"""What each module says when it will not go on, and the runbook therefore quotes."""

OWNERS_ALONE = {"NotOwner", "VersionConflict", "UnknownDatanet"}
"""Refusals that a person meets on the command line, never a batch."""


def calls(module: str, names: set[str], place: int = 0) -> Iterator[str]:
    """What each such call in a module says there, with … for what varies."""
    tree = ast.parse((CHECKOUT / "rewards" / f"{module}.py").read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and len(node.args) > place:
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in names:
                yield from texts(tree, node.args[place])


def texts(tree: ast.Module, said: ast.expr) -> Iterator[str]:
    """What an expression says; of a variable, what is assigned to it anywhere."""
    if isinstance(said, ast.Constant):
        yield re.sub(r"%[sd]", "…", str(said.value))
    elif isinstance(said, ast.JoinedStr):
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…" for part in said.values
        )
    elif isinstance(said, ast.Name):
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == said.id:
                yield from texts(tree, node.value)


def one_line(text: str) -> str:
    return " ".join(text.replace("…..…", "…").split())


SAID = sorted({(module, text) for module in STOPPERS for text in calls(module, STOPPERS[module])})
SETTLER = (CHECKOUT / "rewards" / "settler.py").read_text("utf-8")
HOLDS = {
    *re.findall(r'"([A-Z][A-Za-z]+): ', SETTLER),
    *(_REMEDIES.keys() - OWNERS_ALONE),
    *PLAIN_HOLDS.values(),
}


@pytest.mark.parametrize(("module", "text"), SAID)
def test_whatever_stops_issuing_or_paying_is_quoted(module: str, text: str) -> None:
    assert one_line(text) in one_line(PAGE), f"{module} says it, and the runbook does not"


@pytest.mark.parametrize("name", sorted(HOLDS))
def test_each_reason_for_which_a_batch_is_held_has_its_section(name: str) -> None:
    assert f"Held: {name}" in SECTIONS


def test_the_reasons_that_name_no_remedy_are_those_of_the_settler() -> None:
    given = set(calls("settler", {"release_nonce", "give_up_nonce", "_release"}, place=1))
    conditional = {"the transaction reverted", "cancelled"}
    assert {reason for reason in given if "…" not in reason} | conditional == set(PLAIN_HOLDS)
    assert all(f'"{reason}"' in SETTLER for reason in conditional)


def test_each_alarm_of_settlement_has_one_name_and_the_runbook_says_it() -> None:
    said = set(calls("settler", {"Alarm"}))
    named = [alarm_name(text) for text in said]
    assert sorted(named) == sorted(ALARMS.values()), "each once, and none is Other"
    for name in ALARMS.values():
        assert any(f"`{name}`" in text for title, text in SECTIONS.items() if "Alarm: " in title)


def test_no_section_is_about_a_reason_that_does_not_exist() -> None:
    named = {title.removeprefix("Held: ") for title in SECTIONS if title.startswith("Held: ")}
    assert named == HOLDS | {"Other"}


@pytest.mark.parametrize("title", list(SECTIONS))
def test_a_section_says_what_is_seen_and_meant_and_safe_and_to_do_and_when_it_is_over(
    title: str,
) -> None:
    places = [SECTIONS[title].find(part) for part in PARTS]
    assert -1 not in places
    assert places == sorted(places)


def test_the_runbook_names_only_commands_that_exist() -> None:
    named = set(re.findall(r"footnote ([a-z]+)", PAGE))
    assert named <= set(_COMMANDS)
