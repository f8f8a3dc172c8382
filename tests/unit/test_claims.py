from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.reading.claims import ReadClaim, ReadOutput, read_output
from tests.corpus import TEXTS

KNOWN = range(1, 9)


def read(text: str) -> list[tuple[str, tuple[int, ...]]]:
    return [(claim.text, claim.numbers) for claim in read_output(text, KNOWN).claims]


@given(TEXTS, st.sets(st.integers(0, 30)))
def test_any_text_is_read_without_an_error_and_names_only_known_sources(
    text: str, known: set[int]
) -> None:
    output = read_output(text, known)
    assert output.removed >= 0
    for claim in output.claims:
        assert claim.text.strip() == claim.text != ""
        assert set(claim.numbers) <= known
        assert len(set(claim.numbers)) == len(claim.numbers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The sky is blue [1].", [("The sky is blue.", (1,))]),
        ("The sky is blue. [1]", [("The sky is blue.", (1,))]),
        ("The sky is blue.[1] It is high.[2]", [("The sky is blue.", (1,)), ("It is high.", (2,))]),
        ("Both agree [1,2].", [("Both agree.", (1, 2))]),
        ("Both agree [1, 3].", [("Both agree.", (1, 3))]),
        ("All agree [1-3].", [("All agree.", (1, 2, 3))]),
        ("All agree [2–4; 6].", [("All agree.", (2, 3, 4, 6))]),
        ("Twice [1][2].", [("Twice.", (1, 2))]),
        ("Once [1][1].", [("Once.", (1,))]),
        ("Doubled [[1]].", [("Doubled.", (1,))]),
        ("全角です【1】。", [("全角です。", (1,))]),
        ("Glued to a word[2].", [("Glued to a word.", (2,))]),
        ("It began in 2019[3].", [("It began in 2019.", (3,))]),
        ("The year [1998] stays.", [("The year [1998] stays.", ())]),
        ("Not one [a], [ ] or [].", [("Not one [a], [ ] or [].", ())]),
        ("[1] The first one.", [("The first one.", (1,))]),
        ("First. [1]\n\nSecond [2].", [("First.", (1,)), ("Second.", (2,))]),
        ("Both [1, 2 and 3] agree.", [("Both agree.", (1, 2, 3))]),
        ("Three [1 to 3].", [("Three.", (1, 2, 3))]),
        ("Named [source 1], [Source: 2].", [("Named,.", (1, 2))]),
        ("Named (source 3) so.", [("Named so.", (3,))]),
        ("As the prompt has it <source 2>.", [("As the prompt has it.", (2,))]),
        ("With its title [Source 1: The bell].", [("With its title.", (1,))]),
        ("Elsewhere【1†source】.", [("Elsewhere.", (1,))]),
        ("Full width［１］ and 【２】。", [("Full width and。", (1, 2))]),
        ("A note[^1].", [("A note.", (1,))]),
        ("A link [1](https://example.org/a) here.", [("A link here.", (1,))]),
        ("Escaped \\[1\\].", [("Escaped.", (1,))]),
        ("Raised.¹ Also raised.²", [("Raised.", (1,)), ("Also raised.", (2,))]),
        ("Raised <sup>[1]</sup>.", [("Raised.", (1,))]),
        ("An area of 5 m² is small.", [("An area of 5 m² is small.", ())]),
        ("A root \\sqrt[3]{x} is taken.", [("A root \\sqrt[3]{x} is taken.", ())]),
        ("Not 10<sup>6</sup>.", [("Not 10<sup>6</sup>.", ())]),
        ("See xref 3 and href2.", [("See xref 3 and href2.", ())]),
        ("It is [redacted], see [Appendix].", [("It is [redacted], see [Appendix].", ())]),
        ("See [Figure 1] (1) and [Table 2].", [("See [Figure 1] (1) and [Table 2].", ())]),
        ("Never closed [1", [("Never closed [1", ())]),
    ],
)
def test_markers_are_read_as_models_write_them(
    text: str, expected: list[tuple[str, tuple[int, ...]]]
) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1] The first. [2] The second.", [("The first.", (1,)), ("The second.", (2,))]),
        ("[1] The first.\n[2] The second.", [("The first.", (1,)), ("The second.", (2,))]),
        ("- [1] The first.\n- [2] The second.", [("The first.", (1,)), ("The second.", (2,))]),
        ("The first.\n[1]\n[2] The second.", [("The first.", (1,)), ("The second.", (2,))]),
        ("The first.\n\n[1]\n\nThe second.", [("The first.", (1,)), ("The second.", ())]),
        ("The first. [1] [2] The second.", [("The first.", (1, 2)), ("The second.", ())]),
    ],
)
def test_a_marker_belongs_to_the_sentence_it_stands_with(
    text: str, expected: list[tuple[str, tuple[int, ...]]]
) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    "code",
    [
        "`a[3]`",
        "``a[3] `b[1]` ``",
        "```\nx = a[3]\n```",
        "~~~python\nx = [1, 2]\n\ny = x[1]\n~~~",
        "```\nnever closed[1]",
    ],
)
def test_what_stands_in_code_is_never_touched(code: str) -> None:
    output = read_output(code, KNOWN)
    assert [claim.text for claim in output.claims] == [code]
    assert (output.claims[0].numbers, output.removed) == ((), 0)


def test_a_backtick_that_opens_nothing_hides_no_marker() -> None:
    assert read("It`s so [1].\nNext [2].") == [("It`s so.", (1,)), ("Next.", (2,))]


def test_code_is_marked_after_it_ends() -> None:
    assert read("```\na[3]\n```\n[2]\n\nSo it is [1].") == [
        ("```\na[3]\n```", (2,)),
        ("So it is.", (1,)),
    ]


def test_each_row_of_a_table_is_a_claim_and_its_head_is_none() -> None:
    table = "| Animal | Food |\n|---|---|\n| Quokka | leaves [1] |\n| Camel | hay | [2]\n\nDone."
    assert read(table) == [("Quokka | leaves", (1,)), ("Camel | hay", (2,)), ("Done.", ())]


def test_items_of_a_list_are_claims_without_their_numbers() -> None:
    assert read("1. First thing [1]\n2. Second thing, e.g. two [2]\n  * Third. And on.") == [
        ("First thing", (1,)),
        ("Second thing, e.g. two", (2,)),
        ("Third.", ()),
        ("And on.", ()),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Version v1.2.3 came out, i.e. after 3.5 years, as Dr. Moe said at https://a.b/c?d=1.5!",
        "Ｎo stop at all",
        "ประเทศไทยมีเมืองหลวงคือกรุงเทพ",
    ],
)
def test_a_stop_inside_a_sentence_does_not_end_it(text: str) -> None:
    assert read(f"{text} [1]") == [(text, (1,))]


@pytest.mark.parametrize(
    "sentences",
    [
        ["天は青い。", "海も青い！"],
        ["天空是蓝色的。", "海呢？"],
        ["السماء زرقاء.", "البحر أزرق أيضا۔"],
        ["आकाश नीला है।", "समुद्र भी।"],
        ["Τι είναι αυτό το πράγμα\u037e", "Είναι καμπάνα."],
        ["Τι είναι αυτό;", "Είναι καμπάνα."],
        ["השמיים כחולים.", "גם הים."],
        ["Երկինքը կապույտ է։", "Ծովը նույնպես։"],
    ],
)
def test_sentences_of_many_scripts_are_told_apart(sentences: list[str]) -> None:
    text = "[1] ".join(sentences) + "[2]"
    assert read(text) == [(sentences[0], (1,)), (sentences[1], (2,))]


@pytest.mark.parametrize(
    ("text", "claims", "after"),
    [
        ("# The answer\n\nIt works [1].", [("It works.", "# The answer\n\n")], ""),
        ("The answer\n=====\n\nIt works [1].", [("It works.", "The answer\n=====\n\n")], ""),
        (
            "Here is what I found:\n\n- It works.",
            [("It works.", "Here is what I found:\n\n- ")],
            "",
        ),
        ("What is it? A bell.", [("A bell.", "What is it? ")], ""),
        ("It works.\n\n---\n\n*[abridged]*", [("It works.", "")], "\n\n---\n\n*[abridged]*"),
        ("It works. [1998]", [("It works.", "")], " [1998]"),
    ],
)
def test_what_states_nothing_stays_in_the_text_and_is_no_claim(
    text: str, claims: list[tuple[str, str]], after: str
) -> None:
    output = read_output(text, KNOWN)
    assert [(claim.text, claim.before) for claim in output.claims] == claims
    assert output.after == after


def test_a_fragment_that_holds_a_number_or_a_marker_is_a_claim() -> None:
    assert read("There are 3 of them:\n- So [1].") == [("There are 3 of them:", ()), ("So.", (1,))]
    assert read("Found in the log [2]:\n- So.") == [("Found in the log:", (2,)), ("So.", ())]


@pytest.mark.parametrize(
    "listed",
    [
        "Sources:\n[1] The bell\n[2] The ring",
        "**References**\n\n1. [1] The bell\n2. [2] The ring\n",
        "## Sources\n- [1]: The bell, https://example.org\n   second line",
        "Sources: [1], [2]",
        "Sources: [1] The bell, [2] The ring",
        "[^1]: The bell\n[^2]: The ring",
        "参考文献：\n【1】鐘\n【2】環",
    ],
)
def test_a_list_of_sources_at_the_end_is_no_claim_and_goes(listed: str) -> None:
    output = read_output(f"It rings [2].\n\n{listed}", KNOWN)
    assert output == ReadOutput((ReadClaim("It rings.", (2,)),), 0)


def test_a_list_at_the_end_that_is_not_of_numbers_stays_and_is_no_claim() -> None:
    output = read_output("It has two [1].\n\nSources:\n- the sun\n- wind", KNOWN)
    assert output == ReadOutput(
        (ReadClaim("It has two.", (1,)),), 0, "\n\nSources:\n- the sun\n- wind"
    )


def test_a_list_of_sources_that_something_follows_is_read_like_any_other() -> None:
    assert read("Two [1].\n\nSources:\n- the sun [2]\n\nBoth are free.") == [
        ("Two.", (1,)),
        ("the sun", (2,)),
        ("Both are free.", ()),
    ]


def test_a_sentence_without_an_end_is_cut_into_claims_that_can_be_checked() -> None:
    texts = [claim.text for claim in read_output("word " * 1_000, KNOWN).claims]
    assert all(800 <= len(text) <= 1_000 for text in texts[:-1])
    assert " ".join(texts) == ("word " * 1_000).strip()
    assert [len(claim.text) for claim in read_output("x" * 2_500, KNOWN).claims] == [
        1_000, 1_000, 500,
    ]  # fmt: skip


@given(TEXTS, st.sets(st.integers(0, 30)))
def test_nothing_but_markers_and_outer_white_space_is_lost(text: str, known: set[int]) -> None:
    output = read_output(text, known)
    whole = "".join(claim.before + claim.text for claim in output.claims) + output.after
    assert whole == whole.strip()
    if not any(character in text for character in "[【¹<"):
        assert whole == text.strip()


def test_a_marker_that_resolves_to_nothing_is_removed_and_counted() -> None:
    assert read_output("So it is [9][2, 77]. Nothing else [0].", KNOWN) == ReadOutput(
        (ReadClaim("So it is.", (2,)), ReadClaim("Nothing else.", (), " ")), 3
    )


def test_a_marker_never_means_its_neighbour() -> None:
    known = {1, 2, 4}
    output = read_output("One [3]. Two [5]. Three [0]. Four [4]. Five【2:1†source】.", known)
    assert [claim.numbers for claim in output.claims] == [(), (), (), (4,), ()]
    assert output.removed == 4


def test_a_number_is_looked_up_and_is_no_place_in_a_list() -> None:
    output = read_output("One [1]. Two [2]. Seven [7].", {7, 2})
    assert [claim.numbers for claim in output.claims] == [(), (2,), (7,)]
    assert output.removed == 1


@pytest.mark.parametrize("text", ["[1] [2]", "# Heading [1][2]", "Is it so?\n\n---\n[1, 2]"])
def test_markers_without_a_claim_are_counted_as_removed(text: str) -> None:
    output = read_output(text, KNOWN)
    assert (output.claims, output.removed) == ((), 2)


def test_a_range_that_runs_backwards_or_too_far_gives_its_ends_only() -> None:
    assert read_output("Odd [3-1].", KNOWN).claims[0].numbers == (3, 1)
    far = read_output("Far [1-100].", KNOWN)
    assert (far.claims[0].numbers, far.removed) == ((1,), 1)


_UNITS = """
[ [1␠ [1, [1]␠ 【1- ␠ a␠[1].␠ ` `␠``␠ `a␠[1] ```⏎ ```⏎~~~⏎ #␠a⏎ |a|b|⏎ | .␠ ." Dr.␠ x 日本語。 ⏎ a⏎
Sources:⏎ Sources:⏎-␠a⏎ Sources:⏎[1]␠a⏎⏎b⏎ [^1]:␠a⏎ .¹ (source␠ [1](http:// ---⏎ = -␠ >␠-␠1.␠
[source␠1:␠ ␍ <source␠ \\ \\sqrt[3] ［1 †
""".split()


HOSTILE = [unit.replace("␠", " ").replace("⏎", "\n").replace("␍", "\r") for unit in _UNITS]


def seconds(text: str) -> float:
    began = time.process_time()
    read_output(text, KNOWN)
    return time.process_time() - began


@pytest.mark.parametrize("unit", HOSTILE)
def test_time_grows_with_the_length_of_anything(unit: str) -> None:
    short, long = (seconds("A claim.\n\n" + unit * (n // len(unit))) for n in (32_000, 256_000))
    assert long < 8 * 4 * short + 1  # what grows with the square takes 64 times as long


def test_a_megabyte_of_everything_hostile_is_read_in_seconds() -> None:
    text = "\n\nA claim.\n\n".join(unit * (25_000 // len(unit)) for unit in HOSTILE)
    assert len(text) > 900_000
    assert seconds(text) < 20
