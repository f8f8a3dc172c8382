"""The tools for agents, through the protocol's own client: over HTTP and over stdio."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, StdioServerParameters

from api.app import build_services
from cli.stack import clean_environment
from footnote.settings import Settings
from rag.models.embedder import SentenceTransformerEmbedder
from tests.conftest import CHECKOUT
from tests.e2e.test_api import QUESTION, Service, ingest, serving

TOOLS = {"list_datanets", "ask", "search", "get_document", "verify"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, embedder: SentenceTransformerEmbedder) -> Path:
    folder = tmp_path_factory.mktemp("mcp")
    ingest(folder, embedder)
    return folder


@pytest.fixture(scope="module")
def service(home: Path, embedder: SentenceTransformerEmbedder) -> Iterator[Service]:
    yield from serving(build_services(Settings(home=home), embedder))


def through(
    server: str | StdioServerParameters, calls: Callable[[Client], Awaitable[None]]
) -> None:
    async def run() -> None:
        async with Client(server) as client:
            await calls(client)

    asyncio.run(run())


async def called(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


def test_every_tool_does_over_http_what_its_route_does(service: Service) -> None:
    async def calls(client: Client) -> None:
        assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
        datanets = await called(client, "list_datanets")
        assert [one["id"] for one in datanets["data"]] == ["nature"]
        answer = await called(client, "ask", datanet="nature", question=QUESTION)
        stored = service.http.get(f"/v1/answers/{answer['id']}").json()
        assert (answer["text"], answer["receipt"]) == (stored["text"], stored["receipt"])
        found = await called(client, "search", datanet="nature", question=QUESTION, k=2)
        wanted = {"datanet": "nature", "question": QUESTION, "k": 2}
        assert found == service.post("/v1/search", wanted).json()
        source = answer["citations"][0]["source"]
        document = await called(
            client, "get_document", datanet="nature", document_id=source["document_id"]
        )
        assert document["version"] == source["version"]
        span = answer["citations"][0]["source_span"]
        assert document["text"][span["start"] : span["end"]] == answer["citations"][0]["cited_text"]
        checked = await called(
            client,
            "verify",
            text="It was cast in 1872. [1]",
            sources=[{"text": "It was cast in 1871."}],
        )
        assert [claim["verdict"] for claim in checked["claims"]] == ["contradicted"]

    through(f"{service.url}/mcp", calls)


def test_an_error_says_in_words_what_to_change(service: Service) -> None:
    async def calls(client: Client) -> None:
        for tool, arguments, words in (
            ("ask", {"datanet": "nobody", "question": QUESTION}, "no such Datanet"),
            ("ask", {"datanet": "nature", "question": " "}, "an empty question"),
            ("get_document", {"datanet": "nature", "document_id": "no"}, "no such document"),
            (
                "search",
                {"datanet": "nature", "question": QUESTION, "k": 0},
                "greater than or equal",
            ),
        ):
            result = await client.call_tool(tool, arguments)
            assert result.is_error
            assert words in str(result.content), (tool, result.content)

    through(f"{service.url}/mcp", calls)


def test_a_page_under_another_name_cannot_pose_as_an_agent(service: Service) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    headers = {"Host": "evil.example", "Accept": "application/json, text/event-stream"}
    assert httpx.post(f"{service.url}/mcp", json=body, headers=headers).status_code == 401


def test_the_same_tools_over_stdio(home: Path) -> None:
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "cli.main", "mcp"], cwd=CHECKOUT,
        env=clean_environment(HOME=str(home), JOURNAL_URL=f"sqlite:///{home / 'stdio.sqlite'}"),
    )  # fmt: skip

    async def calls(client: Client) -> None:
        assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
        answer = await called(client, "ask", datanet="nature", question=QUESTION)
        assert answer["refused"] is False

    through(server, calls)
