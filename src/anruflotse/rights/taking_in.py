"""Taking requests in: what is asked, by whom, how that was checked, and which records it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from anruflotse.clock import Clock
from anruflotse.records.access import Accessor
from anruflotse.records.model import Purpose
from anruflotse.records.repository import Records
from anruflotse.rights import objection, restriction, searching
from anruflotse.rights.due import day_of
from anruflotse.rights.house import House
from anruflotse.rights.model import (
    Article,
    Decision,
    Finding,
    Identified,
    NotNowError,
    Request,
    RightsError,
    Scope,
    State,
    clean,
)
from anruflotse.rights.office import Filed, Office

LARGEST = 2000
"""Records of one request: more is no request of a person, and would not fit into a case."""

SHORT = 8
"""Digits of a request's id that its letters show."""
LONG = 32

GDPR_BEGAN = date(2018, 5, 25)

DISCLOSING = frozenset({Article.ACCESS, Article.COPY})
"""What hands out what somebody said: its files are not kept, since they would outlive the records."""


class TakingIn:
    """The part of `Requests` that files and finds them."""

    def __init__(self, records: Records, clock: Clock, house: House | None = None) -> None:
        """Work on `records`; letters speak of `house`."""
        self.office = Office(records, clock, house or House())

    def take_in(
        self,
        article: Article,
        scope: Scope,
        accessor: Accessor,
        *,
        received: date | None = None,
        person: str = "",
        identified: str = "",
        details: Mapping[str, str] | None = None,
    ) -> tuple[Filed, bool]:
        """File a request and find its records; `True` when it is one that is open already, asked again.

        `received` is the day in Germany (today). `identified` says what was checked, never more. Records that were
        found by time alone, for access or a copy, are left to the officer to decide about: a time is no proof of whose
        call it was. The same asked by another `person` is another request: nobody gets an answer, or is identified, in
        the name of somebody else. Raises `RightsError` for a day ahead or before the GDPR, more than `LARGEST` records,
        an objection to records of several numbers, the end of restrictions by time, and when it cannot be told whose
        request is asked for again.
        """
        day = self._received(received)
        self._check_size(scope, accessor)
        found = searching.find(self.office, scope, accessor)
        if len(found) > LARGEST:
            raise _too_many(len(found))
        if article is Article.OBJECTION:
            objection.one_number(self.office, scope, found, accessor)
        if article is Article.LIFTING:
            restriction.one_by_one(self.office, scope, found, accessor)
        decision = Decision.OPEN if scope.window and article in DISCLOSING else Decision.INCLUDE
        findings = tuple(Finding(record=one, decision=decision) for one in found)
        who = clean(person, "person") if person.strip() else ""
        checked = self._identified(identified, accessor) if identified.strip() else None
        wanted = dict(details or {})
        earlier = self._same_and_running(article, scope, wanted, who, accessor)
        if earlier is None:
            request = Request(article=article, scope=scope, received=day, person=who, details=wanted, findings=findings)
            request = self.office.step(request, accessor, "received", str(len(findings)))
            if checked is not None:
                request = self.office.step(replace(request, identified=checked), accessor, "identified")
            return self.office.file(request, accessor), False

        def again(request: Request) -> Request:
            known = set(request.records)
            merged = replace(
                request,
                received=min(request.received, day),
                person=who or request.person,
                identified=checked or request.identified,
                details={**request.details, **wanted},
                findings=(*request.findings, *(one for one in findings if one.record not in known)),
            )
            merged = self.office.step(merged, accessor, "asked_again", str(len(findings)))
            return merged if checked is None else self.office.step(merged, accessor, "identified")

        return self.office.change(earlier.id, accessor, again), True

    def identify(self, case_id: str, accessor: Accessor, what: str) -> Filed:
        """Put down how it was checked who asks. `what` names it ("Personalausweis vorgelegt"); no copy is kept."""
        checked = self._identified(what, accessor)

        def then(request: Request) -> Request:
            must_run(request)
            return self.office.step(replace(request, identified=checked), accessor, "identified")

        return self.office.change(case_id, accessor, then)

    def get(self, case_id: str, accessor: Accessor) -> Filed:
        """One request. Raises `NotFoundError`."""
        return self.office.get(case_id, accessor)

    def named(self, typed: str, accessor: Accessor) -> Filed:
        """The request that somebody means: its id, or as many of its first digits as stand on the letter.

        Raises `NotFoundError`, and `RightsError` when several begin like that.
        """
        wanted = typed.strip().casefold()
        if not SHORT <= len(wanted) < LONG:
            return self.office.get(wanted, accessor)
        found = [filed for filed in self.office.all(accessor) if filed.id.startswith(wanted)]
        if len(found) > 1:
            message = f"{len(found)} requests begin like that: give more digits of the one you mean."
            raise RightsError(message)
        return found[0] if found else self.office.get(wanted, accessor)

    def search(
        self,
        accessor: Accessor,
        *,
        article: Article | None = None,
        state: State | None = None,
        scope: Scope | None = None,
        overdue: bool = False,
    ) -> tuple[Filed, ...]:
        """Requests, newest first: all of them, or those of an article, in a state, about something, or too late."""
        now = self.office.now()
        return tuple(
            filed
            for filed in self.office.all(accessor)
            if (article is None or filed.request.article is article)
            and (state is None or filed.request.state is state)
            and (scope is None or searching.same(filed.request.scope, scope))
            and (not overdue or (filed.request.running and self.office.due(filed.request).over(now)))
        )

    def size(self, scope: Scope, accessor: Accessor) -> int:
        """How many records a request would be about, without opening one."""
        if scope.window is None:
            return len(searching.find(self.office, scope, accessor))
        return self.office.records.count_window(*scope.window, accessor, Purpose.RIGHTS)

    def _received(self, received: date | None) -> date:
        today = day_of(self.office.now())
        day = received or today
        if day > today:
            message = "A request cannot have been received in the future: give the day it came in."
            raise RightsError(message)
        if day < GDPR_BEGAN:
            message = "There were no requests under the GDPR before 25 May 2018: give the day it came in."
            raise RightsError(message)
        return day

    def _identified(self, what: str, accessor: Accessor) -> Identified:
        return Identified(what=clean(what, "identification"), by=accessor.name, at=self.office.now())

    def _check_size(self, scope: Scope, accessor: Accessor) -> None:
        if scope.window and (number := self.size(scope, accessor)) > LARGEST:
            raise _too_many(number)

    def _same_and_running(
        self, article: Article, scope: Scope, details: Mapping[str, str], who: str, accessor: Accessor
    ) -> Filed | None:
        """The request that is open for the same, if there is one: the same person asking twice is not two requests.

        Without a name the one request that is open is meant. A name takes over a request that has none only while
        nobody was identified for it.
        """
        withdrawing = details.get("course") == "withdrawn"
        running = [
            filed
            for filed in self.office.all(accessor)
            if filed.request.article is article
            and filed.request.running
            and searching.same(filed.request.scope, scope)
            and (filed.request.details.get("course") == "withdrawn") == withdrawing
        ]
        if not who:
            if len(running) > 1:
                message = (
                    f"{len(running)} people have asked for this, and are not answered yet: name who asks (--person)."
                )
                raise RightsError(message)
            return running[0] if running else None
        theirs = [filed for filed in running if searching.same_person(filed.request.person, who)]
        named = next((filed for filed in theirs if filed.request.person), None)
        return named or next((filed for filed in theirs if filed.request.identified is None), None)


def must_run(request: Request) -> None:
    """Raise `NotNowError` when the person has their answer already."""
    if not request.running:
        message = f"This request is {request.state} already: file a new one."
        raise NotNowError(message)


def _too_many(number: int) -> RightsError:
    return RightsError(
        f"{number} records are more than one request can be about ({LARGEST}): name a shorter stretch of time."
    )
