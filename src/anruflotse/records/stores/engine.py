"""What both kinds of database have in common: transactions, whose every error leaves as a sentence without content."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, inspect, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.schema import Table

from anruflotse.records.model import StoreError
from anruflotse.records.stores.migrations import running


@dataclass(slots=True)
class Progress:
    """How far a transaction got, which decides what its failure means."""

    connected: bool = False
    committing: bool = False


class EngineDatabase(abc.ABC):
    """A database behind an SQLAlchemy engine. Every error leaves as `StoreError` with a static message."""

    name: str
    """How messages call it."""
    _driver_error: type[Exception]
    """What the driver raises when it is used without SQLAlchemy."""

    def __init__(self, name: str, main: Table, stranger: str, engine: Engine, also: Sequence[Table] = ()) -> None:
        """`main` is the table that counts, `also` those beside it; one called `stranger` is the other database's."""
        self.name = name
        self._main = main
        self._also = tuple(also)
        self._stranger = stranger
        self._engine = engine

    @property
    @abc.abstractmethod
    def place(self) -> str:
        """Where it is, fit to be shown: without user and password."""

    @abc.abstractmethod
    def _told(self, error: BaseException, progress: Progress) -> str:
        """What went wrong and what to do, as the end of a sentence; never with anything the error says."""

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """See `Database.read`."""
        with self._transaction(writes=False) as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """See `Database.write`."""
        with self._transaction(writes=True) as connection:
            yield connection

    def records(self) -> int | None:
        """See `Database.records`."""
        with self.read() as connection:
            looked = inspect(connection)
            if not looked.has_table(self._main.name):
                return None
            # A database of an earlier version lacks the others.
            counted = [self._main, *(table for table in self._also if looked.has_table(table.name))]
            return sum(connection.execute(select(func.count()).select_from(table)).scalar_one() for table in counted)

    def close(self) -> None:
        """See `Database.close`."""
        self._engine.dispose()

    def _migrate(self, connection: Connection) -> None:
        """Bring the tables up to date, in a transaction that shuts out everybody else who would."""
        if inspect(connection).has_table(self._stranger):
            message = (
                f"The {self.name} {self.place} is the other store's database: keys and records need a database each, "
                "or a backup of the one would hold the other."
            )
            raise StoreError(message)
        if not running.upgrade(connection, self._main.name):
            message = f"The {self.name} {self.place} was made by a newer version of anruflotse: update the software."
            raise StoreError(message)

    @contextlib.contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        with self._translated() as progress, contextlib.ExitStack() as stack:
            connection = stack.enter_context(self._engine.connect())
            progress.connected = True
            stack.enter_context(connection.execution_options(anruflotse_writes=writes).begin())
            yield connection
            progress.committing = writes

    @contextlib.contextmanager
    def _translated(self) -> Iterator[Progress]:
        progress = Progress()
        try:
            yield progress
        except (SQLAlchemyError, OSError, self._driver_error) as error:
            cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
            message = f"The {self.name} {self.place} failed: {self._told(cause, progress)}."
        else:
            return
        raise StoreError(message) from None
