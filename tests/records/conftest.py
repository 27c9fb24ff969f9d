"""A record store on a clock that stands still, and something to put into it."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from anruflotse.bench.cluster import Cluster, cluster
from anruflotse.clock import FakeClock
from anruflotse.pcm import Pcm
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import Draft, RankedConcern
from anruflotse.records.repository import Records
from anruflotse.records.stores.postgres import PostgresDatabase
from anruflotse.records.stores.tables import keys, records

if TYPE_CHECKING:
    from tests.records.places import Place

MakeDraft = Callable[..., Draft]
OFFICER = Accessor("pruefer", Role.PRIVACY)
"""Who reads in most tests: the role that may do most, for the handling of rights."""


def speech(seconds: float = 0.5, rate: int = 8000, seed: int = 7) -> Pcm:
    """Noise in place of a voice: every stretch of it is unlike any other."""
    samples = np.random.default_rng(seed).normal(size=int(seconds * rate)) * 3000
    return Pcm(samples.astype("<i2").tobytes(), rate)


def memory() -> Path | None:
    """A directory in memory, where the machine has room for it: every commit here waits for the disk, as it must."""
    found = Path("/dev/shm")  # noqa: S108 - the directory made in it is private and has an unguessable name
    return found if os.access(found, os.W_OK) and shutil.disk_usage(found).free >= 256 * 1024 * 1024 else None


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    if (place := memory()) is None:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="anruflotse-", dir=place) as name:
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


@dataclass(frozen=True)
class Home:
    """Where a store lies: files in `directory`, or two databases of PostgreSQL and the master key in `directory`."""

    directory: Path
    rows_url: str | None = None
    keys_url: str | None = None

    def open(self, clock: FakeClock, **options: object) -> Records:
        """A store there."""
        given: dict[str, object] = {
            "environment": {},
            "busy_seconds": 0.1,
            "rows_url": self.rows_url,
            "keys_url": self.keys_url,
        }
        return Records(self.directory, clock, **(given | options))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def server() -> Iterator[Cluster]:
    """A PostgreSQL for all tests of this run. A test that stops it must start it again."""
    with cluster(durable=False, parent=memory()) as running:
        yield running


@pytest.fixture(scope="session")
def templates(server: Cluster) -> tuple[str, str]:
    """Databases with the tables in them, for `CREATE DATABASE … TEMPLATE`: rows and keys."""
    for name, main in (("template_rows", records), ("template_keys", keys)):
        database = PostgresDatabase(name, server.create(name), main, "-", 5)
        database.prepare()
        database.close()
    return "template_rows", "template_keys"


_numbers = itertools.count(1)


@pytest.fixture
def databases(server: Cluster, templates: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """The URLs of two databases of this test, with tables and without content: rows and keys."""
    names = [f"{template.removeprefix('template_')}_{next(_numbers)}" for template in templates]
    rows, keys_ = (server.create(name, template) for name, template in zip(names, templates, strict=True))
    yield rows, keys_
    for name in names:
        server.drop(name)


@pytest.fixture(params=["sqlite", "postgres"])
def home(request: pytest.FixtureRequest, directory: Path) -> Home:
    """A place for a store, in each kind of database in turn."""
    if request.param == "sqlite":
        return Home(directory)
    return Home(directory, *request.getfixturevalue("databases"))


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where backups can be taken of a store and put back, in each kind of database in turn."""
    from tests.records.places import Databases, Files  # noqa: PLC0415 - these need what is here

    found: Place
    if request.param == "sqlite":
        found = Files(tmp_path)
    else:
        found = Databases(request.getfixturevalue("server"), request.getfixturevalue("templates"), tmp_path)
    yield found
    found.remove()


@pytest.fixture
def each_store(home: Home, clock: FakeClock) -> Iterator[Records]:
    """A store in each kind of database in turn. What needs the files of SQLite takes `store` instead."""
    store = home.open(clock)
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
