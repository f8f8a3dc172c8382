"""The Lineage of a Datanet that changed: links, clusters and origins, from texts and arrivals.

A pure function of the Documents, their arrivals and the owner's rulings: a Datanet that grew by
many ingests and one that was rebuilt say the same. Texts are read only where something changed:
sketches are kept under their version, and the origins of a cluster under its key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from footnote.ids import canonical_json, sha256
from footnote.model import Document
from indexer import duplicates, origins
from indexer.duplicates import Boilerplate, clusters_of, find_links, sketch
from rag.lineage import Lineage, Link, Origin, pair

RECIPE: Mapping[str, Any] = {"links": dict(duplicates.RECIPE), "origins": dict(origins.RECIPE)}
"""What a Lineage follows from besides the Documents; another one finds it anew."""


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
    )
    clusters: dict[str, bytes] = {}
    found: list[Origin] = []
    known = _by_document(before.origins)
    held = _versions(before.arrivals)
    for names in clusters_of(links):
        members = [documents[name] for name in names]
        versions = [held[name] for name in names]
        key = _key(names, versions, before.unrelated)
        if all(before.clusters.get(name) == key for name in names):
            found.extend(origin for name in names for origin in known.get(name, ()))
        else:
            found.extend(_origins(members, versions, links, before.unrelated, boilerplate, text_of))
        clusters.update(dict.fromkeys(names, key))
    return replace(
        before, sketches=sketches, links=tuple(links), clusters=clusters, origins=tuple(found)
    )


def _versions(arrivals: Mapping[tuple[str, bytes], int]) -> dict[str, list[tuple[int, bytes]]]:
    """The versions that a Document had, with their arrivals, earliest first."""
    found: dict[str, list[tuple[int, bytes]]] = {}
    for number, document_id, version in sorted(
        (number, document_id, version) for (document_id, version), number in arrivals.items()
    ):
        found.setdefault(document_id, []).append((number, version))
    return found


def _origins(
    members: Iterable[Document],
    versions: Iterable[list[tuple[int, bytes]]],
    links: Iterable[Link],
    unrelated: frozenset[tuple[str, str]],
    boilerplate: Boilerplate,
    text_of: Callable[[bytes], str],
) -> list[Origin]:
    containment = {(link.one, link.other): link.containment for link in links}
    return origins.find_origins(
        [origins.held(m, v, text_of) for m, v in zip(members, versions, strict=True)],
        lambda a, b: containment.get(pair(a, b), 0.0),
        lambda a, b: pair(a, b) in unrelated,
        boilerplate.holds,
    )


def _key(
    names: list[str], versions: list[list[tuple[int, bytes]]], unrelated: frozenset[tuple[str, str]]
) -> bytes:
    body = {
        "members": [
            [name, [[number, version.hex()] for number, version in held]]
            for name, held in zip(names, versions, strict=True)
        ],
        "unrelated": [list(one) for one in sorted(unrelated) if set(one) <= set(names)],
    }
    return sha256(canonical_json(body))


def _by_document(found: Iterable[Origin]) -> dict[str, list[Origin]]:
    grouped: dict[str, list[Origin]] = {}
    for origin in found:
        grouped.setdefault(origin.document_id, []).append(origin)
    return grouped
