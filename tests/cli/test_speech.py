"""`transcribe` and `screen` from WAV file to line of output, with the real model."""

import json
from pathlib import Path

import py_nanotts
import pytest
import typer
from typer.testing import CliRunner, Result

from anruflotse.cli import speech
from anruflotse.pcm import Pcm
from anruflotse.speech import model
from anruflotse.speech.audio import alaw_decode, alaw_encode, resample, write_wav

KEYS = {"file", "text", "confidence", "accepted", "reason", "seconds", "latency_ms", "engine"}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the model in it, and callers' WAV files."""
    whole = model.ensure(tmp_path_factory.getbasetemp() / "whisper")
    room = tmp_path_factory.mktemp("room")
    (room / "models").mkdir()
    (room / "models" / "whisper-base").symlink_to(whole)
    for name, text in (
        ("concern", "Es geht um mein Krankengeld."),
        ("objection", "Ich widerspreche der Aufzeichnung."),
    ):
        spoken = Pcm(py_nanotts.NanoTTS().speak(text, voice="de-DE", speed=0.95), 16_000)
        write_wav(room / f"{name}.wav", alaw_decode(alaw_encode(resample(spoken, 8_000))))
    write_wav(room / "silence.wav", Pcm(bytes(32_000), 8_000))
    (room / "broken.wav").write_bytes(b"RIFF of something else")
    return room


def run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    speech.register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def lines(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_transcribe_tells_one_object_a_file(room: Path) -> None:
    result = run("transcribe", room / "concern.wav", "--data", room, "--json")
    assert result.exit_code == 0
    (heard,) = lines(result)
    assert heard.keys() == KEYS
    assert "Krankengeld" in str(heard["text"])
    assert (heard["accepted"], heard["reason"], heard["engine"]) == (True, "", "whisper-base")
    assert heard["file"] == str(room / "concern.wav")
    assert isinstance(heard["latency_ms"], int)
    assert heard["latency_ms"] > 0


def test_transcribe_uses_the_hints_given(room: Path) -> None:
    write_wav(room / "name.wav", Pcm(py_nanotts.NanoTTS().speak("Ich habe eine Frage zu Frau Meier."), 16_000))
    plain = run("transcribe", room / "name.wav", "--data", room)
    hints = [part for name in ("Frau Mayr", "Herr Mayr", "Familie Mayr") for part in ("--hint", name)]
    assert "Mayr" not in plain.stdout
    assert "Mayr" in run("transcribe", room / "name.wav", "--data", room, *hints).stdout


def test_an_unusable_file_is_named_and_the_others_are_done(room: Path) -> None:
    files = [room / "broken.wav", room / "missing.wav", room / "concern.wav"]
    for command in ("transcribe", "screen"):
        result = run(command, *files, "--data", room, "--json")
        assert result.exit_code == 2
        assert [Path(str(line["file"])).name for line in lines(result)] == ["concern.wav"]
        assert "broken.wav" in result.stderr
        assert "missing.wav: there is no such file" in result.stderr
        assert "Traceback" not in result.stderr


def test_nothing_said_is_exit_code_one(room: Path) -> None:
    result = run("transcribe", room / "silence.wav", "--data", room, "--json")
    assert result.exit_code == 1
    assert lines(result)[0]["reason"] == "no_speech"


def test_screen_tells_what_was_meant(room: Path) -> None:
    result = run("screen", room / "objection.wav", room / "silence.wav", room / "concern.wav", "--data", room, "--json")
    assert result.exit_code == 0
    objection, silence, concern = lines(result)
    assert objection.keys() == {"file", "heard", "confidence", "certain"}
    assert (objection["heard"], objection["certain"]) == ("objection", True)
    assert silence["heard"] == "silence"
    assert concern["heard"] == "speech"


def test_people_get_a_line_without_json(room: Path) -> None:
    result = run("screen", room / "objection.wav", "--data", room)
    assert result.stdout.startswith(f"{room / 'objection.wav'}: objection")


def test_a_damaged_model_is_told_with_a_remedy(room: Path, tmp_path: Path) -> None:
    (tmp_path / "models" / "whisper-base").mkdir(parents=True)
    (tmp_path / "models" / "whisper-base" / "model.bin").write_bytes(b"damaged")
    result = run("transcribe", room / "concern.wav", "--data", tmp_path)
    assert "Delete" in str(result.exception)
    assert result.stdout == ""
