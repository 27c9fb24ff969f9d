"""Restriction (Art. 18 GDPR): kept, not used; and its end, of which the person is told before (Art. 18(3))."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from anruflotse.documents import Block, Heading, Listing, Paragraph
from anruflotse.documents.model import day, moment
from anruflotse.records.access import Accessor
from anruflotse.records.model import NotFoundError
from anruflotse.records.restriction import HOLDING, Ground
from anruflotse.rights import letters, notification
from anruflotse.rights.model import Article, NotNowError, Request, RightsError
from anruflotse.rights.notification import TELL, Had
from anruflotse.rights.office import Filed, Office, with_todos

FAR = datetime(3000, 1, 1, tzinfo=UTC)
RESTRICTED = "restricted"
LIFTED = "lifted"
GONE = "gone"
UNCHANGED = "unrestricted"
"""There was nothing to lift."""

PERSON = "Person"
"""The recipient of a to-do that is about telling the person."""

_TELL = "Person vor Aufhebung der Sperre unterrichten (Art. 18 Abs. 3 DSGVO)"

_GROUNDS: Mapping[Ground, str] = {
    Ground.CONTESTED: "Sie sagen, dass die Daten nicht stimmen. Bis wir das geprüft haben, verwenden wir sie nicht.",
    Ground.UNLAWFUL: "Wir hätten die Daten nicht verwenden dürfen, und Sie möchten trotzdem, dass wir sie aufbewahren.",
    Ground.LEGAL_CLAIMS: "Wir brauchen die Daten nicht mehr, aber Sie brauchen sie, um Ihr Recht durchzusetzen.",
    Ground.OBJECTED: "Sie haben widersprochen. Bis geklärt ist, ob wir die Daten behalten dürfen, verwenden wir sie "
    "nicht.",
}


def restrict(
    office: Office,
    filed: Filed,
    accessor: Accessor,
    ground: Ground,
    *,
    hold: bool = False,
    review_on: datetime | None = None,
) -> Filed:
    """Restrict every record of a request for a ground of Art. 18(1). `hold` keeps it beyond its day (b and c only).

    Raises `RightsError` for a hold that the law does not give, or a date of review that does not lie ahead,
    `AccessRefusedError`, `StoreError`.
    """
    _check(office, ground, hold=hold, review_on=review_on)
    had: list[Had] = []
    done: dict[str, str] = {}
    seen: dict[str, datetime] = {}
    for finding in filed.request.findings:
        record = office.open(finding.record, accessor)
        if record is not None:
            seen[finding.record] = record.summary.recorded_at
            had += notification.who_had(office, record, accessor)
    # Who has to be told is filed first: a crash in between loses no to-do.
    filed = office.change(
        filed.id, accessor, lambda request: with_todos(request, notification.wanted(request, tuple(had)))
    )
    for finding in filed.request.findings:
        try:
            office.records.restrict(finding.record, accessor, ground, hold=hold, review_on=review_on)
        except NotFoundError:
            done[finding.record] = GONE
        else:
            done[finding.record] = RESTRICTED
    details = {
        "ground": ground.value,
        "held": "yes" if hold else "no",
        "review": review_on.isoformat() if review_on else "",
    }
    return office.change(
        filed.id, accessor, lambda request: _done(office, request, accessor, done, seen, "restricted", details)
    )


def _check(office: Office, ground: Ground, *, hold: bool, review_on: datetime | None) -> None:
    """Refuse what the store would refuse, before anything is filed. Raises `RightsError`."""
    if hold and (ground not in HOLDING or review_on is None):
        message = (
            "Only a restriction under Art. 18(1)(b) or (c) GDPR can hold a record beyond its expiry, and only with a "
            "date of review (--review)."
        )
        raise RightsError(message)
    if review_on is not None and not office.now() < review_on < FAR:
        message = "The date of review of a restriction has to lie ahead, before the year 3000."
        raise RightsError(message)


def tell_first(office: Office, filed: Filed, accessor: Accessor) -> Filed:
    """Put down that the person has to be told before the restriction ends."""
    return office.change(filed.id, accessor, lambda request: with_todos(request, ((TELL, PERSON, _TELL),)))


def is_told(filed: Filed) -> bool:
    """Whether the restriction may be lifted: the person was told, or asked for it."""
    todo = notification.has_told(filed.request, PERSON)
    return filed.request.details.get("asked") == "yes" or (todo is not None and not todo.open)


def restricted(office: Office, filed: Filed, accessor: Accessor) -> tuple[str, ...]:
    """The records of a request that are restricted now."""
    opened = [office.open(record_id, accessor) for record_id in filed.request.records]
    return tuple(record.summary.id for record in opened if record is not None and record.summary.restricted)


def lift(office: Office, filed: Filed, accessor: Accessor) -> Filed:
    """Lift the restriction of every record of a request. A held record that is past its day ends with that.

    Raises `NotNowError` as long as the person has not been told (Art. 18(3)), `AccessRefusedError`, `StoreError`.
    """
    if filed.request.findings and not is_told(filed):
        message = (
            "The person has to be told before a restriction is lifted (Art. 18(3) GDPR): send the letter, settle the "
            "to-do (`rights todo`), then ask again; or say --asked when the person asked for it."
        )
        raise NotNowError(message)
    had: list[Had] = []
    done: dict[str, str] = {}
    seen: dict[str, datetime] = {}
    for finding in filed.request.findings:
        record = office.open(finding.record, accessor)
        if record is None:
            done[finding.record] = GONE
            continue
        seen[finding.record] = record.summary.recorded_at
        if not record.summary.restricted:
            done[finding.record] = UNCHANGED
            continue
        had += notification.who_had(office, record, accessor)
        office.records.lift(finding.record, accessor)
        done[finding.record] = LIFTED

    def then(request: Request) -> Request:
        told = with_todos(request, notification.wanted(request, tuple(had)))
        return _done(office, told, accessor, done, seen, "lifted", {})

    return office.change(filed.id, accessor, then)


def answer(office: Office, filed: Filed) -> dict[str, bytes]:
    """The letter about a restriction or its end; it holds nothing of what was said."""
    lifting = filed.request.article is Article.LIFTING
    document = letters.letter(office, filed, _lifting(office, filed) if lifting else _restricting(office, filed))
    return letters.rendered(letters.STEMS[filed.request.article], document, machine(filed))


def machine(filed: Filed) -> Mapping[str, object]:
    """The same for machines."""
    return {
        "request": filed.id,
        "article": filed.request.article.number,
        "received": filed.request.received.isoformat(),
        **filed.request.details,
        "records": [
            {"id": one.record, "what": one.done, "at": one.done_at.isoformat() if one.done_at else None}
            for one in filed.request.findings
        ],
    }


def _restricting(office: Office, filed: Filed) -> tuple[Block, ...]:
    request = filed.request
    if not request.findings:
        return letters.nothing_found(request, office.house)
    if "ground" not in request.details:
        return (Paragraph("Wir prüfen Ihre Bitte und melden uns."),)
    review = request.details.get("review", "")
    kept = (
        "Wir bewahren die Daten länger auf als sonst, weil Sie das möchten. Am "
        f"{day(datetime.fromisoformat(review))} prüfen wir, ob das noch nötig ist."
        if review and request.details.get("held") == "yes"
        else f"Nach {letters.days(office.house.retention_days)} löschen wir die Aufzeichnung trotzdem, wie immer."
    )
    return (
        Heading("Wir haben gesperrt."),
        Paragraph(
            f"Wir haben {letters.calls(len(request.findings))} gesperrt. Niemand darf das noch ansehen oder anhören. "
            "Nur unser Datenschutz darf es, um Ihre Rechte zu erfüllen."
        ),
        Listing(_when(request)),
        Heading("Warum?"),
        Paragraph(_GROUNDS[Ground(request.details["ground"])]),
        Paragraph(kept),
        Paragraph("Bevor die Sperre endet, sagen wir Ihnen Bescheid."),
        *notification.told(filed),
    )


def _lifting(office: Office, filed: Filed) -> tuple[Block, ...]:
    request = filed.request
    if not request.findings:
        return letters.nothing_found(request, office.house)
    asked = request.details.get("asked") == "yes"
    reason = request.details.get("reason", "")
    opened = request.prepared_at is not None
    head = "Die Sperre ist aufgehoben." if opened else "Die Sperre soll enden."
    why = "Sie haben uns darum gebeten." if asked else reason or "Der Grund für die Sperre ist weggefallen."
    after = "Danach verwenden wir die Aufzeichnung wieder wie vorher. Ist ihre Frist schon vorbei, wird sie gelöscht."
    return (
        Heading(head),
        Paragraph(f"Es geht um {letters.calls(len(request.findings))}:"),
        Listing(_when(request)),
        Paragraph(why),
        Paragraph(after),
        *(
            ()
            if asked or opened
            else (Paragraph("Wenn Sie damit nicht einverstanden sind, sagen Sie es uns bitte bald."),)
        ),
    )


def _when(request: Request) -> tuple[str, ...]:
    return tuple(
        f"Anruf vom {moment(one.recorded_at)}" if one.recorded_at else "Ein Anruf, der inzwischen gelöscht ist"
        for one in request.findings
    )


def _done(
    office: Office,
    request: Request,
    accessor: Accessor,
    done: Mapping[str, str],
    seen: Mapping[str, datetime],
    what: str,
    details: Mapping[str, str],
) -> Request:
    findings = tuple(
        replace(
            one,
            recorded_at=seen.get(one.record, one.recorded_at),
            done=done.get(one.record, one.done),
            done_at=office.now() if one.record in done else one.done_at,
        )
        for one in request.findings
    )
    changed = replace(request, findings=findings, details={**request.details, **details})
    return office.step(changed, accessor, what, details.get("ground", ""))
