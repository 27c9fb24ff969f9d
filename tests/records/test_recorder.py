from __future__ import annotations

import mmap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.records.recorder import Recorder, RecorderState, RecorderStateError

FRAME = bytes(range(160)) * 2
RATE = 8000


def test_what_was_appended_while_recording_is_handed_over() -> None:
    recorder = Recorder()
    recorder.start(RATE)
    assert recorder.append(FRAME)
    assert recorder.append(FRAME)
    assert recorder.seconds == pytest.approx(0.04)
    recorder.stop()
    audio = recorder.take()
    assert audio.data == FRAME * 2
    assert audio.rate == RATE
    assert recorder.state is RecorderState.TAKEN
    assert recorder.seconds == 0


def test_nothing_is_kept_before_the_start_or_after_the_stop() -> None:
    recorder = Recorder()
    assert not recorder.append(FRAME)
    recorder.start(RATE)
    recorder.append(FRAME)
    assert recorder.stop() is True
    assert not recorder.append(FRAME)
    assert recorder.refused == 2
    assert recorder.take().data == FRAME


def test_the_next_utterance_continues_the_same_recording() -> None:
    recorder = Recorder()
    for _ in range(3):
        recorder.start(RATE)
        recorder.append(FRAME)
        recorder.stop()
        recorder.append(b"\x01\x01" * 160)
    assert recorder.take().data == FRAME * 3


def test_audio_beyond_the_limit_is_not_kept_and_flagged() -> None:
    recorder = Recorder(limit_seconds=0.03)
    recorder.start(RATE)
    recorder.append(FRAME)
    before = recorder.truncated
    recorder.append(FRAME)
    recorder.append(FRAME)
    recorder.stop()
    assert (before, recorder.truncated) == (False, True)
    assert recorder.take().data == (FRAME * 2)[:480]


def test_three_long_utterances_fit() -> None:
    recorder = Recorder()
    second = b"\x01\x02" * 16000
    recorder.start(16000)
    for _ in range(90):
        recorder.append(second)
    assert not recorder.truncated
    assert recorder.seconds == 90
    recorder.drop()


@pytest.mark.parametrize("ending", ["drop", "take"])
def test_the_memory_is_overwritten_before_it_is_given_back(monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    recorder = Recorder(limit_seconds=1)
    recorder.start(RATE)
    recorder.append(b"\x55\x55" * 4000)
    recorder.stop()
    memory = recorder._memory
    assert memory is not None
    contents: list[bytes] = [memory.read(memory.size)]
    monkeypatch.setattr(memory, "close", lambda: contents.append(memory.read(memory.size)))
    getattr(recorder, ending)()
    assert contents == [b"\x55\x55" * 4000 + bytes(memory.size - 8000), bytes(memory.size)]


def test_a_forgotten_recorder_gives_its_memory_back() -> None:
    recorder = Recorder(limit_seconds=1)
    recorder.start(RATE)
    recorder.append(FRAME)
    memory = recorder._memory
    assert memory is not None
    assert isinstance(memory._map, mmap.mmap)
    del recorder
    assert memory._map.closed


def test_dropping_is_final_and_may_be_repeated_in_every_state() -> None:
    fresh = Recorder()
    fresh.drop()
    fresh.drop()
    assert fresh.state is RecorderState.DROPPED
    running = Recorder()
    running.start(RATE)
    running.append(FRAME)
    running.drop()
    running.drop()
    assert running.seconds == 0
    assert not running.append(FRAME)
    assert running.stop() is True
    assert running.state is RecorderState.DROPPED
    for misuse in (lambda: running.start(RATE), running.take):
        with pytest.raises(RecorderStateError, match="dropped"):
            misuse()


def test_a_stopped_recorder_without_audio_has_nothing_to_hand_over() -> None:
    recorder = Recorder()
    recorder.stop()
    with pytest.raises(RecorderStateError, match="no audio"):
        recorder.take()


def test_misuse_raises() -> None:
    recorder = Recorder()
    with pytest.raises(RecorderStateError, match="idle"):
        recorder.take()
    with pytest.raises(ValueError, match="Hz"):
        recorder.start(0)
    recorder.start(RATE)
    with pytest.raises(RecorderStateError, match="recording"):
        recorder.start(RATE)
    with pytest.raises(RecorderStateError, match="recording"):
        recorder.take()
    with pytest.raises(ValueError, match="16-bit"):
        recorder.append(b"\x00")
    recorder.append(FRAME)
    recorder.stop()
    with pytest.raises(RecorderStateError, match="16000"):
        recorder.start(16000)
    recorder.take()
    with pytest.raises(RecorderStateError, match="taken"):
        recorder.take()
    with pytest.raises(ValueError, match="limit"):
        Recorder(limit_seconds=0)


def test_the_repr_shows_state_and_duration_only() -> None:
    recorder = Recorder()
    recorder.start(RATE)
    recorder.append(b"SECRET" * 100)
    assert repr(recorder) == "<Recorder recording 0.04 s>"


@given(st.lists(st.binary(max_size=64).map(lambda data: data * 2), max_size=20), st.integers(1, 400))
def test_it_holds_exactly_the_first_samples_up_to_its_limit(chunks: list[bytes], limit: int) -> None:
    recorder = Recorder(limit_seconds=limit / RATE)
    recorder.start(RATE)
    for chunk in chunks:
        recorder.append(chunk)
    recorder.stop()
    everything = b"".join(chunks)
    assert recorder.truncated == (len(everything) > limit * 2)
    if everything:
        assert recorder.take().data == everything[: limit * 2]
    recorder.drop()
