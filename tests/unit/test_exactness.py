"""What holds for any document, any question and anything that a model prints."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from footnote.ids import sha256, version_of
from footnote.model import Answer, Question, Usage, Verdict
from indexer.admission import Defaults
from indexer.readers.files import find_files
from indexer.splitter import ChunkSize
from rag.answerer import Answerer
from rag.answering.draft import Drafter
from rag.answering.extractive import Extractive
from rag.answering.openlora import OpenLora
from rag.checking.verifier import Verifier
from rag.index.calibration import Calibration
from rag.index.datanets import datanet_folder
from rag.index.documents import Texts
from rag.index.library import Library
from rag.models.embedder import Embedder, SentenceTransformerEmbedder
from rag.models.llm import Completion, Streamed
from rag.reading.claims import ClaimReader, ReadClaim, folded, read_output
from tests.corpus import TEXTS, WordEmbedder, fields, indexer, write_lines

HARD = [
    "The cafe\u0301 serves 👩‍👩‍👧 tea. 🇫🇷 Crêpes cost 3.50 € there.",
    "\ufeffThe bell rings.\r\nIt rings\ttwice.\r\n\r\nIt\u2028is old.\u0085It is loud.",
    "הפעמון מצלצל. The bell \u202brings\u202c twice. الجرس يرن؟ نعم.",
    "これは鐘です。鐘は古い。「はい。」と言った。",
    "The same bell. The same bell. The same bell. The same tower.",
    "# Bell\n\n- It rings.\n- It rings.\n\n| bell | 1871 |\n|---|---|\n\n```\nring(bell[1])\n```\n",
]
FUZZ = settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
DOCUMENTS = st.lists(st.one_of(st.sampled_from(HARD), TEXTS), min_size=1, max_size=3)
QUESTIONS = st.one_of(
    st.sampled_from(["When does the bell ring?", "鐘は古い？", "What is 3.50?"]),
    TEXTS.filter(lambda text: any(c.isalnum() for c in text) and "\x00" not in text),
)


class Prints:
    """A ChatModel with one reply."""

    base = "prints"

    def __init__(self, reply: str = "") -> None:
        self.reply = reply

    def complete(self, messages: Sequence[tuple[str, str]], adapter: str | None) -> Completion:
        return Completion(self.reply, Usage(1, 1))

    def stream(self, messages: Sequence[tuple[str, str]], adapter: str | None) -> Streamed:
        return Streamed(piece for piece in (self.reply,))


def publish(home: Path, texts: dict[str, str], embedder: Embedder) -> None:
    """These documents and no others."""
    lines = [fields(name, text, title=f"The {name}") for name, text in texts.items()]
    path = write_lines(home / "in.jsonl", lines)
    size = ChunkSize(budget=24, overlap=12, minimum=3)
    indexer(home, embedder, size=size).ingest(find_files([path]), Defaults(), prune=True)


@contextmanager
def published(texts: Sequence[str]) -> Iterator[Path]:
    """A home with these documents, of which those without any text are refused."""
    with tempfile.TemporaryDirectory() as folder:
        publish(Path(folder), {f"d{i}": text for i, text in enumerate(texts)}, WordEmbedder())
        yield Path(folder)


def ask(
    home: Path, question: str, reply: str | None = None, embedder: Embedder | None = None
) -> Answer:
    """The answer to ``question``, whatever the evidence is worth."""
    embedder = embedder or WordEmbedder()
    openlora = OpenLora(Prints(reply or ""), Verifier(embedder))
    drafters: dict[str, Drafter] = {"extractive": Extractive(), "openlora": openlora}
    default = "extractive" if reply is None else "openlora"
    service = Answerer(Library(home), embedder, drafters, default, Calibration(bar=0.0))
    return service.answer(Question("tales", question))


def hold(answer: Answer, home: Path) -> None:
    """Every offset of ``answer`` cuts out what it says, from the text that its hash names."""
    texts = Texts(datanet_folder(home, "tales").texts)
    for claim in answer.claims:
        assert claim.span.of(answer.text) == claim.text != ""
    for number, citation in enumerate(answer.citations, start=1):
        whole = texts.get(citation.document.version)
        assert citation.span.of(whole) == citation.cited_text
        assert 0 < len(citation.cited_text) <= 1_000
        assert citation.cited_text == citation.cited_text.strip()
        assert sha256(whole.encode()) == citation.document.version
        assert citation.marker == number
        assert (citation.weight_ppm > 0) == (citation.verdict is Verdict.SUPPORTED)
    assert len(answer.citations) <= 10
    by_claim = [citation_id for claim in answer.claims for citation_id in claim.citation_ids]
    assert by_claim == [citation.citation_id for citation in answer.citations]


@FUZZ
@given(DOCUMENTS, QUESTIONS)
@example(HARD, "When does the bell ring?")
def test_for_any_documents_and_question_spans_rebuild_the_quote(
    documents: list[str], question: str
) -> None:
    if any(text.strip() for text in documents):
        with published([*documents, "The bell rings at noon."]) as home:
            hold(ask(home, question), home)


@FUZZ
@given(DOCUMENTS, st.data())
def test_whatever_a_model_prints_spans_rebuild_the_quote(
    documents: list[str], data: st.DataObject
) -> None:
    said = st.sampled_from([*documents, "The bell rings at noon.", " [1] ", "[2, 3].", "\n- "])
    reply = "".join(data.draw(st.lists(st.one_of(said, TEXTS), max_size=8)))
    with published([*documents, "The bell rings at noon."]) as home:
        hold(ask(home, "When does the bell ring?", reply), home)


@FUZZ
@given(TEXTS, st.integers(1, 7))
@example("# Bell\n\n1. It rings at noon [1].\n2. [2] It is old. See `a[1]`.\n\nSources:\n[1] x", 3)
def test_what_a_stream_adds_up_to_is_the_answer(reply: str, step: int) -> None:
    with published(["The bell rings at noon.", "The tower is old."]) as home:
        answer = ask(home, "When does the bell ring?", reply)
    reader = ClaimReader(range(1, 9))
    events = [e for i in range(0, len(reply), step) for e in reader.feed(reply[i : i + step])]
    streamed = folded([*events, *reader.finish()], reader.removed)
    assert [claim.text for claim in answer.claims] == [claim.text for claim in streamed.claims]
    text = ""
    for read, claim in zip(streamed.claims, answer.claims, strict=True):
        assert text + read.before == answer.text[: claim.span.start]
        text = answer.text[: claim.span.end]
        marks = "".join(f"[{citation_id[4:]}]" for citation_id in claim.citation_ids)
        if marks:
            text += ("\n" if read.text.endswith(("```", "~~~")) else " ") + marks
    assert answer.refused or text + streamed.after == answer.text


def test_a_citation_resolves_after_its_document_changed_or_went_and_earns_no_more(
    home: Path,
) -> None:
    first = "The bell rings at noon. It was cast in 1871."
    question = "When does the bell ring?"
    publish(home, {"bell": first, "tower": "The tower is high and old."}, WordEmbedder())
    before = ask(home, question)
    assert {c.document.document_id for c in before.citations} == {"bell"}

    publish(home, {"bell": "The bell rings at dusk.", "tower": "The tower is old."}, WordEmbedder())
    hold(before, home)
    changed = ask(home, question)
    assert changed.citations[0].cited_text == "The bell rings at dusk."
    assert {c.document.version for c in changed.citations} == {
        version_of("The bell rings at dusk.")
    }

    indexer(home, WordEmbedder()).remove(["bell"])
    hold(before, home)
    hold(changed, home)
    for reply in (None, "The bell rings at dusk. [1]", "The bell rings at noon."):
        after = ask(home, question, reply)
        assert "bell" not in {c.document.document_id for c in after.citations}
        assert "bell" not in {hit.chunk.document.document_id for hit in after.retrieved}


def test_an_answer_cites_only_what_was_found_for_its_own_question(home: Path) -> None:
    texts = {"bell": "The bell rings at noon.", "whale": "The whale dives for an hour."}
    publish(home, texts, WordEmbedder())
    service = Answerer(
        Library(home), WordEmbedder(), {"extractive": Extractive()}, "extractive", Calibration()
    )
    alone = ask(home, "How long does the whale dive?")
    ask(home, "When does the bell ring?")
    service.answer(Question("tales", "When does the bell ring?", k=1))
    again = ask(home, "How long does the whale dive?")
    for answer in (alone, again):
        assert [c.document.document_id for c in answer.citations] == ["whale"]


@pytest.fixture(scope="module")
def bells(tmp_path_factory: pytest.TempPathFactory, embedder: SentenceTransformerEmbedder) -> Path:
    home = tmp_path_factory.mktemp("bells")
    texts = {
        "bell": "The harbour bell was cast in 1871 by Ines Moreau.",
        "tower": "The old tower was built of granite in 1902.",
        "clock": "The clock of the town hall strikes every quarter of an hour.",
    }
    publish(home, texts, embedder)
    return home


REPLY = (
    "The tower was built of granite in 1902. The clock strikes every quarter of an hour. "
    "The bell was cast in 1871."
)


def test_each_claim_cites_the_document_that_holds_it(
    bells: Path, embedder: SentenceTransformerEmbedder
) -> None:
    answer = ask(bells, "What do you know of the old harbour?", REPLY, embedder)
    hold(answer, bells)
    documents = [citation.document.document_id for citation in answer.citations]
    assert documents == ["tower", "clock", "bell"]


def test_the_number_in_the_text_is_the_number_of_its_citation(
    bells: Path, embedder: SentenceTransformerEmbedder
) -> None:
    answer = ask(bells, "What do you know of the old harbour?", REPLY, embedder)
    assert answer.text == (
        "The tower was built of granite in 1902. [1] The clock strikes every quarter of an hour. "
        "[2] The bell was cast in 1871. [3]"
    )
    again = read_output(answer.text, {citation.marker for citation in answer.citations})
    assert again.claims == tuple(
        ReadClaim(claim.text, (citation.marker,), " " if citation.marker > 1 else "")
        for claim, citation in zip(answer.claims, answer.citations, strict=True)
    )


def test_every_citation_names_its_document_version_and_words(
    bells: Path, embedder: SentenceTransformerEmbedder
) -> None:
    reply = "The tower was built of granite in 1902 [1][44]. The bell sank in 1999 [2][3][0]."
    answer = ask(bells, "What do you know of the old harbour?", reply, embedder)
    hold(answer, bells)
    assert answer.removed_markers == 2
    for citation in answer.citations:
        assert citation.document.document_id in ("bell", "tower", "clock")
        assert citation.cited_text
