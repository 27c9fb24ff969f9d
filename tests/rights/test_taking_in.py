"""Whose request it is, when it came in, what it is about, and what changes while it is worked on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from anruflotse.clock import FakeClock
from anruflotse.records.model import DestroyReason, Draft
from anruflotse.rights import searching
from anruflotse.rights.due import BERLIN
from anruflotse.rights.model import Article, Decision, NotNowError, RightsError, Scope, State
from anruflotse.rights.requests import Requests
from tests.rights.conftest import HOUSE, NUMBER, OFFICER, SAID, call, readable

Drafts = Callable[..., Draft]
A, B = "Frau A", "Herr B"
NOTATIONS = ("030 1234567", "+49 (0)30 1234567", "Tel. 030/1234567", "tel:+49-30-1234567", "<sip:+49301234567@trunk>")


def test_another_person_is_another_request(desk: Requests, make_draft: Drafts) -> None:
    call(desk, make_draft)
    scope = Scope(number=NUMBER)
    hers, _ = desk.take_in(Article.ACCESS, scope, OFFICER, person=A, identified="Personalausweis")
    his, repeated = desk.take_in(Article.ACCESS, scope, OFFICER, person=B)
    assert not repeated
    assert his.id != hers.id
    assert his.request.identified is None
    prepared = desk.access(his.id, OFFICER)
    # Her request is none of his business either.
    assert "früheren Anträge" not in prepared.files["auskunft.html"].decode()
    with pytest.raises(NotNowError, match="who asks"):
        desk.answer(his.id, OFFICER)
    kept = desk.get(hers.id, OFFICER).request
    assert kept.person == A
    assert kept.identified is not None
    again, repeated = desk.take_in(Article.ACCESS, scope, OFFICER, person="frau  a")
    assert (again.id, repeated) == (hers.id, True)
    # Without a name it cannot be told which of the two is meant.
    with pytest.raises(RightsError, match="2 people have asked for this"):
        desk.take_in(Article.ACCESS, scope, OFFICER, identified="Rückruf")


def test_a_name_takes_over_no_identification(files: Requests, make_draft: Drafts) -> None:
    call(files, make_draft)
    scope = Scope(number=NUMBER)
    unnamed, _ = files.take_in(Article.ACCESS, scope, OFFICER)
    named, repeated = files.take_in(Article.ACCESS, scope, OFFICER, person=A)
    assert (named.id, named.request.person, repeated) == (unnamed.id, A, True)
    somebody, _ = files.take_in(Article.COPY, scope, OFFICER, identified="Personalausweis")
    other, repeated = files.take_in(Article.COPY, scope, OFFICER, person=B)
    assert not repeated
    assert other.id != somebody.id
    assert other.request.identified is None


def test_the_earlier_day_of_receipt_counts(files: Requests, clock: FakeClock) -> None:
    clock.jump(datetime(2026, 11, 20, 9, tzinfo=UTC))
    filed, _ = files.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER)
    assert files.office.due(filed.request).day == date(2026, 12, 21)
    for given in (date(2026, 11, 2), date(2026, 11, 10), None):
        again, repeated = files.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER, received=given)
        assert repeated
        assert again.request.received == date(2026, 11, 2)
    assert files.office.due(again.request).day == date(2026, 12, 2)


@pytest.mark.parametrize("typed", NOTATIONS)
def test_a_number_is_the_same_request_however_it_is_written(files: Requests, make_draft: Drafts, typed: str) -> None:
    record = call(files, make_draft)
    first, _ = files.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER)
    again, repeated = files.take_in(Article.ACCESS, Scope(number=typed), OFFICER)
    assert (again.id, again.request.records, repeated) == (first.id, (record,), True)
    assert [one.id for one in files.search(OFFICER, scope=Scope(number=typed))] == [first.id]
    copy, _ = files.take_in(Article.COPY, Scope(number=typed), OFFICER)
    page = files.access(first.id, OFFICER).files["auskunft.html"].decode()
    assert "Ihre früheren Anträge" in page
    assert copy.id != first.id


def test_an_objection_knows_one_number_in_several_notations(files: Requests, make_draft: Drafts) -> None:
    now = files.office.now()
    call(files, make_draft, caller="+49301234567")
    call(files, make_draft, caller="sip:+49301234567@trunk;user=phone")
    window = Scope(start=now - timedelta(minutes=1), end=now + timedelta(minutes=1))
    filed, _ = files.take_in(Article.OBJECTION, window, OFFICER)
    files.object(filed.id, OFFICER)
    assert files.office.records.objected(NUMBER)


def test_the_hour_that_comes_twice_is_one_stretch_of_time(files: Requests) -> None:
    first = datetime(2026, 10, 25, 2, 15, tzinfo=BERLIN)
    second = datetime(2026, 10, 25, 2, 10, tzinfo=BERLIN, fold=1)
    one = Scope(start=first, end=second)
    assert one.window == (datetime(2026, 10, 25, 0, 15, tzinfo=UTC), datetime(2026, 10, 25, 1, 10, tzinfo=UTC))
    assert searching.same(one, Scope(start=one.start, end=one.end))
    filed, _ = files.take_in(Article.ERASURE, one, OFFICER)
    again, repeated = files.take_in(Article.ERASURE, Scope(start=first, end=second), OFFICER)
    assert (again.id, repeated) == (filed.id, True)
    with pytest.raises(RightsError, match="no calls at this time"):
        Scope(start=datetime(1, 1, 1, tzinfo=BERLIN), end=second)


@pytest.mark.parametrize("how", ["expired", "erased"])
def test_what_ends_undecided_does_not_block_the_answer(
    desk: Requests, make_draft: Drafts, clock: FakeClock, how: str
) -> None:
    now = clock.now()
    ended = call(desk, make_draft)
    clock.advance(86_400)
    left = call(desk, make_draft, caller="+49 171 7654321", transcripts=("Das war ich.",))
    window = Scope(start=now - timedelta(hours=1), end=clock.now() + timedelta(hours=1))
    case = desk.take_in(Article.ACCESS, window, OFFICER, identified="Ausweis")[0].id
    assert desk.access(case, OFFICER).files == {}
    if how == "expired":
        clock.jump(now + timedelta(days=28, hours=1))
    else:
        desk.office.records.destroy(ended, DestroyReason.ERASED, OFFICER)
    # Another one is still undecided, and stays so.
    prepared = desk.access(case, OFFICER)
    assert prepared.files == {}
    assert prepared.filed.request.undecided == (left,)
    desk.decide(case, OFFICER, desk.considered(case, OFFICER, left, Decision.INCLUDE))
    page = desk.access(case, OFFICER).files["auskunft.html"].decode()
    assert "Das war ich." in page
    assert "Inzwischen gelöscht: eine Aufzeichnung" in page
    assert desk.answer(case, OFFICER).request.state is State.ANSWERED


def test_what_ends_after_the_others_were_decided_does_not_block_either(
    files: Requests, make_draft: Drafts, clock: FakeClock
) -> None:
    now = clock.now()
    record = call(files, make_draft)
    window = Scope(start=now - timedelta(hours=1), end=now + timedelta(hours=1))
    case = files.take_in(Article.ACCESS, window, OFFICER, identified="Ausweis")[0].id
    files.access(case, OFFICER)
    files.office.records.destroy(record, DestroyReason.ERASED, OFFICER)
    with pytest.raises(NotNowError, match="not prepared"):
        files.answer(case, OFFICER)
    # It can be refused as well: nothing that was asked for has been done.
    assert "gelöscht: eine Aufzeichnung" in files.access(case, OFFICER).files["auskunft.html"].decode()
    assert files.refuse(case, OFFICER, "Nicht zu klären, wer anfragt.").filed.request.state is State.REFUSED


def test_an_answer_is_made_again_after_it_was_handed_out(desk: Requests, make_draft: Drafts, clock: FakeClock) -> None:
    call(desk, make_draft)
    case = desk.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER, identified="Ausweis")[0].id
    before = desk.access(case, OFFICER).filed.request
    answered = desk.answer(case, OFFICER).request
    clock.advance(60)
    again = desk.prepare(case, OFFICER)
    assert SAID in again.files["auskunft.html"].decode()
    after = again.filed.request
    assert (after.prepared_at, after.answered_at) == (before.prepared_at, answered.answered_at)
    assert [step.what for step in after.steps][-2:] == ["answered", "made_again"]
    assert len(after.proofs) == 2 * len(before.proofs)


@pytest.mark.parametrize("article", [Article.ERASURE, Article.OBJECTION])
def test_an_erasure_is_closed_when_no_call_can_leave_a_record_any_more(
    desk: Requests, make_draft: Drafts, clock: FakeClock, article: Article
) -> None:
    began = clock.now() - timedelta(seconds=30)
    case = desk.take_in(article, Scope(number=NUMBER), OFFICER, identified="Rückruf")[0].id
    desk.erase(case, OFFICER) if article is Article.ERASURE else desk.object(case, OFFICER)
    desk.answer(case, OFFICER)
    with pytest.raises(NotNowError, match="may still leave a recording"):
        desk.close(case, OFFICER)
    late = call(desk, make_draft, started_at=began, recorded_at=began, processors=(), outcome="", department=None)
    clock.advance(HOUSE.longest_call.total_seconds() - 1)
    with pytest.raises(NotNowError, match="close it after"):
        desk.close(case, OFFICER)
    clock.advance(1)
    closed = desk.close(case, OFFICER).request
    assert closed.state is State.CLOSED
    assert closed.records == (late,)
    assert not readable(desk, late)


def test_a_call_that_goes_on_when_it_is_asked_for_again_is_erased_too(
    files: Requests, make_draft: Drafts, clock: FakeClock
) -> None:
    case = files.take_in(Article.ERASURE, Scope(number=NUMBER), OFFICER, identified="Rückruf")[0].id
    clock.advance(3600)
    began = clock.now()
    clock.advance(30)
    assert files.take_in(Article.ERASURE, Scope(number=NUMBER), OFFICER)[1]
    files.erase(case, OFFICER)
    late = call(files, make_draft, started_at=began, recorded_at=began)
    clock.advance(1)
    later = call(files, make_draft)
    assert files.answer(case, OFFICER).request.records == (late,)
    assert not readable(files, late)
    # What is said in a new call was not asked to go.
    assert readable(files, later)


def test_what_cannot_come_late_is_closed_at_once(files: Requests, make_draft: Drafts, clock: FakeClock) -> None:
    now = clock.now()
    first, second = call(files, make_draft, processors=(), outcome="", department=None), call(files, make_draft)
    clock.advance(HOUSE.longest_call.total_seconds() + 60)
    past = Scope(start=now - timedelta(seconds=30), end=now + timedelta(seconds=30))
    for scope in (Scope(record=first), Scope(reference=f"{2:032x}"), past):
        case = files.take_in(Article.ERASURE, scope, OFFICER, identified="Ausweis")[0].id
        files.erase(case, OFFICER)
        for todo in files.answer(case, OFFICER).request.open_todos:
            files.settle(case, OFFICER, todo.number)
        assert files.close(case, OFFICER).request.state is State.CLOSED
    assert not readable(files, second)
    # Nothing is erased on a request that was refused, so nothing is waited for.
    refused = files.take_in(Article.ERASURE, Scope(number=NUMBER), OFFICER)[0].id
    files.settle(refused, OFFICER, files.refuse(refused, OFFICER, "Nein.").filed.request.open_todos[0].number)
    assert files.close(refused, OFFICER).request.state is State.CLOSED
