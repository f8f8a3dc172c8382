"""Files that mean harm: each is refused by name, in bounded time and memory, and stops no other."""

from __future__ import annotations

import bz2
import io
import json
import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import pack
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile, ZipInfo

import pytest
from docx import Document as new_docx
from docx.oxml.parser import parse_xml
from reportlab.pdfgen.canvas import Canvas

from cli.stack import clean_environment
from footnote.errors import Invalid
from indexer.admission import Defaults
from indexer.readers import archive, docx, pdf
from indexer.readers.files import SourceFile, find_files, read_file
from indexer.readers.isolation import TOO_COSTLY, IsolatedReader
from indexer.readers.limits import Limits
from indexer.readers.submission import Submission, Unreadable
from tests.corpus import ALICE, WordEmbedder, indexer

MAX_BYTES = 5_000_000
LIMITS = Limits(MAX_BYTES, memory_bytes=600_000_000, cpu_seconds=3, wall_seconds=20)


@pytest.fixture(scope="module")
def isolated() -> Iterator[IsolatedReader]:
    with IsolatedReader(LIMITS) as reader:
        yield reader


def read(isolated: IsolatedReader, path: Path) -> Submission | Unreadable:
    (found,) = read_file(SourceFile(path, path.name, path.parent), MAX_BYTES, isolated)
    return found


def reason(isolated: IsolatedReader, path: Path) -> str:
    """Why a file is refused."""
    found = read(isolated, path)
    assert isinstance(found, Unreadable)
    assert found.document_id.startswith(path.name)
    return found.reason


def docx_with(**parts: bytes) -> bytes:
    """A Word document whose parts of these names (__ for /, _ for .) hold something else."""
    whole = io.BytesIO()
    new_docx().save(whole)
    changed = io.BytesIO()
    with ZipFile(whole) as old, ZipFile(changed, "w", ZIP_DEFLATED) as new:
        for name in old.namelist():
            key = name.replace("/", "__").replace(".", "_")
            new.writestr(name, parts.pop(key, old.read(name)))
        for key, data in parts.items():
            new.writestr(key.replace("__", "/").replace("_", "."), data)
    return changed.getvalue()


WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def body(inside: str, before: str = "") -> bytes:
    return f'<?xml version="1.0"?>{before}<w:document {WORD}><w:body>{inside}</w:body></w:document>'.encode()  # noqa: E501


def text(words: str) -> str:
    return f"<w:p><w:r><w:t>{words}</w:t></w:r></w:p>"


# The process that reads


def test_the_reading_process_has_its_limits_before_the_first_file(
    isolated: IsolatedReader, tmp_path: Path
) -> None:
    page = tmp_path / "a.html"
    page.write_text("<p>A page.</p>")
    assert isinstance(read(isolated, page), Submission)
    lines = Path(f"/proc/{isolated.pid}/limits").read_text().splitlines()
    limits = {line[:26].strip(): line[26:].split()[:2] for line in lines}
    assert limits["Max address space"] == ["600000000"] * 2
    assert limits["Max core file size"] == ["0", "0"]
    assert limits["Max file size"] == ["0", "0"]
    assert limits["Max open files"] == ["32", "32"]
    assert 0 < int(limits["Max cpu time"][0]) <= 10


def test_a_file_that_takes_too_much_memory_is_refused_and_the_next_one_read(
    isolated: IsolatedReader, tmp_path: Path
) -> None:
    """A cell that spans two thousand million columns is given as often by python-docx."""
    cell = f'<w:tc><w:tcPr><w:gridSpan w:val="2000000000"/></w:tcPr>{text("wide")}</w:tc>'
    bomb = tmp_path / "bomb.docx"
    bomb.write_bytes(docx_with(word__document_xml=body(f"<w:tbl><w:tr>{cell}</w:tr></w:tbl>")))
    found = read(isolated, bomb)
    assert isinstance(found, Unreadable)
    assert (found.code, found.reason) == (TOO_COSTLY, "reading it takes over 572 MB of memory")
    page = tmp_path / "good.html"
    page.write_text("<p>Still here.</p>")
    after = read(isolated, page)
    assert isinstance(after, Submission)
    assert after.text == "Still here."


def test_a_file_that_computes_too_long_is_refused_and_the_next_one_read(
    isolated: IsolatedReader, tmp_path: Path
) -> None:
    bomb = tmp_path / "bomb.pdf"
    bomb.write_bytes(slow_pages())
    began = time.monotonic()
    found = read(isolated, bomb)
    assert isinstance(found, Unreadable)
    assert (found.code, found.reason) == (
        TOO_COSTLY,
        "reading it takes over 3 seconds of computing",
    )
    assert time.monotonic() - began < 20
    good = tmp_path / "good.pdf"
    good.write_bytes(one_page("Still here."))
    after = read(isolated, good)
    assert isinstance(after, Submission)
    assert after.text == "Still here."


def test_a_file_that_is_waited_for_too_long_is_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.pdf"
    bomb.write_bytes(slow_pages())
    with IsolatedReader(Limits(MAX_BYTES, cpu_seconds=60, wall_seconds=2.0)) as isolated:
        assert reason(isolated, bomb) == "reading it takes over 2 seconds"
        assert isolated.pid is None


def test_a_reader_that_is_killed_between_files_is_no_files_fault(tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text("<p>A page.</p>")
    with IsolatedReader(LIMITS) as isolated:
        read(isolated, page)
        assert isolated.pid is not None
        os.kill(isolated.pid, signal.SIGKILL)
        time.sleep(0.1)
        assert isinstance(read(isolated, page), Submission)


def test_the_reading_process_ends_with_whoever_started_it(tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text("<p>A page.</p>")
    code = (
        "import os, signal; from indexer.readers.isolation import *; "
        "from indexer.readers.limits import Limits; "
        "reader = IsolatedReader(Limits.of(1000)); reader.read('.html', 'a', b'<p>A'); "
        "print(reader.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    child = Path("/proc") / done.stdout.decode().strip()
    until = time.monotonic() + 10
    while child.exists() and time.monotonic() < until:
        if (child / "stat").read_text().split(") ")[1].startswith("Z"):
            break  # ended; whoever adopts it here does not ask
        time.sleep(0.05)
    else:
        assert not child.exists()


def test_an_ingest_takes_what_is_good_among_what_is_hostile(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.md").write_text("Terns nest on the shore.")
    (folder / "bomb.docx").write_bytes(docx_with(word__document_xml=body("", LAUGHS)))
    (folder / "page.html").write_text("<p>Gulls follow the plough.</p>")
    os.mkfifo(folder / "pipe.txt")
    report = indexer(home, WordEmbedder()).ingest(find_files([folder]), Defaults((ALICE,), "CC0"))
    assert report.added == 2
    assert [(one.file, one.document_id) for one in report.refusals] == [
        ("bomb.docx", "bomb.docx"), ("pipe.txt", "pipe.txt"),
    ]  # fmt: skip
    assert all(one.code and one.what_to_do for one in report.refusals)


# Word documents


def test_a_word_document_of_too_many_parts_is_refused() -> None:
    parts = {f"word__{number}_bin": b"" for number in range(archive.MAX_MEMBERS)}
    with pytest.raises(ValueError, match="a Word document of over 10,000 parts"):
        docx.read("a.docx", docx_with(**parts))


def test_a_word_document_that_unpacks_to_many_times_its_size_is_refused() -> None:
    bomb = docx_with(word__zeros_bin=b"\0" * 20_000_000)
    with pytest.raises(ValueError, match="unpacks to over 200 times its size"):
        docx.read("a.docx", bomb)


def test_an_archive_within_a_word_document_is_never_unpacked(isolated: IsolatedReader) -> None:
    inner = io.BytesIO()
    with ZipFile(inner, "w", ZIP_DEFLATED) as nested:
        nested.writestr("zeros", b"\0" * 300_000_000)
    data = docx_with(word__embeddings__inner_zip=inner.getvalue())
    began = time.monotonic()
    assert isinstance(isolated.read(".docx", "a.docx", data), Submission | Unreadable)
    assert time.monotonic() - began < 2


def test_parts_that_lie_upon_each_other_are_refused() -> None:
    """Many entries of the directory for the same packed bytes (D. Fifield, "A better zip bomb")."""
    data = bytearray(docx_with(word__z_bin=b"z" * 1_000))
    end = data.rindex(b"PK\5\6")
    directory = int.from_bytes(data[end + 16 : end + 20], "little")
    entries = bytes(data[directory:end])
    last = entries.rindex(b"PK\1\2")
    copy = bytearray(entries[last:])
    copy[46:56] = b"word/y.bin"
    count = int.from_bytes(data[end + 10 : end + 12], "little") + 1
    tail = bytearray(data[end:])
    tail[8:10] = tail[10:12] = count.to_bytes(2, "little")
    tail[12:16] = (len(entries) + len(copy)).to_bytes(4, "little")
    with pytest.raises(ValueError, match=r"lie upon each other"):
        docx.read("a.docx", bytes(data[:end]) + bytes(copy) + bytes(tail))


def test_a_part_that_unpacks_to_more_than_it_says_is_refused(isolated: IsolatedReader) -> None:
    data = docx_with(word__document_xml=body(text("x" * 50_000_000)))
    with ZipFile(io.BytesIO(data)) as whole:
        size = whole.getinfo("word/document.xml").file_size
    lied = data.replace(pack("<L", size), pack("<L", 1_000))
    assert lied != data
    found = isolated.read(".docx", "a.docx", lied)
    assert found == Unreadable("a.docx", "a damaged Word document")


def test_a_part_packed_otherwise_than_word_packs_is_refused() -> None:
    """Of those zipfile unpacks a piece of a few bytes into as much as it holds."""
    whole = io.BytesIO(docx_with())
    with ZipFile(whole, "a") as bomb:
        bomb.writestr(ZipInfo("word/b.xml"), b"<a/>", ZIP_BZIP2)
    with pytest.raises(ValueError, match="packed in a way that none is"):
        docx.read("a.docx", whole.getvalue())
    assert len(bz2.compress(b"\0" * 10_000_000)) < 100


LAUGHS = (
    '<!DOCTYPE w:document [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + "]>"
)


@pytest.mark.parametrize(
    "declared",
    [
        LAUGHS,
        '<!DOCTYPE w:document [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE w:document SYSTEM "http://127.0.0.1:9/a.dtd">',
        '<!DOCTYPE w:document [<!ENTITY % p SYSTEM "file:///etc/hostname"> %p;]>',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_a_word_document_that_declares_entities_is_refused(declared: str, encoding: str) -> None:
    named = "unused" if declared == LAUGHS else "&x;"
    markup = body(text(named), declared).decode().replace("?>", f' encoding="{encoding}"?>', 1)
    data = docx_with(word__document_xml=markup.encode(encoding))
    with pytest.raises(ValueError, match="a Word document that declares entities"):
        docx.read("a.docx", data)


def test_entities_that_unfold_to_gigabytes_are_refused_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match="a damaged Word document"):
        docx.read("a.docx", docx_with(word__document_xml=body(text("&a9;"), LAUGHS)))
    assert time.monotonic() - began < 2


def test_the_parser_of_word_documents_unfolds_no_entity_and_reads_no_file(tmp_path: Path) -> None:
    """Assumed of python-docx: the parts that say what a document is made of are parsed first."""
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret word")
    declared = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}"><!ENTITY y "unfolded">]>'
    found = parse_xml(f"{declared}<a>before &x; &y; after</a>".encode())
    assert found.text == "before "
    assert [child.text for child in found] == ["&x;", "&y;"]


def test_a_word_document_nested_without_end_is_refused(isolated: IsolatedReader) -> None:
    deep = "<w:sdt><w:sdtContent>" * 50_000 + "</w:sdtContent></w:sdt>" * 50_000
    found = isolated.read(".docx", "a.docx", docx_with(word__document_xml=body(deep)))
    assert isinstance(found, Unreadable)


def test_a_path_within_a_word_document_leads_nowhere(
    isolated: IsolatedReader, tmp_path: Path
) -> None:
    whole = io.BytesIO(docx_with())
    with ZipFile(whole, "a") as bomb:
        bomb.writestr("../../escaped.txt", b"out")
        link = ZipInfo("word/link")
        link.external_attr = 0o120777 << 16
        bomb.writestr(link, "/etc/hostname")
    before = sorted(tmp_path.rglob("*"))
    assert isinstance(isolated.read(".docx", "a.docx", whole.getvalue()), Submission)
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("../../escaped.txt").exists()


# PDF


def one_page(words: str) -> bytes:
    data = io.BytesIO()
    canvas = Canvas(data)
    canvas.drawString(72, 700, words)
    canvas.save()
    return data.getvalue()


def pdf_of(*objects: bytes) -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalogue."""
    data, places = bytearray(b"%PDF-1.7\n"), []
    for number, one in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % place for place in places)
    data += b"trailer\n<</Root 1 0 R/Size %d>>\n" % (len(objects) + 1)
    return bytes(data + b"startxref\n%d\n%%%%EOF\n" % start)


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (entries, len(data), data)


CATALOGUE = b"<</Type/Catalog/Pages 2 0 R>>"
PAGES = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<<%s>>>>"
FONT = b"/Font<</F <</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>"


def form_bomb(levels: int) -> bytes:
    """Each form draws the next one ten times."""
    forms = []
    for number in range(levels):
        inner = b"/Font<</F <</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>"
        drawn = b"BT /F 12 Tf 10 10 Td (ha) Tj ET"
        if number < levels - 1:
            inner = b"/XObject<</X %d 0 R>>" % (6 + number)
            drawn = b"/X Do " * 10
        head = b"/Type/XObject/Subtype/Form/BBox[0 0 600 800]/Resources<<%s>>" % inner
        forms.append(stream(drawn, head))
    page = PAGE % b"/XObject<</X 5 0 R>>"
    return pdf_of(CATALOGUE, PAGES, page, stream(b"/X Do " * 10), *forms)


def inflating(megabytes: int) -> bytes:
    """A page whose content unpacks to so much."""
    packed = zlib.compress(b"q Q " * 250_000 * megabytes, 9)
    return pdf_of(CATALOGUE, PAGES, PAGE % FONT, stream(packed, b"/Filter/FlateDecode"))


def slow_pages() -> bytes:
    """Thousands of pages that share one long content, each read anew."""
    packed = zlib.compress(b"q Q " * 50_000, 9)
    pages = b"<</Type/Pages/Kids[%s]/Count 5000>>" % (b"3 0 R " * 5_000)
    return pdf_of(CATALOGUE, pages, PAGE % FONT, stream(packed, b"/Filter/FlateDecode"))


def twice_inflating() -> bytes:
    packed = zlib.compress(zlib.compress(b" " * 500_000_000, 9), 9)
    return pdf_of(
        CATALOGUE, PAGES, PAGE % FONT, stream(packed, b"/Filter[/FlateDecode/FlateDecode]")
    )


def full_object_stream() -> bytes:
    """A catalogue that lies within an object stream of half a gigabyte."""
    packed = zlib.compress(b"1 0 " + b" " * 500_000_000, 9)
    head = b"/Type/ObjStm/N 1/First 4/Filter/FlateDecode"
    objects = stream(packed, head)
    data = bytearray(b"%PDF-1.7\n")
    place = len(data)
    data += b"5 0 obj\n%s\nendobj\n" % objects
    start = len(data)
    rows = b"\x00\0\0\0\0\0" + b"\x02\0\0\0\5\0" + b"\0" * 18 + b"\x01" + pack(">L", place) + b"\0"
    table = stream(rows, b"/Type/XRef/Size 6/W[1 4 1]/Root 1 0 R")
    data += b"6 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (table, start)
    return bytes(data)


def nested_arrays() -> bytes:
    return pdf_of(CATALOGUE, PAGES, PAGE % FONT, b"[" * 100_000 + b"]" * 100_000)


def nested_content() -> bytes:
    return pdf_of(
        CATALOGUE, PAGES, PAGE % FONT, stream(b"BT " + b"[" * 200_000 + b"]" * 200_000 + b" TJ ET")
    )


HOSTILE: dict[str, Callable[[], bytes]] = {
    "pages that hold themselves": lambda: pdf_of(
        CATALOGUE, b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2000000000>>"
    ),
    "a page tree in a circle": lambda: pdf_of(
        CATALOGUE,
        b"<</Type/Pages/Kids[3 0 R]/Count 2000000000>>",
        b"<</Type/Pages/Parent 2 0 R/Kids[2 0 R]/Count 2000000000>>",
    ),
    "a reference to itself": lambda: pdf_of(CATALOGUE, b"2 0 R"),
    "a form that draws itself": lambda: pdf_of(
        CATALOGUE, PAGES, PAGE % b"/XObject<</X 5 0 R>>", stream(b"/X Do"),
        stream(b"/X Do /X Do", b"/Type/XObject/Subtype/Form/Resources<</XObject<</X 5 0 R>>>>"),
    ),
    "forms that draw forms": lambda: form_bomb(levels=12),
    "content of a gigabyte": lambda: inflating(1_000),
    "content packed twice": twice_inflating,
    "objects of half a gigabyte": full_object_stream,
    "arrays nested without end": nested_arrays,
    "content nested without end": nested_content,
    "tables in a circle": lambda: pdf_of(CATALOGUE, PAGES, PAGE % FONT, stream(b"")).replace(
        b"trailer\n<<", b"trailer\n<</Prev 0000000000 "
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_pdf_is_refused_or_empty_and_the_next_one_read(
    isolated: IsolatedReader, tmp_path: Path, kind: str
) -> None:
    bomb, good = tmp_path / "bomb.pdf", tmp_path / "good.pdf"
    bomb.write_bytes(HOSTILE[kind]())
    assert bomb.stat().st_size < MAX_BYTES
    good.write_bytes(one_page("Still here."))
    began = time.monotonic()
    found = read(isolated, bomb)
    assert time.monotonic() - began < 15
    assert isinstance(found, Unreadable) or len(found.text) < 100_000
    after = read(isolated, good)
    assert isinstance(after, Submission)
    assert after.text == "Still here."


def test_a_pdf_that_unpacks_beyond_bounds_says_so(isolated: IsolatedReader) -> None:
    found = isolated.read(".pdf", "a.pdf", inflating(1_000))
    assert found == Unreadable("a.pdf", "a PDF that unpacks to more than a document holds")


def test_a_pdf_of_too_many_pages_is_refused() -> None:
    kids = b" ".join([b"3 0 R"] * (pdf.MAX_PAGES + 1))
    pages = b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, pdf.MAX_PAGES + 1)
    data = pdf_of(CATALOGUE, pages, PAGE % FONT, stream(b"BT /F 12 Tf 9 9 Td (ha) Tj ET"))
    with pytest.raises(ValueError, match="a PDF of over 20,000 pages; split it"):
        pdf.read("a.pdf", data)


def test_a_pdf_with_an_image_of_gigapixels_is_read_without_it(isolated: IsolatedReader) -> None:
    image = stream(
        zlib.compress(b"\0" * 1_000_000),
        b"/Type/XObject/Subtype/Image/Width 1000000/Height 1000000/ColorSpace/DeviceRGB"
        b"/BitsPerComponent 8/Filter/FlateDecode",
    )
    page = PAGE % (FONT + b"/XObject<</I 5 0 R>>")
    words = stream(b"/I Do BT /F 12 Tf 72 700 Td (Seen.) Tj ET")
    found = isolated.read(".pdf", "a.pdf", pdf_of(CATALOGUE, PAGES, page, words, image))
    assert isinstance(found, Submission)
    assert found.text == "Seen."


def test_a_font_with_an_endless_table_is_bounded(isolated: IsolatedReader, tmp_path: Path) -> None:
    """A range that maps two thousand million codes."""
    table = stream(b"1 begincodespacerange <0000> <FFFFFFFF> endcodespacerange "
                   b"1 beginbfrange <00000000> <7FFFFFFF> <0041> endbfrange")  # fmt: skip
    font = (
        b"/Font<</F <</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/ToUnicode 5 0 R>>>>"
    )
    words = stream(b"BT /F 12 Tf 72 700 Td (ab) Tj ET")
    bomb = tmp_path / "font.pdf"
    bomb.write_bytes(pdf_of(CATALOGUE, PAGES, PAGE % font, words, table))
    began = time.monotonic()
    read(isolated, bomb)
    assert time.monotonic() - began < 15


# Pages, front matter, JSON, text


def test_a_page_nested_a_million_deep_is_read_or_refused_in_bounded_time(
    isolated: IsolatedReader, tmp_path: Path
) -> None:
    bomb = tmp_path / "deep.html"
    bomb.write_bytes(b"<b>" * 1_000_000 + b"words")
    began = time.monotonic()
    read(isolated, bomb)
    assert time.monotonic() - began < 25


def test_a_page_whose_text_is_longer_than_may_be_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "long.html"
    page.write_text("<p>" + "word " * 100)
    with IsolatedReader(Limits(text_bytes=100)) as isolated:
        assert reason(isolated, page) == "text over 100 bytes"


def test_front_matter_with_aliases_or_depth_is_refused(
    isolated: IsolatedReader, tmp_path: Path
) -> None:
    bomb = tmp_path / "bomb.md"
    levels = ["a0: &a0 [x, x]"] + [
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)
    ]
    bomb.write_text("---\n" + "\n".join(levels) + "\n---\ntext\n")
    assert reason(isolated, bomb) == "its front matter is not valid YAML"
    bomb.write_text("---\na: " + "[" * 40_000 + "\n---\ntext\n")
    assert reason(isolated, bomb) == "its front matter is not valid YAML"


def test_a_line_of_json_that_unfolds_is_read_within_limits(
    isolated: IsolatedReader, tmp_path: Path
) -> None:
    """Ten million empty lists take a gigabyte, of thirty megabytes of text."""
    bomb = tmp_path / "bomb.jsonl"
    line = b'{"id": "a", "text": "A.", "x": [' + b"[]," * 9_000_000 + b"[]]}"
    bomb.write_bytes(line + b'\n{"id": "b", "text": "B."}\n')
    first, second = read_file(SourceFile(bomb, bomb.name, tmp_path), MAX_BYTES, isolated)
    assert first == Unreadable(
        "bomb.jsonl:1", "reading it takes over 572 MB of memory", TOO_COSTLY,
        "save it again from the program that made it, or split it",
    )  # fmt: skip
    assert isinstance(second, Submission)


def test_fields_that_unfold_are_refused_where_they_are_read(
    isolated: IsolatedReader, tmp_path: Path
) -> None:
    bomb = tmp_path / "bomb.jsonl"
    bomb.write_bytes(b'{"id": "a", "text": "A.", "x": [' + b"[]," * 500_000 + b"[]]}\n")
    assert reason(isolated, bomb) == "fields over 1,000,000 bytes"


def test_json_full_of_brackets_in_its_text_is_read_like_any_other(
    isolated: IsolatedReader, tmp_path: Path
) -> None:
    code = "{[" * 30_000
    fields = {"id": "a", "text": code, "license": "MIT", "contributors": [{"address": ALICE}]}
    path = tmp_path / "code.jsonl"
    path.write_text(json.dumps(fields))
    (found,) = read_file(SourceFile(path, path.name, tmp_path), MAX_BYTES, isolated)
    assert found == Submission("a", code, fields)


@pytest.mark.parametrize("ending", [".md", ".txt", ".rst", ".html"])
@pytest.mark.parametrize("data", [b"\xff\xfeh\0i\0", b"\xfe\xff\0h\0i", b"\xc3(", b"\xed\xa0\x80"])
def test_text_that_is_not_utf_8_is_refused_with_what_to_do(
    isolated: IsolatedReader, tmp_path: Path, ending: str, data: bytes
) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(data)
    assert reason(isolated, path) == "not UTF-8 text; convert it first"


def test_a_line_without_end_is_refused_without_keeping_it(
    isolated: IsolatedReader, tmp_path: Path
) -> None:
    path = tmp_path / "endless.jsonl"
    with path.open("wb") as file:
        file.truncate(3_000_000_000)  # takes no room on the disk
    began = time.monotonic()
    (found,) = read_file(SourceFile(path, path.name, tmp_path), 1_000, isolated)
    assert found == Unreadable("endless.jsonl:1", "a line over 106,000 bytes")
    assert time.monotonic() - began < 20


# What is no file


def test_a_pipe_a_device_and_a_link_out_of_the_folder_are_refused_by_name(
    isolated: IsolatedReader, tmp_path: Path
) -> None:
    outside = tmp_path / "secret.txt"
    outside.write_text("the secret word")
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("A.")
    os.mkfifo(folder / "b.txt")
    (folder / "c.txt").symlink_to("/dev/zero")
    (folder / "d.txt").symlink_to(outside)
    (folder / "sub" / "e.txt").symlink_to("../a.txt")
    (folder / "f.txt").symlink_to("gone.txt")
    files = find_files([folder])
    found = {file.name: next(read_file(file, MAX_BYTES, isolated)) for file in files}
    assert {name: one.reason for name, one in found.items() if isinstance(one, Unreadable)} == {
        "b.txt": "not a file, but a pipe, a socket or a device",
        "c.txt": "a link that leads out of its folder",
        "d.txt": "a link that leads out of its folder",
        "f.txt": "it cannot be read (No such file or directory)",
    }
    assert found["sub/e.txt"] == Submission("sub/e.txt", "A.", {}, "e")


def test_a_link_that_a_person_names_is_followed(isolated: IsolatedReader, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A.")
    (tmp_path / "sub").mkdir()
    link = tmp_path / "sub" / "link.txt"
    link.symlink_to(tmp_path / "a.txt")
    (file,) = find_files([link])
    (found,) = read_file(file, MAX_BYTES, isolated)
    assert isinstance(found, Submission)


def test_a_pipe_that_a_person_names_is_an_error_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(Invalid, match="neither a file nor a folder"):
        find_files([tmp_path / "a.txt"])


def test_the_command_line_refuses_a_bomb_by_name_and_exits_with_65(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "bomb.docx").write_bytes(docx_with(word__document_xml=body("", LAUGHS)))
    options = ["ingest", "coast", str(folder), "--contributor", ALICE, "--license", "MIT"]
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *options],
        env=clean_environment(HOME=str(tmp_path / "home")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 65
    assert "refused bomb.docx: a Word document that declares entities" in done.stderr
