"""What the routes call, built once by :mod:`api.app` and handed to each of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.idempotency import InFlight
from api.quotas import Quotas
from api.telemetry import Telemetry
from api.turns import Turns
from footnote.errors import FootnoteError
from footnote.settings import Settings
from rag.answerer import Answerer
from rag.index.library import Library
from rag.models.llm import OpenAIChatModel
from rewards.journal.journal import Journal
from rewards.queue import WakeUps
from rewards.record import Recorder

CHECK_SECONDS = 1.0


@dataclass(slots=True)
class JournalCheck:
    """Whether the journal takes a write, tried once a second at most: strangers may ask."""

    journal: Journal
    _at: float = -CHECK_SECONDS
    _error: FootnoteError | None = None

    def run(self) -> None:
        """Raise what the last try raised."""
        now = time.monotonic()
        if now - self._at >= CHECK_SECONDS:
            self._at, self._error = now, None
            try:
                self.journal.check()
            except FootnoteError as error:
                self._error = error
        if self._error is not None:
            raise self._error


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    library: Library
    answerer: Answerer
    model: OpenAIChatModel | None
    journal: Journal
    recorder: Recorder
    journal_check: JournalCheck
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
