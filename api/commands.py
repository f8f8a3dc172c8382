"""The commands that serve: over HTTP, and to an agent. The door of uvicorn."""

from __future__ import annotations

import logging

import click
import uvicorn

from api.app import build_app, build_services
from api.mcp import build_mcp
from footnote.settings import read_settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65_535))
def serve(host: str, port: int) -> None:
    """Serve questions and answers over HTTP; /docs describes the API.

    Starts no other service. Without FOOTNOTE_REDIS_URL the worker polls; without a registered
    Datanet nothing is paid.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    app = build_app(build_services(read_settings()), host)
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"footnote serves http://{shown}:{port}", err=True)
    uvicorn.run(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=10)


@click.command()
def mcp() -> None:
    """Offer Footnote's tools to an agent, over standard input and output.

    The tools are list_datanets, ask, search, get_document and verify, by the Model Context
    Protocol. `footnote serve` offers the same at /mcp.

    \b
    {"mcpServers": {"footnote": {"command": "footnote", "args": ["mcp"]}}}
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    build_mcp(build_services(read_settings())).run("stdio")
