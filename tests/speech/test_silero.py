"""Real Silero on Pico's voice: turns are found where they are, and nothing else is taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from anruflotse.pcm import Pcm
from anruflotse.speech.audio import alaw_decode, alaw_encode, from_float, resample, to_float
from anruflotse.speech.pico import PicoSynthesiser
from anruflotse.speech.seams import Endpointer, Turn, TurnEvent
from anruflotse.speech.silero import SileroEndpointer, load_model, segment

CONCERN = "Ich habe eine Frage zu meinem Krankengeld"


async def spoken(text: str, rate: int = 8_000, speed: float = 1.0) -> Pcm:
    """A caller over A-law, as a telephone line delivers it."""
    audio = resample(await PicoSynthesiser(speed).speak(text), rate)
    return alaw_decode(alaw_encode(audio), rate)


def silence(seconds: float, rate: int = 8_000) -> Pcm:
    return Pcm(bytes(int(seconds * rate) * 2), rate)


def joined(*parts: Pcm) -> Pcm:
    return Pcm(b"".join(part.data for part in parts), parts[0].rate)


def feed(endpointer: Endpointer, audio: Pcm, chunk_ms: int = 20) -> list[tuple[float, TurnEvent, Pcm | None]]:
    """Where turns begin and end, with the second of the stream at which it was told."""
    size = chunk_ms * audio.rate // 1_000 * 2
    return [
        ((start + size) / 2 / audio.rate, turn.event, turn.audio)
        for start in range(0, len(audio.data), size)
        for turn in endpointer.feed(audio.data[start : start + size])
        if turn.event is not TurnEvent.PAUSED
    ]


@pytest.mark.parametrize("rate", [8_000, 16_000])
async def test_a_turn_is_found_where_it_is(rate: int) -> None:
    voice = await spoken(CONCERN, rate)
    told = feed(SileroEndpointer(rate, 700), joined(silence(1, rate), voice, silence(2, rate)))
    assert [event for _, event, _ in told] == [TurnEvent.SPEECH_STARTED, TurnEvent.SPEECH_ENDED]
    (started, _, nothing), (ended, _, audio) = told
    assert nothing is None
    assert 1.1 <= started <= 1.45
    assert 1 + voice.seconds + 0.6 <= ended <= 1 + voice.seconds + 0.95
    assert audio is not None
    assert audio.rate == rate
    assert voice.seconds <= audio.seconds <= voice.seconds + 0.65


async def test_the_pre_roll_keeps_the_first_sound() -> None:
    voice = await spoken("Fahrkosten")
    (_, _, audio) = feed(SileroEndpointer(8_000), joined(silence(1), voice, silence(1.5)))[1]
    assert audio is not None
    assert voice.data in audio.data
    assert 0.1 <= audio.data.index(voice.data) / 16_000 <= 0.3


@pytest.mark.parametrize("chunk_ms", [5, 20, 60, 1_000])
async def test_the_size_of_chunks_changes_nothing(chunk_ms: int) -> None:
    stream = joined(silence(0.5), await spoken(CONCERN), silence(1.5))
    reference = feed(SileroEndpointer(8_000), stream)
    told = feed(SileroEndpointer(8_000), stream, chunk_ms)
    assert [turn[1:] for turn in told] == [turn[1:] for turn in reference]


async def test_the_pause_expected_decides_whether_it_is_one_turn_or_two() -> None:
    word = await spoken("Bescheinigung")
    stream = joined(silence(0.5), word, silence(0.7), word, silence(1.5))
    assert len(segment(stream, 1_000)) == 1
    endpointer = SileroEndpointer(8_000, 1_000)
    endpointer.expect(400)
    assert len(feed(endpointer, stream)) == 4
    with pytest.raises(ValueError, match="positive"):
        endpointer.expect(0)


@pytest.mark.parametrize("word", ["Ja", "Nein", "Widerspruch", "Mitarbeiter"])
async def test_short_answers_are_turns(word: str) -> None:
    found = segment(joined(silence(1), await spoken(word), silence(1)), 450)
    assert len(found) == 1
    assert found[0].start == pytest.approx(1, abs=0.15)


def tone(*hertz: float) -> Pcm:
    time = np.arange(8_000) / 8_000
    return from_float(np.sum([0.3 * np.sin(2 * np.pi * one * time) for one in hertz], axis=0), 8_000)


def noise(dbfs: float) -> Pcm:
    random = np.random.default_rng(3)
    return from_float(random.normal(0, 10 ** (dbfs / 20), 8_000 * 10), 8_000)


@pytest.mark.parametrize(
    "sound",
    [
        silence(10),
        noise(-50),
        noise(-30),
        noise(-15),
        tone(425),
        tone(697, 1_209),
        tone(852, 1_477),
        tone(941, 1_336),
    ],
    ids=["silence", "noise-50", "noise-30", "noise-15", "dial tone", "key 1", "key 9", "key 0"],
)
def test_what_is_not_speech_is_no_turn(sound: Pcm) -> None:
    assert segment(joined(silence(0.5), sound, silence(1))) == []


async def test_speech_in_noise_is_still_a_turn() -> None:
    voice = joined(silence(1), await spoken(CONCERN), silence(1.5))
    random = np.random.default_rng(3)
    noisy = from_float(to_float(voice) + random.normal(0, 0.01, len(voice.data) // 2), 8_000)
    assert len(segment(noisy)) == 1


async def test_a_speaker_without_end_is_cut_at_thirty_seconds_and_nothing_more_is_kept() -> None:
    sentence = await spoken("und dann habe ich noch einmal angerufen und niemand konnte mir sagen wie es weitergeht")
    speech = joined(*[sentence] * (int(70 / sentence.seconds) + 1))
    endpointer = SileroEndpointer(8_000)
    most = 0
    ends = []
    for start in range(0, len(speech.data), 1_600):
        ends += [turn.audio for turn in endpointer.feed(speech.data[start : start + 1_600]) if turn.audio]
        most = max(most, len(endpointer._finder._kept) + len(endpointer._pending))
    assert [audio.seconds for audio in ends] == [30.0, 30.0]
    assert most <= 30 * 16_000 + 2 * 512
    # Nothing is lost at the cut and nothing is there twice.
    assert speech.data.startswith((ends[0].data + ends[1].data)[:-16_000])


async def test_reset_forgets_audio_and_turn() -> None:
    voice = await spoken(CONCERN)
    endpointer = SileroEndpointer(8_000)
    endpointer.feed(voice.data)
    endpointer.reset()
    assert not endpointer._finder._kept
    assert not endpointer._pending
    assert feed(endpointer, silence(2)) == []
    again = feed(endpointer, joined(silence(1), voice, silence(1.5)))
    assert [event for _, event, _ in again] == [TurnEvent.SPEECH_STARTED, TurnEvent.SPEECH_ENDED]
    assert again[1][2] is not None
    assert again[1][2].seconds <= voice.seconds + 0.65
    assert endpointer.span[0] == pytest.approx(3, abs=0.15)


async def test_between_turns_only_the_pre_roll_is_kept() -> None:
    endpointer = SileroEndpointer(8_000)
    feed(endpointer, joined(await spoken(CONCERN), silence(20)))
    assert len(endpointer._finder._kept) <= 250 * 16


async def test_a_file_is_cut_into_its_utterances() -> None:
    voice, word = await spoken(CONCERN), await spoken("Widerspruch")
    audio = joined(silence(1), voice, silence(2), word)
    first, second = segment(audio)
    assert first.start == pytest.approx(1, abs=0.15)
    assert first.end == pytest.approx(1 + voice.seconds, abs=0.2)
    assert second.start == pytest.approx(3 + voice.seconds, abs=0.15)
    assert second.end == pytest.approx(audio.seconds, abs=0.2)
    assert second.audio.seconds >= word.seconds
    assert segment(silence(0)) == []


async def test_calls_do_not_hear_each_other() -> None:
    audio = joined(silence(0.5), await spoken(CONCERN), silence(1.5))
    speaking, quiet = SileroEndpointer(8_000), SileroEndpointer(8_000)
    told: list[Turn] = []
    for start in range(0, len(audio.data), 320):
        told += speaking.feed(audio.data[start : start + 320])
        assert not quiet.feed(bytes(320))
    assert [turn.event for turn in told if turn.event is not TurnEvent.PAUSED] == [
        TurnEvent.SPEECH_STARTED,
        TurnEvent.SPEECH_ENDED,
    ]
    assert load_model() is load_model()


def test_misuse_is_told() -> None:
    with pytest.raises(ValueError, match="8000 or 16000"):
        SileroEndpointer(44_100)
    with pytest.raises(ValueError, match="whole 16-bit samples"):
        SileroEndpointer(8_000).feed(b"\0")
