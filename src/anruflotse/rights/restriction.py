"""Restriction (Art. 18 GDPR): kept, not used; and its end, of which the person is told before (Art. 18(3))."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from anruflotse.documents import Block, Heading, Listing, Paragraph
from anruflotse.documents.model import day, moment
from anruflotse.records.access import Accessor
from anruflotse.records.model import NotFoundError, Record
from anruflotse.records.restriction import HOLDING, Ground, HeldError
from anruflotse.rights import letters, notification
from anruflotse.rights.model import Article, Finding, NotNowError, Request, RightsError, Scope, Todo
from anruflotse.rights.notification import TELL, Had
from anruflotse.rights.office import Filed, Office, with_todos

FAR = datetime(3000, 1, 1, tzinfo=UTC)
RESTRICTED = "restricted"
HELD = "held"
"""It was held beyond its day already, which stays so: a hold ends by being lifted, not by another restriction."""
LIFTED = "lifted"
GONE = "gone"
UNCHANGED = "unrestricted"
"""There was nothing to lift."""

PERSON = "Person"
"""The recipient of a to-do that is about telling the person."""

_ASKED = "asked"
"""The detail of a request that says whether the person asked for the end of the restriction: `yes`, until that is acted
on (`done`), so that it does not count for what is restricted later."""

_NAMED = 10
"""So many records a refusal names."""

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

    A record that is held already stays held under its terms, unless this is a hold as well.

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
        except HeldError:
            done[finding.record] = HELD
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


def one_by_one(office: Office, scope: Scope, records: Sequence[str], accessor: Accessor) -> None:
    """Refuse to end restrictions by time: what was recorded in it is several people's, and each has to be told.

    Raises `RightsError` that names the records to decide about, `NotNowError` when none of them is restricted.
    """
    if scope.window is None or not records:
        return
    named: list[str] = []
    for record_id in records:
        record = office.peek(record_id, accessor)
        if record is not None and record.summary.restricted:
            named.append(record_id)
        if len(named) > _NAMED:
            break
    if not named:
        raise NotNowError(NOTHING)
    message = (
        "The end of a restriction is decided for each record, and told to its person before (Art. 18(3) GDPR), so it "
        f"cannot be asked for by time. Name one with --record (or --reference, --number): {', '.join(named[:_NAMED])}"
        f"{' and more' if len(named) > _NAMED else ''}."
    )
    raise RightsError(message)


NOTHING = "None of these records is restricted: there is nothing to lift."


def restricted(office: Office, filed: Filed, accessor: Accessor) -> tuple[str, ...]:
    """The records of a request that are restricted now."""
    return tuple(record_id for record_id, record in _opened(office, filed, accessor).items() if _is_shut(record))


def is_announced(office: Office, filed: Filed, accessor: Accessor) -> bool:
    """Whether somebody has written to the person about every record of the request that is restricted now."""
    shut = set(restricted(office, filed, accessor))
    return bool(shut) and all(one.told for one in filed.request.findings if one.record in shut)


def tell_first(office: Office, filed: Filed, accessor: Accessor) -> Filed:
    """Put down that the person has to be told before the restriction ends: of those records it was not told of yet.

    Raises `NotNowError` when none is restricted.
    """
    one_by_one(office, filed.request.scope, filed.request.records, accessor)
    opened = _opened(office, filed, accessor)
    shut = {record_id: record for record_id, record in opened.items() if record is not None and _is_shut(record)}
    if not shut:
        raise NotNowError(NOTHING)

    def then(request: Request) -> Request:
        new = [one.record for one in request.findings if one.record in shut and not one.told]
        if not new:
            return request
        number = max((todo.number for todo in request.todos), default=0) + 1
        named = ", ".join(one[:8] for one in new[:_NAMED])
        more = f" und {len(new) - _NAMED} weitere" if len(new) > _NAMED else ""
        todo = Todo(number=number, kind=TELL, recipient=PERSON, task=f"{_TELL}. Aufzeichnungen: {named}{more}")
        findings = tuple(
            replace(one, told=number, recorded_at=shut[one.record].summary.recorded_at) if one.record in new else one
            for one in request.findings
        )
        details = {key: value for key, value in request.details.items() if key != _ASKED}
        return replace(request, todos=(*request.todos, todo), findings=findings, details=details)

    return office.change(filed.id, accessor, then)


def is_told(request: Request, finding: Finding) -> bool:
    """Whether the restriction of a record may be lifted: the person was told of this one, or asked for its end."""
    told = any(todo.number == finding.told and not todo.open for todo in request.todos)
    return told or request.details.get(_ASKED) == "yes"


def lift(office: Office, filed: Filed, accessor: Accessor) -> Filed:
    """Lift the restriction of every record of a request. A held record that is past its day ends with that.

    Raises `NotNowError` as long as the person has not been told of each that is restricted (Art. 18(3)), `RightsError`
    for a stretch of time, `AccessRefusedError`, `StoreError`.
    """
    one_by_one(office, filed.request.scope, filed.request.records, accessor)
    opened = _opened(office, filed, accessor)
    if any(_is_shut(opened[one.record]) and not is_told(filed.request, one) for one in filed.request.findings):
        message = (
            "The person has to be told before a restriction is lifted (Art. 18(3) GDPR): send the letter, settle the "
            "to-do (`rights todo`), then ask again; or say --asked when the person asked for it."
        )
        raise NotNowError(message)
    had: list[Had] = []
    done: dict[str, str] = {}
    seen: dict[str, datetime] = {}
    for finding in filed.request.findings:
        record = opened[finding.record]
        if record is None:
            done[finding.record] = GONE
            continue
        seen[finding.record] = record.summary.recorded_at
        if not record.summary.restricted:
            if finding.done != LIFTED:
                done[finding.record] = UNCHANGED
            continue
        had += notification.who_had(office, record, accessor)
        office.records.lift(finding.record, accessor)
        done[finding.record] = LIFTED

    def then(request: Request) -> Request:
        told = with_todos(request, notification.wanted(request, tuple(had)))
        # What was told or asked for is used up: restricted once more, it has to be told again.
        told = replace(
            told, findings=tuple(replace(one, told=0) if one.record in opened else one for one in told.findings)
        )
        asked = {_ASKED: "done"} if request.details.get(_ASKED) == "yes" else {}
        return _done(office, told, accessor, done, seen, "lifted", asked)

    return office.change(filed.id, accessor, then)


def _opened(office: Office, filed: Filed, accessor: Accessor) -> dict[str, Record | None]:
    return {record_id: office.open(record_id, accessor) for record_id in filed.request.records}


def _is_shut(record: Record | None) -> bool:
    return record is not None and record.summary.restricted


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
    shut = [one for one in request.findings if one.done in {RESTRICTED, HELD}]
    if not shut:
        return (
            Heading("Wir haben nichts gesperrt."),
            Paragraph(f"{_ended(len(request.findings))} Deshalb gibt es nichts mehr zu sperren."),
        )
    ended = len(request.findings) - len(shut)
    return (
        Heading("Wir haben gesperrt."),
        Paragraph(
            f"Wir haben {letters.calls(len(shut))} gesperrt. Niemand darf das noch ansehen oder anhören. "
            "Nur unser Datenschutz darf es, um Ihre Rechte zu erfüllen."
        ),
        Listing(_when(shut)),
        *((Paragraph(_ended(ended)),) if ended else ()),
        Heading("Warum?"),
        Paragraph(_GROUNDS[Ground(request.details["ground"])]),
        *_how_long(office, request, shut),
        Paragraph("Bevor die Sperre endet, sagen wir Ihnen Bescheid."),
        *notification.told(filed),
    )


def _how_long(office: Office, request: Request, shut: Sequence[Finding]) -> tuple[Block, ...]:
    """Until when what is restricted now is kept."""
    review = request.details.get("review", "")
    holding = sum(one.done == HELD for one in shut)
    told: list[Block] = []
    if holding < len(shut) and review and request.details.get("held") == "yes":
        told.append(
            Paragraph(
                "Wir bewahren die Daten länger auf als sonst, weil Sie das möchten. Am "
                f"{day(datetime.fromisoformat(review))} prüfen wir, ob das noch nötig ist."
            )
        )
    elif holding < len(shut):
        after = letters.period(office.house.retention_days)
        told.append(Paragraph(f"Nach {after} löschen wir die Aufzeichnung trotzdem, wie immer."))
    if holding:
        told.append(
            Paragraph(
                f"Schon vorher hatten wir festgelegt, {letters.calls(holding)} länger aufzubewahren. Dabei bleibt es: "
                "Gelöscht wird erst, wenn diese Sperre aufgehoben ist."
            )
        )
    return tuple(told)


def _ended(number: int) -> str:
    """A sentence on records that were no longer there."""
    return f"{letters.calls(number)[0].upper()}{letters.calls(number)[1:]} {_was(number)} inzwischen gelöscht."


def _was(number: int) -> str:
    return "war" if number == 1 else "waren"


def _lifting(office: Office, filed: Filed) -> tuple[Block, ...]:
    request = filed.request
    if not request.findings:
        return letters.nothing_found(request, office.house)
    asked = bool(request.details.get(_ASKED))
    reason = request.details.get("reason", "")
    why = "Sie haben uns darum gebeten." if asked else reason or "Der Grund für die Sperre ist weggefallen."
    latest = max(one.told for one in request.findings)
    if latest:
        ending = [one for one in request.findings if one.told == latest]
        return (
            Heading("Die Sperre soll enden."),
            Paragraph(f"Es geht um {letters.calls(len(ending))}:"),
            Listing(_when(ending)),
            Paragraph(why),
            Paragraph(
                "Danach verwenden wir die Aufzeichnung wieder wie vorher. Ist ihre Frist schon vorbei, wird sie "
                "gelöscht."
            ),
            Paragraph("Wenn Sie damit nicht einverstanden sind, sagen Sie es uns bitte bald."),
        )
    lifted = [one for one in request.findings if one.done == LIFTED]
    rest = _unlifted(request)
    if not lifted:
        return (Heading("Es ist nichts gesperrt."), *rest)
    return (
        Heading("Die Sperre ist aufgehoben."),
        Paragraph(f"Es geht um {letters.calls(len(lifted))}:"),
        Listing(_when(lifted)),
        Paragraph(why),
        Paragraph(
            "Wir verwenden die Aufzeichnung jetzt wieder wie vorher. War ihre Frist schon vorbei, ist sie gelöscht."
        ),
        *rest,
    )


def _unlifted(request: Request) -> tuple[Block, ...]:
    """What was found and has no restriction that could be lifted."""
    open_ones = sum(one.done == UNCHANGED for one in request.findings)
    ended = sum(one.done == GONE for one in request.findings)
    told: list[Block] = []
    if open_ones:
        found = f"Gefunden haben wir {letters.calls(open_ones)}, die nicht gesperrt {_was(open_ones)}."
        told.append(Paragraph(f"{found} Daran ändert sich nichts."))
    if ended:
        told.append(Paragraph(_ended(ended)))
    return tuple(told)


def _when(findings: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(
        f"Anruf vom {moment(one.recorded_at)}" if one.recorded_at else "Ein Anruf, der inzwischen gelöscht ist"
        for one in findings
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
