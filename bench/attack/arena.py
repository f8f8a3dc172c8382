"""A Datanet of honest documents, an attacker's beside them, and who earns what."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.attack.attacks import ATTACKER, Row
from footnote.addresses import format_address
from footnote.model import Question
from indexer.admission import Defaults
from indexer.ingest import Indexer
from indexer.readers.files import find_files
from rag.answerer import Answerer
from rag.answering.extractive import Extractive
from rag.index.datanets import datanet_folder
from rag.index.library import Library
from rag.models.embedder import SentenceTransformerEmbedder

HONEST = "honest"
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Earned:
    """What each address earned with each question, in ppm of that question's data pool."""

    by_question: tuple[Counter[str], ...]

    @property
    def pool(self) -> float:
        """How many pools were paid out."""
        return sum(sum(one.values()) for one in self.by_question) / MILLION

    def of(self, addresses: Iterable[str]) -> float:
        """In pools."""
        wanted = set(addresses)
        return sum(n for one in self.by_question for a, n in one.items() if a in wanted) / MILLION


class Arena:
    """Datanets in one home, with one embedder and one cache."""

    def __init__(self, home: Path, cache: Path) -> None:
        self._home = home
        self._cache = cache
        self._for_documents = SentenceTransformerEmbedder(for_questions=False)
        self._for_questions = SentenceTransformerEmbedder(for_questions=True)

    def ingest(self, datanet: str, rows: Sequence[Row]) -> None:
        """Add ``rows`` to a Datanet, in their order."""
        path = self._home / f"{datanet}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        indexer = Indexer(
            datanet_folder(self._home, datanet), self._cache, self._for_documents, 5_000_000
        )
        report = indexer.ingest(find_files([path]), Defaults())
        assert not report.refused, report.refused[0]

    def copy(self, datanet: str, other: str) -> None:
        """``other`` as ``datanet`` is."""
        shutil.copytree(
            datanet_folder(self._home, datanet).path, datanet_folder(self._home, other).path
        )

    def forget(self, datanet: str) -> None:
        shutil.rmtree(datanet_folder(self._home, datanet).path)

    def ask(self, datanet: str, questions: Sequence[str]) -> Earned:
        """What everybody earns when each question is asked once."""
        answerer = Answerer(
            Library(self._home), self._for_questions, {"extractive": Extractive()}, "extractive"
        )
        return Earned(tuple(self._earned(answerer, Question(datanet, text)) for text in questions))

    @staticmethod
    def _earned(answerer: Answerer, question: Question) -> Counter[str]:
        earned: Counter[str] = Counter()
        for citation in answerer.answer(question).citations:
            for one in citation.document.contributors:
                earned[format_address(one.address).lower()] += (
                    citation.weight_ppm * one.share_bps // 10_000
                )
        return earned


def attacker_gain(earned: Earned) -> float:
    """In pools."""
    return earned.of([ATTACKER])


def honest_loss(before: Earned, after: Earned) -> float:
    """What the others lost, as a part of what they had."""
    had = before.pool
    return (had - (after.pool - attacker_gain(after))) / had if had else 0.0
