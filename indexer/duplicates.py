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

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.index.clusters import labels
from rag.index.lineage import LINKED, Link, pair
from rag.text.letters import letters

SHINGLE = 8
KEPT_OF = 4
"""One shingle in so many is kept."""
MIN_SHARED = 4
"""Kept shingles that two Documents must share: a few words in a row, whatever their lengths."""
PASSAGE = 24
"""Kept shingles from which Documents share a passage, whatever their lengths: a hundred letters in
a row. Over Ethereum's proposals that is 0.4 % of all pairs."""
MOST_SHARING = 8
"""Documents that one is held to share a passage with, those with the most of it."""
ONE_VOICE = 0.45
"""Containment from which Documents count as one where boilerplate is counted."""
COMMON_CLUSTERS, COMMON_PART = 8, 0.01
"""A shingle is boilerplate in more clusters than the first, and than this part of all."""
COMMON_AUTHORS = 4
"""And from more contributors than this, or than half of all where those are few."""
_WHOLE = 0.8
"""Part of a sentence's shingles that a cluster must hold to count as saying it."""
_HUBS = 4
"""A shingle is evidence between its first so many holders and each later one, so that work grows
with the length of the texts and not with the square of what repeats."""

RECIPE: Mapping[str, Any] = {
    "name": "shingles-1", "shingle": SHINGLE, "kept_of": KEPT_OF, "linked": str(LINKED),
    "one_voice": str(ONE_VOICE),
    "min_shared": MIN_SHARED, "passage": PASSAGE, "most_sharing": MOST_SHARING,
    "common_clusters": COMMON_CLUSTERS, "common_part": str(COMMON_PART),
    "common_authors": COMMON_AUTHORS,
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
    """What is said in so many clusters, by so many people, that it tells nothing of where it comes
    from. Both count: who repeats what somebody else wrote does not make it common by that."""

    def __init__(
        self, hashes: Shingles, clusters: NDArray[np.int64], authors: NDArray[np.int64]
    ) -> None:
        """Which cluster, and whose Document, holds which shingle, by ascending ``hashes``."""
        self._hashes = hashes
        self._clusters = clusters
        self._authors = authors
        self._limit = max(COMMON_CLUSTERS, COMMON_PART * len(np.unique(clusters)))
        self._authors_limit = min(COMMON_AUTHORS, (len(np.unique(authors)) - 1) / 2)

    def shingles(self) -> Shingles:
        """Those that are boilerplate by themselves."""
        found, times = self._holders(self._clusters)
        _, authors = self._holders(self._authors)
        return found[(times > self._limit) & (authors > self._authors_limit)]

    def _holders(self, of: NDArray[np.int64]) -> tuple[Shingles, NDArray[np.int64]]:
        """Each shingle, and how many hold it."""
        pairs = np.unique(self._hashes.astype(np.uint64) << np.uint64(32) | of.astype(np.uint64))
        found, times = np.unique(pairs >> np.uint64(32), return_counts=True)
        return found.astype(np.uint32), times

    def holds(self, text: str) -> bool:
        """Whether a sentence as a whole is."""
        kept = sketch(text)
        first = np.searchsorted(self._hashes, kept, "left")
        last = np.searchsorted(self._hashes, kept, "right")
        wanted = _WHOLE * len(kept)
        if len(kept) == 0 or (last - first > self._limit).sum() < wanted:
            return False

        def whole(of: NDArray[np.int64]) -> int:
            """How many hold most of the sentence."""
            each = [np.unique(of[a:b]) for a, b in zip(first, last, strict=True)]
            times = np.unique(np.concatenate(each), return_counts=True)[1]
            return int((times >= wanted).sum())

        return whole(self._clusters) > self._limit and whole(self._authors) > self._authors_limit


def find_links(
    sketches: Sequence[tuple[str, Shingles]],
    unrelated: Iterable[tuple[str, str]],
    authors: Sequence[Hashable] = (),
) -> tuple[list[Link], Boilerplate]:
    """The Links among Documents, given as id and sketch in their order of arrival, with whose each
    is (else all are one's), and what is boilerplate among them. Those below ``LINKED`` only share a
    passage."""
    names = [name for name, _ in sketches]
    hashes = np.concatenate([np.zeros(0, np.uint32), *(one for _, one in sketches)])
    owners = np.repeat(np.arange(len(names)), [len(one) for _, one in sketches])
    order = np.lexsort((owners, hashes))
    hashes, owners = hashes[order], owners[order]
    first = [one[:3] for one in _linked(hashes, owners, len(names))]
    clusters = labels(
        len(names), [(a, b) for a, b, containment in first if containment >= ONE_VOICE]
    )
    numbers = {author: i for i, author in enumerate(dict.fromkeys(authors))}
    written = np.array([numbers[one] for one in authors] or [0] * len(names), np.int64)
    boilerplate = Boilerplate(hashes, clusters[owners], written[owners])
    telling = ~np.isin(hashes, boilerplate.shingles())
    kept = {pair(*one) for one in unrelated}
    found = [
        (Link(*pair(names[a], names[b]), round(containment, 4)), shared)
        for a, b, containment, shared in _linked(hashes[telling], owners[telling], len(names))
    ]
    links = _most_sharing(
        [(link, n) for link, n in found if pair(link.one, link.other) not in kept]
    )
    return sorted(links, key=lambda link: (link.one, link.other)), boilerplate


def _most_sharing(found: Sequence[tuple[Link, int]]) -> Iterator[Link]:
    """All near-duplicates, and of those that only share a passage the most for each Document."""
    count: Counter[str] = Counter()
    for link, _ in sorted(found, key=lambda one: (-one[1], one[0].one, one[0].other)):
        if link.containment >= LINKED:
            yield link
        elif min(count[link.one], count[link.other]) < MOST_SHARING:
            count.update((link.one, link.other))
            yield link


def _linked(
    hashes: Shingles, owners: NDArray[np.int64], count: int
) -> list[tuple[int, int, float, int]]:
    """Pairs of owners with their containment and how many shingles they share, from shingles
    sorted by hash, then owner."""
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
    found = ((containment >= LINKED) & (shared >= MIN_SHARED)) | (shared >= PASSAGE)
    columns = (a[found], b[found], containment[found], shared[found])
    return list(zip(*(column.tolist() for column in columns), strict=True))
