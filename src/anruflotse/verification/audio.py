"""Telling by ear: whether a piece of audio is contained in another one, and where.

Everything here is pure and blocking (milliseconds a second of audio). Pieces are compared by normalised correlation, so
that neither loudness nor a codec nor a jitter buffer between the two matters.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile
from scipy.signal import oaconvolve

from anruflotse.pcm import Pcm
from anruflotse.speech.audio import alaw_decode, alaw_encode, from_float, resample, to_float

RATE: Final = 8_000
_PIECE: Final = RATE // 10
"""100 ms: long enough to be unmistakable in speech, short enough to lie between two lost packets."""
_STEP: Final = RATE // 5
_LOUD: Final = 0.01
"""RMS relative to full scale (-40 dB): what is quieter is a pause, and pauses are alike."""
_SHORT: Final = 100
_LOUD_SAMPLE: Final = 3_000
_DRIFT: Final = RATE // 10
"""So far a jitter buffer and lost packets may shift one piece against another."""
_SAME: Final = 0.9
"""Correlation from which two pieces are the same sound; other speech of the same voice stays below 0.8."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trace:
    """How much of one audio was found in another: its share of loud pieces, and from where to where, in seconds.

    `pieces` says how many there were to look for; without any, nothing can be said. `to_its_end` is whether the last
    of them was found.
    """

    share: float
    pieces: int
    start: float | None = None
    end: float | None = None
    to_its_end: bool = False


def sweep(start_hertz: float, end_hertz: float, seconds: float, level: float = 0.2) -> Pcm:
    """A tone that glides, at 8 kHz: no stretch of it is like another one, so that one can tell where a part belongs."""
    time = np.arange(round(seconds * RATE)) / RATE
    turns = start_hertz * time + (end_hertz - start_hertz) * time**2 / (2 * seconds)
    return from_float(np.sin(2 * np.pi * turns) * level, RATE)


def trace(part: Pcm, whole: Pcm) -> Trace:
    """Look for the loud pieces of `part` in `whole`."""
    wanted, place = _floats(part), _floats(whole)
    starts = [at for at in range(0, wanted.size - _PIECE + 1, _STEP) if _rms(wanted[at : at + _PIECE]) > _LOUD]
    if not starts:
        return Trace(0.0, 0)
    energy = _energy(place)
    offsets = [_where(wanted[at : at + _PIECE], place, energy) for at in starts]
    begins = [None if offset is None else offset - at for at, offset in zip(starts, offsets, strict=True)]
    # What belongs together lies together: a look-alike elsewhere does not count.
    known = [begin for begin in begins if begin is not None]
    groups = [[other for other in known if abs(other - begin) <= _DRIFT] for begin in known]
    group = max(groups, key=len, default=[])
    if not group:
        return Trace(0.0, len(starts))
    start, last = float(np.median(group)), begins[-1]
    return Trace(
        len(group) / len(starts),
        len(starts),
        start / RATE,
        (start + wanted.size) / RATE,
        to_its_end=last is not None and abs(last - start) <= _DRIFT,
    )


def foreign(recording: Pcm, *sources: Pcm) -> float:
    """The share of the loud pieces of `recording` that come from none of `sources`; 0.0 for a silent one."""
    heard = _floats(recording)
    places = [(place, _energy(place)) for place in map(_floats, sources)]
    pieces = [heard[at : at + _PIECE] for at in range(0, heard.size - _PIECE + 1, _STEP)]
    loud = [piece for piece in pieces if _rms(piece) > _LOUD]
    strange = [piece for piece in loud if all(_where(piece, *place) is None for place in places)]
    return len(strange) / len(loud) if loud else 0.0


def plain_pieces(sound: Pcm) -> list[bytes]:
    """Short loud pieces of `sound` as a telephone line in A-law carries it: coded, and the samples decoded from that.

    12 ms each, short enough to lie within one packet wherever the packets begin: to be looked for in files.
    """
    coded = alaw_encode(resample(sound, RATE))
    samples = np.frombuffer(alaw_decode(coded).data, "<i2")
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > _LOUD_SAMPLE)[::_PIECE]
    starts = [int(at) for at in loud if at + _SHORT < samples.size]
    return [piece for at in starts for piece in (coded[at : at + _SHORT], samples[at : at + _SHORT].tobytes())]


def joined(*parts: Pcm) -> Pcm:
    """One after the other, at 8 kHz."""
    return from_float(np.concatenate([_floats(part) for part in parts] or [np.zeros(0)]), RATE)


def read_flac(data: bytes) -> Pcm:
    """The audio of a FLAC file as a record holds it. Raises what soundfile raises for anything else."""
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    return Pcm(np.asarray(samples, "<i2").tobytes(), int(rate))


def _floats(audio: Pcm) -> Floats:
    return to_float(resample(audio, RATE)).astype(np.float64)


def _rms(samples: Floats) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def _energy(place: Floats) -> Floats:
    """The root of the energy of every stretch of the length of a piece."""
    sums = np.concatenate([[0.0], np.cumsum(place**2)])
    return np.sqrt(np.maximum(sums[_PIECE:] - sums[:-_PIECE], 0.0)) if place.size >= _PIECE else np.zeros(0)


def _where(piece: Floats, place: Floats, energy: Floats) -> int | None:
    """The offset at which `piece` is in `place`, None when it is not."""
    if not energy.size:
        return None
    products = oaconvolve(place, piece[::-1], mode="valid")
    likeness = products / np.maximum(energy * np.sqrt(np.sum(piece**2)), 1e-6)
    best = int(np.argmax(likeness))
    return best if likeness[best] >= _SAME else None
