"""What keys of the software are called in German: each list is complete, and a test keeps it so."""

from __future__ import annotations

from collections.abc import Mapping

from anruflotse.processors import Category, Standing
from anruflotse.records.access import Kind, Role
from anruflotse.records.model import DestroyReason, Purpose
from anruflotse.records.restriction import Ground

ROLES: Mapping[Role, tuple[str, str]] = {
    Role.SPEECH: ("Sprachverarbeitung", "Mitarbeitende, die mit der technischen Verarbeitung der Sprache betraut sind"),
    Role.DEPARTMENT: ("Fachabteilung", "Mitarbeitende der Fachabteilung, an die der Anruf weitergeleitet wurde"),
    Role.PRIVACY: ("Datenschutz", "Datenschutzbeauftragte und ihre Mitarbeitenden"),
    Role.MANAGEMENT: ("Leitung", "Leitung, nur Zählungen"),
    Role.OPERATIONS: ("Technik", "Betrieb der Maschine, ohne Inhalte"),
}
"""Each role's name, and who has it."""

PURPOSES: Mapping[Purpose, tuple[str, str]] = {
    Purpose.FORWARDING: ("Weiterleitung", "Anliegen verstehen, einordnen und weiterleiten: wofür aufgezeichnet wird"),
    Purpose.RIGHTS: ("Betroffenenrechte", "Anträge nach Art. 15 bis 21 DSGVO bearbeiten"),
    Purpose.SUPERVISION: ("Datenschutzkontrolle", "prüfen, ob die Zusagen eingehalten werden (Art. 39 Abs. 1 lit. b)"),
    Purpose.STATISTICS: ("Statistik", "Zählungen ansehen, die zu keinem Anruf führen"),
    Purpose.OPERATION: ("Betrieb", "die Maschine betreiben; öffnet keine Aufzeichnung"),
}
"""Each purpose's name, and what it means. There is none for training."""

KINDS: Mapping[Kind, str] = {
    Kind.LIST: "Aufzeichnungen auflisten (ohne Wortlaut und Rufnummer)",
    Kind.TEXT: "Wortlaut und Einordnung lesen",
    Kind.AUDIO: "Ton anhören",
    Kind.NUMBER: "Rufnummer sehen",
    Kind.CONCERN: "Anliegen des an die eigene Abteilung übergebenen Anrufs sehen",
    Kind.FIND_REFERENCE: "nach Vorgangszeichen suchen",
    Kind.FIND_NUMBER: "nach Rufnummer suchen",
    Kind.FIND_WINDOW: "nach Zeitraum suchen",
    Kind.STATISTICS: "Zählungen sehen",
    Kind.TRAIL: "Zugriffsprotokoll lesen",
    Kind.RESTRICT: "Verarbeitung einschränken und das aufheben (Art. 18)",
    Kind.RECTIFY: "Berichtigung neben den erkannten Text setzen (Art. 16)",
    Kind.OBJECT: "Widerspruch gegen künftige Aufzeichnungen vermerken (Art. 21)",
    Kind.CASE: "Vorgänge zu Betroffenenrechten führen",
    Kind.DESTROY: "vorzeitig löschen (Art. 17)",
    Kind.ROTATE: "Hauptschlüssel wechseln (zeigt nichts)",
}
"""What each kind of access is."""

CATEGORIES: Mapping[Category, str] = {
    Category.AUDIO: "Sprachäußerung als Ton",
    Category.TEXT: "Sprachäußerung als Text",
    Category.CALL: "weitergeleiteter Anruf (Rufnummer und Gespräch)",
    Category.PROMPTS: "Ansagetexte, die das Anliegen nennen können",
}
"""What each kind of data for processors is."""

STANDINGS: Mapping[Standing, str] = {
    Standing.IN_FORCE: "Vereinbarung gilt",
    Standing.ENDS_SOON: "Vereinbarung gilt, endet bald",
    Standing.NO_AGREEMENT: "keine Vereinbarung eingetragen: gesperrt",
    Standing.NOT_YET_IN_FORCE: "Vereinbarung gilt noch nicht: gesperrt",
    Standing.EXPIRED: "Vereinbarung abgelaufen: gesperrt",
    Standing.OUTSIDE_EEA: "Verarbeitung außerhalb des EWR: gesperrt",
    Standing.UNREADABLE: "Verzeichnis nicht lesbar: gesperrt",
}
"""How an agreement can stand."""

REASONS: Mapping[DestroyReason, str] = {
    DestroyReason.EXPIRED: "Frist abgelaufen",
    DestroyReason.ERASED: "Löschung auf Antrag oder von Gesetzes wegen (Art. 17)",
    DestroyReason.OBJECTED: "Widerspruch nach dem Anruf (Art. 21)",
    DestroyReason.ABANDONED: "aufgelegt, bevor weitergeleitet werden konnte",
    DestroyReason.HALF_WRITTEN: "unvollständig geschrieben, oder aus einer alten Sicherung",
}
"""Why a record can end."""

GROUNDS: Mapping[Ground, str] = {
    Ground.CONTESTED: "Richtigkeit bestritten, für die Dauer der Prüfung",
    Ground.UNLAWFUL: "Verarbeitung unrechtmäßig, Einschränkung statt Löschung verlangt",
    Ground.LEGAL_CLAIMS: "für Rechtsansprüche der betroffenen Person gebraucht",
    Ground.OBJECTED: "Widerspruch eingelegt, Abwägung steht aus",
}
"""The grounds of Art. 18(1) GDPR."""


def categories(given: frozenset[Category]) -> str:
    """Kinds of data in the order of the list above."""
    return ", ".join(words for category, words in CATEGORIES.items() if category in given)
