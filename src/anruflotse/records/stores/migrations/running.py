"""Bringing a database up to date, inside a transaction of the caller: all of it, or nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

LINES = {"keys": "keys", "records": "rows"}
"""The line of revisions of a database, by its main table."""
FIRST = "0001"
"""What a database of before migrations is: its tables were made by `create_all`."""
VERSION_TABLE = "alembic_version"

_alone = threading.Lock()
"""Alembic's `op`, which the revisions use, is one for the whole process."""


def upgrade(connection: Connection, main: str, target: str | None = None) -> bool:
    """Bring the database with the main table `main` up to `target` (default: the newest revision).

    The transaction in which `connection` stands must keep others out who would do the same. Returns False, having done
    nothing, when the database is of a newer version than the software. Errors are SQLAlchemy's.
    """
    directory = _directory(LINES[main])

    def steps(revision: Any, _context: MigrationContext) -> Iterable[Any]:  # noqa: ANN401 - Alembic's own types
        return directory._upgrade_revs(target or "head", revision)  # noqa: SLF001 - as `alembic.command.upgrade` does

    with _alone:
        context = MigrationContext.configure(connection, opts={"fn": steps, "version_table": VERSION_TABLE})
        current = context.get_current_revision()
        if current is None and inspect(connection).has_table(main):
            context.stamp(directory, FIRST)
            current = FIRST
        if current is not None and current not in {one.revision for one in directory.walk_revisions()}:
            return False
        if current != (target or directory.get_current_head()):
            with Operations.context(context):
                context.run_migrations()
    return True


def newest(main: str) -> str:
    """The newest revision of the database with this main table."""
    return str(_directory(LINES[main]).get_current_head())


@cache
def _directory(line: str) -> ScriptDirectory:
    here = Path(__file__).parent
    return ScriptDirectory(str(here), version_locations=[str(here / line)])
