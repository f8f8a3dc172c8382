"""The command that serves a base model and its adapters. One of the two doors of uvicorn."""

from __future__ import annotations

import logging
import math
import os
import time
from pathlib import Path

import click

from footnote.errors import Misconfigured

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_POSITIVE = click.IntRange(min=1)


@click.group()
def openlora() -> None:
    """Many LoRA adapters over one base model, behind OpenAI's API."""


@openlora.command()
@click.option("--base", type=_FOLDER, required=True, help="The base model's folder.")
@click.option(
    "--adapters",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder with one folder each; made where it is missing.",
)
@click.option("--name", help="The base's name; its folder's by default. Adapters must name it.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8001, show_default=True, type=click.IntRange(0, 65_535))
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16", "float16"]),
    help="Numbers to compute in; float32 on a CPU, bfloat16 on a GPU by default.",
)
@click.option("--device", help="cpu, cuda, cuda:1 …; the first GPU if any.")
@click.option("--admin-token-file", type=_FILE, help="Turns loading and unloading on.")
@click.option("--max-context", type=_POSITIVE, help="Tokens of prompt and reply together.")
@click.option("--max-rows", default=32, show_default=True, type=_POSITIVE, help="Of one batch.")
@click.option(
    "--max-waiting",
    default=256,
    show_default=True,
    type=_POSITIVE,
    help="Rows that may wait; more are answered 429.",
)
@click.option(
    "--max-adapters", default=32, show_default=True, type=_POSITIVE, help="In memory at once."
)
@click.option(
    "--max-adapter-mib",
    default=4_096,
    show_default=True,
    type=_POSITIVE,
    help="Their memory together.",
)
@click.option("--max-rank", default=64, show_default=True, type=_POSITIVE, help="Of an adapter.")
@click.option(
    "--deadline-seconds",
    default=60.0,
    show_default=True,
    type=click.FloatRange(0.1),
    help="The longest that a request may take, waiting included.",
)
@click.option(
    "--window-ms",
    default=3.0,
    show_default=True,
    type=click.FloatRange(0.0, 1_000.0),
    help="How long an idle server waits for company after a first request.",
)
def serve(
    base: Path,
    adapters: Path,
    name: str | None,
    host: str,
    port: int,
    dtype: str | None,
    device: str | None,
    admin_token_file: Path | None,
    max_context: int | None,
    max_rows: int,
    max_waiting: int,
    max_adapters: int,
    max_adapter_mib: int,
    max_rank: int,
    deadline_seconds: float,
    window_ms: float,
) -> None:
    """Serve a base model and a folder of adapters; the adapter is chosen by "model".

    Requests for different adapters share a batch. An adapter is loaded when it is first asked
    for. SIGTERM finishes what runs.
    """
    import uvicorn

    from openlora.app import build_app
    from openlora.assembly import build_service
    from openlora.batcher import Limits

    # Nothing here may reach for a hub; the folder is all there is.
    os.environ["HF_HUB_OFFLINE"] = "1"
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    token = admin_token_file.read_text().strip() if admin_token_file else None
    if token == "":
        raise Misconfigured("the administrator's token is empty", "put one into the file")
    adapters.mkdir(parents=True, exist_ok=True)
    service = build_service(
        base.resolve(),
        adapters.resolve(),
        Limits(
            max_rows=max_rows,
            max_waiting=max_waiting,
            deadline_seconds=deadline_seconds,
            window_seconds=window_ms / 1_000,
        ),
        name=name,
        dtype=dtype,
        device=device,
        max_context=max_context,
        max_adapters=max_adapters,
        max_adapter_bytes=max_adapter_mib << 20,
        max_rank=max_rank,
        admin_token=token,
        started=int(time.time()),
    )
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"footnote openlora serves {service.base} at http://{shown}:{port}/v1", err=True)
    uvicorn.run(
        build_app(service),
        host=host,
        port=port,
        log_level="warning",
        timeout_graceful_shutdown=math.ceil(deadline_seconds) + 1,
    )
