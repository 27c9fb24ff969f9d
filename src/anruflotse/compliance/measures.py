"""Technical and organisational measures (Art. 24, 25, 32 GDPR), by the goals of the Standard Data Protection Model.

What a setting decides is told as it is set here: a gap is shown as one. What the organisation has to do stands as open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from anruflotse.compliance.system import System, missing
from anruflotse.documents import Block, Cell, Heading, Mark, Note, Paragraph, Table, Tone
from anruflotse.processors import Standing

IN_SOFTWARE = Mark("in der Software", Tone.GOOD)
"""Holds whatever the settings say."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What is done, how it stands in this installation, and where that can be checked."""

    what: str
    state: Cell
    proof: str


def goals(system: System) -> dict[str, tuple[Measure, ...]]:
    """The measures by protection goal."""
    return {
        "Vertraulichkeit": tuple(_confidentiality(system)),
        "Integrität": tuple(_integrity()),
        "Verfügbarkeit und Belastbarkeit": tuple(_availability(system)),
        "Nichtverkettung (Zweckbindung)": tuple(_separation(system)),
        "Datenminimierung": tuple(_minimisation(system)),
        "Transparenz": tuple(_transparency(system)),
        "Intervenierbarkeit": tuple(_intervention(system)),
        "Organisation": tuple(_organisation()),
    }


def blocks(system: System) -> tuple[Block, ...]:
    """The measures, goal by goal."""
    found = goals(system)
    open_ones = [(goal, one) for goal, measures in found.items() for one in measures if _open(one)]
    tables: list[Block] = []
    for goal, measures in found.items():
        rows = tuple((one.what, one.state, one.proof) for one in measures)
        head = ("Maßnahme", "In dieser Installation", "Nachweis")
        tables += [Heading(goal), Table(head, rows, f"Maßnahmen: {goal}", (5, 4, 3))]
    return (
        Paragraph(
            "Gegliedert nach den Gewährleistungszielen des Standard-Datenschutzmodells. „In der Software“ heißt: "
            "gilt bei jeder Einstellung und wird von automatischen Prüfungen gesichert. Alles andere gibt wieder, "
            "wie diese Installation eingestellt ist."
        ),
        Note(
            f"{len(open_ones)} Punkte sind offen oder vom Betrieb sicherzustellen; sie stehen am Ende zusammen.",
            Tone.OPEN,
        ),
        *tables,
        Heading("Offene Punkte"),
        Table(
            ("Ziel", "Maßnahme", "Stand"),
            tuple((goal, one.what, one.state) for goal, one in open_ones),
            "Was noch zu tun oder zu bestätigen ist",
            (3, 5, 4),
        ),
    )


def _open(one: Measure) -> bool:
    return isinstance(one.state, Mark) and one.state.tone in {Tone.OPEN, Tone.BAD}


def _confidentiality(system: System) -> Iterator[Measure]:
    settings = system.settings
    yield Measure(
        "Gespeichertes ist verschlüsselt: AES-256-GCM mit eigenem Schlüssel je Aufzeichnung, Schlüssel getrennt "
        "von den Datensätzen und nur verpackt gespeichert",
        IN_SOFTWARE,
        "docs/records.md",
    )
    vault = settings.keys.provider == "vault"
    yield Measure(
        "Hauptschlüssel, wechselbar im laufenden Betrieb",
        Mark("in HashiCorp Vault, verlässt ihn nie", Tone.GOOD)
        if vault
        else Mark("auf dieser Maschine: Zugang zur Maschine schützt ihn", Tone.OPEN),
        "anruflotse keys status",
    )
    yield Measure(
        "Sprache im laufenden Anruf nur im Arbeitsspeicher, nicht in Speicherabbildern", IN_SOFTWARE, "docs/records.md"
    )
    yield Measure(
        "Zugriff nur mit Name, Rolle und Zweck nach geschlossener Tabelle",
        IN_SOFTWARE,
        "Zugriffsmatrix, docs/access.md",
    )
    yield Measure("Leitung zur Telefonanlage", _line(system), "Einstellung sip.transports")
    yield Measure("Webseiten der Konsole", _console(system), "Einstellung console.host")
    yield Measure("Verbindung zu den Datenbanken", _databases(system), "Einstellungen records.rows, records.keys")
    yield Measure(
        "Betriebsprotokolle aus festen Sätzen und zufälligen Kennungen; Fehlermeldungen ohne Inhalte",
        IN_SOFTWARE,
        "Prüfung mit Suchwörtern in Protokoll und Datenträger",
    )
    yield Measure("Verschlüsselter Datenträger unter dem Datenverzeichnis", missing(), "Betriebshandbuch der Kasse")


def _line(system: System) -> Mark:
    transports = system.settings.sip.transports
    if transports == ("tls",):
        return Mark("nur verschlüsselt (TLS, Sprache über SRTP)", Tone.GOOD)
    if "tls" in transports:
        return Mark(f"TLS möglich, daneben unverschlüsselt ({', '.join(transports)})", Tone.OPEN)
    if _loopback(system.settings.sip.host):
        return Mark("nur auf der Maschine selbst erreichbar", Tone.GOOD)
    return Mark(f"unverschlüsselt ({', '.join(transports)}): nur in einem abgeschotteten Netz zulässig", Tone.BAD)


def _console(system: System) -> Mark:
    if _loopback(system.settings.console.host):
        return Mark("nur auf der Maschine selbst erreichbar", Tone.GOOD)
    return Mark("im Netz erreichbar: braucht einen vorgeschalteten Server mit TLS", Tone.OPEN)


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _databases(system: System) -> Cell:
    if system.settings.records.rows is None:
        return Mark("keine: Dateien auf dieser Maschine, nur für den Dienst lesbar", Tone.GOOD)
    return Mark("PostgreSQL: TLS und Prüfung des Zertifikats vom Betrieb sicherzustellen", Tone.OPEN)


def _integrity() -> Iterator[Measure]:
    yield Measure(
        "Jeder Teil ist an seine Aufzeichnung gebunden; vertauschte, verlängerte oder geänderte Datensätze öffnen "
        "sich nicht",
        IN_SOFTWARE,
        "docs/records.md",
    )
    yield Measure(
        "Zugriffsprotokoll als Kette mit Prüfsummen und signierten Ständen (Ed25519)",
        IN_SOFTWARE,
        "anruflotse audit verify",
    )
    yield Measure("Signierte Stände regelmäßig außerhalb der Maschine ablegen", missing(), "docs/audit.md")
    yield Measure("Festgeschriebene Programmbibliotheken mit Prüfsummen", IN_SOFTWARE, "requirements/*.txt")


def _availability(system: System) -> Iterator[Measure]:
    yield Measure(
        "Fällt ein Teil aus, geht der Anruf an Menschen; es wird dann nichts aufgezeichnet",
        IN_SOFTWARE,
        "Störungstests",
    )
    workers = system.settings.sip.workers
    yield Measure(
        "Arbeitsprozesse für die Telefonie: fällt einer aus, trifft das nur dessen Anrufe",
        Mark(f"{workers} Prozesse", Tone.GOOD)
        if workers > 1
        else Mark("1 Prozess: Ausfall trifft alle Anrufe", Tone.OPEN),
        "Einstellung sip.workers",
    )
    yield Measure("Wiederherstellung ohne Rückkehr gelöschter Daten", IN_SOFTWARE, "anruflotse records reconcile")
    yield Measure(
        "Sicherung der Datensätze (nicht der Schlüssel), Ersatzmaschine, Notstrom",
        missing(),
        "Notfallkonzept der Kasse",
    )


def _separation(system: System) -> Iterator[Measure]:
    yield Measure("Geschlossene Liste von Zwecken; kein Zweck zum Anlernen von Modellen", IN_SOFTWARE, "Zugriffsmatrix")
    used = [one for one in system.situations if one.uses]
    refused = [one for one in used if one.standing not in {Standing.IN_FORCE, Standing.ENDS_SOON}]
    if not used:
        state = Mark("kein Dienstleister wird genutzt", Tone.GOOD)
    elif refused:
        state = Mark(f"gesperrt: {', '.join(one.processor.name for one in refused)}", Tone.OPEN)
    else:
        state = Mark(f"genutzt: {', '.join(one.processor.name for one in used)}", Tone.GOOD)
    yield Measure(
        "Dienstleister erhalten Daten nur unter einer geltenden Vereinbarung, die die Datenart umfasst und im EWR "
        "bleibt; gefragt wird bei jeder Äußerung und jeder Weiterleitung",
        state,
        "anruflotse processors",
    )
    model = system.settings.understanding.llm
    if model is None:
        opinion: Cell = Mark("nicht genutzt", Tone.GOOD)
    elif model.processor is None:
        opinion = Mark("auf Maschinen der Kasse", Tone.GOOD)
    else:
        opinion = Mark(f"bei Dienstleister „{model.processor}“", Tone.OPEN)
    yield Measure("Zweite Meinung eines Sprachmodells", opinion, "Einstellung understanding.llm")
    yield Measure("Zählungen ohne Kennungen, kleine Zahlen verdeckt", IN_SOFTWARE, "docs/access.md")


def _minimisation(system: System) -> Iterator[Measure]:
    yield Measure(
        "Nur die Seite der anrufenden Person, nur zwischen Frage und Ende der Antwort", IN_SOFTWARE, "Anruftests"
    )
    yield Measure(
        "Das Gespräch mit Mitarbeitenden wird nicht aufgezeichnet: die Aufnahme endet vor der Weiterleitung",
        IN_SOFTWARE,
        "Anruftests",
    )
    long = bool(system.settings.retention.longer_because)
    yield Measure(
        "Löschung nach Frist, automatisch",
        Mark(f"nach {system.retention}", Tone.OPEN if long else Tone.GOOD),
        "Löschkonzept, anruflotse retention status",
    )
    yield Measure(
        "Anrufe ohne Anliegen hinterlassen nur eine Zählung, Widersprechende auch keine Rufnummer",
        IN_SOFTWARE,
        "Anruftests",
    )
    yield Measure("Weitergereicht wird nur ein Vorgangszeichen, nie Inhalt", IN_SOFTWARE, "Anruftests")


def _transparency(system: System) -> Iterator[Measure]:
    yield Measure(
        "Hinweis auf Sprachassistent, Aufzeichnung und Widerspruch vor der ersten Aufnahme",
        IN_SOFTWARE,
        "anruflotse verify",
    )
    yield Measure(
        "Öffentlicher Hinweis aus denselben Einstellungen wie der Betrieb, jede Fassung aufbewahrt",
        Mark(f"Fassung {system.notice.version()}", Tone.GOOD),
        "anruflotse notice --editions",
    )
    yield Measure(
        "Jede Aufzeichnung nennt Rechtsgrundlage, Zweck, Fassung des Hinweises und beteiligte Dienstleister",
        IN_SOFTWARE,
        "Auskunft",
    )
    yield Measure("Zugriffe und Ablehnungen vollständig protokolliert", IN_SOFTWARE, "anruflotse audit list")


def _intervention(system: System) -> Iterator[Measure]:
    key = system.settings.call.objection_key
    yield Measure(
        "Widerspruch jederzeit im Anruf; alles bis dahin Aufgenommene wird verworfen, ein Mensch übernimmt",
        Mark(f"Taste {key} oder Worte", Tone.GOOD),
        "anruflotse verify",
    )
    yield Measure(
        "Auskunft, Kopie, Berichtigung, Löschung, Einschränkung, Widerspruch mit Fristen und Nachweis",
        IN_SOFTWARE,
        "anruflotse rights",
    )
    yield Measure("Sperre künftiger Aufzeichnungen für eine Rufnummer", IN_SOFTWARE, "anruflotse rights object")


def _organisation() -> Iterator[Measure]:
    for what in (
        "Rollen vergeben, entziehen und jährlich prüfen",
        "Verpflichtung auf Sozial- und Datengeheimnis, Schulung",
        "Zutritt und Zugang zu den Maschinen",
        "Meldeweg bei Verletzungen des Schutzes (Art. 33, 34 DSGVO; § 83a SGB X)",
        "Beteiligung der Personalvertretung (Protokollierung von Namen)",
        "Einspielen von Sicherheitsaktualisierungen",
    ):
        yield Measure(what, missing(), "Unterlagen der Kasse")
