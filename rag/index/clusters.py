"""Near-duplicates in clusters, as a Datanet's owner sees them. A flag is no verdict."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from footnote.errors import Invalid
from footnote.model import Document
from rag.index.lineage import LINKED, Lineage, Link

_FIRST_COME = 1
"""The arrival of the first text of a Datanet; rulings put texts before it."""


Pairs = Sequence[Sequence[str]]


def check_ruling(unrelated: Pairs, related: Pairs) -> None:
    """Raise Invalid for pairs that no ruling can mean."""
    if any(one == other for one, other in (*unrelated, *related)):
        raise Invalid("a document is always itself", "name two documents")
    if {frozenset(one) for one in unrelated} & {frozenset(one) for one in related}:
        raise Invalid("two documents are ruled both ways", "say one of the two")


def clusters_of(links: Iterable[Link]) -> list[list[str]]:
    """The ids that near-duplicates connect, each cluster by id."""
    links = [link for link in links if link.containment >= LINKED]
    names = sorted({name for link in links for name in (link.one, link.other)})
    number = {name: i for i, name in enumerate(names)}
    found_labels = labels(len(names), [(number[link.one], number[link.other]) for link in links])
    found: dict[int, list[str]] = {}
    for name, label in zip(names, found_labels.tolist(), strict=True):
        found.setdefault(label, []).append(name)
    return list(found.values())


def clusters(documents: Mapping[str, Document], lineage: Lineage) -> list[dict[str, Any]]:
    """The clusters with their Documents in order of arrival, the first being paid for what they
    share, and the pairs that they were found by.

    A ruling is about a text as it stood: after a change ``ruled_first`` is over, and what it had
    before the change stays first (``ruled_first_before_change``)."""
    found = []
    origins, links = defaultdict(list), defaultdict(list)
    for origin in lineage.origins:
        origins[origin.document_id].append(origin)
    for link in lineage.links:
        if link.containment >= LINKED:
            links[link.one].append(link)
    once_ruled = {name for (name, _), arrival in lineage.arrivals.items() if arrival < _FIRST_COME}
    for names in clusters_of(lineage.links):
        held = {name: lineage.arrivals[name, documents[name].version] for name in names}
        members = sorted(names, key=lambda name: (held[name], name))
        moved = [origin for name in members for origin in origins[name]]
        sent, got = Counter(o.document_id for o in moved), Counter(o.origin_id for o in moved)
        found.append(
            {
                "first": members[0],
                "documents": [
                    {
                        "id": name,
                        "title": documents[name].title,
                        "arrival": held[name],
                        "ruled_first": held[name] < _FIRST_COME,
                        "ruled_first_before_change": name in once_ruled
                        and held[name] >= _FIRST_COME,
                        "sentences_of_others": sent[name],
                        "sentences_in_others": got[name],
                    }
                    for name in members
                ],
                "pairs": [
                    {"one": link.one, "other": link.other, "containment": link.containment}
                    for name in sorted(members)
                    for link in links[name]
                ],
            }
        )
    return sorted(found, key=lambda cluster: str(cluster["first"]))


def labels(count: int, pairs: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """The lowest member of each one's connected set."""
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    for a, b in pairs:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return np.array([root(i) for i in range(count)], np.int64)
