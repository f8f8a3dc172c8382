"""Documents, chunks and texts in SQLite. The one module of ``rag`` that imports it.

Two stores. A *catalogue* belongs to one snapshot and is immutable: documents with contributors, and
chunks as spans. The *texts* of a Datanet are kept under their SHA-256 and outlive snapshots, so
that a citation still resolves after its document changed or went; every read is hashed again.
"""

from __future__ import annotations

import errno
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from footnote.addresses import Address
from footnote.errors import Broken, NotFound, StorageFull, Unavailable
from footnote.ids import sha256, version_of
from footnote.model import Chunk, Contributor, Document, Span
from rag.index import lineage
from rag.index.lineage import Lineage, Origin
from rag.index.recent import Recent
from rag.text.sentences import open_fence

RECENT_CODE_POINTS = 16_000_000
"""How much checked text stays in memory, for each of the texts of Datanets that are open."""

_CATALOGUE = """
CREATE TABLE documents (
    document_id TEXT PRIMARY KEY, version BLOB NOT NULL, title TEXT NOT NULL, url TEXT,
    license TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE contributors (
    document_id TEXT NOT NULL, position INTEGER NOT NULL, address BLOB NOT NULL, name TEXT,
    share_bps INTEGER NOT NULL, PRIMARY KEY (document_id, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE chunks (
    chunk_id INTEGER PRIMARY KEY, document_id TEXT NOT NULL, start INTEGER NOT NULL,
    "end" INTEGER NOT NULL, text_sha256 BLOB NOT NULL
) STRICT;
CREATE INDEX chunks_of_document ON chunks (document_id);
"""

_TEXTS = "CREATE TABLE IF NOT EXISTS texts (version BLOB PRIMARY KEY, text BLOB NOT NULL) STRICT"


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise StorageFull(f"no room to write {path.name}", "free some disk space") from error
        if isinstance(error, sqlite3.OperationalError):
            raise Unavailable(f"{path.name} cannot be used now", f"try again ({error})") from error
        raise Broken(
            f"{path.name} is damaged", "run footnote rebuild", code="index-corrupt"
        ) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StorageFull(f"no room to write {path.name}", "free some disk space") from error
        raise


class _Database:
    """One SQLite file, with a connection for each thread that uses it."""

    def __init__(self, path: Path, uri: str) -> None:
        self._path = path
        self._uri = uri
        self._local = threading.local()

    def connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            with _translated(self._path):
                connection = sqlite3.connect(self._uri, uri=True, timeout=30)
            self._local.connection = connection
        return connection

    def rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        with _translated(self._path):
            return self.connection().execute(sql, values).fetchall()


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """Where a chunk lies, and the SHA-256 of its text, under which its vector is cached."""

    chunk_id: int
    document_id: str
    span: Span
    text_sha256: bytes


class Catalogue:
    """The documents and chunks of one snapshot, read only."""

    def __init__(self, path: Path) -> None:
        self._database = _Database(path, f"{path.absolute().as_uri()}?mode=ro&immutable=1")

    @staticmethod
    def write(
        path: Path,
        documents: Iterable[Document],
        chunks: Iterable[ChunkRow],
        ancestry: Lineage | None = None,
    ) -> None:
        """Create the file."""
        with _translated(path):
            connection = sqlite3.connect(path)
            try:
                connection.executescript(_CATALOGUE + lineage.SCHEMA)
                for document in documents:
                    connection.execute(
                        "INSERT INTO documents VALUES (?,?,?,?,?)",
                        (document.document_id, document.version, document.title, document.url,
                         document.license),
                    )  # fmt: skip
                    connection.executemany(
                        "INSERT INTO contributors VALUES (?,?,?,?,?)",
                        [
                            (document.document_id, i, c.address, c.name, c.share_bps)
                            for i, c in enumerate(document.contributors)
                        ],
                    )
                connection.executemany(
                    "INSERT INTO chunks VALUES (?,?,?,?,?)",
                    (
                        (c.chunk_id, c.document_id, c.span.start, c.span.end, c.text_sha256)
                        for c in chunks
                    ),
                )
                for table, rows in lineage.inserts(ancestry or Lineage()):
                    if rows:
                        marks = ",".join("?" * len(rows[0]))
                        insert = f"INSERT INTO {table} VALUES ({marks})"  # nosec B608: our names
                        connection.executemany(insert, rows)
                connection.commit()
            finally:
                connection.close()

    def documents(self) -> Iterator[Document]:
        """All documents by id."""
        shares: dict[str, list[Contributor]] = {}
        for document_id, address, name, bps in self._database.rows(
            "SELECT document_id, address, name, share_bps FROM contributors "
            "ORDER BY document_id, position"
        ):
            shares.setdefault(str(document_id), []).append(_contributor(address, name, bps))
        for row in self._database.rows("SELECT * FROM documents ORDER BY document_id"):
            yield _document(row, tuple(shares.get(str(row[0]), ())))

    def page(self, held: str, after: str, limit: int, *, flagged: bool = False) -> list[Document]:
        """Up to ``limit`` documents by id, from behind the id ``after``, whose id or title holds
        ``held``, in any case of ASCII; without contributors. No other is read."""
        if flagged and not self.has_lineage:
            return []
        among = f"AND document_id IN ({lineage.FLAGGED})" if flagged else ""
        pattern = "%" + re.sub(r"([%_!])", r"!\1", held) + "%"
        rows = self._database.rows(
            "SELECT * FROM documents WHERE document_id > ? AND (title LIKE ? ESCAPE '!' "
            f"OR document_id LIKE ? ESCAPE '!') {among} "  # nosec B608: our own text
            "ORDER BY document_id LIMIT ?",
            after, pattern, pattern, limit,
        )  # fmt: skip
        return [_document(row, ()) for row in rows]

    def flags(self, document_ids: Sequence[str]) -> dict[str, lineage.Flags]:
        """What the owner may want to look at; nothing where the catalogue does not say."""
        if not self.has_lineage:
            return {one: lineage.Flags() for one in document_ids}
        return lineage.read_flags(self._database.rows, document_ids)

    def versions(self, document: Document) -> list[bytes]:
        """The versions that the document ever had, as far as is known: the one of now, then the
        others by their arrival, the newest first."""
        now = document.version
        if not self.has_lineage:
            return [now]
        rows = self._database.rows(
            "SELECT version FROM arrivals WHERE document_id = ? ORDER BY number DESC",
            document.document_id,
        )
        return [now, *(_bytes(version) for (version,) in rows if version != now)]

    def contributors(self) -> dict[Address, tuple[str | None, int]]:
        """Every contributor's name, if one is known, and the number of documents. Of several names
        it is the one of the largest shares: whoever names another for a basis point names nobody.
        """
        found: dict[Address, tuple[str | None, int]] = {}
        for address, name, documents in self._database.rows(
            "SELECT address, name, count(DISTINCT document_id) FROM contributors "
            "GROUP BY address, name ORDER BY sum(share_bps), name DESC"
        ):
            account = Address(_bytes(address))
            before, count = found.get(account, (None, 0))
            found[account] = (before if name is None else str(name), count + _int(documents))
        return found

    def document(self, document_id: str) -> Document:
        """The document of that id; NotFound where there is none."""
        rows = self._database.rows("SELECT * FROM documents WHERE document_id = ?", document_id)
        if not rows:
            raise NotFound("no such document", "list them with footnote show")
        shares = self._database.rows(
            "SELECT address, name, share_bps FROM contributors WHERE document_id = ? "
            "ORDER BY position",
            document_id,
        )
        return _document(rows[0], tuple(_contributor(*share) for share in shares))

    def chunks(self) -> Iterator[ChunkRow]:
        """All chunks by id."""
        for i, document_id, start, end, text_sha256 in self._database.rows(
            "SELECT * FROM chunks ORDER BY chunk_id"
        ):
            assert isinstance(text_sha256, bytes)
            yield ChunkRow(_int(i), str(document_id), Span(_int(start), _int(end)), text_sha256)

    def chunks_within(self, document_id: str, span: Span) -> list[tuple[int, Span]]:
        """Ids and spans of the document's chunks that ``span`` touches, in their order."""
        return [
            (_int(i), Span(_int(start), _int(end)))
            for i, start, end in self._database.rows(
                'SELECT chunk_id, start, "end" FROM chunks '
                'WHERE document_id = ? AND start < ? AND "end" > ? ORDER BY start, chunk_id',
                document_id,
                span.end,
                span.start,
            )
        ]

    @cached_property
    def has_lineage(self) -> bool:
        """Whether the snapshot was written by a version that keeps one."""
        return bool(self._database.rows("SELECT 1 FROM sqlite_master WHERE name = ?", "origins"))

    def lineage(self) -> Lineage:
        """Who said what first. In a catalogue that does not say, Documents arrived in the order in
        which their chunks were numbered."""
        if self.has_lineage:
            return lineage.read_lineage(self._database.rows)
        return Lineage(
            arrivals={
                (str(document_id), _bytes(version)): number
                for number, (document_id, version) in enumerate(
                    self._database.rows(
                        "SELECT document_id, version FROM documents JOIN chunks "
                        "USING (document_id) GROUP BY document_id ORDER BY min(chunk_id)"
                    ),
                    start=1,
                )
            }
        )

    def origins(self, document_id: str, span: Span) -> list[Origin]:
        """Where the sentences stood first that ``span`` touches, in their order."""
        if not self.has_lineage:
            return []
        return lineage.read_origins(self._database.rows, document_id, span)

    def spans_of(self, chunk_ids: Sequence[int]) -> dict[int, tuple[str, Span]]:
        """Document id and span by chunk id; an unknown id is Broken, since an index named it."""
        marks = ",".join("?" * len(chunk_ids))
        found = {
            _int(i): (str(document_id), Span(_int(start), _int(end)))
            for i, document_id, start, end in self._database.rows(
                'SELECT chunk_id, document_id, start, "end" FROM chunks '
                f"WHERE chunk_id IN ({marks})",  # nosec B608: question marks alone
                *chunk_ids,
            )
        }
        if len(found) != len(set(chunk_ids)):
            raise Broken(
                "an index names a chunk that the catalogue lacks",
                "run footnote rebuild",
                code="index-corrupt",
            )
        return found


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def _bytes(value: object) -> bytes:
    assert isinstance(value, bytes)
    return value


def _contributor(address: object, name: object, share_bps: object) -> Contributor:
    assert isinstance(address, bytes)
    return Contributor(Address(address), _int(share_bps), None if name is None else str(name))


def _document(row: tuple[object, ...], contributors: tuple[Contributor, ...]) -> Document:
    document_id, version, title, url, license_ = row
    assert isinstance(version, bytes)
    return Document(
        str(document_id), version, str(title), None if url is None else str(url), str(license_),
        contributors,
    )  # fmt: skip


class Texts:
    """The texts of a Datanet by version, append only and durable.

    The last that were read, and found to match their hash, are kept in memory.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = _Database(path, path.absolute().as_uri())
        self._recent: Recent[bytes, str] = Recent(RECENT_CODE_POINTS)
        if not path.exists():
            with _translated(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                connection = self._database.connection()
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(_TEXTS)
                connection.commit()

    def put(self, texts: Iterable[str]) -> None:
        """Keep ``texts``; durable when this returns."""
        with _translated(self._path):
            connection = self._database.connection()
            connection.execute("PRAGMA synchronous = FULL")
            with connection:
                connection.execute(_TEXTS)  # a run killed while it made the file left none
                connection.executemany(
                    "INSERT OR IGNORE INTO texts VALUES (?,?)",
                    ((version_of(text), text.encode("utf-8")) for text in texts),
                )

    def get(self, version: bytes) -> str:
        """The text of that version.

        Raises:
            NotFound: no such version was ever stored.
            Broken: the stored bytes no longer hash to it.
        """
        recent = self._recent.get(version)
        if recent is not None:
            return recent
        rows = self._database.rows("SELECT text FROM texts WHERE version = ?", version)
        if not rows:
            raise NotFound("no text of that version", "check the hash")
        stored = rows[0][0]
        assert isinstance(stored, bytes)
        if sha256(stored) != version:
            raise Broken(
                "a stored text no longer matches its hash",
                "restore texts.sqlite from a backup",
                code="text-corrupt",
            )
        text = stored.decode("utf-8")
        self._recent.put(version, text, len(text))
        return text


def chunk_of(chunk_id: int, document: Document, span: Span, text: str) -> Chunk:
    """The chunk that ``span`` cuts out of its document's whole ``text``."""
    return Chunk(chunk_id, document, span, span.of(text), open_fence(text, span.start))
