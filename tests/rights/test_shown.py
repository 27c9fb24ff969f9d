"""The letter shows everything that is stored, in German; and it says no more than what was done."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping

import pytest

from anruflotse.documents import Listing, Paragraph
from anruflotse.records.model import Draft
from anruflotse.rights import archive, shown
from anruflotse.rights.model import Article, Decision, RightsError, Scope
from anruflotse.rights.requests import Requests
from tests.records.conftest import speech
from tests.rights.conftest import HOUSE, NUMBER, OFFICER, call
from tests.rights.test_third_parties import WHY

Drafts = Callable[..., Draft]
BLACK = "Geschwärzt haben wir Stellen"
SILENT = "Im Ton sind Stellen stumm"


def letter(desk: Requests) -> str:
    case = desk.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER, identified="Ausweis")[0].id
    return desk.access(case, OFFICER).files["auskunft.html"].decode()


def test_the_letter_tells_outcome_target_decision_engines_and_why(desk: Requests, make_draft: Drafts) -> None:
    call(desk, make_draft, decision="confirm", explanations=(WHY, {**WHY, "zone": "route"}), engines=("whisper-base",))
    html = letter(desk)
    for told in (
        "Er war nicht ganz sicher und hat nachgefragt.",
        "Wir haben Sie verbunden.",
        "sip:krankengeld@127.0.0.1:5090",
        "whisper-base",
        "Entscheidung 1",
        "Entscheidung 2",
        "Sicher genug, um nachzufragen: 60 %, nötig sind 45 %.",
        "Diese Wörter zählten am meisten: pflege, erna schulz.",
        "Das Stichwort „pflege“ sprach für: pflege.",
        "Ähnlich (90 %) wie unser Übungssatz „Meine Mutter braucht Pflege.“ zu: pflege.",
        "Ein Sprachmodell meinte: keines der Anliegen.",
        "Fassung des Programms: 20260101T000000Z.",
    ):
        assert told in html
    # Keys of the software are no German.
    assert "confirm" not in html


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ("", "Niemand hat Ihren Anruf angenommen."),
        ("unknown", "Ob jemand abgenommen hat, wissen wir nicht."),
        ("newer", "newer"),
    ],
)
def test_how_a_call_ended_is_told_as_it_was(files: Requests, make_draft: Drafts, outcome: str, told: str) -> None:
    call(files, make_draft, outcome=outcome, target=None)
    html = letter(files)
    assert told in html
    assert "nicht gespeichert" in html


@pytest.mark.parametrize(
    ("one", "told"),
    [
        ({}, ["Nichts vermerkt."]),
        ({"turn": 1, "more": {"a": ["b"]}}, ["turn: 1", "more: b"]),
        ({"zone": "new", "thresholds": "x", "words": None, "keywords": ["x"]}, ["new"]),
        ({"thresholds": [{"name": "sure"}]}, ["Sicherheit dabei: nicht vermerkt, nötig sind nicht vermerkt."]),
        ({"keywords": [{"word": "x", "against": True}]}, ["Das Stichwort „x“ sprach gegen: nicht erkannt."]),
        ({"rules": ["objection.unless"]}, ["Feste Regeln, die etwas gefunden haben: objection.unless."]),
    ],
)
def test_explanations_of_other_versions_are_told_too(one: Mapping[str, object], told: list[str]) -> None:
    assert shown.explained(one, HOUSE) == told


def test_what_is_not_stored_is_not_told(files: Requests, make_draft: Drafts) -> None:
    record = files.office.open(call(files, make_draft, evidence=(), explanations=()), OFFICER)
    assert record is not None
    assert not [block for block in shown.reasons(record, HOUSE) if isinstance(block, Paragraph | Listing)]


def test_the_letter_says_what_was_taken_out_words_or_sound(desk: Requests, make_draft: Drafts) -> None:
    record = call(desk, make_draft, transcripts=("Meine Mutter Erna.",), recording=speech(1))
    case = desk.take_in(Article.ACCESS, Scope(number=NUMBER), OFFICER)[0].id

    def told(decision: Decision, *more: list[str]) -> str:
        desk.decide(case, OFFICER, desk.considered(case, OFFICER, record, decision, *more))
        return desk.prepare(case, OFFICER).files["auskunft.html"].decode()

    html = told(Decision.REDACT, [], ["0-0.5"])
    assert BLACK not in html
    assert SILENT in html
    html = told(Decision.REDACT, ["Erna"], ["0.5-1"])
    assert BLACK in html
    assert SILENT in html
    html = told(Decision.INCLUDE)
    assert BLACK not in html
    assert SILENT not in html
    assert "nicht dabei" not in html
    html = told(Decision.REDACT, ["Erna"])
    assert BLACK in html
    assert SILENT not in html
    # There is a recording, and it would be wrong to deny it.
    assert "ja, aber nicht dabei" in html


@pytest.mark.parametrize(("outcome", "parties"), [("succeeded", 3), ("unknown", 3), ("", 2), ("busy", 2)])
def test_a_vcon_lists_the_target_only_when_somebody_took_the_call(
    files: Requests, make_draft: Drafts, outcome: str, parties: int
) -> None:
    call(files, make_draft, outcome=outcome, recording=speech(0.1))
    case = files.take_in(Article.COPY, Scope(number=NUMBER), OFFICER)[0].id
    copy = files.copy(case, OFFICER)
    assert copy.password is not None
    signed = json.loads(archive.unpacked(copy.files["kopie.zip"], copy.password)["anruf-1.vcon.json"])
    made = json.loads(urlsafe_b64decode(signed["payload"] + "=" * (-len(signed["payload"]) % 4)))
    assert len(made["parties"]) == parties
    # What was dialled is stored, and therefore told in any case.
    assert "sip:krankengeld@127.0.0.1:5090" in json.dumps(made["analysis"])


def test_a_correction_that_is_too_long_is_not_told_to_count_from_0(files: Requests, make_draft: Drafts) -> None:
    call(files, make_draft)
    case = files.take_in(Article.RECTIFICATION, Scope(number=NUMBER), OFFICER)[0].id
    with pytest.raises(RightsError, match="text of 1 to 10000 characters") as caught:
        files.rectify(case, OFFICER, 1, "x" * 10_001)
    assert "from 0" not in str(caught.value)
