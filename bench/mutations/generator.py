"""Claims with the source they cite, each certainly supported by it or certainly not.

Base ``a``: sentences of the source, edited lightly. Base ``b``: sentences that people wrote, with
the sentences that they rest on. Everything follows from the corpus and the seed.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from bench.mutations import changes, edits, places
from bench.mutations.corpus import Corpus, Statement, Written
from bench.mutations.sources import Similar, crossed, says_something_else, stitched

EDITS: dict[str, changes.Change] = {
    "contraction": edits.contraction,
    "percent": edits.percent,
    "thousands": edits.thousands,
    "number word": edits.number_word,
    "date form": edits.date_form,
    "unit form": edits.unit_form,
    "time fronted": edits.time_fronted,
    "filler dropped": edits.filler_dropped,
    "lead added": edits.lead_added,
    "casing": edits.casing,
    "punctuation": edits.punctuation,
    "spelling": edits.spelling,
    "abbreviation": edits.abbreviation,
}
PARAPHRASES: dict[str, changes.Change] = {
    "phrase": edits.phrase,
    "aside dropped": edits.aside_dropped,
    "clause dropped": edits.clause_dropped,
    "list reordered": edits.list_reordered,
    "made active": edits.made_active,
}
CHANGES: dict[str, changes.Change] = {
    "number": changes.number,
    "unit": changes.unit,
    "date": changes.date,
    "negation added": changes.negation_added,
    "negation removed": changes.negation_removed,
    "quantifier": changes.quantifier,
    "opposite": changes.opposite,
    "clause added": changes.clause_added,
    "words swapped": places.swapped,
    "numbers swapped": places.numbers_swapped,
}
_BEFORE_CHANGE = (
    "lead added",
    "punctuation",
    "filler dropped",
    "spelling",
    "abbreviation",
    "phrase",
)
"""Light edits that leave the details of a sentence where the rules of change look for them."""


@dataclass(frozen=True, slots=True)
class Case:
    """``holds`` says whether ``cited`` supports ``claim``. ``group`` is edit, paraphrase, human or
    change; ``half`` is 0 for documents that thresholds may be chosen on, 1 for the others."""

    base: str
    group: str
    kind: str
    document_id: str
    title: str
    claim: str
    cited: str
    holds: bool

    @property
    def half(self) -> int:
        return hashlib.sha256(self.document_id.encode()).digest()[0] & 1


Text = Statement | Written
Made = tuple[str, str, bool]
"""A claim, what it cites, and whether that supports it."""
Maker = Callable[[Text, random.Random], "Made | None"]


def cases(corpus: Corpus, seed: int, limit: int) -> list[Case]:
    """At most ``limit`` cases of each kind on each base."""
    similar = Similar(corpus.statements)
    named = {n for s in corpus.statements for n in changes.names_in(s.text, corpus.names)}
    others = random.Random(seed).sample(sorted(named), min(len(named), 300))
    things = places.things_in([statement.text for statement in corpus.statements])
    rules = CHANGES | {
        "name": partial(changes.name, known=corpus.names, others=others),
        "word": partial(places.replaced, things=things),
    }
    written = [one for one in corpus.written if one.label != "contradict"]
    makers = [
        *(("a", "edit", kind, _edited(rule)) for kind, rule in EDITS.items()),
        *(("a", "paraphrase", kind, _edited(rule)) for kind, rule in PARAPHRASES.items()),
        *(("a", "change", kind, _changed(rule)) for kind, rule in rules.items()),
        *(("a", "change", kind, maker) for kind, maker in _other_sources(corpus, similar).items()),
    ]
    found = [
        case
        for base, group, kind, maker in makers
        for case in _some(base, group, kind, maker, corpus.statements, seed, limit)
    ]
    of_people: list[tuple[str, str, Maker]] = [
        *(("edit", kind, _edited(rule)) for kind, rule in (EDITS | PARAPHRASES).items()),
        *(("change", kind, _changed(rule, lightly=False)) for kind, rule in rules.items()),
        ("change", "source: other document", _random_source(corpus.statements)),
        ("change", "source: similar", _similar_source(similar)),
    ]
    for label in ("answer", "support", "contradict"):
        texts = [one for one in corpus.written if one.label == label]
        group = "change" if label == "contradict" else "human"
        as_is = _kept if label != "contradict" else _refuted
        found += _some("b", group, f"human {label}", as_is, texts, seed, 10 * limit)
    for group, kind, maker in of_people:
        found += _some("b", group, kind, maker, written, seed, limit)
    return found


def _some(
    base: str,
    group: str,
    kind: str,
    maker: Maker,
    texts: Sequence[Text],
    seed: int,
    limit: int,
) -> Iterator[Case]:
    count = 0
    for text in texts:
        rng = random.Random(f"{seed}\0{kind}\0{text.document_id}\0{text.text}")
        made = maker(text, rng)
        if made is not None:
            claim, cited, holds = made
            yield Case(base, group, kind, text.document_id, text.title, claim, cited, holds)
            count += 1
            if count == limit:
                return


def _cited(text: Text) -> str:
    return text.cited if isinstance(text, Written) else text.text


def _kept(text: Text, rng: random.Random) -> Made:
    return text.text, _cited(text), True


def _refuted(text: Text, rng: random.Random) -> Made:
    return text.text, _cited(text), False


def _edited(rule: changes.Change) -> Maker:
    def make(text: Text, rng: random.Random) -> Made | None:
        edited = rule(text.text, rng)
        return None if edited is None or edited == text.text else (edited, _cited(text), True)

    return make


def _changed(rule: changes.Change, *, lightly: bool = True) -> Maker:
    def make(text: Text, rng: random.Random) -> Made | None:
        before = _lightly(text.text, rng) if lightly else text.text
        changed = rule(before, rng)
        if changed is None or changed == before:
            return None
        new = set(_tokens(changed)) - set(_tokens(before))
        if new and new <= set(_tokens(_cited(text))):
            return None  # the cited sentences may say this elsewhere
        return changed, _cited(text), False

    return make


def _tokens(text: str) -> list[str]:
    return re.findall(r"\w+|%", text.lower())


def _lightly(text: str, rng: random.Random) -> str:
    """One light edit, if one applies."""
    edited = EDITS.get(kind := rng.choice(_BEFORE_CHANGE), PARAPHRASES.get(kind))
    assert edited is not None
    return edited(text, rng) or text


def _other_sources(corpus: Corpus, similar: Similar) -> dict[str, Maker]:
    def neighbour(text: Text, rng: random.Random) -> Made | None:
        assert isinstance(text, Statement)
        offered = [s for s in (text.before, text.after) if len(s) >= 40]
        if not offered:
            return None
        source, claim = rng.choice(offered), _lightly(text.text, rng)
        return (claim, source, False) if says_something_else(claim, source) else None

    def stitch(text: Text, rng: random.Random) -> Made | None:
        assert isinstance(text, Statement)
        claim = stitched(text.text, rng.choice(corpus.statements).text)
        return None if claim is None else (claim, text.text, False)

    def stitch_near(text: Text, rng: random.Random) -> Made | None:
        assert isinstance(text, Statement)
        claim = stitched(text.text, text.after) if text.after else None
        return None if claim is None else (claim, text.text, False)

    def cross(text: Text, rng: random.Random) -> Made | None:
        assert isinstance(text, Statement)
        claim = crossed(text.text, text.after, text.title)
        return None if claim is None else (claim, f"{text.text} {text.after}", False)

    def cross_far(text: Text, rng: random.Random) -> Made | None:
        second = rng.choice(corpus.statements)
        claim = crossed(text.text, second.text, text.title)
        return None if claim is None else (claim, f"{text.text} {second.text}", False)

    return {
        "source: doubted": _doubted_source,
        "source: other document": _random_source(corpus.statements),
        "source: neighbour": neighbour,
        "source: similar": _similar_source(similar),
        "stitched": stitch,
        "stitched, same document": stitch_near,
        "crossed, both cited": cross,
        "crossed, both cited, other document": cross_far,
    }


def _doubted_source(text: Text, rng: random.Random) -> Made | None:
    source = places.doubted(text.text, rng)
    return None if source is None else (_lightly(text.text, rng), source, False)


def _random_source(statements: Sequence[Statement]) -> Maker:
    def make(text: Text, rng: random.Random) -> Made | None:
        source = rng.choice(statements)
        claim = text.text if isinstance(text, Written) else _lightly(text.text, rng)
        apart = source.document_id != text.document_id and says_something_else(claim, source.text)
        return (claim, source.text, False) if apart else None

    return make


def _similar_source(similar: Similar) -> Maker:
    def make(text: Text, rng: random.Random) -> Made | None:
        claim = text.text if isinstance(text, Written) else _lightly(text.text, rng)
        source = similar.to(claim)
        if source is None or source.text in _cited(text):
            return None
        return claim, source.text, False

    return make
