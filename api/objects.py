"""What several routes show of a Datanet, as JSON objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from api.services import Services
from footnote.addresses import format_address
from footnote.model import Document, Hit
from rag.index.lineage import Flags


def datanet_object(services: Services, name: str) -> dict[str, Any]:
    """A Datanet in short."""
    manifest = services.library.snapshot(name).manifest
    return {
        "id": name,
        "object": "datanet",
        "snapshot": manifest.snapshot_hex,
        "published": manifest.body["created"],
        "documents": manifest.documents,
        "chunks": manifest.chunks,
        "paid": services.journal.registration(name) is not None,
    }


def contributors_object(services: Services, datanet: str) -> list[dict[str, Any]]:
    """All who contributed to a Datanet as it is now, those who earned most first."""
    known = services.library.snapshot(datanet).catalogue.contributors()
    earned = services.journal.earned_by(datanet)
    ranked = sorted(known, key=lambda one: (-earned.get(one, 0), -known[one][1], one))
    return [
        {
            "address": format_address(one),
            "name": known[one][0],
            "documents": known[one][1],
            "earned": str(earned.get(one, 0)),
        }
        for one in ranked
    ]


def document_object(services: Services, datanet: str, document_id: str) -> dict[str, Any]:
    """A Document with its whole text; NotFound where it is not in the Datanet now."""
    snapshot = services.library.snapshot(datanet)
    document = snapshot.catalogue.document(document_id)
    return {
        **_listed(document, snapshot.catalogue.flags([document_id])),
        "contributors": [
            {"address": format_address(one.address), "name": one.name, "share_bps": one.share_bps}
            for one in document.contributors
        ],
        "versions": ["sha256:" + one.hex() for one in snapshot.catalogue.versions(document)],
        "text": snapshot.text(document.version),
    }


def documents_object(
    services: Services, datanet: str, query: str, flagged: bool, cursor: str | None, limit: int
) -> dict[str, Any]:
    """A page of Documents by id. ``next``, the last id shown, is the ``cursor`` of the page after,
    so that pages stay whole when a new snapshot is published between two of them."""
    snapshot = services.library.snapshot(datanet)
    found = snapshot.catalogue.page(query, cursor or "", limit + 1, flagged=flagged)
    shown = found[:limit]
    flags = snapshot.catalogue.flags([document.document_id for document in shown])
    return {
        "object": "list",
        "snapshot": snapshot.manifest.snapshot_hex,
        "data": [_listed(document, flags) for document in shown],
        "next": shown[-1].document_id if len(found) > limit else None,
    }


def _listed(document: Document, flags: Mapping[str, Flags]) -> dict[str, Any]:
    own = flags[document.document_id]
    return {
        "id": document.document_id,
        "object": "document",
        "version": "sha256:" + document.version.hex(),
        "title": document.title,
        "url": document.url,
        "license": document.license,
        "flags": {
            "near_duplicates": own.near_duplicates,
            "sentences_of_others": own.sentences_of_others,
            "marks": dict(own.marks),
        },
    }


def hits_object(snapshot_id: bytes, hits: Sequence[Hit]) -> dict[str, Any]:
    """Hits of a snapshot, as a search shows them."""
    return {
        "object": "list",
        "snapshot": "sha256:" + snapshot_id.hex(),
        "data": [_hit(hit) for hit in hits],
    }


def _hit(hit: Hit) -> dict[str, object]:
    chunk, document = hit.chunk, hit.chunk.document
    return {
        "document_id": document.document_id,
        "version": "sha256:" + document.version.hex(),
        "title": document.title,
        "url": document.url,
        "chunk": {"start": chunk.span.start, "end": chunk.span.end, "text": chunk.text},
        "rank": hit.rank,
        "scores": {
            "dense": round(hit.scores.dense, 4),
            "lexical": round(hit.scores.lexical, 4),
            "fused": round(hit.scores.fused, 4),
        },
    }
