"""PDF to its text layer. The door of pypdf."""

from __future__ import annotations

import io
import logging

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from indexer.readers.submission import Submission

logging.getLogger("pypdf").setLevel(logging.ERROR)


def read(name: str, data: bytes) -> Submission:
    """The text of all pages, one after another, a blank line between them.

    Raises:
        ValueError: for an encrypted or damaged file, and for a scan without text.
    """
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise ValueError("an encrypted PDF; save it without a password")
        pages = [page.extract_text().strip() for page in reader.pages]
        title = (reader.metadata.title or "").strip() if reader.metadata else ""
    except (PyPdfError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise ValueError("a damaged PDF") from error
    text = "\n\n".join(page for page in pages if page)
    if not text:
        raise ValueError("a PDF without text, such as a scan; run text recognition first")
    return Submission(name, text, {"title": title or name.rsplit("/", 1)[-1].rsplit(".", 1)[0]})
