"""Who said what first in a Datanet, as its catalogue keeps it.

An *arrival* is the number of the moment at which a Document version first came; a text that
changes arrives again, so that an old id cannot be turned into a copy that counts as old. Two
Documents that share much text are *linked*; linked Documents form a cluster. An *origin* says where
the sentence at a span stood before: payment for it goes there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from footnote.model import Span

SCHEMA = """
CREATE TABLE arrivals (
    document_id TEXT NOT NULL, version BLOB NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (document_id, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE sketches (version BLOB PRIMARY KEY, sketch BLOB NOT NULL) STRICT;
CREATE TABLE links (
    one TEXT NOT NULL, other TEXT NOT NULL, containment REAL NOT NULL, PRIMARY KEY (one, other)
) STRICT, WITHOUT ROWID;
CREATE TABLE unrelated (
    one TEXT NOT NULL, other TEXT NOT NULL, PRIMARY KEY (one, other)
) STRICT, WITHOUT ROWID;
CREATE TABLE clusters (document_id TEXT PRIMARY KEY, cluster BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE origins (
    document_id TEXT NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
    origin_id TEXT NOT NULL, origin_start INTEGER NOT NULL, origin_end INTEGER NOT NULL,
    PRIMARY KEY (document_id, start)
) STRICT, WITHOUT ROWID;
CREATE TABLE marks (
    document_id TEXT NOT NULL, kind TEXT NOT NULL, passages INTEGER NOT NULL,
    PRIMARY KEY (document_id, kind)
) STRICT, WITHOUT ROWID;
"""

Rows = Callable[..., list[tuple[object, ...]]]
"""Runs a query with its values."""


@dataclass(frozen=True, slots=True)
class Link:
    """Two Documents, by ascending id, and what part of the shorter the other holds."""

    one: str
    other: str
    containment: float


@dataclass(frozen=True, slots=True)
class Origin:
    """The sentence at ``span`` of a Document stood before at ``origin_span`` of another."""

    document_id: str
    span: Span
    origin_id: str
    origin_span: Span


@dataclass(frozen=True, slots=True)
class Lineage:
    """All of it for one snapshot."""

    arrivals: Mapping[tuple[str, bytes], int] = field(default_factory=dict)
    """By document id and version; of every version that ever came, and lower is earlier."""
    sketches: Mapping[bytes, bytes] = field(default_factory=dict)
    """What a text's shingles are compared by, under its version."""
    links: tuple[Link, ...] = ()
    unrelated: frozenset[tuple[str, str]] = frozenset()
    """Pairs by ascending id that the Datanet's owner ruled to be no copies of each other."""
    clusters: Mapping[str, bytes] = field(default_factory=dict)
    """A cluster's key, which names all that its origins follow from, by document id."""
    origins: tuple[Origin, ...] = ()
    marks: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """How many passages were marked, by document id and kind."""


@dataclass(frozen=True, slots=True)
class Flags:
    """What of a Document its owner may want to look at: how many others share much text with it,
    how many of its sentences stood first in others, and the kinds of marked passages."""

    near_duplicates: int = 0
    sentences_of_others: int = 0
    marks: Mapping[str, int] = field(default_factory=dict)


LINKED = 0.3
"""Containment from which two Documents are near-duplicates; below it they only share a passage.
Over Ethereum's 1,166 proposals, copies with 30 % of their words swapped lie at 0.41 to 0.6, and of
random pairs 0.1 % above 0.07."""

FLAGGED = f"""
SELECT one FROM links WHERE containment >= {LINKED}
UNION SELECT other FROM links WHERE containment >= {LINKED}
UNION SELECT document_id FROM origins UNION SELECT document_id FROM marks
"""  # nosec B608: a number of ours
"""The ids of the Documents with any of :class:`Flags`."""


def pair(one: str, other: str) -> tuple[str, str]:
    """Two ids in the order in which pairs are kept."""
    return (one, other) if one < other else (other, one)


def inserts(lineage: Lineage) -> Iterable[tuple[str, list[tuple[object, ...]]]]:
    """Table names with the rows to put into them."""
    yield "arrivals", [(*key, number) for key, number in sorted(lineage.arrivals.items())]
    yield "sketches", sorted(lineage.sketches.items())
    yield "links", [(link.one, link.other, link.containment) for link in lineage.links]
    yield "unrelated", sorted(lineage.unrelated)
    yield "clusters", sorted(lineage.clusters.items())
    yield (
        "origins",
        [
            (o.document_id, o.span.start, o.span.end,
             o.origin_id, o.origin_span.start, o.origin_span.end)
            for o in lineage.origins
        ],
    )  # fmt: skip
    yield (
        "marks",
        [
            (document_id, kind, passages)
            for document_id, kinds in sorted(lineage.marks.items())
            for kind, passages in sorted(kinds.items())
        ],
    )


def read_lineage(rows: Rows) -> Lineage:
    """The Lineage that a catalogue holds."""
    marks: dict[str, dict[str, int]] = {}
    for document_id, kind, passages in rows("SELECT * FROM marks"):
        marks.setdefault(str(document_id), {})[str(kind)] = _int(passages)
    return Lineage(
        arrivals={
            (str(document_id), _bytes(version)): _int(number)
            for document_id, version, number in rows("SELECT * FROM arrivals")
        },
        sketches={_bytes(v): _bytes(sketch) for v, sketch in rows("SELECT * FROM sketches")},
        links=read_links(rows),
        unrelated=frozenset((str(a), str(b)) for a, b in rows("SELECT * FROM unrelated")),
        clusters={str(d): _bytes(cluster) for d, cluster in rows("SELECT * FROM clusters")},
        origins=tuple(_origin(row) for row in rows("SELECT * FROM origins")),
        marks=marks,
    )


def read_links(rows: Rows) -> tuple[Link, ...]:
    """All pairs of near-duplicates."""
    return tuple(
        Link(str(one), str(other), float(str(containment)))
        for one, other, containment in rows("SELECT * FROM links")
    )


def read_flags(rows: Rows, document_ids: Sequence[str]) -> dict[str, Flags]:
    """What is known of these Documents, by id."""
    marks = ",".join("?" * len(document_ids))
    near: Counter[str] = Counter()
    for end in ("one", "other"):
        near.update(
            _counts(
                rows(
                    f"SELECT {end}, count(*) FROM links WHERE containment >= ? "  # nosec B608
                    f"AND {end} IN ({marks}) GROUP BY {end}",
                    LINKED,
                    *document_ids,
                )
            )
        )
    moved = _counts(
        rows(
            "SELECT document_id, count(*) FROM origins "
            f"WHERE document_id IN ({marks}) GROUP BY document_id",  # nosec B608
            *document_ids,
        )
    )
    marked: dict[str, dict[str, int]] = {}
    for document_id, kind, passages in rows(
        f"SELECT document_id, kind, passages FROM marks WHERE document_id IN ({marks})",  # nosec B608
        *document_ids,
    ):
        marked.setdefault(str(document_id), {})[str(kind)] = _int(passages)
    return {one: Flags(near[one], moved.get(one, 0), marked.get(one, {})) for one in document_ids}


def _counts(found: list[tuple[object, ...]]) -> dict[str, int]:
    return {str(name): _int(count) for name, count in found}


def read_origins(rows: Rows, document_id: str, span: Span) -> list[Origin]:
    """What is known of the sentences that ``span`` touches, in their order, each followed to where
    it stood before all others."""
    found = rows(
        'SELECT * FROM origins WHERE document_id = ? AND start < ? AND "end" > ? ORDER BY start',
        document_id,
        span.end,
        span.start,
    )
    return [_followed(rows, _origin(row)) for row in found]


def _followed(rows: Rows, origin: Origin) -> Origin:
    """Each step leads to an earlier arrival, so that this ends."""
    place = origin.origin_id, origin.origin_span.start, origin.origin_span.end
    while before := rows(
        'SELECT * FROM origins WHERE document_id = ? AND start = ? AND "end" = ?', *place
    ):
        last = _origin(before[0])
        origin = replace(origin, origin_id=last.origin_id, origin_span=last.origin_span)
        place = origin.origin_id, origin.origin_span.start, origin.origin_span.end
    return origin


def _origin(row: tuple[object, ...]) -> Origin:
    document_id, start, end, origin_id, origin_start, origin_end = row
    return Origin(
        str(document_id),
        Span(_int(start), _int(end)),
        str(origin_id),
        Span(_int(origin_start), _int(origin_end)),
    )


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def _bytes(value: object) -> bytes:
    assert isinstance(value, bytes)
    return value
