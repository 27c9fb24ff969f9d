"""The language model as the settings wire it: our own, a processor's behind the gate, or none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from anruflotse.app.building import make_catalogue, make_gate, make_reader
from anruflotse.app.doctor import _register
from anruflotse.app.engines import LOCAL, Engines, uses
from anruflotse.app.opinion import own_language_model, with_language_model
from anruflotse.call.mind import Mind
from anruflotse.call.notes import Notes
from anruflotse.clock import FakeClock
from anruflotse.conversation.events import Understood
from anruflotse.departments.catalogue import Catalogue
from anruflotse.pcm import Pcm
from anruflotse.processors import Category, Disclosures, Gatekeeper
from anruflotse.settings import Settings, load
from anruflotse.speech.fake import FakeRecogniser
from anruflotse.understanding.errors import UnderstandingError
from anruflotse.understanding.seams import Decision, Ranking
from tests.app.agreements import AGREED, NONE, write
from tests.call.desk import Desk
from tests.understanding.llm_server import says, serving, status

UNSURE = "ja also da ist so ein Brief gekommen wegen dem Antrag und dem Geld"
"""What the shipped model is not sure about; the tests check that it is not."""


def settings(tmp_path: Path, url: str, **llm: Any) -> Settings:  # noqa: ANN401 - keys of the section
    file = tmp_path / "register.yaml"
    if not file.exists():
        write(file, AGREED)
    told: dict[str, Any] = {"url": url, "model": "m", "timeout_seconds": 5} | llm
    given = {f"understanding.llm.{key}": value for key, value in told.items()}
    # Thresholds of the test's own, so that no other training of the model decides whether anybody is asked.
    unsure = {"understanding.route": 1.0, "understanding.outside": 1.0}
    return load(None, {"data": tmp_path, "processors.agreements": file} | given | unsure, {})


class Lab:
    """A reader as a service has it, and a call's account."""

    def __init__(self, chosen: Settings, *, heard: bool = True) -> None:
        self.failed: list[str] = []
        gate = make_gate(chosen)
        self.catalogue: Catalogue = make_catalogue(chosen, gate)
        keeper = Gatekeeper(gate, FakeClock())
        self.engines = Engines(with_language_model(chosen, LOCAL), keeper, FakeClock(), self.failed.append)
        self.reader = make_reader(chosen, self.catalogue, self.engines)
        self.account = Disclosures()
        if heard:
            self.account.notice_heard()

    def ranks(self, text: str = UNSURE) -> Ranking:
        self.account.hold_for_this_call()
        return self.reader.rank(text)

    def decides(self, text: str = UNSURE) -> Decision:
        return self.reader.decide(text, self.ranks(text))


def chooses(server_says: dict[str, str]) -> Any:  # noqa: ANN401 - an Answer
    """Choose the third of the concerns offered."""

    def answer(handler: Any, body: dict[str, Any]) -> None:  # noqa: ANN401 - the server's handler
        key = body["response_format"]["json_schema"]["schema"]["properties"]["anliegen"]["enum"][2]
        server_says["key"] = key
        says(key)(handler, body)

    return answer


async def test_our_own_is_asked_and_the_explanation_says_so(tmp_path: Path) -> None:
    chosen: dict[str, str] = {}
    with serving(chooses(chosen)) as server:
        lab = Lab(settings(tmp_path, server.url))
        decision = lab.decides()
    assert server.said == [UNSURE]
    assert lab.account.given == ()  # it is nobody else's machine
    assert decision.explanation is not None
    assert decision.explanation.opinion == chosen["key"]


async def test_a_processors_is_asked_under_an_agreement_and_the_call_accounts_for_it(tmp_path: Path) -> None:
    chosen: dict[str, str] = {}
    with serving(chooses(chosen)) as server:
        lab = Lab(settings(tmp_path, server.url, processor="stimme"))
        ranking = lab.ranks()
    assert server.said == [UNSURE]
    assert lab.account.given == ("stimme",)
    assert ranking.grounds is not None
    assert ranking.grounds.opinion == chosen["key"]


async def test_without_an_agreement_nothing_is_sent(tmp_path: Path) -> None:
    write(tmp_path / "register.yaml", NONE)
    await _nothing_is_sent(tmp_path, processor="stimme")


async def test_one_nobody_entered_in_the_register_is_given_nothing(tmp_path: Path) -> None:
    await _nothing_is_sent(tmp_path, processor="niemand")


async def test_before_the_notice_has_ended_nothing_is_sent(tmp_path: Path) -> None:
    await _nothing_is_sent(tmp_path, processor="stimme", heard=False)


@pytest.mark.parametrize("processor", ["stimme", None])
@pytest.mark.parametrize(
    "text",
    [
        "ich widerspreche der Aufzeichnung meines Gesprächs",
        "mein Mann atmet nicht mehr, schnell, es geht um den Antrag",
        "geben Sie mir einen Menschen, es ist wegen dem Brief",
        "nein",
    ],
)
async def test_alarms_and_answers_are_never_sent(tmp_path: Path, text: str, processor: str | None) -> None:
    await _nothing_is_sent(tmp_path, processor=processor, text=text)


async def _nothing_is_sent(tmp_path: Path, *, processor: str | None, heard: bool = True, text: str = UNSURE) -> None:
    with serving(says("keines")) as server:
        lab = Lab(settings(tmp_path, server.url, processor=processor), heard=heard)
        ranking = lab.ranks(text)
    assert server.asked == []
    assert lab.account.given == ()
    assert ranking.concerns[0].probability > 0


async def test_after_an_objection_and_outside_calls_a_processor_is_sent_nothing(tmp_path: Path) -> None:
    with serving(says("keines")) as server:
        lab = Lab(settings(tmp_path, server.url, processor="stimme"))
        lab.reader.rank(UNSURE)  # no call
        lab.account.close()
        lab.ranks()
    assert server.asked == []


@pytest.mark.parametrize("processor", ["stimme", None])
async def test_whatever_goes_wrong_the_local_ranking_stands(tmp_path: Path, processor: str | None) -> None:
    with serving(status(500)) as server:
        lab = Lab(settings(tmp_path, server.url, processor=processor))
        local = Lab(load(None, {"data": tmp_path}, {})).ranks()
        with structlog.testing.capture_logs() as logged:
            rankings = [lab.ranks() for _ in range(5)]
    assert all(ranking == local for ranking in rankings)
    assert len(server.asked) == 3  # then it is left alone
    assert lab.failed == (["stimme"] * 3 if processor else [])
    assert len([entry for entry in logged if entry["log_level"] != "info"]) == 3
    assert "Antrag" not in str(logged)


async def test_one_left_alone_is_not_accounted_for(tmp_path: Path) -> None:
    with serving(status(500)) as server:
        lab = Lab(settings(tmp_path, server.url, processor="stimme"))
        for _ in range(3):
            lab.ranks()
        lab.account = Disclosures()
        lab.account.notice_heard()
        lab.ranks()
    assert len(server.asked) == 3
    assert lab.account.given == ()


async def test_a_whole_turn_asks_once_and_keeps_why(tmp_path: Path) -> None:
    chosen: dict[str, str] = {}
    with serving(chooses(chosen)) as server, ThreadPoolExecutor(1) as threads:
        lab = Lab(settings(tmp_path, server.url, processor="stimme"))
        lab.account.hold_for_this_call()
        desk, notes = Desk(), Notes(turn=Pcm(bytes(2 * 8_000 * 5), 8_000))
        equipment = replace(desk.equipment, reader=lab.reader, recogniser=FakeRecogniser(UNSURE), threads=threads)
        event = await Mind(equipment, notes, lambda *_, **__: None).understand(1)
    assert isinstance(event, Understood)
    assert server.said == [UNSURE]
    assert [one.opinion for one in notes.explanations] == [chosen["key"]]
    notes.drop()
    assert notes.explanations == []


def test_without_settings_there_is_none(tmp_path: Path) -> None:
    chosen = load(None, {"data": tmp_path}, {})
    assert with_language_model(chosen, LOCAL) is LOCAL
    assert own_language_model(chosen) is None


def test_whose_it_is_decides_where_it_stands(tmp_path: Path) -> None:
    ours, theirs = (settings(tmp_path, "https://llm.example/v1", processor=who) for who in (None, "stimme"))
    assert uses(with_language_model(ours, LOCAL)) == ()
    (use,) = uses(with_language_model(theirs, LOCAL))
    assert (use.processor, use.category) == ("stimme", Category.TEXT)
    assert own_language_model(theirs) is None
    assert own_language_model(ours) is not None


@pytest.mark.parametrize("processor", ["stimme", None])
def test_the_doctor_names_a_url_in_the_open(tmp_path: Path, processor: str | None) -> None:
    chosen = settings(tmp_path, "http://llm.example/v1", processor=processor)
    faults = [finding for finding in _register(chosen, LOCAL) if finding.status == "fault"]
    assert ["understanding.llm.url" in fault.found for fault in faults] == [True]
    with pytest.raises(UnderstandingError, match="https"):
        make_reader(chosen, make_catalogue(chosen, make_gate(chosen)), Lab(chosen).engines)


def test_the_key_shows_in_no_settings(tmp_path: Path) -> None:
    chosen = settings(tmp_path, "https://llm.example/v1", api_key="sehr-geheim")
    assert "sehr-geheim" not in repr(chosen) + str(chosen.model_dump())
    model = own_language_model(chosen)
    assert "sehr-geheim" not in repr(model)
