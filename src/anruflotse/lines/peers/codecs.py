"""The codecs a caller's telephone speaks: A-law, µ-law (ITU-T G.711) and G.722 at 64 kbit/s.

All three make 160 bytes of 20 ms and count an RTP clock of 8000 Hz; for G.722 that clock is a historical error which
RFC 3551 section 4.5.2 keeps for compatibility although the audio has 16 kHz.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, cast

import numpy as np
import numpy.typing as npt

from anruflotse.pcm import Pcm

Transcoder = Callable[[bytes], bytes]

FRAME_BYTES: Final = 160
RTP_CLOCK: Final = 8_000
RATES: Final = (8_000, 16_000)


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec with its static RTP payload type (RFC 3551), name in SDP and audio rate in Hz.

    `encoder()` and `decoder()` make a converter for one direction of one call, s16le at `rate` to payload and back:
    G.722 carries state from frame to frame.
    """

    name: str
    payload_type: int
    rate: int
    encoder: Callable[[], Transcoder]
    decoder: Callable[[], Transcoder]


def by_name(name: str) -> Codec:
    """The codec called `name` (pcma, pcmu or g722, any case). Raises ValueError that names the choices."""
    for codec in CODECS:
        if codec.name.lower() == name.lower():
            return codec
    message = f"The codec must be one of {', '.join(codec.name.lower() for codec in CODECS)}, not {name!r}."
    raise ValueError(message)


def at_rate(audio: Pcm, rate: int) -> Pcm:
    """`audio` (8 or 16 kHz) at `rate`. Raises ValueError on any other rate: callers convert their files first."""
    if audio.rate not in RATES:
        message = f"A caller speaks audio of 8000 or 16000 Hz, not of {audio.rate} Hz."
        raise ValueError(message)
    if audio.rate == rate or not audio.data:
        return Pcm(audio.data, rate)
    samples = np.frombuffer(audio.data, "<i2").astype(np.float32)
    if rate > audio.rate:
        samples = np.stack((samples, np.zeros_like(samples)), axis=1).ravel() * 2
    filtered = np.convolve(samples, _half_band(), mode="same")
    if rate < audio.rate:
        filtered = filtered[::2]
    return Pcm(np.clip(np.round(filtered), -32_768, 32_767).astype("<i2").tobytes(), rate)


@lru_cache(maxsize=1)
def _half_band() -> npt.NDArray[np.float32]:
    """A low-pass at 3.6 kHz for a rate of 16 kHz: 95 taps of a sinc under a Kaiser window, 60 dB down at 4 kHz.

    Written out here because importing scipy would stop the event loop, and with it the audio, for a second.
    """
    taps = np.arange(-47, 48)
    cutoff = 3_600 / 16_000
    window = np.asarray(np.kaiser(taps.size, 5.65) * np.sinc(2 * cutoff * taps), np.float64)
    return (2 * cutoff * window).astype(np.float32)


def _alaw_decode(payload: bytes) -> bytes:
    return _alaw_values()[np.frombuffer(payload, np.uint8)].tobytes()


def _ulaw_decode(payload: bytes) -> bytes:
    return _ulaw_values()[np.frombuffer(payload, np.uint8)].tobytes()


def _alaw_encode(data: bytes) -> bytes:
    return cast("bytes", _nearest("alaw")[np.frombuffer(data, "<u2")].tobytes())


def _ulaw_encode(data: bytes) -> bytes:
    return cast("bytes", _nearest("ulaw")[np.frombuffer(data, "<u2")].tobytes())


def _g722_encoder() -> Transcoder:
    from G722 import G722  # noqa: PLC0415 - most calls are G.711 and need not load it

    state = G722(16_000, 64_000)
    return lambda data: bytes(state.encode(np.frombuffer(data, "<i2").astype(np.int16)))


def _g722_decoder() -> Transcoder:
    from G722 import G722  # noqa: PLC0415

    state = G722(16_000, 64_000)
    return lambda payload: np.asarray(state.decode(payload), np.int16).astype("<i2").tobytes()


@lru_cache(maxsize=1)
def _alaw_values() -> npt.NDArray[np.int16]:
    """What each of the 256 codes means (G.711 table 1a), scaled from 13 to 16 bits."""
    code = np.arange(256) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = np.where(exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype("<i2")


@lru_cache(maxsize=1)
def _ulaw_values() -> npt.NDArray[np.int16]:
    """What each of the 256 codes means (G.711 table 2a), scaled from 14 to 16 bits."""
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 15) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype("<i2")


@lru_cache(maxsize=2)
def _nearest(law: str) -> npt.NDArray[np.uint8]:
    """For every 16-bit pattern the code whose value is nearest: the tables of G.711 turned round."""
    values = (_alaw_values() if law == "alaw" else _ulaw_values()).astype(np.int32)
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    middles = (ranked[1:] + ranked[:-1]) / 2
    samples = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)
    return order[np.searchsorted(middles, samples, side="right")].astype(np.uint8)


PCMA: Final = Codec("PCMA", 8, 8_000, lambda: _alaw_encode, lambda: _alaw_decode)
PCMU: Final = Codec("PCMU", 0, 8_000, lambda: _ulaw_encode, lambda: _ulaw_decode)
G722: Final = Codec("G722", 9, 16_000, _g722_encoder, _g722_decoder)
CODECS: Final = (PCMA, PCMU, G722)
