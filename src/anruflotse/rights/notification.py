"""Telling those who had the data (Art. 19 GDPR): after a correction, an erasure or a restriction, as tracked to-dos.

Who had it is not guessed: the record names the processors that were given something in its call, the outcome tells
whether the department was handed the call, and the audit trail whether its staff opened it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from anruflotse.documents import Block, Heading, Listing, Paragraph
from anruflotse.records.access import Accessor
from anruflotse.records.model import Record
from anruflotse.rights.model import Article, NotNowError, Request, RightsError, clean
from anruflotse.rights.office import Filed, Office

NOTIFY = "notify"
TELL = "tell"
CHECK = "check"
"""Something an officer has to decide."""

_HANDED = frozenset({"succeeded", "unknown"})
"""The outcomes of a call that somebody took; one that left without a word was taken, as far as anybody can tell."""

_WEIGHED = (
    "Widerspruch wird geprüft: Aufzeichnung bis dahin eingeschränkt (gesperrt). Bitte auch dort nicht mehr verwenden, "
    "was noch da ist"
)
"""The task after an objection that is being weighed: nothing is erased then."""

_TASKS: Mapping[str, str] = {
    "16": "Text berichtigt. Bitte auch dort berichtigen oder löschen, was noch da ist",
    "17": "Aufzeichnung gelöscht. Bitte auch dort löschen, was noch da ist",
    "18": "Aufzeichnung gesperrt. Bitte auch dort nicht mehr verwenden, was noch da ist",
    "18(3)": "Sperre der Aufzeichnung aufgehoben",
    "21": "Widerspruch: Aufzeichnung gelöscht. Bitte auch dort löschen, was noch da ist",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Had:
    """Somebody who had a record: `name` as letters say it, and by which reference they know it."""

    name: str
    reference: str


def handed(outcome: str) -> bool:
    """Whether somebody took the call, as far as anybody can tell."""
    return outcome in _HANDED


def who_had(office: Office, record: Record, accessor: Accessor) -> tuple[Had, ...]:
    """The processors and the department that had this record, each once."""
    house, summary = office.house, record.summary
    names = [house.processor(key) for key in record.processors]
    opened = any(one.role == "fachabteilung" for one in office.records.recipients(summary.id, accessor))
    if handed(summary.outcome) or opened:
        names.append(house.department(summary.department))
    return tuple(Had(name=name, reference=summary.reference) for name in dict.fromkeys(names))


def wanted(request: Request, had: tuple[Had, ...]) -> tuple[tuple[str, str, str], ...]:
    """The to-dos that follow: one for each recipient, with the references by which they know the calls."""
    weighing = request.article is Article.OBJECTION and request.details.get("course") == "weigh"
    task = _WEIGHED if weighing else _TASKS[request.article]
    references: dict[str, list[str]] = {}
    for one in had:
        references.setdefault(one.name, []).append(one.reference)
    return tuple(
        (NOTIFY, name, f"{task}. Kennzeichen: {', '.join(dict.fromkeys(known))}") for name, known in references.items()
    )


def settled(
    office: Office, request: Request, number: int, accessor: Accessor, *, note: str = "", waived: bool = False
) -> Request:
    """The request with a to-do settled: done, or `waived`, which needs a `note` that says why.

    Raises `RightsError` for a number that is none, `NotNowError` for one that is settled already.
    """
    todo = next((one for one in request.todos if one.number == number), None)
    if todo is None:
        message = f"There is no to-do {number} in this request: `rights todo` lists them."
        raise RightsError(message)
    if not todo.open:
        message = f"To-do {number} is settled already."
        raise NotNowError(message)
    if waived and not note.strip():
        message = (
            "A to-do that cannot be done needs the reason (Art. 19 GDPR: impossible, or out of proportion): --note."
        )
        raise RightsError(message)
    done = replace(
        todo,
        settled_at=office.now(),
        settled_by=accessor.name,
        note=clean(note, "note") if note.strip() else "",
        waived=waived,
    )
    todos = tuple(done if one.number == number else one for one in request.todos)
    return office.step(replace(request, todos=todos), accessor, "todo_waived" if waived else "todo_done", str(number))


def told(filed: Filed) -> tuple[Block, ...]:
    """Who is told, as the person's letter says it (Art. 19, second sentence)."""
    names = tuple(dict.fromkeys(todo.recipient for todo in filed.request.todos if todo.kind == NOTIFY))
    if not names:
        return (Paragraph("Niemand sonst hatte diese Daten. Wir müssen also niemanden benachrichtigen."),)
    return (
        Heading("Wen wir darüber benachrichtigen"),
        Paragraph("Diese Stellen hatten Ihre Daten. Wir sagen ihnen Bescheid:"),
        Listing(names),
    )
