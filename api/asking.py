"""A question to a recorded answer: what every route that answers does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.idempotency import retry_of
from api.services import Services
from footnote.model import Question
from rewards.record import with_live_status

ANONYMOUS = "anonymous"
"""The caller, as long as there are no API keys."""


def answered(
    services: Services, question: Question, key: str | None, request: Mapping[str, Any]
) -> dict[str, Any]:
    """The answer object, durable with its receipt; the same one for the same ``key``.

    Raises:
        Invalid, NotFound, Unavailable: as :meth:`rag.answerer.Answerer.answer` does.
        Busy: the same key is being answered.
    """
    retry = retry_of(key, ANONYMOUS, request)
    with services.in_flight.only(retry):
        earlier = services.journal.retried(retry) if retry else None
        if earlier is not None:
            return with_live_status(services.journal, services.recorder.again(earlier))
        body = services.recorder.record(services.answerer.answer(question), retry)
    services.wake_ups.announce(question.datanet)
    return body
