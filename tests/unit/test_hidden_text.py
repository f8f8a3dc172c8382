"""What a page hides is left out, whichever way it is hidden, and what a person can see stays."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import pytest
from docx import Document as new_docx
from docx.enum.text import WD_COLOR_INDEX
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Pt, RGBColor
from hypothesis import given
from hypothesis import strategies as st
from reportlab.lib.colors import getAllNamedColors
from reportlab.pdfgen.canvas import Canvas

from indexer.readers import docx, html, pdf
from indexer.readers.colours import BLACK, NAMES, WHITE, Colour, contrast, is_seen, read_colour


def read(body: str, sheet: str = "") -> tuple[str, int]:
    """The text of a page, and how many passages of it were hidden."""
    page = f"<html><head><style>{sheet}</style></head><body>{body}</body></html>"
    submission = html.read("a.html", page.encode())
    return submission.text, submission.hidden


@pytest.mark.parametrize(
    "style",
    [
        "color:#fefefe",
        "color:#f5f5f5;background:#fff",
        "color:whitesmoke",
        "color:#ffffe0",
        "color:#111;background:#000",
        "color:navy;background-color:#000088",
        "background:linear-gradient(90deg, #fff, #fdfdfd);color:white",
        "color:rgb(254 254 254)",
        "color:hsl(0 0% 99%)",
        "color:oklch(0.99 0 0)",
        "color:color(srgb 1 1 1)",
        "color:rgba(0,0,0,0)",
        "color:rgba(0,0,0,.05)",
        "color:rgb(0 0 0 / 2%)",
        "color:hsla(120, 50%, 20%, 0)",
        "color:#0000",
        "color:transparent",
        "-webkit-text-fill-color:transparent",
        "color:transparent;text-shadow:0 0 2px white",
        "opacity:0",
        "opacity:.05",
        "opacity:5%",
        "filter:opacity(0)",
        "filter:blur(0) opacity(3%)",
        "height:0;overflow:hidden",
        "max-height:0;overflow:hidden",
        "width:0;overflow-x:hidden",
        "width:1px;height:1px;overflow:hidden;position:absolute",
        "line-height:0;overflow:clip",
        "clip-path:inset(100%)",
        "clip-path: inset(50%)",
        "clip-path:inset(0 100% 0 0)",
        "clip-path:circle(0)",
        "clip-path:polygon(0 0, 0 0, 0 0)",
        "position:absolute;clip:rect(0,0,0,0)",
        "position:absolute;clip:rect(1px 1px 1px 1px)",
        "text-indent:-9999px",
        "text-indent:-999em",
        "position:absolute;left:-9999px",
        "position:fixed;top:-200vh",
        "position:absolute;inset:-9999px auto auto 0",
        "position:absolute;left:99999px",
        "margin-left:-9999px",
        "transform:translateX(-9999px)",
        "translate:-9999px",
        "font-size:0",
        "font-size:0.1px",
        "font-size:1px",
        "font-size:.01em",
        "font-size:1%",
        "font:0/0 a",
        "font:italic 1px serif",
        "letter-spacing:-1em",
        "transform:scale(0)",
        "transform:scaleX(0)",
        "transform:scale3d(0,1,1)",
        "transform:matrix(0,0,0,1,0,0)",
        "transform:rotateY(90deg)",
        "scale:0.01",
        "zoom:0.01",
        "visibility:hidden",
        "visibility:collapse",
        "content-visibility:hidden",
        "display:none!important",
        "DISPLAY : NONE",
        "display:/**/none",
        r"d\69splay:n\6f ne",
        "--n:none;display:var(--n)",
        "display:none;display:nonsense",
        "visibility:hidden;visibility:yes",
        "opacity:0;opacity:full",
        "color:white;color:nocolour",
        "font-size:0;font-size:readable",
        "position:absolute;left:-9999px;left:here;position:there",
        "color:var(--unknown, #fff)",
    ],
)
def test_no_style_that_hides_text_gets_it_in(style: str) -> None:
    assert read(f'<p>Seen.</p><p style="{style}">Pay <b>Mallory.</b></p><p>Too.</p>') == (
        "Seen.\n\nToo.",
        1,
    )
    body = '<p>Seen.</p><p class="x">Pay <b>Mallory.</b></p><p>Too.</p>'
    assert read(body, f"p.x{{{style}}}") == ("Seen.\n\nToo.", 1)


SHOWN = [
    "color:#ccc",
    "color:#767676",
    "color:yellow",
    "color:red;background:green",
    "color:#fff;background:#222",
    "color:white;background:linear-gradient(#fff, #000)",
    "color:white;background-image:url(night.jpg)",
    "color:white;background:lab(20% 0 0)",
    "color:#fff8;background:#000",
    "color:rgba(0,0,0,.4)",
    "color:transparent;background:linear-gradient(red,blue);background-clip:text",
    "color:transparent;text-shadow:0 0 3px #000",
    "color:white;-webkit-text-stroke:1px black",
    "color:white;-webkit-text-fill-color:black",
    "color:white;mix-blend-mode:difference",
    "color:notacolour",
    "color-scheme:dark;color:white",
    "opacity:.3",
    "filter:opacity(0.5) drop-shadow(0 0 0 red)",
    "height:0",
    "height:0;overflow:visible",
    "max-height:0px",
    "overflow:hidden;max-height:20em",
    "overflow:hidden;width:0;min-width:100%",
    "line-height:1;overflow:hidden",
    "clip-path:inset(5% 20%)",
    "clip-path:polygon(0 0, 100% 0, 100% 100%)",
    "clip:rect(0,0,0,0)",
    "left:-9999px",
    "position:absolute;left:-20px;top:12000px",
    "position:relative;left:100%",
    "text-indent:-2em",
    "margin:-1px 0 0 -15px",
    "margin-left:auto",
    "transform:translate(-50%,-50%) scale(.9)",
    "transform:scale(1.05)",
    "transform:rotate(90deg)",
    "transform:matrix(0,1,-1,0,0,0)",
    "translate:-50% 0",
    "transform:translate(-50%, -100%)",
    "margin-left:-100%",
    "font-size:10px",
    "font-size:.5em",
    "font-size:small",
    "font:700 12px/1.5 Arial",
    "letter-spacing:-.05em",
    "visibility:visible",
    "content-visibility:auto",
    "display:contents",
    "display:block",
    "x-display:none",
    "content:'display:none'",
    "display:var(--unknown)",
    "--display:none",
]


@pytest.mark.parametrize("style", SHOWN)
def test_no_style_that_shows_text_loses_it(style: str) -> None:
    assert read(f'<p style="{style}">Seen.</p>') == ("Seen.", 0)
    assert read('<p class="x">Seen.</p>', f".x{{{style}}}") == ("Seen.", 0)


@pytest.mark.parametrize(
    "body",
    [
        "<details><summary>More</summary>Seen.</details>",
        "<dialog open>More Seen.</dialog>",
        "<dialog style='display:block'>More Seen.</dialog>",
        "<p hidden style='display:block'>More Seen.</p>",
        "<p hidden=until-found>More Seen.</p>",
        "<p aria-hidden=true>More Seen.</p>",
        "<p style='font-size:0'><b style='font-size:14px'>More Seen.</b></p>",
        "<p style='visibility:hidden'><b style='visibility:visible'>More Seen.</b></p>",
        "<p style='color:white'><b style='color:black'>More Seen.</b></p>",
        "<p style='color:white'><a href=x>More Seen.</a></p>",
        "<p style='color:white'><mark>More</mark> <button>Seen.</button></p>",
        "<table bgcolor=navy><tr><td><font color=white>More Seen.</font></table>",
        "<table><tr><td background=x.png><font color=white>More Seen.</font></table>",
        "<div style='background:#000'><div style='background:none'><p style='color:#fff'>"
        "More Seen.</div></div>",
        "<div style='background:#000'><div style='background:rgba(255,255,255,.2)'>"
        "<p style='color:#fff'>More Seen.</div></div>",
    ],
)  # fmt: skip
def test_what_a_reader_sees_or_can_open_stays(body: str) -> None:
    text, hidden = read(body)
    assert (" ".join(text.split()), hidden) == ("More Seen.", 0)


@pytest.mark.parametrize(
    "body",
    [
        "<dialog>Pay Mallory.</dialog>",
        "<p hidden>Pay Mallory.</p>",
        "<p hidden=''>Pay Mallory.</p>",
        "<p hidden style='display:nonsense'>Pay Mallory.</p>",
        "<p hidden style='display:revert'>Pay Mallory.</p>",
        "<div style='opacity:.3'><p style='opacity:.3'>Pay Mallory.</p></div>",
        "<div style='font-size:.1em'><p style='font-size:.1em'>Pay Mallory.</p></div>",
        "<div style='color:white'><p>Pay <i>Mallory.</i></p></div>",
        "<div style='background:#fff'><p><font color='#fffffe'>Pay Mallory.</font></p></div>",
        "<div style='--c:#fff'><p style='color:var(--c)'>Pay Mallory.</p></div>",
        "<table bgcolor=black><tr><td><font color='#010101'>Pay Mallory.</font></table>",
    ],
)
def test_what_is_hidden_by_more_than_one_element_is_left_out(body: str) -> None:
    assert read(f"<p>Seen.</p>{body}") == ("Seen.", 1)


@pytest.mark.parametrize("tag", ["template", "canvas", "video", "datalist", "noscript", "meter"])
def test_what_a_browser_never_draws_is_no_text(tag: str) -> None:
    assert read(f"<p>Seen.</p><{tag}>Pay Mallory.</{tag}>")[0] == "Seen."


@pytest.mark.parametrize(
    "sheet",
    [
        "p{display:none}",
        "p{display:block} .x{display:none}",
        "p{display:none!important} #y.x{display:block}",
        "@media screen{.x{display:none}}",
        "@media (min-width:600px){.x{display:none}}",
        "@supports (display:grid){@layer a{.x{opacity:0}}}",
        "div{.x{display:none}}",
        "div{& > .x{color:white}}",
        "em, div{color:red; .x, .z{display:none}}",
        ":is(.x,.z){display:none}",
        "div > p:first-child{display:none}",
        "a[title='}']{color:red} .x{display:none}",
        "@import 'other.css'; .x{display:none}",
    ],
)
def test_a_rule_that_hides_is_read(sheet: str) -> None:
    assert read('<div><p class="x" id="y">Pay Mallory.</p></div><b>Seen.</b>', sheet) == (
        "Seen.",
        1,
    )


@pytest.mark.parametrize(
    "sheet",
    [
        "p{display:none} .x{display:block}",
        ".x{display:none} .x.z, p#y{display:block}",
        ".x{display:none} .x{display:block}",
        "@media print{.x{display:none}}",
        "@media (max-width:600px){.x{display:none}}",
        "@media (prefers-color-scheme:dark){.x{color:white}}",
        "@font-face{display:none}",
        "@keyframes f{from{opacity:0}to{opacity:1}}",
        ".x:hover{display:none}",
        ".x::before{display:none}",
        ".other .x{display:none}",
        ".x[title]{display:none}",
        "/* .x{display:none} */",
        "}} .x{",
        "{display:none}",
        ".x{display:no",
        ", ,{display:none}",
        "]][{display:none}",
    ],
)
def test_a_rule_that_hides_nothing_here_loses_nothing(sheet: str) -> None:
    assert read('<div><p class="x" id="y">Seen.</p></div>', sheet) == ("Seen.", 0)


channels = st.integers(0, 255)
opaque = st.tuples(channels, channels, channels).map(lambda parts: Colour(*parts))


@given(opaque, opaque)
def test_letters_are_seen_on_a_colour_if_and_only_if_it_is_seen_on_them(
    one: Colour, other: Colour
) -> None:
    assert is_seen(one, [other]) == is_seen(other, [one])
    assert not is_seen(one, [one])
    assert 1 <= contrast(one, other) <= 21.0001
    hexes = ["#" + "".join(f"{int(part):02x}" for part in colour[:3]) for colour in (one, other)]
    body = f'<p style="color:{hexes[0]};background:{hexes[1]}">Words.</p>'
    assert read(body) == (("Words.", 0) if is_seen(one, [other]) else ("", 1))


@given(st.lists(st.sampled_from(SHOWN[:5]), max_size=4))
def test_elements_that_show_their_text_show_it_in_each_other(styles: list[str]) -> None:
    opened = "".join(f'<div style="{style}">' for style in styles)
    assert read(f"{opened}<p style='color:#123;background:#eee'>Seen.</p>") == ("Seen.", 0)


@given(st.text(alphabet="{}();:,.#@&*/\\\"'! abdisplaynone0123%-<>", max_size=60))
def test_no_sheet_stops_a_reader_or_takes_text_that_it_does_not_match(sheet: str) -> None:
    assert read("<p>Seen.</p>", sheet.replace("<", "") + "}}}}.none{display:none}")[1] <= 1


def test_white_on_black_has_the_greatest_contrast_and_grey_the_published_one() -> None:
    assert contrast(WHITE, BLACK) == pytest.approx(21)
    assert contrast(Colour(118, 118, 118), WHITE) == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize(
    ("value", "colour"),
    [
        ("#abc", (170, 187, 204, 1)),
        ("#11223380", (17, 34, 51, 128 / 255)),
        ("rgb(10%, 20%, 30%)", (25.5, 51, 76.5, 1)),
        ("hsl(120 100% 25%)", (0, 127.5, 0, 1)),
        ("hwb(0 50% 50%)", (127.5, 127.5, 127.5, 1)),
        ("oklch(100% 0 0)", (255, 255, 255, 1)),
        ("oklab(0.628 0.225 0.126 / 50%)", (255, 0, 0, 0.5)),
        ("color(srgb 0 0.5 1 / 0.5)", (0, 127.5, 255, 0.5)),
    ],
)
def test_colours_are_read_as_sheets_write_them(
    value: str, colour: tuple[float, float, float, float]
) -> None:
    assert read_colour(value) == pytest.approx(colour, abs=1)


def test_the_names_of_colours_are_those_of_another_table() -> None:
    other = {name: colour.hexval()[2:] for name, colour in getAllNamedColors().items()}
    shared = NAMES.keys() & other.keys() - {
        "transparent",
        "darkseagreen",
    }  # that of reportlab is misread
    assert len(shared) > 135
    assert {name: NAMES[name] for name in shared} == {name: other[name] for name in shared}


def test_no_sheet_makes_reading_slow() -> None:
    began = time.process_time()
    many = "<p class=a>x" * 2_000
    for sheet in (
        "*{color:red}" * 5_000,
        "*{--a:var(--a)var(--a)}" * 500,
        "a," * 50_000 + "b{color:red}",
        "(" * 50_000 + "{}",
        "a{" * 3_000 + "color:red",
        "'" * 50_000 + '"' * 50_001,
        *(one * 50_000 for one in ("{", "/*", "\\")),
    ):
        read(many, sheet)
    for style in (
        "a:" * 50_000,
        "color:" + "rgb(" * 50_000,
        "clip:" + "1" * 900,
        "display:" + "-webkit-a" * 100 + "!",
        ";" * 100_000,
    ):
        read(f'<p style="{style}">x')
    assert time.process_time() - began < 10


# Word


def word(change: Callable[[Any, Any], None]) -> tuple[str, int]:
    """The text of a document with a run that ``change`` is given, with its document."""
    document = new_docx()
    document.add_paragraph("Seen.")
    run = document.add_paragraph().add_run("Pay Mallory.")
    change(run, document)
    document.add_paragraph("Too.")
    data = io.BytesIO()
    document.save(data)
    submission = docx.read("a.docx", data.getvalue())
    return submission.text, submission.hidden


def _shade(element: Any, colour: str) -> None:
    shading = OxmlElement("w:shd")
    shading.set(qn("w:fill"), colour)
    element.append(shading)


def _in_style(run: Any, document: Any) -> None:
    style = document.styles.add_style("Quiet", 2)
    style.font.hidden = True
    run.style = style


def _in_paragraph_style(run: Any, document: Any) -> None:
    style = document.styles.add_style("Pale", 1)
    style.font.color.rgb = RGBColor(255, 255, 255)
    lower = document.styles.add_style("Paler", 1)
    lower.base_style = style
    document.paragraphs[1].style = lower


def _colour(run: Any, *parts: int) -> None:
    run.font.color.rgb = RGBColor(*parts)


def _on_navy(run: Any, document: Any) -> None:
    _colour(run, 0, 0, 120)
    _shade(document.paragraphs[1]._p.get_or_add_pPr(), "000080")


def _white_on_navy(run: Any, document: Any) -> None:
    _colour(run, 255, 255, 255)
    _shade(document.paragraphs[1]._p.get_or_add_pPr(), "000080")


def _white_on_marker(run: Any, document: Any) -> None:
    _colour(run, 255, 255, 255)
    run.font.highlight_color = WD_COLOR_INDEX.BLUE


def _into_table(run: Any, document: Any, style: str | None, shade: str | None) -> None:
    cell = document.add_table(1, 1, style).rows[0].cells[0]
    if shade:
        _shade(cell._tc.get_or_add_tcPr(), shade)
    _colour(run, 255, 255, 255)
    cell.paragraphs[0]._p.append(run._r)


@pytest.mark.parametrize(
    "change",
    [
        lambda run, _: setattr(run.font, "hidden", True),
        lambda run, _: setattr(run.font, "size", Pt(1)),
        lambda run, _: _colour(run, 255, 255, 255),
        lambda run, _: _colour(run, 254, 250, 252),
        _on_navy,
        _in_style,
        _in_paragraph_style,
        lambda run, document: _into_table(run, document, "Table Grid", None),
    ],
)
def test_what_a_word_document_hides_is_left_out_and_counted(
    change: Callable[[Any, Any], None],
) -> None:
    assert word(change) == ("Seen.\n\nToo.", 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda run, _: None,
        lambda run, _: setattr(run.font, "hidden", False),
        lambda run, _: setattr(run.font, "size", Pt(5)),
        lambda run, _: _colour(run, 200, 200, 200),
        _white_on_navy,
        _white_on_marker,
        lambda run, document: _into_table(run, document, None, "203040"),
        lambda run, document: _into_table(run, document, "Medium Shading 1 Accent 1", None),
    ],
)
def test_what_a_word_document_shows_is_kept(change: Callable[[Any, Any], None]) -> None:
    text, hidden = word(change)
    assert (text.split("\n\n").count("Pay Mallory."), hidden) == (1, 0)


# PDF


def printed(draw: Callable[[Canvas], None]) -> tuple[list[str], int]:
    """The lines of a page on which ``draw`` made its mark, and how many passages were hidden."""
    data = io.BytesIO()
    page = Canvas(data)
    page.drawString(72, 700, "Seen.")
    draw(page)
    page.showPage()
    page.save()
    submission = pdf.read("a.pdf", data.getvalue())
    return submission.text.split("\n"), submission.hidden


def _say(page: Canvas) -> None:
    page.drawString(72, 500, "Pay Mallory.")


def _filled(page: Canvas, *colour: float) -> None:
    page.setFillColorRGB(*colour)


def _white_for_a_while(page: Canvas) -> None:
    page.saveState()
    _filled(page, 1, 1, 1)
    page.restoreState()


def _box_below(page: Canvas, *colour: float) -> None:
    _filled(page, *colour)
    page.rect(60, 490, 200, 30, fill=1, stroke=0)
    _filled(page, 1, 1, 1)


@pytest.mark.parametrize(
    "prepare",
    [
        lambda page: _filled(page, 1, 1, 1),
        lambda page: _filled(page, 0.99, 1, 0.98),
        lambda page: page.setFillGray(1),
        lambda page: page.setFillColorCMYK(0, 0, 0, 0),
        lambda page: page.setFillAlpha(0.02),
        lambda page: _box_below(page, 1, 1, 0.99),
    ],
)
def test_words_in_white_or_no_ink_are_left_out_of_a_pdf(prepare: Callable[[Canvas], None]) -> None:
    def draw(page: Canvas) -> None:
        page.saveState()
        prepare(page)
        _say(page)
        page.restoreState()
        page.drawString(72, 300, "Too.")

    assert printed(draw) == (["Seen.", "Too."], 1)


@pytest.mark.parametrize(
    "prepare",
    [
        lambda page: _filled(page, 0, 0, 0),
        lambda page: _filled(page, 0.7, 0.7, 0.7),
        lambda page: page.setFillColorCMYK(0, 0, 0, 1),
        lambda page: page.setFillAlpha(0.5),
        lambda page: _box_below(page, 0, 0, 0.4),
        _white_for_a_while,
    ],
)
def test_words_that_a_pdf_shows_are_kept(prepare: Callable[[Canvas], object]) -> None:
    def draw(page: Canvas) -> None:
        prepare(page)
        _say(page)

    assert printed(draw) == (["Seen.", "Pay Mallory."], 0)
