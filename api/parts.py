"""The parts of an answer in their order: what was found, each claim with its citations, the whole.

One order for two sources: an answer while it is made, and one that is stored and told again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rag.answerer import Found
from rag.answering.draft import Told
from rewards.answered import citation_object, claim_object, hit_object


@dataclass(frozen=True, slots=True)
class Begun:
    """Before a word is written. ``retrieved`` does not say yet what will be used."""

    body: Mapping[str, Any]

    @property
    def answer_id(self) -> str:
        return str(self.body["answer_id"])


@dataclass(frozen=True, slots=True)
class Claimed:
    """``text`` is what the claim adds, with all before it and its markers. Citations lack what they
    earn, which only the whole decides."""

    text: str
    claim: Mapping[str, Any]
    citations: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Completed:
    """The whole, as it is stored."""

    answer: Mapping[str, Any]


Part = Begun | Claimed | Completed


def part_of(heard: Found | Told) -> Part:
    """A part of an answer that is being made."""
    if isinstance(heard, Told):
        citations = [_unpaid(citation_object(one)) for one in heard.citations]
        return Claimed(heard.text, claim_object(heard.claim), citations)
    return Begun(
        {
            "answer_id": heard.answer_id,
            "datanet": heard.question.datanet,
            "question": heard.question.text,
            "confidence": heard.confidence,
            "snapshot": "sha256:" + heard.snapshot_id.hex(),
            "retrieved": [hit_object(hit) for hit in heard.retrieved],
        }
    )


def parts_of(answer: Mapping[str, Any]) -> Iterator[Part]:
    """All parts of an answer that is stored."""
    yield Begun(
        {
            "answer_id": answer["id"],
            "datanet": answer["datanet"],
            "question": answer["question"],
            "confidence": answer["confidence"],
            "snapshot": answer["receipt"]["snapshot"],
            "retrieved": [_without(hit, "used") for hit in answer["retrieved"]],
        }
    )
    told = 0
    for claim in answer["claims"]:
        end = end_of(claim)
        own = [_unpaid(one) for one in answer["citations"] if one["claim_id"] == claim["id"]]
        yield Claimed(answer["text"][told:end], claim, own)
        told = end
    yield Completed(answer)


def end_of(claim: Mapping[str, Any]) -> int:
    """Behind a claim and its markers, which its citations number: a space or a line's end, then
    ``[n]`` for each."""
    markers = sum(len(one.removeprefix("cit_")) + 2 for one in claim["citation_ids"])
    return int(claim["end"]) + (markers + 1 if markers else 0)


def _unpaid(citation: Mapping[str, Any]) -> dict[str, Any]:
    """Without what it earns, which only the whole answer decides."""
    contributors = [_without(one, "amount") for one in citation["contributors"]]
    return _without(citation, "reward") | {"contributors": contributors}


def _without(body: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}
