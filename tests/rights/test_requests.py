"""The way of a request: taken in, found, identified, extended, refused, answered, closed, and what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from anruflotse.clock import FakeClock
from anruflotse.records.casework import LONGEST_BODY
from anruflotse.records.model import ConflictError, Draft, NotFoundError
from anruflotse.rights import body, notification, searching
from anruflotse.rights.model import (
    Article,
    Finding,
    NotNowError,
    Request,
    RightsError,
    Scope,
    State,
    WrongArticleError,
    clean,
)
from anruflotse.rights.notification import Had
from anruflotse.rights.office import with_todos
from anruflotse.rights.requests import Requests
from anruflotse.rights.taking_in import LARGEST
from tests.rights.conftest import NUMBER, OFFICER, call, readable

Drafts = Callable[..., Draft]
EVIL = (
    "<script>alert(1)</script>",
    "'; DROP TABLE cases; --",
    '=HYPERLINK("http://evil")',
    "../../../../etc/passwd",
    "a\u202eb\x00c\x1b[31m",
    '{{ 7*7 }} #eval("1") \\',
)


@pytest.mark.parametrize(
    "typed", ["+49 30 1234567", "0049301234567", "030 1234567", "030/123 45 67", "+49 (0) 30 1234567", "49301234567"]
)
def test_a_number_is_found_however_it_is_written(files: Requests, make_draft: Drafts, typed: str) -> None:
    record = call(files, make_draft)
    filed, _ = files.take_in(Article.ACCESS, Scope(number=typed), OFFICER)
    assert filed.request.records == (record,)
    assert files.search(OFFICER, scope=Scope(number="030-1234567")) == (filed,)


def test_records_are_found_by_id_reference_and_time(desk: Requests, make_draft: Drafts, clock: FakeClock) -> None:
    first = call(desk, make_draft, reference="ab" * 16)
    clock.advance(600)
    begin = clock.now()
    second = call(desk, make_draft)
    for scope, found in (
        (Scope(record=first.upper()), (first,)),
        (Scope(reference="AB" * 16), (first,)),
        (Scope(start=begin, end=begin + timedelta(seconds=1)), (second,)),
        (Scope(start=begin - timedelta(hours=1), end=begin), (first,)),
        (Scope(start=begin + timedelta(hours=1), end=begin + timedelta(hours=2)), ()),
        (Scope(record="0" * 32), ()),
        (Scope(reference="nothing"), ()),
    ):
        assert searching.find(desk.office, scope, OFFICER) == found


@pytest.mark.parametrize("typed", ["anonymous", "Anonym", "sip:anonymous@anonymous.invalid", "unknown", "withheld"])
def test_a_suppressed_number_is_nobodys(files: Requests, make_draft: Drafts, typed: str) -> None:
    call(files, make_draft, caller="anonymous")
    with pytest.raises(RightsError, match="many people"):
        files.take_in(Article.ACCESS, Scope(number=typed), OFFICER)


def test_what_a_request_is_about_has_to_be_one_thing() -> None:
    now = datetime(2026, 3, 3, tzinfo=UTC)
    with pytest.raises(RightsError, match="exactly one"):
        Scope()
    with pytest.raises(RightsError, match="exactly one"):
        Scope(number="1", record="2")
    with pytest.raises(RightsError, match="both its ends"):
        Scope(start=now)
    with pytest.raises(RightsError, match="empty"):
        Scope(start=now, end=now)
    with pytest.raises(RightsError, match="time zone"):
        Scope(start=datetime(2026, 3, 3), end=now)  # noqa: DTZ001 - that is the point
    with pytest.raises(RightsError, match="The number is empty"):
        Scope(number=" \t ")
    with pytest.raises(RightsError, match="longer than"):
        Scope(number="1" * 501)
    with pytest.raises(RightsError, match="UTF-8"):
        Scope(number="\udcff")


def test_the_same_asked_twice_is_one_request(files: Requests, make_draft: Drafts, clock: FakeClock) -> None:
    first = call(files, make_draft)
    one, repeated = files.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER)
    assert not repeated
    clock.advance(3 * 86400)
    second = call(files, make_draft)
    again, repeated = files.take_in(Article.ACCESS, Scope(number="0301234567"), OFFICER, identified="Ausweis")
    assert repeated
    assert (again.id, again.request.received) == (one.id, one.request.received)
    assert again.request.records == (first, second)
    other, repeated = files.take_in(Article.ERASURE, Scope(number=NUMBER), OFFICER)
    assert not repeated
    for scope in (Scope(number="+49 171 7654321"), Scope(record=first), Scope(reference=f"{1:032x}")):
        _, repeated = files.take_in(Article.ACCESS, scope, OFFICER)
        assert not repeated
    # Once it is answered, asking again is a new right.
    files.access(again.id, OFFICER)
    files.answer(again.id, OFFICER)
    third, repeated = files.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER)
    assert not repeated
    assert len({one.id, other.id, third.id}) == 3


def test_erasing_twice_erases_once(files: Requests, make_draft: Drafts) -> None:
    call(files, make_draft)
    filed, _ = files.take_in(Article.ERASURE, Scope(number=NUMBER), OFFICER)
    before = files.erase(filed.id, OFFICER).filed.request
    after = files.erase(filed.id, OFFICER).filed.request
    assert after.findings == before.findings
    assert after.todos == before.todos


def test_the_day_of_receipt_cannot_lie_ahead_or_before_the_law(files: Requests, clock: FakeClock) -> None:
    clock.jump(datetime(2026, 3, 3, 23, 30, tzinfo=UTC))  # 4 March in Germany
    filed, _ = files.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER)
    assert filed.request.received == date(2026, 3, 4)
    for day in (date(2026, 3, 5), date(2018, 5, 24)):
        with pytest.raises(RightsError, match="the day it came in"):
            files.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER, received=day)


def test_without_identification_nothing_is_handed_out(files: Requests, make_draft: Drafts) -> None:
    call(files, make_draft)
    filed, _ = files.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER)
    with pytest.raises(NotNowError, match="not prepared"):
        files.answer(filed.id, OFFICER)
    prepared = files.access(filed.id, OFFICER)
    assert prepared.filed.request.state is State.PREPARED
    with pytest.raises(NotNowError, match="who asks"):
        files.answer(filed.id, OFFICER)
    files.identify(filed.id, OFFICER, "Rückruf unter der gespeicherten Nummer")
    answered = files.answer(filed.id, OFFICER, "vorgelesen")
    assert answered.request.state is State.ANSWERED
    assert answered.request.identified is not None
    assert answered.request.identified.by == "Frau Beispiel"
    with pytest.raises(NotNowError, match="answered already"):
        files.identify(filed.id, OFFICER, "noch einmal")


def test_a_period_is_extended_once_and_in_time(desk: Requests, clock: FakeClock) -> None:
    filed, _ = desk.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER)
    assert desk.office.due(filed.request).day == date(2026, 4, 7)
    extended = desk.extend(filed.id, OFFICER, "Es sind 400 Anrufe zu sichten.")
    assert desk.office.due(extended.filed.request).day == date(2026, 6, 3)
    page = extended.files["fristverlaengerung.html"].decode()
    assert "400 Anrufe" in page
    assert "spätestens am 3. Juni 2026" in page
    assert [todo.kind for todo in extended.filed.request.open_todos] == ["tell"]
    with pytest.raises(NotNowError, match="once"):
        desk.extend(filed.id, OFFICER, "Noch länger.")
    late, _ = desk.take_in(Article.COPY, Scope(number=NUMBER), OFFICER)
    clock.jump(datetime(2026, 4, 7, 21, 59, tzinfo=UTC))
    assert desk.search(OFFICER, overdue=True) == ()
    clock.jump(datetime(2026, 4, 7, 22, 0, tzinfo=UTC))
    assert [one.id for one in desk.search(OFFICER, overdue=True)] == [late.id]
    with pytest.raises(NotNowError, match="The period is over"):
        desk.extend(late.id, OFFICER, "Zu spät.")


def test_a_refusal_gives_the_reason_and_the_ways_to_complain(desk: Requests, make_draft: Drafts) -> None:
    record = call(desk, make_draft)
    filed, _ = desk.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER)
    with pytest.raises(RightsError, match="The reason is empty"):
        desk.refuse(filed.id, OFFICER, "  ")
    refused = desk.refuse(filed.id, OFFICER, "Wir konnten nicht klären, wer anfragt.")
    page = refused.files["entscheidung.html"].decode()
    for part in ("Wir konnten nicht klären, wer anfragt.", "Bundesbeauftragte", "Sozialgericht"):
        assert part in page
    assert refused.filed.request.state is State.REFUSED
    for act in (desk.access, desk.answer):
        with pytest.raises(NotNowError, match="refused already"):
            act(filed.id, OFFICER)
    with pytest.raises(NotNowError, match="to-dos 1"):
        desk.close(filed.id, OFFICER)
    desk.settle(filed.id, OFFICER, 1, note="Brief")
    assert desk.close(filed.id, OFFICER).request.state is State.CLOSED
    assert desk.office.records.attachments(filed.id, OFFICER) == (
        *("1-entscheidung.html", "1-entscheidung.json", "1-entscheidung.pdf"),
    )
    assert readable(desk, record)


def test_what_is_done_is_not_refused(files: Requests, make_draft: Drafts) -> None:
    call(files, make_draft)
    filed, _ = files.take_in(Article.ERASURE, Scope(number=NUMBER), OFFICER)
    files.erase(filed.id, OFFICER)
    with pytest.raises(NotNowError, match="done already"):
        files.refuse(filed.id, OFFICER, "Doch nicht.")


def test_a_request_does_what_its_article_says(files: Requests, make_draft: Drafts) -> None:
    record = call(files, make_draft)
    filed, _ = files.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER)
    for act in (files.erase, files.copy, files.lift, files.object, files.withdraw):
        with pytest.raises(WrongArticleError, match="about Article 15"):
            act(filed.id, OFFICER)
    assert readable(files, record)
    erasure, _ = files.take_in(Article.ERASURE, Scope(number=NUMBER), OFFICER)
    with pytest.raises(WrongArticleError, match="compared"):
        files.compare(erasure.id, OFFICER, record)
    with pytest.raises(ValueError, match="22"):
        Article("22")


def test_closing_comes_last(files: Requests) -> None:
    filed, _ = files.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER, identified="Ausweis")
    with pytest.raises(NotNowError, match="neither answered nor refused"):
        files.close(filed.id, OFFICER)
    files.access(filed.id, OFFICER)
    files.answer(filed.id, OFFICER)
    files.close(filed.id, OFFICER)
    with pytest.raises(NotNowError, match="closed already"):
        files.close(filed.id, OFFICER)


def test_a_to_do_is_settled_once_or_waived_with_a_reason(files: Requests, make_draft: Drafts) -> None:
    call(files, make_draft)
    filed, _ = files.take_in(Article.ERASURE, Scope(number=NUMBER), OFFICER)
    files.erase(filed.id, OFFICER)
    with pytest.raises(RightsError, match="no to-do 9"):
        files.settle(filed.id, OFFICER, 9)
    with pytest.raises(RightsError, match="the reason"):
        files.settle(filed.id, OFFICER, 1, waived=True)
    waived = files.settle(filed.id, OFFICER, 1, note="Aristech hat nichts gespeichert.", waived=True)
    assert waived.request.todos[0].waived
    with pytest.raises(NotNowError, match="settled already"):
        files.settle(filed.id, OFFICER, 1)


def test_a_request_is_named_by_the_digits_on_its_letter(files: Requests) -> None:
    filed, _ = files.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER)
    assert files.named(filed.id[:8].upper(), OFFICER) == filed
    assert files.named(filed.id, OFFICER) == filed
    for typed in ("0" * 8, filed.id[:7], "../etc", "x" * 40, ""):
        with pytest.raises(NotFoundError):
            files.named(typed, OFFICER)


def test_requests_are_listed_by_article_and_state(files: Requests, clock: FakeClock) -> None:
    first, _ = files.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER)
    clock.advance(1)
    second, _ = files.take_in(Article.ERASURE, Scope(number=NUMBER), OFFICER, identified="Ausweis")
    assert [one.id for one in files.search(OFFICER)] == [second.id, first.id]
    assert [one.id for one in files.search(OFFICER, article=Article.ACCESS)] == [first.id]
    assert [one.id for one in files.search(OFFICER, state=State.IDENTIFIED)] == [second.id]
    assert files.search(OFFICER, scope=Scope(number="+49 171 7654321")) == ()


def test_more_records_than_a_request_can_be_about(
    files: Requests, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.office.records, "count_window", lambda *_args: LARGEST + 1)
    window = Scope(start=clock.now(), end=clock.now() + timedelta(days=1))
    with pytest.raises(RightsError, match="shorter stretch"):
        files.take_in(Article.ERASURE, window, OFFICER)
    assert files.search(OFFICER) == ()


def test_two_officers_do_not_overwrite_each_other(
    files: Requests, make_draft: Drafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    filed, _ = files.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER)
    records = files.office.records
    update = records.update_case
    beaten = 0

    def slower(*args: object, **options: object) -> int:
        nonlocal beaten
        if not beaten:
            beaten += 1
            Requests(records, files.office._clock).identify(filed.id, OFFICER, "schneller")
        return update(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(records, "update_case", slower)
    files.extend(filed.id, OFFICER, "Es sind viele Anrufe.")
    after = files.get(filed.id, OFFICER).request
    assert after.identified is not None
    assert after.extended_because
    monkeypatch.setattr(records, "update_case", _always_slower)
    with pytest.raises(ConflictError):
        files.identify(filed.id, OFFICER, "nie")


def _always_slower(*_args: object, **_options: object) -> int:
    raise ConflictError


def test_a_crash_between_filing_and_erasing_loses_no_to_do(
    files: Requests, make_draft: Drafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = call(files, make_draft)
    filed, _ = files.take_in(Article.ERASURE, Scope(number=NUMBER), OFFICER)

    def crash(*_args: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files.office.records, "destroy", crash)
        with pytest.raises(KeyboardInterrupt):
            files.erase(filed.id, OFFICER)
    assert readable(files, record)
    assert len(files.get(filed.id, OFFICER).request.open_todos) == 2
    done = files.erase(filed.id, OFFICER).filed.request
    assert [one.done for one in done.findings] == ["erased"]
    assert len(done.open_todos) == 2


@pytest.mark.parametrize("evil", EVIL)
def test_nothing_typed_is_read_as_anything_but_text(desk: Requests, make_draft: Drafts, evil: str) -> None:
    call(desk, make_draft, transcripts=(f"Hallo {evil}",))
    scope = Scope(number=NUMBER)
    filed, _ = desk.take_in(Article.ACCESS, scope, OFFICER, person=evil, identified=evil)
    prepared = desk.access(filed.id, OFFICER)
    page = prepared.files["auskunft.html"].decode()
    assert "<script>alert" not in page
    assert "\x00" not in page
    assert "\u202e" not in page
    assert json.loads(prepared.files["auskunft.json"])["records"][0]["transcripts"] == [f"Hallo {evil}"]
    assert prepared.files["auskunft.pdf"].startswith(b"%PDF")
    assert all("/" not in name for name in prepared.files)
    refused = desk.refuse(filed.id, OFFICER, evil)
    assert "<script>alert" not in refused.files["entscheidung.html"].decode()
    for named in (Scope(number=evil), Scope(record=evil), Scope(reference=evil)):
        found, _ = desk.take_in(Article.ERASURE, named, OFFICER)
        assert found.request.records == ()
        assert desk.erase(found.id, OFFICER).filed.request.findings == ()


def test_what_is_typed_is_one_line_of_text() -> None:
    assert clean(" a\n\tb\x00\u202ec ", "x") == "a b c"
    for typed in ("", " \n ", "\x00", "x" * 501, "\ud800"):
        with pytest.raises(RightsError):
            clean(typed, "reason")


def test_a_request_is_the_same_after_it_was_stored(files: Requests, make_draft: Drafts) -> None:
    call(files, make_draft)
    filed, _ = files.take_in(Article.ERASURE, Scope(number=NUMBER), OFFICER, person="Frau Müller", identified="x")
    request = files.erase(filed.id, OFFICER).filed.request
    assert body.unpack(json.loads(json.dumps(body.pack(request)))) == request


@pytest.mark.parametrize(
    "stored", [{}, {"v": 2, "request": {}}, {"v": 1}, {"v": 1, "request": []}, {"v": 1, "request": {"article": "99"}}]
)
def test_what_is_no_request_is_said_to_be_none(stored: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        body.unpack(stored)


def test_the_largest_request_fits_into_a_case(clock: FakeClock) -> None:
    now = clock.now()
    records = [f"{number:032x}" for number in range(LARGEST)]
    request = Request(
        article=Article.ERASURE,
        scope=Scope(start=now - timedelta(days=1), end=now),
        received=now.date(),
        findings=tuple(Finding(record=one, recorded_at=now, done="erased", done_at=now) for one in records),
    )
    had = tuple(Had(name=f"Stelle {number}", reference=one) for number in range(4) for one in records)
    request = with_todos(request, notification.wanted(request, had))
    stored = json.dumps(body.pack(request), ensure_ascii=False, separators=(",", ":")).encode()
    assert len(stored) < LONGEST_BODY


def test_a_later_field_takes_its_default() -> None:
    request = Request(article=Article.ACCESS, scope=Scope(number="1"), received=date(2026, 3, 3))
    packed = body.pack(request)
    inner = packed["request"]
    assert isinstance(inner, dict)
    del inner["details"], inner["todos"]
    assert body.unpack(packed) == request
