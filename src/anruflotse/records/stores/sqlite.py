"""One SQLite file as a store: private, durable, zeroing what it deletes, and with errors that hold no content."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.schema import Table

from anruflotse.records.model import StoreError
from anruflotse.records.stores.engine import EngineDatabase, Progress

_FREE_BYTES = 64 * 1024 * 1024
"""Below this much free disk no further record is begun: expiry and erasure need room to write, too."""

_MESSAGES = {
    "SQLITE_FULL": "the disk is full: free some space",
    "SQLITE_READONLY": "it cannot be written: check owner and mode of the file and whether the disk is read-only",
    "SQLITE_BUSY": "it is locked by another process: end the process that holds it",
    "SQLITE_LOCKED": "it is locked by another process: end the process that holds it",
    "SQLITE_CANTOPEN": "it cannot be opened: check that the directory exists and belongs to this user",
    "SQLITE_IOERR": "the disk reports errors: check the disk",
    "SQLITE_CORRUPT": "the file is damaged: restore it from a backup",
    "SQLITE_NOTADB": "the file is no database: restore it from a backup",
    "SQLITE_CONSTRAINT": "the entry contradicts what is stored already",
}


class SqliteDatabase(EngineDatabase):
    """A database file, opened at first use. Every error leaves as `StoreError` with a static message."""

    _driver_error = sqlite3.Error

    def __init__(
        self, name: str, path: Path, main: Table, stranger: str, busy_seconds: float, also: Sequence[Table] = ()
    ) -> None:
        """Open nothing yet; a lock is waited for. See `EngineDatabase` for the rest."""
        self._path = path
        self._file: tuple[int, int] | None = None
        # hide_parameters: SQLAlchemy's messages otherwise quote what was to be written.
        engine = create_engine(
            URL.create("sqlite", database=str(path)), hide_parameters=True, connect_args={"timeout": busy_seconds}
        )
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        super().__init__(name, main, stranger, engine, also)

    @property
    def place(self) -> str:
        """The file."""
        return str(self._path)

    def make_file(self) -> None:
        """Make sure the file is there and private, before SQLite would make it with the umask of the day."""
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                if os.fstat(handle).st_mode & 0o077:
                    os.fchmod(handle, 0o600)
                facts = os.fstat(handle)
            finally:
                os.close(handle)
        except OSError as error:
            message = f"The {self.name} {self._path} cannot be opened ({error.strerror}): check owner, mode and disk."
            raise StoreError(message) from None
        self._file = (facts.st_dev, facts.st_ino)

    def in_place(self) -> bool:
        """Whether the file that was opened is still the one of that name; if not, all connections to it are let go."""
        try:
            facts = self._path.stat()
        except OSError:
            facts = None
        if facts is not None and (facts.st_dev, facts.st_ino) == self._file:
            return True
        self._engine.dispose()
        self._file = None
        return False

    def records(self) -> int | None:
        """See `Database.records`."""
        return super().records() if self._path.exists() else None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """See `Database.alone`: nothing to do, for whoever opens the files holds a lock on their directory."""
        yield

    def prepare(self) -> None:
        """See `Database.prepare`."""
        self.make_file()
        with self.write() as connection:
            self._migrate(connection)

    def room(self) -> bool:
        """See `Database.room`."""
        try:
            facts = os.statvfs(self._path.parent)
        except OSError:
            return False
        return facts.f_bavail * facts.f_frsize >= _FREE_BYTES

    def scrub(self) -> bool:
        """Empty the write-ahead log, which still holds deleted bytes; False when a reader prevents it for now.

        `secure_delete` zeroes deleted content in the database file, but not the log of it:
        https://www.sqlite.org/pragma.html#pragma_secure_delete, https://www.sqlite.org/wal.html#checkpointing
        """
        with self._translated(), contextlib.closing(self._engine.raw_connection()) as raw:
            cursor = raw.cursor()
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (busy, *_) = cursor.fetchone() or (1,)
            cursor.close()
            return not busy

    def rewrite(self) -> None:
        """Write the file anew (VACUUM), without what earlier moves of entries between pages may have left in them.

        Merging pages copies entries, and `secure_delete` does not zero every place they were copied from (measured: of
        500 deleted entries 3 left a part behind). Takes a write lock for as long as it lasts.
        """
        with self._translated(), contextlib.closing(self._engine.raw_connection()) as raw:
            cursor = raw.cursor()
            cursor.execute("VACUUM")
            cursor.close()

    def exposures(self) -> tuple[str, ...]:
        """See `Database.exposures`: a file keeps no history of its own."""
        return ()

    def _told(self, error: BaseException, progress: Progress) -> str:  # noqa: ARG002 - a file is never half reached
        full_name: str = getattr(error, "sqlite_errorname", "")
        # SQLITE_IOERR_WRITE and the like are told as their family.
        name = next((known for known in _MESSAGES if full_name.startswith(known)), "")
        return _MESSAGES.get(name, "unexpected error, see doctor")


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    """Set up every new connection; SQLAlchemy, not sqlite3, begins transactions (see `_begin`)."""
    connection.isolation_level = None
    # SQLite stores any bytes as text; those that are none must not make the rows around them unreadable.
    connection.text_factory = lambda data: data.decode(errors="replace")
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        # A destroyed key must stay destroyed after a power cut; WAL with NORMAL may lose the last commits.
        "synchronous=FULL",
        "secure_delete=ON",
        # Sorting and temporary indexes must not spill into files.
        "temp_store=MEMORY",
        "foreign_keys=ON",
        "trusted_schema=OFF",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    """Begin for real; a writer takes its lock at once, since upgrading a read lock later fails without waiting."""
    writes = connection.get_execution_options().get("anruflotse_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
