"""Engines of processors behind the gate: fakes that behave like a remote engine, alone and in whole calls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.app.engines import (
    SPEAKING_SECONDS,
    Behind,
    Engines,
    GatedClassifier,
    GatedRecogniser,
    Offer,
    Offers,
    own,
    uses,
    within,
)
from anruflotse.call import Call
from anruflotse.call.mind import Mind
from anruflotse.call.notes import Notes
from anruflotse.clock import FakeClock
from anruflotse.conversation.actions import Prompt
from anruflotse.lines.line import Outcome
from anruflotse.pcm import Pcm
from anruflotse.processors import (
    Agreement,
    Category,
    Disclosures,
    Gate,
    Gatekeeper,
    Processor,
    RegisterFile,
    of_this_call,
)
from anruflotse.speech.fake import FakeRecogniser, FakeSynthesiser
from anruflotse.speech.seams import Heard, SpeechError, Synthesiser
from anruflotse.understanding.seams import Ranked, Ranking
from tests.app.agreements import AGREED, BEGINS, NONE, UNTIL, write
from tests.call.desk import Desk

AUDIO = Pcm(bytes(16_000), 8_000)
PATIENCE = 4.0
HERE, THERE = "hier verstanden", "dort verstanden"


class Remote:
    """A processor's recogniser and how often it was made and closed."""

    def __init__(self, *answers: str | Exception, processor: str = "stimme") -> None:
        self.engine = FakeRecogniser(*(answers or (THERE,)), processor=processor)
        self.made = self.closed = 0

    def make(self) -> FakeRecogniser:
        self.made += 1
        return self.engine

    def close(self, engine: object) -> None:
        assert engine is self.engine
        self.closed += 1

    @property
    def offer(self) -> Offer[Any]:
        return Offer("Stimme Erkennung", "stimme", self.make, self.close)


class Lab:
    """A gated recogniser on a register file, in a call whose notice was heard."""

    def __init__(self, register: Path, *answers: str | Exception) -> None:
        self.register = register
        self.clock = FakeClock()
        self.remote = Remote(*answers)
        self.local = FakeRecogniser(HERE)
        self.refused: list[tuple[str, str]] = []
        self.failed: list[str] = []
        self.keeper = Gatekeeper(Gate(RegisterFile(register).reading), self.clock, lambda *of: self.refused.append(of))
        self.engines = Engines(Offers(recogniser=self.remote.offer), self.keeper, self.clock, self.failed.append)
        self.recogniser = self.engines.recogniser(self.local, 2 * PATIENCE)
        self.account = Disclosures()

    async def hears(self) -> str:
        self.account.hold_for_this_call()
        self.account.notice_heard()
        return (await self.recogniser.transcribe(AUDIO)).text


def broken() -> Any:  # noqa: ANN401 - it never returns
    """Do what an engine with a bug does."""
    raise KeyError


def damage(register: Path) -> None:
    register.write_text("version: [", "utf-8")


@pytest.fixture
def register(tmp_path: Path) -> Path:
    return write(tmp_path / "register.yaml", AGREED)


async def test_under_an_agreement_the_processor_hears_and_is_accounted_for(register: Path) -> None:
    lab = Lab(register)
    assert await lab.hears() == THERE
    assert (lab.account.given, lab.local.heard, lab.remote.made) == (("stimme",), [], 1)


async def test_without_one_it_is_not_even_made(register: Path) -> None:
    lab = Lab(write(register, NONE))
    lab.engines.start()
    assert await lab.hears() == HERE
    assert (lab.remote.made, lab.account.given, lab.refused) == (0, (), [("stimme", "no_agreement")])


def test_at_the_start_the_log_names_what_stays_shut_and_why(register: Path) -> None:
    lab = Lab(write(register, NONE))
    with structlog.testing.capture_logs() as logged:
        lab.engines.start()
    (line,) = [line for line in logged if "does not start" in line["event"]]
    assert (line["log_level"], line["processor"], line["kind"], line["reason"]) == (
        *("warning", "stimme", "sprachaufnahme", "no_agreement"),
    )
    assert lab.refused == []


def test_at_the_start_a_permitted_engine_is_made(register: Path) -> None:
    lab = Lab(register)
    lab.engines.start()
    assert lab.remote.made == 1
    lab.engines.close()
    assert lab.remote.closed == 1


async def test_an_agreement_that_ends_closes_the_engine_and_one_that_begins_makes_it_again(register: Path) -> None:
    lab = Lab(register)
    assert await lab.hears() == THERE
    lab.clock.jump(datetime(UNTIL.year, UNTIL.month, UNTIL.day, 22, tzinfo=UTC))  # midnight in German summer
    assert await lab.hears() == HERE
    assert (lab.remote.made, lab.remote.closed) == (1, 1)
    write(register, AGREED.replace(f"gueltig_bis: {UNTIL}, ", ""))
    assert await lab.hears() == THERE
    assert (lab.remote.made, lab.remote.closed, lab.refused) == (2, 1, [("stimme", "expired")])


async def test_a_register_damaged_under_way_keeps_everything_here(register: Path) -> None:
    lab = Lab(register)
    damage(register)
    assert await lab.hears() == HERE
    assert (lab.remote.engine.heard, lab.refused) == ([], [("stimme", "unreadable")])


async def test_before_the_notice_has_ended_and_after_an_objection_nothing_goes_out(register: Path) -> None:
    lab = Lab(register)
    lab.account.hold_for_this_call()
    assert (await lab.recogniser.transcribe(AUDIO)).text == HERE
    lab.account.notice_heard()
    lab.account.close()
    assert (await lab.recogniser.transcribe(AUDIO)).text == HERE
    assert (lab.remote.engine.heard, lab.account.given) == ([], ())


@pytest.mark.parametrize("error", [SpeechError("overloaded"), OSError("connection reset"), KeyError("a bug")])
async def test_an_engine_that_fails_is_replaced_in_the_same_utterance(register: Path, error: Exception) -> None:
    lab = Lab(register, error, THERE)
    with structlog.testing.capture_logs() as logged:
        assert await lab.hears() == HERE
    assert [line["processor"] for line in logged if line["log_level"] == "error"] == ["stimme"]
    # What failed may have arrived: it is accounted for.
    assert (lab.account.given, lab.failed) == (("stimme",), ["stimme"])
    assert await lab.hears() == THERE


async def test_an_engine_that_hangs_is_given_up_in_time_for_the_local_one(register: Path) -> None:
    lab = Lab(register)
    lab.remote.engine.hold()
    hearing = asyncio.create_task(lab.hears())
    await settled()
    lab.clock.advance(PATIENCE - 0.1)
    await settled()
    assert not hearing.done()
    lab.clock.advance(0.1)
    assert await hearing == HERE
    assert lab.failed == ["stimme"]


async def test_an_engine_that_cannot_be_made_is_replaced_and_given_nothing(register: Path) -> None:
    lab = Lab(register)

    lab.remote.make = broken  # type: ignore[method-assign]
    lab.recogniser = Engines(Offers(recogniser=lab.remote.offer), lab.keeper, lab.clock, lab.failed.append).recogniser(
        lab.local, PATIENCE
    )
    assert await lab.hears() == HERE
    assert (lab.account.given, lab.failed) == ((), ["stimme"])


async def test_an_engine_of_another_processor_than_offered_is_given_nothing(register: Path) -> None:
    lab = Lab(register)
    lab.remote.engine.processor = "fremde"
    assert await lab.hears() == HERE
    assert (lab.remote.engine.heard, lab.account.given) == ([], ())


def test_a_processors_engine_cannot_be_its_own_fallback_or_be_used_bare(register: Path) -> None:
    keeper = Gatekeeper(Gate(RegisterFile(register).reading), FakeClock())
    bare = Engines(Offers(), keeper, FakeClock(), nothing)
    with pytest.raises(ValueError, match="`stimme` cannot stand in"):
        bare.recogniser(FakeRecogniser(processor="stimme"), 8)
    behind = Behind[Any](Remote().offer, Category.AUDIO, keeper, nothing)
    with pytest.raises(ValueError, match="`stimme` cannot stand in"):
        GatedRecogniser(behind, FakeRecogniser(processor="stimme"), FakeClock(), 8)


def test_without_an_offer_the_local_engines_stay_as_they_are(register: Path) -> None:
    engines = Engines(Offers(), Gatekeeper(Gate(RegisterFile(register).reading), FakeClock()), FakeClock(), nothing)
    recogniser, voice, classifier = FakeRecogniser(), FakeSynthesiser(), Ranks("hier")
    assert engines.recogniser(recogniser, 8) is recogniser
    assert engines.synthesiser(voice) is voice
    assert engines.classifier(classifier) is classifier
    assert engines.voice("pico") == "pico"
    assert uses(Offers()) == ()
    assert own(recogniser) is recogniser


async def test_a_processors_voice_speaks_under_an_agreement_only_and_prompts_outside_calls_too(register: Path) -> None:
    clock = FakeClock()
    remote, local = FakeSynthesiser(None, OSError(), processor="stimme"), FakeSynthesiser()
    offer: Offer[Synthesiser] = Offer("Stimme Sprache", "stimme", lambda: remote, lambda _: None)
    keeper = Gatekeeper(Gate(RegisterFile(register).reading), clock)
    engines = Engines(Offers(synthesiser=offer), keeper, clock, nothing)
    voice = engines.synthesiser(local)
    await voice.speak("eins")
    await voice.speak("zwei")
    assert (remote.spoken, local.spoken) == (["eins", "zwei"], ["zwei"])
    write(register, NONE)
    await voice.speak("drei")
    assert (remote.spoken, local.spoken) == (["eins", "zwei"], ["zwei", "drei"])
    assert engines.voice("pico") == "Stimme Sprache, else pico"


class Ranks:
    """A classifier that says who it is; `answer` may raise or wait."""

    def __init__(self, name: str, processor: str | None = None) -> None:
        self.processor = processor
        self.ranked: list[str] = []
        self.answer: Callable[[], object] = lambda: None
        self._ranking = Ranking((Ranked(name, "x", 1.0),))

    def rank(self, text: str) -> Ranking:
        self.ranked.append(text)
        self.answer()
        return self._ranking


@pytest.mark.parametrize("trouble", ["none", "raises", "hangs", "no agreement"])
async def test_a_processors_classifier_ranks_and_the_local_one_whenever_it_cannot(register: Path, trouble: str) -> None:
    local, remote, going_on, failed = Ranks("hier"), Ranks("dort", "stimme"), threading.Event(), list[str]()
    if trouble == "raises":
        remote.answer = broken
    elif trouble == "hangs":
        remote.answer = going_on.wait
    elif trouble == "no agreement":
        write(register, NONE)
    keeper = Gatekeeper(Gate(RegisterFile(register).reading), FakeClock())
    behind = Behind[Any](
        Offer("Stimme Deutung", "stimme", lambda: remote, lambda _: None), Category.TEXT, keeper, failed.append
    )
    gated = GatedClassifier(behind, local, patience=0.05 if trouble == "hangs" else 5)
    account = Disclosures()
    account.hold_for_this_call()
    account.notice_heard()
    ranking = gated.rank("Pflegegrad")
    going_on.set()
    gated.close()
    assert ranking.concerns[0].concern == ("dort" if trouble == "none" else "hier")
    assert failed == (["stimme"] if trouble in {"raises", "hangs"} else [])
    assert account.given == (() if trouble == "no agreement" else ("stimme",))


async def test_what_takes_too_long_is_cancelled() -> None:
    clock, ended = FakeClock(), list[str]()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("yes")

    waiting = asyncio.create_task(within(clock, SPEAKING_SECONDS, work()))
    await settled()
    clock.advance(SPEAKING_SECONDS)
    with pytest.raises(TimeoutError):
        await waiting
    assert ended == ["yes"]


@given(
    length=st.integers(0, 10),
    hours=st.lists(st.integers(-10 * 24, 20 * 24), min_size=1, max_size=8),
    fails=st.booleans(),
)
def test_over_any_days_and_agreements_the_processor_gets_exactly_what_an_agreement_covers(
    length: int, hours: list[int], fails: bool
) -> None:
    agreement = Agreement(BEGINS, BEGINS, BEGINS + timedelta(length), frozenset({Category.AUDIO}), ("DE",), "Akte 1")
    entry = Processor("stimme", "Stimme GmbH", "x", frozenset({Category.AUDIO}), None, agreement)

    async def play() -> None:
        clock, local = FakeClock(), FakeRecogniser(HERE)
        remote = Remote(SpeechError("down")) if fails else Remote()
        engines = Engines(Offers(recogniser=remote.offer), Gatekeeper(Gate({"stimme": entry}), clock), clock, nothing)
        recogniser = engines.recogniser(local, 8)
        # In winter German days begin at 23:00 UTC.
        begins = datetime(BEGINS.year, BEGINS.month, BEGINS.day, tzinfo=UTC) - timedelta(hours=1)
        for hour in hours:
            clock.jump(begins + timedelta(hours=hour))
            before, account = len(remote.engine.heard), Disclosures()
            account.hold_for_this_call()
            account.notice_heard()
            text = (await recogniser.transcribe(AUDIO)).text
            covered = 0 <= hour < 24 * (length + 1)
            assert (len(remote.engine.heard) > before) is covered
            assert account.given == (("stimme",) if covered else ())
            assert text == (THERE if covered and not fails else HERE)

    with structlog.testing.capture_logs():
        asyncio.run(play())


# --- in whole calls ---------------------------------------------------------------------------------------------------


def connected(desk: Desk, register: Path, remote: Remote) -> Desk:
    """Put a processor's recogniser into a desk's call."""
    keeper = Gatekeeper(Gate(RegisterFile(register).reading), desk.clock)
    engines = Engines(Offers(recogniser=remote.offer), keeper, desk.clock, nothing)
    recogniser = engines.recogniser(desk.recogniser, desk.equipment.rules.recognition_seconds)
    desk.equipment = replace(desk.equipment, recogniser=recogniser)
    desk.call = Call(desk.leg, desk.equipment)
    return desk


async def test_not_a_byte_reaches_a_processor_before_the_notice_has_ended(register: Path) -> None:
    remote = Remote("Pflegegrad")
    desk = connected(Desk(outcomes=(Outcome.SUCCEEDED,)), register, remote)
    await desk.rings()
    await desk.says()
    await desk.says(seconds=4)
    assert len(desk.screener.heard) == 2
    assert (remote.engine.heard, desk.recogniser.heard) == ([], [])
    await desk.prompt_ends(Prompt.NOTICE)
    await desk.prompt_ends(Prompt.QUESTION)
    assert remote.engine.heard == []
    await desk.says(value=3000, seconds=3)
    assert remote.engine.heard
    # Nothing of what was said in the notice (2000) went out with the answer (3000).
    assert all(b"\xd0\x07" not in audio.data.replace(b"\xb8\x0b", b"") for audio, _ in remote.engine.heard)
    await desk.prompt_ends(Prompt.CONNECT)
    (draft,) = desk.keeper.sealed
    assert (draft.processors, desk.recogniser.heard) == (("stimme",), [])


async def test_an_objection_in_the_notice_never_reaches_a_processor(register: Path) -> None:
    remote = Remote()
    desk = connected(Desk(hears=(Heard.OBJECTION,), outcomes=(Outcome.SUCCEEDED,)), register, remote)
    await desk.rings()
    await desk.says()
    await desk.settle()
    assert desk.keeper.sealed == []
    assert (remote.engine.heard, remote.made) == ([], 0)


async def test_a_call_opens_its_account_with_the_end_of_the_notice_and_closes_it_with_an_objection() -> None:
    desk = Desk(outcomes=(None,))
    account = desk.call._disclosures

    def given() -> bool:
        return account.give("stimme", Category.AUDIO)

    await desk.rings()
    assert not given()
    await desk.prompt_ends(Prompt.NOTICE)
    assert given()
    await desk.presses("9")
    assert not given()


async def test_the_record_names_no_processor_when_none_was_given_anything(register: Path) -> None:
    desk = connected(Desk("Pflegegrad", outcomes=(Outcome.SUCCEEDED,)), write(register, NONE), Remote())
    await desk.rings()
    await desk.prompt_ends(Prompt.NOTICE, Prompt.QUESTION)
    await desk.says(seconds=3)
    await desk.prompt_ends(Prompt.CONNECT)
    (draft,) = desk.keeper.sealed
    assert draft.processors == ()


async def test_a_processor_that_hung_until_the_local_engine_took_over_is_in_the_record(register: Path) -> None:
    remote = Remote()
    remote.engine.hold()
    desk = connected(Desk("Pflegegrad", outcomes=(Outcome.SUCCEEDED,)), register, remote)
    await desk.rings()
    await desk.prompt_ends(Prompt.NOTICE, Prompt.QUESTION)
    await desk.says(seconds=3)
    await desk.waits(desk.equipment.rules.recognition_seconds / 2)
    await desk.prompt_ends(Prompt.CONNECT)
    (draft,) = desk.keeper.sealed
    assert draft.processors == ("stimme",)
    assert len(desk.recogniser.heard) == 1


@pytest.mark.parametrize(
    ("outcomes", "processors"),
    [
        ((Outcome.SUCCEEDED,), ()),
        ((Outcome.BUSY, Outcome.SUCCEEDED), ("helfer",)),
        ((Outcome.BUSY, Outcome.UNKNOWN), ("helfer",)),
    ],
)
async def test_a_target_of_a_processor_is_in_the_record_once_it_was_dialled(
    outcomes: tuple[Outcome, ...], processors: tuple[str, ...]
) -> None:
    desk = Desk("Pflegegrad", outcomes=outcomes)
    desk.directory.processor = "helfer"
    await desk.rings()
    await desk.prompt_ends(Prompt.NOTICE, Prompt.QUESTION)
    await desk.says(seconds=3)
    await desk.prompt_ends(Prompt.CONNECT)
    (draft,) = desk.keeper.sealed
    assert draft.processors == processors


async def test_what_runs_off_the_event_loop_finds_the_account_of_its_call() -> None:
    account = Disclosures()
    account.hold_for_this_call()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(of_this_call).result()  # a thread that was begun outside any call
        mind = Mind(replace(Desk().equipment, threads=pool), Notes(), nothing)
        assert await mind._off_loop(of_this_call) is account


def nothing(*_: object, **__: object) -> None:
    """Tell nobody."""


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
