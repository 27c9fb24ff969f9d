"""The embedded voice: real Pico."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from anruflotse.pcm import Pcm
from anruflotse.speech.audio import level_dbfs, to_samples
from anruflotse.speech.pico import RATE, PicoSynthesiser, trim
from anruflotse.speech.seams import SpeechError, Synthesiser


def pauses_ms(audio: Pcm) -> list[int]:
    """Lengths of the pauses of 100 ms and more within `audio`."""
    blocks = np.abs(to_samples(audio)[: len(audio.data) // 320 * 160].reshape(-1, 160).astype(int)).max(axis=1) < 100
    edges = np.flatnonzero(np.diff(np.concatenate([[0], blocks.astype(int), [0]])))
    return [int(end - start) * 10 for start, end in edges.reshape(-1, 2) if end - start >= 10]


async def test_speaks_german_at_sixteen_kilohertz_without_silence_around_it() -> None:
    voice: Synthesiser = PicoSynthesiser()
    audio = await voice.speak("Worum geht es bei Ihrem Anruf?")
    assert audio.rate == RATE
    assert 1.5 < audio.seconds < 3.5
    assert level_dbfs(audio, active=True) > -35
    samples = np.abs(to_samples(audio).astype(int))
    assert samples[:320].max() > 50
    assert samples[-320:].max() > 50


async def test_slower_speech_lasts_longer_and_pitch_changes_the_voice() -> None:
    text = "Ich habe eine Frage zu meinem Krankengeld"
    quick, slow = await PicoSynthesiser(1.3).speak(text), await PicoSynthesiser(0.8).speak(text)
    assert slow.seconds > quick.seconds * 1.3
    low, high = await PicoSynthesiser(pitch=0.7).speak(text), await PicoSynthesiser(pitch=1.4).speak(text)
    assert low.data != high.data
    soft, loud = await PicoSynthesiser(volume=0.4).speak(text), await PicoSynthesiser(volume=1.0).speak(text)
    assert level_dbfs(soft, active=True) < level_dbfs(loud, active=True) - 3


async def test_sentences_are_apart_by_the_pause_given_and_commas_by_less() -> None:
    audio = await PicoSynthesiser(pause_ms=600).speak("Guten Tag, guten Tag, guten Tag. Guten Tag.")
    found = pauses_ms(audio)
    assert 580 <= max(found) <= 680
    assert all(pause <= 250 for pause in found if pause != max(found))


@pytest.mark.parametrize("text", ["", "  ", "?!", "–", "\x00\x07"])
async def test_nothing_to_speak_is_an_error(text: str) -> None:
    with pytest.raises(SpeechError, match="nothing to speak"):
        await PicoSynthesiser().speak(text)


@pytest.mark.parametrize("text", ["geheim" * 20, "geheim " * 200], ids=["word", "sentence"])
async def test_what_pico_would_choke_on_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(SpeechError, match="words up to 100 and sentences up to 1000") as caught:
        await PicoSynthesiser().speak(text)
    assert "geheim" not in str(caught.value)


async def test_a_failing_engine_is_told_without_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> bytes:
        message = "pico_getData failed on geheim"
        raise RuntimeError(message)

    monkeypatch.setattr("py_nanotts.NanoTTS.speak", fail)
    with pytest.raises(SpeechError, match="could not speak") as caught:
        await PicoSynthesiser().speak("geheim")
    assert "geheim" not in str(caught.value)


async def test_markup_and_ampersands_are_spoken_as_text() -> None:
    voice = PicoSynthesiser()
    plain = await voice.speak("Beiträge und Forderungen")
    assert (await voice.speak("Beiträge & Forderungen")).seconds == pytest.approx(plain.seconds, abs=0.05)
    slow = await voice.speak('<speed level="20">Beiträge und Forderungen</speed>')
    assert slow.seconds < plain.seconds * 3


async def test_many_tasks_at_once_get_what_they_asked_for() -> None:
    voice = PicoSynthesiser()
    texts = ["Ja", "Ich hätte gern eine Bescheinigung", "Nein, das ist es nicht", "Widerspruch"] * 4
    alone = {text: (await voice.speak(text)).seconds for text in set(texts)}
    together = await asyncio.gather(*(voice.speak(text) for text in texts))
    for text, audio in zip(texts, together, strict=True):
        assert audio.seconds == pytest.approx(alone[text], abs=0.02)


@pytest.mark.parametrize("setting", [{"speed": 0.1}, {"speed": 6}, {"pitch": 3}, {"volume": 0}, {"pause_ms": -1}])
def test_senseless_settings_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Pico speaks at speed"):
        PicoSynthesiser(**setting)  # type: ignore[arg-type]


def test_the_voice_names_everything_that_changes_the_sound() -> None:
    voices = {
        PicoSynthesiser().voice,
        PicoSynthesiser(1.1).voice,
        PicoSynthesiser(pitch=1.1).voice,
        PicoSynthesiser(volume=2).voice,
        PicoSynthesiser(pause_ms=1).voice,
    }
    assert len(voices) == 5


def test_trimming_silence_leaves_nothing() -> None:
    assert trim(Pcm(bytes(3_200), RATE)) == Pcm(b"", RATE)
