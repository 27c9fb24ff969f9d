"""Audio as the rest of the room needs it: WAV files, sample rates, G.711 companding and loudness.

Everything here is blocking and pure; nothing keeps a reference to the audio it was given.
"""

from __future__ import annotations

import io
import math
from functools import lru_cache
from pathlib import Path
from typing import Final, cast

import numpy as np
import numpy.typing as npt
import soundfile
from scipy.signal import firwin, resample_poly

from anruflotse.pcm import Pcm

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]

MIN_RATE: Final = 8_000
MAX_RATE: Final = 48_000
MAX_SECONDS: Final = 3_600
ACCEPTED: Final = "accepted: WAV, mono or stereo, 8 to 48 kHz, 8/16/24/32-bit, float, A-law or µ-law, at most one hour"

_FULL_SCALE: Final = 32_768
_BLOCK_FRAMES: Final = 1 << 20
_CONTAINERS: Final = frozenset({"WAV", "WAVEX", "RF64"})
_ENCODINGS: Final = frozenset({"PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW"})
_MAX_CHANNELS: Final = 2
_FILTER_LOBES: Final = 48
_FILTER_BETA: Final = 8.0
_ACTIVE_WINDOW_MS: Final = 20
_ACTIVE_RANGE_DB: Final = 30.0


class AudioError(Exception):
    """A piece of audio cannot be used; the message says what is wrong with it and what would be accepted."""


def read_wav(path: Path) -> Pcm:
    """Read a WAV file as mono s16le at the file's own rate; two channels are mixed down, floats beyond ±1 clipped.

    Raises AudioError, naming the file, when it is missing, not a WAV file, broken, empty, longer than an hour, or of a
    rate, encoding or number of channels outside `ACCEPTED`. The header is judged before any sample is read.
    """
    try:
        with soundfile.SoundFile(path) as file:
            _check_header(file, path)
            blocks = [_to_mono(block) for block in file.blocks(_BLOCK_FRAMES, dtype="float32", always_2d=True)]
            rate = int(file.samplerate)
    except (OSError, soundfile.SoundFileError) as error:
        message = f"{path}: {_unreadable(path)} ({ACCEPTED})."
        raise AudioError(message) from error
    except ValueError as error:
        message = f"{path}: {error} ({ACCEPTED})."
        raise AudioError(message) from error
    data = b"".join(block.tobytes() for block in blocks)
    if not data:
        message = f"{path}: the file holds no audio ({ACCEPTED})."
        raise AudioError(message)
    return Pcm(data, rate)


def write_wav(path: Path, audio: Pcm) -> None:
    """Write `audio` as a mono 16-bit WAV file, replacing what is there. Raises OSError as `Path.write_bytes` does."""
    path.write_bytes(wav_bytes(audio))


def wav_bytes(audio: Pcm) -> bytes:
    """`audio` as the bytes of a mono 16-bit WAV file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, to_samples(audio), audio.rate, subtype="PCM_16", format="WAV")
    return buffer.getvalue()


def to_samples(audio: Pcm) -> Samples:
    """The samples as a read-only int16 array in native order that shares the memory of `audio`."""
    return np.frombuffer(audio.data, dtype="<i2").astype(np.int16, copy=False)


def to_float(audio: Pcm) -> Floats:
    """The samples as float32 in [-1, 1), as recognisers and voice detectors take them."""
    return to_samples(audio).astype(np.float32) / np.float32(_FULL_SCALE)


def from_float(samples: npt.NDArray[np.floating], rate: int) -> Pcm:
    """Floats in [-1, 1] as PCM; louder ones are clipped, never wrapped round. `rate` in Hz."""
    return Pcm(_quantise(samples).astype("<i2", copy=False).tobytes(), rate)


def resample(audio: Pcm, rate: int) -> Pcm:
    """`audio` at `rate` Hz, through a polyphase filter with a Kaiser window.

    Passes all below 89 % of the lower Nyquist frequency (3.5 kHz at 8 kHz: the telephone band) and suppresses
    everything above it by 80 dB, so that nothing aliases into what a caller hears. The duration stays the same to
    within one sample. Raises ValueError on a rate below 1 Hz.
    """
    if rate <= 0:
        message = f"A sample rate is positive, got {rate} Hz."
        raise ValueError(message)
    if rate == audio.rate or not audio.data:
        return Pcm(audio.data, rate)
    divisor = math.gcd(rate, audio.rate)
    up, down = rate // divisor, audio.rate // divisor
    floats = resample_poly(to_float(audio), up, down, window=_low_pass(max(up, down)))
    return from_float(floats, rate)


def level_dbfs(audio: Pcm, *, active: bool = False) -> float:
    """The RMS level in dB relative to full scale (a full-scale square wave is 0); silence is minus infinity.

    With `active`, only 20 ms windows within 30 dB of the loudest one count, so that pauses do not make a slow speaker
    look quiet (in the spirit of the active speech level of ITU-T P.56).
    """
    floats = to_float(audio).astype(np.float64)
    if not floats.size:
        return -math.inf
    power = float(np.mean(floats**2))
    if active and power > 0:
        window = max(1, min(audio.rate * _ACTIVE_WINDOW_MS // 1_000, floats.size))
        powers = np.mean(floats[: floats.size // window * window].reshape(-1, window) ** 2, axis=1)
        loud = powers[powers >= powers.max() * 10 ** (-_ACTIVE_RANGE_DB / 10)]
        power = float(loud.mean())
    return 10 * math.log10(power) if power > 0 else -math.inf


def alaw_encode(audio: Pcm) -> bytes:
    """`audio` companded to A-law, one byte a sample (ITU-T G.711, even bits inverted). The rate is not changed."""
    return _alaw_table()[to_samples(audio).view(np.uint16)].tobytes()


def alaw_decode(data: bytes, rate: int = 8_000) -> Pcm:
    """A-law bytes as PCM at `rate` Hz."""
    return Pcm(_alaw_values()[np.frombuffer(data, np.uint8)].astype("<i2", copy=False).tobytes(), rate)


def ulaw_encode(audio: Pcm) -> bytes:
    """`audio` companded to µ-law, one byte a sample (ITU-T G.711, all bits inverted). The rate is not changed."""
    return _ulaw_table()[to_samples(audio).view(np.uint16)].tobytes()


def ulaw_decode(data: bytes, rate: int = 8_000) -> Pcm:
    """µ-law bytes as PCM at `rate` Hz."""
    return Pcm(_ulaw_values()[np.frombuffer(data, np.uint8)].astype("<i2", copy=False).tobytes(), rate)


def _check_header(file: soundfile.SoundFile, path: Path) -> None:
    """Raise ValueError, in words that complete "FILE: …", when the header promises something outside `ACCEPTED`."""
    if file.format not in _CONTAINERS:
        message = f"this is a {file.format} file, not a WAV file"
    elif file.subtype not in _ENCODINGS:
        message = f"the encoding {file.subtype} is not supported"
    elif not 1 <= file.channels <= _MAX_CHANNELS:
        message = f"{file.channels} channels are too many"
    elif not MIN_RATE <= file.samplerate <= MAX_RATE:
        message = f"a sample rate of {file.samplerate} Hz is out of range"
    elif _promised_frames(file, path) > MAX_SECONDS * file.samplerate:
        message = "the audio is longer than an hour"
    else:
        return
    raise ValueError(message)


def _promised_frames(file: soundfile.SoundFile, path: Path) -> int:
    """Frames in the file: a header written by a pipe may claim 4 GB, but no frame is smaller than a byte."""
    return min(int(file.frames), path.stat().st_size)


def _to_mono(block: npt.NDArray[np.float32]) -> Samples:
    if not np.isfinite(block).all():
        message = "the audio contains values that are not numbers"
        raise ValueError(message)
    return _quantise(block.mean(axis=1, dtype=np.float64))


def _quantise(samples: npt.NDArray[np.floating]) -> Samples:
    scaled = np.round(samples.astype(np.float64) * _FULL_SCALE)
    return np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)


def _unreadable(path: Path) -> str:
    if not path.exists():
        return "there is no such file"
    if not path.is_file():
        return "this is not a file"
    if path.stat().st_size == 0:
        return "the file is empty"
    return "this is not a readable WAV file: its header is broken or it is something else"


@lru_cache(maxsize=16)
def _low_pass(factor: int) -> npt.NDArray[np.float64]:
    """A filter for `resample_poly` at `factor` times the lower rate; its stop band begins at the Nyquist frequency.

    The transition width of a Kaiser window (Oppenheim & Schafer, eq. 7.76) with β = 8 (81 dB) over 48 lobes a side is
    0.107 of the band; half of it below the cut-off, half above.
    """
    taps = 2 * _FILTER_LOBES * factor + 1
    half_transition = 0.0533
    return cast(
        "npt.NDArray[np.float64]",
        firwin(taps, (1 - half_transition) / factor, window=("kaiser", _FILTER_BETA)),
    )


@lru_cache(maxsize=1)
def _alaw_values() -> Samples:
    """The 256 values of the A-law decoder (G.711 table 1), scaled from 13 to 16 bits."""
    code = np.arange(256) ^ 0x55
    exponent = (code >> 4) & 7
    mantissa = ((code & 15) << 4) + 8
    magnitude = np.where(exponent == 0, mantissa, (mantissa + 0x100) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


@lru_cache(maxsize=1)
def _ulaw_values() -> Samples:
    """The 256 values of the µ-law decoder (G.711 table 2), scaled from 14 to 16 bits."""
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 15) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


@lru_cache(maxsize=1)
def _alaw_table() -> npt.NDArray[np.uint8]:
    """The A-law code of every 16-bit sample, indexed by its unsigned bit pattern."""
    linear = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32) >> 3
    positive = linear >= 0
    magnitude = np.where(positive, linear, -linear - 1)
    exponent = np.searchsorted(np.array([0x1F, 0x3F, 0x7F, 0xFF, 0x1FF, 0x3FF, 0x7FF]), magnitude)
    mantissa = (magnitude >> np.maximum(exponent, 1)) & 15
    code = ((exponent << 4) | mantissa) ^ np.where(positive, 0xD5, 0x55)
    return cast("npt.NDArray[np.uint8]", code.astype(np.uint8))


@lru_cache(maxsize=1)
def _ulaw_table() -> npt.NDArray[np.uint8]:
    """The µ-law code of every 16-bit sample, indexed by its unsigned bit pattern."""
    linear = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32) >> 2
    negative = linear < 0
    magnitude = np.minimum(np.abs(linear), 8_158) + 33
    exponent = np.searchsorted(np.array([0x3F, 0x7F, 0xFF, 0x1FF, 0x3FF, 0x7FF, 0xFFF]), magnitude)
    mantissa = (magnitude >> (exponent + 1)) & 15
    code = ((exponent << 4) | mantissa) ^ np.where(negative, 0x7F, 0xFF)
    return cast("npt.NDArray[np.uint8]", code.astype(np.uint8))
