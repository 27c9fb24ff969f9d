"""Documents: what is put in stands there, in all three renderings, and is never taken for markup."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import pypdf
import pytest
import typst
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf.generic import DictionaryObject

from anruflotse import notice
from anruflotse.documents import (
    STYLE,
    STYLE_SOURCE,
    Block,
    Columns,
    Document,
    Facts,
    Heading,
    Listing,
    Mark,
    Note,
    PaperError,
    Paragraph,
    Quote,
    Table,
    Tone,
    html,
    pdf,
    plain,
)
from anruflotse.documents import paper as paper_module
from anruflotse.documents.model import moment
from anruflotse.documents.shown import DRAWN, drawable, shown

NOW = datetime(2026, 11, 24, 2, 28, tzinfo=UTC)
EVERY_KIND: tuple[Block, ...] = (
    Heading("Was gespeichert ist"),
    Paragraph("Ein Absatz\nmit zwei Zeilen."),
    Heading("Einzelheiten", 2),
    Facts((("Kennung", "0123456789abcdef" * 4), ("Stand", Mark("gehalten", Tone.GOOD)))),
    Quote("Ich möchte eine Kur beantragen.", "Anruf vom 3. November"),
    Table(
        ("Nr.", "Satz", "Ergebnis"), (("P1", "Ein Satz", Mark("gebrochen", Tone.BAD)),), "Die Versprechen", (1, 4, 2)
    ),
    Listing(("Auskunft", "Löschung")),
    Listing(("zuerst", "danach"), numbered=True),
    Note("Bitte beachten.", Tone.OPEN),
    Columns((Quote("links"),), (Heading("Rechte Seite", 3), Facts((("rechts", "Wert"),)))),
)
DRAWABLE = [chr(number) for number in range(0x3000) if DRAWN.fullmatch(chr(number))]
SAID = (
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "#panic() $x$ *fett* _kursiv_ `code` @ref <label> = kein Titel",
    '"); #read("/etc/passwd") //',
    "'; DROP TABLE records; --",
    "=HYPERLINK(1)",
    "../../etc/passwd",
    "{{ 7*7 }} {% raw %}",
    "\\u0041 \\n &amp; &#60;",
)


def document(*blocks: Block, title: str = "Auskunft", subtitle: str = "Vorgang 17") -> Document:
    return Document(title, subtitle, NOW, "mkk – meine krankenkasse", blocks or EVERY_KIND)


def text_of(made: bytes) -> str:
    pages = pypdf.PdfReader(io.BytesIO(made)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


class Read(HTMLParser):
    """The page as a reader has it: its words, and its elements with their attributes. Raises for a tag left open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "br":
            self.words.append("\n")
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def structure(made: bytes) -> list[str]:
    """The tags of a PDF, outermost first, as a screen reader walks along them."""
    found: list[str] = []

    def walk(node: object) -> None:
        if isinstance(node, list):
            for kid in node:
                walk(kid.get_object() if hasattr(kid, "get_object") else kid)
        elif isinstance(node, DictionaryObject):
            if "/S" in node:
                found.append(str(node["/S"]))
            walk(node.get("/K", None) and node["/K"])

    walk(pypdf.PdfReader(io.BytesIO(made)).root_object["/StructTreeRoot"])
    return found


def test_every_block_stands_in_every_rendering() -> None:
    said = ["Was gespeichert ist", "mit zwei Zeilen.", "Ich möchte eine Kur beantragen.", "Anruf vom 3. November"]
    said += ["Die Versprechen", "gebrochen", "Auskunft", "danach", "Bitte beachten.", "links", "Rechte Seite", "Wert"]
    page, paper = Read(html(document())).text, text_of(pdf(document()))
    data = json.dumps(plain(document()), ensure_ascii=False)
    for words in said:
        assert words in page
        assert words in paper
        assert words in data
    assert "Stand: 24. November 2026, 03:28 Uhr" in page
    assert "Stand: 24. November 2026, 03:28 Uhr" in paper


def test_a_pdf_is_tagged_german_titled_dated_and_declares_both_standards() -> None:
    made = pdf(document())
    root: dict[str, Any] = dict(pypdf.PdfReader(io.BytesIO(made)).root_object)
    root = {key: value.get_object() for key, value in root.items()}
    assert str(root["/Lang"]) == "de"
    assert root["/MarkInfo"]["/Marked"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    told = pypdf.PdfReader(io.BytesIO(made)).metadata
    assert told is not None
    assert (told.title, told.author, told.subject) == ("Auskunft", "mkk – meine krankenkasse", "Vorgang 17")
    assert told.creation_date is not None
    assert told.creation_date.date() == date(2026, 11, 24)
    xmp = root["/Metadata"].get_data().decode()
    assert re.search(r"pdfuaid:part>1<", xmp)
    assert re.search(r"pdfaid:part>2<.*pdfaid:conformance>A<", xmp, re.DOTALL)


def test_the_tags_of_a_pdf_tell_headings_lists_and_tables_apart() -> None:
    tags = structure(pdf(document()))
    for tag in ("/Title", "/H1", "/H2", "/H3", "/P", "/L", "/LI", "/Table", "/THead", "/TH", "/TD", "/Caption"):
        assert tag in tags or (tag == "/Title" and "/P" in tags), tag
    assert tags.count("/TH") == 3


def test_a_hash_is_copied_out_of_a_pdf_in_one_piece() -> None:
    made = pdf(document(Facts((("Prüfsumme", "0123456789abcdef" * 8),))))
    assert "0123456789abcdef" * 8 in text_of(made).replace(" ", "")


@pytest.mark.parametrize("endless", ["0123456789abcdef" * 30, "Donaudampfschiff" * 30])
def test_what_has_no_blanks_does_not_leave_the_page(endless: str) -> None:
    made = pdf(document(Paragraph(endless), Quote(endless), Facts(((endless, endless),)), Table(("a",), ((endless,),))))
    lines = [line for page in pypdf.PdfReader(io.BytesIO(made)).pages for line in page.extract_text().splitlines()]
    assert max(map(len, lines)) < 150


def test_the_same_document_gives_the_same_bytes() -> None:
    assert pdf(document()) == pdf(document())


@pytest.mark.parametrize("said", SAID)
def test_nothing_that_is_said_is_read_as_markup(said: str) -> None:
    blocks = (
        Heading(said),
        Paragraph(said),
        Note(said),
        Quote(said, said),
        Listing((said,)),
        Facts(((said, said),)),
        Table((said,), ((said,), (Mark(said),)), said),
        Columns((Paragraph(said),), (Quote(said),)),
    )
    made = document(*blocks, title=said, subtitle=said)
    tame = document(*EVERY_KIND)
    page = Read(html(made))
    assert page.text.count(" ".join(said.split())) == 17
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in Read(html(tame)).elements}
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert " ".join(said.split()) in text_of(pdf(made))
    assert "Panic" not in text_of(pdf(made))


def test_what_cannot_be_seen_is_spelt_out() -> None:
    hidden = "an\u202etsok\x00\x1b[2J\u200b\u2028\ud800\ue000"
    assert shown(hidden) == "an[U+202E]tsok[U+0000][U+001B][2J[U+200B][U+2028][U+D800][U+E000]"
    assert shown(hidden) in Read(html(document(Paragraph(hidden)))).text
    assert shown(hidden) in text_of(pdf(document(Paragraph(hidden))))
    assert shown("eins\r\nzwei\rdrei\tvier\u00a0€") == "eins\nzwei\ndrei vier\u00a0€"
    assert plain(document(Paragraph(hidden)))["blocks"] == [{"type": "paragraph", "text": hidden}]


def test_what_the_fonts_cannot_draw_is_spelt_out_in_the_pdf_alone() -> None:
    words = "Größe 😀 中 Łukasz Ж e\u0301"
    assert "Größe [U+1F600] [U+4E2D] Łukasz Ж é" in text_of(pdf(document(Paragraph(words))))
    assert "Größe 😀 中 Łukasz Ж" in Read(html(document(Paragraph(words)))).text


def test_every_sign_called_drawable_is_drawn() -> None:
    signs = [sign for sign in DRAWABLE if drawable(sign) == sign and sign.strip()]
    assert len(signs) > 900
    rows = ["".join(signs[start : start + 20]) for start in range(0, len(signs), 20)]
    for kind in (Paragraph, Quote, Heading, lambda row: Heading(row, 3)):  # the standards forbid a sign without a shape
        made = pdf(document(Heading("1"), Heading("2", 2), *(kind(row) for row in rows)))
        if kind is Paragraph:
            read = text_of(made)
            assert [s for s in signs if s not in read and unicodedata.normalize("NFKC", s) not in read] == []


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1, max_size=60) | st.text(st.sampled_from(DRAWABLE), min_size=1, max_size=60))
def test_any_text_can_be_shown(text: str) -> None:
    made = document(Paragraph(text), Facts(((text, text),)), Table((text, "x"), ((text, Mark(text, Tone.OPEN)),)))
    assert pdf(made).startswith(b"%PDF")
    assert " ".join(shown(text).split()) in Read(html(made)).text
    assert json.loads(json.dumps(plain(made)))["blocks"][0]["text"] == text


def test_a_page_brings_everything_along_and_has_one_outline() -> None:
    page = Read(html(document()))
    tags = [tag for tag, _ in page.elements]
    assert tags.count("h1") == tags.count("main") == 1
    assert [tag for tag in tags if re.fullmatch("h[1-6]", tag)] == ["h1", "h2", "h3", "h4"]
    assert page.elements[0] == ("html", {"lang": "de"})
    assert "script" not in tags
    assert "link" not in tags
    assert not any(attributes.get("src") or "://" in (attributes.get("href") or "") for _, attributes in page.elements)
    assert ("th", {"scope": "col"}) in page.elements
    region = next(attributes for tag, attributes in page.elements if attributes.get("role") == "region")
    assert region["aria-label"] == "Die Versprechen"
    assert region["tabindex"] == "0"
    assert ("th", {"scope": "row"}) in page.elements
    assert f"<style>{STYLE}</style>" in html(document())
    assert STYLE_SOURCE.startswith("'sha256-")


def test_documents_look_like_the_public_notice() -> None:
    assert notice.STYLE.strip() in STYLE


def test_dates_are_german_and_a_moment_is_that_of_germany() -> None:
    assert moment(datetime(2026, 3, 31, 22, 30, tzinfo=UTC)) == "1. April 2026, 00:30 Uhr"
    assert Document("T", "", date(2026, 3, 1), "mkk", ()).dated == "1. März 2026"
    assert Document("T", "", datetime(2026, 12, 31, 23, 30, tzinfo=UTC), "mkk", ()).dated == "1. Januar 2027, 00:30 Uhr"
    assert document().iso == "2026-11-24T02:28:00+00:00"


def test_an_empty_document_and_empty_blocks_can_be_shown() -> None:
    empty = Document("T", "", date(2026, 3, 1), "mkk", (Listing(()), Facts(()), Paragraph(""), Table(("a",), ())))
    assert pdf(empty).startswith(b"%PDF")
    assert "<ul>" not in html(empty)
    assert pdf(Document("T", "", date(2026, 3, 1), "mkk", ())).startswith(b"%PDF")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Heading("x", 4), "level"),
        (lambda: Heading(" "), "text"),
        (lambda: Table((), ()), "head"),
        (lambda: Table(("a", "b"), (("1", "2"), ("3",))), "Row 2"),
        (lambda: Table(("a", "b"), (), widths=(1,)), "widths"),
        (lambda: Table(("a",), (), widths=(0,)), "widths"),
        (lambda: Columns((Columns((), ()),), ()), "within columns"),
        (lambda: Document(" ", "", NOW, "mkk", ()), "title"),
        (lambda: document(Heading("zu tief", 2)), "level 1"),
        (lambda: document(Heading("a"), Columns((), (Heading("c", 3),))), "level 2"),
        (lambda: Document("T", "", NOW.replace(tzinfo=None), "mkk", ()), "time zone"),
    ],
)
def test_what_cannot_be_a_document_is_refused_when_it_is_made(make: object, told: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=told):
        make()


def test_a_fault_of_the_typesetter_does_not_quote_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper_module, "_SOURCE", b"#panic(sys.inputs.document)")
    with pytest.raises(PaperError) as caught:
        pdf(document(Quote("geheim")))
    assert "geheim" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_panic_of_the_typesetter_is_no_end_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        pass

    def panics(*args: object, **options: object) -> bytes:
        raise PanicException

    monkeypatch.setattr(typst, "compile", panics)
    with pytest.raises(PaperError):
        pdf(document())


def test_what_was_said_stays_out_of_every_repr() -> None:
    assert "Kur" not in repr(document())
    assert "Kur" not in repr(EVERY_KIND)
    assert "gehalten" not in repr(EVERY_KIND)


def test_the_typesetter_reads_no_file_and_no_package() -> None:
    source = files("anruflotse.documents").joinpath("templates", "document.typ").read_text(encoding="utf-8")
    code = re.sub(r"//.*", "", source)
    assert not re.search(r"\b(eval|read|include|import|plugin|image|csv|yaml|toml|xml)\s*[(\"]", code)
    assert issubclass(typst.TypstError, Exception)
