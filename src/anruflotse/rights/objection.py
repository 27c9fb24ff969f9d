"""Objection (Art. 21 GDPR): calls from this number are not recorded any more, and what is stored goes.

The number is kept as a keyed hash only, for a time that is set (`rights.objection_years`): numbers get other owners.
What is stored is erased, unless the officer names compelling reasons to keep it (Art. 21(1)), or needs time to weigh
them: until then it is restricted (Art. 18(1)(d)).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from anruflotse.documents import Block, Heading, Listing, Paragraph
from anruflotse.documents.model import day
from anruflotse.records.access import Accessor
from anruflotse.records.restriction import Ground
from anruflotse.rights import erasure, letters, notification, restriction, searching
from anruflotse.rights.due import day_of, months_later
from anruflotse.rights.model import NotNowError, Request, RightsError, Scope
from anruflotse.rights.notification import CHECK
from anruflotse.rights.office import Filed, Office, with_todos

_TAKING_BACK = "Sie möchten Ihren Widerspruch gegen die Aufzeichnung Ihrer Anrufe zurücknehmen."
_OFFICE = "Datenschutz"
_END = "Sperre aus der Abwägung beenden (rights unrestrict); vorher die Person unterrichten (Art. 18 Abs. 3 DSGVO)"
_WEIGH = "Abwägen, ob zwingende Gründe der Löschung entgegenstehen (Art. 21 Abs. 1 DSGVO), dann löschen oder begründen"


class Course(StrEnum):
    """What becomes of the records that are there already."""

    ERASE = "erase"
    KEEP = "keep"
    """The officer has named compelling reasons."""
    WEIGH = "weigh"
    """Restricted until that is decided."""


def until(office: Office) -> datetime:
    """When an objection of today ends: the day of the same number so many years later, at the same time of day."""
    now = office.now()
    end = months_later(day_of(now), 12 * office.house.objection_years)
    return now + (end - day_of(now))


def number_of(office: Office, filed: Filed, accessor: Accessor) -> str | None:
    """The number an objection is about: the one named, or the one of the records; None when it was not shown.

    Raises `RightsError` when the records are those of several people: an objection is one person's.
    """
    return one_number(office, filed.request.scope, filed.request.records, accessor)


def one_number(office: Office, scope: Scope, records: Sequence[str], accessor: Accessor) -> str | None:
    """The number that is named, or that these records have in common. Raises `RightsError` when they have several."""
    if scope.number is not None:
        return scope.number
    opened = [office.peek(record_id, accessor) for record_id in records]
    callers = {record.caller for record in opened if record is not None}
    numbers = {None if caller is None else searching.one_form(caller) for caller in callers}
    if len(numbers) > 1:
        message = (
            "These records are from several numbers. An objection is one person's: name the number or the record it is "
            "about."
        )
        raise RightsError(message)
    return next(iter(numbers), None)


def enter(office: Office, filed: Filed, accessor: Accessor, course: Course, reason: str = "") -> Filed:
    """Enter the objection, and deal with what is stored as `course` says; `reason` is needed to keep it.

    A number that is no telephone number cannot be entered; then the letter tells how to object in a call. Raises
    `RightsError`, `AccessRefusedError`, `StoreError`.
    """
    if course is Course.KEEP and not reason.strip():
        message = "To keep records in spite of an objection needs compelling reasons (Art. 21(1) GDPR): --keep REASON."
        raise RightsError(message)
    if course is not Course.ERASE and any(one.done == erasure.ERASED for one in filed.request.findings):
        message = "What was stored is erased already: it can neither be kept nor weighed any more. Answer the request."
        raise NotNowError(message)
    number = number_of(office, filed, accessor)
    end = until(office)
    entered = number is not None and _entered(office, number, accessor, end)
    details = {
        "course": course.value,
        "reason": reason,
        "until": end.isoformat() if entered else "",
        "shown": "no" if number is None else "yes",
    }

    def first(request: Request) -> Request:
        noted = replace(request, details={**request.details, **details})
        if course is Course.WEIGH and request.findings:
            noted = with_todos(noted, ((CHECK, _OFFICE, _WEIGH),), anew=True)
        elif course is not Course.WEIGH:
            noted = _weighed(office, noted, accessor, course)
        return office.step(noted, accessor, "objection_entered" if entered else "objection_not_entered", course.value)

    filed = office.change(filed.id, accessor, first)
    if course is Course.ERASE:
        return erasure.erase(office, filed, accessor)
    if course is Course.WEIGH:
        return restriction.restrict(office, filed, accessor, Ground.OBJECTED)
    return filed


def _weighed(office: Office, request: Request, accessor: Accessor, course: Course) -> Request:
    """The request with its weighing settled by `course`; what stays is restricted until the person was told."""
    for todo in request.open_todos:
        if todo.kind == CHECK and todo.task == _WEIGH:
            request = notification.settled(office, request, todo.number, accessor, note=course.value)
    if course is Course.KEEP and _is_restricted(request):
        request = with_todos(request, ((CHECK, _OFFICE, _END),))
    return request


def _is_restricted(request: Request) -> bool:
    """Whether records were restricted while the objection was weighed."""
    return any(one.done == restriction.RESTRICTED for one in request.findings)


def in_effect(request: Request) -> bool:
    """Whether an objection was entered in the list, or taken back: then it cannot be refused any more."""
    return bool(request.details.get("until")) or request.details.get("taken_back") == "yes"


def withdraw(office: Office, filed: Filed, accessor: Accessor) -> Filed:
    """Take the number off the list again: its calls are recorded as those of anybody, notice included."""
    number = number_of(office, filed, accessor)
    gone = number is not None and _withdrawn(office, number, accessor)
    details = {"course": "withdrawn", "until": "", "withdrawn": "yes" if gone else "no"}
    if gone:
        # For the letter, which may be written again after a second attempt that found nothing.
        details["taken_back"] = "yes"

    def then(request: Request) -> Request:
        noted = replace(request, details={**request.details, **details})
        return office.step(noted, accessor, "objection_withdrawn" if gone else "objection_not_found")

    return office.change(filed.id, accessor, then)


def answer(office: Office, filed: Filed) -> dict[str, bytes]:
    """The letter about an objection; it holds nothing of what was said."""
    withdrawn = filed.request.details.get("course") == "withdrawn"
    document = letters.letter(office, filed, blocks(office, filed), asked=_TAKING_BACK if withdrawn else None)
    return letters.rendered(letters.STEMS[filed.request.article], document, machine(filed))


def blocks(office: Office, filed: Filed) -> tuple[Block, ...]:
    """The letter between greeting and remedies."""
    details, house = filed.request.details, office.house
    if details.get("course") == "withdrawn":
        gone = "yes" in {details.get("taken_back"), details.get("withdrawn")}
        return (
            Heading("Ihr Widerspruch ist zurückgenommen." if gone else "Wir haben keinen Widerspruch gefunden."),
            *(
                ()
                if gone
                else (Paragraph("Ein Widerspruch war nicht vorgemerkt. Es gibt also nichts zurückzunehmen."),)
            ),
            Paragraph(
                "Rufen Sie wieder an, sagt Ihnen der Sprachassistent zu Beginn, dass er aufzeichnet. Sie können dann "
                f"jederzeit wieder widersprechen: Sagen Sie es, oder drücken Sie die Taste {house.objection_key}."
            ),
        )
    return (*_future(office, filed), *_past(office, filed))


def machine(filed: Filed) -> Mapping[str, object]:
    """The same for machines."""
    return {**erasure.machine(filed), "objection": dict(filed.request.details)}


def _entered(office: Office, number: str, accessor: Accessor, end: datetime) -> bool:
    """Enter a number; False for what is none, such as an extension: calls from it cannot be known again."""
    try:
        office.records.object_number(number, accessor, until=end)
    except ValueError:
        return False
    return True


def _withdrawn(office: Office, number: str, accessor: Accessor) -> bool:
    try:
        return office.records.withdraw_objection(number, accessor)
    except ValueError:
        return False


def _future(office: Office, filed: Filed) -> tuple[Block, ...]:
    ends, house = filed.request.details.get("until", ""), office.house
    if not ends:
        why = (
            "weil uns keine vorliegt"
            if filed.request.details.get("shown") == "no"
            else "weil die, die uns vorliegt, keine vollständige Telefonnummer ist (zum Beispiel nur eine Durchwahl)"
        )
        return (
            Heading("Bitte widersprechen Sie im Anruf selbst."),
            Paragraph(
                f"Wir konnten keine Telefonnummer vormerken, {why}. Sagen Sie bitte im nächsten Anruf, dass "
                f"Sie keine Aufzeichnung möchten, oder drücken Sie die Taste {house.objection_key}. Dann wird nichts "
                "aufgezeichnet."
            ),
        )
    return (
        Heading("Wir zeichnen Ihre Anrufe nicht mehr auf."),
        Paragraph(
            "Rufen Sie von dieser Nummer an, verbinden wir Sie gleich mit einem Menschen. Aufgezeichnet wird nichts. "
            f"Das gilt bis zum {day(datetime.fromisoformat(ends))}, weil Telefonnummern auch einmal den Besitzer "
            "wechseln. Danach können Sie wieder widersprechen."
        ),
        Listing(
            (
                "Auf der Liste dafür steht Ihre Nummer nur verschlüsselt. Niemand kann sie daraus ablesen.",
                (
                    "Rufen Sie von einer anderen Nummer an, oder ist Ihre Nummer unterdrückt? Dann erkennen wir Sie "
                    f"nicht. Widersprechen Sie bitte im Anruf, oder drücken Sie die Taste {house.objection_key}."
                ),
                "Möchten Sie den Widerspruch zurücknehmen? Sagen Sie uns einfach Bescheid.",
            )
        ),
    )


def _past(office: Office, filed: Filed) -> tuple[Block, ...]:
    details = filed.request.details
    if not filed.request.findings:
        return (Paragraph("Von früheren Anrufen ist nichts gespeichert."),)
    if details.get("course") == Course.KEEP:
        still = "Noch ist es gesperrt. Bevor die Sperre endet, sagen wir Ihnen Bescheid."
        return (
            Heading("Was schon gespeichert ist, behalten wir bis zum Ende der Frist."),
            Paragraph(f"Der Grund: {details.get('reason', '')}"),
            *((Paragraph(still),) if _is_restricted(filed.request) else ()),
        )
    if details.get("course") == Course.WEIGH:
        if all(one.done in erasure.ENDED for one in filed.request.findings):
            return (Paragraph("Was von früheren Anrufen gespeichert war, ist inzwischen gelöscht."),)
        return (
            Heading("Was schon gespeichert ist, haben wir gesperrt."),
            Paragraph("Wir prüfen, ob wir es löschen. Bis dahin verwendet es niemand. Wir melden uns wieder."),
            *notification.told(filed),
        )
    return erasure.blocks(office, filed)
