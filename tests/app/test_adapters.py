"""The rooms fit together: what one says, the next understands."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from anruflotse import departments
from anruflotse.app.adapters import BookAnnouncer, CatalogueDirectory, RecordKeeper, WordReader, gaps
from anruflotse.call.equipment import PromptMissingError
from anruflotse.clock import FakeClock
from anruflotse.conversation.actions import Destination, Goal, Play, Prompt
from anruflotse.conversation.events import Heard as TalkHeard
from anruflotse.conversation.events import Verdict
from anruflotse.departments.catalogue import Catalogue
from anruflotse.processors import Gate, Gatekeeper
from anruflotse.records.repository import Records
from anruflotse.speech.fake import FakeSynthesiser
from anruflotse.speech.prompts import Fillings, PromptBook
from anruflotse.speech.seams import Heard, SpeechError
from anruflotse.understanding import classifier
from anruflotse.understanding.policy import Policy
from anruflotse.understanding.seams import DecisionKind

NOW = datetime(2026, 3, 3, 9, tzinfo=UTC)
SUNDAY = datetime(2026, 3, 1, 9, tzinfo=UTC)


def book(catalogue: Catalogue, cache: Path, *answers: Exception | None) -> PromptBook:
    fillings = Fillings(
        departments={key: found.name for key, found in catalogue.departments.items()},
        concerns={key: found.spoken for key, found in catalogue.concerns.items()},
        insurer="mkk",
        contact="den Datenschutz",
        hours="immer",
    )
    return PromptBook(FakeSynthesiser(*answers), voice="fake", cache=cache, fillings=fillings)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return departments.load()


@pytest.mark.parametrize("prompt", Prompt)
async def test_every_prompt_of_the_conversation_can_be_spoken(
    prompt: Prompt, catalogue: Catalogue, tmp_path: Path
) -> None:
    play = Play(prompt, department="pflegekasse", concerns=("pflege", "zahnersatz"), instead="kundenservice")
    audio = await BookAnnouncer(book(catalogue, tmp_path)).audio(play, 8000)
    assert audio.rate == 8000
    assert audio.seconds > 0.5


async def test_a_prompt_that_cannot_be_spoken_is_missing(catalogue: Catalogue, tmp_path: Path) -> None:
    broken = book(catalogue, tmp_path, SpeechError("the voice is gone"))
    with pytest.raises(PromptMissingError):
        await BookAnnouncer(broken).audio(Play(Prompt.NOTICE), 8000)


def test_only_callers_about_data_protection_hear_the_officer_named(catalogue: Catalogue) -> None:
    directory = CatalogueDirectory(catalogue, Gatekeeper(Gate({}), FakeClock()))
    ordinary = [one for one in catalogue.concerns.values() if one.department in catalogue.departments]
    told = [one.key for one in ordinary if directory.candidate(one.key, one.department, NOW).privacy]
    assert told == ["datenschutz"]


def test_a_choice_names_its_two_concerns_in_order() -> None:
    assert gaps(Play(Prompt.CHOOSE, concerns=("pflege", "reha_kur"))) == {"erstes": "pflege", "zweites": "reha_kur"}


def test_the_rooms_use_the_same_words_for_what_was_heard_and_decided() -> None:
    assert {heard.value for heard in TalkHeard} == {heard.value for heard in Heard}
    assert {verdict.value for verdict in Verdict} == {kind.value for kind in DecisionKind}


HOURS = "oeffnungszeiten: {Mo-Fr: 8-18}\nmensch: {ziele: ['sip:mensch@pbx'], oeffnungszeiten: immer}\n"
DEPARTMENTS = """\
abteilungen:
  offen: {name: Offen, beschreibung: x, ziele: ['sip:a@pbx', 'sip:b@pbx'], oeffnungszeiten: immer}
  zu: {name: Zu, beschreibung: x, ziele: ['sip:c@pbx'], geschlossen: {alternative: offen}}
  ganz_zu: {name: Ganz zu, beschreibung: x, ziele: ['sip:d@pbx']}
  zum_menschen: {name: Zum, beschreibung: x, ziele: ['sip:e@pbx'], geschlossen: {alternative: mensch}}
"""


@pytest.fixture(scope="module")
def directory() -> CatalogueDirectory:
    text = departments.shipped()
    actions = text[text.index("aktionen:") :]
    concerns = "".join(
        f"  {key}: {{abteilung: {key}, name: {key}, beschreibung: x, ansage: x}}\n"
        for key in ("offen", "zu", "ganz_zu", "zum_menschen")
    )
    special = actions[actions.index("  mitarbeiter:") :]
    heads = actions[: actions.index("anliegen:")]
    return CatalogueDirectory(
        departments.load(f"version: 1\n{HOURS}{DEPARTMENTS}{heads}anliegen:\n{concerns}{special}"),
        Gatekeeper(Gate({}), FakeClock()),
    )


@pytest.mark.parametrize(
    ("department", "is_open", "instead"),
    [("offen", True, None), ("zu", False, "offen"), ("ganz_zu", False, None), ("zum_menschen", False, None)],
)
def test_a_candidate_knows_whether_its_department_is_open(
    directory: CatalogueDirectory, department: str, is_open: bool, instead: str | None
) -> None:
    candidate = directory.candidate("x", department, SUNDAY)
    assert (candidate.open, candidate.instead) == (is_open, instead)


def test_targets_are_tried_in_the_catalogues_order(directory: CatalogueDirectory) -> None:
    def uris(destination: Destination) -> list[str]:
        return [target.uri for target in directory.targets(destination, NOW)]

    assert uris(Destination(Goal.DEPARTMENT, "offen")) == ["sip:a@pbx", "sip:b@pbx"]
    assert uris(Destination(Goal.HUMAN)) == ["sip:mensch@pbx"]
    assert uris(Destination(Goal.EMERGENCY)) == ["sip:mensch@pbx"]


@pytest.fixture(scope="module")
def reader(catalogue: Catalogue) -> WordReader:
    concerns = {key: concern.department for key, concern in catalogue.concerns.items()}
    return WordReader(classifier.load(None, concerns), Policy(), catalogue)


def test_a_doubtful_objection_carries_the_concern_it_may_be(reader: WordReader) -> None:
    text = "Widerspruch einlegen"
    decision = reader.decide(text, reader.rank(text))
    if decision.kind is DecisionKind.OBJECTION:
        assert not decision.certain
        assert decision.concerns[0].concern == "widerspruch_beschwerde"
    else:
        assert decision.concerns[0].department == "recht"


@pytest.mark.parametrize(
    ("text", "heard"),
    [("ja", Heard.YES), ("nein danke", Heard.NO), ("wie bitte", Heard.REPEAT), ("Ich brauche einen Rollator", None)],
)
def test_short_answers_are_read_by_rule(reader: WordReader, text: str, heard: Heard | None) -> None:
    assert reader.heard(text)[0] is heard


def test_a_no_with_a_concern_is_more_than_a_no(reader: WordReader) -> None:
    assert reader.heard("nein, es geht um meinen Zahnersatz")[0] is None


def test_one_of_two_concerns_is_picked_by_its_words(reader: WordReader) -> None:
    assert reader.pick("um die Zähne", "pflege", "zahnersatz") == 1
    assert reader.pick("das erste", "pflege", "zahnersatz") == 0


def test_what_is_no_concern_of_ours_is_out_of_scope(reader: WordReader) -> None:
    assert reader.out_of_scope(reader.rank("Eine große Pizza mit Salami bitte"))
    assert not reader.out_of_scope(reader.rank("Ich brauche eine neue Gesundheitskarte"))


def test_nothing_is_recorded_before_the_store_was_found_to_work(tmp_path: Path) -> None:
    records = Records(tmp_path / "records", FakeClock())
    keeper = RecordKeeper(records)
    assert not keeper.healthy()
    assert keeper.probe()
    assert keeper.healthy()
    records.close()


def test_a_store_that_breaks_is_noticed_by_the_probe(tmp_path: Path) -> None:
    (tmp_path / "records").write_text("not a directory", "utf-8")
    keeper = RecordKeeper(Records(tmp_path / "records", FakeClock()))
    assert not keeper.probe()
    assert not keeper.healthy()
