"""The page on citation bugs names tests that are there."""

from __future__ import annotations

import ast
import re

from tests.conftest import CHECKOUT

PAGE = (CHECKOUT / "docs" / "citation-bugs.md").read_text("utf-8")
BUGS = {
    "RAGFlow #7232", "RAGFlow #8273", "RAGFlow #8527", "RAGFlow #12005", "Onyx #1543",
    "Onyx #14334", "Onyx #4786", "Onyx #3067", "R2R #2224", "kotaemon #541", "Open WebUI #10979",
    "Open WebUI #10142", "Open WebUI #12655", "LangChain #21475",
}  # fmt: skip
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_each_bug_is_listed_once_and_with_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("|") and "#" in line]
    assert sorted(row.split("|")[1].strip() for row in rows) == sorted(BUGS)
    for row in rows:
        assert NAMED.search(row), row


def test_every_test_that_is_named_exists() -> None:
    named = NAMED.findall(PAGE)
    assert len(named) >= len(BUGS)
    assert PAGE.count("::") == len(named)
    for path, name in named:
        tree = ast.parse((CHECKOUT / path).read_text("utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name
