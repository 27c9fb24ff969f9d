from __future__ import annotations

import numpy as np
import pytest

from anruflotse.lines.peers.codecs import CODECS, FRAME_BYTES, Codec, at_rate, by_name
from anruflotse.pcm import Pcm
from tests.callers import pitch


def sine(hertz: float, rate: int, seconds: float = 1.0, peak: float = 8_000) -> np.ndarray:
    return (np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate) * peak).astype("<i2")


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_a_tone_survives_frame_by_frame(codec: Codec) -> None:
    samples = sine(1_000, codec.rate)
    size = codec.rate // 50 * 2
    encode, decode = codec.encoder(), codec.decoder()
    frames = [encode(samples.tobytes()[start : start + size]) for start in range(0, samples.nbytes, size)]
    assert {len(frame) for frame in frames} == {FRAME_BYTES}
    back = np.frombuffer(b"".join(decode(frame) for frame in frames), "<i2").astype(np.float64)
    # G.722 delays by 22 samples; the others by none.
    delay = (
        int(np.argmax(np.correlate(back[:2_000], samples[:1_000].astype(np.float64)))) if codec.name == "G722" else 0
    )
    noise = back[delay : delay + 4_000] - samples[:4_000]
    assert 10 * np.log10(np.mean(samples[:4_000].astype(np.float64) ** 2) / np.mean(noise**2)) > 20


def test_g711_matches_known_codes_of_the_recommendation() -> None:
    values = np.array([0, 1, -1, 8, 32_767, -32_768, 1_000, -1_000], "<i2").tobytes()
    assert by_name("pcma").encoder()(values) == bytes([0xD5, 0xD5, 0x55, 0xD5, 0xAA, 0x2A, 0xFA, 0x7A])
    assert by_name("PCMU").encoder()(np.array([0, 32_767, -32_768], "<i2").tobytes()) == bytes([0xFF, 0x80, 0x00])
    assert np.frombuffer(by_name("pcma").decoder()(b"\xd5\x55\xaa\x2a"), "<i2").tolist() == [8, -8, 32_256, -32_256]
    assert np.frombuffer(by_name("pcmu").decoder()(b"\xff\x80\x00"), "<i2").tolist() == [0, 32_124, -32_124]


@pytest.mark.parametrize(("source", "target"), [(8_000, 16_000), (16_000, 8_000)])
def test_changing_the_rate_keeps_pitch_loudness_and_length(source: int, target: int) -> None:
    changed = at_rate(Pcm(sine(700, source).tobytes(), source), target)
    assert changed.rate == target
    assert changed.seconds == 1.0
    assert pitch(changed) == pytest.approx(700, abs=1)
    assert np.abs(np.frombuffer(changed.data, "<i2")[1_000:-1_000]).max() == pytest.approx(8_000, rel=0.02)


def test_what_the_lower_rate_cannot_carry_is_filtered_out() -> None:
    changed = at_rate(Pcm(sine(5_000, 16_000).tobytes(), 16_000), 8_000)
    assert np.abs(np.frombuffer(changed.data, "<i2")[200:-200]).max() < 20


def test_other_rates_and_codecs_are_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match="8000 or 16000"):
        at_rate(Pcm(b"", 44_100), 8_000)
    with pytest.raises(ValueError, match="pcma, pcmu, g722"):
        by_name("opus")
