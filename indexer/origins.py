"""Where the sentences of near-duplicates stood first.

Only within a cluster, and only for a sentence that says the same: equal once normalised, or made of
the same shingles but for a few words. A sentence that says otherwise (another number, a negation
more or less, another fact in the same form) is its own Document's, and so is one that many clusters
hold. Where the words of a whole text were exchanged at random, no sentence of it says otherwise.

What counts is when a Document first held the sentence, not when the Document first came: a text
that changed holds its new sentences from then on. Which is why earlier versions are read too.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cached_property

from footnote.model import MAX_CITED_CODE_POINTS, Document, Span
from rag.checking.vocabulary import FUNCTION_WORDS, UNITS
from rag.index.lineage import Origin
from rag.text.letters import folded, letters
from rag.text.sentences import sentences

SHINGLE = 5
SAME = 0.65
"""Part of a sentence's shingles that another must hold to say the same by itself."""
SAME_IN_A_RUN = 0.35
"""The same for a sentence whose neighbour stands beside the other's neighbour. Of copies with 30 %
of their words swapped, 95 % lie above."""
_BESIDE = 2
_PAIR_GAIN = 0.15
"""What a second sentence must add before two together count as where one stood."""
BROKEN = 0.15
"""The part of exchanged words that change their kind from which a text reads broken. At random it
is a half."""
ENOUGH = 4
"""Exchanged words from which texts of one title show that none of them reads broken."""
SPELLED_OTHERWISE = 0.75
"""Likeness of two words that are one, mistyped or inflected."""
MIN_LETTERS = 20
_MOST_LINKED = 8
"""Documents that one is compared with sentence by sentence, the most alike; equal sentences are
found in all of the cluster."""

RECIPE = {
    "words": 2,
    "shingle": SHINGLE, "same": str(SAME), "in_a_run": str(SAME_IN_A_RUN), "beside": _BESIDE,
    "pair_gain": str(_PAIR_GAIN), "broken": str(BROKEN), "enough": ENOUGH,
    "spelled_otherwise": str(SPELLED_OTHERWISE), "min_letters": MIN_LETTERS,
    "most_linked": _MOST_LINKED,
}  # fmt: skip

_BULLET = re.compile(r"(?:[-*+•‣]|\(?\d{1,3}[.)])\s+")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n]*", re.MULTILINE)
_WORD = re.compile(r"\w+(?:['’]\w+)?")
_SAID_FIRST = re.compile(r"^\W*(?:no|yes|not so|well)\s*[,:;.!–—-]\s*", re.IGNORECASE)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_GLUED = re.compile(r"(?<=\d)(?=[^\W\d])")
_NEGATION = re.compile(r"not|no|never|none|neither|nor|cannot|without|\w+n['’]t")
_UNIT_WORDS = frozenset(form.removesuffix("s") for form in UNITS if len(form) <= 2 or "met" in form)
"""Units that one writer shortens and another does not; they say nothing by themselves."""
_JOINING = frozenset(
    """
    a an any the some do doe does did can could is are was were be been will would shall should may
    might must has have had with to it in of on at by for or and
    """.split()
)
"""Words that come and go with a negation."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of a text, as it is compared."""

    span: Span
    letters: str
    shingles: frozenset[str]
    tokens: tuple[str, ...]
    words: frozenset[str]


@dataclass(frozen=True)
class Held:
    """The statements of a Document's text, and since when it holds each; lower is earlier."""

    document_id: str
    title: frozenset[str]
    statements: Sequence[Statement]
    since: Sequence[int]

    @cached_property
    def index(self) -> StatementIndex:
        """Its statements by what they say."""
        return StatementIndex(self.document_id, self.statements)

    def span(self, place: Place) -> Span:
        """Where a place of this Document stands in its text."""
        last = self.statements[place.index + place.length - 1]
        return Span(self.statements[place.index].span.start, last.span.end)


@dataclass(frozen=True, slots=True)
class Place:
    """``length`` statements of a Document from ``index`` on, and how much of another they hold."""

    document_id: str
    index: int
    length: int
    share: float


def statements(text: str) -> list[Statement]:
    """Every sentence of ``text`` that is long enough to be somebody's, without its bullet.

    Code is read as prose: where a block ends decides nothing about who wrote a sentence in it.
    """
    found = []
    for sentence in sentences(_FENCE.sub(lambda match: " " * len(match.group()), text)):
        bullet = _BULLET.match(text, sentence.span.start, sentence.span.end)
        span = Span(bullet.end() if bullet else sentence.span.start, sentence.span.end)
        words = span.of(text)
        said = letters(words)
        if len(said) >= MIN_LETTERS:
            tokens = tuple(_words(words))
            found.append(Statement(span, said, _shingles(said), tokens, frozenset(tokens)))
    return found


def _shingles(said: str) -> frozenset[str]:
    return frozenset(said[i : i + SHINGLE] for i in range(len(said) - SHINGLE + 1))


def held(
    document: Document, versions: Sequence[tuple[int, bytes]], text_of: Callable[[bytes], str]
) -> Held:
    """The statements of ``document``, each since the arrival of the first of its ``versions``,
    given by arrival, that said the same."""
    now = statements(text_of(document.version))
    arrivals = {version: arrival for arrival, version in versions}
    since = [arrivals[document.version]] * len(now)
    for arrival, version in sorted(versions, reverse=True):
        if version != document.version and arrival < arrivals[document.version]:
            before = StatementIndex(document.document_id, statements(text_of(version)))
            for i, statement in enumerate(now):
                place = before.best(statement)
                if place is not None and place.share >= SAME:
                    since[i] = arrival
    return Held(document.document_id, frozenset(_words(document.title)), now, since)


def find_origins(
    members: Sequence[Held],
    linked: Callable[[str, str], float],
    unrelated: Callable[[str, str], bool],
    common: Callable[[str], bool],
) -> list[Origin]:
    """Where the sentences of a cluster's members stood first.

    Args:
        linked: the containment of two members that are linked, 0 where they are not.
        unrelated: whether the Datanet's owner ruled two Documents to be no copies.
        common: whether so many clusters say a sentence, given by its letters, that it is nobody's.
    """
    by_id = {one.document_id: one for one in members}
    equal: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
    for one in members:
        for i, statement in enumerate(one.statements):
            equal[statement.letters].append((one.since[i], one.document_id, i))
    for places in equal.values():
        places.sort()
    direct: dict[tuple[str, int], Place] = {}
    for one in members:
        others = [o for o in members if o is not one and linked(one.document_id, o.document_id)]
        others.sort(key=lambda o: (-linked(one.document_id, o.document_id), o.document_id))
        for i, place in _places(one, others[:_MOST_LINKED], equal, unrelated):
            if not common(one.statements[i].letters):
                direct[one.document_id, i] = place
    return [
        Origin(
            name,
            by_id[name].statements[i].span,
            place.document_id,
            by_id[place.document_id].span(place),
        )
        for (name, i) in sorted(direct)
        for place in [_first(direct, by_id, direct[name, i])]
        if place.document_id != name
    ]


def _places(
    one: Held,
    others: Sequence[Held],
    equal: dict[str, list[tuple[int, str, int]]],
    unrelated: Callable[[str, str], bool],
) -> Iterator[tuple[int, Place]]:
    """For statements of ``one`` by index: the earlier place that says the same."""
    exact: dict[int, Place] = {}
    near: list[list[Place]] = []
    for i, statement in enumerate(one.statements):
        first = next(
            (
                Place(name, j, 1, 1.0)
                for since, name, j in equal[statement.letters]
                if since < one.since[i]
                and name != one.document_id
                and not unrelated(name, one.document_id)
            ),
            None,
        )
        if first is not None:
            exact[i] = first
        candidates = (
            other.index.best(statement)
            for other in others
            if i not in exact and not unrelated(other.document_id, one.document_id)
        )
        near.append(
            [place for place in candidates if place and _since(others, place) < one.since[i]]
        )
    alike = {
        other.document_id: other.index
        for other in others
        if of_one_form(one, other, _compared(one, other, near))
    }
    near = [
        [
            place
            for place in places
            if place.document_id not in alike
            or not says_another_thing(statement, alike[place.document_id].at(place))
        ]
        for statement, places in zip(one.statements, near, strict=True)
    ]
    for i, places in enumerate(near):
        if i in exact:
            yield i, exact[i]
            continue
        for place in sorted(places, key=lambda p: (-round(p.share, 1), _since(others, p))):
            if place.share >= SAME or _in_a_run(i, place, exact, near):
                yield i, place
                break


def _compared(
    one: Held, other: Held, near: Sequence[Sequence[Place]]
) -> Iterator[tuple[Statement, Sequence[Statement]]]:
    """The statements of ``one`` with those that are like them in ``other``."""
    for statement, places in zip(one.statements, near, strict=True):
        for place in places:
            if place.document_id == other.document_id:
                yield statement, other.index.at(place)


def of_one_form(
    one: Held, other: Held, pairs: Iterable[tuple[Statement, Sequence[Statement]]]
) -> bool:
    """Whether two texts state facts of their own in the same form, as sheets on two towns do.

    Such texts put names for names and nouns for nouns. A copy whose words were exchanged at random
    has a *the* where a noun stood. Where the titles do not say that the subjects differ, it takes
    more than a few exchanged words to tell.
    """
    exchanged = broken = 0
    for said, before in pairs:
        theirs = [token for statement in before for token in statement.tokens]
        matcher = SequenceMatcher(None, said.tokens, theirs, False)
        for tag, i, j, k, m in matcher.get_opcodes():
            if tag == "replace" and j - i == m - k:
                for new, old in zip(said.tokens[i:j], theirs[k:m], strict=True):
                    exchanged += 1
                    broken += (new in FUNCTION_WORDS) != (old in FUNCTION_WORDS)
    enough = 1 if _differ(one.title, other.title) else ENOUGH
    return exchanged >= enough and broken < BROKEN * exchanged


def says_another_thing(one: Statement, others: Sequence[Statement]) -> bool:
    """Whether each has a word of meaning that the other lacks."""
    return _differ(one.words, frozenset[str]().union(*(other.words for other in others)))


def _differ(mine: frozenset[str], theirs: frozenset[str]) -> bool:
    """Whether each has a word of meaning that the other lacks, and that is no other spelling."""
    mine_only = mine - theirs - FUNCTION_WORDS - _UNIT_WORDS
    theirs_only = theirs - mine - FUNCTION_WORDS - _UNIT_WORDS
    spelled = {
        word
        for word in mine_only
        for other in theirs_only
        if SequenceMatcher(None, word, other, False).ratio() >= SPELLED_OTHERWISE
    }
    return bool(mine_only - spelled) and bool(theirs_only)


def _since(others: Sequence[Held], place: Place) -> int:
    """When the last of the statements at ``place`` came."""
    other = next(o for o in others if o.document_id == place.document_id)
    return max(other.since[place.index : place.index + place.length])


def _in_a_run(
    i: int, place: Place, exact: dict[int, Place], near: Sequence[Sequence[Place]]
) -> bool:
    """Whether a neighbour of statement ``i`` stood beside ``place``."""
    for j in range(max(i - _BESIDE, 0), min(i + _BESIDE + 1, len(near))):
        beside = [exact[j]] if j in exact else near[j]
        if j != i and any(
            p.document_id == place.document_id and 0 < abs(p.index - place.index) <= _BESIDE
            for p in beside
        ):
            return True
    return False


def _first(direct: dict[tuple[str, int], Place], by_id: dict[str, Held], place: Place) -> Place:
    """The place that ``place`` itself leads to; ends, since each step goes to an earlier one."""
    while (place.document_id, place.index) in direct:
        before = direct[place.document_id, place.index]
        second = direct.get((place.document_id, place.index + 1))
        both = (
            place.length == 2 and second is not None and before.length == second.length == 1
            and second.document_id == before.document_id and second.index == before.index + 1
        )  # fmt: skip
        place = replace(before, length=2) if both else before
    return place


def _says_otherwise(words: frozenset[str], others: frozenset[str]) -> bool:
    """Whether two sentences with nearly the same words state different things: each has a number
    that the other lacks, or a negation is all that they differ in."""
    mine, theirs = words - others, others - words
    if any(map(_is_number, mine)) and any(map(_is_number, theirs)):
        return True
    negations = {word for word in mine | theirs if _NEGATION.fullmatch(word)}
    return bool(negations) and (mine | theirs) - negations <= _JOINING


def _words(text: str) -> Iterator[str]:
    """Words without the ending that comes and goes with "does not", numbers in one form, and
    nothing of a *No,* put before a sentence: what only looks like a difference is none."""
    plain = _THOUSANDS.sub("", _SAID_FIRST.sub("", folded(text)).replace("_", " "))
    for word in _WORD.findall(_GLUED.sub(" ", plain)):
        yield word[:-1] if len(word) > 3 and word.endswith("s") else word


def _is_number(word: str) -> bool:
    return word[0].isdigit()


class StatementIndex:
    """The statements of one text by their shingles."""

    def __init__(self, document_id: str, statements: Sequence[Statement]) -> None:
        self._document_id = document_id
        self._statements = statements
        self._holders: dict[str, list[int]] = defaultdict(list)
        for i, statement in enumerate(statements):
            for shingle in statement.shingles:
                self._holders[shingle].append(i)

    def best(self, wanted: Statement) -> Place | None:
        """The statement, or some in a row, that hold most of ``wanted``, if that is enough."""
        shared = Counter(i for shingle in wanted.shingles for i in self._holders.get(shingle, ()))
        best: Place | None = None
        for i, _ in shared.most_common(3):
            for first, length in ((i, 1), (i - 1, 2), (i, 2), self._run(i, wanted)):
                share = self._share(first, length, wanted)
                gain = _PAIR_GAIN if best is not None and length > best.length else 0.0
                if share >= SAME_IN_A_RUN and (best is None or share > best.share + gain):
                    best = Place(self._document_id, first, length, share)
        return best

    def at(self, place: Place) -> Sequence[Statement]:
        """The statements at a place."""
        return self._statements[place.index : place.index + place.length]

    def taken(self, place: Place, by: Statement) -> float:
        """What part of the statements at a place another one holds."""
        shingles = frozenset[str]().union(*(one.shingles for one in self.at(place)))
        return len(shingles & by.shingles) / len(shingles)

    def _run(self, i: int, wanted: Statement) -> tuple[int, int]:
        """The statements around ``i`` that ``wanted`` holds: a copy without full stops is one long
        sentence."""
        first = last = i
        while first and self._is_within(first - 1, wanted):
            first -= 1
        while last + 1 < len(self._statements) and self._is_within(last + 1, wanted):
            last += 1
        return first, last - first + 1

    def _is_within(self, i: int, wanted: Statement) -> bool:
        shingles = self._statements[i].shingles
        return len(wanted.shingles & shingles) >= SAME * len(shingles)

    def _share(self, first: int, length: int, wanted: Statement) -> float:
        """What part of ``wanted`` is said by statements from ``first`` on; 0 where they cannot be
        cited as one or say otherwise."""
        if first < 0 or first + length > len(self._statements):
            return 0.0
        said = self._statements[first : first + length]
        if said[-1].span.end - said[0].span.start > MAX_CITED_CODE_POINTS:
            return 0.0
        if any(_says_otherwise(wanted.words, one.words) for one in said):
            return 0.0
        shingles = frozenset[str]().union(*(one.shingles for one in said))
        return len(wanted.shingles & shingles) / len(wanted.shingles)
