"""Where a sentence of a near-duplicate stood first."""

from __future__ import annotations

from collections.abc import Sequence

from footnote.ids import version_of
from indexer.origins import find_origins, held, statements
from tests.corpus import document

A = (
    "The old mill stands beside the river and grinds barley. "
    "Its wheel turns only when the water is higher than two metres. "
    "Every autumn the villagers repair the wooden gutters together."
)


def origins(
    *histories: tuple[str, Sequence[tuple[int, str]]],
    common: str = "",
    unrelated: tuple[str, str] | None = None,
) -> dict[tuple[str, str], tuple[str, str]]:
    """Sentence by sentence: (document, text) to where it stood first; each history names a
    document's versions by arrival, the last being its text."""
    texts = {version_of(text): text for _, versions in histories for _, text in versions}
    now = {name: versions[-1][1] for name, versions in histories}
    members = [
        held(
            document(name, now[name]),
            [(n, version_of(text)) for n, text in versions],
            texts.__getitem__,
        )
        for name, versions in histories
    ]
    found = find_origins(
        members,
        lambda a, b: 1.0,
        lambda a, b: unrelated is not None and {a, b} == set(unrelated),
        lambda letters: letters == common,
    )
    return {
        (o.document_id, o.span.of(now[o.document_id])): (
            o.origin_id,
            o.origin_span.of(now[o.origin_id]),
        )
        for o in found
    }


def sentences_of(text: str) -> list[str]:
    return [statement.span.of(text) for statement in statements(text)]


FIRST, SECOND, THIRD = sentences_of(A)


def test_the_same_sentence_belongs_to_whom_it_came_from() -> None:
    found = origins(("early", [(1, A)]), ("late", [(2, f"New here and all mine. {A.upper()}")]))
    assert found == {("late", one.upper()): ("early", one) for one in (FIRST, SECOND, THIRD)}
    assert origins(("late", [(1, A)]), ("early", [(2, A)])).keys() == {
        ("early", one) for one in (FIRST, SECOND, THIRD)
    }


def test_a_sentence_with_words_swapped_at_random_in_a_copied_run_is_the_same() -> None:
    copy = (
        "The old mill stands beside harbour river and grinds the. "
        "Its wheel turns clock when the water is slowly than two metres. "
        "Every autumn the of repair the wooden gutters bell."
    )
    found = origins(("early", [(1, A)]), ("late", [(2, copy)]))
    assert [to for _, to in found.values()] == [FIRST, SECOND, THIRD]


def test_sheets_of_one_form_state_facts_of_their_own() -> None:
    early = (
        "The mayor of Alven is Ines Roth, who was elected for five years. "
        "For centuries the town lived from its trade in salt. "
        "The filter of the pump must be cleaned every month. "
        "The guarantee of the pump lasts two years from the sale."
    )
    late = (
        "The mayor of Borka is Kari Lund, who was elected for five years. "
        "For centuries the town lived from its trade in wool. "
        "The filter of the pump must be cleaned every week. "
        "The guarantee of the pump lasts three years from the sale."
    )
    assert origins(("early", [(1, early)]), ("late", [(2, late)])) == {}


def test_what_only_looks_like_another_statement_is_the_same() -> None:
    early = "The breakwater is 1,240 metres long and was built in 1871 by convicts from the town."
    for late in (
        "No, the breakwater is 1,240 metres long and was built in 1871 by convicts from the town.",
        "The breakwater is 1240m, long and was built in 1871_ by convicts from our town.",
    ):
        found = origins(("early", [(1, early)]), ("late", [(2, late)]))
        assert list(found.values()) == [("early", early)]
    other = early.replace("1,240", "1,340")
    assert origins(("early", [(1, early)]), ("late", [(2, other)])) == {}


def test_a_later_document_keeps_what_only_it_says() -> None:
    changed = SECOND.replace("two", "2")
    early = A.replace(SECOND, changed)
    for other in (
        changed.replace("2", "3"),
        changed.replace("turns only", "does not turn only"),
        "Two cats live in its attic and hunt at night.",
    ):
        found = origins(("early", [(1, early)]), ("late", [(2, early.replace(changed, other))]))
        assert set(found) == {("late", FIRST), ("late", THIRD)}


def test_an_old_document_that_becomes_a_copy_is_late_for_what_it_took() -> None:
    found = origins(
        ("aged", [(1, "Nothing of interest stands here yet."), (9, A)]), ("source", [(5, A)])
    )
    assert found == {("aged", one): ("source", one) for one in (FIRST, SECOND, THIRD)}


def test_a_source_that_mends_a_slip_stays_before_its_copies() -> None:
    slip = A.replace("villagers", "vilagers")
    found = origins(("source", [(1, slip), (3, A)]), ("copy", [(2, slip)]))
    assert {name for name, _ in found} == {"copy"}
    assert len(found) == 3


def test_a_copy_of_a_copy_leads_to_the_first() -> None:
    found = origins(("a", [(1, A)]), ("b", [(2, A)]), ("c", [(3, A.upper())]))
    assert {to for to, _ in found.values()} == {"a"}
    assert len(found) == 6


def test_sentences_that_were_joined_stood_in_two() -> None:
    joined = FIRST.rstrip(".") + ", and " + SECOND
    found = origins(("early", [(1, A)]), ("late", [(2, joined)]))
    assert found == {("late", joined): ("early", f"{FIRST} {SECOND}")}


def test_a_copy_without_full_stops_is_traced_as_a_whole() -> None:
    bare = A.replace(".", "").lower()
    assert origins(("early", [(1, A)]), ("late", [(2, bare)])) == {("late", bare): ("early", A)}


def test_common_sentences_and_documents_ruled_unrelated_are_left_alone() -> None:
    pair = ("early", [(1, A)]), ("late", [(2, A)])
    assert set(origins(*pair, common=statements(A)[0].letters)) == {
        ("late", SECOND),
        ("late", THIRD),
    }
    assert origins(*pair, unrelated=("late", "early")) == {}


def test_code_fences_decide_nothing() -> None:
    found = origins(("early", [(1, A)]), ("late", [(2, f"```text\n{A}\n```\n")]))
    assert [to for _, to in found.values()] == [FIRST, SECOND, THIRD]
