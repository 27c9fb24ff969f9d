"""The access matrix: the table that decides, read from the software that asks it."""

from __future__ import annotations

from anruflotse.compliance.system import System
from anruflotse.compliance.words import KINDS, PURPOSES, ROLES
from anruflotse.documents import Block, Cell, Heading, Listing, Mark, Note, Paragraph, Table, Tone
from anruflotse.records.access import Role, allowed, purposes
from anruflotse.records.model import SMALL as SMALLEST_COUNT
from anruflotse.records.model import Purpose

YES = Mark("ja", Tone.GOOD)
NO = "–"


def blocks(system: System) -> tuple[Block, ...]:
    """The matrix, its words, and the rules that hold beside it."""
    pairs = [(role, purpose) for role in Role for purpose in purposes(role)]
    return (
        Paragraph(
            "Wer auf Aufzeichnungen und daraus Gewonnenes zugreift, nennt Namen, Rolle und Zweck. Was in dieser "
            "Tabelle nicht steht, lehnt die Software ab. Die Tabelle ist aus der Stelle erzeugt, die bei jedem "
            "Zugriff gefragt wird."
        ),
        Heading("Wer darf was"),
        Table(
            ("Zugriff", *(f"{ROLES[role][0]}: {PURPOSES[purpose][0]}" for role, purpose in pairs)),
            tuple(
                (words, *(_cell(allowed(role, purpose, kind)) for role, purpose in pairs))
                for kind, words in KINDS.items()
            ),
            "Zugriffe nach Rolle und Zweck",
            (7, *(3 for _ in pairs)),
        ),
        Heading("Rollen"),
        Table(
            ("Rolle", "Wer", "Kennung"),
            tuple((name, who, role.value) for role, (name, who) in ROLES.items()),
            "Rollen und wer sie hat",
            (2, 5, 2),
        ),
        Heading("Zwecke"),
        Paragraph("Die Liste ist abgeschlossen. Einen Zweck zum Anlernen von Modellen gibt es nicht."),
        Table(
            ("Zweck", "Bedeutung", "Rollen"),
            tuple((name, what, _roles(purpose)) for purpose, (name, what) in PURPOSES.items()),
            "Zwecke und wer sie verfolgen darf",
            (3, 6, 4),
        ),
        Heading("Was außerdem gilt"),
        Listing(
            (
                (
                    "Jeder Zugriff und jede Ablehnung steht im Zugriffsprotokoll, bevor etwas gezeigt wird. Lässt "
                    "sich der Eintrag nicht schreiben, gibt es keinen Zugriff."
                ),
                "Eingeschränkte Aufzeichnungen (Art. 18) sieht nur, wer Betroffenenrechte bearbeitet.",
                (
                    f"Abgelaufene Aufzeichnungen ({system.retention} nach der Aufnahme) sieht niemand mehr, auch "
                    "wenn der Löschlauf noch aussteht."
                ),
                (
                    "Die Fachabteilung sieht das Anliegen nur über das Vorgangszeichen, das mit dem Anruf kam, und "
                    "nur, wenn der Anruf an sie ging."
                ),
                f"Zählungen unter {SMALLEST_COUNT} werden nicht als Zahl gezeigt.",
                (
                    "Nur zählende oder löschende Vorgänge der Maschine (Löschlauf, Abgleich, Prüfung des Protokolls) "
                    "brauchen keine Rolle: sie zeigen keine Inhalte."
                ),
            )
        ),
        Note(
            "Wer die Programme auf der Maschine selbst aufrufen darf, nennt seine Rolle dort nur: sie wird "
            "protokolliert, nicht erzwungen. Dieser Zugang gehört allein in die Hände des Betriebs.",
            Tone.OPEN,
        ),
        Heading("Von der Kasse zu führen"),
        Paragraph(
            "Welche Personen welche Rolle haben, seit wann und durch wen bestimmt, weiß die Software nicht. Diese "
            "Liste gehört zu diesem Dokument."
        ),
    )


def _roles(purpose: Purpose) -> str:
    return ", ".join(ROLES[role][0] for role in Role if purpose in purposes(role)) or "niemand"


def _cell(granted: bool) -> Cell:  # noqa: FBT001 - a cell of yes or no
    return YES if granted else NO
