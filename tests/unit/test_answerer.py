from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import pytest

from footnote.errors import Invalid, NotFound, Unavailable
from footnote.model import Answer, Question, Usage, Verdict
from indexer.admission import Defaults
from indexer.readers.files import find_files
from indexer.splitter import ChunkSize
from rag.answerer import (
    MAX_QUESTION_CODE_POINTS,
    MODEL_DECLINED,
    WEAK_EVIDENCE,
    Answerer,
    Found,
)
from rag.answering.draft import Told
from rag.answering.extractive import Extractive
from rag.answering.openlora import OpenLora
from rag.checking.verifier import Verifier
from rag.index.calibration import Calibration
from rag.index.library import Library
from rag.models.embedder import SentenceTransformerEmbedder
from rag.models.llm import Completion, Streamed, check_adapter
from tests.corpus import fields, indexer, write_lines

QUOKKA = (
    "The quokka lives on Rottnest Island. The quokka eats leaves at night. "
    "About 10,000 quokkas live there today."
)
CAMEL = "The camel stores fat in its hump. A camel drinks 100 litres of water at once."


class Scripted:
    """A ChatModel that says what it is told to and remembers what it was asked."""

    base = "scripted"

    def __init__(self, *replies: str | Exception) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[str, str | None]] = []
        self.written = 0
        self.closed = False

    def complete(self, messages: Sequence[tuple[str, str]], adapter: str | None) -> Completion:
        self.asked.append((messages[-1][1], adapter))
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return Completion(reply, Usage(120, 7))

    def stream(self, messages: Sequence[tuple[str, str]], adapter: str | None) -> Streamed:
        streamed = Streamed(self._pieces(messages, adapter))
        streamed.usage = Usage(120, 7)
        return streamed

    def _pieces(self, messages: Sequence[tuple[str, str]], adapter: str | None) -> Generator[str]:
        whole = self.complete(messages, adapter).text
        try:
            for start in range(0, len(whole), 5):
                yield whole[start : start + 5]
                self.written = start + 5
        finally:
            self.closed = True


@pytest.fixture(scope="module")
def library(
    embedder: SentenceTransformerEmbedder, tmp_path_factory: pytest.TempPathFactory
) -> Library:
    home = tmp_path_factory.mktemp("home")
    lines: list[dict[str, Any]] = [
        fields("quokka", QUOKKA, title="The quokka"),
        fields("camel", CAMEL, title="The camel"),
        fields("filler", "Nothing of interest stands here. It only fills the room."),
    ]
    path = write_lines(home / "in.jsonl", lines)
    indexer(home, embedder).ingest(find_files([path]), Defaults())
    tight = "A walk begins at dawn for the quokka. The quokka eats leaves."
    code = "```\neat(leaves, dawn)\n```"
    path = write_lines(home / "in.jsonl", [fields("one", f"{tight}\n\n{code}", title="Walks")])
    size = ChunkSize(budget=24, overlap=12, minimum=3)
    indexer(home, embedder, datanet="tight", size=size).ingest(find_files([path]), Defaults())
    return Library(home)


def answerer(
    library: Library, embedder: SentenceTransformerEmbedder, model: Scripted | None = None,
    bar: float = 0.3,
) -> Answerer:  # fmt: skip
    drafters: dict[str, Any] = {"extractive": Extractive()}
    if model:
        drafters["openlora"] = OpenLora(model, Verifier(embedder))
    return Answerer(library, embedder, drafters, "extractive", Calibration(bar=bar))


def check(answer: Answer, library: Library) -> None:
    """What holds for every answer, DESIGN §6."""
    snapshot = library.snapshot(answer.question.datanet)
    assert answer.snapshot_id == snapshot.manifest.snapshot_id
    assert 0 <= answer.confidence <= 1
    assert answer.refused == (not answer.claims)
    for claim in answer.claims:
        assert claim.span.of(answer.text) == claim.text
    for number, citation in enumerate(answer.citations, start=1):
        assert citation.marker == number
        whole = snapshot.text(citation.document.version)
        assert citation.span.of(whole) == citation.cited_text
        assert 0 < len(citation.cited_text) <= 1_000
        assert f"[{number}]" in answer.text
        assert (citation.weight_ppm > 0) == (citation.verdict is Verdict.SUPPORTED)
        (claim,) = [c for c in answer.claims if c.claim_id == citation.claim_id]
        assert citation.citation_id in claim.citation_ids
    supported = any(c.verdict is Verdict.SUPPORTED for c in answer.citations)
    assert sum(c.weight_ppm for c in answer.citations) == (1_000_000 if supported else 0)
    assert len(answer.citations) <= 10


def test_an_extractive_answer_quotes_its_source_to_the_character(
    library: Library, embedder: SentenceTransformerEmbedder
) -> None:
    answer = answerer(library, embedder).answer(Question("tales", "What does the quokka eat?"))
    check(answer, library)
    assert answer.text.startswith("The quokka eats leaves at night. [1]")
    assert answer.citations[0].document.document_id == "quokka"
    assert answer.citations[0].cited_text == "The quokka eats leaves at night."
    assert {c.verdict for c in answer.citations} == {Verdict.SUPPORTED}
    assert answer.used_chunk_ids <= {hit.chunk.chunk_id for hit in answer.retrieved}
    assert answer.answer_id.startswith("ans_")
    assert len(answer.answer_id) == 36


def test_a_question_that_the_datanet_does_not_answer_is_refused(
    library: Library, embedder: SentenceTransformerEmbedder
) -> None:
    answer = answerer(library, embedder).answer(
        Question("tales", "Which composer wrote the opera Fidelio in Vienna?")
    )
    check(answer, library)
    assert answer.text == answer.refusal_reason
    assert (answer.refusal_reason or "").startswith(f"{WEAK_EVIDENCE} The nearest documents: ")
    assert (answer.citations, answer.used_chunk_ids) == ((), frozenset())
    assert answer.confidence < 0.3


def test_a_models_markers_become_checked_citations(
    library: Library, embedder: SentenceTransformerEmbedder
) -> None:
    model = Scripted(
        "The quokka eats leaves at night [1]. The quokka eats camels at noon [1]. "
        "Nobody knows more [77]."
    )
    answer = answerer(library, embedder, model).answer(
        Question("tales", "What does the quokka eat?", answerer="openlora", adapter="bio-1")
    )
    check(answer, library)
    assert answer.claims[0].verdict is Verdict.SUPPORTED
    assert answer.claims[1].verdict is not Verdict.SUPPORTED
    assert (answer.claims[2].verdict, answer.claims[2].citation_ids) == (Verdict.UNSUPPORTED, ())
    assert answer.citations[0].cited_text == "The quokka eats leaves at night."
    assert [c.weight_ppm for c in answer.citations] == [1_000_000, 0]
    assert answer.removed_markers == 1
    assert answer.usage == Usage(120, 7)
    assert answer.text == (
        "The quokka eats leaves at night. [1] The quokka eats camels at noon. [2] "
        "Nobody knows more."
    )
    assert model.asked[0][1] == "bio-1"
    assert answer.adapter is not None


def test_neighbouring_chunks_are_one_source(
    library: Library, embedder: SentenceTransformerEmbedder
) -> None:
    snapshot = library.snapshot("tight")
    rows = list(snapshot.catalogue.chunks())
    assert rows[1].span.start < rows[0].span.end, "the second chunk repeats a sentence"
    model = Scripted("The quokka eats leaves [1]. The quokka eats leaves [2].")
    service = answerer(library, embedder, model, bar=0.0)
    answer = service.answer(Question("tight", "When does a walk begin?", answerer="openlora"))
    check(answer, library)
    assert answer.removed_markers == 1, "there is no second source"
    assert answer.citations[0].cited_text == "The quokka eats leaves."
    assert model.asked[0][0].count("The quokka eats leaves.") == 1
    assert len(answer.used_chunk_ids) == 2, "both hold the sentence"


def test_at_most_ten_citations_however_many_a_model_writes(
    library: Library, embedder: SentenceTransformerEmbedder
) -> None:
    model = Scripted("The quokka eats leaves at night [1,2,3]. " * 12)
    answer = answerer(library, embedder, model).answer(
        Question("tales", "What does the quokka eat?", answerer="openlora")
    )
    check(answer, library)
    assert len(answer.citations) == 10


@pytest.mark.parametrize("reply", ["NO ANSWER", "no answer.", "", "  \n", "[1]", "# Heading"])
def test_a_model_that_declines_gives_a_refusal(
    library: Library, embedder: SentenceTransformerEmbedder, reply: str
) -> None:
    answer = answerer(library, embedder, Scripted(reply)).answer(
        Question("tales", "What does the quokka eat?", answerer="openlora")
    )
    check(answer, library)
    assert (answer.refusal_reason or "").startswith(MODEL_DECLINED)
    assert answer.usage == Usage(120, 7)


REPLIES = [
    "The quokka eats leaves at night [1]. The quokka eats camels at noon [1]. Who knows more?",
    "# The quokka\n\n- Leaves are eaten by the quokka.\n- About 10,000 quokkas live there [1].\n",
    "NO ANSWER is what a camel says. The camel stores fat in its hump [2].",
    "NO ANSWER\nThe quokka eats leaves at night [1].",
    "No answer.",
    "  Leaves",
    "# Heading",
    "",
]


@pytest.mark.parametrize("reply", REPLIES)
def test_an_answer_that_is_heard_while_it_is_made_is_the_one_that_is_not(
    library: Library, embedder: SentenceTransformerEmbedder, reply: str
) -> None:
    question = Question("tales", "What does the quokka eat?", answerer="openlora")
    quiet = answerer(library, embedder, Scripted(reply)).answer(question)
    heard: list[Found | Told | None] = []
    told = answerer(library, embedder, Scripted(reply)).answer(question, heard.append)
    check(told, library)
    assert (told.text, told.claims, told.citations) == (quiet.text, quiet.claims, quiet.citations)
    assert (told.usage, told.removed_markers) == (quiet.usage, quiet.removed_markers)
    found, *parts = heard
    assert isinstance(found, Found)
    assert (found.answer_id, found.retrieved) == (told.answer_id, told.retrieved)
    assert all(isinstance(part, Told) for part in parts)
    texts = "".join(part.text for part in parts if isinstance(part, Told))
    assert told.refused or told.text.startswith(texts)
    assert tuple(part.claim for part in parts if isinstance(part, Told)) == told.claims


def test_a_claim_is_told_while_the_model_writes_on(
    library: Library, embedder: SentenceTransformerEmbedder
) -> None:
    model = Scripted("The quokka eats leaves at night [1]. " * 20)
    written: list[int] = []
    answerer(library, embedder, model).answer(
        Question("tales", "What does the quokka eat?", answerer="openlora"),
        lambda part: written.append(model.written),
    )
    assert written[0] == 0
    assert written[1] < 60


def test_a_listener_that_leaves_ends_the_model(
    library: Library, embedder: SentenceTransformerEmbedder
) -> None:
    model = Scripted("The quokka eats leaves at night [1]. " * 20)

    def leave(part: Found | Told | None) -> None:
        if isinstance(part, Told):
            raise ConnectionError

    with pytest.raises(ConnectionError):
        answerer(library, embedder, model).answer(
            Question("tales", "What does the quokka eat?", answerer="openlora"), leave
        )
    assert model.closed
    assert model.written < 60


def test_no_model_is_asked_where_the_evidence_is_weak(
    library: Library, embedder: SentenceTransformerEmbedder
) -> None:
    model = Scripted()
    answer = answerer(library, embedder, model, bar=1.1).answer(
        Question("tales", "What does the quokka eat?", answerer="openlora")
    )
    assert (answer.refusal_reason or "").startswith(WEAK_EVIDENCE)
    assert model.asked == []


def test_an_error_of_the_model_is_no_answer(
    library: Library, embedder: SentenceTransformerEmbedder
) -> None:
    model = Scripted(Unavailable("the model server does not answer", "try again shortly"))
    with pytest.raises(Unavailable):
        answerer(library, embedder, model).answer(
            Question("tales", "What does the quokka eat?", answerer="openlora")
        )


@pytest.mark.parametrize(
    ("question", "what"),
    [
        (Question("tales", ""), "an empty question"),
        (Question("tales", " ?! "), "an empty question"),
        (Question("tales", "x" * (MAX_QUESTION_CODE_POINTS + 1)), "a question that is too long"),
        (Question("tales", "a\x00b"), "a NUL character in the question"),
        (Question("tales", "a\udcff"), "a lone surrogate in the question, which is no character"),
        (Question("tales", "why?", k=0), "k out of range"),
        (Question("tales", "why?", k=101), "k out of range"),
        (
            Question("tales", "why?", answerer="extractive", adapter="x"),
            "the extractive answerer has no adapters",
        ),
    ],
)
def test_a_question_that_cannot_be_asked_so_is_refused(
    library: Library, embedder: SentenceTransformerEmbedder, question: Question, what: str
) -> None:
    with pytest.raises(Invalid) as caught:
        answerer(library, embedder).answer(question)
    assert caught.value.what == what


def test_an_unknown_datanet_or_answerer_is_named(
    library: Library, embedder: SentenceTransformerEmbedder
) -> None:
    with pytest.raises(NotFound, match="no such Datanet"):
        answerer(library, embedder).answer(Question("nothing", "why?"))
    for asked in (
        Question("tales", "why?", answerer="openlora"),
        Question("tales", "a", adapter="x"),
    ):
        with pytest.raises(NotFound, match="openlora is not set up here"):
            answerer(library, embedder).answer(asked)


@pytest.mark.parametrize(
    "name", ["", "../x", "a/../b", "a b", "x" * 129, "/etc", "a//.b", "ä", "org/x"]
)
def test_an_adapters_name_cannot_leave_its_path_nor_be_fetched_from_a_hub(name: str) -> None:
    with pytest.raises(Invalid, match="not an adapter's name"):
        check_adapter(name)


def test_plain_adapter_names_are_taken() -> None:
    for name in ("legal-lora_v1.2", "base", "a:b"):
        assert check_adapter(name) == name
