"""PDF to its text layer. The door of pypdf."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from typing import Any

from pypdf import PageObject, PdfReader
from pypdf.errors import DependencyError, LimitReachedError

from indexer.readers.ink import Ink
from indexer.readers.plain import stem
from indexer.readers.submission import Submission

logging.getLogger("pypdf").setLevel(logging.ERROR)

_INVISIBLE = (3, 7)
"""Text render modes that paint nothing."""
_SMALLEST = 1.0
"""Points of a font that a person can still see."""
MAX_PAGES = 20_000


class _Refused(ValueError):
    """Its reason tells what to do."""


def read(name: str, data: bytes) -> Submission:
    """The text of all pages, one after another, a blank line between them; what is drawn invisibly,
    outside its page or in no size is left out and counted.

    Raises:
        ValueError: for an encrypted or damaged file, a scan without text, and too many pages.
    """
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise _Refused("an encrypted PDF; save it without a password")
        if len(reader.pages) > MAX_PAGES:
            raise _Refused(f"a PDF of over {MAX_PAGES:,} pages; split it")
        read_pages = [_read_page(page) for page in reader.pages]
        title = (reader.metadata.title or "").strip() if reader.metadata else ""
    except (_Refused, MemoryError):
        raise
    except DependencyError as error:  # a cipher that pypdf leaves to another library
        raise ValueError("an encrypted PDF; save it without a password") from error
    except LimitReachedError as error:
        raise ValueError("a PDF that unpacks to more than a document holds") from error
    except Exception as error:  # pypdf lets through what its decoders raise
        raise ValueError("a damaged PDF") from error
    text = "\n\n".join(page for page, _ in read_pages if page)
    if not text:
        raise ValueError("a PDF without text, such as a scan; run text recognition first")
    return Submission(name, text, {}, title or stem(name), sum(hidden for _, hidden in read_pages))


def _read_page(page: PageObject) -> tuple[str, int]:
    """The visible text of a page, and how many passages were hidden.

    A page whose whole text is invisible is a scan with recognised text beneath: that is its text.
    """
    sieve = _Sieve(page)
    text = page.extract_text(visitor_operand_before=sieve.operand, visitor_text=sieve.text).strip()
    visible = "".join(sieve.visible).strip()
    if visible or not sieve.hidden:
        return (visible, sieve.hidden) if sieve.hidden else (text, 0)
    # What a scan has recognised is drawn in no ink at all; words in white are no scan.
    return (text, 0) if not sieve.inkless else ("", sieve.hidden)


class _Sieve:
    """Tells the pieces of text that a page shows from those that it does not."""

    def __init__(self, page: PageObject) -> None:
        self.visible: list[str] = []
        self.hidden = 0
        self.inkless = False
        """Whether any of it is hidden by its colour."""
        self._mode = 0
        self._modes: list[int] = []
        self._shown_mode = 0
        self._ink = Ink(_resources(page))
        self._unseen: list[bool] = []
        self._last_hidden = False
        box = page.mediabox
        self._box = (float(box.left), float(box.bottom), float(box.right), float(box.top))

    def operand(self, operator: bytes, operands: Any, cm: Any, tm: Any) -> None:
        self._ink.operand(operator, operands, cm)
        if operator == b"Tr" and operands:
            self._mode = int(operands[0])
        elif operator == b"q":
            self._modes.append(self._mode)
        elif operator == b"Q" and self._modes:
            self._mode = self._modes.pop()
        elif operator in (b"Tj", b"TJ", b"'", b'"'):
            self._shown_mode = self._mode
            self._unseen.append(self._ink.hides(*_place(cm, tm)))

    def text(self, text: str, cm: Any, tm: Any, font: Any, size: float) -> None:
        if not text.strip():
            self.visible.append(text)
            return
        in_no_ink = bool(self._unseen) and all(self._unseen)
        self._unseen = []
        self.inkless |= in_no_ink
        hidden = in_no_ink or self._shown_mode in _INVISIBLE or self._is_unseen(cm, tm, size)
        if not hidden:
            self.visible.append(text)
        elif not self._last_hidden:
            self.hidden += 1
        self._last_hidden = hidden

    def _is_unseen(self, cm: Any, tm: Any, size: float) -> bool:
        left, bottom, right, top = self._box
        x, y = _place(cm, tm)
        scale = max(abs(tm[0]) + abs(tm[1]), abs(tm[2]) + abs(tm[3]))
        scale *= max(abs(cm[0]) + abs(cm[1]), abs(cm[2]) + abs(cm[3]))
        outside = not (left - 1 <= x <= right + 1 and bottom - 1 <= y <= top + 1)
        return outside or abs(size) * scale < _SMALLEST


def _place(cm: Any, tm: Any) -> tuple[float, float]:
    """Where text under two matrices begins on its page."""
    return tm[4] * cm[0] + tm[5] * cm[2] + cm[4], tm[4] * cm[1] + tm[5] * cm[3] + cm[5]


def _resources(page: PageObject) -> Mapping[str, Any]:
    found = page["/Resources"].get_object() if "/Resources" in page else None
    return found if isinstance(found, Mapping) else {}
