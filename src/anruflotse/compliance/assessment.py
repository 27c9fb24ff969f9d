"""What a data protection impact assessment (Art. 35 GDPR) needs from the system: facts, and what has to be judged.

It is no assessment: severity, likelihood and decision are the insurer's, with its officer's advice (Art. 35(2)).
"""

from __future__ import annotations

from anruflotse.compliance.system import System, missing, years
from anruflotse.documents import Block, Facts, Heading, Listing, Note, Paragraph, Table, Tone

RISKS: tuple[tuple[str, str, str], ...] = (
    (
        "Aufzeichnung vor dem Hinweis oder gegen den Widerspruch",
        "Heimliche Aufnahme vertraulicher Worte (§ 201 StGB), Verlust des Vertrauens",
        (
            "Aufnahme erst nach vollständig gehörtem Hinweis; Widerspruch verwirft alles im selben Schritt; ohne "
            "Hinweis keine Aufnahme; Rufnummern auf der Widerspruchsliste gehen ohne Aufnahme an Menschen"
        ),
    ),
    (
        "Mithören des Gesprächs mit Mitarbeitenden",
        "Aufzeichnung von Gesundheits- und Sozialdaten ohne Zweck",
        "Die Aufnahme endet nachweislich, bevor die Weiterleitung beginnt",
    ),
    (
        "Falsche Erkennung oder Einordnung",
        "Umweg, falsche Abteilung erfährt das Anliegen; bei Notfällen Zeitverlust",
        (
            "Rückfrage statt Vermutung unter den Schwellen; höchstens zwei Rückfragen, dann ein Mensch; Notfall sofort "
            "an Menschen; keine Entscheidung mit Rechtswirkung (Art. 22 DSGVO): es wird nur weitergeleitet"
        ),
    ),
    (
        "Ausschluss: Akzent, Sprachfehler, andere Sprache, Hörbehinderung",
        "Benachteiligung besonders schutzbedürftiger Menschen",
        "Mensch auf Wunsch jederzeit (Taste oder Worte), bei Schweigen und Nichtverstehen von selbst",
    ),
    (
        "Zugriff Unbefugter auf Aufzeichnungen",
        "Offenbarung von Gesundheits- und Sozialdaten",
        "Verschlüsselung je Aufzeichnung, getrennte Schlüssel, geschlossene Rollen und Zwecke, lückenloses Protokoll",
    ),
    (
        "Nutzung für andere Zwecke, etwa zum Anlernen von Modellen oder zur Leistungskontrolle",
        "Verlust der Zweckbindung",
        "Geschlossene Zweckliste ohne Anlernen; Zählungen ohne Bezug zu Anruf oder Person",
    ),
    (
        "Daten bleiben länger als zugesagt, etwa in Sicherungen",
        "Vorrat an Gesprächen",
        "Frist an jeder Aufzeichnung, Löschlauf, Schlüsselvernichtung macht Sicherungen unlesbar",
    ),
    (
        "Weitergabe an Dienstleister ohne oder über die Vereinbarung hinaus",
        "Verlust der Kontrolle",
        "Sperre je Datenart und Tag; jede Weitergabe steht an der Aufzeichnung",
    ),
    (
        "Auskunft an die falsche Person, Daten Dritter in der Auskunft",
        "Offenbarung an Angehörige, Arbeitgeber, Getrennte",
        (
            "Identitätsprüfung als Schritt mit Nachweis; Schwärzung und Zurückhalten entscheidet der Datenschutz mit "
            "Gegenüberstellung; Versand als verschlüsseltes Archiv, Kennwort auf anderem Weg"
        ),
    ),
    (
        "Überwachung der Beschäftigten durch das Zugriffsprotokoll",
        "Leistungs- und Verhaltenskontrolle",
        (
            "Protokoll enthält Zugriffe, keine Arbeitsmengen; Einsicht nur durch den Datenschutz; Frist und Einsicht "
            "sind mit der Personalvertretung zu regeln"
        ),
    ),
)
"""Scenario, harm to the person, what the software does about it."""


def blocks(system: System) -> tuple[Block, ...]:
    """The input, in the order of Art. 35(7)."""
    return (
        Note(
            "Grundlage für die Datenschutz-Folgenabschätzung, nicht sie selbst: Schwere, Wahrscheinlichkeit und "
            "Ergebnis bewertet die Kasse mit Rat ihrer oder ihres Datenschutzbeauftragten (Art. 35 Abs. 2).",
            Tone.OPEN,
        ),
        Heading("Warum eine Folgenabschätzung"),
        Paragraph(
            "Umfangreiche Verarbeitung besonderer Kategorien von Daten (Art. 35 Abs. 3 lit. b), neue Technik "
            "(Sprach- und Textverarbeitung mit gelernten Modellen) und schutzbedürftige Betroffene sprechen dafür, "
            "dass sie erforderlich ist."
        ),
        Heading("Beschreibung der Verarbeitung (Art. 35 Abs. 7 lit. a)"),
        Listing(
            (
                "Annahme des Anrufs, Vorstellung als Sprachassistent, Hinweis auf Aufzeichnung und Widerspruch.",
                "Offene Frage nach dem Anliegen; Aufnahme der Antwort im Arbeitsspeicher; Erkennung und Einordnung.",
                (
                    "Sicher: Weiterleitung. Unsicher: Rückfrage. Nicht verstanden, Schweigen, Wunsch oder Notfall: ein "
                    "Mensch."
                ),
                "Ende der Aufnahme, dann Weiterleitung mit einem Vorgangszeichen ohne Inhalt.",
                f"Verschlüsselte Ablage für {system.retention}, danach Löschung.",
            ),
            numbered=True,
        ),
        Facts(
            (
                ("Verantwortlicher", system.insurer),
                ("Erkennung der Sprache", _engine(system)),
                ("Einordnung", _reading(system)),
                ("Dienstleister mit geltender Vereinbarung", _names(system)),
                ("Fachabteilungen als Ziele", str(len(system.catalogue.departments))),
                ("Zahl der Anrufe im Jahr", missing()),
                ("Beginn des Betriebs", missing()),
            )
        ),
        Heading("Notwendigkeit und Verhältnismäßigkeit (lit. b)"),
        Facts(
            (
                ("Rechtsgrundlage", system.notice.facts.legal_basis),
                ("Besondere Kategorien (Art. 9 Abs. 2)", missing("gestützt auf")),
                ("Zweck", "Anliegen verstehen, einordnen, weiterleiten; sonst nichts"),
                ("Milderes Mittel", "Widerspruch in jedem Augenblick, ohne Nachteil: sofort ein Mensch"),
                ("Warum gespeichert wird", missing(f"Erforderlichkeit von {system.retention}")),
                (
                    "Informationspflicht",
                    "gesprochener Hinweis vor der Aufnahme; öffentlicher Hinweis, aus denselben Einstellungen",
                ),
                ("Rechte der Betroffenen", "Art. 15 bis 21 als Vorgänge mit Fristen und Nachweis"),
                ("Widerspruch für eine Nummer", years(system.settings.rights.objection_years)),
                ("KI-Verordnung", "Vorstellung als automatisierter Assistent (Art. 50 Abs. 1 VO (EU) 2024/1689)"),
            )
        ),
        Heading("Was den Anrufenden zugesagt ist", 2),
        Listing(tuple(sentence.text for sentence in system.notice.sentences()[1:])),
        Heading("Risiken (lit. c) und Abhilfe (lit. d)"),
        Table(
            ("Risiko", "Folgen für Betroffene", "Abhilfe in der Software", "Restrisiko"),
            tuple((*risk, missing("Bewertung")) for risk in RISKS),
            "Risiken für die Rechte und Freiheiten",
            (3, 3, 5, 2),
        ),
        Heading("Noch einzuholen"),
        Table(
            ("Was", "Stand"),
            (
                ("Rat der oder des Datenschutzbeauftragten (Art. 35 Abs. 2)", missing()),
                ("Standpunkt der Betroffenen oder ihrer Vertretung (Art. 35 Abs. 9)", missing()),
                ("Beteiligung der Personalvertretung", missing()),
                ("Konsultation der Aufsichtsbehörde, falls hohes Restrisiko (Art. 36)", missing()),
                ("Überprüfung bei Änderungen (Art. 35 Abs. 11)", missing("Turnus")),
            ),
            "Offene Schritte der Folgenabschätzung",
            (5, 3),
        ),
    )


def _engine(system: System) -> str:
    given = [use.by for one in system.in_force for use in one.uses if use.category.value == "sprachaufnahme"]
    return f"eigene Maschinen und {', '.join(given)}" if given else "auf eigenen Maschinen (Whisper, eingebettet)"


def _reading(system: System) -> str:
    second = system.settings.understanding.llm is not None
    also = " und zweite Meinung eines Sprachmodells in unsicheren Fällen" if second else ""
    return f"gelerntes Modell auf eigenen Maschinen{also}; jede Entscheidung mit Begründung gespeichert"


def _names(system: System) -> str:
    return ", ".join(one.processor.name for one in system.in_force) or "keiner"
