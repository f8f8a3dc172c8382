"""What agrees and what does not, by the words alone. One line for each rule."""

from __future__ import annotations

import time

import pytest
from hypothesis import given

from footnote.model import MAX_CITED_CODE_POINTS
from rag.checking.agreement import agreement
from rag.checking.details import Kind
from tests.corpus import TEXTS


def kinds(claim: str, source: str, title: str = "") -> set[Kind]:
    return {one.kind for one in agreement(claim, source, title).disagreements}


@pytest.mark.parametrize(
    ("claim", "source", "kind"),
    [
        ("It cost 12 dollars.", "It cost 13 dollars.", Kind.NUMBER),
        ("It took 18 days to finish.", "It took 18 months to finish.", Kind.UNIT),
        ("It weighs 5 kg in all.", "It weighs 5 g in all.", Kind.UNIT),
        ("It opened on 3 May 1994.", "It opened on 4 May 1994.", Kind.DATE),
        ("It opened in June 1994.", "It opened in May 1994.", Kind.DATE),
        ("The bell was cast by Ada Lovelace.", "The bell was cast by Ines Moreau.", Kind.NAME),
        ("The bell is not rung in fog.", "The bell is rung in fog.", Kind.NEGATION),
        ("The bell is rung in fog.", "The bell is not rung in fog.", Kind.NEGATION),
        ("The bell can't be rung.", "The bell can be rung.", Kind.NEGATION),
        ("He was unable to swim there.", "He was able to swim there.", Kind.NEGATION),
        ("All members voted for it.", "Some members voted for it.", Kind.QUANTIFIER),
        ("Only members voted for it.", "Members voted for it.", Kind.QUANTIFIER),
        ("It causes fever.", "It may cause fever.", Kind.QUANTIFIER),
        ("He was seen at sea.", "He was hardly seen at sea.", Kind.NEGATION),
        ("They reached the summit.", "They failed to reach the summit.", Kind.NEGATION),
        ("Prices increased in the city.", "Prices decreased in the city.", Kind.OPPOSITE),
        ("Ada Byron beat Ines Moreau.", "Ines Moreau beat Ada Byron.", Kind.ROLE),
        ("Ada Byron was painted by Moreau.", "Ada Byron painted Moreau.", Kind.ROLE),
        ("The ship took 5 men and 9 women.", "The ship took 9 men and 5 women.", Kind.NUMBER),
        (
            "Granite was sold to pay the school's debts.",
            "Granite is heavy. Pasture was sold to pay the school's debts.",
            Kind.ROLE,
        ),
        ("It stores 5 kWh there.", "It stores 5 Wh there.", Kind.UNIT),
        ("It sends 5 Mb a day.", "It sends 5 MB a day.", Kind.UNIT),
        ("It fell by 2 percentage points.", "It fell by 2 percent.", Kind.UNIT),
        ("It opens at 5 pm.", "It opens at 5 am.", Kind.UNIT),
        ("It was 5 °F outside.", "It was 5 °C outside.", Kind.UNIT),
        ("It was -5 degrees.", "It was 5 degrees.", Kind.NUMBER),
        ("It was 5 degrees.", "It was minus 5 degrees.", Kind.NUMBER),
        ("It opened on 2019-04-03.", "It opened on 2019-03-04.", Kind.DATE),
        ("It opened on 13/04/2019.", "It opened on 14 April 2019.", Kind.DATE),
        ("It opened on 03/04/2019.", "It opened on 04/03/2019.", Kind.ROLE),
        ("It was cast in ١٨٧٢ by Moreau.", "It was cast in ١٨٧١ by Moreau.", Kind.NUMBER),
        ("20 people died.", "Up to 20 people died.", Kind.QUANTIFIER),
        ("Exactly 20 people died.", "At least 20 people died.", Kind.QUANTIFIER),
        ("The price rose from 5 to 10.", "The price rose from 10 to 5.", Kind.ROLE),
        ("They won 3-2 at home.", "They won 2-3 at home.", Kind.ROLE),
        ("The dog chased the cat.", "The cat chased the dog.", Kind.ROLE),
        ("The cat was chased by the dog.", "The cat chased the dog.", Kind.ROLE),
        ("Twice as many men as women sang.", "Twice as many women as men sang.", Kind.ROLE),
        (
            "It was cast in 1870 and rung in 1880.",
            "It was cast in 1880 and rung in 1870.",
            Kind.ROLE,
        ),
        ("The hull is made of oak planks.", "The hull is made of ash planks.", Kind.WORD),
        ("The lamp must be on at night.", "The lamp must be off at night.", Kind.WORD),
        ("He was found guilty of theft.", "He was found innocent of theft.", Kind.OPPOSITE),
        ("It was planned in spring.", "It was never planned in spring.", Kind.NEGATION),
        ("The bridge opened in 1932.", "The bridge was planned to open in 1932.", Kind.QUANTIFIER),
        ("Tea cures colds.", "It is a myth that tea cures colds.", Kind.ASSERTION),
        ("Tea cures colds.", "Some believe that tea cures colds.", Kind.ASSERTION),
        ("Tea cures colds.", "There is no evidence that tea cures colds.", Kind.ASSERTION),
        ("Tea cures colds.", "It is unclear whether tea cures colds.", Kind.ASSERTION),
        ("Tea cures colds.", "If tea cures colds, sales will grow.", Kind.ASSERTION),
        ("Tea cures colds.", "Does tea cure colds?", Kind.ASSERTION),
        ("Dr. Lund taught Mr. Adeyemi.", "Mr. Adeyemi taught Dr. Lund.", Kind.ROLE),
        (
            "Spain won Alsace, and Italy won Savoy.",
            "Spain won Savoy, and Italy won Alsace.",
            Kind.ROLE,
        ),
        (
            "It opened in 1999 and closed in 1990.",
            "It opened in 1990 and closed in 1999.",
            Kind.ROLE,
        ),
        ("Prices rose by 5 euros.", "Prices rose to 5 euros.", Kind.WORD),
        ("The rent is 500 euros a year.", "The rent is 500 euros a month.", Kind.WORD),
        ("It was let from 2012.", "It was let until 2012.", Kind.WORD),
        ("It needs x <= 5 to start.", "It needs x >= 5 to start.", Kind.WORD),
        ("Ada won the race.", "Ada almost won the race.", Kind.QUANTIFIER),
        ("The lake has mercury.", "The lake is free of mercury.", Kind.NEGATION),
        ("It is open on Tuesday.", "It is open every day except Tuesday.", Kind.NEGATION),
        ("All other metals melt.", "Most other metals melt.", Kind.QUANTIFIER),
        ("Er darf ohne Erlaubnis gehen.", "Er darf nicht ohne Erlaubnis gehen.", Kind.NEGATION),
        ("Das Haus wurde nicht gebaut.", "Das Haus wurde gebaut.", Kind.NEGATION),
        ("Il n'est pas un musée.", "Il est un musée.", Kind.NEGATION),
        ("Дом не является музеем.", "Дом является музеем.", Kind.NEGATION),
        ("这座塔是在1871年建成的。", "这座塔不是在1871年建成的。", Kind.NEGATION),
        ("这座塔是在1872年建成的。", "这座塔是在1871年建成的。", Kind.NUMBER),
    ],
)
def test_a_detail_that_differs_is_named(claim: str, source: str, kind: Kind) -> None:
    assert kind in kinds(claim, source)
    assert kinds(source, source) == set()


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("It cost 1000 dollars.", "It cost 1,000 dollars."),
        ("It lasts at most seven days.", "It lasts no longer than seven days."),
        ("The bridge opened in Bern in 1932.", "In 1932 the bridge opened in Bern."),
        ("The cat was chased by the dog.", "The dog chased the cat."),
        ("Bern and Rome are old.", "Rome and Bern are old."),
        ("Ines won.", "Critics deny that Ada won. Ines won."),
        ("Critics deny that Ada won.", "Critics deny that Ada won."),
        ("The lamp is lit if it is dark.", "If it is dark, the lamp is lit."),
        ("Spain won 3 cups and Italy 5 cups.", "Italy won 5 cups and Spain 3 cups."),
        ("It opened on 3 April 2019.", "It opened on 2019-04-03."),
        ("It was -5 °C outside.", "It was minus 5 degrees Celsius outside."),
        ("It stores 5 kWh.", "It stores 5 kilowatt hours."),
        ("Researchers found that sleep helps.", "Researchers found that sleep helps."),
        ("It cost ten dollars.", "It cost 10 dollars."),
        ("It grew by 5%.", "It grew by 5 per cent."),
        ("It holds two million people.", "It holds 2,000,000 people."),
        ("It is 3 kilometres long.", "It is 3 km long."),
        ("It opened on May 3, 1994.", "It opened on 3 May 1994."),
        ("It opened in 1994.", "It opened on 3 May 1994."),
        ("The NATO council met.", "The North Atlantic Treaty Organization council met."),
        ("The colour is not analysed.", "The color isn't analyzed."),
        ("However, the bell was cast.", "The bell was cast."),
        ("It is not only old.", "It is old and large."),
        ("Some members voted for it.", "All members voted for it."),
        ("It may cause fever.", "It causes fever."),
        ("It earned $3m.", "It earned 3 million dollars."),
        ("John F. Kennedy spoke.", "John Kennedy spoke."),
        ("Ada Byron was painted by Moreau.", "Moreau painted Ada Byron."),
        ("Ada Byron met Ines Moreau.", "Ines Moreau met Ada Byron."),
        ("The ship took 9 men.", "The ship took 9 men and 5 women."),
        (
            "The pasture was sold to pay the debts.",
            "Granite is heavy. It was sold to pay the debts.",
        ),
    ],
)
def test_another_form_of_the_same_is_no_difference(claim: str, source: str) -> None:
    assert kinds(claim, source) == set()


def test_a_name_that_opens_a_sentence_is_noticed_where_the_rest_is_repeated() -> None:
    source = "Scotland exports large amounts of whisky every year."
    assert kinds("Yemen exports large amounts of whisky every year.", source) >= {Kind.NAME}
    assert kinds("Whisky is exported every year.", source) == set()


@pytest.mark.parametrize(
    "hostile",
    ["Aa ", "not a ", "1 2 ", "one hundred and ", "A.", "unable unkind ", "May 1 ", "only all "],
)
def test_no_text_takes_more_than_a_moment(hostile: str) -> None:
    longest = (hostile * MAX_CITED_CODE_POINTS)[:MAX_CITED_CODE_POINTS]
    start = time.perf_counter()
    agreement(longest, longest[::-1])
    agreement(longest, longest, longest)
    assert time.perf_counter() - start < 1


def test_a_clause_that_the_source_lacks_shows_as_the_weakest() -> None:
    source = "The harbour bell was cast in bronze by local founders."
    found = agreement(f"{source[:-1]}, and divers recovered treasure maps nearby.", source)
    assert found.coverage > 0.5
    assert found.weakest == 0.0
    assert found.missing == 5


def test_the_title_covers_what_the_span_leaves_out() -> None:
    assert agreement("Quokkas eat leaves.", "They eat leaves.").coverage < 1
    assert agreement("Quokkas eat leaves.", "They eat leaves.", "Quokkas").coverage == 1


@given(TEXTS, TEXTS)
def test_any_two_texts_can_be_compared(claim: str, source: str) -> None:
    found = agreement(claim, source)
    assert 0 <= found.coverage <= 1
    assert 0 <= found.weakest <= 1


@given(TEXTS)
def test_a_text_agrees_with_itself(text: str) -> None:
    assert agreement(text, text).disagreements == ()
