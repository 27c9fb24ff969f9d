"""WAV files in every state of repair, rates, companding and levels."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.pcm import Pcm
from anruflotse.speech import audio
from anruflotse.speech.audio import AudioError

EVERY_SAMPLE = Pcm(np.arange(-32_768, 32_768, dtype="<i2").tobytes(), 8_000)
EVERY_CODE = bytes(range(256))


def tone(hertz: float, rate: int, seconds: float = 1.0, peak: float = 0.5) -> Pcm:
    time = np.arange(int(seconds * rate)) / rate
    return audio.from_float(peak * np.sin(2 * np.pi * hertz * time), rate)


def dominant_hertz(sound: Pcm) -> float:
    spectrum = np.abs(np.fft.rfft(audio.to_float(sound)))
    return float(spectrum.argmax() * sound.rate / (len(sound.data) // 2))


@given(st.binary(max_size=400).map(lambda raw: raw[: len(raw) // 2 * 2]).filter(bool), st.sampled_from([8_000, 48_000]))
def test_sixteen_bit_mono_survives_a_file_unchanged(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes, rate: int
) -> None:
    path = tmp_path_factory.mktemp("wav") / "a.wav"
    audio.write_wav(path, Pcm(raw, rate))
    assert audio.read_wav(path) == Pcm(raw, rate)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW"])
def test_every_accepted_encoding_reads_as_the_same_tone(tmp_path: Path, subtype: str) -> None:
    path = tmp_path / "a.wav"
    source = tone(440, 8_000)
    soundfile.write(path, audio.to_float(source), 8_000, subtype=subtype)
    read = audio.read_wav(path)
    assert read.rate == 8_000
    assert read.seconds == pytest.approx(1.0)
    assert np.abs(audio.to_float(read) - audio.to_float(source)).max() < 0.02


def test_stereo_is_mixed_down_at_its_own_rate(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    left, right = audio.to_float(tone(440, 48_000)), np.zeros(48_000, np.float32)
    soundfile.write(path, np.column_stack([left, right]), 48_000, subtype="PCM_24")
    read = audio.read_wav(path)
    assert read.rate == 48_000
    assert read.seconds == pytest.approx(1.0)
    assert np.abs(audio.to_float(read) - left / 2).max() < 1e-4


def test_floats_too_loud_are_clipped_not_wrapped(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.array([2.0, -2.0, 1.0, -1.0]), 8_000, subtype="FLOAT")
    assert audio.to_samples(audio.read_wav(path)).tolist() == [32_767, -32_768, 32_767, -32_768]


def test_a_header_from_a_pipe_that_claims_four_gigabytes_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    raw = bytearray(audio.wav_bytes(tone(440, 8_000)))
    raw[4:8] = raw[40:44] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(raw)
    assert audio.read_wav(path).seconds == pytest.approx(1.0)


def refused(path: Path, *needles: str) -> None:
    with pytest.raises(AudioError) as caught:
        audio.read_wav(path)
    for needle in (str(path), "accepted: WAV", *needles):
        assert needle in str(caught.value)


def test_refusals_name_the_file_the_fault_and_what_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    refused(path, "no such file")
    refused(tmp_path, "not a file")
    path.write_bytes(b"")
    refused(path, "empty")
    path.write_bytes(b"RIFF\x00\x00\x00\x00WAVEgarbage" * 9)
    refused(path, "header is broken")
    path.write_bytes(audio.wav_bytes(tone(440, 8_000))[:30])
    refused(path)
    path.write_bytes(b"ID3\x04 this is no wave at all" * 20)
    refused(path, "header is broken")
    soundfile.write(path, np.zeros(0), 8_000)
    refused(path, "no audio")
    soundfile.write(path, np.zeros((800, 3)), 8_000)
    refused(path, "3 channels")
    soundfile.write(path, np.zeros(800), 4_000)
    refused(path, "4000 Hz")
    soundfile.write(path, np.zeros(800), 96_000)
    refused(path, "96000 Hz")
    soundfile.write(path, np.zeros(800), 8_000, subtype="IMA_ADPCM")
    refused(path, "IMA_ADPCM")
    soundfile.write(path, np.array([0.0, math.nan]), 8_000, subtype="FLOAT")
    refused(path, "not numbers")


def test_another_container_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(800), 8_000, format="FLAC")
    refused(path, "FLAC")


def test_more_than_an_hour_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with path.open("wb") as file:
        file.write(audio.wav_bytes(Pcm(b"\0\0", 8_000))[:44])
        file.truncate(44 + 2 * 8_000 * 3_601)
    raw = bytearray(path.read_bytes())
    raw[4:8], raw[40:44] = struct.pack("<I", len(raw) - 8), struct.pack("<I", len(raw) - 44)
    path.write_bytes(raw)
    refused(path, "longer than an hour")


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("wanted", [8_000, 16_000])
def test_resampling_keeps_duration_pitch_and_level(rate: int, wanted: int) -> None:
    source = tone(1_000, rate)
    result = audio.resample(source, wanted)
    assert result.rate == wanted
    assert len(result.data) // 2 == pytest.approx(wanted, abs=1)
    assert dominant_hertz(result) == pytest.approx(1_000, abs=2)
    assert audio.level_dbfs(result) == pytest.approx(audio.level_dbfs(source), abs=0.1)


@pytest.mark.parametrize("hertz", [4_010, 5_000, 7_500])
def test_nothing_above_the_telephone_band_aliases_into_it(hertz: int) -> None:
    middle = audio.resample(tone(hertz, 16_000, peak=0.9), 8_000).data[1_600:-1_600]
    assert audio.level_dbfs(Pcm(middle, 8_000)) < -75


def test_the_telephone_band_itself_is_kept() -> None:
    middle = audio.resample(tone(3_400, 16_000), 8_000).data[1_600:-1_600]
    assert audio.level_dbfs(Pcm(middle, 8_000)) == pytest.approx(audio.level_dbfs(tone(3_400, 16_000)), abs=0.05)


def test_resampling_nothing_and_to_a_senseless_rate() -> None:
    assert audio.resample(Pcm(b"", 8_000), 16_000) == Pcm(b"", 16_000)
    assert audio.resample(tone(440, 8_000), 8_000) == tone(440, 8_000)
    with pytest.raises(ValueError, match="positive"):
        audio.resample(tone(440, 8_000), 0)


def test_levels() -> None:
    assert audio.level_dbfs(tone(1_000, 8_000, peak=1.0)) == pytest.approx(-3.01, abs=0.01)
    assert audio.level_dbfs(Pcm(b"", 8_000)) == audio.level_dbfs(Pcm(bytes(160), 8_000)) == -math.inf
    half_pause = Pcm(tone(1_000, 8_000).data + bytes(16_000), 8_000)
    assert audio.level_dbfs(half_pause) == pytest.approx(audio.level_dbfs(tone(1_000, 8_000)) - 3.01, abs=0.02)
    assert audio.level_dbfs(half_pause, active=True) == pytest.approx(audio.level_dbfs(tone(1_000, 8_000)), abs=0.1)


def test_companding_matches_the_recommendation_at_known_points() -> None:
    # G.711 tables 1a-2b: the codes for ±0, for full scale and for a level in the middle, even bits inverted (A-law).
    samples = Pcm(np.array([0, -1, 32_767, -32_768, 1_000, -1_000], "<i2").tobytes(), 8_000)
    assert audio.alaw_encode(samples).hex() == "d555aa2afa7a"
    assert audio.ulaw_encode(samples).hex() == "ff7e8000ce4e"


def test_every_code_survives_decoding_and_encoding() -> None:
    assert audio.alaw_encode(audio.alaw_decode(EVERY_CODE)) == EVERY_CODE
    expected = bytes(0xFF if code == 0x7F else code for code in EVERY_CODE)  # µ-law has two zeros
    assert audio.ulaw_encode(audio.ulaw_decode(EVERY_CODE)) == expected


@pytest.mark.parametrize(
    ("encode", "decode", "subtype"),
    [
        (audio.alaw_encode, audio.alaw_decode, "ALAW"),
        (audio.ulaw_encode, audio.ulaw_decode, "ULAW"),
    ],
)
def test_companding_agrees_with_another_implementation(
    encode: Callable[[Pcm], bytes], decode: Callable[[bytes], Pcm], subtype: str
) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, audio.to_samples(EVERY_SAMPLE), 8_000, subtype=subtype, format="RAW")
    theirs = buffer.getvalue()
    mine = encode(EVERY_SAMPLE)
    # libsndfile rounds negative decision values the other way: at such points neighbouring codes are both right.
    differing = [position for position in range(65_536) if mine[position] != theirs[position]]
    assert len(differing) < 700
    assert (
        np.abs(audio.to_samples(decode(mine)).astype(int) - audio.to_samples(decode(theirs)).astype(int))[
            differing
        ].max()
        <= 1_024
    )
    raw, _ = soundfile.read(
        io.BytesIO(EVERY_CODE), dtype="int16", samplerate=8_000, channels=1, format="RAW", subtype=subtype
    )
    assert audio.to_samples(decode(EVERY_CODE)).tolist() == raw.tolist()


def test_companding_error_stays_below_four_percent() -> None:
    samples = audio.to_samples(EVERY_SAMPLE).astype(int)
    roundtrips = (
        audio.alaw_decode(audio.alaw_encode(EVERY_SAMPLE)),
        audio.ulaw_decode(audio.ulaw_encode(EVERY_SAMPLE)),
    )
    for decoded in roundtrips:
        error = np.abs(audio.to_samples(decoded).astype(int) - samples)
        assert (error <= 16 + np.abs(samples) * 0.035).all()
