from __future__ import annotations

import math

import numpy as np
import pytest

from anruflotse.lines.peers.codecs import PCMA
from anruflotse.lines.peers.heard import Heard

LOUD = PCMA.encoder()((np.sin(np.arange(160) * 0.5) * 8_000).astype("<i2").tobytes())
QUIET = PCMA.encoder()(bytes(320))


def heard(pattern: str, start: float = 0.0) -> Heard:
    """Frames 20 ms apart: # loud, . quiet, a blank is a frame that never came."""
    result = Heard(PCMA)
    for number, mark in enumerate(pattern):
        if mark != " ":
            result.count(1, number)
            result.add(start + number * 0.02, 1, number * 160, LOUD if mark == "#" else QUIET)
    return result


def test_stretches_end_where_a_pause_is_long_enough() -> None:
    result = heard("." * 10 + "#" * 20 + "." * 20 + "#" * 10 + "." * 40 + "#" * 10)
    assert [(round(s.start, 2), round(s.end, 2)) for s in result.stretches()] == [(0.2, 1.2), (2.0, 2.2)]
    assert len(result.stretches(pause=0.3)) == 3
    assert result.seconds == pytest.approx(110 * 0.02)
    assert result.spoken_seconds == pytest.approx(40 * 0.02)


def test_clicks_are_no_speech() -> None:
    assert heard("...##......").stretches() == []


def test_a_prompt_is_finished_only_after_its_pause_and_only_once() -> None:
    result = heard("#" * 25)
    assert result.finished_after(0, now=0.9) is None
    found = result.finished_after(0, now=1.11)
    assert found is not None
    assert (found.start, round(found.end, 6)) == (0.0, 0.5)
    assert result.finished_after(found.end, now=9.0) is None
    assert result.silent_since(1.5) == pytest.approx(1.0)


def test_lost_frames_are_silence_in_their_place_and_are_counted() -> None:
    result = heard("##  ##")
    assert result.lost == 2
    assert result.packets == 4
    samples = np.frombuffer(result.audio.data, "<i2")
    assert samples.size == 6 * 160
    assert not samples[320:640].any()
    assert np.abs(samples[640:]).max() > 7_000


def test_reordered_frames_find_their_place() -> None:
    result = Heard(PCMA)
    for at, number in ((0.0, 0), (0.02, 2), (0.021, 1), (0.06, 3)):
        result.count(1, number)
        result.add(at, 1, number * 160, LOUD if number == 1 else QUIET)
    samples = np.frombuffer(result.audio.data, "<i2")
    assert result.lost == 0
    assert np.abs(samples[160:320]).max() > 7_000
    assert samples.size == 640


def test_a_new_source_or_a_jump_goes_on_behind_what_there_was() -> None:
    result = heard("##")
    result.count(2, 60_000)
    result.add(0.5, 2, 4_000_000_000, LOUD)
    result.add(0.52, 2, 1_000, LOUD)
    assert result.audio.seconds == pytest.approx(0.54, abs=0.03)
    assert result.lost == 0


def test_sequence_and_timestamp_wrap_round() -> None:
    result = Heard(PCMA)
    for number in range(4):
        result.count(1, (65_534 + number) & 0xFFFF)
        result.add(number * 0.02, 1, (2**32 - 320 + number * 160) % 2**32, LOUD)
    assert result.lost == 0
    assert result.audio.seconds == pytest.approx(0.08)


def test_gaps_are_between_arrivals_and_an_empty_call_is_empty() -> None:
    assert heard("## #").gaps_ms() == pytest.approx([20, 40])
    nothing = Heard(PCMA)
    assert (nothing.audio.data, nothing.seconds, nothing.first_packet_at, nothing.gaps_ms()) == (b"", 0, None, [])
    assert nothing.stretches() == []
    assert heard(".").frames[0].level < -60 or math.isinf(heard(".").frames[0].level)
