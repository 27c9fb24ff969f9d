"""The record of processing activities (Art. 30(1) GDPR) for this system's one activity, and the handling of rights."""

from __future__ import annotations

from collections.abc import Iterator

from anruflotse.app.processing import Situation
from anruflotse.compliance.system import System, days, missing, years
from anruflotse.compliance.words import CATEGORIES, PURPOSES, ROLES, STANDINGS, categories
from anruflotse.documents import Block, Cell, Facts, Heading, Listing, Mark, Note, Paragraph, Table, Tone
from anruflotse.documents.model import day
from anruflotse.processors import Agreement, Standing
from anruflotse.records.access import Kind, allowed, purposes


def blocks(system: System) -> tuple[Block, ...]:
    """The record, in the order of Art. 30(1)(a) to (g)."""
    return (
        Heading("Verantwortlicher (Art. 30 Abs. 1 lit. a)"),
        Facts(
            (
                ("Verantwortlicher", system.insurer),
                ("Anschrift und Vertretung", missing()),
                ("Datenschutzbeauftragte(r)", system.settings.insurer.privacy_contact.written),
                ("Aufsichtsbehörde", system.settings.rights.supervisory_authority),
                ("Gemeinsam Verantwortliche", Mark("keine bekannt: von der Kasse zu bestätigen", Tone.OPEN)),
            )
        ),
        Heading("Verarbeitungstätigkeit"),
        Facts(
            (
                ("Bezeichnung", "Automatisierter Sprachassistent (Voicebot) am Telefon"),
                (
                    "Beschreibung",
                    (
                        "Der Sprachassistent nimmt Anrufe an, weist auf Aufzeichnung und Widerspruch hin, fragt nach "
                        "dem Anliegen, erkennt es und leitet den Anruf an die zuständige Fachabteilung weiter. "
                        "Aufgezeichnet wird nur, was die anrufende Person auf seine Fragen sagt; das Gespräch mit "
                        "Mitarbeitenden wird nicht aufgezeichnet."
                    ),
                ),
                ("Rechtsgrundlage", system.notice.facts.legal_basis),
                ("Art der Grundlage", "gesetzliche Aufgabe mit Widerspruchsmöglichkeit, keine Einwilligung"),
                ("Eingeführt am", missing()),
                ("Fassung des Hinweises", system.notice.version()),
            )
        ),
        Heading("Zwecke (lit. b)"),
        Table(
            ("Zweck", "Bedeutung"),
            tuple(PURPOSES.values()),
            "Zwecke, die die Software kennt; andere gibt es nicht",
            (2, 6),
        ),
        Heading("Betroffene Personen und Daten (lit. c)"),
        Table(
            ("Betroffene", "Daten"),
            (
                (
                    "Anrufende (Versicherte und andere)",
                    (
                        "Sprachäußerung als Ton, erkannter Text, Einordnung (Anliegen, Abteilung, "
                        "Wahrscheinlichkeiten, Begründung), Rufnummer, Zeiten, Ziel und Ausgang der Weiterleitung, "
                        "Vorgangszeichen"
                    ),
                ),
                (
                    "Personen, von denen Anrufende sprechen",
                    "was über sie gesagt wird; vor jeder Auskunft entscheidet der Datenschutz über Schwärzung",
                ),
                (
                    "Antragstellende nach Art. 15 bis 21",
                    "Antrag, Art der Identitätsprüfung (keine Kopien von Ausweisen), Fristen, Schritte, Antwort",
                ),
                ("Widersprechende", "Prüfwert der Rufnummer mit Schlüssel (die Nummer selbst nicht)"),
                ("Mitarbeitende mit Zugriff", "Name, Rolle, Zweck, Zeit und Ergebnis jedes Zugriffs"),
            ),
            "Kategorien betroffener Personen und ihrer Daten",
            (2, 5),
        ),
        Note(
            "Was Anrufende einer Krankenkasse sagen, sind Sozialdaten (§ 67 Abs. 2 SGB X) und oft Gesundheitsdaten "
            "(Art. 9 Abs. 1 DSGVO). Die Software behandelt deshalb jede Äußerung als besonders schutzbedürftig."
        ),
        Heading("Empfänger (lit. d)"),
        *_recipients(system),
        Heading("Drittländer (lit. e)"),
        Paragraph(
            "Keine. Ein Dienstleister, der außerhalb des Europäischen Wirtschaftsraums verarbeitet oder "
            "verarbeiten lässt, ist in der Software gesperrt, auch wenn eine Vereinbarung eingetragen ist."
        ),
        *_places(system),
        Heading("Löschfristen (lit. f)"),
        Table(
            ("Daten", "Frist"),
            (
                ("Aufzeichnung und alles daraus Gewonnene, Rufnummer", f"{system.retention} nach der Aufnahme"),
                ("Widerspruch gegen künftige Aufzeichnungen", years(system.settings.rights.objection_years)),
                ("Vorgänge zu Betroffenenrechten", f"{days(system.settings.rights.case_days)} nach dem Abschluss"),
                ("Zugriffsprotokoll", missing("Frist")),
            ),
            "Regelfristen; Einzelheiten im Löschkonzept",
            (4, 4),
        ),
        *_longer(system),
        Heading("Technische und organisatorische Maßnahmen (lit. g)"),
        Paragraph("Siehe das Dokument „Technische und organisatorische Maßnahmen“ mit demselben Stand."),
    )


def _recipients(system: System) -> tuple[Block, ...]:
    departments = tuple(department.name for department in system.catalogue.departments.values())
    return (
        Heading("Innerhalb der Kasse", 2),
        Table(
            ("Empfänger", "Zweck", "Was sie sehen"),
            tuple(_inside()),
            "Wer innerhalb der Kasse Daten erhält",
            (7, 4, 7),
        ),
        Paragraph("Abteilungen, an die weitergeleitet werden kann:"),
        Listing(departments),
        Heading("Auftragsverarbeiter (Art. 28 DSGVO, § 80 SGB X)", 2),
        Table(
            ("Dienstleister", "Leistung", "Daten", "Genutzt für", "Stand heute"),
            tuple(_processor(one) for one in system.situations),
            "Verzeichnis der Dienstleister",
            (3, 4, 4, 3, 3),
        ),
        Paragraph(
            "Ein gesperrter Dienstleister erhält nichts: seine Arbeit übernimmt die Software selbst, oder das "
            "nächste Ziel."
        ),
        *(block for one in system.situations for block in _agreement(one)),
    )


_SEEN = {
    Kind.TEXT: "Wortlaut und Einordnung",
    Kind.AUDIO: "Ton",
    Kind.NUMBER: "Rufnummer",
    Kind.CONCERN: "Anliegen und Wortlaut des an die eigene Abteilung übergebenen Anrufs",
    Kind.STATISTICS: "Zählungen ohne Bezug zu einem Anruf",
}
"""The kinds of access that show something of a call or of many."""


def _inside() -> Iterator[tuple[Cell, ...]]:
    """Who sees what, from the table that decides."""
    for role, (_, who) in ROLES.items():
        for purpose in purposes(role):
            seen = [words for kind, words in _SEEN.items() if allowed(role, purpose, kind)]
            if seen:
                yield who, PURPOSES[purpose][0], ", ".join(seen)


def _processor(one: Situation) -> tuple[Cell, ...]:
    good = one.standing in {Standing.IN_FORCE, Standing.ENDS_SOON}
    return (
        one.processor.name,
        one.processor.service,
        categories(one.processor.categories),
        "\n".join(use.by for use in one.uses) or "nichts",
        Mark(STANDINGS[one.standing], Tone.GOOD if good else Tone.BAD if one.uses else Tone.OPEN),
    )


def _agreement(one: Situation) -> tuple[Block, ...]:
    held = one.processor.agreement
    if held is None:
        return ()
    return (
        Heading(f"Vereinbarung mit {one.processor.name}", 3),
        Facts(
            (
                ("Unterschrieben", day(held.signed)),
                ("Gilt", f"ab {day(held.begins)}, {'bis ' + day(held.until) if held.until else 'unbefristet'}"),
                ("Umfasst", ", ".join(words for one, words in CATEGORIES.items() if one in held.categories)),
                ("Orte der Verarbeitung", ", ".join(held.places)),
                ("Unterauftragnehmer", _subprocessors(held)),
                ("Fundstelle", held.reference),
            )
        ),
    )


def _subprocessors(held: Agreement) -> str:
    return "\n".join(f"{sub.name} ({sub.place})" for sub in held.subprocessors) or "keine eingetragen"


def _places(system: System) -> tuple[Block, ...]:
    found = [
        f"{one.processor.name}: {', '.join(one.processor.agreement.all_places)}"
        for one in system.in_force
        if one.processor.agreement is not None
    ]
    return (
        (Paragraph("Orte der Verarbeitung nach den geltenden Vereinbarungen:"), Listing(tuple(found))) if found else ()
    )


def _longer(system: System) -> tuple[Block, ...]:
    because = system.settings.retention.longer_because
    if not because:
        return ()
    return (Note(f"Längere Frist als die zugesagten 28 Tage, begründet mit: {because}", Tone.OPEN),)
