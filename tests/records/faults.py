"""Faults to be had on purpose: a process that dies at a commit, and raw looks into both kinds of database."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine.default import DefaultDialect

from anruflotse.records.repository import Records
from anruflotse.records.stores.database import Database


class CrashError(BaseException):
    """The process ends here."""


class Commits:
    """How many commits there were, of reads as well: each is a moment at which a process can die."""

    def __init__(self) -> None:
        self.number = 0


@contextlib.contextmanager
def crash_at(number: int, *, after: bool) -> Iterator[Commits]:
    """The process dies at its commit of this number, before it or when it is done; it commits nothing any more."""
    commits = Commits()
    commit = DefaultDialect.do_commit

    def do_commit(self: DefaultDialect, connection: Any) -> None:  # noqa: ANN401 - whichever driver
        commits.number += 1
        if commits.number > number or (commits.number == number and not after):
            raise CrashError
        commit(self, connection)  # type: ignore[no-untyped-call]
        if commits.number == number:
            raise CrashError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DefaultDialect, "do_commit", do_commit)
        yield commits


def keys_of(store: Records) -> Database:
    return store._opener.stores().keys.database


def rows_of(store: Records) -> Database:
    return store._opener.stores().rows.database


def ask(database: Database, query: str, **values: object) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(text(query), values).scalars())


def run(database: Database, *statements: str) -> None:
    with database.write() as connection:
        for statement in statements:
            connection.execute(text(statement))


def refuse_deletion(database: Database, table: str, record_id: str) -> None:
    """From now on this row of `table` cannot be deleted, whoever tries."""
    if database.place.endswith(".sqlite"):
        run(
            database,
            f"CREATE TRIGGER no BEFORE DELETE ON {table} WHEN old.id = '{record_id}' "
            "BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        return
    run(
        database,
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$",
        f"CREATE TRIGGER no BEFORE DELETE ON {table} FOR EACH ROW WHEN (old.id = '{record_id}') EXECUTE FUNCTION no()",
    )


def allow_deletion(database: Database, table: str) -> None:
    run(database, "DROP TRIGGER no" if database.place.endswith(".sqlite") else f"DROP TRIGGER no ON {table}")
