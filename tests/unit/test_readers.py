from __future__ import annotations

import io
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from docx import Document as new_docx
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from footnote.errors import Invalid, NotFound
from indexer.admission import Defaults, admit
from indexer.readers import docx, html, pdf, plain
from indexer.readers.files import FolderSettings, SourceFile, find_files, read_file
from indexer.readers.front_matter import split_front_matter
from indexer.readers.isolation import IsolatedReader
from indexer.readers.limits import Limits
from indexer.readers.submission import Submission, Unreadable
from tests.corpus import ALICE, BOB

MAX_BYTES = 5_000_000
ISOLATED = IsolatedReader(Limits.of(MAX_BYTES))


@pytest.fixture(scope="module", autouse=True)
def one_process_for_all() -> Iterator[None]:
    yield
    ISOLATED.close()


def source(path: Path) -> SourceFile:
    return SourceFile(path, path.name, path.parent)


def only(path: Path, max_bytes: int = MAX_BYTES) -> Submission | Unreadable:
    (found,) = read_file(source(path), max_bytes, ISOLATED)
    return found


def title_of(submission: Submission) -> str:
    """The title under which a Submission is admitted."""
    return admit(submission, Defaults((ALICE,), "CC0-1.0"), MAX_BYTES).title


def make_pdf(*pages: str, title: str = "", encrypt: str | None = None) -> bytes:
    data = io.BytesIO()
    encryption = StandardEncryption(encrypt, canPrint=0) if encrypt else None
    canvas = Canvas(data, encrypt=encryption)
    canvas.setTitle(title)
    for page in pages:
        canvas.drawString(72, 700, page)
        canvas.showPage()
    canvas.save()
    return data.getvalue()


def make_docx(title: str = "") -> bytes:
    document = new_docx()
    document.core_properties.title = title
    document.add_heading("A heading", 1)
    document.add_paragraph("First paragraph.")
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "left", "right"
    document.add_paragraph("Last paragraph.")
    data = io.BytesIO()
    document.save(data)
    return data.getvalue()


# Plain text, Markdown and reStructuredText


@pytest.mark.parametrize(
    ("name", "text", "title"),
    [
        ("a.md", "# The name #\n\nText.", "The name"),
        ("a.md", "Before.\n\n#  Later\nText.", "Later"),
        ("a.md", "#\n\nText.", "a"),
        ("a.rst", "Name\n====\n\nText.", "Name"),
        ("a.rst", "====\nName\n====\n\nText.", "Name"),
        ("deep/in/notes.v2.txt", "Just text.", "notes.v2"),
    ],
)
def test_a_title_is_the_first_heading_or_the_name_of_the_file(
    name: str, text: str, title: str
) -> None:
    assert title_of(plain.read(name, text.encode())) == title


def test_text_is_kept_exactly_as_it_was_given() -> None:
    text = "  Line one\r\nline two\n\n\tcafe\u0301 🙂 \r\n"
    assert plain.read("a.txt", text.encode()).text == text
    assert plain.read("a.txt", b"\xef\xbb\xbf" + text.encode()).text == text


def test_text_that_is_not_utf_8_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("naïve".encode("latin-1"))
    assert only(path) == Unreadable("a.txt", "not UTF-8 text; convert it first")


def test_front_matter_gives_the_fields_and_leaves_the_text() -> None:
    text = f"---\r\ntitle: T\r\nid: x-1\r\ncontributors:\r\n- address: '{ALICE}'\r\n---\r\nBody\r\n"
    read = plain.read("a.md", text.encode())
    assert (read.document_id, read.text) == ("x-1", "Body\r\n")
    assert read.fields["contributors"] == [{"address": ALICE}]
    assert title_of(read) == "T"


@pytest.mark.parametrize(
    ("text", "fields", "rest"),
    [
        ("no fields", {}, "no fields"),
        ("---\n---\nrest", {}, "rest"),
        ("---\na: 1\n---", {"a": 1}, ""),
        ("----\na: 1\n---\n", {}, "----\na: 1\n---\n"),
        ("---\nunclosed", {}, "---\nunclosed"),
        (" ---\na: 1\n---\n", {}, " ---\na: 1\n---\n"),
    ],
)
def test_front_matter_stands_at_the_very_start_between_two_lines(
    text: str, fields: Mapping[str, Any], rest: str
) -> None:
    assert split_front_matter(text) == (fields, rest)


@pytest.mark.parametrize(
    "yaml",
    [
        "a: [1",
        "just words",
        "- a\n- list",
        "when: 2024-13-45",
        "a: !!python/object:os.system x",
        "a: " + "[" * 20_000,
        "a: {? {b: 1} : 2}",
        "a: \x07",
    ],
)
def test_broken_front_matter_is_a_reason_and_no_crash(tmp_path: Path, yaml: str) -> None:
    path = tmp_path / "a.md"
    path.write_text(f"---\n{yaml}\n---\nText.")
    found = only(path)
    assert isinstance(found, Unreadable)
    assert found.document_id == "a.md"


def test_a_front_matter_too_long_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("---\n" + "- a\n" * 40_000 + "---\nText.")
    assert only(path) == Unreadable("a.md", "its front matter is over 100,000 characters")


def test_an_empty_id_in_front_matter_is_no_id() -> None:
    assert plain.read("a.md", b"---\nid:\n---\nText.").document_id == "a.md"


@pytest.mark.parametrize(
    "text",
    ["# a" + " " * 3_900 + "x", " " * 100_000 + "x", "=" * 100_000, "---\n" * 50_000],
)
def test_no_text_makes_reading_slow(text: str) -> None:
    began = time.process_time()
    plain.read("a.md", ("\n" + text).encode())
    plain.read("a.md", text.encode())
    assert time.process_time() - began < 3


# HTML


def test_a_page_becomes_the_text_a_person_reads() -> None:
    page = (
        "<!doctype html><html><head><title> The\n page </title><style>p{}</style></head><body>"
        "<nav>Home <nav>inner</nav></nav><script>var x = '<p>no</p>';</script>"
        "<h1>Head</h1><p>One  two\n three &amp; <b>four</b>.</p><p>Five<br>six.</p>"
        "<ul><li>a</li><li>b</li></ul><pre>keep\n  this</pre>"
        "<table><tr><td>x</td><td>y</td></tr></table>"
        "<svg><svg><text>no</text></svg></svg></body></html>"
    )
    read = html.read("page.html", page.encode())
    assert title_of(read) == "The page"
    parts = [part for part in read.text.split("\n") if part]
    assert parts == [
        "Head", "One two three & four.", "Five", "six.", "a", "b", "keep", "this", "x  y",
    ]  # fmt: skip


def test_a_page_without_a_title_is_named_after_its_file() -> None:
    assert title_of(html.read("deep/page.html", b"<p>Text")) == "page"


def test_a_page_nested_beyond_pythons_calls_is_read() -> None:
    assert html.read("a.html", b"<div>" * 3_000 + b"deep").text == "deep"


@pytest.mark.parametrize("page", [b"", b"<html>", b"<nav>x</nav>", b"\x00<p>"])
def test_a_page_without_text_has_none(page: bytes) -> None:
    assert html.read("a.html", page).text in ("", "\ufffd", "\x00")


def test_no_page_makes_reading_slow() -> None:
    began = time.process_time()
    for page in ("<pre>x" + " " * 100_000 + "x", "<b>" * 20_000, "<p>" * 20_000, "\n" * 100_000):
        html.read("a.html", f"<body>{page}".encode())
    assert time.process_time() - began < 3


# PDF


def test_a_pdf_gives_its_pages_and_title() -> None:
    read = pdf.read("paper.pdf", make_pdf("Page one.", "Page two.", title="A paper"))
    assert read.text == "Page one.\n\nPage two."
    assert title_of(read) == "A paper"


def test_an_encrypted_pdf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(make_pdf("Secret.", encrypt="password"))
    assert only(path) == Unreadable("a.pdf", "an encrypted PDF; save it without a password")


def test_a_pdf_encrypted_in_a_way_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    locked = make_pdf("Secret.", encrypt="password")
    path.write_bytes(locked.replace(b"/V 1", b"/V 5").replace(b"/V 2", b"/V 5").replace(
        b"/R 2", b"/R 6").replace(b"/R 3", b"/R 6"))  # fmt: skip
    found = only(path)
    assert isinstance(found, Unreadable)
    assert found.reason in {"an encrypted PDF; save it without a password", "a damaged PDF"}


def test_a_scanned_pdf_without_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan.pdf"
    path.write_bytes(make_pdf(""))
    assert only(path) == Unreadable(
        "scan.pdf", "a PDF without text, such as a scan; run text recognition first"
    )


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"no pdf at all", make_pdf("x")[:200]])
def test_a_damaged_pdf_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(data)
    assert only(path) in (
        Unreadable("a.pdf", "a damaged PDF"),
        Unreadable("a.pdf", "a PDF without text, such as a scan; run text recognition first"),
    )


def damaged(data: bytes, seed: int) -> bytes:
    """``data`` with some bytes changed, cut out or doubled."""
    dice = random.Random(seed)
    changed = bytearray(data)
    for _ in range(dice.randint(1, 12)):
        at = dice.randrange(len(changed))
        match dice.randrange(3):
            case 0:
                changed[at] = dice.randrange(256)
            case 1:
                del changed[at : at + dice.randint(1, 30)]
            case _:
                changed[at:at] = changed[at : at + dice.randint(1, 30)]
    return bytes(changed)


def test_no_damage_to_a_pdf_or_word_document_stops_the_others(tmp_path: Path) -> None:
    writer = PdfWriter(PdfReader(io.BytesIO(make_pdf("Some text here.", "And more."))))
    squeezed = io.BytesIO()
    writer.compress_identical_objects()
    writer.write(squeezed)
    originals = {"a.pdf": [make_pdf("Some text."), squeezed.getvalue()], "a.docx": [make_docx()]}
    for name, variants in originals.items():
        for seed in range(60):
            path = tmp_path / name
            path.write_bytes(damaged(variants[seed % len(variants)], seed))
            assert isinstance(only(path), (Submission, Unreadable))


def test_damage_inside_a_word_document_stops_no_other(tmp_path: Path) -> None:
    archive = ZipFile(io.BytesIO(make_docx()))
    for seed in range(60):
        name = random.Random(seed).choice(archive.namelist())
        path = tmp_path / "a.docx"
        with ZipFile(path, "w") as changed:
            for entry in archive.namelist():
                data = archive.read(entry)
                changed.writestr(entry, damaged(data, seed) if entry == name else data)
        assert isinstance(only(path), (Submission, Unreadable))


# Word


def test_a_word_document_gives_paragraphs_and_tables_in_order() -> None:
    read = docx.read("a.docx", make_docx("Its title"))
    assert read.text == "A heading\n\nFirst paragraph.\n\nleft | right\n\nLast paragraph."
    assert title_of(read) == "Its title"


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no zip"])
def test_a_damaged_word_document_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(data)
    assert only(path) == Unreadable("a.docx", "a damaged Word document")


def test_a_word_document_that_unpacks_beyond_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.docx"
    with ZipFile(path, "w", compression=8) as archive:
        for i in range(11):
            archive.writestr(f"word/{i}.xml", b"\0" * 10_000_000)
    assert only(path) == Unreadable("bomb.docx", "a Word document that unpacks beyond 100 MB")


# JSON lines


def test_every_line_is_read_and_a_bad_one_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    lines = [
        b'\xef\xbb\xbf{"id": "a", "text": "A."}',
        b"",
        b'{"id": "b", "id": "c", "text": "B."}',
        b'{"id": "d", "text": "D.", "n": NaN}',
        b'{"id": "e", "text": "\\ud800"}',
        b'{"id": "f", "text": "\xff"}',
        b"[1]",
        b'{"text": "no id"}',
        b'{"id": "g", "text": 7}',
        b'{"id": "h", "text": "H."}',
    ]
    path.write_bytes(b"\r\n".join(lines))
    found = list(read_file(source(path), MAX_BYTES, ISOLATED))
    assert [f.document_id for f in found if isinstance(f, Submission)] == ["a", "h"]
    assert [(f.document_id, f.reason) for f in found if isinstance(f, Unreadable)] == [
        ("d.jsonl:3", "a key stands twice"),
        ("d.jsonl:4", "NaN and Infinity are not JSON"),
        ("d.jsonl:5", "a lone surrogate, which is no character"),
        ("d.jsonl:6", "not UTF-8"),
        ("d.jsonl:7", "a line must hold one JSON object"),
        ("d.jsonl:8", "no id; give each document one that stays the same"),
        ("g", "no text"),
    ]


def test_a_line_too_long_is_refused_and_the_next_one_read(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    long = json.dumps({"id": "long", "text": "x" * 200_000})
    path.write_text(f"{long}\n" + json.dumps({"id": "b", "text": "B."}))
    first, second = read_file(source(path), 10, ISOLATED)
    assert first == Unreadable("d.jsonl:1", "a line over 100,060 bytes")
    assert second.document_id == "b"


# Folders


def test_a_folder_gives_its_readable_files_sorted_and_hidden_ones_not(tmp_path: Path) -> None:
    for name in ("b.md", "sub/a.TXT", "c.exe", ".hidden.md", ".git/x.md", "datanet.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [file.name for file in find_files([tmp_path])] == ["b.md", "sub/a.TXT"]


def test_a_named_path_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        find_files([tmp_path / "nothing.md"])
    (tmp_path / "a.exe").write_text("x")
    with pytest.raises(Invalid, match=r"a\.exe is of a kind that no reader knows"):
        find_files([tmp_path / "a.exe"])


def test_a_file_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x" * 1_001)
    assert only(tmp_path / "a.txt", 1_000) == Unreadable("a.txt", "over 1,000 bytes")


@pytest.mark.skipif(sys.platform == "darwin", reason="the file system there takes UTF-8 names only")
def test_a_file_whose_name_is_no_text_is_refused_and_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("Text.")
    (submission,) = read_file(find_files([tmp_path])[0], MAX_BYTES, ISOLATED)
    assert isinstance(submission, Submission)
    with pytest.raises(Invalid, match="printable"):
        admit(submission, Defaults((ALICE,), "CC0-1.0"), MAX_BYTES)


def applied(root: Path, name: str) -> Submission:
    settings = FolderSettings()
    file = SourceFile(root / name, name, root)
    (submission,) = read_file(file, MAX_BYTES, ISOLATED)
    assert isinstance(submission, Submission)
    return settings.apply(file, submission)


def test_datanet_toml_gives_defaults_and_fields_of_single_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "datanet.toml").write_text(
        f'[defaults]\nlicense = "A"\nurl = "https://a"\ncontributors = [{{address="{ALICE}"}}]\n'
        '[files."sub/b.md"]\ntitle = "Named"\nurl = "https://b"\nid = "bee"\n'
    )
    (tmp_path / "sub" / "datanet.toml").write_text('[defaults]\nlicense = "B"\n')
    (tmp_path / "a.md").write_text("# Own\n\nText.")
    (tmp_path / "sub" / "b.md").write_text("# Heading\n\nText.")
    (tmp_path / "sub" / "c.md").write_text("---\nlicense: C\n---\nText.")
    a, b, c = (applied(tmp_path, name) for name in ("a.md", "sub/b.md", "sub/c.md"))
    assert (a.document_id, title_of(a), a.fields["license"]) == ("a.md", "Own", "A")
    assert (b.document_id, title_of(b), b.fields["license"]) == ("bee", "Named", "B")
    assert (b.fields["url"], b.fields["contributors"]) == ("https://b", [{"address": ALICE}])
    assert (c.fields["license"], c.fields["url"]) == ("C", "https://a")


def test_what_a_file_says_itself_wins_over_datanet_toml(tmp_path: Path) -> None:
    (tmp_path / "datanet.toml").write_text(
        f'[files."a.md"]\ntitle = "T"\nid = "toml"\ncontributors = [{{address="{ALICE}"}}]\n'
    )
    (tmp_path / "a.md").write_text(
        f"---\ntitle: Own\nid: own\ncontributors: [{{address: '{BOB}'}}]\n---\nText."
    )
    read = applied(tmp_path, "a.md")
    assert (read.document_id, title_of(read)) == ("own", "Own")
    assert read.fields["contributors"] == [{"address": BOB}]


@pytest.mark.parametrize(
    "toml", ["[defaults", "defaults = 3", "files = 3", '[files]\n"a.md" = 3', "a = '\udcff'"]
)
def test_a_datanet_toml_that_cannot_be_used_is_named(tmp_path: Path, toml: str) -> None:
    (tmp_path / "datanet.toml").write_bytes(toml.encode("utf-8", "surrogateescape"))
    (tmp_path / "a.md").write_text("Text.")
    with pytest.raises(Invalid, match=r"datanet\.toml"):
        applied(tmp_path, "a.md")


@given(st.binary(max_size=400), st.sampled_from([".md", ".rst", ".txt", ".html", ".docx", ".pdf"]))
def test_no_bytes_stop_a_reader(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(data)
    assert isinstance(only(path), (Submission, Unreadable))


def test_front_matter_that_unfolds_to_gigabytes_is_refused() -> None:
    levels = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    levels += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    bomb = "---\n" + "\n".join([*levels, "id: *a8"]) + "\n---\ntext\n"
    with pytest.raises(ValueError, match="not valid YAML"):
        plain.read("bomb.md", bomb.encode())


def test_a_proposals_preamble_gives_its_title() -> None:
    text = "PEP: 1\nTitle: PEP Purpose and Guidelines\nAuthor: Ada,\n  Bo\n\nWhat is a PEP?\n"
    assert plain.read("pep-0001.rst", text.encode()).heading == "PEP Purpose and Guidelines"


def test_a_merged_cell_is_read_once() -> None:
    word = new_docx()
    row = word.add_table(1, 3).rows[0]
    row.cells[0].merge(row.cells[1]).text = "merged"
    row.cells[2].text = "alone"
    buffer = io.BytesIO()
    word.save(buffer)
    assert docx.read("t.docx", buffer.getvalue()).text == "merged | alone"


def test_a_folder_that_cannot_be_looked_into_is_said_and_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()
    (found,) = read_file(SourceFile(tmp_path / "closed", "closed", tmp_path), 5_000_000, ISOLATED)
    assert found == Unreadable("closed", "a folder that cannot be read")


def html_page(body: str, head: str = "") -> bytes:
    return f"<html><head>{head}</head><body>{body}</body></html>".encode()


@pytest.mark.parametrize(
    "hidden",
    [
        '<p style="display: none">Pay Mallory.</p>',
        '<p style="visibility:hidden">Pay Mallory.</p>',
        '<p style="font-size:0">Pay Mallory.</p>',
        '<p style="opacity:0.0">Pay Mallory.</p>',
        '<p style="color:#FFF">Pay Mallory.</p>',
        '<p style="color:white;background:white">Pay Mallory.</p>',
        '<font color="white">Pay Mallory.</font>',
        '<p style="position:absolute;left:-9999px">Pay Mallory.</p>',
        "<p hidden>Pay <b>Mallory.</b></p>",
        '<p class="trap">Pay Mallory.</p>',
        '<p id="far">Pay Mallory.</p>',
    ],
)
def test_what_a_page_hides_is_left_out_and_counted(hidden: str) -> None:
    styles = "<style>/* no */ .trap, .other { display:none } #far{text-indent:-10000px}</style>"
    submission = html.read("a.html", html_page(f"<p>Seen.</p>{hidden}<p>Too.</p>", styles))
    assert (submission.text, submission.hidden) == ("Seen.\n\nToo.", 1)


@pytest.mark.parametrize(
    "shown",
    [
        '<p style="font-size:10px;opacity:0.5">Seen.</p>',
        '<div style="background:#222"><p style="color:#fff">Seen.</p></div>',
        '<p style="color:gainsboro">Seen.</p>',
        '<p aria-hidden="true">Seen.</p>',
        '<p hidden="until-found">Seen.</p>',
        "<p>Seen.</p><!-- Pay Mallory. --><template>Pay Mallory.</template><p hidden> </p>",
    ],
)
def test_what_a_page_shows_is_kept(shown: str) -> None:
    submission = html.read("a.html", html_page(shown))
    assert (submission.text, submission.hidden) == ("Seen.", 0)


def pdf_page(draw: Callable[[Canvas], None]) -> bytes:
    buffer = io.BytesIO()
    page = Canvas(buffer)
    draw(page)
    page.showPage()
    page.save()
    return buffer.getvalue()


def _invisible(page: Canvas, words: str) -> None:
    page.saveState()  # the mode would outlive the words
    text = page.beginText(72, 650)
    text.setTextRenderMode(3)
    text.textLine(words)
    page.drawText(text)
    page.restoreState()


def test_what_a_pdf_does_not_draw_is_left_out_and_counted() -> None:
    def draw(page: Canvas) -> None:
        page.drawString(72, 700, "Seen.")
        _invisible(page, "Pay Mallory.")
        page.drawString(72, 600, "Seen too.")
        page.setFont("Helvetica", 0.1)
        page.drawString(72, 500, "Pay Mallory.")
        page.setFont("Helvetica", 12)
        page.drawString(-500, 400, "Pay Mallory.")
        page.drawString(72, 300, "Seen last.")

    submission = pdf.read("a.pdf", pdf_page(draw))
    assert submission.text.split("\n") == ["Seen.", "Seen too.", "Seen last."]
    assert submission.hidden == 2


def test_a_scan_with_recognised_text_keeps_it() -> None:
    submission = pdf.read("a.pdf", pdf_page(lambda page: _invisible(page, "Recognised words.")))
    assert (submission.text, submission.hidden) == ("Recognised words.", 0)
