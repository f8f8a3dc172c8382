"""Word documents to text: paragraphs and tables in their order. The door of python-docx."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from docx import Document as open_docx
from docx.opc.part import XmlPart
from docx.oxml.ns import qn
from docx.table import Table

from indexer.readers.archive import check_archive
from indexer.readers.colours import WHITE, Colour, is_seen, read_colour
from indexer.readers.plain import stem
from indexer.readers.submission import Submission

_SMALLEST_HALF_POINTS = 3
"""A font of a point and a half, which nobody reads, in Word's unit."""


class _Refused(ValueError):
    """Its reason says more than that something is damaged."""


def read(name: str, data: bytes) -> Submission:
    """The text that a person sees; runs that are hidden, tiny or as good as white are left out and
    counted.

    Raises ValueError for a damaged file and for one that is not safe to unpack."""
    check_archive(data, "Word document")
    try:
        document = open_docx(io.BytesIO(data))
        _check_declarations(document)
        hidden = _take_hidden(document)
        title, text = _read(document)
    except (_Refused, MemoryError):
        raise
    except Exception as error:  # python-docx lets through what zipfile, lxml and zlib raise
        raise ValueError("a damaged Word document") from error
    return Submission(name, text, {}, title or stem(name), hidden)


def _check_declarations(document: Any) -> None:
    """No document type in any part: Word writes none. The parser unfolds no entity and fetches
    nothing, whatever is declared."""
    for part in document.part.package.iter_parts():
        if isinstance(part, XmlPart) and part.element.getroottree().docinfo.doctype:
            raise _Refused("a Word document that declares entities")


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


def _take_hidden(document: Any) -> int:
    """Remove the runs that nobody sees; returns how many passages of text they were."""
    styles = {
        style.get(qn("w:styleId")): style for style in _below(document.styles.element, "style")
    }
    defaults = [*_below(document.styles.element, "docDefaults")]
    page = document.element.find(qn("w:background"))
    paper = _colour(page.get(qn("w:color")) if page is not None else None) or WHITE
    unseen = []
    passages = 0
    for paragraph in _below(document.element.body, "p"):
        last_hidden = False
        for run in paragraph.iter(qn("w:r")):
            words = "".join(text.text or "" for text in _below(run, "t"))
            if not words.strip():
                continue
            hidden = _is_hidden(run, paragraph, styles, defaults, paper)
            passages += hidden and not last_hidden
            last_hidden = hidden
            if hidden:
                unseen.append(run)
    for run in unseen:
        run.getparent().remove(run)
    return passages


def _is_hidden(
    run: Any, paragraph: Any, styles: dict[str, Any], defaults: list[Any], paper: Colour
) -> bool:
    sources = [
        run,
        *_styles(run, "rStyle", styles),
        *_styles(paragraph, "pStyle", styles),
        *defaults,
    ]
    said: dict[str, Any] = {}
    for source in sources:  # what stands nearer to the words wins
        own = source.find(qn("w:rPr"))
        for properties in [own] if own is not None else source.findall(f"*/{qn('w:rPr')}")[:1]:
            for child in properties if source is not run or own is not None else ():
                said.setdefault(child.tag, child)
    if any(_is_on(said.get(qn(f"w:{name}"))) for name in ("vanish", "webHidden", "specVanish")):
        return True
    size = _value(said.get(qn("w:sz")))
    if size and size.isdecimal() and int(size) < _SMALLEST_HALF_POINTS:
        return True
    ink = _colour(_value(said.get(qn("w:color"))))
    if ink is None:
        return False
    return not is_seen(ink, _grounds(paragraph, said, styles) or [paper])


def _grounds(paragraph: Any, said: dict[str, Any], styles: dict[str, Any]) -> list[Colour]:
    """The colours that may lie behind a run: its marker, else the shading of run, paragraph, cell
    or table, else all that the table's style has, which shades some of its rows."""
    marker = _value(said.get(qn("w:highlight")))
    if marker and marker != "none" and (colour := read_colour(marker.lower())):
        return [colour]
    shadings = [said.get(qn("w:shd"))]
    element = paragraph
    while element is not None:
        shadings += [
            properties.find(qn("w:shd"))
            for name in ("pPr", "tcPr", "tblPr")
            if (properties := element.find(qn(f"w:{name}"))) is not None
        ]
        element = element.getparent()
    for shading in shadings:
        if shading is not None and (colour := _colour(shading.get(qn("w:fill")))):
            return [colour]
    tables = [above for above in paragraph.iterancestors() if above.tag == qn("w:tbl")]
    return [
        colour
        for table in tables
        for style in _styles(table, "tblStyle", styles)
        for shading in _below(style, "shd")
        if (colour := _colour(shading.get(qn("w:fill"))))
    ]


def _styles(element: Any, kind: str, styles: dict[str, Any]) -> Iterator[Any]:
    """The style that an element names, and those it is based on."""
    named = next(_below(element, kind), None)
    name, seen = _value(named), set[str]()
    while name in styles and name not in seen:
        seen.add(name)
        yield styles[name]
        name = _value(styles[name].find(qn("w:basedOn")))


def _below(element: Any, name: str) -> Iterator[Any]:
    found: Iterator[Any] = element.iter(qn(f"w:{name}"))
    return found


def _value(element: Any) -> str:
    return str(element.get(qn("w:val")) or "") if element is not None else ""


def _is_on(element: Any) -> bool:
    return element is not None and _value(element).lower() not in ("0", "false", "off")


def _colour(value: str | None) -> Colour | None:
    """Six digits; None for ``auto``, which Word turns into what can be read."""
    return read_colour(f"#{value.lower()}") if value and len(value) == 6 else None
