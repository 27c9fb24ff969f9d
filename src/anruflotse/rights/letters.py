"""What every letter to a person has in common: short sentences, the words of everyday, and the rights that remain.

The letters are German. They are read by people of any age who know nothing of computers or law, so an article of the
law stands in brackets behind what it means, never in place of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date

from anruflotse.documents import Block, Document, Facts, Heading, Listing, Paragraph, html, pdf, plain
from anruflotse.documents.model import day, moment
from anruflotse.rights.house import House
from anruflotse.rights.model import Article, Request, State
from anruflotse.rights.office import Filed, Office

ASKED: Mapping[Article, str] = {
    Article.ACCESS: "Sie möchten wissen, was wir aus Ihren Anrufen bei unserem Sprachassistenten gespeichert haben.",
    Article.COPY: "Sie möchten eine Kopie dessen, was wir aus Ihren Anrufen bei unserem Sprachassistenten gespeichert "
    "haben.",
    Article.RECTIFICATION: "Sie haben uns gesagt, dass in unserem Text zu Ihrem Anruf etwas nicht stimmt.",
    Article.ERASURE: "Sie möchten, dass wir löschen, was wir aus Ihren Anrufen bei unserem Sprachassistenten "
    "gespeichert haben.",
    Article.RESTRICTION: "Sie möchten, dass wir Aufzeichnungen Ihrer Anrufe aufbewahren, aber nicht mehr verwenden.",
    Article.LIFTING: "Es geht um Aufzeichnungen Ihrer Anrufe, die gesperrt sind oder waren.",
    Article.OBJECTION: "Sie möchten nicht, dass wir Ihre Anrufe bei unserem Sprachassistenten aufzeichnen.",
}
"""What the person wants, as the letter says it back to them."""

NAMES: Mapping[Article, str] = {
    Article.ACCESS: "Auskunft",
    Article.COPY: "Kopie Ihrer Daten",
    Article.RECTIFICATION: "Berichtigung",
    Article.ERASURE: "Löschung",
    Article.RESTRICTION: "Einschränkung der Verarbeitung",
    Article.LIFTING: "Ende der Einschränkung",
    Article.OBJECTION: "Widerspruch",
}
"""What the right is called."""

STATES: Mapping[State, str] = {
    State.RECEIVED: "in Arbeit",
    State.IDENTIFIED: "in Arbeit",
    State.PREPARED: "in Arbeit",
    State.ANSWERED: "beantwortet",
    State.REFUSED: "abgelehnt",
    State.CLOSED: "abgeschlossen",
}
"""How far a request is, as the person is told."""

_LAW: Mapping[Article, str] = {
    Article.ACCESS: "Artikel 15",
    Article.COPY: "Artikel 15 Absatz 3 und Artikel 20",
    Article.RECTIFICATION: "Artikel 16",
    Article.ERASURE: "Artikel 17",
    Article.RESTRICTION: "Artikel 18",
    Article.LIFTING: "Artikel 18 Absatz 3",
    Article.OBJECTION: "Artikel 21",
}

STEMS: Mapping[Article, str] = {
    Article.ACCESS: "auskunft",
    Article.COPY: "kopie",
    Article.RECTIFICATION: "berichtigung",
    Article.ERASURE: "loeschung",
    Article.RESTRICTION: "einschraenkung",
    Article.LIFTING: "ende-der-einschraenkung",
    Article.OBJECTION: "widerspruch",
}
"""How the files of an answer are named."""


def letter(
    office: Office,
    filed: Filed,
    blocks: Sequence[Block],
    *,
    title: str | None = None,
    asked: str | None = None,
    closing: bool = True,
) -> Document:
    """A letter about a request: what was `asked`, `blocks`, and, with `closing`, what the person can still do."""
    request, house = filed.request, office.house
    about = Facts(
        (
            *((("Für", request.person),) if request.person else ()),
            ("Ihr Anliegen", f"{NAMES[request.article]} ({_LAW[request.article]} Datenschutz-Grundverordnung)"),
            ("Bei uns eingegangen am", day(request.received)),
            ("Vorgang", filed.id[:8]),
        )
    )
    opening = Paragraph(f"Guten Tag! {asked or ASKED[request.article]}")
    ending = remedies(house) if closing else ()
    return Document(
        title=title or NAMES[request.article],
        subtitle=f"Unsere Antwort, Vorgang {filed.id[:8]}",
        date=office.now(),
        insurer=house.insurer,
        blocks=(about, opening, *blocks, *ending),
    )


def remedies(house: House) -> tuple[Block, ...]:
    """Whom to ask and where to complain (Art. 12(4), 13(2)(d), 15(1)(f) GDPR)."""
    return (
        Heading("Haben Sie Fragen, oder sind Sie nicht einverstanden?"),
        Listing(
            (
                f"Sprechen Sie uns gern an: {house.contact}.",
                f"Sie können sich bei der Datenschutzaufsicht beschweren: {house.authority}.",
                "Sie können auch vor Gericht gehen. Zuständig ist in der Regel das Sozialgericht an Ihrem Wohnort.",
            )
        ),
        Paragraph(f"Freundliche Grüße\n{house.insurer}"),
    )


def rights_left(house: House) -> tuple[Block, ...]:
    """The rights a person has beside the one they used (Art. 15(1)(e) GDPR)."""
    return (
        Heading("Welche Rechte haben Sie noch?"),
        Listing(
            (
                "Stimmt etwas nicht? Dann berichtigen wir es (Artikel 16).",
                "Soll etwas weg? Dann löschen wir es, auch vor Ablauf der Frist (Artikel 17).",
                "Sollen wir etwas aufbewahren, aber nicht mehr verwenden? Dann sperren wir es (Artikel 18).",
                "Möchten Sie eine Kopie? Dann geben wir Ihnen eine (Artikel 15 Absatz 3).",
                (
                    "Möchten Sie nicht mehr aufgezeichnet werden? Dann merken wir uns das für Ihre Nummer. Sie können "
                    f"es auch in jedem Anruf sagen, oder Sie drücken die Taste {house.objection_key} (Artikel 21)."
                ),
            )
        ),
        Paragraph("Das alles kostet Sie nichts. Sagen Sie uns einfach Bescheid."),
    )


def nothing_found(request: Request, house: House) -> tuple[Block, ...]:
    """What to tell somebody of whom nothing was found, and why that may be."""
    return (
        Heading("Wir haben nichts gefunden."),
        Paragraph(
            f"Wir haben gesucht nach: {sought(request)}. Dazu ist bei unserem Sprachassistenten nichts gespeichert."
        ),
        Paragraph("Das kann mehrere Gründe haben:"),
        Listing(
            (
                (
                    f"Ihr Anruf ist länger als {days(house.retention_days)} her. So lange speichern wir Aufzeichnungen "
                    "höchstens."
                ),
                "Sie haben der Aufzeichnung widersprochen. Dann speichern wir nichts.",
                "Sie haben aufgelegt oder einen Menschen verlangt, bevor Sie Ihr Anliegen genannt haben.",
                (
                    "Sie haben von einer anderen Nummer angerufen, oder Ihre Nummer war unterdrückt. Sagen Sie uns "
                    "dann bitte, wann Sie angerufen haben: Datum und Uhrzeit."
                ),
            )
        ),
    )


def extension(office: Office, filed: Filed, last: date) -> Document:
    """The letter that says that it takes longer, and why (Art. 12(3), third sentence, GDPR)."""
    blocks = (
        Heading("Wir brauchen etwas mehr Zeit."),
        Paragraph(f"Der Grund: {filed.request.extended_because}"),
        Paragraph(
            f"Sie bekommen unsere Antwort spätestens am {day(last)}. Das Gesetz erlaubt uns das in solchen Fällen."
        ),
    )
    return letter(office, filed, blocks, title="Unsere Antwort dauert länger")


def refusal(office: Office, filed: Filed) -> Document:
    """The letter that says no, why, and what the person can do about it (Art. 12(4) GDPR)."""
    blocks = (
        Heading("Wir können Ihrer Bitte leider nicht folgen."),
        Paragraph(f"Der Grund: {filed.request.refused_because}"),
        Paragraph("Sehen Sie das anders? Dann sagen Sie es uns bitte. Wir prüfen es gern noch einmal."),
    )
    return letter(office, filed, blocks, title=f"{NAMES[filed.request.article]}: unsere Entscheidung")


def facts(filed: Filed) -> dict[str, object]:
    """What every letter tells machines."""
    request = filed.request
    return {
        "request": filed.id,
        "article": request.article.number,
        "received": request.received.isoformat(),
        "state": request.state.value,
    }


def sought(request: Request) -> str:
    """What was searched for, as a letter says it."""
    scope = request.scope
    if scope.window is not None:
        return f"Anrufe vom {moment(scope.window[0])} bis {moment(scope.window[1])}"
    if scope.number is not None:
        return f"Anrufe von der Nummer {scope.number}"
    return f"der Anruf mit dem Kennzeichen {scope.reference or scope.record}"


def days(number: int) -> str:
    """So many days, as it is read after "als" or "seit"."""
    return "einen Tag" if number == 1 else f"{number} Tage"


def period(number: int) -> str:
    """So many days as a letter says it after "nach": whole years as years."""
    years, rest = divmod(number, 365)
    if rest or not years:
        return "einem Tag" if number == 1 else f"{number} Tagen"
    return "einem Jahr" if years == 1 else f"{years} Jahren"


def calls(number: int) -> str:
    """So many recordings, in words people read."""
    return "eine Aufzeichnung" if number == 1 else f"{number} Aufzeichnungen"


def rendered(stem: str, document: Document, machine: Mapping[str, object]) -> dict[str, bytes]:
    """The files of an answer: PDF and HTML for people, JSON for machines; names without anything of the person."""
    told = json.dumps({**machine, "document": plain(document)}, ensure_ascii=False, indent=2, allow_nan=False)
    return {
        f"{stem}.pdf": pdf(document),
        f"{stem}.html": html(document).encode(),
        f"{stem}.json": told.encode(errors="replace"),
    }
