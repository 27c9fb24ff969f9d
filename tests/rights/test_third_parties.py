"""What nobody has looked at is not handed out: corrections, and what was derived from the words."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from anruflotse.clock import FakeClock
from anruflotse.documents import Columns, Listing, Paragraph, Quote
from anruflotse.records.model import Draft
from anruflotse.rights.model import Article, Decision, NotNowError, RightsError, Scope
from anruflotse.rights.redaction import redacted
from anruflotse.rights.requests import Requests
from tests.records.conftest import speech
from tests.rights.conftest import NUMBER, OFFICER, call

Drafts = Callable[..., Draft]
SECRET = "Geheimmüller"
FIXED = "Frau Geheimmüller, Tel 0170 1234567, hat für mich angerufen."
TOLD = "Meine Mutter Erna braucht Pflege."
WHY = {
    "zone": "confirm",
    "thresholds": [{"name": "confirm", "at": 0.45, "found": 0.6}],
    "rules": [],
    "words": ["pflege", "erna schulz"],
    "keywords": [{"word": "pflege", "concern": "pflege", "against": False}],
    "nearest": [{"text": "Meine Mutter braucht Pflege.", "concern": "pflege", "similarity": 0.9}],
    "model": "20260101T000000Z",
    "opinion": "keines",
}


def filed(desk: Requests) -> str:
    return desk.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER, identified="Ausweis")[0].id


def decided(desk: Requests, case: str, record: str, decision: Decision, *more: list[str], anew: bool = False) -> None:
    desk.decide(case, OFFICER, desk.considered(case, OFFICER, record, decision, *more, anew=anew))


def page(desk: Requests, case: str) -> str:
    return desk.prepare(case, OFFICER).files["auskunft.html"].decode()


def sides(desk: Requests, case: str, record: str) -> tuple[str, str]:
    document = desk.compare(case, OFFICER, record)
    columns = next(block for block in document.blocks if isinstance(block, Columns))
    left, right = (
        "\n".join(block.text for block in side if isinstance(block, Quote | Paragraph))
        for side in (columns.left, columns.right)
    )
    return left, right


def test_a_correction_is_shown_pointed_out_and_blackened(desk: Requests, make_draft: Drafts) -> None:
    record = call(desk, make_draft)
    desk.office.records.rectify(record, OFFICER, 0, FIXED)
    case = filed(desk)
    # Until somebody has looked, nothing goes out.
    assert [todo.kind for todo in desk.prepare(case, OFFICER).filed.request.open_todos] == ["check"]
    document = desk.compare(case, OFFICER, record)
    assert [block.items for block in document.blocks if isinstance(block, Listing)] == [
        ("Frau Geheimmüller", "0170 1234567")
    ]
    assert FIXED in sides(desk, case, record)[0]
    decided(desk, case, record, Decision.REDACT, [SECRET, "0170 1234567"])
    left, right = sides(desk, case, record)
    assert SECRET in left
    assert "Frau [geschwärzt], Tel [geschwärzt], hat für mich angerufen." in right
    files = desk.prepare(case, OFFICER).files
    for name in ("auskunft.html", "auskunft.json"):
        assert SECRET not in files[name].decode()
        assert "0170" not in files[name].decode()
        assert "hat für mich angerufen" in files[name].decode()
    # What may not be read may not be heard either.
    assert not json.loads(files["auskunft.json"])["records"][0]["recording"]
    assert "Kanarienvogel" in files["auskunft.html"].decode()


@pytest.mark.parametrize("decision", [Decision.INCLUDE, Decision.REDACT])
def test_a_correction_after_the_decision_opens_it_again(desk: Requests, make_draft: Drafts, decision: Decision) -> None:
    record = call(desk, make_draft, transcripts=(TOLD,))
    case = filed(desk)
    decided(desk, case, record, decision, ["Erna"] if decision is Decision.REDACT else [])
    assert desk.prepare(case, OFFICER).files
    desk.office.records.rectify(record, OFFICER, 0, f"Ich meinte {SECRET}.")
    prepared = desk.prepare(case, OFFICER)
    assert prepared.files == {}
    assert prepared.filed.request.undecided == (record,)
    with pytest.raises(NotNowError, match="undecided"):
        desk.answer(case, OFFICER)
    # What was blackened stays black beside what is new.
    decided(desk, case, record, Decision.REDACT, [SECRET])
    html = page(desk, case)
    assert SECRET not in html
    assert ("Erna" in html) is (decision is Decision.INCLUDE)
    desk.answer(case, OFFICER)


def test_a_withheld_record_stays_decided(files: Requests, make_draft: Drafts) -> None:
    record = call(files, make_draft, transcripts=(TOLD,))
    case = filed(files)
    decided(files, case, record, Decision.WITHHOLD)
    files.office.records.rectify(record, OFFICER, 0, FIXED)
    assert not files.prepare(case, OFFICER).filed.request.undecided


def test_a_correction_after_the_check_was_settled_is_looked_at(
    files: Requests, make_draft: Drafts, clock: FakeClock
) -> None:
    record = call(files, make_draft, transcripts=(TOLD,))
    case = filed(files)
    (check,) = files.prepare(case, OFFICER).filed.request.open_todos
    files.settle(case, OFFICER, check.number)
    assert files.prepare(case, OFFICER).files
    clock.advance(1)
    files.office.records.rectify(record, OFFICER, 0, FIXED)
    assert files.prepare(case, OFFICER).filed.request.undecided == (record,)


def test_a_correction_nobody_saw_is_black_even_in_between(files: Requests, make_draft: Drafts) -> None:
    record = call(files, make_draft, transcripts=(TOLD, "Guten Tag."))
    case = filed(files)
    finding = files.considered(case, OFFICER, record, Decision.REDACT, ["Erna"])
    files.office.records.rectify(record, OFFICER, 1, FIXED)
    opened = files.office.open(record, OFFICER)
    assert opened is not None
    assert [fix.text for fix in redacted(opened, finding).corrections] == ["[geschwärzt]"]


def test_words_that_stand_in_evidence_or_explanations_alone_can_be_taken_out(
    files: Requests, make_draft: Drafts
) -> None:
    record = call(files, make_draft, evidence=("frau huber",), explanations=(WHY,), recording=speech(1))
    case = filed(files)
    left, _ = sides(files, case, record)
    assert "frau huber" in left
    assert "erna schulz" in left
    assert "nötig sind 45 %" in left
    for words in ("Frau  Huber", "Schulz"):
        decided(files, case, record, Decision.REDACT, [words], anew=True)
        left, right = sides(files, case, record)
        assert "erna schulz" in left
        assert "Ohne Ton, weil Text geschwärzt ist" in right
        told = files.prepare(case, OFFICER).files["auskunft.json"].decode()
        for gone in ("frau huber", "erna schulz"):
            assert gone not in right
            assert gone not in told
        assert not json.loads(told)["records"][0]["recording"]


def test_a_telephone_number_in_an_explanation_is_pointed_out(files: Requests, make_draft: Drafts) -> None:
    call(files, make_draft, explanations=({**WHY, "words": ["0170 1234567"]},))
    assert [todo.kind for todo in files.prepare(filed(files), OFFICER).filed.request.open_todos] == ["check"]


def test_our_own_training_sentences_are_nobodys(files: Requests, make_draft: Drafts) -> None:
    call(files, make_draft, explanations=(WHY,))
    assert not files.prepare(filed(files), OFFICER).filed.request.open_todos


def test_a_second_decision_adds_to_the_first(desk: Requests, make_draft: Drafts) -> None:
    record = call(desk, make_draft, transcripts=(TOLD,), recording=speech(1))
    case = filed(desk)
    decided(desk, case, record, Decision.REDACT, ["Meine Mutter"])
    decided(desk, case, record, Decision.REDACT, [], ["0-0.5"])
    assert "Meine Mutter" not in page(desk, case)
    decided(desk, case, record, Decision.REDACT, ["Erna"], ["0.5-1"])
    html = page(desk, case)
    assert "[geschwärzt] [geschwärzt] braucht Pflege." in html
    assert desk.get(case, OFFICER).request.findings[0].muted == ((0.0, 0.5), (0.5, 1.0))
    # Withholding it in between gives up nothing.
    decided(desk, case, record, Decision.WITHHOLD)
    decided(desk, case, record, Decision.REDACT, [], ["0-0.5"])
    assert "Meine Mutter" not in page(desk, case)
    # Who wants to begin anew has to say so.
    decided(desk, case, record, Decision.REDACT, ["Pflege"], anew=True)
    assert "Meine Mutter Erna braucht [geschwärzt]." in page(desk, case)
    decided(desk, case, record, Decision.INCLUDE)
    assert TOLD in page(desk, case)


def test_words_that_are_nowhere_are_refused_whatever_else_is_blackened(files: Requests, make_draft: Drafts) -> None:
    record = call(files, make_draft, transcripts=(TOLD,), explanations=(WHY,))
    case = filed(files)
    with pytest.raises(RightsError, match="does not occur"):
        # Which version of the software decided is nobody's word.
        files.considered(case, OFFICER, record, Decision.REDACT, ["20260101T000000Z"])


def test_an_answer_made_again_has_no_correction_that_came_in_later(
    desk: Requests, make_draft: Drafts, clock: FakeClock
) -> None:
    call(desk, make_draft)
    case = filed(desk)
    desk.prepare(case, OFFICER)
    clock.advance(1)
    # Between preparing and handing out, and after it: the person has neither, and nobody has looked at them.
    record = desk.get(case, OFFICER).request.records[0]
    desk.office.records.rectify(record, OFFICER, 0, FIXED)
    desk.answer(case, OFFICER)
    clock.advance(1)
    desk.office.records.rectify(record, OFFICER, 0, f"Noch einmal {FIXED}")
    again = desk.prepare(case, OFFICER)
    assert "Kanarienvogel" in again.files["auskunft.html"].decode()
    assert SECRET not in again.files["auskunft.html"].decode()
    assert SECRET not in again.files["auskunft.json"].decode()
    assert not again.filed.request.open_todos
    assert desk.close(case, OFFICER).request.closed_at is not None


ERNA, CARE, ONE, TWO = ["Erna"], ["Pflege"], ["0-0.3"], ["0.5-0.8"]


@pytest.mark.parametrize(
    ("steps", "heard"),
    [
        ([(ERNA, [])], False),
        ([(ERNA, ONE)], True),
        ([(ERNA, []), ([], ONE)], True),
        ([(ERNA, []), (ERNA, ONE)], True),
        # Each blackened word needs a stretch of its own.
        ([(ERNA, ONE), (CARE, [])], False),
        ([(ERNA, []), (CARE, ONE)], False),
        ([(ERNA, ONE), (CARE, []), (CARE, TWO)], False),
        ([(ERNA, ONE), (CARE, []), ([], TWO)], True),
        ([(ERNA, ONE), (CARE, TWO)], True),
        ([(ERNA, []), (CARE, ONE), ([], TWO)], True),
        ([([], ONE)], True),
        ([([], ONE), (ERNA, [])], False),
    ],
)
def test_what_may_not_be_read_is_not_heard_however_it_was_decided(
    files: Requests, make_draft: Drafts, steps: list[tuple[list[str], list[str]]], heard: object
) -> None:
    record = call(files, make_draft, transcripts=(TOLD,), recording=speech(1))
    case = filed(files)
    for words, muted in steps:
        decided(files, case, record, Decision.REDACT, words, muted)
    told = json.loads(files.prepare(case, OFFICER).files["auskunft.json"])["records"][0]
    assert told["recording"] is heard
