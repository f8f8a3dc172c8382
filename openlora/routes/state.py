"""What is served, and how the server does."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from openlora.metrics import CONTENT_TYPE, exposition
from openlora.service import Service

router = APIRouter()


@router.get("/v1/models")
def models(request: Request) -> dict[str, Any]:
    """The base, then every adapter that a request may name."""
    service: Service = request.app.state.service

    def card(name: str, root: str, parent: str | None, length: int | None) -> dict[str, Any]:
        return {
            "id": name,
            "object": "model",
            "created": service.started,
            "owned_by": "footnote",
            "root": root,
            "parent": parent,
            "max_model_len": length,
        }

    base = card(service.base, str(service.base_folder), None, service.engine.max_context)
    adapters = [card(name, str(path), service.base, None) for name, path in service.catalogue]
    return {"object": "list", "data": [base, *adapters]}


@router.get("/health")
def health(request: Request) -> Response:
    service: Service = request.app.state.service
    return Response(status_code=200 if service.batcher.alive else 503)


@router.get("/metrics")
def metrics(request: Request) -> Response:
    service: Service = request.app.state.service
    return Response(exposition(service.tally), media_type=CONTENT_TYPE)
