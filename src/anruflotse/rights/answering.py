"""Answering requests: the files of an answer, handing it out, taking longer, saying no, and closing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from anruflotse.records.access import Accessor
from anruflotse.records.model import Record
from anruflotse.rights import (
    access,
    erasure,
    letters,
    notification,
    objection,
    portability,
    rectification,
    redaction,
    restriction,
    searching,
)
from anruflotse.rights.due import BERLIN
from anruflotse.rights.model import Article, Decision, Finding, NotNowError, Request, clean
from anruflotse.rights.notification import CHECK, TELL
from anruflotse.rights.objection import Course
from anruflotse.rights.office import Filed, Office, with_todos
from anruflotse.rights.taking_in import DISCLOSING, TakingIn, must_run

_OFFICE = "Datenschutz"
_EXTENDED = "Person über die Verlängerung der Frist und den Grund unterrichten (Art. 12 Abs. 3 DSGVO)"
_REFUSED = "Person über die Ablehnung, den Grund und ihre Rechtsbehelfe unterrichten (Art. 12 Abs. 4 DSGVO)"
_OTHERS = "Gegenüberstellung ansehen und entscheiden, ob andere Menschen betroffen sind (Art. 15 Abs. 4 DSGVO):"

_LETTERS: Mapping[Article, Callable[[Office, Filed], dict[str, bytes]]] = {
    Article.RECTIFICATION: rectification.answer,
    Article.ERASURE: erasure.answer,
    Article.RESTRICTION: restriction.answer,
    Article.LIFTING: restriction.answer,
    Article.OBJECTION: objection.answer,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A request and the files of its answer, if it is ready: name to content. `password` opens a copy's archive."""

    filed: Filed
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    password: str | None = field(default=None, repr=False)


class Answering(TakingIn):
    """The part of `Requests` that answers them."""

    def prepare(self, case_id: str, accessor: Accessor, *, password: str | None = None) -> Prepared:
        """Make the files of the answer from what is stored now; none while a record is undecided.

        After the answer it makes them again, which changes nothing of the request but its steps and proofs.
        """
        filed = self._without_ended(self.office.get(case_id, accessor), accessor)
        article = filed.request.article
        if filed.request.undecided:
            return Prepared(filed=filed)
        # Once the person has the answer nothing is opened again: made again, it is without later corrections.
        if article in DISCLOSING and filed.request.running:
            filed = self._point_out(filed, accessor)
            if filed.request.undecided:
                return Prepared(filed=filed)
        if article is Article.ACCESS:
            files = access.answer(self.office, filed, accessor)
        elif article is Article.COPY:
            copy = portability.answer(self.office, filed, accessor, password)
            return replace(self._written(filed, accessor, copy.files, "prepared"), password=copy.password)
        else:
            files = _LETTERS[article](self.office, filed)
        return self._written(filed, accessor, files, "prepared")

    def answer(self, case_id: str, accessor: Accessor, how: str = "") -> Filed:
        """Mark the answer as handed out.

        Raises `NotNowError` for what has to come first: identification, preparation, decisions about other people.
        """
        filed = self.office.get(case_id, accessor)
        must_run(filed.request)
        filed = self._finish(self._without_ended(filed, accessor), accessor)
        said = clean(how, "way") if how.strip() else ""

        def then(request: Request) -> Request:
            must_run(request)
            _must_be_ready(request)
            return self.office.step(replace(request, answered_at=self.office.now()), accessor, "answered", said)

        return self.office.change(case_id, accessor, then)

    def extend(self, case_id: str, accessor: Accessor, reason: str) -> Prepared:
        """Take two months more, once, and before the month is over (Art. 12(3)); the person is told why."""
        because = clean(reason, "reason")

        def then(request: Request) -> Request:
            must_run(request)
            if request.extended_because:
                message = "The period was extended already: the law allows that once."
                raise NotNowError(message)
            if self.office.due(request).over(self.office.now()):
                message = (
                    "The period is over: it can only be extended within the month (Art. 12(3) GDPR). Answer at once."
                )
                raise NotNowError(message)
            longer = replace(request, extended_because=because)
            longer = with_todos(longer, ((TELL, restriction.PERSON, _EXTENDED),))
            return self.office.step(longer, accessor, "extended")

        filed = self.office.change(case_id, accessor, then)
        document = letters.extension(self.office, filed, self.office.due(filed.request).day)
        return self._kept(filed, accessor, letters.rendered("fristverlaengerung", document, letters.facts(filed)))

    def refuse(self, case_id: str, accessor: Accessor, reason: str) -> Prepared:
        """Say no, with the reason and what the person can do about it (Art. 12(4)).

        Raises `NotNowError` when what was asked for has been done already.
        """
        because = clean(reason, "reason")

        def then(request: Request) -> Request:
            must_run(request)
            if any(finding.done for finding in request.findings) or objection.in_effect(request):
                message = "What was asked for is done already, so it cannot be refused: answer the request."
                raise NotNowError(message)
            refused = replace(request, refused_at=self.office.now(), refused_because=because)
            refused = with_todos(refused, ((TELL, restriction.PERSON, _REFUSED),))
            return self.office.step(refused, accessor, "refused")

        filed = self.office.change(case_id, accessor, then)
        files = letters.rendered("entscheidung", letters.refusal(self.office, filed), letters.facts(filed))
        return self._kept(filed, accessor, files)

    def settle(self, case_id: str, accessor: Accessor, number: int, *, note: str = "", waived: bool = False) -> Filed:
        """Settle a to-do: done, or impossible (`waived`, with the reason)."""
        return self.office.change(
            case_id,
            accessor,
            lambda request: notification.settled(self.office, request, number, accessor, note=note, waived=waived),
        )

    def close(self, case_id: str, accessor: Accessor) -> Filed:
        """Close a request that is answered or refused and has nothing left to do; its retention runs from now on.

        Raises `NotNowError` while a call may still be going on that was when its erasure was asked for: what it leaves
        is erased by closing, and nobody looks for it after that.
        """
        filed = self.office.get(case_id, accessor)
        if filed.request.answered_at is not None and filed.request.closed_at is None:
            filed = self._finish(filed, accessor)

        def then(request: Request) -> Request:
            if request.closed_at is not None:
                message = "The request is closed already."
                raise NotNowError(message)
            if request.running:
                message = "The request is neither answered nor refused: do that first."
                raise NotNowError(message)
            if request.open_todos:
                open_ones = ", ".join(str(todo.number) for todo in request.open_todos)
                message = f"Something is still to be done: settle the to-dos {open_ones} first (`rights todo`)."
                raise NotNowError(message)
            if request.answered_at is not None and _erases(request):
                self._must_be_over(filed)
            return self.office.step(replace(request, closed_at=self.office.now()), accessor, "closed")

        return self.office.change(case_id, accessor, then)

    def _must_be_over(self, filed: Filed) -> None:
        """Raise `NotNowError` while a call may go on that was when the erasure was asked for."""
        over = erasure.over(self.office, filed)
        if self.office.now() < over:
            message = (
                "A call that was going on when this was asked for may still leave a recording, which closing erases: "
                f"close it after {over.astimezone(BERLIN):%H:%M:%S} German time."
            )
            raise NotNowError(message)

    def evidence(self, filed: Filed, accessor: Accessor) -> list[dict[str, object]]:
        """What proves what was done: files with their SHA-256, and for erasures that nothing can be read, tried now."""
        told: list[dict[str, object]] = [
            {"file": one.name, "sha256": one.sha256, "bytes": one.size, "at": one.at, "kept": one.kept}
            for one in filed.request.proofs
        ]
        erased = filed.request.article is Article.ERASURE or any(
            finding.done == erasure.ERASED for finding in filed.request.findings
        )
        return told + (erasure.proof(self.office, filed, accessor) if erased else [])

    def recipients(self, filed: Filed, accessor: Accessor) -> list[dict[str, object]]:
        """Who had the records of a request: staff by name, role, purpose and time, and processors. For officers."""
        told: list[dict[str, object]] = []
        for finding in filed.request.findings:
            if finding.decision is Decision.OPEN:
                continue
            told += [
                {
                    "record": finding.record,
                    "name": one.accessor,
                    "role": one.role,
                    "purpose": one.purpose,
                    "act": one.act,
                    "at": one.at.isoformat(timespec="seconds"),
                }
                for one in self.office.records.recipients(finding.record, accessor)
            ]
            record = self.office.open(finding.record, accessor)
            told += [
                {"record": finding.record, "name": self.office.house.processor(key), "role": "processor"}
                for key in (record.processors if record is not None else ())
            ]
        return told

    def _written(self, filed: Filed, accessor: Accessor, files: dict[str, bytes], what: str) -> Prepared:
        """Prove the files of an answer, keep them unless they hold what was said, and note the step."""
        discloses = filed.request.article in DISCLOSING
        proofs = self.office.proofs(files, kept=False) if discloses else self.office.keep(filed.id, files, accessor)

        def then(request: Request) -> Request:
            noted = replace(request, proofs=(*request.proofs, *proofs))
            if discloses and not request.running:
                return self.office.step(noted, accessor, "made_again")
            if what == "prepared":
                noted = replace(noted, prepared_at=self.office.now())
            return self.office.step(noted, accessor, what)

        return Prepared(filed=self.office.change(filed.id, accessor, then), files=files)

    def _kept(self, filed: Filed, accessor: Accessor, files: dict[str, bytes]) -> Prepared:
        """Keep a letter that holds nothing that was said, whatever the article."""
        proofs = self.office.keep(filed.id, files, accessor)
        changed = self.office.change(
            filed.id, accessor, lambda request: replace(request, proofs=(*request.proofs, *proofs))
        )
        return Prepared(filed=changed, files=files)

    def _finish(self, filed: Filed, accessor: Accessor) -> Filed:
        """Erase what came in late: a call that was going on when its erasure was asked for."""
        request = filed.request
        if not _erases(request) or request.prepared_at is None:
            return filed
        after = erasure.late(self.office, filed, accessor)
        return self.prepare(after.id, accessor).filed if after.request.records != request.records else after

    def _without_ended(self, filed: Filed, accessor: Accessor) -> Filed:
        """The request without undecided records that ended meanwhile; they are found out about without opening any."""
        undecided = filed.request.undecided
        if not undecided or not filed.request.running:
            return filed
        there = set(searching.find(self.office, filed.request.scope, accessor))
        ended = {one for one in undecided if one not in there}
        if not ended:
            return filed

        def then(request: Request) -> Request:
            findings = tuple(
                replace(one, decision=Decision.ENDED) if one.record in ended and one.decision is Decision.OPEN else one
                for one in request.findings
            )
            return self.office.step(replace(request, findings=findings), accessor, "ended", str(len(ended)))

        return self.office.change(filed.id, accessor, then)

    def _point_out(self, filed: Filed, accessor: Accessor) -> Filed:
        """Track every record that may be about somebody else until an officer has decided about it.

        A decision is open again when the record was corrected after it: nobody has looked at the new text.
        """
        noticed: list[tuple[str, str, str]] = []
        again: dict[str, Finding] = {}
        for finding in filed.request.findings:
            if finding.decision not in {Decision.INCLUDE, Decision.REDACT}:
                continue
            record = self.office.open(finding.record, accessor)
            if record is None:
                continue
            if _corrected_since(filed.request, finding, record):
                again[finding.record] = redaction.reopened(finding, record)
            elif not _was_decided(filed.request, finding) and redaction.pointed_out(record):
                noticed.append((CHECK, _OFFICE, f"{_OTHERS} {finding.record}"))
        if not noticed and not again:
            return filed

        def then(request: Request) -> Request:
            tracked = with_todos(request, tuple(noticed))
            if not again:
                return tracked
            # Who decided in the meantime has seen more corrections than were counted here.
            findings = tuple(
                fresh if (fresh := again.get(one.record)) and one.corrections == fresh.corrections else one
                for one in tracked.findings
            )
            tracked = replace(tracked, findings=findings, prepared_at=None)
            for one in again:
                tracked = self.office.step(tracked, accessor, "reopened", one[:8])
            return tracked

        return self.office.change(filed.id, accessor, then)


def _erases(request: Request) -> bool:
    """Whether what is stored is erased on this request."""
    return request.article is Article.ERASURE or request.details.get("course") == Course.ERASE


def _was_decided(request: Request, finding: Finding) -> bool:
    """Whether an officer has looked at this record: then the program has nothing more to say."""
    return any(step.what == "decided" and step.note.startswith(finding.record[:8]) for step in request.steps)


def _corrected_since(request: Request, finding: Finding, record: Record) -> bool:
    """Whether a correction came in after an officer had decided, or settled the to-do of looking at the record."""
    if _was_decided(request, finding):
        return redaction.unseen(finding, record)
    checks = [todo for todo in request.todos if todo.kind == CHECK and todo.task.endswith(finding.record)]
    settled = next((todo.settled_at for todo in checks), None)
    return settled is not None and any(fix.at > settled for fix in record.corrections)


def _must_be_ready(request: Request) -> None:
    """Raise `NotNowError` with what has to come before an answer is handed out."""
    if request.undecided:
        message = (
            f"{len(request.undecided)} records are undecided: do they belong to the person who asks? See "
            "`rights compare`."
        )
        raise NotNowError(message)
    checks = [todo for todo in request.open_todos if todo.kind == CHECK]
    if checks and request.article in DISCLOSING:
        message = (
            f"{len(checks)} records may be about other people: look at them and decide (`rights compare`) before "
            "anything is handed out."
        )
        raise NotNowError(message)
    if request.prepared_at is None:
        message = "The answer is not prepared: do what was asked for first."
        raise NotNowError(message)
    if request.identified is None:
        message = (
            "Nobody has checked who asks: put down what was checked (`rights identify`) before an answer is handed out."
        )
        raise NotNowError(message)
