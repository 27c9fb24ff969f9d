"""Recordings as FLAC: lossless, about half the size, playable everywhere; encoded and decoded in memory only."""

from __future__ import annotations

import io

import numpy as np
import soundfile

from anruflotse.pcm import Pcm


def encode(audio: Pcm) -> bytes:
    """A complete FLAC file with exactly the samples of `audio`."""
    file = io.BytesIO()
    soundfile.write(file, np.frombuffer(audio.data, dtype="<i2"), audio.rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def decode(data: bytes) -> Pcm:
    """The samples of a FLAC file that `encode` made."""
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    return Pcm(samples.astype("<i2").tobytes(), int(rate))
