"""The measures of ``bench/judge``, against values worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from sklearn.metrics import ndcg_score, roc_auc_score

from bench.judge.corpus import read_corpus
from bench.judge.metrics import area_under_curve, estimate, holds, ndcg, overlap, recall
from footnote.model import Span


def test_ndcg_counts_gains_by_place() -> None:
    relevant = {"a": 2, "b": 1}
    assert ndcg(["a", "b", "c"], relevant) == 1.0
    assert ndcg(["c", "b", "a"], relevant) == pytest.approx(
        (1 / math.log2(3) + 2 / math.log2(4)) / (2 + 1 / math.log2(3))
    )
    assert ndcg(["c", "d"], relevant) == 0.0


def test_ndcg_agrees_with_another_implementation() -> None:
    graded = {name: grade for name, grade in zip("abcdef", (0, 3, 0, 1, 2, 0), strict=True)}
    ours = ndcg(list("abcdef"), {n: g for n, g in graded.items() if g}, depth=6)
    theirs = ndcg_score([list(graded.values())], [[6, 5, 4, 3, 2, 1]])
    assert ours == pytest.approx(theirs)


def test_recall_counts_what_lies_within_the_depth() -> None:
    assert recall(["x", "a", "y", "b"], ["a", "b"], 3) == 0.5


def test_the_area_under_the_curve_agrees_with_another_implementation() -> None:
    positive, negative = [0.9, 0.8, 0.8, 0.2], [0.8, 0.3, 0.1]
    theirs = roc_auc_score([1] * 4 + [0] * 3, positive + negative)
    assert area_under_curve(positive, negative) == pytest.approx(theirs)


def test_an_interval_holds_its_mean_and_narrows_with_more_questions() -> None:
    few, many = estimate([0.0, 1.0] * 10), estimate([0.0, 1.0] * 1_000)
    assert few is not None
    assert many is not None
    assert few.low < 0.5 == few.mean < few.high
    assert many.high - many.low < (few.high - few.low) / 3
    assert estimate([]) is None


def test_a_hit_holds_a_whole_gold_span_or_does_not() -> None:
    gold = ("d", Span(10, 20))
    assert holds(("d", Span(10, 20)), gold)
    assert not holds(("d", Span(11, 30)), gold)
    assert not holds(("e", Span(0, 100)), gold)
    assert overlap(("d", Span(15, 40)), gold) == 5
    assert overlap(("d", Span(20, 40)), gold) == 0
    assert overlap(("e", Span(10, 20)), gold) == 0


def test_a_corpus_is_read_with_its_split_and_its_unanswerable_questions(tmp_path: Path) -> None:
    queries = [
        {"_id": "1", "text": "one"},
        {"_id": "2", "text": "two", "label": "NOT_ENOUGH_INFO"},
        {"_id": "3", "text": "three"},
    ]
    (tmp_path / "queries.jsonl").write_text("\n".join(json.dumps(q) for q in queries) + "\n")
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n1\td\t1\n2\td\t1\n")
    gold = {"query_id": "1", "corpus_id": "d", "start": 3, "end": 9}
    (tmp_path / "evidence.jsonl").write_text(json.dumps(gold) + "\n")
    one, two, three = read_corpus(tmp_path).questions
    assert (one.relevant, one.evidence, one.answerable) == ({"d": 1}, (("d", Span(3, 9)),), True)
    assert (two.answerable, three.answerable) == (False, False)
    (tmp_path / "qrels.dev.tsv").write_text("query-id\tcorpus-id\tscore\n2\td\t1\n")
    assert [q.query_id for q in read_corpus(tmp_path).questions] == ["2"]
