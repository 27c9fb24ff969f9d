"""Access (Art. 15 GDPR): what is stored, why, since when and until when, where it came from, and who has seen it.

Names of staff are not told: whoever looked did so on behalf of the insurer, and the person learns when, in which role
and what for (CJEU C-579/21, 22 June 2023). Recipients outside, the processors, are told by name (C-154/21).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from anruflotse.documents import Block, Cell, Facts, Heading, Listing, Note, Paragraph, Table
from anruflotse.documents.model import day, moment
from anruflotse.records.access import Accessor
from anruflotse.records.model import Correction, Recipient, Record
from anruflotse.rights import letters, notification, searching, shown
from anruflotse.rights.model import Decision, Finding, Request
from anruflotse.rights.office import Filed, Office
from anruflotse.rights.redaction import hidden, redacted

_RIGHTS = "betroffenenrechte"
_ROLES: Mapping[str, str] = {
    "sprachverarbeitung": "Mitarbeitende, die Anrufe technisch bearbeiten",
    "fachabteilung": "Mitarbeitende der Fachabteilung, die Ihren Anruf bekommen hat",
    "datenschutz": "Mitarbeitende des Datenschutzes",
}
_PURPOSES: Mapping[str, str] = {
    "weiterleitung": "um Ihr Anliegen zu bearbeiten",
    _RIGHTS: "um einen Antrag auf Ihre Rechte zu bearbeiten",
    "datenschutzkontrolle": "um zu prüfen, ob der Datenschutz eingehalten wird",
}
_ACTS: Mapping[str, str] = {"text": "Text", "audio": "Text und Ton", "concern": "Anliegen und Text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A record as it is handed out, with who was shown it; `sound` when there is some, handed out or not."""

    record: Record
    finding: Finding
    seen: tuple[Recipient, ...]
    sound: bool


def collected(office: Office, filed: Filed, accessor: Accessor, *, audio: bool = False) -> tuple[Copied, ...]:
    """What is handed out: records that have not ended and are not withheld, blackened where that was decided.

    An answer that the person has already is made again as it was prepared, without corrections that came in later.
    Raises `AccessRefusedError`, and `StoreError` for a record that is damaged, which must not go unsaid.
    """
    found: list[Copied] = []
    for finding in filed.request.findings:
        if finding.decision not in {Decision.INCLUDE, Decision.REDACT}:
            continue
        # First who has seen it: this look is told in the answer to the next request.
        seen = office.records.recipients(finding.record, accessor)
        record = office.open(finding.record, accessor, audio=audio)
        if record is not None:
            record = replace(record, corrections=_known(filed.request, record))
            handed_out = redacted(record, finding)
            found.append(Copied(record=handed_out, finding=finding, seen=tuple(seen), sound=record.has_recording))
    return tuple(found)


def _known(request: Request, record: Record) -> tuple[Correction, ...]:
    """The corrections that an answer has: once the person has it, those there were when it was prepared.

    Corrections are in the order of their times, so that passages keep their places.
    """
    if request.running or request.prepared_at is None:
        return record.corrections
    at = request.prepared_at
    return tuple(one for one in record.corrections if one.at <= at)


def answer(office: Office, filed: Filed, accessor: Accessor) -> dict[str, bytes]:
    """The files of the answer, made from what is stored at this moment; they hold what the person said."""
    copied = collected(office, filed, accessor)
    document = letters.letter(
        office, filed, (*blocks(office, filed, copied), *_beside(office, filed, copied, accessor))
    )
    return letters.rendered(letters.STEMS[filed.request.article], document, machine(office, filed, copied))


def blocks(office: Office, filed: Filed, copied: Sequence[Copied]) -> tuple[Block, ...]:
    """The letter between greeting and remedies."""
    house = office.house
    told: list[Block] = []
    if not filed.request.findings:
        told += letters.nothing_found(filed.request, house)
    elif copied:
        told += [
            Heading("Kurz gesagt"),
            Paragraph(
                f"Gesucht haben wir nach: {letters.sought(filed.request)}. Wir haben {letters.calls(len(copied))} "
                "gefunden. Unten steht für jeden Anruf, was wir gespeichert haben und wer es gesehen hat."
            ),
        ]
    told += _missing(filed, copied)
    for number, one in enumerate(copied, 1):
        told += _record(office, number, one)
    return (*told, *_general(office), *letters.rights_left(house))


def _beside(office: Office, filed: Filed, copied: Sequence[Copied], accessor: Accessor) -> tuple[Block, ...]:
    """What is stored about the person beside recordings: earlier requests, and an objection that is in force."""
    earlier = [
        (day(one.request.received), letters.NAMES[one.request.article], letters.STATES[one.request.state])
        for one in reversed(office.all(accessor))
        if one.id != filed.id
        and searching.same(one.request.scope, filed.request.scope)
        # Somebody else may have the same number, and their requests are theirs.
        and searching.same_person(one.request.person, filed.request.person)
    ]
    numbers = {filed.request.scope.number, *(one.record.caller for one in copied)}
    objected = any(office.records.objected(number) for number in numbers if number is not None)
    told: list[Block] = []
    if objected:
        told.append(
            Paragraph(
                "Für Ihre Nummer ist ein Widerspruch vorgemerkt: Anrufe von dieser Nummer zeichnen wir nicht auf."
            )
        )
    if earlier:
        told.append(Table(("Eingegangen am", "Anliegen", "Stand"), tuple(earlier), "Ihre früheren Anträge"))
    return (Heading("Was haben wir sonst von Ihnen?"), *told) if told else ()


def machine(office: Office, filed: Filed, copied: Sequence[Copied]) -> dict[str, object]:
    """The same for machines. Times in UTC (ISO 8601); `probability` from 0 to 1."""
    house = office.house
    return {
        "request": filed.id,
        "article": filed.request.article.number,
        "received": filed.request.received.isoformat(),
        "made_at": office.now().isoformat(),
        "controller": house.insurer,
        "contact": house.contact,
        "supervisory_authority": house.authority,
        "retention_days": house.retention_days,
        "records": [machine_record(office, one) for one in copied],
        "withheld": sum(one.decision is Decision.WITHHOLD for one in filed.request.findings),
    }


def machine_record(office: Office, one: Copied) -> dict[str, object]:
    """One record for machines."""
    record, summary, house = one.record, one.record.summary, office.house
    return {
        "id": summary.id,
        "reference": summary.reference,
        "started_at": record.started_at.isoformat(),
        "recorded_at": summary.recorded_at.isoformat(),
        "expires_at": summary.expires_at.isoformat(),
        "caller": record.caller,
        "transcripts": list(record.transcripts),
        "corrections": [
            {"utterance": fix.utterance, "text": fix.text, "at": fix.at.isoformat()} for fix in record.corrections
        ],
        "concern": summary.concern,
        "second_concern": record.second_concern,
        "department": summary.department,
        "decision": summary.decision,
        "outcome": summary.outcome,
        "target": record.target,
        "ranking": [
            {"concern": line.concern, "department": line.department, "probability": line.probability}
            for line in record.ranking
        ],
        "evidence": list(record.evidence),
        "explanations": [dict(why) for why in record.explanations],
        "recording": record.has_recording,
        "restricted": summary.restricted,
        "purpose": record.purpose.value,
        "legal_basis": record.legal_basis,
        "notice_version": record.notice_version,
        "engines": list(record.engines),
        "origin": "caller",
        "processors": [{"key": key, "name": house.processor(key)} for key in record.processors],
        "accesses": [
            {"at": access.at.isoformat(), "role": access.role, "purpose": access.purpose, "act": access.act}
            for access in one.seen
        ],
        "redacted": one.finding.decision is Decision.REDACT,
    }


def _missing(filed: Filed, copied: Sequence[Copied]) -> list[Block]:
    """What was found and is not in the letter, and why."""
    findings = filed.request.findings
    withheld = sum(one.decision is Decision.WITHHOLD for one in findings)
    undecided = len(filed.request.undecided)
    ended = len(findings) - withheld - undecided - len(copied)
    told: list[Block] = []
    if ended:
        told.append(
            Paragraph(
                f"Inzwischen gelöscht: {letters.calls(ended)} von denen, die wir bei Eingang Ihres Antrags gefunden "
                "haben. Der Inhalt ist nicht mehr lesbar, auch für uns nicht."
            )
        )
    if withheld:
        told.append(
            Paragraph(
                f"Nicht dabei: {letters.calls(withheld)}. Darin geht es um andere Menschen, deren Daten wir "
                "schützen müssen (Artikel 15 Absatz 4), oder wir konnten sie Ihnen nicht sicher zuordnen."
            )
        )
    if undecided:
        told.append(Note(f"Entwurf: Über {letters.calls(undecided)} ist noch nicht entschieden."))
    return told


def _record(office: Office, number: int, one: Copied) -> list[Block]:
    record, summary, house = one.record, one.record.summary, office.house
    told: list[Block] = [
        Heading(f"Anruf {number}: {moment(record.started_at)}"),
        Facts(
            (
                ("Aufgezeichnet", moment(summary.recorded_at)),
                ("Ihre Telefonnummer", record.caller or "nicht gespeichert"),
                ("Tonaufnahme", "ja" if record.has_recording else "ja, aber nicht dabei" if one.sound else "nein"),
                ("Verstandenes Anliegen", house.concern(summary.concern)),
                *((("Weiteres Anliegen", house.concern(record.second_concern)),) if record.second_concern else ()),
                ("Weitergeleitet an", _taken_by(office, one)),
                *shown.handling(record),
                ("Kennzeichen", summary.reference),
                ("Wird gelöscht", _end(office, summary.expires_at)),
                ("Gesperrt (eingeschränkt)", "ja" if summary.restricted else "nein"),
                ("Rechtsgrundlage", record.legal_basis),
                ("Fassung der Datenschutz-Ansage", record.notice_version or "nicht vermerkt"),
            )
        ),
        Heading("Das haben Sie gesagt", 2),
        Paragraph("Ein Computer hat Ihre Worte aufgeschrieben. Dabei kann er sich verhören."),
        *shown.words(record),
        *_left_out(one),
    ]
    if record.ranking:
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (house.concern(line.concern), house.department(line.department), _percent(line.probability))
            for line in record.ranking
        )
        told += [
            Heading("Das hat der Computer daraus geschlossen", 2),
            Table(("Anliegen", "Zuständig", "Wie sicher"), rows, "Vermutete Anliegen, das sicherste zuerst", (3, 3, 1)),
        ]
    return [*told, *shown.reasons(record, house), *_seen(office, one)]


def _left_out(one: Copied) -> list[Block]:
    """What was taken out because it is about somebody else: words, sound, or both."""
    if one.finding.decision is not Decision.REDACT:
        return []
    told: list[Block] = []
    if hidden(one.finding):
        told.append(Paragraph("Geschwärzt haben wir Stellen, an denen es um andere Menschen geht."))
    if one.finding.muted and one.record.has_recording:
        told.append(Paragraph("Im Ton sind Stellen stumm, an denen es um andere Menschen geht."))
    return told


def _taken_by(office: Office, one: Copied) -> str:
    """Who took the call; nobody when it ended before."""
    summary = one.record.summary
    if notification.handed(summary.outcome):
        return office.house.department(summary.department)
    return "niemanden: Das Gespräch hat niemand angenommen"


def _end(office: Office, expires_at: datetime) -> str:
    """When a record ends; one that is past its day and still there is held at the person's own wish."""
    if expires_at <= office.now():
        return "Die Frist ist vorbei. Wir bewahren sie auf Ihren Wunsch noch auf."
    return f"spätestens am {moment(expires_at)}"


def _seen(office: Office, one: Copied) -> list[Block]:
    """Who has seen a record: each look for its own, but for the handling of rights, which is counted."""
    told: list[Block] = [Heading("Wer hat diese Daten gesehen?", 2)]
    others = [access for access in one.seen if access.purpose != _RIGHTS]
    own = len(one.seen) - len(others)
    if others:
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (moment(access.at), _ROLES.get(access.role, access.role), _why(access)) for access in others
        )
        told.append(Table(("Wann", "Wer", "Wozu"), rows, "Zugriffe auf diesen Anruf", (2, 3, 3)))
    else:
        told.append(Paragraph("Außer dem Datenschutz hat sich bei uns niemand diese Aufzeichnung angesehen."))
    if own:
        times = "einmal" if own == 1 else f"{own}-mal"
        told.append(Paragraph(f"Der Datenschutz hat sie {times} geöffnet, um Anträge wie Ihren zu bearbeiten."))
    names = [office.house.processor(key) for key in one.record.processors]
    if names:
        told += [
            Paragraph("In diesem Anruf haben diese Dienstleister Daten von Ihnen bekommen:"),
            Listing(tuple(names)),
        ]
    else:
        told.append(Paragraph("Kein Dienstleister außerhalb unseres Hauses hat Daten aus diesem Anruf bekommen."))
    return told


def _why(access: Recipient) -> str:
    return f"{_PURPOSES.get(access.purpose, access.purpose)}: {_ACTS.get(access.act, access.act)}"


def _general(office: Office) -> tuple[Block, ...]:
    """What holds for every call (Art. 15(1)(a) to (h) and (2) GDPR)."""
    house = office.house
    return (
        Heading("Warum speichern wir das?"),
        Paragraph(
            "Unser Sprachassistent fragt, worum es geht, und verbindet Sie mit der richtigen Abteilung. Nur dafür "
            "zeichnen wir auf, was Sie auf diese Frage antworten. Ihr Gespräch mit unseren Mitarbeitenden zeichnen wir "
            f"nicht auf. Das Gesetz erlaubt uns das: {house.legal_basis}."
        ),
        Heading("Wie lange speichern wir es?"),
        Paragraph(
            f"Höchstens {letters.days(house.retention_days)}. Danach wird alles von selbst gelöscht: der Ton, der Text "
            "und was daraus geschlossen wurde. Nur wenn Sie uns bitten, etwas länger aufzubewahren, tun wir das."
        ),
        Heading("Woher haben wir die Daten?"),
        Paragraph("Von Ihnen selbst, aus Ihrem Anruf. Ihre Nummer hat uns das Telefonnetz mitgeteilt."),
        Heading("Wer bekommt die Daten?"),
        Paragraph(
            "Die Abteilung, mit der wir Sie verbinden, erfährt Ihr Anliegen und den Text. Dienstleister bekommen nur "
            "etwas, wenn wir mit ihnen einen Vertrag zum Datenschutz haben. Alles bleibt in Europa (Europäischer "
            "Wirtschaftsraum). Wer in Ihren Anrufen wirklich etwas bekommen hat, steht oben bei jedem Anruf."
        ),
        Heading("Entscheidet ein Computer über Sie?"),
        Paragraph(
            "Nein. Der Computer erkennt nur, worum es geht, und verbindet Sie. Über Ihre Leistungen entscheiden "
            "Menschen (Artikel 22 trifft nicht zu)."
        ),
        Heading("Was speichern wir über diesen Antrag?"),
        Paragraph(
            "Wer ihn gestellt hat, wonach wir gesucht haben, was wir getan haben, und wann. Was Sie in Anrufen gesagt "
            f"haben, steht dort nicht. Nach {letters.period(house.case_days)} wird es gelöscht. So lange müssen wir "
            "zeigen können, dass wir richtig gehandelt haben."
        ),
    )


def _percent(probability: float) -> str:
    return f"{100 * probability:.0f} %"
