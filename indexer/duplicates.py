"""Which Documents share so much text that one may be a copy of the other.

Texts are compared by their shingles: eight letters in a row, however they are
written. A fixed
quarter of all possible shingles is kept (by hash, so that every text keeps the same ones), and
what part of the shorter text's shingles the other holds is estimated from those. Containment
rather than resemblance, so that a part of a Document and a Document around another are found too.

What very many Documents say is boilerplate and no evidence. It is counted in voices and not in
Documents: fifty copies of a text are one voice, and do not make its words common.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.letters import letters
from rag.lineage import Link, pair

SHINGLE = 8
KEPT_OF = 4
"""One shingle in so many is kept."""
LINKED = 0.3
"""Containment from which two Documents are linked. Over Ethereum's 1,166 proposals, copies with
30 % of their words swapped lie at 0.41 to 0.6, and of random pairs 0.1 % above 0.07."""
MIN_SHARED = 4
"""Kept shingles that two Documents must share: a few words in a row, whatever their lengths."""
ONE_VOICE = 0.45
"""Containment from which Documents count as one where boilerplate is counted."""
COMMON_CLUSTERS, COMMON_PART = 8, 0.01
"""A shingle is boilerplate in more clusters than the first, and than this part of all."""
_WHOLE = 0.8
"""Part of a sentence's shingles that a cluster must hold to count as saying it."""
_HUBS = 4
"""A shingle is evidence between its first so many holders and each later one, so that work grows
with the length of the texts and not with the square of what repeats."""

RECIPE: Mapping[str, Any] = {
    "name": "shingles-1", "shingle": SHINGLE, "kept_of": KEPT_OF, "linked": str(LINKED),
    "one_voice": str(ONE_VOICE),
    "min_shared": MIN_SHARED, "common_clusters": COMMON_CLUSTERS, "common_part": str(COMMON_PART),
}  # fmt: skip

Shingles = NDArray[np.uint32]


def sketch(text: str) -> Shingles:
    """The kept shingles of ``text`` by hash, ascending, each once."""
    codes = np.frombuffer(letters(text).encode("utf-32-le"), "<u4").astype(np.uint64)
    count = len(codes) - SHINGLE + 1
    if count <= 0:
        return np.zeros(0, np.uint32)
    hashes = np.full(count, 0xCBF29CE484222325, np.uint64)
    for i in range(SHINGLE):
        hashes = (hashes ^ codes[i : i + count]) * np.uint64(0x100000001B3)
    for shift, factor in ((32, 0xD6E8FEB86659FD93), (32, 0xD6E8FEB86659FD93)):
        hashes = (hashes ^ (hashes >> np.uint64(shift))) * np.uint64(factor)
    kept = hashes[hashes % np.uint64(KEPT_OF) == 0]
    return np.unique((kept >> np.uint64(32)).astype(np.uint32))


class Boilerplate:
    """What is said in so many clusters that it tells nothing of where it comes from."""

    def __init__(self, hashes: Shingles, clusters: NDArray[np.int64]) -> None:
        """Which cluster holds which shingle, by ascending ``hashes``."""
        self._hashes = hashes
        self._clusters = clusters
        self._limit = max(COMMON_CLUSTERS, COMMON_PART * len(np.unique(clusters)))

    def shingles(self) -> Shingles:
        """Those that are boilerplate by themselves."""
        voices = np.unique(np.stack([self._hashes.astype(np.int64), self._clusters]), axis=1)[0]
        found, times = np.unique(voices, return_counts=True)
        return found[times > self._limit].astype(np.uint32)

    def holds(self, text: str) -> bool:
        """Whether a sentence as a whole is."""
        kept = sketch(text)
        first = np.searchsorted(self._hashes, kept, "left")
        last = np.searchsorted(self._hashes, kept, "right")
        wanted = _WHOLE * len(kept)
        if len(kept) == 0 or (last - first > self._limit).sum() < wanted:
            return False
        holders = np.concatenate(
            [np.unique(self._clusters[a:b]) for a, b in zip(first, last, strict=True)]
        )
        return bool((np.unique(holders, return_counts=True)[1] >= wanted).sum() > self._limit)


def find_links(
    sketches: Sequence[tuple[str, Shingles]], unrelated: Iterable[tuple[str, str]]
) -> tuple[list[Link], Boilerplate]:
    """The Links among Documents, given as id and sketch in their order of arrival, and what is
    boilerplate among them."""
    names = [name for name, _ in sketches]
    hashes = np.concatenate([np.zeros(0, np.uint32), *(one for _, one in sketches)])
    owners = np.repeat(np.arange(len(names)), [len(one) for _, one in sketches])
    order = np.lexsort((owners, hashes))
    hashes, owners = hashes[order], owners[order]
    first = _linked(hashes, owners, len(names))
    clusters = _labels(
        len(names), [(a, b) for a, b, containment in first if containment >= ONE_VOICE]
    )
    boilerplate = Boilerplate(hashes, clusters[owners])
    telling = ~np.isin(hashes, boilerplate.shingles())
    kept = {pair(*one) for one in unrelated}
    links = (
        Link(*pair(names[a], names[b]), round(containment, 4))
        for a, b, containment in _linked(hashes[telling], owners[telling], len(names))
    )
    return sorted(
        (link for link in links if (link.one, link.other) not in kept),
        key=lambda link: (link.one, link.other),
    ), boilerplate


def _linked(
    hashes: Shingles, owners: NDArray[np.int64], count: int
) -> list[tuple[int, int, float]]:
    """Pairs of owners with their containment, from shingles sorted by hash, then owner."""
    sizes = np.bincount(owners, minlength=count)
    starts = np.flatnonzero(np.r_[True, hashes[1:] != hashes[:-1]]) if len(hashes) else owners
    start_of = np.repeat(starts, np.diff(np.r_[starts, len(hashes)]))
    place = np.arange(len(hashes)) - start_of
    pairs = [
        owners[start_of[later] + hub] * count + owners[later]
        for hub in range(_HUBS)
        if len(later := np.flatnonzero(place > hub))
    ]
    if not pairs:
        return []
    both, shared = np.unique(np.concatenate(pairs), return_counts=True)
    a, b = np.divmod(both, count)
    containment = shared / np.minimum(sizes[a], sizes[b])
    found = (containment >= LINKED) & (shared >= MIN_SHARED)
    return list(zip(a[found].tolist(), b[found].tolist(), containment[found].tolist(), strict=True))


def _labels(count: int, pairs: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
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


def clusters_of(links: Iterable[Link]) -> list[list[str]]:
    """The ids that links connect, each cluster by id."""
    links = list(links)
    names = sorted({name for link in links for name in (link.one, link.other)})
    number = {name: i for i, name in enumerate(names)}
    labels = _labels(len(names), [(number[link.one], number[link.other]) for link in links])
    found: dict[int, list[str]] = {}
    for name, label in zip(names, labels.tolist(), strict=True):
        found.setdefault(label, []).append(name)
    return list(found.values())
