"""A trail with several days behind it, in files that can be copied and tampered with."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anruflotse.records.audit.entry import Entry
from anruflotse.records.audit.trail import Trail
from anruflotse.records.audit.verification import Verified
from anruflotse.records.model import StoreError
from anruflotse.records.stores.sqlite import SqliteDatabase
from anruflotse.records.stores.tables import keys, records
from anruflotse.records.times import to_micros

START = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)


def entry(number: int, **changes: object) -> Entry:
    """The access of this number; eight hours after the one before it."""
    fields: dict[str, object] = {
        "at": to_micros(START + timedelta(hours=8 * number)),
        "accessor": f"prüfer {number}",
        "role": "datenschutz",
        "purpose": "betroffenenrechte",
        "act": "text",
        "subject": f"{number:032x}",
        "result": "granted",
    }
    return Entry(**(fields | changes))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Installation:
    """Two files and the key that signs."""

    place: Path
    key: Ed25519PrivateKey

    @property
    def rows(self) -> Path:
        return self.place / "rows.sqlite"

    @property
    def keys(self) -> Path:
        return self.place / "keys.sqlite"

    @contextmanager
    def trail(self) -> Iterator[Trail]:
        rows = SqliteDatabase("record store", self.rows, records, keys.name, 5)
        key_store = SqliteDatabase("key store", self.keys, keys, records.name, 5)
        try:
            yield Trail(rows, key_store, self._signing_key)
        finally:
            rows.close()
            key_store.close()

    def _signing_key(self) -> Ed25519PrivateKey:
        # As the vault does it: made at first use.
        with closing(sqlite3.connect(self.keys)) as connection, connection:
            connection.execute("INSERT OR IGNORE INTO secrets VALUES ('audit', x'00', 'm')")
        return self.key

    def make(self) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        for name, path, main, stranger in (
            ("rows", self.rows, records, keys),
            ("keys", self.keys, keys, records),
        ):
            database = SqliteDatabase(name, path, main, stranger.name, 5)
            database.prepare()
            database.close()
        for path in (self.rows, self.keys):
            with closing(sqlite3.connect(path)) as connection:
                # One file each, so that copying them is copying everything.
                connection.execute("PRAGMA journal_mode=DELETE")

    def append(self, numbers: range) -> None:
        with self.trail() as trail:
            for number in numbers:
                trail.append(entry(number))

    def verify(self) -> Verified:
        with self.trail() as trail:
            return trail.verify()

    def found(self) -> bool:
        """Whether verifying tells that something is wrong: in its result, or since a file cannot be read."""
        try:
            return not self.verify().intact
        except StoreError:
            return True

    def copy(self, place: Path) -> Installation:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for path in (self.rows, self.keys):
            if path.with_name(f"{path.name}-wal").exists():
                with closing(sqlite3.connect(path)) as connection:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copyfile(path, place / path.name)
        return Installation(place, self.key)

    @contextmanager
    def tampering(self) -> Iterator[Tamper]:
        """Both files open for whoever owns them, without anything that would stand in the way."""
        with closing(sqlite3.connect(self.rows)) as rows, closing(sqlite3.connect(self.keys)) as key_store:
            for trigger in ("audit_no_update", "audit_no_delete"):
                rows.execute(f"DROP TRIGGER IF EXISTS {trigger}")
            with rows, key_store:
                yield Tamper(rows, key_store)

    def contents(self) -> object:
        """Every value the trail and its heads have, with its type; None when that cannot be read."""
        try:
            with closing(sqlite3.connect(self.rows)) as rows, closing(sqlite3.connect(self.keys)) as key_store:
                return [dump(rows, "audit"), dump(rows, "audit_tip"), dump(key_store, "heads")]
        except sqlite3.Error:
            return None


@dataclass(frozen=True)
class Tamper:
    rows: sqlite3.Connection
    keys: sqlite3.Connection

    def of(self, table: str) -> sqlite3.Connection:
        return self.keys if table == "heads" else self.rows


def dump(connection: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    connection.text_factory = lambda raw: ("text", raw)
    # Not by an index, whose entries are no values of the trail.
    rows = connection.execute(f"SELECT * FROM {table} NOT INDEXED").fetchall()  # noqa: S608 - one of three names
    return sorted(rows, key=repr)


def loosen(connection: sqlite3.Connection, table: str) -> None:
    """Take every constraint off a table, as whoever owns the file can."""
    connection.execute(f"CREATE TABLE loose AS SELECT * FROM {table}")  # noqa: S608
    connection.execute(f"DROP TABLE {table}")
    connection.execute(f"ALTER TABLE loose RENAME TO {table}")


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Twelve accesses over five days. Never to be changed: take a copy."""
    made = Installation(tmp_path_factory.mktemp("original"), Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    made.make()
    made.append(range(1, 13))
    return made


@pytest.fixture
def copied(original: Installation, tmp_path: Path) -> Callable[[], Installation]:
    """Makes a fresh copy, over the one before it."""
    return lambda: original.copy(tmp_path / "copy")
