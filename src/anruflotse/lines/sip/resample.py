"""Bringing prompts to the rate of a call. Live audio is the worker's: see `voice.fit`."""

from __future__ import annotations

import numpy as np

from anruflotse.pcm import Pcm

NARROW, WIDE = 8000, 16000
_HALF_TAPS = 31


def resample(audio: Pcm, rate: int) -> Pcm:
    """`audio` at `rate` Hz (both 8000 or 16000), by a half-band filter; some milliseconds for a long prompt.

    Raises `ValueError` for other rates: whoever makes prompts makes them at a rate the telephone knows.
    """
    if {audio.rate, rate} - {NARROW, WIDE}:
        message = f"A prompt is played at {NARROW} or {WIDE} Hz, not from {audio.rate} to {rate} Hz; convert it first."
        raise ValueError(message)
    if audio.rate == rate or not audio.data:
        return Pcm(audio.data, rate)
    # A half-band low pass at 4 kHz: a sinc of 63 taps under a Hamming window, 53 dB down in the stop band.
    at = np.arange(-_HALF_TAPS, _HALF_TAPS + 1)
    taps = np.sinc(at / 2) / 2 * np.hamming(len(at))
    samples = np.frombuffer(audio.data, dtype="<i2").astype(np.float64)
    if rate == NARROW:
        made = np.convolve(samples, taps, mode="full")[_HALF_TAPS : _HALF_TAPS + len(samples) : 2]
    else:
        spread = np.zeros(2 * len(samples))
        spread[::2] = 2 * samples
        made = np.convolve(spread, taps, mode="full")[_HALF_TAPS : _HALF_TAPS + len(spread)]
    return Pcm(np.clip(np.rint(made), -32768, 32767).astype("<i2").tobytes(), rate)
