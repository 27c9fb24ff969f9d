"""What a caller who objected may leave nowhere: their number and their voice, in plain, in any file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from anruflotse.pcm import Pcm
from anruflotse.records.recorder import Recorder
from anruflotse.speech.audio import alaw_decode, alaw_encode, resample, wav_bytes
from anruflotse.speech.pico import PicoSynthesiser
from anruflotse.verification.calling import traces
from tests.verification.kept import OBJECTION, broken, kept, with_call

NUMBER = "+493023125100"


@pytest.fixture
async def voice() -> Pcm:
    return await PicoSynthesiser().speak("Ich möchte nicht, dass das aufgezeichnet wird.")


def judged(found: tuple[str, ...]) -> set[str]:
    return broken(with_call(kept(), "key_while_speaking", replace(OBJECTION, name="key_while_speaking", traces=found)))


def test_where_nothing_is_nothing_is_found(tmp_path: Path, voice: Pcm) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "records.sqlite").write_bytes(bytes(range(256)) * 1000)
    assert traces(tmp_path, NUMBER, [voice]) == ()
    assert judged(()) == set()


@pytest.mark.parametrize("written", ["+493023125100", "493023125100", "0049 3023125100".replace(" ", "")])
def test_a_number_in_a_file_is_found(tmp_path: Path, written: str) -> None:
    (tmp_path / "log.txt").write_text(f"call from {written}", "utf-8")
    found = traces(tmp_path, NUMBER, [])
    assert found == ("die Rufnummer in log.txt",)
    assert judged(found) == {"P9"}


def test_a_recorder_that_swaps_to_a_file_is_found(tmp_path: Path, voice: Pcm) -> None:
    """As the recorder would have it: what came off the line, in the middle of a larger file."""
    recorder = Recorder()
    recorder.start(8000)
    recorder.append(alaw_decode(alaw_encode(resample(voice, 8000))).data)
    assert recorder._memory is not None
    (tmp_path / "core").write_bytes(b"x" * 777 + recorder._memory.read(recorder._length))
    recorder.drop()
    found = traces(tmp_path, NUMBER, [voice])
    assert found == ("die Stimme in core",)
    assert judged(found) == {"P9"}


def test_a_file_of_what_came_off_the_line_is_found(tmp_path: Path, voice: Pcm) -> None:
    (tmp_path / "call.wav").write_bytes(wav_bytes(alaw_decode(alaw_encode(resample(voice, 8000)))))
    (tmp_path / "call.rtp").write_bytes(alaw_encode(resample(voice, 8000)))
    assert traces(tmp_path, NUMBER, [voice]) == ("die Stimme in call.rtp", "die Stimme in call.wav")


def test_models_and_prompts_are_not_searched(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "x").write_text(NUMBER, "utf-8")
    assert traces(tmp_path, NUMBER, []) == ()
