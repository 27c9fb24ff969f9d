"""How loud a prompt is and how it begins and ends, the same for every voice, human or synthetic."""

from __future__ import annotations

from typing import Final

import numpy as np

from anruflotse.pcm import SAMPLE_BYTES, Pcm
from anruflotse.speech.audio import from_float, level_dbfs, to_float, to_samples

LEVEL_DBFS: Final = -20.0
PEAK_DBFS: Final = -1.0
EDGE_MS: Final = 30
_MAX_GAIN_DB: Final = 30.0
_EDGE_RANGE_DB: Final = 40.0
_WINDOW_MS: Final = 10


def level(audio: Pcm, dbfs: float = LEVEL_DBFS) -> Pcm:
    """`audio` with its active speech at `dbfs` RMS, or as near as a peak of -1 dBFS and 30 dB of gain allow."""
    loudness = level_dbfs(audio, active=True)
    if not np.isfinite(loudness):
        return audio
    floats = to_float(audio)
    headroom = PEAK_DBFS - 20 * float(np.log10(np.abs(floats).max()))
    gain = min(dbfs - loudness, headroom, _MAX_GAIN_DB)
    return from_float(floats * np.float32(10 ** (gain / 20)), audio.rate)


def with_edges(audio: Pcm, milliseconds: int = EDGE_MS) -> Pcm:
    """`audio` with exactly `milliseconds` of silence before and after its sound.

    What is 40 dB quieter than the loudest 10 ms counts as silence at the edges; a person's room noise ends there.
    """
    window = max(1, audio.rate * _WINDOW_MS // 1_000)
    samples = to_samples(audio)
    whole = samples[: samples.size // window * window].reshape(-1, window).astype(np.float64)
    power = (whole**2).mean(axis=1)
    if not power.size or not power.max():
        return audio
    loud = np.flatnonzero(power >= power.max() * 10 ** (-_EDGE_RANGE_DB / 10))
    end = samples.size if loud[-1] == len(whole) - 1 else (int(loud[-1]) + 1) * window
    edge = bytes(audio.rate * milliseconds // 1_000 * SAMPLE_BYTES)
    return Pcm(edge + audio.data[int(loud[0]) * window * SAMPLE_BYTES : end * SAMPLE_BYTES] + edge, audio.rate)
