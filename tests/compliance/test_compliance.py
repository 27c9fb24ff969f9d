"""Compliance documents: what they say is what the settings, registers and tables say at that moment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import pytest

from anruflotse import compliance
from anruflotse.clock import FakeClock
from anruflotse.compliance import deletion, words
from anruflotse.compliance.measures import goals
from anruflotse.compliance.system import System, days
from anruflotse.documents import Block, Cell, Columns, Document, Facts, Listing, Mark, Table, Tone, html, pdf, plain
from anruflotse.processors import Category, Standing
from anruflotse.records import access
from anruflotse.records.access import Kind, Role, allowed, purposes
from anruflotse.records.model import DestroyReason, Purpose
from anruflotse.records.restriction import Ground
from anruflotse.records.stores.tables import keys, records
from anruflotse.settings import load
from tests.app.agreements import AGREED, BEGINS, UNTIL, write
from tests.app.catalogues import with_overflow

NOW = datetime(2026, 11, 24, 2, 28, tzinfo=UTC)


def observed(tmp_path: Path, overrides: dict[str, object] | None = None, now: datetime = NOW) -> System:
    settings = load(None, {"data": tmp_path, **(overrides or {})}, environ={})
    return compliance.observe(settings, FakeClock(now))


def text(document: Document) -> str:
    """Everything it says, in one line."""
    return " ".join(re.sub(r'[{}"\[\],]', " ", json.dumps(plain(document), ensure_ascii=False)).split())


def paper(system: System, key: str) -> Document:
    return compliance.papers(system)[key]


def within(blocks: tuple[Block, ...]) -> Iterator[Block]:
    for block in blocks:
        if isinstance(block, Columns):
            yield from within((*block.left, *block.right))
        else:
            yield block


def fact(document: Document, label: str) -> Cell:
    pairs = [pair for block in within(document.blocks) if isinstance(block, Facts) for pair in block.pairs]
    return next(value for name, value in pairs if name == label)


def table(document: Document, caption: str) -> Table:
    return next(block for block in within(document.blocks) if isinstance(block, Table) and block.caption == caption)


def state(system: System, what: str) -> Mark:
    found = [one.state for measures in goals(system).values() for one in measures if one.what.startswith(what)]
    (only,) = found
    assert isinstance(only, Mark)
    return only


@pytest.mark.parametrize(
    ("told", "all_of_them"),
    [
        (words.ROLES, Role),
        (words.PURPOSES, Purpose),
        (words.KINDS, Kind),
        (words.CATEGORIES, Category),
        (words.STANDINGS, Standing),
        (words.REASONS, DestroyReason),
        (words.GROUNDS, Ground),
    ],
)
def test_nothing_lacks_its_german_words(told: dict[StrEnum, object], all_of_them: type[StrEnum]) -> None:
    assert set(told) == set(all_of_them)
    assert len({str(one) for one in told.values()}) == len(told)


@pytest.mark.parametrize("key", [one.key for one in compliance.PAPERS])
def test_every_paper_can_be_read_in_every_form(tmp_path: Path, key: str) -> None:
    document = paper(observed(tmp_path), key)
    assert pdf(document).startswith(b"%PDF")
    assert 'Stand: <time datetime="2026-11-24T02:28:00+00:00">24. November 2026, 03:28 Uhr</time>' in html(document)
    assert document.insurer == "mkk – meine krankenkasse"
    assert plain(document)["language"] == "de"


def test_periods_are_those_of_the_settings(tmp_path: Path) -> None:
    system = observed(
        tmp_path,
        {"retention.days": 14, "retention.sweep_seconds": 5.0, "rights.objection_years": 1, "rights.case_days": 400},
    )
    rows = {str(row[0]): row for row in table(paper(system, "loeschkonzept"), "Löschregeln").rows}
    assert rows["Aufzeichnung"][2] == "14 Tage"
    assert rows["Widerspruch gegen künftige Aufzeichnungen"][2] == "1 Jahr"
    assert rows["Vorgänge zu Betroffenenrechten"][2] == "400 Tage"
    assert "Löschlauf alle 5 Sekunden" in text(paper(system, "loeschkonzept"))
    frists = {str(row[0]): row[1] for row in table(paper(system, "verarbeitungsverzeichnis"), RULES_CAPTION).rows}
    assert frists["Aufzeichnung und alles daraus Gewonnene, Rufnummer"] == "14 Tage nach der Aufnahme"
    for key in ("verarbeitungsverzeichnis", "loeschkonzept", "massnahmen", "folgenabschaetzung", "zugriffsmatrix"):
        assert "28 Tage" not in text(paper(system, key))
        assert "14 Tage" in text(paper(system, key))


RULES_CAPTION = "Regelfristen; Einzelheiten im Löschkonzept"


def test_a_longer_retention_is_told_with_its_reason_and_as_open(tmp_path: Path) -> None:
    system = observed(tmp_path, {"retention.days": 60, "retention.longer_because": "§ 12 Beispielgesetz"})
    assert "Grund der längeren Frist: § 12 Beispielgesetz" in text(paper(system, "loeschkonzept"))
    assert "§ 12 Beispielgesetz" in text(paper(system, "verarbeitungsverzeichnis"))
    assert state(system, "Löschung nach Frist").tone is Tone.OPEN
    assert state(observed(tmp_path), "Löschung nach Frist").tone is Tone.GOOD


def test_every_table_of_the_stores_has_its_rule(tmp_path: Path) -> None:
    rule_of = {
        "keys": "Aufzeichnung",
        "records": "Aufzeichnung",
        "contents": "Aufzeichnung",
        "corrections": "Aufzeichnung",
        "objections": "Widerspruch gegen künftige Aufzeichnungen",
        "cases": "Vorgänge zu Betroffenenrechten",
        "attachments": "Vorgänge zu Betroffenenrechten",
        "audit": "Zugriffsprotokoll",
        "audit_tip": "Zugriffsprotokoll",
        "heads": "Zugriffsprotokoll",
        "counters": "Zählungen",
        "tombstones": "Löschnachweise und Löschjournal",
    }
    without_a_person = {"probes", "masters", "secrets"}
    there = {name for main in (keys, records) for name in main.metadata.tables}
    assert there - without_a_person == set(rule_of), "a new table needs a rule in compliance/deletion.py"
    told = {rule.data for rule in deletion.rules(observed(tmp_path))}
    assert set(rule_of.values()) <= told


def test_every_class_of_deletion_holds_each_kind_of_data_once(tmp_path: Path) -> None:
    system = observed(tmp_path)
    matrix = table(paper(system, "loeschkonzept"), "Matrix der Löschklassen")
    listed = [kind for row in matrix.rows for cell in row[1:] for kind in str(cell).split("\n") if kind != "–"]
    assert sorted(listed) == sorted(rule.data for rule in deletion.rules(system))


def matrix(system: System) -> dict[tuple[str, str], bool]:
    found = table(paper(system, "zugriffsmatrix"), "Zugriffe nach Rolle und Zweck")
    return {
        (str(row[0]), column): cell == Mark("ja", Tone.GOOD)
        for row in found.rows
        for column, cell in zip(found.head[1:], row[1:], strict=True)
    }


def test_the_access_matrix_is_the_table_that_decides(tmp_path: Path) -> None:
    shown = matrix(observed(tmp_path))
    pairs = [(role, purpose) for role in Role for purpose in purposes(role)]
    assert len(shown) == len(pairs) * len(Kind)
    for role, purpose in pairs:
        for kind in Kind:
            column = f"{words.ROLES[role][0]}: {words.PURPOSES[purpose][0]}"
            assert shown[words.KINDS[kind], column] is allowed(role, purpose, kind)


def test_a_widened_role_shows_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = (words.KINDS[Kind.AUDIO], "Fachabteilung: Weiterleitung")
    assert not matrix(observed(tmp_path))[cell]
    seen = table(paper(observed(tmp_path), "verarbeitungsverzeichnis"), "Wer innerhalb der Kasse Daten erhält")
    assert [str(row[2]) for row in seen.rows if str(row[0]).endswith("weitergeleitet wurde")] == [
        "Anliegen und Wortlaut des an die eigene Abteilung übergebenen Anrufs"
    ]
    wider = {**access._ALLOWED, (Role.DEPARTMENT, Purpose.FORWARDING): frozenset({Kind.CONCERN, Kind.AUDIO})}
    monkeypatch.setattr(access, "_ALLOWED", wider)
    assert matrix(observed(tmp_path))[cell]
    seen = table(paper(observed(tmp_path), "verarbeitungsverzeichnis"), "Wer innerhalb der Kasse Daten erhält")
    assert any(str(row[2]).startswith("Ton, Anliegen") for row in seen.rows)


def test_processors_stand_with_what_the_register_says_that_day(tmp_path: Path) -> None:
    register = write(tmp_path / "register.yaml", AGREED)
    with_overflow(tmp_path / "departments.yaml", "stimme")
    given: dict[str, object] = {
        "processors.agreements": register,
        "departments.catalogue": tmp_path / "departments.yaml",
    }
    noon = datetime(BEGINS.year, BEGINS.month, BEGINS.day, 12, tzinfo=UTC)
    during = observed(tmp_path, given, noon)
    row = next(
        row
        for row in table(paper(during, "verarbeitungsverzeichnis"), "Verzeichnis der Dienstleister").rows
        if "overflow" in str(row[3])
    )
    assert isinstance(row[4], Mark)
    assert row[4].tone is Tone.GOOD
    assert "Fundstelle" in text(paper(during, "verarbeitungsverzeichnis"))
    assert str(row[0]) in text(paper(during, "folgenabschaetzung"))
    assert state(during, "Dienstleister erhalten").tone is Tone.GOOD
    after = observed(tmp_path, given, datetime(UNTIL.year, UNTIL.month, UNTIL.day, 12, tzinfo=UTC) + timedelta(1))
    row = next(
        row
        for row in table(paper(after, "verarbeitungsverzeichnis"), "Verzeichnis der Dienstleister").rows
        if "overflow" in str(row[3])
    )
    assert row[4] == Mark(words.STANDINGS[Standing.EXPIRED], Tone.BAD)
    assert fact(paper(after, "folgenabschaetzung"), "Dienstleister mit geltender Vereinbarung") == "keiner"
    assert state(after, "Dienstleister erhalten").tone is Tone.OPEN


@pytest.mark.parametrize(
    ("what", "overrides", "tone"),
    [
        ("Leitung zur Telefonanlage", {}, Tone.GOOD),
        ("Leitung zur Telefonanlage", {"sip.host": "10.0.0.5"}, Tone.BAD),
        ("Leitung zur Telefonanlage", {"sip.host": "sip.kasse.example", "sip.transports": ["udp"]}, Tone.BAD),
        ("Leitung zur Telefonanlage", {"sip.transports": ["tls"], "sip.tls.certificate": "x.pem"}, Tone.GOOD),
        ("Leitung zur Telefonanlage", {"sip.transports": ["tls", "udp"], "sip.tls.certificate": "x.pem"}, Tone.OPEN),
        ("Webseiten der Konsole", {}, Tone.GOOD),
        ("Webseiten der Konsole", {"console.host": "::1"}, Tone.GOOD),
        ("Webseiten der Konsole", {"console.host": "0.0.0.0"}, Tone.OPEN),  # noqa: S104 - the setting under test
        ("Hauptschlüssel", {}, Tone.OPEN),
        (
            "Hauptschlüssel",
            {"keys.provider": "vault", "keys.vault.address": "https://v:8200", "keys.vault.token": "t"},
            Tone.GOOD,
        ),
        ("Verbindung zu den Datenbanken", {}, Tone.GOOD),
        (
            "Verbindung zu den Datenbanken",
            {"records.rows": "postgresql://u:hunter2@a/rows", "records.keys": "postgresql://u:hunter2@b/keys"},
            Tone.OPEN,
        ),
        ("Arbeitsprozesse", {"sip.workers": 3}, Tone.GOOD),
        ("Arbeitsprozesse", {}, Tone.OPEN),
        ("Zweite Meinung", {}, Tone.GOOD),
        (
            "Zweite Meinung",
            {"understanding.llm.url": "http://127.0.0.1:1/v1", "understanding.llm.model": "m"},
            Tone.GOOD,
        ),
        (
            "Zweite Meinung",
            {
                "understanding.llm.url": "https://llm.example/v1",
                "understanding.llm.model": "m",
                "understanding.llm.processor": "aristech",
            },
            Tone.OPEN,
        ),
    ],
)
def test_a_measure_stands_as_it_is_set(tmp_path: Path, what: str, overrides: dict[str, object], tone: Tone) -> None:
    system = observed(tmp_path, overrides)
    assert state(system, what).tone is tone
    assert "hunter2" not in text(paper(system, "massnahmen"))
    open_ones = table(paper(system, "massnahmen"), "Was noch zu tun oder zu bestätigen ist")
    assert any(str(row[1]).startswith(what) for row in open_ones.rows) is (tone is not Tone.GOOD)


def test_the_impact_assessment_holds_every_sentence_of_the_notice_and_judges_nothing(tmp_path: Path) -> None:
    system = observed(tmp_path, {"call.objection_key": "8"})
    document = paper(system, "folgenabschaetzung")
    listed = [item for block in document.blocks if isinstance(block, Listing) for item in block.items]
    for sentence in system.notice.sentences()[1:]:
        assert sentence.text in listed
    risks = table(document, "Risiken für die Rechte und Freiheiten")
    assert len(risks.rows) >= 10
    assert all(isinstance(row[3], Mark) and row[3].tone is Tone.OPEN for row in risks.rows)
    assert "Taste 8 oder Worte" in text(paper(system, "massnahmen"))


def test_what_only_the_insurer_knows_stands_as_open(tmp_path: Path) -> None:
    record = paper(observed(tmp_path), "verarbeitungsverzeichnis")
    for label in ("Anschrift und Vertretung", "Eingeführt am", "Gemeinsam Verantwortliche"):
        value = fact(record, label)
        assert isinstance(value, Mark)
        assert value.tone is Tone.OPEN
    assert fact(record, "Rechtsgrundlage") == observed(tmp_path).notice.facts.legal_basis


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "#panic()", "=1+1", "a\u202eb"])
def test_settings_are_never_read_as_markup(tmp_path: Path, name: str) -> None:
    system = observed(tmp_path, {"insurer.name": name, "insurer.privacy_contact.written": name})
    for document in compliance.papers(system).values():
        assert pdf(document).startswith(b"%PDF")
        assert "<script>" not in html(document)


def test_periods_read_like_german() -> None:
    assert [days(number) for number in (1, 28, 365, 730, 1095)] == ["1 Tag", "28 Tage", "1 Jahr", "2 Jahre", "3 Jahre"]
