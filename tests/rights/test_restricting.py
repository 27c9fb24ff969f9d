"""Restrictions: what holds stays held, and each ends alone, after its person was told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from anruflotse.clock import FakeClock
from anruflotse.records.model import Draft
from anruflotse.records.restriction import Ground
from anruflotse.rights import letters
from anruflotse.rights.answering import Prepared
from anruflotse.rights.model import Article, Finding, NotNowError, Request, RightsError, Scope
from anruflotse.rights.objection import Course
from anruflotse.rights.office import Filed
from anruflotse.rights.requests import Requests
from tests.rights.conftest import NUMBER, OFFICER, call, readable

Drafts = Callable[..., Draft]
OTHER = "+49 171 7654321"


def asked(desk: Requests, article: Article, scope: Scope | None = None, **details: str) -> Filed:
    return desk.take_in(article, scope or Scope(number=NUMBER), OFFICER, details=details)[0]


def window(clock: FakeClock) -> Scope:
    return Scope(start=clock.now() - timedelta(hours=1), end=clock.now() + timedelta(hours=1))


def restrict(desk: Requests, scope: Scope | None = None) -> Prepared:
    return desk.restrict(asked(desk, Article.RESTRICTION, scope).id, OFFICER, Ground.CONTESTED)


def hold(desk: Requests, clock: FakeClock, scope: Scope | None = None) -> Prepared:
    review = clock.now() + timedelta(days=300)
    case = asked(desk, Article.RESTRICTION, scope).id
    return desk.restrict(case, OFFICER, Ground.LEGAL_CLAIMS, hold=True, review_on=review)


def shut(desk: Requests, record: str) -> bool:
    return desk.office.records.open(record, OFFICER, "betroffenenrechte").summary.restricted


def page(prepared: Prepared) -> str:
    told = next(content for name, content in prepared.files.items() if name.endswith(".html"))
    return " ".join(told.decode().split())


def test_a_later_restriction_leaves_a_hold_alone(desk: Requests, make_draft: Drafts, clock: FakeClock) -> None:
    kept = call(desk, make_draft)
    other = call(desk, make_draft, caller=OTHER)
    hold(desk, clock)
    prepared = restrict(desk, window(clock))
    assert {one.record: one.done for one in prepared.filed.request.findings} == {kept: "held", other: "restricted"}
    assert "Wir haben 2 Aufzeichnungen gesperrt" in page(prepared)
    assert "Nach 28 Tagen löschen wir" in page(prepared)
    assert "Schon vorher hatten wir festgelegt, eine Aufzeichnung länger aufzubewahren" in page(prepared)
    clock.advance(29 * 86400)
    desk.office.records.sweep()
    assert readable(desk, kept)
    assert not readable(desk, other)


def test_weighing_an_objection_leaves_a_hold_alone(files: Requests, make_draft: Drafts, clock: FakeClock) -> None:
    kept = call(files, make_draft)
    hold(files, clock)
    files.object(asked(files, Article.OBJECTION).id, OFFICER, Course.WEIGH)
    clock.advance(29 * 86400)
    files.office.records.sweep()
    assert readable(files, kept)


def test_no_restriction_ends_by_time(desk: Requests, make_draft: Drafts, clock: FakeClock) -> None:
    mine, free = call(desk, make_draft), call(desk, make_draft, caller="+49 40 5556667")
    theirs = call(desk, make_draft, caller=OTHER)
    hold(desk, clock)
    restrict(desk, Scope(number=OTHER))
    before = len(desk.search(OFFICER))
    for details in ({}, {"asked": "yes"}):
        with pytest.raises(RightsError, match="each record") as refused:
            asked(desk, Article.LIFTING, window(clock), **details)
        assert mine in str(refused.value)
        assert theirs in str(refused.value)
        assert free not in str(refused.value)
    assert len(desk.search(OFFICER)) == before
    assert shut(desk, mine)
    assert shut(desk, theirs)
    # One that was filed before that was refused lifts nothing either.
    findings = tuple(Finding(record=one) for one in (mine, theirs))
    request = Request(article=Article.LIFTING, scope=window(clock), received=clock.now().date(), findings=findings)
    filed = desk.office.file(replace(request, details={"asked": "yes"}), OFFICER)
    with pytest.raises(RightsError, match="each record"):
        desk.lift(filed.id, OFFICER)
    with pytest.raises(RightsError, match="each record"):
        desk.tell_before_lifting(filed.id, OFFICER)
    assert shut(desk, mine)


def test_only_what_the_person_was_told_of_is_lifted(desk: Requests, make_draft: Drafts) -> None:
    first = call(desk, make_draft)
    restrict(desk, Scope(record=first))
    filed = asked(desk, Article.LIFTING)
    letter = desk.tell_before_lifting(filed.id, OFFICER)
    assert "Die Sperre soll enden." in page(letter)
    assert "eine Aufzeichnung:" in page(letter)
    assert "Anruf vom" in page(letter)
    assert desk.is_announced(filed.id, OFFICER)
    desk.settle(filed.id, OFFICER, letter.filed.request.open_todos[0].number)
    second = call(desk, make_draft)
    restrict(desk, Scope(record=second))
    assert asked(desk, Article.LIFTING).id == filed.id
    assert not desk.is_announced(filed.id, OFFICER)
    with pytest.raises(NotNowError, match=r"Art\. 18\(3\)"):
        desk.lift(filed.id, OFFICER)
    assert shut(desk, first)
    assert shut(desk, second)
    letter = desk.tell_before_lifting(filed.id, OFFICER)
    (todo,) = letter.filed.request.open_todos
    assert second[:8] in todo.task
    assert first[:8] not in todo.task
    assert "eine Aufzeichnung:" in page(letter)
    with pytest.raises(NotNowError):
        desk.lift(filed.id, OFFICER)
    desk.settle(filed.id, OFFICER, todo.number)
    lifted = desk.lift(filed.id, OFFICER)
    assert [one.done for one in lifted.filed.request.findings] == ["lifted", "lifted"]
    assert not shut(desk, second)


@pytest.mark.parametrize("how", ["told", "asked"])
def test_what_is_restricted_once_more_has_to_be_told_once_more(files: Requests, make_draft: Drafts, how: str) -> None:
    record = call(files, make_draft)
    restrict(files)
    if how == "asked":
        filed = asked(files, Article.LIFTING, asked="yes")
    else:
        filed = asked(files, Article.LIFTING)
        letter = files.tell_before_lifting(filed.id, OFFICER)
        files.settle(filed.id, OFFICER, letter.filed.request.open_todos[0].number)
    files.lift(filed.id, OFFICER)
    assert not shut(files, record)
    restrict(files)
    assert asked(files, Article.LIFTING).id == filed.id
    with pytest.raises(NotNowError, match=r"Art\. 18\(3\)"):
        files.lift(filed.id, OFFICER)
    assert shut(files, record)


def test_the_letter_says_what_was_lifted_and_what_was_not(
    files: Requests, make_draft: Drafts, clock: FakeClock
) -> None:
    record = call(files, make_draft)
    for _ in range(3):
        call(files, make_draft)
    restrict(files, Scope(record=record))
    letter = page(files.lift(asked(files, Article.LIFTING, asked="yes").id, OFFICER))
    assert "Die Sperre ist aufgehoben." in letter
    assert "Es geht um eine Aufzeichnung:" in letter
    assert "Gefunden haben wir 3 Aufzeichnungen, die nicht gesperrt waren." in letter
    assert "Sie haben uns darum gebeten." in letter
    for wrong in ("soll enden", "soll nun enden", "Danach verwenden wir"):
        assert wrong not in letter
    # Said again, the letter stays as it is.
    clock.advance(5)
    again = files.lift(asked(files, Article.LIFTING, asked="yes").id, OFFICER)
    assert "Die Sperre ist aufgehoben." in page(again)
    assert [one.done for one in again.filed.request.findings].count("lifted") == 1


def test_a_restriction_counts_only_what_is_there(files: Requests, make_draft: Drafts, clock: FakeClock) -> None:
    call(files, make_draft)
    clock.advance(5 * 86400)
    call(files, make_draft, recorded_at=clock.now(), started_at=clock.now())
    filed = asked(files, Article.RESTRICTION)
    clock.advance(24 * 86400)
    letter = page(files.restrict(filed.id, OFFICER, Ground.CONTESTED))
    assert "Wir haben eine Aufzeichnung gesperrt." in letter
    assert "Eine Aufzeichnung war inzwischen gelöscht." in letter
    clock.advance(5 * 86400)
    letter = page(files.restrict(filed.id, OFFICER, Ground.CONTESTED))
    assert "Wir haben nichts gesperrt." in letter
    assert "2 Aufzeichnungen waren inzwischen gelöscht." in letter


@pytest.mark.parametrize(
    ("days", "said"), [(1, "einem Tag"), (28, "28 Tagen"), (365, "einem Jahr"), (730, "2 Jahren"), (400, "400 Tagen")]
)
def test_a_period_is_said_as_it_is_after_nach(days: int, said: str) -> None:
    assert letters.period(days) == said


def test_erasing_by_time_tells_of_what_was_spared(files: Requests, make_draft: Drafts, clock: FakeClock) -> None:
    call(files, make_draft)
    hold(files, clock)
    for _ in range(2):
        call(files, make_draft, caller=OTHER)
    letter = page(files.erase(asked(files, Article.ERASURE, window(clock)).id, OFFICER))
    assert "Wir haben 2 Aufzeichnungen gelöscht" in letter
    assert "Gefunden haben wir außerdem eine Aufzeichnung. Sie ist gesperrt" in letter
    assert "Aufbewahren müssen wir nur diesen Vorgang" not in letter


@pytest.mark.parametrize(("outcome", "taken"), [("succeeded", True), ("unknown", True), ("", False)])
def test_a_department_that_did_not_take_the_call_had_nothing(
    files: Requests, make_draft: Drafts, outcome: str, *, taken: bool
) -> None:
    call(files, make_draft, outcome=outcome)
    shown = page(files.access(asked(files, Article.ACCESS).id, OFFICER))
    assert ("niemanden: Das Gespräch hat niemand angenommen" in shown) != taken
    prepared = files.erase(asked(files, Article.ERASURE).id, OFFICER)
    departments = {todo.recipient for todo in prepared.filed.request.todos} - {"Aristech GmbH"}
    assert departments == ({"Krankengeld und Familie"} if taken else set())
