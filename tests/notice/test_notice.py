"""The notice: the insurer's text word for word, filled by the running system, readable by everybody."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from html.parser import HTMLParser
from pathlib import Path

import pytest

from anruflotse.notice import STYLE_SOURCE, Facts, Notice, Promise, load
from anruflotse.yamlshape import ShapeError

ORIGINAL = Path(__file__).with_name("notice.de.md").read_text(encoding="utf-8")
VOID = {"meta", "link", "br", "hr", "img", "input"}


def original_sentences() -> list[str]:
    """Headings and sentences; a sentence ends with a full stop before a capital letter, but not after "Abs."."""
    blocks = re.sub(r"^(#.*)$", r"\n\1\n", ORIGINAL, flags=re.MULTILINE).split("\n\n")
    lines = [" ".join(block.split()).lstrip("# ") for block in blocks if block.strip()]
    return [s for line in lines for s in re.split(r"(?<!Abs\.)(?<!Art\.)(?<!Co\.)(?<=\.) (?=[A-ZÄÖÜ])", line)]


class Page(HTMLParser):
    """Collects what a page consists of and fails on tags that do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.declaration = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_decl(self, decl: str) -> None:
        self.declaration = decl

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1], data))

    def text_of(self, *tags: str) -> list[str]:
        return [text for tag, text in self.texts if tag in tags]


def test_the_original_is_read_sentence_by_sentence() -> None:
    sentences = original_sentences()
    assert len(sentences) == 24
    assert sentences[0] == "Gesprächsaufzeichnung durch den Voicebot"
    assert (
        "Rechtsgrundlagen für diese Verarbeitung sind § 284 SGB V in Verbindung mit Art. 6 Abs. 1 Buchstabe e DSGVO."
        in sentences
    )
    assert sentences[-1] == "[nach oben]"


@pytest.mark.parametrize("sentence", original_sentences())
def test_every_sentence_of_the_original_stands_in_the_page(sentence: str) -> None:
    page = Page(Notice().html())
    text = " ".join(" ".join(page.text_of("h1", "h2", "p", "a")).split())
    assert sentence.strip("[]") in text


def test_every_sentence_of_the_original_stands_in_the_markdown() -> None:
    text = Notice().markdown()
    assert [s for s in original_sentences() if s not in text] == ["[nach oben]"]


def test_the_markdown_keeps_the_order_of_the_original() -> None:
    text = Notice().markdown()
    places = [text.index(sentence) for sentence in original_sentences()[:-1]]
    assert places == sorted(places)


def test_every_promise_is_made_and_every_sentence_makes_one() -> None:
    sentences = Notice().sentences()
    assert all(sentence.promises for sentence in sentences)
    assert {promise for sentence in sentences for promise in sentence.promises} == set(Promise)
    assert [promise.value for promise in Promise] == [f"P{n}" for n in range(1, 18)]
    assert all(promise.meaning for promise in Promise)


def made_in(words: str, facts: Facts | None = None) -> set[str]:
    found = [s for s in Notice(facts or Facts()).sentences() if words in s.text]
    assert len(found) == 1
    return set(found[0].promises)


@pytest.mark.parametrize(
    ("words", "promises"),
    [
        ("mit unseren Mitarbeitenden findet nicht statt", {"P4"}),
        ("jederzeit widersprechen", {"P8"}),
        ("keine Sprachaufzeichnung erstellt", {"P9", "P10"}),
        ("automatisch gelöscht", {"P11", "P12"}),
        ("jeweils eine Vereinbarung", {"P14"}),
        ("Artikeln 15 bis 21", {"P15"}),
    ],
)
def test_promises_stand_where_they_are_made(words: str, promises: set[str]) -> None:
    assert made_in(words) == promises


def test_settings_show_in_the_text() -> None:
    facts = Facts(
        insurer="BKK Muster",
        retention_days=14,
        legal_basis="§ 1 Mustergesetz",
        privacy_contact="Frau Muster, datenschutz@muster.example",
        objection_key="7",
    )
    text = Notice(facts).markdown()
    assert "Die BKK Muster setzt" in text
    assert "werden 14 Tage gespeichert." in text
    assert "sind § 1 Mustergesetz." in text
    assert "Kontakt: Frau Muster, datenschutz@muster.example" in text
    assert "die Taste 7 oder" in text
    assert "28" not in text.replace("§ 284", "")


def test_one_day_reads_well() -> None:
    assert "werden einen Tag gespeichert." in Notice(Facts(retention_days=1)).markdown()


def test_a_longer_retention_names_its_reason() -> None:
    text = Notice(Facts(retention_days=90, retention_reason="§ 304 SGB V")).markdown()
    assert "werden 90 Tage gespeichert." in text
    assert "Grund für diese Speicherdauer: § 304 SGB V." in text
    assert "Grund für diese" not in Notice().markdown()


def test_processors_as_the_register_has_them() -> None:
    both = Notice(Facts()).markdown()
    assert "Dienstleistern Aristech GmbH und vitaservices GmbH & Co. KG besteht jeweils eine Vereinbarung" in both
    assert "Ohne geltende Vereinbarung" not in both

    one = Notice(Facts(processors=("A GmbH",), without_agreement=("B GmbH",))).markdown()
    assert "Mit dem Dienstleister A GmbH besteht eine Vereinbarung" in one
    assert "keine Daten an Dienstleister übermittelt; das betrifft zurzeit B GmbH." in one
    assert "Mit den Dienstleistern" not in one

    none = Notice(Facts(processors=(), without_agreement=("A GmbH", "B GmbH", "C GmbH"))).markdown()
    assert "besteht" not in none
    assert "betrifft zurzeit A GmbH, B GmbH und C GmbH." in none


@pytest.mark.parametrize(
    "facts",
    [Facts(), Facts(processors=()), Facts(processors=(), without_agreement=("A",)), Facts(retention_reason="x")],
)
def test_no_gap_stays_open(facts: Facts) -> None:
    assert not re.search(r"[{}]", Notice(facts).markdown())
    assert all(section.paragraphs and all(section.paragraphs) for section in Notice(facts).sections())


def test_the_version_follows_the_text() -> None:
    version = Notice().version()
    assert re.fullmatch(r"[0-9a-f]{16}", version)
    assert Notice(Facts()).version() == version
    others = {
        Notice(facts).version()
        for facts in (
            Facts(retention_days=27),
            Facts(insurer="BKK"),
            Facts(objection_key="8"),
            Facts(privacy_contact="x"),
            Facts(processors=()),
        )
    }
    assert len(others | {version}) == 6
    assert f"Fassung {version}" in Notice().html()


def test_values_cannot_break_out_of_the_page() -> None:
    facts = Facts(insurer='<script src="https://x.example">*böse*</script>')
    page = Page(Notice(facts).html())
    assert "script" not in {tag for tag, _ in page.attributes}
    assert "\\<script" in Notice(facts).markdown()
    assert "\\*böse\\*" in Notice(facts).markdown()


def test_the_page_is_well_formed_and_accessible() -> None:
    html = Notice().html()
    page = Page(html)
    assert page.declaration.lower() == "doctype html"
    assert page.attributes[0] == ("html", {"lang": "de"})
    assert ("meta", {"charset": "utf-8"}) in page.attributes
    assert page.text_of("title") == ["Gesprächsaufzeichnung durch den Voicebot – mkk – meine krankenkasse"]

    headings = [tag for tag, _ in page.attributes if re.fullmatch(r"h[1-6]", tag)]
    assert headings == ["h1", "h2", "h2", "h2", "h2", "h2"]
    ids = [attrs["id"] for _, attrs in page.attributes if "id" in attrs]
    assert len(ids) == len(set(ids))
    labels = [attrs["aria-labelledby"] for tag, attrs in page.attributes if tag == "section"]
    assert len(labels) == 5
    assert set(labels) <= set(ids)
    assert [tag for tag, _ in page.attributes].count("main") == 1

    links = [attrs["href"] for tag, attrs in page.attributes if tag == "a"]
    assert links == ["#inhalt", "#oben"]
    assert {"inhalt", "oben"} <= set(ids)
    first_link = next(attrs for tag, attrs in page.attributes if tag == "a")
    assert first_link["class"] == "skip"


def test_the_page_needs_nothing_from_elsewhere_and_no_script() -> None:
    html = Notice().html()
    page = Page(html)
    assert not {tag for tag, _ in page.attributes} & {"script", "link", "img", "iframe", "form", "object"}
    names = {name for _, attrs in page.attributes for name in attrs}
    assert not names & {"src", "style", "srcset", "action"}
    assert not any(name.startswith("on") for name in names)
    assert not re.search(r"https?:|//|@import|url\(", html)
    assert "@media print" in html


def test_the_style_fits_the_policy() -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", Notice().html(), re.DOTALL)
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" == STYLE_SOURCE


FILE = """\
version: 1
titel: {text: "Hinweis", versprechen: [P17]}
nach_oben: "nach oben"
abschnitte:
  - absaetze:
      - - satz: "Die {kasse} fragt."
          versprechen: [P1, P2, P3, P4, P5, P6, P7, P8, P9, P10]
  - titel: "Rechte"
    kennung: rechte
    absaetze:
      - - satz: "Rest."
          versprechen: [P11, P12, P13, P14, P15, P16]
          wenn: laengere_frist
  - titel: "Ende"
    kennung: ende
    absaetze:
      - - satz: "Ende."
          versprechen: [P16]
"""


def test_a_file_can_be_given_and_sections_without_sentences_are_gone(tmp_path: Path) -> None:
    file = tmp_path / "hinweis.yaml"
    file.write_text(FILE, encoding="utf-8")
    notice = Notice(Facts(insurer="BKK"), load(file))
    assert notice.markdown() == "# Hinweis\n\nDie BKK fragt.\n\n## Ende\n\nEnde.\n"


@pytest.mark.parametrize(
    ("right", "wrong", "line", "column", "told"),
    [
        ("{kasse}", "{krankenkasse}", 6, 17, "the gap `{krankenkasse}` is not known. Allowed: `kasse`"),
        ("{kasse}", "{kasse", 6, 17, "curly bracket stands alone"),
        ("P1, P2", "P2", 1, 1, "no sentence makes the promises `P1`"),
        ("[P17]", "[P18]", 2, 40, "`P18` is not known"),
        ("[P17]", "[]", 2, 39, "at least one promise"),
        ("laengere_frist", "immer", 13, 17, "`immer` is not known"),
        ("kennung: ende", "kennung: rechte", 15, 14, "stands twice"),
        ("kennung: ende", "kennung: oben", 15, 14, "cannot be an id"),
        ("kennung: ende", "kennung: Das Ende", 15, 14, "cannot be an id"),
        ("    kennung: ende\n", "", 14, 5, "`kennung` is missing"),
        ("- - satz", "- - staz", 6, 11, "Did you mean `satz`?"),
        ("version: 1", "version: 3", 1, 10, "from 1 to 1"),
    ],
)
def test_complaints(right: str, wrong: str, line: int, column: int, told: str) -> None:
    assert right in FILE
    with pytest.raises(ShapeError) as caught:
        load(FILE.replace(right, wrong, 1))
    assert told in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)
