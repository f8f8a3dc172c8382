"""A question to a recorded answer: what every route that answers does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from api.access import Caller
from api.idempotency import retry_of
from api.parts import Completed, parts_of
from api.services import Services
from api.streaming import Telling
from footnote.errors import Busy
from footnote.model import Question
from rewards.answered import with_live_status
from rewards.journal.answers import DAY_SECONDS
from rewards.journal.records import Asker, QuotaSpent


def answered(
    services: Services,
    caller: Caller,
    question: Question,
    key: str | None,
    request: Mapping[str, Any],
    telling: Telling | None = None,
) -> dict[str, Any]:
    """The answer object, durable with its receipt; the same one for the same ``key``.

    With ``telling`` it is told part by part as well, and a client that leaves before the commit
    ends it.

    Raises:
        Invalid, NotFound, Unavailable: as :meth:`rag.answerer.Answerer.answer` does.
        Busy: the same key is being answered.
        QuotaSpent: the caller's key had its questions of today.
        ClientLeft: nobody listens any more.
    """
    caller.check(question.datanet)
    retry = retry_of(key, caller.asker.tenant, request)
    with services.in_flight.only(retry):
        earlier = services.journal.retried(retry) if retry else None
        if earlier is not None:
            body = with_live_status(services.journal, services.recorder.again(earlier))
            services.telemetry.answered_again()
            if telling is not None:
                _tell_again(body, telling)
            return body
        _check_quota(services, caller.asker, question.datanet)
        listener = telling.hear if telling is not None else None
        answer = services.answerer.answer(question, listener)
        if telling is not None:
            telling.check()
        began = time.perf_counter()
        body = services.recorder.record(answer, retry, caller.asker)
        services.telemetry.answered(body, time.perf_counter() - began)
    services.wake_ups.announce(question.datanet)
    if telling is not None:
        _tell_rest(body, answer.answer_id, telling)
    return body


def _check_quota(services: Services, asker: Asker, datanet: str) -> None:
    """Before a model is asked; the commit decides."""
    if asker.key_id is None or asker.questions_per_day is None:
        return
    now = int(time.time())
    day = now // DAY_SECONDS
    if services.journal.answered_today(asker.key_id, datanet, day) >= asker.questions_per_day:
        raise QuotaSpent(asker.questions_per_day, (day + 1) * DAY_SECONDS - now)


def _tell_rest(body: Mapping[str, Any], answer_id: str, telling: Telling) -> None:
    """The whole, once it is stored. Where another request with the same key was first, the stored
    answer is another one than was told, and an error says so."""
    if body["id"] != answer_id:
        raise Busy(
            "another request with this Idempotency-Key was answered first",
            "ask again for that answer",
            code="answered-meanwhile",
        )
    telling.put(Completed(body))


def _tell_again(body: Mapping[str, Any], telling: Telling) -> None:
    for part in parts_of(body):
        telling.part(part)
