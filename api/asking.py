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
from rag.answerer import Found
from rag.answering.draft import Told
from rewards.answered import with_live_status

NOBODY_LISTENS = Telling(lambda part: None, live=False)


def answered(
    services: Services,
    caller: Caller,
    question: Question,
    key: str | None,
    request: Mapping[str, Any],
    telling: Telling = NOBODY_LISTENS,
) -> dict[str, Any]:
    """The answer object, durable with its receipt; the same one for the same ``key``.

    A ``telling`` that is live is told part by part as well; a client that leaves before the commit
    ends it.

    Raises:
        Invalid, NotFound, Unavailable: as :meth:`rag.answerer.Answerer.answer` does.
        Busy: the same key is being answered.
        QuotaSpent: the caller's key had its questions of today.
        ClientLeft: nobody listens any more.
    """
    caller.check(question.datanet)
    retry = retry_of(key, _owner_of_keys(caller), request)
    with services.in_flight.only(retry):
        earlier = services.journal.retried(retry) if retry else None
        if earlier is not None:
            body = with_live_status(services.journal, services.recorder.again(earlier))
            services.telemetry.answered_again()
            if telling.live:
                _tell_again(body, telling)
            return body
        with services.quotas.question(caller.asker, question.datanet) as counted:

            def hear(heard: Found | Told | None) -> None:
                telling.hear(heard)
                counted.told = counted.told or isinstance(heard, Told)

            answer = services.answerer.answer(question, hear if telling.live else None)
            telling.check()
            began = time.perf_counter()
            body = services.recorder.record(answer, retry, caller.asker)
            counted.committed = True
        services.telemetry.answered(body, time.perf_counter() - began)
    services.wake_ups.announce(question.datanet)
    if telling.live:
        _tell_rest(body, answer.answer_id, telling)
    return body


def _owner_of_keys(caller: Caller) -> str:
    """Whose an Idempotency-Key is: a tenant's; of strangers each address's own."""
    stranger = caller.asker.key_id is None and caller.who is not None
    return f"{caller.asker.tenant} {caller.who}" if stranger else caller.asker.tenant


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
