"""PDF to its text layer. The door of pypdf."""

from __future__ import annotations

import io
import logging

from pypdf import PdfReader
from pypdf.errors import DependencyError

from indexer.readers.plain import stem
from indexer.readers.submission import Submission

logging.getLogger("pypdf").setLevel(logging.ERROR)


class _Encrypted(ValueError):
    """Its reason tells what to do."""


def read(name: str, data: bytes) -> Submission:
    """The text of all pages, one after another, a blank line between them.

    Raises:
        ValueError: for an encrypted or damaged file, and for a scan without text.
    """
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise _Encrypted("an encrypted PDF; save it without a password")
        pages = [page.extract_text().strip() for page in reader.pages]
        title = (reader.metadata.title or "").strip() if reader.metadata else ""
    except _Encrypted:
        raise
    except DependencyError as error:  # a cipher that pypdf leaves to another library
        raise ValueError("an encrypted PDF; save it without a password") from error
    except Exception as error:  # pypdf lets through what its decoders raise
        raise ValueError("a damaged PDF") from error
    text = "\n\n".join(page for page in pages if page)
    if not text:
        raise ValueError("a PDF without text, such as a scan; run text recognition first")
    return Submission(name, text, {}, title or stem(name))
