"""Where everybody's money is, for whoever runs the service."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api import money_schemas, schemas
from api.access import Administering
from api.responses import json_response
from api.services import Provided
from rewards.published import audit_object, newest_batch_object
from rewards.status import status

router = APIRouter(prefix="/v1", tags=["rewards"], responses=schemas.PROBLEMS)


@router.get("/status", response_model=money_schemas.OperatorStatus)
def operator_status(
    services: Provided,
    _: Administering,
    limit: Annotated[int, Query(ge=1, le=500, description="How many batches.")] = 50,
) -> Response:
    """What is owed, settled, on its way or held, and what fees it took. Read from the journal; what
    is degraded says ``/readyz``."""
    journal = services.journal
    return json_response(
        {
            "object": "status",
            **status(journal, time.time()).as_json(),
            "batches": [newest_batch_object(one) for one in journal.newest_batches(limit)],
            "audits": [audit_object(one) for one in journal.audits()],
        }
    )
