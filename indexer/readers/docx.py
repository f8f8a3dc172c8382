"""Word documents to text: paragraphs and tables in their order. The door of python-docx."""

from __future__ import annotations

import io
from typing import Any
from zipfile import BadZipFile, ZipFile

from docx import Document as open_docx
from docx.table import Table

from indexer.readers.plain import stem
from indexer.readers.submission import Submission

_MAX_UNPACKED_BYTES = 100_000_000


def read(name: str, data: bytes) -> Submission:
    """Raises ValueError for a damaged file and for one that unpacks beyond 100 MB."""
    try:
        with ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MAX_UNPACKED_BYTES:
                raise ValueError("a Word document that unpacks beyond 100 MB")
    except (BadZipFile, NotImplementedError) as error:
        raise ValueError("a damaged Word document") from error
    try:
        title, text = _read(open_docx(io.BytesIO(data)))
    except Exception as error:  # python-docx lets through what zipfile, lxml and zlib raise
        raise ValueError("a damaged Word document") from error
    return Submission(name, text, {}, title or stem(name))


def _read(document: Any) -> tuple[str, str]:
    """Title and text."""
    parts = []
    for item in document.iter_inner_content():
        if isinstance(item, Table):
            parts.append(
                "\n".join(
                    " | ".join(c.text for c in {id(cell._tc): cell for cell in row.cells}.values())
                    for row in item.rows
                )
            )
        else:
            parts.append(item.text)
    title = (document.core_properties.title or "").strip()
    return title, "\n\n".join(part for part in parts if part.strip())
