from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from footnote.errors import Invalid
from indexer.tune import read_questions
from rag.retrieval.retriever import Candidates
from rag.retrieval.tuning import Found, LabelledQuestion, fit_weight

ASKED = LabelledQuestion("q", frozenset({"right"}))


def found(dense: dict[str, float], lexical: dict[str, float]) -> Found:
    names = sorted(dense)
    candidates = Candidates(
        np.arange(len(names)),
        np.array([dense[name] for name in names]),
        np.array([lexical.get(name, 0.0) for name in names]),
    )
    return Found(ASKED, candidates, dict(enumerate(names)))


BY_WORDS = found({"right": 0.4, "wrong": 0.6, "far": 0.0}, {"right": 9.0, "wrong": 6.0})
BY_MEANING = found({"right": 0.6, "wrong": 0.5, "far": 0.0}, {"right": 2.0, "wrong": 9.0})


def test_the_weight_goes_to_the_search_that_finds_the_documents() -> None:
    assert fit_weight([BY_WORDS] * 10, 0.9).dense_weight < 0.6
    assert fit_weight([BY_MEANING] * 10, 0.1).dense_weight > 0.8


def test_what_fits_already_is_kept() -> None:
    fit = fit_weight([BY_WORDS] * 10, 0.3)
    assert (fit.dense_weight, fit.before, fit.after, fit.held_out) == (0.3, 1.0, 1.0, 1.0)


def test_the_fit_is_never_below_either_half() -> None:
    fit = fit_weight([BY_WORDS] * 6 + [BY_MEANING] * 4, 0.5)
    assert fit.after >= max(fit.dense_alone, fit.lexical_alone)


def test_hiding_what_answers_leaves_the_rest() -> None:
    hidden = BY_WORDS.without_its_documents()
    assert hidden.question.documents == frozenset()
    assert [hidden.document_of[i] for i in hidden.candidates.ids.tolist()] == ["far", "wrong"]
    assert hidden.candidates.lexical.tolist() == [0.0, 6.0]


def test_questions_are_read_from_a_file_or_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text('{"question": "a?", "documents": ["d"]}\n\n{"question": "b?", "documents": []}')
    both = [LabelledQuestion("a?", frozenset({"d"})), LabelledQuestion("b?", frozenset())]
    assert read_questions(path) == both
    rows = [{"_id": "1", "text": "a?"}, {"_id": "2", "text": "b?"}]
    (tmp_path / "queries.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n1\td\t1\n")
    assert read_questions(tmp_path) == both


@pytest.mark.parametrize(
    "line",
    ["nothing", "[]", '{"question": "a?"}', '{"documents": 3}',
     '{"question": "", "documents": ["d"]}', '{"question": "\\ud800 a", "documents": ["d"]}'],
)  # fmt: skip
def test_a_line_that_is_no_question_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text('{"question": "a?", "documents": ["d"]}\n' + line)
    with pytest.raises(Invalid, match="line 2"):
        read_questions(path)
    with pytest.raises(Invalid, match=r"queries\.jsonl"):
        read_questions(tmp_path)
