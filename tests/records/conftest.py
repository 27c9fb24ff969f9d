"""A record store on a clock that stands still, and something to put into it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from anruflotse.clock import FakeClock
from anruflotse.pcm import Pcm
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import Draft, RankedConcern
from anruflotse.records.repository import Records

MakeDraft = Callable[..., Draft]
OFFICER = Accessor("pruefer", Role.PRIVACY)
"""Who reads in most tests: the role that may do most, for the handling of rights."""


def speech(seconds: float = 0.5, rate: int = 8000, seed: int = 7) -> Pcm:
    """Noise in place of a voice: every stretch of it is unlike any other."""
    samples = np.random.default_rng(seed).normal(size=int(seconds * rate)) * 3000
    return Pcm(samples.astype("<i2").tobytes(), rate)


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """In memory where the machine has room for it: every commit here waits for the disk, as it must."""
    memory = Path("/dev/shm")  # noqa: S108 - the directory made in it is private and has an unguessable name
    if not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < 256 * 1024 * 1024:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="anruflotse-", dir=memory) as name:
        yield Path(name)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "records"


@pytest.fixture
def store(directory: Path, clock: FakeClock) -> Iterator[Records]:
    store = Records(directory, clock, environment={}, busy_seconds=0.1)
    yield store
    store.close()


@pytest.fixture
def make_draft(clock: FakeClock) -> MakeDraft:
    made = 0

    def make(**changes: object) -> Draft:
        nonlocal made
        made += 1
        fields: dict[str, object] = {
            "reference": f"{made:032x}",
            "started_at": clock.now(),
            "recorded_at": clock.now(),
            "decision": "route",
            "outcome": "succeeded",
            "concern": "krankengeld",
            "department": "krankengeld",
            "target": "sip:krankengeld@127.0.0.1:5090",
            "transcripts": ("Ich warte auf mein Krankengeld.",),
            "ranking": (RankedConcern("krankengeld", "krankengeld", 0.9), RankedConcern("pflege", "pflegekasse", 0.1)),
            "evidence": ("krankengeld",),
            "recording": speech(),
            "caller": "+49 30 123456",
            "processors": (),
            "engines": ("whisper-base",),
            "notice_version": "1",
        }
        return Draft(**(fields | changes))  # type: ignore[arg-type]

    return make
