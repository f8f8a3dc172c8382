"""The benchmark of citation mutations: what it changes, what it keeps, and how it counts."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from bench.mutations import changes, edits
from bench.mutations.corpus import read_corpus
from bench.mutations.generator import Case, cases
from bench.mutations.report import Judged, Rate, bars
from bench.mutations.schemes import longest_block, verbatim
from bench.mutations.sources import crossed, says_something_else, stitched
from tests.corpus import write_lines

RNG = random.Random(1)
TEXTS = [
    "The harbour bell was cast by Ines Moreau in 1871. It is not rung in fog, which sailors "
    "regret. All of the founders lived within 12 km of the harbour and about half of them drank "
    "tea.",
    "The lighthouse keeper Tomas Lind counted 350 ships in 1902. Many ships carried grain and wool "
    "to Bergen. Every keeper was paid 40 dollars a month by Ines Moreau.",
    "Quokkas are small marsupials that live on Rottnest Island near Bergen. Tomas Lind described "
    "how quokkas feed at night on leaves, grass and bark.",
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    documents = [
        {"id": f"d{i}", "title": f"Title {i}", "text": text} for i, text in enumerate(TEXTS)
    ]
    write_lines(tmp_path / "documents.jsonl", documents)
    answers = ["The keeper Tomas Lind counted 350 ships in 1902. He drank nothing but cold tea."]
    write_lines(tmp_path / "queries.jsonl", [{"_id": "q", "text": "?", "answers": answers}])
    start = TEXTS[1].index(".") + 1
    evidence = {"query_id": "q", "corpus_id": "d1", "start": 0, "end": start}
    write_lines(tmp_path / "evidence.jsonl", [{**evidence, "text": TEXTS[1][:start]}])
    return tmp_path


def test_the_same_seed_makes_the_same_cases(corpus: Path) -> None:
    made = cases(read_corpus(corpus, 1), 1, 20)
    assert made == cases(read_corpus(corpus, 1), 1, 20)
    assert {case.kind for case in made if case.base == "b"} >= {"human answer", "number", "date"}
    assert {case.half for case in made} <= {0, 1}


def test_a_case_that_holds_is_never_the_cited_text_of_another_document(corpus: Path) -> None:
    texts = dict(enumerate(TEXTS))
    for case in cases(read_corpus(corpus, 1), 1, 20):
        if case.holds:
            assert case.cited in texts[int(case.document_id[1:])]
        if case.kind == "source: other document":
            assert case.cited not in texts[int(case.document_id[1:])]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (changes.number, "It took more than 500 men."),  # more than 400 follows from it
        (changes.number, "It was finished in 1994."),  # a date, not a number
        (changes.date, "It was open until 1994."),  # a bound
        (changes.negation_added, "It may be open."),  # may not be open holds as well
        (changes.negation_added, "It is not open."),
        (changes.negation_removed, "It is not only old."),
        (changes.quantifier, "After all the bells rang."),
        (edits.thousands, "It was 1994."),
        (edits.list_reordered, "The first of a, b and c."),
    ],
)
def test_a_rule_stays_away_where_it_is_not_certain(rule: changes.Change, text: str) -> None:
    assert rule(text, RNG) is None


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        (edits.percent, "It grew by 5% then.", {"It grew by 5 percent then.",
                                               "It grew by 5 per cent then."}),
        (edits.thousands, "It held 12,000 men.", {"It held 12000 men."}),
        (edits.number_word, "It had ten doors.", {"It had 10 doors."}),
        (edits.date_form, "On May 1, 1994 it rang.", {"On 1 May 1994 it rang."}),
        (edits.time_fronted, "The bell was cast in 1871.", {"In 1871, the bell was cast."}),
        (edits.made_active, "The book was written by Ada Byron.", {"Ada Byron wrote the book."}),
        (changes.negation_removed, "It is not rung.", {"It is rung."}),
        (changes.unit, "It is 12 km long.", {"It is 12 kg long."}),
    ],
)  # fmt: skip
def test_a_rule_does_what_its_name_says(rule: changes.Change, before: str, after: set[str]) -> None:
    assert rule(before, RNG) in after


def test_halves_of_two_sentences_make_one_that_neither_says() -> None:
    first = "The old harbour bell was cast long ago, and sailors heard it."
    second = "The keeper went home and counted ships from the northern tower."
    assert stitched(first, second) == (
        "The old harbour bell was cast long ago and counted ships from the northern tower."
    )
    assert crossed("Granite is heavy and grey.", "Pasture is sold by the acre here.", "") == (
        "Granite is sold by the acre here."
    )
    assert crossed("Granite is heavy.", "It is sold by the acre here.", "") is None
    assert not says_something_else(first, first)


def test_the_schemes_of_the_field_do_what_is_described_of_them() -> None:
    def case(claim: str, cited: str) -> Case:
        return Case("a", "edit", "x", "d", "", claim, cited, True)

    true = "The treaty was signed in 1987 by twelve member states of the union."
    false = "The treaty was signed in 1994 by thirty member states of the union."
    assert longest_block(case(false, true))
    assert verbatim(case("the treaty was  signed", true))
    assert not verbatim(case(false, true))


def test_an_interval_holds_its_rate_and_narrows() -> None:
    few, many = Rate(9, 10), Rate(900, 1000)
    assert few.interval == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert few.interval[0] < many.interval[0] < 0.9 < many.interval[1] < few.interval[1]
    assert Rate(0, 0).interval == (0.0, 1.0)


def test_a_bar_is_missed_by_one_number_too_many() -> None:
    case = Case("a", "change", "number", "d", "", "claim", "cited", False)
    judged = [Judged("c", case, {"s": accepted}) for accepted in [False] * 19 + [True]]
    number = bars(judged, "s", 1.0)[0]
    assert (number["rate"], number["reached"]) == (0.95, True)
    assert not bars(judged[1:], "s", 1.0)[0]["reached"]
    assert json.dumps(bars(judged, "s", 6.0)[-1]["reached"]) == "false"
