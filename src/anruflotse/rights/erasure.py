"""Erasure (Art. 17 GDPR): keys first, then rows, and nobody can read it any more, in any copy.

Who had a record is learnt before it is destroyed and filed before that, so that a crash in between loses no to-do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from anruflotse.documents import Block, Heading, Listing, Paragraph
from anruflotse.documents.model import moment
from anruflotse.records.access import Accessor
from anruflotse.records.model import DestroyReason
from anruflotse.rights import letters, notification, searching
from anruflotse.rights.model import Article, Finding, Request, Scope
from anruflotse.rights.notification import CHECK, Had
from anruflotse.rights.office import Filed, Office, with_todos

ERASED = "erased"
GONE = "gone"
"""It had ended by itself before it could be erased."""

ENDED = frozenset({ERASED, GONE})
"""There is nothing left of it. A record that was restricted while an objection was weighed is still there."""

_RESTRICTED = "Gesperrte Aufzeichnung: einzeln entscheiden, ob sie gelöscht werden darf (Art. 17 Abs. 3 DSGVO):"


def erase(office: Office, filed: Filed, accessor: Accessor) -> Filed:
    """Destroy every record of a request that is not destroyed yet, and file what follows from it.

    Restricted records that were found by time alone are spared: somebody may need them for a claim (Art. 17(3)(e)), so
    an officer decides about each. Searches once more, so that a call that was going on when the request came in is
    erased as well as soon as its record is there; see `late`. Raises `AccessRefusedError`, `StoreError`: then it can be
    asked for again.
    """
    scope = filed.request.scope
    fresh = tuple(one for one in searching.find(office, scope, accessor) if _is_ours(office, filed, one, accessor))
    had: list[Had] = []
    spared: list[str] = []
    learnt: dict[str, Finding] = {finding.record: finding for finding in filed.request.findings}
    for record_id in dict.fromkeys((*filed.request.records, *fresh)):
        finding = learnt.setdefault(record_id, Finding(record=record_id))
        if finding.done in ENDED:
            continue
        record = office.peek(record_id, accessor)
        if record is not None and record.summary.restricted and scope.window:
            spared.append(record_id)
        elif record is not None:
            learnt[record_id] = replace(finding, recorded_at=record.summary.recorded_at)
            had += notification.who_had(office, record, accessor)

    def first(request: Request) -> Request:
        found = replace(request, findings=tuple(learnt.values()))
        checks = tuple((CHECK, "Datenschutz", f"{_RESTRICTED} {one}") for one in spared)
        return with_todos(found, (*notification.wanted(found, tuple(had)), *checks))

    filed = office.change(filed.id, accessor, first)
    reason = DestroyReason.OBJECTED if filed.request.article is Article.OBJECTION else DestroyReason.ERASED
    done: dict[str, str] = {}
    for finding in filed.request.findings:
        if finding.done not in ENDED and finding.record not in spared:
            done[finding.record] = ERASED if office.records.destroy(finding.record, reason, accessor) else GONE

    def then(request: Request) -> Request:
        findings = tuple(
            replace(one, done=done[one.record], done_at=office.now()) if one.record in done else one
            for one in request.findings
        )
        return office.step(replace(request, findings=findings), accessor, "erased", str(len(done)))

    return office.change(filed.id, accessor, then) if done else filed


def late(office: Office, filed: Filed, accessor: Accessor) -> Filed:
    """Erase what a call left behind that was going on when the request was worked on. To be asked before answering."""
    known = set(filed.request.records)
    fresh = [one for one in searching.find(office, filed.request.scope, accessor) if one not in known]
    return erase(office, filed, accessor) if any(_is_ours(office, filed, one, accessor) for one in fresh) else filed


def asked_at(filed: Filed) -> datetime:
    """When it was asked for, the last time: what is said in a call that began after that was not asked to go."""
    return max((filed.filed_at, *(step.at for step in filed.request.steps if step.what == "asked_again")))


def over(office: Office, filed: Filed) -> datetime:
    """When every call that was going on when it was asked for has ended, and its record is there to be erased.

    A record that was named, by its id or by the reference of a call that is over, is there already, and what was
    recorded in a stretch of time was begun before that ended.
    """
    scope, asked = filed.request.scope, asked_at(filed)
    if scope.record is not None or (scope.reference is not None and filed.request.findings):
        return asked
    return min(asked, scope.end or asked) + office.house.longest_call


def proof(office: Office, filed: Filed, accessor: Accessor) -> list[dict[str, object]]:
    """For every record, when it was erased, and whether it can still be read: found out by trying to, now."""
    return [
        {
            "record": finding.record,
            "what": finding.done or "open",
            "at": finding.done_at,
            "readable": office.peek(finding.record, accessor) is not None,
        }
        for finding in filed.request.findings
    ]


def answer(office: Office, filed: Filed) -> dict[str, bytes]:
    """The letter that tells what was erased; it holds nothing of what was."""
    document = letters.letter(office, filed, blocks(office, filed))
    return letters.rendered(letters.STEMS[filed.request.article], document, machine(filed))


def blocks(office: Office, filed: Filed) -> tuple[Block, ...]:
    """The letter between greeting and remedies."""
    request = filed.request
    if not request.findings:
        return letters.nothing_found(request, office.house)
    gone = [one for one in request.findings if one.done in ENDED]
    spared = len(request.findings) - len(gone)
    items = tuple(
        f"Anruf vom {moment(one.recorded_at)}" if one.recorded_at else "Ein Anruf, dessen Zeit nicht mehr lesbar war"
        for one in gone
    )
    if not gone:
        return (Paragraph("Wir prüfen noch, ob wir löschen dürfen, und melden uns."),)
    return (
        Heading("Wir haben gelöscht."),
        Paragraph(
            f"Wir haben {letters.calls(len(gone))} gelöscht: den Ton, den Text und was daraus geschlossen "
            "wurde. Niemand kann das noch lesen oder anhören, auch wir nicht. Das gilt auch für unsere "
            "Sicherungskopien."
        ),
        Listing(items),
        *(_not_yet(spared) if spared else ()),
        *notification.told(filed),
        Paragraph(
            f"Aufbewahren müssen wir {'auch' if spared else 'nur'} diesen Vorgang: wer gefragt hat, und dass und wann "
            f"wir gelöscht haben. Nach {letters.period(office.house.case_days)} löschen wir auch ihn."
        ),
    )


def _not_yet(number: int) -> tuple[Block, ...]:
    """What to say of records that were spared."""
    they = "Sie ist gesperrt" if number == 1 else "Sie sind gesperrt"
    return (
        Heading("Was wir noch nicht gelöscht haben"),
        Paragraph(
            f"Gefunden haben wir außerdem {letters.calls(number)}. {they}, weil jemand die Daten noch brauchen kann, "
            "zum Beispiel vor Gericht (Artikel 17 Absatz 3). Darüber entscheiden wir einzeln und melden uns wieder."
        ),
    )


def machine(filed: Filed) -> Mapping[str, object]:
    """The same for machines."""
    return {
        "request": filed.id,
        "article": filed.request.article.number,
        "received": filed.request.received.isoformat(),
        "records": [
            {"id": one.record, "what": one.done, "at": one.done_at.isoformat() if one.done_at else None}
            for one in filed.request.findings
        ],
    }


def _is_ours(office: Office, filed: Filed, record_id: str, accessor: Accessor) -> bool:
    """Whether a record belongs to a request: it did from the beginning, or its call began before the request came in.

    What a person says in a new call, after asking for erasure, is not what they asked to have erased.
    """
    if record_id in filed.request.records or _is_named(filed.request.scope):
        return True
    record = office.peek(record_id, accessor)
    return record is not None and record.started_at <= asked_at(filed)


def _is_named(scope: Scope) -> bool:
    return scope.record is not None or scope.reference is not None
