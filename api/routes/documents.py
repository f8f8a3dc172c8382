"""Documents in, and the jobs that index them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from api import document_schemas, jobs, schemas
from api.access import Asking, Caller, Ingesting
from api.idempotency import retry_of
from api.multipart import Form
from api.objects import document_object, documents_object
from api.problems import problem_of
from api.responses import json_response
from api.services import Provided
from api.uploads import MAX_JSON_BYTES, Incoming, TooLarge, TooSlow, WrongKind, incoming, take_json
from footnote.errors import Invalid, NotFound
from footnote.jobs import Job, job_of
from rag.index.datanets import check_name, published_folder

router = APIRouter(prefix="/v1/datanets", tags=["documents"], responses=schemas.PROBLEMS)

SILENT_SECONDS = 30.0
"""An upload of which nothing came for so long is given up."""
SLOWEST = 1_000
"""Bytes a second on average, after those first seconds."""
MAX_JOBS_SHOWN = 100


@router.post(
    "/{datanet}/documents",
    status_code=202,
    response_model=document_schemas.Job,
    responses=document_schemas.UPLOAD_PROBLEMS,
    openapi_extra={"requestBody": document_schemas.UPLOAD_BODY},
)
async def send(
    datanet: str,
    request: Request,
    services: Provided,
    caller: Ingesting,
    idempotency_key: schemas.IdempotencyKey = None,
) -> Response:
    """Send documents as files or as JSON; a job indexes them.

    What was sent is durable before the response begins. A Datanet that does not exist is made.
    """
    settings = services.settings
    check_name(caller.check(datanet))  # a name that is none is told before the body is read
    retry_of(idempotency_key, "", {})
    key = None if idempotency_key is None else f"{caller.asker.tenant}\0{idempotency_key}"
    await run_in_threadpool(jobs.check_room, settings.home, datanet)
    with incoming(settings.home) as upload:
        try:
            await _take(request, upload, settings.max_upload_bytes)
        except TooLarge as error:
            response = problem_of(error)
            response.headers["Connection"] = "close"
            return response
        await run_in_threadpool(upload.finish)
        job = await run_in_threadpool(jobs.accept, settings, datanet, upload, key)
    return accepted(datanet, job)


@router.get("/{datanet}/documents", response_model=document_schemas.DocumentList)
def documents(
    datanet: str,
    services: Provided,
    caller: Asking,
    q: Annotated[str, Query(max_length=200, description="What id or title holds.")] = "",
    flagged: Annotated[bool, Query(description="Only those with flags.")] = False,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    cursor: Annotated[
        str | None,
        Query(max_length=4_096, description="`next` of the page before."),
    ] = None,
) -> Response:
    """The documents of a Datanet by id, without their texts."""
    found = documents_object(services, caller.check(datanet), q, flagged, cursor, limit)
    return json_response(found)


@router.get("/{datanet}/documents/{document_id:path}", response_model=document_schemas.Document)
def document(datanet: str, document_id: str, services: Provided, caller: Asking) -> Response:
    """One document as it stands now, with its whole text."""
    return json_response(document_object(services, caller.check(datanet), document_id))


@router.get("/{datanet}/jobs", response_model=document_schemas.JobList)
def job_list(
    datanet: str,
    services: Provided,
    caller: Ingesting,
    limit: Annotated[int, Query(ge=1, le=MAX_JOBS_SHOWN)] = 20,
) -> Response:
    """The newest jobs of a Datanet, newest first."""
    _check(caller, datanet)
    found = jobs.newest(services.settings.home, datanet, limit)
    if not found:
        published_folder(services.settings.home, datanet)
    return json_response({"object": "list", "data": found})


@router.get("/{datanet}/jobs/{job_id}", response_model=document_schemas.Job)
def job(datanet: str, job_id: str, services: Provided, caller: Ingesting) -> Response:
    """How far a job is, what it counted, and every refusal with its reason."""
    _check(caller, datanet)
    return json_response(jobs.job_object(job_of(services.settings.home, datanet, job_id)))


@router.post(
    "/{datanet}/jobs/{job_id}/retry",
    status_code=202,
    response_model=document_schemas.Job,
    responses=document_schemas.UPLOAD_PROBLEMS,
)
def retry(datanet: str, job_id: str, services: Provided, caller: Ingesting) -> Response:
    """Start a failed or interrupted job again with what was sent. Takes no body."""
    _check(caller, datanet)
    return accepted(datanet, jobs.retry(services.settings, datanet, job_id))


def accepted(datanet: str, job: Job) -> Response:
    """What is told of a job that was taken on."""
    address = f"/v1/datanets/{datanet}/jobs/{job.job_id}"
    return json_response(jobs.job_object(job), 202, {"Location": address})


def _check(caller: Caller, datanet: str) -> None:
    """Raise NotFound for what is not the caller's, or cannot be a Datanet: it becomes a folder."""
    try:
        check_name(caller.check(datanet))
    except Invalid as error:
        raise NotFound("no such Datanet", "list them with GET /v1/datanets") from error


async def _take(request: Request, upload: Incoming, max_bytes: int) -> None:
    """The body into ``upload``, never more than ``max_bytes`` of it.

    Raises:
        Refused: as :mod:`api.uploads` draws them, and Invalid.
    """
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise WrongKind("the body has a content encoding", "send it without")
    if kind == "multipart/form-data":
        form = Form(content_type, upload)
        async for piece in _pieces(request, max_bytes):
            await run_in_threadpool(form.feed, piece)
        await run_in_threadpool(form.finish)
    elif kind == "application/json":
        charset = content_type.lower().partition("charset=")[2].strip(' "')
        if charset not in ("", "utf-8", "utf8"):
            raise WrongKind("the body is not in UTF-8", "send JSON in UTF-8")
        body = bytearray()
        async for piece in _pieces(request, min(max_bytes, MAX_JSON_BYTES)):
            body += piece
        await run_in_threadpool(take_json, upload, bytes(body))
    else:
        raise WrongKind(
            "neither a form nor JSON", "send multipart/form-data with files, or application/json"
        )


async def _pieces(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    """The body as it comes."""
    length = request.headers.get("content-length", "0")
    size = int(length) if length.isdecimal() and length.isascii() and len(length) < 20 else 0
    stream = request.stream()
    too_large = TooLarge("the upload is too large", f"keep it within {max_bytes:,} bytes")
    if size > max_bytes:
        raise too_large
    size, began = 0, time.monotonic()
    while True:
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                piece: Any = await anext(stream, None)
        except (TimeoutError, ClientDisconnect):
            raise TooSlow("the upload stopped in the middle", "send it again") from None
        if piece is None:
            return
        size += len(piece)
        if time.monotonic() - began > SILENT_SECONDS + size / SLOWEST:
            raise TooSlow("the upload is too slow", "send it over a better line, or in parts")
        if size > max_bytes:
            raise too_large
        yield piece
