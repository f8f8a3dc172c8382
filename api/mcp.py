"""Footnote as tools for agents, by the Model Context Protocol. The door of mcp.

The tools do what the routes do, with the same objects; an error of ours is told in words that a
model can act on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import wraps
from typing import Annotated, Any, ParamSpec

from anyio.to_thread import run_sync
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

from api.access import calling_now
from api.asking import answered
from api.objects import datanet_object, document_object, hits_object
from api.routes.verify import shown
from api.services import Services
from footnote.errors import Broken, FootnoteError
from footnote.model import Question
from rag.answerer import check_question
from rag.answering.grounding import Source, check_text
from rag.retrieval.retriever import MAX_K

INSTRUCTIONS = """Collections of documents (Datanets) whose answers cite every claim to the
character. Use ask for an answer with checked citations, search for passages, get_document for a
whole text, and verify to check sentences of your own against sources before you state them.
Quote citations as they are: their people are paid for being cited."""

P = ParamSpec("P")
Tool = Callable[P, Awaitable[dict[str, Any]]]
Datanet = Annotated[str, Field(description="A Datanet's name; list_datanets gives them.")]
Asked = Annotated[str, Field(description="The question, in plain words.")]


class GivenSource(BaseModel):
    """A text to check against."""

    text: str = Field(min_length=1)
    title: str = ""


def build_mcp(services: Services) -> MCPServer:
    """The tools over ``services``."""
    server = MCPServer("footnote", title="Footnote", instructions=INSTRUCTIONS, version="0.1.0")

    @server.tool()
    @_in_words
    async def list_datanets() -> dict[str, Any]:
        """The Datanets that can be asked."""
        caller = calling_now()

        def listed() -> list[dict[str, Any]]:
            found = []
            for name in caller.visible(services.library.names()):
                with suppress(Broken):
                    found.append(datanet_object(services, name))
            return found

        return {"data": await run_sync(listed)}

    @server.tool()
    @_in_words
    async def ask(datanet: Datanet, question: Asked) -> dict[str, Any]:
        """Answer a question with citations that were checked, and a receipt. `refused` says that
        the Datanet does not seem to hold the answer."""
        caller, asked = calling_now(), Question(datanet, question)
        return await services.turns.take(
            lambda: answered(services, caller, asked, None, {}), caller.who
        )

    @server.tool()
    @_in_words
    async def search(
        datanet: Datanet,
        question: Asked,
        k: Annotated[int, Field(ge=1, le=MAX_K, description="How many passages.")] = 8,
    ) -> dict[str, Any]:
        """The passages that fit a question best, with where they stand. Costs nobody anything."""
        check_question(Question(calling_now().check(datanet), question, k))
        return hits_object(*await services.answerer.search_soon(datanet, question, k))

    @server.tool()
    @_in_words
    async def get_document(
        datanet: Datanet,
        document_id: Annotated[str, Field(description="As a citation or a passage names it.")],
    ) -> dict[str, Any]:
        """A document as it stands now: its whole text, licence and contributors."""
        visible = calling_now().check(datanet)
        return await run_sync(lambda: document_object(services, visible, document_id))

    @server.tool()
    @_in_words
    async def verify(
        text: Annotated[str, Field(description="Sentences, marked like [1] or not.")],
        sources: Annotated[list[GivenSource], Field(description="[1] names the first.")],
    ) -> dict[str, Any]:
        """Check each sentence of a text against the sources given: supported, partial,
        contradicted or unsupported, with the span that it rests on."""
        verifier = services.answerer.verifier
        given = [Source(one.text, one.title) for one in sources]
        found = await services.checks.take(
            lambda: check_text(text, given, verifier), calling_now().who
        )
        return shown(found, [str(number) for number in range(1, len(sources) + 1)])

    return server


def _in_words(tool: Tool[P]) -> Tool[P]:
    """``tool`` with our errors as what the protocol calls a tool's error."""

    @wraps(tool)
    async def told(*args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        try:
            return await tool(*args, **kwargs)
        except FootnoteError as error:
            raise ToolError(f"{error.what}: {error.what_to_do}") from error

    return told
