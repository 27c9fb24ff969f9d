"""Whether one sound is in another: the ear that verification hears with."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from anruflotse.lines.peers import tone
from anruflotse.pcm import Pcm
from anruflotse.speech.audio import alaw_decode, alaw_encode, from_float, resample, to_float
from anruflotse.speech.pico import PicoSynthesiser
from anruflotse.verification.audio import foreign, joined, plain_pieces, sweep, trace

SILENCE = Pcm(bytes(16_000), 8_000)


@pytest.fixture(scope="module")
def spoken() -> Pcm:
    return resample(asyncio.run(PicoSynthesiser().speak("Meine Mutter braucht einen Pflegegrad.")), 8_000)


@pytest.fixture(scope="module")
def other() -> Pcm:
    return resample(asyncio.run(PicoSynthesiser().speak("Guten Tag, wann bekomme ich mein Krankengeld?")), 8_000)


def test_a_sound_is_found_where_it_is(spoken: Pcm) -> None:
    found = trace(spoken, joined(SILENCE, tone(), spoken))
    assert (found.share, found.to_its_end) == (1.0, True)
    assert found.start == pytest.approx(1.4, abs=0.01)
    assert found.end == pytest.approx(1.4 + spoken.seconds, abs=0.01)


def test_through_a_codec_quieter_and_with_a_lost_packet_it_is_still_found(spoken: Pcm) -> None:
    carried = alaw_decode(alaw_encode(from_float(to_float(spoken) * np.float32(0.3), 8_000)))
    cut = len(carried.data) // 2 // 320 * 320
    lossy = Pcm(carried.data[:cut] + carried.data[cut + 320 :], 8_000)
    assert trace(spoken, joined(SILENCE, lossy)).share > 0.85


def test_what_breaks_off_is_not_heard_to_its_end(spoken: Pcm) -> None:
    half = Pcm(spoken.data[: len(spoken.data) // 4 * 2], 8_000)
    found = trace(spoken, half)
    assert 0.3 < found.share < 0.7
    assert not found.to_its_end


def test_other_words_of_the_same_voice_are_not_taken_for_it(spoken: Pcm, other: Pcm) -> None:
    assert trace(spoken, other).share < 0.15
    assert trace(tone(620.0), tone(830.0)).share == 0.0
    assert trace(sweep(500, 1100, 0.8), sweep(1400, 900, 1.0)).share == 0.0
    assert trace(spoken, tone()).share == 0.0


def test_a_part_of_a_gliding_tone_is_told_from_the_rest(spoken: Pcm) -> None:
    whole = sweep(500, 1100, 0.8)
    assert trace(whole, joined(SILENCE, spoken, whole)).share == 1.0
    half = Pcm(whole.data[: len(whole.data) // 2], whole.rate)
    assert 0.4 <= trace(whole, joined(spoken, half)).share <= 0.6


def test_nothing_can_be_said_about_silence(spoken: Pcm) -> None:
    assert trace(SILENCE, spoken).pieces == 0
    assert trace(spoken, SILENCE).share == 0.0
    assert trace(spoken, Pcm(b"", 8_000)).share == 0.0
    assert foreign(SILENCE, spoken) == 0.0


def test_what_nobody_of_these_said_is_foreign(spoken: Pcm, other: Pcm) -> None:
    both = joined(spoken, SILENCE, other)
    # With the silence: a piece that lies half in it is in no voice alone.
    assert foreign(both, joined(spoken, SILENCE), joined(SILENCE, other)) == 0.0
    assert 0.3 < foreign(both, spoken) < 0.8
    assert foreign(other, spoken) > 0.6


def test_a_voice_in_a_file_is_found_by_its_pieces(spoken: Pcm, other: Pcm) -> None:
    pieces = plain_pieces(spoken)
    carried = alaw_encode(spoken)
    assert any(piece in carried[777:9000] for piece in pieces), "as A-law, wherever the file begins"
    assert any(piece in alaw_decode(carried).data for piece in pieces), "as samples"
    assert not any(piece in alaw_encode(other) + alaw_decode(alaw_encode(other)).data for piece in pieces)
    assert plain_pieces(SILENCE) == []
