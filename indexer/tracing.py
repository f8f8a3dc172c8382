"""The Lineage of a Datanet that changed: links, clusters and origins, from texts and arrivals.

A pure function of the Documents, their arrivals and the owner's rulings: a Datanet that grew by
many ingests and one that was rebuilt say the same. Texts are read only where something changed:
sketches are kept under their version, and the origins of a cluster under its key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from footnote.ids import canonical_json, sha256
from footnote.model import Document
from indexer import duplicates, origins, passages
from indexer.duplicates import Boilerplate, Shingles, find_links, sketch
from indexer.origins import Held
from indexer.passages import Sharing, find_passages
from rag.index.clusters import clusters_of
from rag.index.lineage import LINKED, Lineage, Link, Origin, pair

RECIPE: Mapping[str, Any] = {
    "links": dict(duplicates.RECIPE),
    "origins": dict(origins.RECIPE),
    "passages": dict(passages.RECIPE),
}
"""What a Lineage follows from besides the Documents; another one finds it anew."""
_KEPT_TEXTS = 512


def put_first(lineage: Lineage, document: Document) -> Lineage:
    """The ruling that ``document`` as it stands came before all others."""
    first = min(lineage.arrivals.values(), default=0) - 1
    key = (document.document_id, document.version)
    return replace(lineage, arrivals={**lineage.arrivals, key: first})


def trace(
    documents: Mapping[str, Document], before: Lineage, text_of: Callable[[bytes], str]
) -> Lineage:
    """``before`` with sketches, links, clusters and origins as ``documents`` have them now.

    Every document's version must have arrived.
    """

    def arrival(document: Document) -> int:
        return before.arrivals[document.document_id, document.version]

    sketches = {
        version: before.sketches[version]
        if version in before.sketches
        else sketch(text_of(version)).astype("<u4").tobytes()
        for version in {document.version for document in documents.values()}
    }
    ordered = sorted(documents.values(), key=lambda d: (arrival(d), d.document_id))
    links, boilerplate = find_links(
        [(d.document_id, np.frombuffer(sketches[d.version], "<u4")) for d in ordered],
        before.unrelated,
        [tuple(sorted({share.address for share in d.contributors})) for d in ordered],
    )
    sketched = {d.document_id: np.frombuffer(sketches[d.version], "<u4") for d in ordered}
    texts = _Texts(documents, _versions(before.arrivals), text_of)
    sharing = _sharing(links)
    containment = {(link.one, link.other): link.containment for link in links}
    clusters: dict[str, bytes] = {}
    found: list[Origin] = []
    known = _by_document(before.origins)
    for names in _groups(links, sharing):
        key = _key(names, sharing, texts, before.unrelated)
        if all(before.clusters.get(name) == key for name in names):
            found.extend(origin for name in names for origin in known.get(name, ()))
        else:
            near = _origins(names, texts, containment, before.unrelated, boilerplate)
            found.extend(near)
            found.extend(_passages(names, near, texts, sharing, sketched, boilerplate))
        clusters.update(dict.fromkeys(names, key))
    return replace(
        before, sketches=sketches, links=tuple(links), clusters=clusters, origins=tuple(found)
    )


class _Texts:
    """What Documents hold since when, read as it is needed; what was read lately is kept."""

    def __init__(
        self,
        documents: Mapping[str, Document],
        versions: Mapping[str, list[tuple[int, bytes]]],
        text_of: Callable[[bytes], str],
    ) -> None:
        self._versions = versions
        self._documents = documents
        self._text_of = text_of
        self.read = lru_cache(maxsize=_KEPT_TEXTS)(self._read)

    def _read(self, name: str) -> Held:
        return origins.held(self._documents[name], self._versions[name], self._text_of)

    def follows_from(self, name: str) -> list[object]:
        """What is read of a Document, as JSON: its title, and its versions with their arrivals."""
        versions = [[number, version.hex()] for number, version in self._versions[name]]
        return [self._documents[name].title, versions]


def _sharing(links: Iterable[Link]) -> dict[str, list[str]]:
    """Who shares a passage with whom without being a near-duplicate, by id."""
    found: dict[str, list[str]] = {}
    for link in links:
        if link.containment < LINKED:
            found.setdefault(link.one, []).append(link.other)
            found.setdefault(link.other, []).append(link.one)
    return found


def _groups(links: Iterable[Link], sharing: Mapping[str, list[str]]) -> list[list[str]]:
    """What is traced together: each cluster, and each Document that only shares a passage."""
    clusters = clusters_of(links)
    alone = sharing.keys() - {name for names in clusters for name in names}
    return [*clusters, *([name] for name in sorted(alone))]


def _versions(arrivals: Mapping[tuple[str, bytes], int]) -> dict[str, list[tuple[int, bytes]]]:
    """The versions that a Document had, with their arrivals, earliest first."""
    found: dict[str, list[tuple[int, bytes]]] = {}
    for number, document_id, version in sorted(
        (number, document_id, version) for (document_id, version), number in arrivals.items()
    ):
        found.setdefault(document_id, []).append((number, version))
    return found


def _origins(
    names: Sequence[str],
    texts: _Texts,
    containment: Mapping[tuple[str, str], float],
    unrelated: frozenset[tuple[str, str]],
    boilerplate: Boilerplate,
) -> list[Origin]:
    """The origins within a cluster."""
    if len(names) == 1:
        return []
    return origins.find_origins(
        [texts.read(name) for name in names],
        lambda a, b: containment.get(pair(a, b), 0.0),
        lambda a, b: pair(a, b) in unrelated,
        boilerplate.holds,
    )


def _passages(
    names: Sequence[str],
    near: Iterable[Origin],
    texts: _Texts,
    sharing: Mapping[str, list[str]],
    sketched: Mapping[str, Shingles],
    boilerplate: Boilerplate,
) -> Iterator[Origin]:
    """The origins outside of the cluster, of sentences that have none within it."""
    traced = {(origin.document_id, origin.span) for origin in near}
    for name in names:
        others = [
            Sharing(other, sketched[other], partial(texts.read, other))
            for other in sharing.get(name, ())
        ]
        if others:
            found = find_passages(texts.read(name), others, boilerplate.holds)
            yield from (one for one in found if (name, one.span) not in traced)


def _key(
    names: Sequence[str],
    sharing: Mapping[str, list[str]],
    texts: _Texts,
    unrelated: frozenset[tuple[str, str]],
) -> bytes:
    """What the origins of a group follow from."""
    others = {other for name in names for other in sharing.get(name, ())}
    body = {
        "members": list(names),
        "sharing": {name: sorted(sharing[name]) for name in names if name in sharing},
        "texts": {name: texts.follows_from(name) for name in {*names, *others}},
        "unrelated": [list(one) for one in sorted(unrelated) if set(one) <= set(names)],
    }
    return sha256(canonical_json(body))


def _by_document(found: Iterable[Origin]) -> dict[str, list[Origin]]:
    grouped: dict[str, list[Origin]] = {}
    for origin in found:
        grouped.setdefault(origin.document_id, []).append(origin)
    return grouped
