"""One request of each article from intake to evidence, on both databases."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from anruflotse.clock import FakeClock
from anruflotse.pcm import Pcm
from anruflotse.records import flac
from anruflotse.records.model import AccessRefusedError, Draft, NotFoundError
from anruflotse.records.restriction import Ground
from anruflotse.rights import archive, vcon
from anruflotse.rights.model import Article, NotNowError, Request, RightsError, Scope, State
from anruflotse.rights.objection import Course
from anruflotse.rights.office import Filed
from anruflotse.rights.redaction import silenced
from anruflotse.rights.requests import Requests
from tests.records.conftest import speech
from tests.rights.conftest import NUMBER, OFFICER, SAID, SPEECH, call, readable

Drafts = Callable[..., Draft]


def asked(desk: Requests, article: Article, **scope: object) -> Filed:
    wanted = Scope(**(scope or {"number": NUMBER}))  # type: ignore[arg-type]
    return desk.take_in(article, wanted, OFFICER, identified="Geburtsdatum und Versichertennummer genannt")[0]


def whats(request: Request) -> list[str]:
    return [step.what for step in request.steps]


def finished(desk: Requests, filed: Filed) -> Filed:
    """Answered, everybody told, closed."""
    desk.answer(filed.id, OFFICER, "Brief")
    for todo in desk.get(filed.id, OFFICER).request.open_todos:
        desk.settle(filed.id, OFFICER, todo.number, note="E-Mail")
    calls_end(desk)
    return desk.close(filed.id, OFFICER)


def calls_end(desk: Requests) -> None:
    """So much later that every call has ended that was going on."""
    clock = desk.office._clock
    assert isinstance(clock, FakeClock)
    clock.advance(desk.office.house.longest_call.total_seconds())


def test_access_tells_what_is_stored_and_who_has_seen_it(desk: Requests, make_draft: Drafts, clock: FakeClock) -> None:
    record = call(desk, make_draft)
    call(desk, make_draft, caller="+49 171 7654321", transcripts=("Etwas anderes.",))
    clock.advance(60)
    desk.office.records.open(record, SPEECH, "weiterleitung", audio=True)
    filed = asked(desk, Article.ACCESS)
    prepared = desk.access(filed.id, OFFICER)
    assert set(prepared.files) == {"auskunft.pdf", "auskunft.html", "auskunft.json"}
    assert prepared.files["auskunft.pdf"].startswith(b"%PDF")
    told = json.loads(prepared.files["auskunft.json"])
    (one,) = told["records"]
    assert one["transcripts"] == [SAID]
    assert one["caller"] == NUMBER
    assert one["legal_basis"].startswith("§ 284 SGB V")
    assert one["processors"] == [{"key": "aristech", "name": "Aristech GmbH"}]
    (seen,) = [access for access in one["accesses"] if access["purpose"] == "weiterleitung"]
    assert (seen["role"], seen["act"]) == ("sprachverarbeitung", "audio")
    page = prepared.files["auskunft.html"].decode()
    for part in (
        *(SAID, "Aristech GmbH", "Krankengeld und Familie", "Frage zum Krankengeld", "spätestens am 31. März 2026"),
        *("Mitarbeitende, die Anrufe technisch bearbeiten", "Bundesbeauftragte", "Von Ihnen selbst", "Sozialgericht"),
    ):
        assert part in page
    # Names of staff are theirs (CJEU C-579/21); an officer sees them all the same.
    assert "Herr Ton" not in page + prepared.files["auskunft.json"].decode()
    assert "Herr Ton" in {one["name"] for one in desk.recipients(prepared.filed, OFFICER)}
    closed = finished(desk, prepared.filed)
    assert closed.request.state is State.CLOSED
    assert whats(closed.request) == ["received", "identified", "prepared", "answered", "closed"]


def test_what_was_said_is_not_kept_with_a_request(desk: Requests, make_draft: Drafts, clock: FakeClock) -> None:
    call(desk, make_draft)
    filed = desk.access(asked(desk, Article.ACCESS).id, OFFICER).filed
    copied = desk.copy(asked(desk, Article.COPY).id, OFFICER).filed
    for one in (filed, copied):
        assert desk.office.records.attachments(one.id, OFFICER) == ()
        assert "Kanarienvogel" not in str(desk.office.records.case(one.id, OFFICER).body)
        assert all(not proof.kept and len(proof.sha256) == 64 for proof in one.request.proofs)
    clock.advance(28 * 86400)
    again = desk.prepare(filed.id, OFFICER)
    assert "Kanarienvogel" not in again.files["auskunft.html"].decode()
    assert "Inzwischen gelöscht" in again.files["auskunft.html"].decode()


def test_a_copy_is_a_locked_archive_with_sound_and_a_signed_vcon(desk: Requests, make_draft: Drafts) -> None:
    heard = speech(0.3)
    call(desk, make_draft, recording=heard)
    prepared = desk.copy(asked(desk, Article.COPY).id, OFFICER)
    assert prepared.password is not None
    assert SAID.encode() not in b"".join(prepared.files.values())
    with pytest.raises(archive.ArchiveError):
        archive.unpacked(prepared.files["kopie.zip"], "wrong-password")
    inside = archive.unpacked(prepared.files["kopie.zip"], prepared.password)
    public = desk.office.records.sign(b"", "report").public
    made = vcon.verified(inside["anruf-1.vcon.json"], public)
    assert SAID in json.dumps(made["analysis"], ensure_ascii=False)
    with wave.open(io.BytesIO(inside["anruf-1.wav"])) as file:
        assert Pcm(file.readframes(file.getnframes()), file.getframerate()) == heard
    assert SAID in inside["uebersicht.html"].decode()
    letter = prepared.files["kopie.html"].decode()
    assert "Streng genommen gilt das hier nicht" in letter
    assert prepared.password not in letter + str(desk.office.records.case(prepared.filed.id, OFFICER).body)
    assert finished(desk, prepared.filed).request.state is State.CLOSED


def test_a_correction_stands_beside_what_was_recognised(desk: Requests, make_draft: Drafts, clock: FakeClock) -> None:
    record = call(desk, make_draft, transcripts=("Guten Tag.", SAID))
    before = desk.office.records.open(record, OFFICER, "betroffenenrechte")
    clock.advance(3600)
    filed = asked(desk, Article.RECTIFICATION)
    prepared = desk.rectify(filed.id, OFFICER, 2, "Ein Zeisig wartet.")
    after = desk.office.records.open(record, OFFICER, "betroffenenrechte")
    assert after.transcripts == ("Guten Tag.", SAID)
    assert [(fix.utterance, fix.text, fix.at) for fix in after.corrections] == [(1, "Ein Zeisig wartet.", clock.now())]
    assert (after.summary.concern, after.ranking) == (before.summary.concern, before.ranking)
    # The letter is kept for years, the correction goes with the record: the one does not repeat the other.
    assert "Zeisig" not in prepared.files["berichtigung.html"].decode()
    assert {todo.recipient for todo in prepared.filed.request.todos} == {"Aristech GmbH", "Krankengeld und Familie"}
    shown = desk.access(asked(desk, Article.ACCESS).id, OFFICER).files["auskunft.html"].decode()
    assert SAID in shown
    assert "Ein Zeisig wartet." in shown
    assert finished(desk, prepared.filed).request.state is State.CLOSED


def test_erasure_leaves_nothing_that_can_be_read_and_proves_it(
    desk: Requests, make_draft: Drafts, clock: FakeClock
) -> None:
    mine = [call(desk, make_draft)]
    clock.advance(60)
    mine.append(call(desk, make_draft, processors=("vitaservices",)))
    other = call(desk, make_draft, caller="+49 171 7654321")
    prepared = desk.erase(asked(desk, Article.ERASURE).id, OFFICER)
    assert not any(readable(desk, one) for one in mine)
    assert readable(desk, other)
    erased = [one for one in desk.evidence(prepared.filed, OFFICER) if "record" in one]
    assert [(one["record"], one["what"], one["readable"]) for one in erased] == [(one, "erased", False) for one in mine]
    # Art. 19: everybody who had it, and by which reference they know it.
    tasks = {todo.recipient: todo.task for todo in prepared.filed.request.todos}
    assert set(tasks) == {"Aristech GmbH", "vitaservices GmbH & Co. KG", "Krankengeld und Familie"}
    assert f"{1:032x}" in tasks["Aristech GmbH"]
    assert f"{2:032x}" not in tasks["Aristech GmbH"]
    desk.answer(prepared.filed.id, OFFICER)
    with pytest.raises(NotNowError, match="to-dos 1, 2, 3"):
        desk.close(prepared.filed.id, OFFICER)
    for todo in desk.get(prepared.filed.id, OFFICER).request.todos:
        desk.settle(prepared.filed.id, OFFICER, todo.number, note="Brief")
    calls_end(desk)
    closed = desk.close(prepared.filed.id, OFFICER)
    assert closed.request.state is State.CLOSED
    assert desk.office.records.attachment(closed.id, "1-loeschung.html", OFFICER) == prepared.files["loeschung.html"]


def test_a_restricted_record_opens_for_rights_only(desk: Requests, make_draft: Drafts) -> None:
    record = call(desk, make_draft)
    prepared = desk.restrict(asked(desk, Article.RESTRICTION).id, OFFICER, Ground.CONTESTED)
    with pytest.raises(AccessRefusedError, match="restricted"):
        desk.office.records.open(record, SPEECH, "weiterleitung")
    assert readable(desk, record)
    assert "Bis wir das geprüft haben" in prepared.files["einschraenkung.html"].decode()
    assert prepared.filed.request.details["ground"] == "a"
    assert finished(desk, prepared.filed).request.state is State.CLOSED


def test_a_hold_needs_a_ground_the_law_gives_and_a_date(desk: Requests, make_draft: Drafts, clock: FakeClock) -> None:
    record = call(desk, make_draft)
    filed = asked(desk, Article.RESTRICTION)
    with pytest.raises(RightsError, match=r"Art\. 18"):
        desk.restrict(filed.id, OFFICER, Ground.CONTESTED, hold=True)
    desk.restrict(filed.id, OFFICER, Ground.LEGAL_CLAIMS, hold=True, review_on=clock.now() + timedelta(days=90))
    clock.advance(40 * 86400)
    desk.office.records.sweep()
    assert readable(desk, record)
    page = desk.access(asked(desk, Article.ACCESS).id, OFFICER).files["auskunft.html"].decode()
    assert "auf Ihren Wunsch" in page


def test_a_restriction_is_lifted_only_after_the_person_was_told(desk: Requests, make_draft: Drafts) -> None:
    record = call(desk, make_draft)
    desk.restrict(asked(desk, Article.RESTRICTION).id, OFFICER, Ground.CONTESTED)
    filed = asked(desk, Article.LIFTING)
    with pytest.raises(NotNowError, match=r"Art\. 18\(3\)"):
        desk.lift(filed.id, OFFICER)
    announced = desk.tell_before_lifting(filed.id, OFFICER)
    assert "Die Sperre soll enden" in announced.files["ende-der-einschraenkung.html"].decode()
    with pytest.raises(NotNowError, match=r"Art\. 18\(3\)"):
        desk.lift(filed.id, OFFICER)
    assert desk.office.records.open(record, OFFICER, "betroffenenrechte").summary.restricted
    (todo,) = announced.filed.request.open_todos
    desk.settle(filed.id, OFFICER, todo.number, note="Brief vom 3. März")
    lifted = desk.lift(filed.id, OFFICER)
    assert not desk.office.records.open(record, SPEECH, "weiterleitung").summary.restricted
    assert "Die Sperre ist aufgehoben" in desk.prepare(filed.id, OFFICER).files["ende-der-einschraenkung.html"].decode()
    assert finished(desk, lifted.filed).request.state is State.CLOSED


def test_a_person_who_asks_for_it_knows_already(files: Requests, make_draft: Drafts) -> None:
    call(files, make_draft)
    files.restrict(asked(files, Article.RESTRICTION).id, OFFICER, Ground.CONTESTED)
    filed, _ = files.take_in(Article.LIFTING, Scope(number=NUMBER), OFFICER, details={"asked": "yes"})
    assert files.lift(filed.id, OFFICER).filed.request.findings[0].done == "lifted"


def test_an_objection_is_on_the_list_and_erases_what_there_is(
    desk: Requests, make_draft: Drafts, clock: FakeClock
) -> None:
    record = call(desk, make_draft)
    prepared = desk.object(asked(desk, Article.OBJECTION).id, OFFICER)
    records = desk.office.records
    assert records.objected("030/1234567")
    assert not records.objected("+49 171 7654321")
    assert not readable(desk, record)
    assert prepared.filed.request.details["until"] == datetime(2029, 3, 3, 9, tzinfo=UTC).isoformat()
    assert "bis zum 3. März 2029" in prepared.files["widerspruch.html"].decode()
    assert finished(desk, prepared.filed).request.state is State.CLOSED
    clock.advance(3 * 366 * 86400)
    assert not records.objected(NUMBER)


def test_an_objection_can_be_taken_back(files: Requests) -> None:
    files.object(asked(files, Article.OBJECTION).id, OFFICER)
    filed, repeated = files.take_in(
        Article.OBJECTION, Scope(number="0301234567"), OFFICER, details={"course": "withdrawn"}
    )
    assert not repeated
    page = files.withdraw(filed.id, OFFICER).files["widerspruch.html"].decode()
    assert not files.office.records.objected(NUMBER)
    assert "zurückgenommen" in page


def test_an_objection_may_be_weighed_or_overridden(files: Requests, make_draft: Drafts) -> None:
    record = call(files, make_draft)
    filed = asked(files, Article.OBJECTION)
    with pytest.raises(RightsError, match="compelling"):
        files.object(filed.id, OFFICER, Course.KEEP)
    weighed = files.object(filed.id, OFFICER, Course.WEIGH)
    assert files.office.records.open(record, OFFICER, "betroffenenrechte").summary.restricted
    assert [todo.kind for todo in weighed.filed.request.open_todos if todo.kind == "check"] == ["check"]
    kept = files.object(filed.id, OFFICER, Course.KEEP, "Ein Gericht hat die Aufzeichnung angefordert.")
    assert readable(files, record)
    assert "Ein Gericht hat" in kept.files["widerspruch.html"].decode()
    assert files.office.records.objected(NUMBER)


def test_objecting_by_record_lists_the_number_of_its_caller(files: Requests, make_draft: Drafts) -> None:
    record = call(files, make_draft)
    files.object(asked(files, Article.OBJECTION, record=record).id, OFFICER)
    assert files.office.records.objected(NUMBER)
    assert not readable(files, record)


def test_a_caller_without_number_is_told_to_object_in_the_call(files: Requests, make_draft: Drafts) -> None:
    record = call(files, make_draft, caller=None)
    prepared = files.object(asked(files, Article.OBJECTION, record=record).id, OFFICER)
    assert prepared.filed.request.details["until"] == ""
    assert "Bitte widersprechen Sie im Anruf selbst" in prepared.files["widerspruch.html"].decode()
    assert not readable(files, record)


def test_an_objection_is_one_persons(files: Requests, make_draft: Drafts, clock: FakeClock) -> None:
    record = call(files, make_draft)
    call(files, make_draft, caller="+49 171 7654321")
    window = Scope(start=clock.now() - timedelta(hours=1), end=clock.now() + timedelta(hours=1))
    with pytest.raises(RightsError, match="several numbers"):
        files.take_in(Article.OBJECTION, window, OFFICER)
    assert files.search(OFFICER) == ()
    assert readable(files, record)


def test_access_tells_of_earlier_requests_and_of_an_objection(files: Requests, clock: FakeClock) -> None:
    files.object(asked(files, Article.OBJECTION).id, OFFICER)
    clock.advance(86400)
    asked(files, Article.ERASURE, number="+49 171 7654321")
    page = files.access(asked(files, Article.ACCESS).id, OFFICER).files["auskunft.html"].decode()
    assert "ein Widerspruch vorgemerkt" in page
    assert "Ihre früheren Anträge" in page
    assert "Löschung" not in page
    assert "3. März 2026" in page


def test_a_copy_tells_whether_the_number_is_on_the_list(files: Requests, make_draft: Drafts) -> None:
    call(files, make_draft)
    case = asked(files, Article.COPY).id

    def objected() -> object:
        prepared = files.copy(case, OFFICER)
        inside = archive.unpacked(prepared.files["kopie.zip"], prepared.password or "")
        made = vcon.verified(inside["anruf-1.vcon.json"], files.office.records.sign(b"", "report").public)
        (state,) = [one for one in made["attachments"] if one["purpose"] == "objection"]
        return json.loads(state["body"])["number"]

    assert objected() is False
    files.object(asked(files, Article.OBJECTION).id, OFFICER, Course.KEEP, "Gericht")
    assert objected() is True


def test_a_call_that_goes_on_while_it_is_erased_is_erased_when_it_is_stored(
    desk: Requests, make_draft: Drafts, clock: FakeClock
) -> None:
    call(desk, make_draft)
    running = make_draft(caller=NUMBER, started_at=clock.now() - timedelta(seconds=20))
    filed = desk.erase(asked(desk, Article.ERASURE).id, OFFICER).filed
    clock.advance(5)
    late = desk.office.records.seal(running)
    after = call(desk, make_draft, started_at=clock.now())
    answered = desk.answer(filed.id, OFFICER)
    assert not readable(desk, late)
    assert late in answered.request.records
    # What is said in a new call is not what the person asked to have erased.
    assert readable(desk, after)


def test_a_restricted_record_is_not_erased_for_its_time_alone(
    desk: Requests, make_draft: Drafts, clock: FakeClock
) -> None:
    kept = call(desk, make_draft)
    desk.restrict(
        asked(desk, Article.RESTRICTION).id,
        *(OFFICER, Ground.LEGAL_CLAIMS),
        hold=True,
        review_on=clock.now() + timedelta(days=90),
    )
    other = call(desk, make_draft, caller="+49 171 7654321")
    window = Scope(start=clock.now() - timedelta(hours=1), end=clock.now() + timedelta(hours=1))
    filed, _ = desk.take_in(Article.ERASURE, window, OFFICER)
    request = desk.erase(filed.id, OFFICER).filed.request
    assert {one.record: one.done for one in request.findings} == {kept: "", other: "erased"}
    assert readable(desk, kept)
    assert [todo.task.endswith(kept) for todo in request.open_todos if todo.kind == "check"] == [True]
    assert desk.erase(filed.id, OFFICER).filed.request.todos == request.todos
    # The person may have it erased all the same.
    desk.erase(asked(desk, Article.ERASURE).id, OFFICER)
    assert not readable(desk, kept)


def test_two_letters_at_the_same_moment_are_both_kept(
    files: Requests, make_draft: Drafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(files, make_draft)
    filed = asked(files, Article.ERASURE)
    records = files.office.records
    attach = records.attach

    def late(*args: object) -> None:
        monkeypatch.undo()
        attach(filed.id, "1-loeschung.pdf", b"of somebody else", OFFICER)
        attach(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(records, "attach", late)
    files.erase(filed.id, OFFICER)
    kept = records.attachments(filed.id, OFFICER)
    assert {"1-loeschung.pdf", "2-loeschung.html", "2-loeschung.json", "2-loeschung.pdf"} <= set(kept)


def test_nothing_found_is_an_answer_too(desk: Requests) -> None:
    for article in (Article.ACCESS, Article.COPY, Article.ERASURE):
        filed = asked(desk, article)
        prepared = desk.prepare(filed.id, OFFICER)
        assert prepared.filed.request.records == ()
        page = next(content for name, content in prepared.files.items() if name.endswith(".html")).decode()
        assert "Wir haben nichts gefunden" in page
        assert finished(desk, filed).request.state is State.CLOSED


def test_a_request_ends_after_its_retention(desk: Requests, make_draft: Drafts, clock: FakeClock) -> None:
    call(desk, make_draft)
    filed = desk.erase(asked(desk, Article.ERASURE).id, OFFICER).filed
    clock.advance(10 * 86400)
    closed = finished(desk, filed)
    assert closed.expires_at == clock.now() + timedelta(days=1095)
    clock.advance(1095 * 86400)
    desk.office.records.sweep()
    with pytest.raises(NotFoundError):
        desk.get(filed.id, OFFICER)


def test_only_data_protection_works_on_requests(files: Requests) -> None:
    with pytest.raises(AccessRefusedError):
        files.take_in(Article.ACCESS, Scope(number=NUMBER), SPEECH)


def test_muted_sound_is_silent_where_it_was_asked_for() -> None:
    loud = Pcm((b"\x10\x27") * 8000, 8000)
    quiet = flac.decode(silenced(flac.encode(loud), [(0.25, 0.5), (0.9, 99)]))
    samples = [quiet.data[2 * at : 2 * at + 2] for at in (0, 1999, 2000, 3999, 4000, 7199, 7200, 7999)]
    silent = [one == b"\0\0" for one in samples]
    assert silent == [False, False, True, True, False, False, True, True]
