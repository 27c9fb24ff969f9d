"""What evidence proves and what it does not: judging alone, on evidence that is data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta

import pytest

from anruflotse.notice import Promise
from anruflotse.verification.evidence import Evidence, Page, PromptHeard, RecordLeft
from anruflotse.verification.finding import Finding, Status, of_sentences, together
from anruflotse.verification.judging import judge
from tests.verification.kept import CALL, NOTICE, NOW, PAGE, RECORD, broken, kept, told, with_call

ALL = {promise.value for promise in Promise}


def test_a_system_that_keeps_everything_keeps_everything() -> None:
    assert told(kept(), Status.KEPT) == ALL


def test_what_was_not_looked_at_is_unproven_and_never_kept() -> None:
    findings = judge(Evidence(NOW))
    assert {finding.status for finding in findings} == {Status.UNPROVEN}
    assert all(finding.evidence for finding in findings)


PARTS = [field.name for field in fields(Evidence) if field.name not in ("began_at", "live_sweep_seconds")]


@pytest.mark.parametrize("part", PARTS)
def test_without_any_one_part_of_the_evidence_nothing_is_broken_and_something_unproven(part: str) -> None:
    absent = {"calls": {}, "erasures": (), "rights": (), "live_looked_at": False}.get(part)
    less = replace(kept(), **{part: absent})  # type: ignore[arg-type]
    assert told(less, Status.BROKEN) == set()
    # No live store at all is no gap: nothing was ever recorded there. The test store says little that calls do not.
    if part not in ("live_store", "test_store"):
        assert told(less, Status.UNPROVEN)


@pytest.mark.parametrize("name", list(kept().calls))
def test_a_test_call_that_did_not_take_place_leaves_its_promises_unproven(name: str) -> None:
    calls = {known: call for known, call in kept().calls.items() if known != name}
    less = replace(kept(), calls=calls)
    assert told(less, Status.BROKEN) == set()
    assert told(less, Status.UNPROVEN)


def test_a_call_that_broke_off_proves_nothing_and_breaks_nothing_by_itself() -> None:
    cut = replace(CALL, fault="Der Anruf endete.", reached=None, reached_at=None, leg_closed_at=3.0)
    found = with_call(kept(), "concern", cut)
    assert {"P1", "P2", "P3", "P4", "P7"} <= told(found, Status.UNPROVEN) | told(found, Status.BROKEN)
    assert "P3" in told(found, Status.UNPROVEN)


def phases(**heard: float) -> RecordLeft:
    return replace(RECORD, phases={**RECORD.phases, **heard})


def concern(**changed: object) -> Callable[[Evidence], Evidence]:
    return lambda evidence: with_call(evidence, "concern", replace(CALL, **changed))  # type: ignore[arg-type]


def recorded(record: RecordLeft) -> Callable[[Evidence], Evidence]:
    return concern(records=(record,))


def objection(name: str, **changed: object) -> Callable[[Evidence], Evidence]:
    return lambda evidence: with_call(evidence, name, replace(evidence.calls[name], **changed))  # type: ignore[arg-type]


def live(**changed: object) -> Callable[[Evidence], Evidence]:
    def change(evidence: Evidence) -> Evidence:
        assert evidence.live_store is not None
        return replace(evidence, live_store=replace(evidence.live_store, **changed))  # type: ignore[arg-type]

    return change


def part(name: str, **changed: object) -> Callable[[Evidence], Evidence]:
    return lambda evidence: replace(evidence, **{name: replace(getattr(evidence, name), **changed)})


def page(**changed: object) -> Callable[[Evidence], Evidence]:
    return part("published", live=replace(PAGE, url="http://live", **changed))  # type: ignore[arg-type]


STARTED_EARLY = ("Answered", "StartRecording", *CALL.order[1:])
NOT_STOPPED = tuple(told for told in CALL.order if told != "RecorderStopped")

CASES: list[tuple[set[str], str, Callable[[Evidence], Evidence]]] = [
    ({"P1"}, "the question is not heard", concern(question=PromptHeard(0.1))),
    ({"P1"}, "the question comes late", concern(question=PromptHeard(1.0, 30.0, 32.0, to_its_end=True))),
    ({"P2"}, "the recording goes on while connecting", recorded(phases(connecting=0.9))),
    ({"P2"}, "a yes is recorded", recorded(phases(confirm=0.9))),
    ({"P2"}, "the answer is not in the recording", recorded(phases(answer=0.2))),
    ({"P2"}, "the bot itself is in the recording", recorded(replace(RECORD, foreign=0.6))),
    ({"P2"}, "the words are others", recorded(replace(RECORD, likeness=0.1))),
    ({"P3"}, "the wrong department answers", concern(reached="beitraege")),
    ({"P3"}, "the reference is another call's", concern(user_to_user="ffff;encoding=hex")),
    ({"P3"}, "the concern is told in a header", concern(told="INVITE sip:z1\nsubject: pflege")),
    ({"P4"}, "staff are in the recording", recorded(phases(staff=1.0))),
    ({"P4"}, "the recorder runs on", recorded(phases(handed=0.8))),
    ({"P4"}, "no stop was confirmed", concern(order=NOT_STOPPED)),
    ({"P4"}, "the bot stays in the call", concern(leg_closed_at=60.0)),
    ({"P5"}, "another purpose is listed", part("purposes", listed=("weiterleitung", "training"))),
    ({"P5"}, "another purpose opens", part("purposes", opening=("weiterleitung", "werbung"))),
    ({"P5"}, "training reads records", part("purposes", readers=("anruflotse.understanding.training",))),
    ({"P5"}, "a counter names a call", part("purposes", linked=True)),
    ({"P5"}, "records for something else", live(purposes={"werbung": 1})),
    ({"P6"}, "the basis is missing on a record", recorded(replace(RECORD, legal_basis=""))),
    ({"P6"}, "the basis is consent", recorded(replace(RECORD, legal_basis="Art. 6 Abs. 1 lit. a DSGVO"))),
    ({"P6"}, "the basis is missing on a live record", live(bases={"": 1})),
    ({"P7"}, "the notice breaks off", concern(notice=PromptHeard(0.9, 0.1, 11.0, to_its_end=False))),
    ({"P7"}, "the notice comes late", concern(notice=PromptHeard(1.0, 9.0, 12.0, to_its_end=True))),
    ({"P7"}, "the notice was skipped", concern(notice=PromptHeard(0.0))),
    ({"P2", "P7"}, "the recorder starts early", recorded(phases(early=0.9))),
    ({"P7"}, "the recorder starts before the end", concern(order=STARTED_EARLY)),
    ({"P7"}, "recorded without notice", objection("notice_lost", records=(RECORD,))),
    ({"P8"}, "an objection counts as silence", objection("words_in_answer", tally="silence")),
    ({"P8"}, "an earlier objection is forgotten", objection("objected_before", tally="human_wish")),
    ({"P9"}, "a key is left", objection("key_in_notice", records=(RecordLeft("b" * 32, readable=False),))),
    ({"P9"}, "the number is left", objection("words_in_notice", traces=("die Rufnummer in records/log",))),
    ({"P10"}, "nobody answers", objection("key_in_notice", reached=None, reached_at=None)),
    ({"P10"}, "a department answers", objection("key_in_notice", reached="beitraege")),
    ({"P10"}, "it takes for ever", objection("words_in_notice", reached_at=99.0)),
    ({"P11"}, "an expired record is readable", part("expiry", readable_after=True)),
    ({"P11"}, "the key outlives the sweep", part("expiry", key_left=True)),
    ({"P11"}, "no sweep comes", part("sweep", destroyed_at=None)),
    ({"P11"}, "the sweep is late", part("sweep", destroyed_at=NOW + timedelta(hours=1))),
    ({"P11"}, "live records are overdue", live(overdue=2, late_seconds=3600.0)),
    ({"P11"}, "a live record lives too long", live(overlong=1)),
    ({"P11"}, "a live key lacks its row", live(unpaired_keys=1)),
    ({"P11"}, "the record ends later", recorded(replace(RECORD, expires_at=NOW + timedelta(days=40)))),
    ({"P12"}, "what was destroyed is back", live(returned=1)),
    ({"P13"}, "the table is wider", lambda e: _wider(e, "table")),
    ({"P13"}, "more was possible", lambda e: _wider(e, "could")),
    ({"P13"}, "another department sees it", part("access", elsewhere=True)),
    ({"P13"}, "an access is not in the trail", part("access", untold=1)),
    ({"P13"}, "tampering goes unnoticed", part("access", tampering_noticed=False)),
    ({"P13"}, "pages are open", part("access", open_pages=("/aufzeichnungen",))),
    ({"P13"}, "the live trail is broken", live(trail_intact=False, trail_wrong="changed")),
    ({"P13"}, "others can read the files", live(open_files=("keys.sqlite",))),
    ({"P14"}, "a processor without agreement was heard", part("agreements", received=2)),
    ({"P14"}, "a target without agreement", part("agreements", unagreed_targets=("vitaservices",))),
    ({"P14"}, "a record names a stranger", recorded(replace(RECORD, processors=("aristech",)))),
    ({"P16"}, "nobody is entered", part("wording", contact_written="")),
    ({"P16"}, "it is not heard", objection("privacy", contact=PromptHeard(0.0))),
    ({"P16"}, "the prompt names nobody", part("wording", contact_prompt="Wir verbinden Sie.")),
    ({"P17"}, "the page is not served", page(status=404)),
    ({"P17"}, "the live page is another edition", page(version="ffffffffffffffff")),
    ({"P17"}, "the page is in no language", page(language="")),
    ({"P17"}, "nothing leads back up", page(to_top=False)),
    ({"P17"}, "the record names another edition", recorded(replace(RECORD, notice_version="f" * 16))),
]


def _wider(evidence: Evidence, what: str) -> Evidence:
    assert evidence.access is not None
    wider = evidence.access.table | {"fachabteilung weiterleitung audio"}
    return replace(evidence, access=replace(evidence.access, **{what: wider}))  # type: ignore[arg-type]


@pytest.mark.parametrize(("promises", "how", "change"), CASES, ids=[how for _, how, _ in CASES])
def test_each_fault_breaks_its_promise_and_no_other(
    promises: set[str], how: str, change: Callable[[Evidence], Evidence]
) -> None:
    assert broken(change(kept())) == promises


def test_every_promise_has_a_case_that_breaks_it() -> None:
    assert set.union(*(promises for promises, _, _ in CASES)) | {"P15"} == ALL


def test_a_longer_period_breaks_the_promise_whatever_its_reason() -> None:
    evidence = part("wording", days=40, longer_because="§ 304 SGB V")(kept())
    assert "P11" in told(evidence, Status.BROKEN)


def test_a_page_that_differs_is_told_with_what_differs() -> None:
    text = PAGE.text.replace("28 Tage", "90 Tage")
    evidence = page(text=text)(kept())
    (finding,) = [one for one in judge(evidence) if one.promise is Promise.P17]
    assert finding.status is Status.BROKEN
    assert "90 Tage" in finding.evidence[0]


@pytest.mark.parametrize("article", range(15, 22))
def test_a_right_that_is_refused_breaks_the_promise_and_one_not_tried_leaves_it_unproven(article: int) -> None:
    # Objecting after the call is objecting at any time.
    concerned = {"P15", "P8"} if article == 21 else {"P15"}
    refused = tuple(replace(one, worked=one.article != article) for one in kept().rights)
    assert broken(replace(kept(), rights=refused)) == concerned
    untried = tuple(one for one in kept().rights if one.article != article)
    assert told(replace(kept(), rights=untried), Status.UNPROVEN) == concerned


def test_a_question_about_privacy_that_was_misheard_proves_nothing() -> None:
    misheard = objection("privacy", contact=PromptHeard(0.0), records=(RECORD,))(kept())
    assert told(misheard, Status.BROKEN) == set()
    assert told(misheard, Status.UNPROVEN) == {"P16"}


@pytest.mark.parametrize(
    ("heard", "status"),
    [
        ("Guten Tag, hier ist Ihre Kasse. Worum geht es?", Status.BROKEN),
        ("Automatischer Sprachassistent. Ich zeige auf. Widerspruch sagen.", Status.KEPT),
        ("Automatischer Assistent. Ich zeige auf. Bitte widmen Sie sich.", Status.UNPROVEN),
        ("", Status.UNPROVEN),
    ],
)
def test_what_the_recogniser_heard_of_the_notice_counts_as_a_whole(heard: str, status: Status) -> None:
    findings = {one.promise: one.status for one in judge(concern(notice_words=heard)(kept()))}
    assert findings[Promise.P7] is status


def test_what_is_broken_comes_first_in_the_evidence() -> None:
    (finding,) = [one for one in judge(recorded(phases(staff=1.0))(kept())) if one.promise is Promise.P4]
    assert [line[0] for line in finding.evidence] == ["✗", "✓", "✓", "✓"]


def test_a_sentence_is_true_when_all_its_promises_are_kept() -> None:
    findings = judge(kept())
    sentences = of_sentences(NOTICE.sentences(), findings)
    assert {one.status for one in sentences} == {Status.KEPT}
    broken_one = [replace(f, status=Status.BROKEN) if f.promise is Promise.P9 else f for f in findings]
    (false,) = [one for one in of_sentences(NOTICE.sentences(), broken_one) if one.status is not Status.KEPT]
    assert (false.status, false.promises) == (Status.BROKEN, (Promise.P9, Promise.P10))


def test_a_sentence_without_a_finding_is_unproven() -> None:
    findings = [Finding(Promise.P17, Status.KEPT, ("gesehen",), NOW)]
    statuses = [one.status for one in of_sentences(NOTICE.sentences(), findings)]
    assert statuses == [Status.KEPT, *[Status.UNPROVEN] * (len(statuses) - 1)]


@pytest.mark.parametrize(
    ("several", "one"),
    [
        ((), Status.UNPROVEN),
        ((Status.KEPT,), Status.KEPT),
        ((Status.KEPT, Status.UNPROVEN), Status.UNPROVEN),
        ((Status.BROKEN, Status.UNPROVEN), Status.BROKEN),
    ],
)
def test_several_make_one(several: tuple[Status, ...], one: Status) -> None:
    assert together(several) is one


def test_a_page_that_nobody_serves_is_not_kept() -> None:
    evidence = part("published", test=Page("http://127.0.0.1:1/datenschutzhinweis", None))(kept())
    assert "P17" in told(evidence, Status.BROKEN)
