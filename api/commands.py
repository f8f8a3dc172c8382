"""The commands that serve: over HTTP, and to an agent. The door of uvicorn."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from dataclasses import dataclass
from typing import Any

import click
import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from api.app import build_app, build_services
from api.heads import BoundedHeads
from api.telemetry import MULTIPROCESS
from footnote.logs import set_up_logs
from footnote.settings import read_settings

_HOW: dict[str, Any] = {
    "log_config": None,  # as ours
    "access_log": False,
    "loop": "uvloop" if sys.platform != "win32" else "asyncio",
    "http": BoundedHeads,
    "ws": "none",
    "timeout_graceful_shutdown": 10,
}


@dataclass(frozen=True, slots=True)
class Served:
    """Makes the application in the process that serves it."""

    host: str

    def __call__(self) -> FastAPI:
        settings = read_settings()
        set_up_logs(settings.log_format)
        app = build_app(build_services(settings), self.host)
        gc.collect()
        gc.freeze()  # what lives as long as the process need not be looked through again and again
        return app


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65_535))
@click.option(
    "--processes",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="How many processes answer, over one journal and the same snapshots.",
)
def serve(host: str, port: int, processes: int) -> None:
    """Serve questions and answers over HTTP; /docs describes the API.

    Starts no other service. Without FOOTNOTE_REDIS_URL the worker polls; without a registered
    Datanet nothing is paid.
    """
    served = Served(host)
    shown = f"[{host}]" if ":" in host else host
    if processes == 1:
        app = served()
        click.echo(f"footnote serves http://{shown}:{port}", err=True)
        uvicorn.run(app, host=host, port=port, **_HOW)
    else:
        config = uvicorn.Config(
            served, factory=True, host=host, port=port, workers=processes, **_HOW
        )  # fmt: skip
        listening = config.bind_socket()
        click.echo(f"footnote serves http://{shown}:{port}", err=True)
        with tempfile.TemporaryDirectory() as counts:
            os.environ[MULTIPROCESS] = counts
            Multiprocess(config, sockets=[listening]).run()


@click.command()
def mcp() -> None:
    """Offer Footnote's tools to an agent, over standard input and output.

    The tools are list_datanets, ask, search, get_document and verify, by the Model Context
    Protocol. `footnote serve` offers the same at /mcp.

    \b
    {"mcpServers": {"footnote": {"command": "footnote", "args": ["mcp"]}}}
    """
    settings = read_settings()
    set_up_logs(settings.log_format)
    from api.mcp import build_mcp

    build_mcp(build_services(settings)).run("stdio")
