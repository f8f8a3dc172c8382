"""The documentation tells the truth about what is there."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from fastapi.routing import APIRoute

from api.routes import answers, chat, datanets, documents, health, rewards, search, verify
from cli.main import _COMMANDS, footnote
from footnote.settings import PREFIX, Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"
EVERY_PAGE = "\n".join(path.read_text() for path in sorted(DOCS.glob("*.md")))


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    field = Settings.model_fields[name]
    page = (DOCS / "settings.md").read_text()
    (row,) = [line for line in page.splitlines() if f"`{PREFIX}{name.upper()}`" in line]
    assert row.endswith(f"| {field.description} |")
    if field.default is not None and field.default_factory is None:
        assert f"| `{field.default}` |" in row


def test_no_setting_is_documented_that_does_not_exist() -> None:
    page = (DOCS / "settings.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith(f"| `{PREFIX}")]
    assert len(rows) == len(Settings.model_fields)


@pytest.mark.parametrize("name", list(_COMMANDS))
def test_every_command_is_documented_and_teaches(name: str) -> None:
    assert f"footnote {name}" in EVERY_PAGE or f"make {name}" in EVERY_PAGE
    command = footnote.get_command(click.Context(footnote), name)
    assert command is not None
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name not in ("k", "port"):
            assert parameter.help, f"{name} {parameter.name}"


def test_every_route_is_documented() -> None:
    page = (DOCS / "api.md").read_text()
    for module in (answers, chat, search, verify, datanets, documents, rewards, health):
        for route in module.router.routes:
            assert isinstance(route, APIRoute)
            for method in route.methods or ():
                assert f"`{method} {route.path.replace(':path', '')}`" in page
