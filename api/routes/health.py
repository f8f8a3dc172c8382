"""Is it alive, and can it answer."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from api import schemas
from api.access import Administering, Probing
from api.keys import Scope
from api.problems import problem
from api.responses import json_response
from api.services import Provided, Services
from footnote.errors import FootnoteError
from rewards.metrics import CONTENT_TYPE as METRICS_CONTENT_TYPE
from rewards.metrics import exposition

router = APIRouter(tags=["health"], responses=schemas.GUARDED)

_TOLD_TO_ADMINS = "A key with the scope admin is told why."

WORKER_LATE_SECONDS = 600.0
"""A receipt that waits so long beyond its batch's age says that no worker settles it."""


@router.get("/healthz", response_model=schemas.Health)
def healthz(_: Probing) -> Response:
    """The process runs."""
    return json_response({"status": "ok"})


@router.get(
    "/readyz",
    response_model=schemas.Readiness,
    responses={503: {"model": schemas.Problem, "description": "Nothing can be answered now."}},
)
def readyz(services: Provided, caller: Probing) -> Response:
    """A published Datanet can be answered and journalled; other parts are listed when degraded."""
    names = services.library.names()
    if not names:
        return problem(503, "nothing-published", "No Datanet is published; run footnote ingest.")
    damaged: dict[str, FootnoteError] = {}
    for name in names:
        try:
            services.library.snapshot(name)
            services.recorder.check(name)
        except FootnoteError as error:
            damaged[name] = error
    try:
        services.journal_check.run()
        if len(damaged) == len(names):
            raise damaged[names[0]]
    except FootnoteError as error:
        told = f"{error.what}: {error.what_to_do}" if caller.may(Scope.ADMIN) else _TOLD_TO_ADMINS
        return problem(503, error.code, told)
    degraded = [
        {"part": "datanet", "reason": f"{name}: {error.what}"} for name, error in damaged.items()
    ] + _degraded(services, names)
    if not caller.may(Scope.ADMIN):
        degraded = [one | {"reason": _TOLD_TO_ADMINS} for one in degraded]
    return json_response(
        {
            "status": "degraded" if degraded else "ready",
            "datanets": len(names),
            "degraded": degraded,
        }
    )


@router.get("/metrics", response_class=Response)
def metrics(services: Provided, _: Administering) -> Response:
    """In Prometheus' text format: receipts, money and batches, read from the journal now, and what
    this service counts of itself."""
    found = exposition(services.journal, services.recorder) + services.telemetry.exposition()
    return Response(found, media_type=METRICS_CONTENT_TYPE)


def _degraded(services: Services, names: list[str]) -> list[dict[str, Any]]:
    found = []
    if services.settings.redis_url is None:
        found.append({"part": "redis", "reason": "not set up; the worker polls instead"})
    elif not services.wake_ups.healthy():
        found.append({"part": "redis", "reason": "it does not answer; the worker polls instead"})
    if services.model is not None and services.model.failing:
        found.append({"part": "openlora", "reason": "the model server does not answer"})
    registrations = services.journal.registrations()
    paid = {registration.datanet for registration in registrations}
    unpaid = [name for name in names if name not in paid]
    if unpaid:
        reason = f"{len(unpaid)} of {len(names)} Datanets are registered on no chain"
        found.append({"part": "chain", "reason": reason})
    late = services.settings.batch_age_seconds + WORKER_LATE_SECONDS
    for registration in registrations:
        oldest = services.journal.oldest_waiting(
            registration.ledger.ledger_id, registration.datanet
        )
        if oldest is not None and time.time() - oldest > late:
            reason = f"receipts of {registration.datanet} wait since {oldest}"
            found.append({"part": "worker", "reason": reason})
    return found
