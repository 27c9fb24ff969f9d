from __future__ import annotations

import tempfile

import pytest

from anruflotse.pcm import Pcm
from anruflotse.records import flac
from tests.records.conftest import speech


@pytest.mark.parametrize("audio", [speech(1, 8000), speech(0.5, 16000), Pcm(b"\xff\x7f\x00\x80", 8000)])
def test_every_sample_comes_back(audio: Pcm) -> None:
    assert flac.decode(flac.encode(audio)) == audio


def test_it_is_a_flac_file_and_smaller() -> None:
    quiet = Pcm(b"\x10\x00\xf0\xff" * 8000, 8000)
    encoded = flac.encode(quiet)
    assert encoded.startswith(b"fLaC")
    assert len(encoded) < len(quiet.data) / 2


def test_no_temporary_file_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a temporary file was asked for")

    for name in ("mkstemp", "TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile"):
        monkeypatch.setattr(tempfile, name, refuse)
    assert flac.decode(flac.encode(speech())) == speech()
