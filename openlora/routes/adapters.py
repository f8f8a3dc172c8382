"""Loading and unloading by name, in vLLM's words. Served only with an administrator's token."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import PlainTextResponse
from starlette.concurrency import run_in_threadpool

from footnote.errors import Invalid
from openlora.failures import Failure, bad_input, unknown_adapter
from openlora.schemas import LoadBody, UnloadBody
from openlora.service import Service
from openlora.validation import CONFIG, check_name


def _administrator(request: Request, authorization: Annotated[str, Header()] = "") -> None:
    service: Service = request.app.state.service
    expected = f"Bearer {service.admin_token}"
    if not hmac.compare_digest(authorization.encode(), expected.encode()):
        raise Failure(401, "AuthenticationError", "Unauthorized")


router = APIRouter(dependencies=[Depends(_administrator)])


@router.post("/v1/load_lora_adapter")
async def load(body: LoadBody, request: Request) -> PlainTextResponse:
    service: Service = request.app.state.service
    name = body.lora_name
    if not name or not body.lora_path:
        raise bad_input("Both 'lora_name' and 'lora_path' must be provided.")
    if name == service.base:
        raise bad_input(f"The lora adapter name '{name}' conflicts with a served base model.")
    if name in service.catalogue and not body.load_inplace:
        raise bad_input(
            f"The lora adapter '{name}' has already been loaded. If you want to load the adapter "
            "in place, set 'load_inplace' to True."
        )
    try:
        check_name(name)
    except Invalid as error:
        raise bad_input(f"{error.what}: {error.what_to_do}") from None
    folder = Path(body.lora_path)
    try:
        found = "\0" not in body.lora_path and (folder / CONFIG).is_file()
    except OSError:  # longer than any path
        raise bad_input("'lora_path' is no path.") from None
    if not found:
        raise Failure(404, "NotFoundError", f"No adapter found for {name}")
    # Loaded once to see that it can be; memory takes it when it is first asked for.
    await run_in_threadpool(service.engine.load, folder, name)
    former = service.catalogue.remove(name)
    if former is not None:
        service.batcher.forget(former)
    service.catalogue.add(name, folder)
    return PlainTextResponse(f"Success: LoRA adapter '{name}' added successfully.")


@router.post("/v1/unload_lora_adapter")
async def unload(body: UnloadBody, request: Request) -> PlainTextResponse:
    service: Service = request.app.state.service
    name = body.lora_name
    if not name:
        raise bad_input("'lora_name' needs to be provided to unload a LoRA adapter.")
    former = service.catalogue.remove(name)
    if former is None:
        raise unknown_adapter(name)
    service.batcher.forget(former)
    return PlainTextResponse(f"Success: LoRA adapter '{name}' removed successfully.")
