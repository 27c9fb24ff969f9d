"""The model directory: whole and right, or refused with a remedy."""

import json
import multiprocessing
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from anruflotse.speech import model
from anruflotse.speech.seams import SpeechError


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model.ensure(tmp_path_factory.getbasetemp() / "whisper")


@pytest.fixture
def copy(joined: Path, tmp_path: Path) -> Path:
    """A directory of its own that shares the big file until a test replaces it."""
    directory = tmp_path / "model"
    directory.mkdir()
    for name in model.HASHES:
        (directory / name).hardlink_to(joined / name)
    return directory


def flip(file: Path, position: int) -> None:
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.unlink()
    file.write_bytes(content)


def other_model(directory: Path, specification: bytes = b"WhisperSpec\0") -> Path:
    directory.mkdir()
    head = (6).to_bytes(4, "little") + len(specification).to_bytes(2, "little") + specification
    (directory / "model.bin").write_bytes(head + bytes(50))
    (directory / "config.json").write_text("{}")
    (directory / "tokenizer.json").write_text("{}")
    (directory / "vocabulary.txt").write_text("a\n")
    return directory


def test_joins_the_parts_and_finds_them_right(joined: Path) -> None:
    model.check(joined)
    assert sorted(file.name for file in joined.iterdir()) == sorted(model.HASHES)
    assert json.loads((joined / "config.json").read_text())["alignment_heads"]


def test_leaves_nothing_half_written(tmp_path: Path) -> None:
    model.ensure(tmp_path / "deep" / "model")
    assert sorted(file.name for file in (tmp_path / "deep").iterdir()) == [".model.lock", "model"]


def test_a_second_run_writes_nothing(joined: Path) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in joined.iterdir()}
    told: list[str] = []
    model.ensure(joined, told.append)
    assert {file.name: file.stat().st_mtime_ns for file in joined.iterdir()} == before
    assert len(told) == 1
    assert "complete" in told[0]


def test_takes_an_empty_directory_for_missing(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    model.check(model.ensure(tmp_path / "model"))


def test_removes_what_a_killed_process_left(joined: Path) -> None:
    left = joined.parent / f".{joined.name}.joining-abandoned"
    left.mkdir()
    (left / "model.bin").write_bytes(b"half")
    model.ensure(joined)
    assert not left.exists()


@pytest.mark.parametrize("name", sorted(model.HASHES))
def test_finds_one_flipped_bit_in_any_file(copy: Path, name: str) -> None:
    flip(copy / name, 1_000)
    with pytest.raises(SpeechError, match=rf"{name} has the wrong SHA-256.*Delete .*model and run make setup"):
        model.check(copy)
    with pytest.raises(SpeechError, match="damaged"):
        model.ensure(copy)


def test_finds_a_cut_and_a_missing_file(copy: Path) -> None:
    short = (copy / "tokenizer.json").read_bytes()[:-1]
    (copy / "tokenizer.json").unlink()
    (copy / "tokenizer.json").write_bytes(short)
    with pytest.raises(SpeechError, match=r"tokenizer\.json has the wrong"):
        model.check(copy)
    (copy / "tokenizer.json").unlink()
    with pytest.raises(SpeechError, match=r"tokenizer\.json cannot be read"):
        model.check(copy)


def test_a_missing_model_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match=r"no speech model in .*Run make setup"):
        model.check(tmp_path / "nowhere")
    with pytest.raises(SpeechError, match=r"speech\.model"):
        model.check(tmp_path / "nowhere", embedded=False)


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SpeechError, match="cannot be written"):
        model.ensure(tmp_path / "file" / "model")


def test_wrong_parts_are_refused_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swapped = {**model._PARTS, "config.json": model._PARTS["tokenizer.json"]}
    monkeypatch.setattr(model, "_PARTS", swapped)
    with pytest.raises(SpeechError, match=r"config\.json from .* wrong SHA-256"):
        model.ensure(tmp_path / "model")
    assert [file.name for file in tmp_path.iterdir()] == [".model.lock"]


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "_PARTS", {**model._PARTS, "config.json": (("no_such_package", "config.json"),)})
    with pytest.raises(SpeechError, match="no-such-package is missing"):
        model.ensure(tmp_path / "model")


def test_two_processes_at_once_both_get_a_whole_model(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(model.ensure, [tmp_path / "model"] * 2) == [tmp_path / "model"] * 2
    model.check(tmp_path / "model")
    assert sorted(file.name for file in tmp_path.iterdir()) == [".model.lock", "model"]


def test_another_model_needs_the_shape_and_no_hash(tmp_path: Path) -> None:
    directory = other_model(tmp_path / "large")
    model.check(directory, embedded=False)
    with pytest.raises(SpeechError, match="damaged"):
        model.check(directory)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("model.bin", b"", "not made by CTranslate2"),
        ("model.bin", b"\6\0\0\0\x10\0TransformerSpec\0", "not made by CTranslate2"),
        ("config.json", b"{", r"config\.json is not JSON"),
        ("config.json", b"[]", "holds no JSON object"),
        ("tokenizer.json", None, r"tokenizer\.json cannot be read"),
        ("vocabulary.txt", None, "vocabulary"),
    ],
)
def test_another_model_of_the_wrong_shape_is_refused(
    tmp_path: Path, name: str, content: bytes | None, fault: str
) -> None:
    directory = other_model(tmp_path / "large")
    (directory / name).unlink()
    if content is not None:
        (directory / name).write_bytes(content)
    with pytest.raises(SpeechError, match=fault):
        model.check(directory, embedded=False)


def test_runs_as_a_command(joined: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "anruflotse.speech.model", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    fresh = run(str(tmp_path / "fresh"))
    assert fresh.returncode == 0
    assert "Joining model.bin" in fresh.stdout
    again = run(str(joined))
    assert (again.returncode, again.stdout.count("\n")) == (0, 1)
    shutil.rmtree(tmp_path / "fresh")
    (tmp_path / "fresh").mkdir()
    (tmp_path / "fresh" / "model.bin").write_bytes(b"damaged")
    damaged = run(str(tmp_path / "fresh"))
    assert damaged.returncode == 3
    assert "Delete" in damaged.stderr
    assert "Traceback" not in damaged.stderr
    assert run().returncode == 2
