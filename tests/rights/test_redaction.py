"""Other people in a recording: pointed out, decided about side by side, blackened in text and sound."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from anruflotse.clock import FakeClock
from anruflotse.documents import Columns, Quote, html
from anruflotse.records.model import Draft
from anruflotse.rights import archive, redaction
from anruflotse.rights.model import Article, Decision, NotNowError, Passage, RightsError, Scope
from anruflotse.rights.requests import Requests
from tests.records.conftest import speech
from tests.rights.conftest import NUMBER, OFFICER, call

Drafts = Callable[..., Draft]
TOLD = "Meine Mutter, Frau Erna Schulz, A123456789, hat Pflegegrad drei."


def filed(desk: Requests, article: Article = Article.ACCESS, scope: Scope | None = None) -> str:
    return desk.take_in(article, scope or Scope(number=NUMBER), OFFICER, identified="Ausweis")[0].id


@pytest.mark.parametrize(
    ("said", "hinted"),
    [
        (TOLD, ["Meine Mutter", "Frau Erna", "A123456789"]),
        ("Es geht um unsere Tochter und seinen Hausarzt Dr. Weiß.", ["unsere Tochter", "seinen Hausarzt", "Dr. Weiß"]),
        ("Rufen Sie 0171 2345678 an.", ["0171 2345678"]),
        ("Ich warte seit drei Wochen auf mein Krankengeld.", []),
        ("Die Frau am Telefon war nett, im Jahr 2026.", []),
    ],
)
def test_what_may_be_about_others_is_pointed_out(
    files: Requests, make_draft: Drafts, said: str, hinted: list[str]
) -> None:
    record = files.office.open(call(files, make_draft, transcripts=(said,)), OFFICER)
    assert record is not None
    assert [said[one.start : one.end] for one in redaction.hints(record)] == hinted


def test_nothing_is_handed_out_before_somebody_has_looked(desk: Requests, make_draft: Drafts) -> None:
    record = call(desk, make_draft, transcripts=(TOLD,))
    case = filed(desk)
    prepared = desk.access(case, OFFICER)
    assert [todo.kind for todo in prepared.filed.request.open_todos] == ["check"]
    with pytest.raises(NotNowError, match="other people"):
        desk.answer(case, OFFICER)
    decided = desk.decide(case, OFFICER, desk.considered(case, OFFICER, record, Decision.INCLUDE))
    assert not decided.request.open_todos
    with pytest.raises(NotNowError, match="not prepared"):
        desk.answer(case, OFFICER)
    assert not desk.prepare(case, OFFICER).filed.request.open_todos
    assert desk.answer(case, OFFICER).request.answered_at is not None


def test_both_sides_are_shown_and_blackened_words_are_nowhere_in_the_answer(desk: Requests, make_draft: Drafts) -> None:
    record = call(desk, make_draft, transcripts=("Guten Tag.", TOLD), evidence=("Pflegegrad", "Schulz"))
    case = filed(desk)
    words = ["meine  MUTTER, Frau Erna Schulz", "A123456789"]
    finding = desk.considered(case, OFFICER, record, Decision.REDACT, words)
    assert finding.passages == (
        Passage(utterance=1, start=0, end=30),
        Passage(utterance=1, start=32, end=42),
    )
    document = desk.compare(case, OFFICER, record, finding)
    (sides,) = [block for block in document.blocks if isinstance(block, Columns)]
    left, right = ([block.text for block in side if isinstance(block, Quote)] for side in (sides.left, sides.right))
    assert left == ["Guten Tag.", TOLD]
    assert right == ["Guten Tag.", "[geschwärzt], [geschwärzt], hat Pflegegrad drei."]
    assert "Könnte andere Menschen betreffen" in html(document)
    desk.decide(case, OFFICER, finding)
    assert "Schulz" not in str(desk.office.records.case(case, OFFICER).body)
    prepared = desk.prepare(case, OFFICER)
    told = json.loads(prepared.files["auskunft.json"])["records"][0]
    assert told["redacted"]
    assert not told["recording"]
    for content in (prepared.files["auskunft.json"].decode(), prepared.files["auskunft.html"].decode()):
        assert "Schulz" not in content
        assert "A123456789" not in content
        assert "hat Pflegegrad drei" in content


def test_who_blackens_text_without_silencing_sound_hands_out_no_sound(files: Requests, make_draft: Drafts) -> None:
    record = call(files, make_draft, transcripts=(TOLD,), recording=speech(1))
    case = filed(files, Article.COPY)

    def inside() -> dict[str, bytes]:
        prepared = files.prepare(case, OFFICER)
        assert prepared.password is not None
        return archive.unpacked(prepared.files["kopie.zip"], prepared.password)

    assert "anruf-1.wav" in inside()
    files.decide(case, OFFICER, files.considered(case, OFFICER, record, Decision.REDACT, ["Schulz"]))
    assert "anruf-1.wav" not in inside()
    files.decide(case, OFFICER, files.considered(case, OFFICER, record, Decision.REDACT, ["Schulz"], ["0,25-0.5"]))
    sound = inside()["anruf-1.wav"]
    assert sound[44 + 2 * 2000 : 44 + 2 * 4000] == bytes(4000)
    assert sound[44 : 44 + 2 * 2000].count(0) < 200


def test_corrections_of_a_blackened_utterance_go_with_it(files: Requests, make_draft: Drafts) -> None:
    record = call(files, make_draft, transcripts=(TOLD,))
    files.office.records.rectify(record, OFFICER, 0, "Frau Erna Schultz meinte ich.")
    case = filed(files)
    files.decide(case, OFFICER, files.considered(case, OFFICER, record, Decision.REDACT, ["Schulz"]))
    assert "Schultz" not in files.prepare(case, OFFICER).files["auskunft.html"].decode()


def test_a_withheld_record_is_told_but_not_shown(desk: Requests, make_draft: Drafts) -> None:
    record = call(desk, make_draft, transcripts=(TOLD,))
    call(desk, make_draft, transcripts=("Nur ich.",))
    case = filed(desk)
    desk.decide(case, OFFICER, desk.considered(case, OFFICER, record, Decision.WITHHOLD))
    page = desk.prepare(case, OFFICER).files["auskunft.html"].decode()
    assert "Schulz" not in page
    assert "Nur ich." in page
    assert "Nicht dabei: eine Aufzeichnung" in page


def test_what_is_found_by_time_alone_is_nobodys_until_decided(
    desk: Requests, make_draft: Drafts, clock: FakeClock
) -> None:
    mine = call(desk, make_draft, caller=None, transcripts=("Das war ich.",))
    other = call(desk, make_draft, transcripts=("Das war jemand anderes.",))
    window = Scope(start=clock.now() - timedelta(minutes=5), end=clock.now() + timedelta(minutes=5))
    case = filed(desk, scope=window)
    prepared = desk.access(case, OFFICER)
    assert prepared.files == {}
    assert set(prepared.filed.request.undecided) == {mine, other}
    with pytest.raises(NotNowError, match="undecided"):
        desk.answer(case, OFFICER)
    # Nobody's words were opened on the way.
    assert desk.office.records.recipients(other, OFFICER) == ()
    desk.decide(case, OFFICER, desk.considered(case, OFFICER, mine, Decision.INCLUDE))
    desk.decide(case, OFFICER, desk.considered(case, OFFICER, other, Decision.WITHHOLD))
    page = desk.prepare(case, OFFICER).files["auskunft.html"].decode()
    assert "Das war ich." in page
    assert "jemand anderes" not in page
    desk.answer(case, OFFICER)


def test_a_decision_that_cannot_be_is_refused(files: Requests, make_draft: Drafts) -> None:
    record = call(files, make_draft, transcripts=(TOLD,))
    stranger = call(files, make_draft, caller="+49 171 7654321")
    case = filed(files)
    with pytest.raises(RightsError, match="does not occur"):
        files.considered(case, OFFICER, record, Decision.REDACT, ["kommt nicht vor"])
    with pytest.raises(RightsError, match="does not occur"):
        files.considered(case, OFFICER, record, Decision.REDACT, ["  "])
    with pytest.raises(RightsError, match="needs a passage"):
        files.considered(case, OFFICER, record, Decision.REDACT)
    with pytest.raises(RightsError, match="needs a passage"):
        files.considered(case, OFFICER, record, Decision.INCLUDE, ["Schulz"])
    for stretch in ("3-1", "x", "1", "-1-2", "1-1", "٣-٤", "0-99999"):
        with pytest.raises(RightsError, match="stretch of sound"):
            files.considered(case, OFFICER, record, Decision.REDACT, [], [stretch])
    with pytest.raises(RightsError, match="does not belong"):
        files.compare(case, OFFICER, stranger)
    files.office.records.destroy(record, "geloescht")  # type: ignore[arg-type]
    with pytest.raises(RightsError, match="has ended"):
        files.compare(case, OFFICER, record)
