"""The house as ``docs/design.md`` draws it, read from the imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

ROOMS = ("footnote", "rag", "indexer", "rewards", "api", "openlora", "cli", "contracts_abi")
BELOW = {
    "footnote": set[str](),
    "contracts_abi": set[str](),
    "rag": {"footnote"},
    "indexer": {"footnote", "rag"},
    "rewards": {"footnote", "contracts_abi"},
    "api": {"footnote", "rag", "rewards"},
    "openlora": {"footnote"},
    "cli": {"footnote", "rag", "indexer", "rewards", "api", "openlora", "contracts_abi"},
}
DOORS: dict[str, str | tuple[str, ...]] = {
    "faiss": "rag.index.vectors",
    "sklearn": "rag.retrieval.tuning",
    "tantivy": "rag.index.lexical",
    "confusable_homoglyphs": "rag.text.letters",
    "sentence_transformers": ("rag.models.embedder", "rag.models.crossencoder"),
    "torch": ("rag.models.embedder", "rag.models.crossencoder", "openlora.engine"),
    "transformers": ("rag.models.embedder", "openlora.engine"),
    "safetensors": "openlora.engine",
    "langchain_core": "rag.langchain",
    "openai": "rag.models.llm",
    "mcp": "api.mcp",
    "selectolax": "indexer.readers.html",
    "pypdf": "indexer.readers.pdf",
    "docx": "indexer.readers.docx",
    "yaml": "indexer.readers.front_matter",
    "redis": ("rewards.queue", "api.limits"),
    "prometheus_client": ("rewards.metrics", "openlora.metrics", "api.telemetry"),
    "structlog": "footnote.logs",
    "python_multipart": "api.multipart",
    "web3": "rewards.chain",
    "sqlalchemy": "rewards.journal",
}


def modules() -> dict[str, ast.Module]:
    found = {}
    for room in ROOMS:
        for path in sorted((CHECKOUT / room).rglob("*.py")):
            name = ".".join(path.relative_to(CHECKOUT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = ast.parse(path.read_text("utf-8"))
    return found


MODULES = modules()


def imports(tree: ast.Module) -> set[str]:
    """Every module that ``tree`` names in an import, anywhere in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module
            found |= {node.module}
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def ours(name: str) -> set[str]:
    return {i for i in imports(MODULES[name]) if i in MODULES and i != name}


def test_a_room_imports_only_from_the_floors_below() -> None:
    wrong = [
        f"{name} imports {imported}"
        for name in MODULES
        for imported in ours(name)
        if imported.split(".")[0] not in BELOW[name.split(".")[0]] | {name.split(".")[0]}
    ]
    assert wrong == []


def test_no_module_imports_itself_through_others() -> None:
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " → ".join([*path, name])
        if name not in done:
            for imported in sorted(ours(name)):
                walk(imported, (*path, name))
            done.add(name)

    for name in MODULES:
        walk(name, ())
    assert done == set(MODULES)


def test_the_api_knows_neither_chain_nor_vectors() -> None:
    forbidden = {"rewards.chain", "rewards.settler", "rewards.worker", "rag.index.vectors", "faiss"}
    for name in MODULES:
        if name.split(".")[0] == "api":
            assert not imports(MODULES[name]) & forbidden, name


def test_the_init_files_of_packages_import_nothing() -> None:
    for room in ROOMS:
        for path in (CHECKOUT / room).rglob("__init__.py"):
            assert imports(ast.parse(path.read_text("utf-8"))) == set(), path


@pytest.mark.parametrize("library", DOORS)
def test_an_outside_library_has_one_door(library: str) -> None:
    users = {
        name
        for name, tree in MODULES.items()
        if any(i == library or i.startswith(library + ".") for i in imports(tree))
    }
    named = DOORS[library]
    doors = (named,) if isinstance(named, str) else named
    for user in users:
        assert any(user == door or user.startswith(door + ".") for door in doors), user
    assert users


def test_nothing_unpickles() -> None:
    for name, tree in MODULES.items():
        assert not {"pickle", "dill", "joblib", "shelve", "marshal"} & imports(tree), name


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("cli.main", {"torch", "faiss", "web3", "fastapi", "sqlalchemy"}),
        ("rewards.worker", {"torch", "faiss", "tantivy", "sentence_transformers", "fastapi"}),
        ("indexer.ingest", {"web3", "redis", "fastapi", "sqlalchemy"}),
        ("openlora.validation", {"torch", "transformers", "safetensors", "fastapi"}),
        ("openlora.commands", {"torch", "transformers", "fastapi"}),
    ],
)
def test_a_process_loads_only_what_it_needs(module: str, unwanted: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT
    ).stdout.split()
    assert not unwanted & set(loaded)


def test_no_file_of_the_project_names_a_machines_folder() -> None:
    for room in (*ROOMS, "bench", "tests"):
        for path in (CHECKOUT / room).rglob("*.py"):
            assert "/work/" + "shared" not in path.read_text("utf-8"), Path(path).name
