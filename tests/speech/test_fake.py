"""The fakes keep the promises of the seams: other rooms build their tests on them."""

from __future__ import annotations

import asyncio

import pytest

from anruflotse.pcm import Pcm
from anruflotse.speech.audio import level_dbfs
from anruflotse.speech.fake import FakeEndpointer, FakeRecogniser, FakeScreener, FakeSynthesiser
from anruflotse.speech.seams import (
    Endpointer,
    Heard,
    Recogniser,
    Screener,
    Screening,
    SpeechError,
    Synthesiser,
    Transcript,
    TurnEvent,
)

SOME = Pcm(bytes(320), 8_000)
VOICE = b"\x00\x20" * 160
PAUSE = bytes(320)


async def test_recogniser_follows_its_script_and_repeats_the_end() -> None:
    unsure = Transcript("hm", 0.2, accepted=False, reason="low_confidence", engine="fake")
    fake = FakeRecogniser("Mein Krankengeld", SpeechError("down"), unsure)
    recogniser: Recogniser = fake
    first = await recogniser.transcribe(SOME, ["Krankengeld"])
    assert (first.text, first.accepted, first.reason) == ("Mein Krankengeld", True, "")
    with pytest.raises(SpeechError, match="down"):
        await recogniser.transcribe(SOME)
    assert [await recogniser.transcribe(SOME) for _ in range(2)] == [unsure, unsure]
    assert fake.heard[0] == (SOME, ("Krankengeld",))
    assert len(fake.heard) == 4


async def test_recogniser_without_a_script_understands_nothing() -> None:
    assert not (await FakeRecogniser().transcribe(SOME)).accepted


async def test_a_held_engine_hangs_until_released() -> None:
    for engine in (FakeRecogniser("ja"), FakeScreener(Heard.YES)):
        engine.hold()
        ask = engine.transcribe(SOME) if isinstance(engine, FakeRecogniser) else engine.screen(SOME)
        task = asyncio.ensure_future(ask)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not task.done()
        engine.release()
        await asyncio.wait_for(task, 1)


async def test_screener_follows_its_script() -> None:
    maybe = Screening(Heard.OBJECTION, certain=False, confidence=0.4)
    fake = FakeScreener(Heard.YES, maybe)
    screener: Screener = fake
    assert await screener.screen(SOME) == Screening(Heard.YES, certain=True, confidence=1.0)
    assert await screener.screen(SOME) == maybe
    assert fake.heard == [SOME, SOME]
    assert (await FakeScreener().screen(SOME)).heard is Heard.SPEECH


async def test_synthesiser_says_different_things_differently_and_the_same_alike() -> None:
    fake = FakeSynthesiser(None, SpeechError("no voice"), None)
    synthesiser: Synthesiser = fake
    first = await synthesiser.speak("Guten Tag")
    assert first.rate == 16_000
    assert first.seconds == pytest.approx(9 * 0.05)
    assert level_dbfs(first) == pytest.approx(-20, abs=1)
    with pytest.raises(SpeechError):
        await synthesiser.speak("Guten Tag")
    assert await synthesiser.speak("Guten Tag") == first
    assert (await synthesiser.speak("Guten Weg")).data != first.data
    assert fake.spoken == ["Guten Tag", "Guten Tag", "Guten Tag", "Guten Weg"]


def test_endpointer_finds_a_loud_turn_and_counts_only_audio() -> None:
    fake = FakeEndpointer(8_000)
    endpointer: Endpointer = fake
    endpointer.expect(400)
    events = [turn for chunk in [PAUSE] * 50 + [VOICE] * 30 + [PAUSE] * 25 for turn in endpointer.feed(chunk)]
    assert [turn.event for turn in events] == [TurnEvent.SPEECH_STARTED, TurnEvent.PAUSED, TurnEvent.SPEECH_ENDED]
    utterance = events[2].audio
    assert utterance is not None
    assert utterance.data == bytes(4_000) + VOICE * 30 + bytes(4_000)
    assert fake.expected == [400]


def test_endpointer_forgets_on_reset() -> None:
    endpointer = FakeEndpointer(8_000)
    for _ in range(10):
        endpointer.feed(VOICE)
    endpointer.reset()
    assert not [turn for _ in range(60) for turn in endpointer.feed(PAUSE)]
