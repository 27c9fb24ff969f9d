"""The deletion concept, in the structure DIN 66398 gives it: kinds of data, rules, classes, how each is carried out."""

from __future__ import annotations

from dataclasses import dataclass

from anruflotse.compliance.system import System, days, missing, years
from anruflotse.compliance.words import GROUNDS, REASONS
from anruflotse.documents import Block, Cell, Facts, Heading, Listing, Mark, Note, Paragraph, Table, Tone
from anruflotse.records.restriction import HOLDING, Ground

AT_ONCE = "sofort"
NEVER = "keine Löschung nötig: ohne Personenbezug"

COLLECTED = "Erhebung"
SETTLED = "Ende des Vorgangs"
"""Two of the three types of start in DIN 66398; no period here begins with the end of a relationship."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind of data with its rule: how long, from when, how it is carried out, and who answers for it."""

    data: str
    what: str
    period: Cell
    kind: str
    start: str
    done: str
    owner: str = "Technik (Betrieb der Software)"


def rules(system: System) -> tuple[Rule, ...]:
    """Every kind of data this system holds, the shortest-lived first."""
    settings = system.settings
    sweep = f"Löschlauf alle {settings.retention.sweep_seconds:g} Sekunden"
    return (
        Rule(
            data="Ton im laufenden Anruf",
            what="Sprache vor der Weiterleitung, nur im Arbeitsspeicher",
            period=AT_ONCE,
            kind=SETTLED,
            start="Widerspruch, Auflegen oder Ende des Anrufs",
            done="Speicher wird mit Nullen überschrieben; nichts davon gelangt auf einen Datenträger",
        ),
        Rule(
            data="Aufzeichnung",
            what="Ton, erkannter Text, Einordnung, Begründung, Anliegen, Ziel, Rufnummer, Berichtigungen (Art. 16)",
            period=system.retention,
            kind=COLLECTED,
            start="Beginn der Aufnahme",
            done=f"Schlüssel, danach Datensatz gelöscht; {sweep}; ab Fristablauf lehnt jeder Zugriff ab",
        ),
        Rule(
            data="Prüfwert der Rufnummer",
            what="Suchbegriff mit geheimem Schlüssel, beim Schlüssel der Aufzeichnung",
            period=system.retention,
            kind=COLLECTED,
            start="Beginn der Aufnahme",
            done="mit dem Schlüssel der Aufzeichnung",
        ),
        Rule(
            data="Widerspruch gegen künftige Aufzeichnungen",
            what="Prüfwert der Rufnummer mit geheimem Schlüssel, Ende der Wirkung",
            period=years(settings.rights.objection_years),
            kind=SETTLED,
            start="Eintrag des Widerspruchs",
            done=sweep,
            owner="Datenschutz (Eintrag), Technik (Löschlauf)",
        ),
        Rule(
            data="Vorgänge zu Betroffenenrechten",
            what="Antrag, Art der Identitätsprüfung, Schritte, Antwort, Nachweise; kein Wort aus Aufzeichnungen",
            period=days(settings.rights.case_days),
            kind=SETTLED,
            start="letzte Änderung, also der Abschluss",
            done=f"Schlüssel, danach Vorgang gelöscht; {sweep}",
            owner="Datenschutz (Abschluss), Technik (Löschlauf)",
        ),
        Rule(
            data="Zugriffsprotokoll",
            what="Name, Rolle, Zweck, Zeit, Kennung der Aufzeichnung und Ergebnis jedes Zugriffs",
            period=missing("Frist"),
            kind=COLLECTED,
            start="Zugriff",
            done="die Software löscht keinen Eintrag: Prüfen, letzten Stand ablegen, beide Datenbanken archivieren",
            owner="Datenschutz mit Personalvertretung",
        ),
        Rule(
            data="Löschnachweise und Löschjournal",
            what="zufällige Kennung, Zeit und Grund einer Löschung",
            period=NEVER,
            kind=COLLECTED,
            start="Löschung",
            done="bleiben, damit eine alte Sicherung nichts zurückbringt",
        ),
        Rule(
            data="Zählungen",
            what="Anzahl je Tag, Art, Abteilung und Ausgang; kein Bezug zu einem Anruf",
            period=NEVER,
            kind=COLLECTED,
            start="Anruf",
            done="bleiben",
        ),
        Rule(
            data="Betriebsprotokoll",
            what="feste Sätze mit zufälligen Kennungen; keine Namen, Nummern oder Äußerungen",
            period=missing("Frist des Systems, das es sammelt"),
            kind=COLLECTED,
            start="Ereignis",
            done="die Software schreibt es aus und behält nichts",
        ),
        Rule(
            data="Fassungen des Hinweises",
            what="Wortlaut, der galt; keine Daten von Personen",
            period=NEVER,
            kind=SETTLED,
            start="Ende der Geltung",
            done="bleiben als Nachweis",
        ),
    )


def blocks(system: System) -> tuple[Block, ...]:
    """The concept."""
    made = rules(system)
    return (
        Paragraph(
            f"Dieses Konzept ordnet die Löschung im Sprachassistenten der {system.insurer} nach dem Aufbau von DIN "
            "66398: Datenarten, Löschregeln, Löschklassen und Umsetzung. Die Fristen sind die der Einstellungen, "
            "nach denen das System läuft; eine andere Frist bekommt dieses Dokument, sobald sie dort eingestellt "
            "ist."
        ),
        *_promise(system),
        Heading("Datenarten und Löschregeln"),
        Table(
            ("Datenart", "Inhalt", "Regelfrist", "ab"),
            tuple((rule.data, rule.what, rule.period, rule.start) for rule in made),
            "Löschregeln",
            (3, 5, 3, 3),
        ),
        Heading("Löschklassen"),
        Paragraph("Eine Löschklasse ist eine Frist mit der Art ihres Beginns."),
        Table(
            ("Frist", COLLECTED, SETTLED),
            tuple(
                (period, _of(made, period, COLLECTED), _of(made, period, SETTLED))
                for period in dict.fromkeys(_text(rule.period) for rule in made)
            ),
            "Matrix der Löschklassen",
            (3, 4, 4),
        ),
        Heading("Umsetzung"),
        Table(
            ("Datenart", "Wie gelöscht wird", "Verantwortlich"),
            tuple((rule.data, rule.done, rule.owner) for rule in made),
            "Umsetzung je Datenart",
            (3, 5, 3),
        ),
        Heading("Reihenfolge einer Löschung", 2),
        Listing(
            (
                "Bei vorzeitiger Löschung: eine Zeile im Löschjournal, auf dem Datenträger bestätigt.",
                (
                    "Der Schlüssel der Aufzeichnung wird gelöscht und das bestätigt. Ab jetzt ist sie in jeder "
                    "Kopie der Datensätze unlesbar, auch in Sicherungen."
                ),
                "Der Datensatz wird gelöscht; ein Löschnachweis ohne Inhalt bleibt.",
                (
                    "Reste in den Datenbanken werden entfernt (SQLite: mit Nullen überschrieben, Protokolldateien "
                    "geleert)."
                ),
                "Einmal am Tag wird der Schlüsselspeicher neu geschrieben.",
            ),
            numbered=True,
        ),
        Heading("Sicherungskopien", 2),
        Listing(
            (
                (
                    "Gesichert werden darf der Speicher der Datensätze. Der Schlüsselspeicher wird nicht "
                    "gesichert, der Hauptschlüssel liegt einmal im Tresor."
                ),
                (
                    "Eine zurückgespielte Sicherung bringt nichts zurück: die Schlüssel fehlen, Löschnachweise und "
                    "Journal gewinnen, und der Abgleich beim Start löscht erneut."
                ),
                _stores(system),
            )
        ),
        Heading("Löschen außer der Reihe"),
        Table(
            ("Anlass", "Kennung im Nachweis"),
            tuple((words, one.value) for one, words in REASONS.items()),
            "Anlässe",
            (6, 2),
        ),
        Paragraph(
            "Vorzeitig gelöscht wird nach Aufzeichnung, Rufnummer oder Zeitraum, auf Antrag oder von Gesetzes "
            "wegen. Kann eine Löschung nicht vollendet werden, meldet die Software das, und der nächste Löschlauf "
            "vollendet sie."
        ),
        Heading("Aussetzen der Löschung"),
        Paragraph(
            "Eine Einschränkung der Verarbeitung (Art. 18) verlängert die Frist nicht. Nur wenn die betroffene "
            "Person das verlangt und das Gesetz es vorsieht, bleibt die Aufzeichnung darüber hinaus gesperrt "
            "liegen, mit einem Datum zur Wiedervorlage:"
        ),
        Listing(
            tuple(f"Art. 18 Abs. 1 lit. {ground.value}: {GROUNDS[ground]}" for ground in Ground if ground in HOLDING)
        ),
        Heading("Kontrolle und Nachweis"),
        Facts(
            (
                ("Stand der Löschung", "anruflotse retention status: Bestand, nächste Frist, überfällige, gesperrte"),
                ("Prüfung der Zusage", "anruflotse verify prüft Frist und Löschung am laufenden System"),
                (
                    "Nachweis einer Löschung",
                    "Löschnachweis mit Kennung, Zeit, Grund; Zugriffsprotokoll, wer sie verlangte",
                ),
                ("Überprüfung dieses Konzepts", missing("Turnus und Zuständigkeit")),
            )
        ),
        Heading("Grenzen"),
        Note(
            "Was ein Dateisystem oder ein SSD-Speicher nach dem Löschen physisch zurückbehält, erreicht keine "
            "Datenbank: das Datenverzeichnis gehört auf einen verschlüsselten Datenträger, der Schlüsselspeicher "
            "auf einen ohne Momentaufnahmen. Eine Momentaufnahme der ganzen Maschine samt Journal kann Gelöschtes "
            "zurückbringen; dann sind die Löschungen seither aus den Vorgängen zu wiederholen.",
            Tone.OPEN,
        ),
    )


def _promise(system: System) -> tuple[Block, ...]:
    sentences = [sentence.text for sentence in system.notice.sentences() if "P11" in sentence.promises]
    because = system.settings.retention.longer_because
    told: tuple[Block, ...] = (
        Paragraph("Zugesagt ist den Anrufenden im öffentlichen Hinweis:"),
        Listing(tuple(sentences)),
    )
    return (*told, Note(f"Grund der längeren Frist: {because}", Tone.OPEN)) if because else told


def _stores(system: System) -> str:
    if system.settings.records.rows is None:
        return "Diese Installation speichert in Dateien des Datenverzeichnisses (SQLite)."
    return (
        "Diese Installation speichert in zwei PostgreSQL-Datenbanken. Der Server der Schlüssel darf weder sein "
        "Transaktionsprotokoll archivieren noch Sicherungen mit früheren Ständen haben; anruflotse doctor prüft das."
    )


def _of(made: tuple[Rule, ...], period: str, kind: str) -> str:
    return "\n".join(rule.data for rule in made if _text(rule.period) == period and rule.kind == kind) or "–"


def _text(period: Cell) -> str:
    return period.text if isinstance(period, Mark) else period
