"""What the routes call, built once by :mod:`api.app` and handed to each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.idempotency import InFlight
from api.quotas import Quotas
from api.telemetry import Telemetry
from api.turns import Turns
from footnote.settings import Settings
from rag.answerer import Answerer
from rag.index.library import Library
from rewards.journal.journal import Journal
from rewards.queue import WakeUps
from rewards.record import Recorder


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    library: Library
    answerer: Answerer
    journal: Journal
    recorder: Recorder
    wake_ups: WakeUps
    in_flight: InFlight
    turns: Turns
    checks: Turns
    """For texts that are checked: all computing, so few at once."""
    quotas: Quotas
    telemetry: Telemetry


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Provided = Annotated[Services, Depends(_services)]
