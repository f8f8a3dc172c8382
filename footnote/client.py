"""Footnote from Python: a small typed client of its REST API.

    with Footnote("http://127.0.0.1:8000") as service:
        answer = service.ask("handbook", "What is a receipt?")

What is asked twice is answered once: every question carries an Idempotency-Key, so that a request
whose response was lost is sent again without a second answer or a second payment. Errors are those
of :mod:`footnote.errors`. Importing this loads httpx and pydantic, and nothing that serves.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

from footnote.errors import Broken, Invalid, NotFound
from footnote.remote.findings import Finding, findings
from footnote.remote.line import Line
from footnote.remote.objects import (
    Answer,
    Datanet,
    DatanetList,
    DatanetSummary,
    Document,
    DocumentList,
    GivenSource,
    Job,
    JobList,
    ListedDocument,
    SearchResult,
    Verified,
)
from footnote.remote.proofs import Batch, Contributor, EarnedSpan, Receipt
from footnote.remote.stream import (
    AnswerCompletedEvent,
    AnswerEvent,
    AnswerStream,
    CitationVerifiedEvent,
    ClaimCompletedEvent,
    RetrievalEvent,
    TextDeltaEvent,
)

__all__ = [
    "Answer",
    "AnswerCompletedEvent",
    "AnswerEvent",
    "AnswerStream",
    "CitationVerifiedEvent",
    "ClaimCompletedEvent",
    "Finding",
    "Footnote",
    "GivenSource",
    "RetrievalEvent",
    "TextDeltaEvent",
]

FOLLOW_SECONDS = 0.5
"""How often a job is looked at."""
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Footnote:
    """A service at ``url``; a context manager over one connection pool, for any number of threads.

    Args:
        url: such as ``http://127.0.0.1:8000``.
        key: an API key, ``fn_…``; None where the service asks for none.
        timeout_seconds: how long nothing may come, before the service counts as gone.
        patience_seconds: for how long after it first failed a request is tried again, where the
            service cannot be reached, is busy, or says when to come back; 0 for never.

    Every method raises:
        FootnoteError: what the service told, by what to do next: Invalid, NotFound, NoKey,
            Forbidden, TooMany (``retry_after_seconds``), Conflict, Unavailable, Broken …
        Unavailable: also where no service answers.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_seconds: float = 60.0,
        patience_seconds: float = 30.0,
    ) -> None:
        self._line = Line(url, key, timeout_seconds, patience_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._line.close()

    def ask(
        self,
        datanet: str,
        question: str,
        *,
        k: int | None = None,
        answerer: str | None = None,
        adapter: str | None = None,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Answer a question. It is answered and paid once, however often it has to be sent.

        Args:
            k: how many chunks to retrieve; the service's default where None.
            answerer: ``extractive`` or ``openlora``; the service's default where None.
            idempotency_key: a new one where None. Give one that you keep, and the same question
                gets the same answer also after your program was started again.
        """
        body = _question(datanet, question, k=k, answerer=answerer, adapter=adapter)
        headers = _once(idempotency_key)
        return self._line.read(Answer, "POST", "/v1/answers", json=body, headers=headers)

    def stream(
        self,
        datanet: str,
        question: str,
        *,
        k: int | None = None,
        answerer: str | None = None,
        adapter: str | None = None,
        idempotency_key: str | None = None,
    ) -> AnswerStream:
        """The answer while it is made, as typed events; ``.answer`` is the whole afterwards.

            with service.stream("handbook", "What is a receipt?") as events:
                for event in events: ...

        Leaving the block early ends the work, and nothing is owed. Args as :meth:`ask`.
        """
        body = _question(datanet, question, k=k, answerer=answerer, adapter=adapter)
        headers = _once(idempotency_key)
        call = partial(
            self._line.call,
            "POST",
            "/v1/answers",
            stream=True,
            json=body | {"stream": True},
            headers=headers,
        )
        return AnswerStream(call, headers["Idempotency-Key"])

    def answer(self, answer_id: str) -> Answer:
        """A stored answer; the status of its rewards is read live."""
        return self._line.read(Answer, "GET", _path("answers", answer_id))

    def check(self, answer: Answer) -> list[Finding]:
        """All that does not hold of an answer; empty where everything does.

        Computed here, from what the service holds: the hash of each cited text's version, each
        span of it, each quote and its hash, the claims' spans in the answer's text, and question,
        text, sources and amounts as the receipt has them. Whether the receipt itself is signed and
        paid says ``footnote verify``.
        """
        try:
            receipt = self.receipt(answer.receipt.id)
        except NotFound:
            receipt = None

        def text_of(version: str) -> bytes | None:
            try:
                return self._text(answer.datanet, version)
            except NotFound:
                return None

        return findings(answer, receipt, text_of)

    def search(self, datanet: str, question: str, *, k: int | None = None) -> SearchResult:
        """The chunks that fit best. Nobody is credited for them."""
        body = _question(datanet, question, k=k)
        return self._line.read(SearchResult, "POST", "/v1/search", json=body)

    def verify(self, text: str, sources: Sequence[str | GivenSource]) -> Verified:
        """Check each sentence of ``text`` against ``sources``; nothing is stored or paid.

        ``[2]`` in it names the second source.
        """
        given = [GivenSource(text=one) if isinstance(one, str) else one for one in sources]
        body = {"text": text, "sources": [one.model_dump() for one in given]}
        return self._line.read(Verified, "POST", "/v1/verify", json=body)

    def datanets(self) -> tuple[DatanetSummary, ...]:
        """The Datanets that can be asked."""
        return self._line.read(DatanetList, "GET", "/v1/datanets").data

    def datanet(self, datanet: str) -> Datanet:
        """One Datanet: its snapshot, its policy, and where its answers are paid."""
        return self._line.read(Datanet, "GET", _path("datanets", datanet))

    def documents(self, datanet: str, containing: str = "") -> Iterator[ListedDocument]:
        """The documents of a Datanet by id, all pages; of those ``containing`` something in id or
        title."""
        path = _path("datanets", datanet, "documents")
        cursor = None
        while True:
            query = _given({"q": containing, "limit": 1_000, "cursor": cursor})
            page = self._line.read(DocumentList, "GET", path, params=query)
            yield from page.data
            if (cursor := page.next) is None:
                return

    def document(self, datanet: str, document_id: str) -> Document:
        """A document as it stands now, with its text and its contributors."""
        return self._line.read(
            Document, "GET", _path("datanets", datanet, "documents", document_id)
        )

    def text(self, datanet: str, version: str) -> str:
        """The whole text of a document's version, also of one since replaced."""
        try:
            return self._text(datanet, version).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Broken("the text is not UTF-8", "check the address", code="unreadable") from error

    def receipt(self, receipt_id: str) -> Receipt:
        """A receipt with all that is needed to check it."""
        return self._line.read(Receipt, "GET", _path("receipts", receipt_id))

    def batch(self, batch_id: str) -> Batch:
        """A batch with everything that rebuilds it."""
        return self._line.read(Batch, "GET", _path("batches", batch_id))

    def contributor(
        self, address: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Contributor:
        """What an address earned, with one page of the spans behind it; ``next`` is the cursor of
        the page after."""
        query = {"limit": limit, "cursor": cursor}
        return self._line.read(
            Contributor, "GET", _path("contributors", address), params=_given(query)
        )

    def earned(self, address: str) -> Iterator[EarnedSpan]:
        """Every span that earned an address something, newest first, over all pages."""
        cursor = None
        while True:
            page = self.contributor(address, limit=1_000, cursor=cursor)
            yield from page.spans
            if (cursor := page.next) is None:
                return

    def send(
        self,
        datanet: str,
        documents: Iterable[Path | Mapping[str, Any]],
        *,
        contributors: Sequence[str] = (),
        license: str | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Send documents; what was sent is durable when this returns, and the job indexes it.

        Args:
            documents: files, or documents with ``id``, ``text`` and what else they have. A
                relative path is the document's id; of an absolute one only the name.
            contributors: addresses that share what names no contributor.
            license: of what names none, as SPDX has it.

        Raises:
            OSError: a file cannot be read.
        """
        with ExitStack() as opened:
            files: list[tuple[str, Any]] = []
            lines = []
            for document in documents:
                if isinstance(document, Path):
                    name = document.name if document.is_absolute() else document.as_posix()
                    files.append(("file", (name, opened.enter_context(document.open("rb")))))
                else:
                    lines.append(json.dumps(dict(document), ensure_ascii=False).encode() + b"\n")
            if lines:
                files.append(("file", ("documents.jsonl", b"".join(lines))))
            if not files:
                raise Invalid("no document was sent", "send at least one", code="no-file")
            return self._line.read(
                Job,
                "POST",
                _path("datanets", datanet, "documents"),
                files=files,
                data=_given({"contributor": list(contributors) or None, "license": license}),
                headers=_once(idempotency_key),
            )

    def job(self, datanet: str, job_id: str) -> Job:
        """How far a job is, and every refusal with its reason."""
        return self._line.read(Job, "GET", _path("datanets", datanet, "jobs", job_id))

    def jobs(self, datanet: str, *, limit: int | None = None) -> tuple[Job, ...]:
        """The newest jobs of a Datanet, newest first."""
        path = _path("datanets", datanet, "jobs")
        return self._line.read(JobList, "GET", path, params=_given({"limit": limit})).data

    def follow(self, job: Job) -> Iterator[Job]:
        """The job each time it got further; the last one is done or failed."""
        yield job
        while not job.ended:
            time.sleep(FOLLOW_SECONDS)
            now = self.job(job.datanet, job.id)
            if now != job:
                yield now
            job = now

    def retry(self, job: Job) -> Job:
        """Start a failed job again with what was sent."""
        path = _path("datanets", job.datanet, "jobs", job.id, "retry")
        return self._line.read(Job, "POST", path, again=False)

    def _text(self, datanet: str, version: str) -> bytes:
        return self._line.call("GET", _path("datanets", datanet, "texts", version)).content


def _question(datanet: str, question: str, **wish: Any) -> dict[str, Any]:
    return {"datanet": datanet, "question": question, **_given(wish)}


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are not None, so that the service's defaults hold for the others."""
    return {name: value for name, value in values.items() if value is not None}


def _once(key: str | None) -> dict[str, str]:
    """The header with ``key``, or a new one. Raises Invalid."""
    if key is not None and not _KEY.fullmatch(key):
        raise Invalid("this Idempotency-Key cannot be used", "give 1 to 255 visible ASCII letters")
    return {"Idempotency-Key": uuid4().hex if key is None else key}


def _path(*parts: str) -> str:
    """An address of the API; NotFound for a part that would lead elsewhere."""
    if any(part in ("", ".", "..") for part in parts):
        raise NotFound("no such thing", "give its name")
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)
