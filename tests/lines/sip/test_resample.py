"""Prompts at the rate of the call."""

from __future__ import annotations

import numpy as np
import pytest

from anruflotse.lines.sip.resample import resample
from anruflotse.lines.sip.voice import fit
from anruflotse.pcm import Pcm
from tests.lines.sip.sipphone import pitch, tone


@pytest.mark.parametrize(("rate", "wanted"), [(16000, 8000), (8000, 16000), (8000, 8000)])
def test_pitch_level_and_length_stay(rate: int, wanted: int) -> None:
    made = resample(Pcm(tone(1000, 1.0, rate).tobytes(), rate), wanted)
    samples = np.frombuffer(made.data, np.int16)
    assert made.rate == wanted
    assert made.seconds == pytest.approx(1.0, abs=0.001)
    assert pitch(samples, wanted) == pytest.approx(1000, abs=2)
    assert np.abs(samples[500:-500]).max() == pytest.approx(8000, rel=0.03)


def test_what_the_telephone_cannot_carry_is_removed_not_folded() -> None:
    made = resample(Pcm(tone(6000, 1.0, 16000).tobytes(), 16000), 8000)
    assert np.abs(np.frombuffer(made.data, np.int16)[100:-100]).max() < 40


def test_loud_audio_does_not_wrap() -> None:
    square = np.where(tone(300, 0.5, 16000) > 0, 32767, -32768).astype(np.int16)
    made = np.frombuffer(resample(Pcm(square.tobytes(), 16000), 8000).data, np.int16)
    assert made.max() == 32767
    assert pitch(made) == pytest.approx(300, abs=4)


def test_odd_lengths_and_nothing() -> None:
    assert len(resample(Pcm(b"\1\0" * 7, 16000), 8000).data) == 8
    assert resample(Pcm(b"", 16000), 8000) == Pcm(b"", 8000)


def test_other_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="44100"):
        resample(Pcm(b"\0\0", 44100), 8000)


@pytest.mark.parametrize(("rate", "wanted"), [(16000, 8000), (8000, 16000), (8000, 8000)])
def test_live_audio_keeps_its_pitch_across_a_codec_change(rate: int, wanted: int) -> None:
    made = np.frombuffer(fit(tone(700, 1.0, rate).tobytes(), rate, wanted), np.int16)
    assert len(made) == wanted
    assert pitch(made, wanted) == pytest.approx(700, abs=2)
