"""Where a store lies for a test that takes backups of it and puts them back, in either kind of database."""

from __future__ import annotations

import itertools
import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import delete, insert, select

from anruflotse.bench.cluster import Cluster
from anruflotse.records import casework, contents, opening
from anruflotse.records.repository import Records
from anruflotse.records.stores.tables import heads
from anruflotse.records.times import to_micros
from tests.records.conftest import Home
from tests.records.faults import keys_of

PARTS = {"rows": "records.sqlite", "keys": "keys/keys.sqlite"}


def openable(store: Records) -> set[str]:
    """The records and cases that key and row alone would open: past every rule of who may see them, and the trail."""
    now = to_micros(store._now())
    stores, vault = store._opener.stores(), store._opener.vault()
    keys = stores.keys.alive(stores.rows.all("", 1000), now)
    found = set()
    for one, key in keys.items():
        if (sealed := stores.rows.get(one, [contents.SUMMARY])) is not None:
            found.add(opening.summary(vault, key, sealed).id)
    filed = {case.id: case for case in stores.cases.newest(1000)}
    for one, key in stores.keys.alive(sorted(filed), now).items():
        found.add(casework.opened(vault.open_key(key), key, filed[one]).id)
    return found


class Place(ABC):
    """Takes copies of closed stores and puts them back."""

    home: Home

    @abstractmethod
    def backup(self) -> int:
        """Copy both stores, which nobody has open; the number of the copy."""

    @abstractmethod
    def restore(self, number: int, part: str) -> None:
        """Put one part (`rows`, `keys`) of a copy in place of what is there; nobody has it open."""

    @abstractmethod
    def remove(self) -> None:
        """Leave nothing behind."""


class Files(Place):
    """SQLite."""

    def __init__(self, directory: Path) -> None:
        self.home = Home(directory / "records")
        self._copies = directory / "copies"
        self._number = itertools.count()

    def backup(self) -> int:
        number = next(self._number)
        place = self._copies / str(number)
        place.mkdir(parents=True)
        for part, file in PARTS.items():
            assert not (self.home.directory / f"{file}-wal").exists()
            shutil.copy(self.home.directory / file, place / part)
        return number

    def restore(self, number: int, part: str) -> None:
        file = self.home.directory / PARTS[part]
        for suffix in ("", "-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
        shutil.copy(self._copies / str(number) / part, file)

    def remove(self) -> None:
        for directory in (self.home.directory, self._copies):
            shutil.rmtree(directory, ignore_errors=True)


class Databases(Place):
    """PostgreSQL; a backup is a database copied as a whole, as from a file-level backup of the server."""

    _number = itertools.count()

    def __init__(self, server: Cluster, templates: tuple[str, str], directory: Path) -> None:
        self._server = server
        self._mine = f"place{next(self._number)}"
        self._names = {part: f"{self._mine}_{part}" for part in PARTS}
        urls = [server.create(self._names[part], template) for part, template in zip(PARTS, templates, strict=True)]
        self.home = Home(directory / "records", *urls)
        self._copies: list[str] = []

    def backup(self) -> int:
        number = next(self._number)
        for part, name in self._names.items():
            copy = f"{self._mine}_{part}_{number}"
            self._server.create(copy, name)
            self._copies.append(copy)
        return number

    def restore(self, number: int, part: str) -> None:
        self._server.drop(self._names[part])
        url = self._server.create(self._names[part], f"{self._mine}_{part}_{number}")
        assert urlsplit(url).path == f"/{self._names[part]}"

    def remove(self) -> None:
        for name in (*self._names.values(), *self._copies):
            self._server.drop(name)


def heads_of(store: Records) -> list[dict[str, object]]:
    """The signed heads of the audit trail."""
    with keys_of(store).read() as connection:
        return [dict(row) for row in connection.execute(select(heads)).mappings()]


def put_heads(store: Records, kept: list[dict[str, object]]) -> None:
    """Put heads in place of those that an old key store brought back.

    An old key store with the rows of today has entries in its trail that nobody signed, which nothing but a look at
    them excuses (see `audit`): this is what the tests of the trail are about, and not those of the records.
    """
    with keys_of(store).write() as connection:
        connection.execute(delete(heads))
        connection.execute(insert(heads), kept)
