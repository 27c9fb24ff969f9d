"""Looking at a record store without changing it: read-only connections, counts and times, no content and no ids.

The stores are compared by their ids. What is found wrong is looked at once more, since calls
and sweeps go on meanwhile.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Select, Table, create_engine, func, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from anruflotse.clock import Clock
from anruflotse.records.model import RETENTION_DAYS, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.stores.opener import KEYS_DIRECTORY, KEYS_FILE, ROWS_FILE
from anruflotse.records.stores.postgres import parsed
from anruflotse.records.stores.tables import (
    cases,
    is_due,
    key_tombstones,
    keys,
    not_held,
    records,
    row_tombstones,
)
from anruflotse.records.times import FAR, from_micros, to_micros
from anruflotse.settings import Settings
from anruflotse.verification.evidence import Store

WRITING = timedelta(minutes=10)
"""How long a write may take between its key and its row (as for the sweep)."""
_MICROSECONDS = 1_000_000
_LONGEST = timedelta(days=RETENTION_DAYS) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is: its directory and, with PostgreSQL, the two databases."""

    directory: Path
    rows_url: str | None = None
    keys_url: str | None = None

    @property
    def exists(self) -> bool:
        """Whether anything was ever stored there; a server that cannot be asked may hold something. Blocks."""
        if self.rows_url is None:
            return (self.directory / ROWS_FILE).exists()
        try:
            with _connections(self) as (_, row_side):
                return inspect(row_side).has_table(records.name)
        except (SQLAlchemyError, StoreError):
            return True


def place_of(settings: Settings) -> Place:
    """Where the store of these settings is."""
    return Place(settings.data / "records", **settings.records.urls())


def look(place: Place, clock: Clock, writing: timedelta = WRITING) -> Store:
    """The store as it stands; with `fault` when it cannot be read. What is younger than `writing` may lack a half."""
    where = str(place.directory) if place.rows_url is None else "PostgreSQL"
    try:
        with _connections(place) as (key_side, row_side):
            found = _look(Store(where), key_side, row_side, clock.now(), writing)
    except (SQLAlchemyError, OSError, StoreError) as error:
        return Store(where, fault=type(error).__name__)
    return replace(found, open_files=_open_files(place.directory))


def with_trail(found: Store, store: Records) -> Store:
    """`found` with what `store` says of its audit trail: whether every entry and every signed head is what it was."""
    try:
        verified = store.verify_trail()
    except StoreError as error:
        return replace(found, trail_intact=None, trail_wrong=str(error))
    return replace(found, trail_entries=verified.entries, trail_intact=verified.intact, trail_wrong=verified.wrong)


def ids(place: Place) -> tuple[frozenset[str], frozenset[str]]:
    """The ids of all keys, and those of all rows. Raises what the databases raise."""
    with _connections(place) as (key_side, row_side):
        return frozenset(_ids(key_side, keys)), frozenset(_ids(row_side, records))


def rows_of(place: Place, wanted: Select[Any]) -> list[dict[str, object]]:
    """What the row store answers, a mapping a row, in every column there really is. Raises what the database raises."""
    with _connections(place) as (_, row_side):
        return [dict(row) for row in row_side.execute(wanted).mappings()]


def destroyed_at(place: Place, record_id: str) -> datetime | None:
    """When a record was destroyed in both stores, by their tombstones; None while it is there."""
    with _connections(place) as (key_side, row_side):
        left = _ids(key_side, keys) | _ids(row_side, records)
        times = [
            side.execute(select(table.c.at).where(table.c.id == record_id)).scalar_one_or_none()
            for side, table in ((key_side, key_tombstones), (row_side, row_tombstones))
        ]
    known = [at for at in times if at is not None]
    return None if record_id in left or len(known) < len(times) else from_micros(max(known))


def _look(found: Store, key_side: Connection, row_side: Connection, now: datetime, writing: timedelta) -> Store:
    at, grown = to_micros(now), to_micros(now - writing)
    overdue = is_due(keys, at) & not_held()
    count, oldest = key_side.execute(
        select(func.count(), func.min(keys.c.expires_at)).select_from(keys).where(overdue)
    ).one()
    late_rows = row_side.execute(select(func.min(records.c.expires_at)).where(is_due(records, at))).scalar_one()
    requests = _ids(row_side, cases) if inspect(row_side).has_table(cases.name) else set()
    wrong = _wrong(key_side, row_side, grown, requests)
    if any(wrong):
        again = _wrong(key_side, row_side, grown, requests)
        wrong = (wrong[0] & again[0], wrong[1] & again[1], wrong[2] & again[2])
    unpaired_keys, unpaired_rows, returned = wrong
    held = set(key_side.execute(select(keys.c.id).where(keys.c.held)).scalars())
    late = [one for one in (oldest, late_rows if not held else oldest) if one is not None]
    too_long = select(keys.c.id).where(keys.c.expires_at - keys.c.created_at > _LONGEST, keys.c.expires_at < FAR)
    return replace(
        found,
        records=row_side.execute(select(func.count()).select_from(records)).scalar_one(),
        keys=key_side.execute(select(func.count()).select_from(keys)).scalar_one(),
        unpaired_keys=len(unpaired_keys),
        unpaired_rows=len(unpaired_rows),
        returned=len(returned),
        overdue=count,
        late_seconds=max((at - min(late)) / _MICROSECONDS, 0.0) if late else 0.0,
        overlong=len(set(key_side.execute(too_long).scalars()) - requests),
        bases=_counted(row_side, "legal_basis"),
        purposes=_counted(row_side, "purpose"),
    )


def _wrong(
    key_side: Connection, row_side: Connection, grown: int, requests: AbstractSet[str]
) -> tuple[set[str], set[str], set[str]]:
    """Keys without row, rows without key, and what has a tombstone and is there all the same."""
    keyed, rowed = _ids(key_side, keys), _ids(row_side, records)
    old_keys = set(key_side.execute(select(keys.c.id).where(keys.c.created_at <= grown)).scalars())
    old_rows = set(row_side.execute(select(records.c.id).where(records.c.recorded_at <= grown)).scalars())
    held = set(key_side.execute(select(keys.c.id).where(keys.c.held)).scalars())
    buried = _ids(key_side, key_tombstones) | _ids(row_side, row_tombstones)
    return (keyed & old_keys) - rowed - requests - held, (rowed & old_rows) - keyed, (keyed | rowed) & buried


def _ids(connection: Connection, table: Table) -> set[str]:
    return set(connection.execute(select(table.c.id)).scalars())


def _counted(connection: Connection, column: str) -> dict[str, int]:
    found = select(records.c[column], func.count()).group_by(records.c[column])
    return {str(value): number for value, number in connection.execute(found)}


@contextmanager
def _connections(place: Place) -> Iterator[tuple[Connection, Connection]]:
    """Read-only connections to keys and rows."""
    files = (place.directory / KEYS_DIRECTORY / KEYS_FILE, place.directory / ROWS_FILE)
    names = ("key store", "record store")
    urls = [
        _read_only(file) if url is None else parsed(name, url)
        for name, file, url in zip(names, files, (place.keys_url, place.rows_url), strict=True)
    ]
    engines = [create_engine(url, hide_parameters=True) for url in urls]
    try:
        with engines[0].connect() as key_side, engines[1].connect() as row_side:
            for side in (key_side, row_side):
                if side.dialect.name == "postgresql":
                    side.exec_driver_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
                    side.commit()
                    side.execution_options(isolation_level="READ COMMITTED")
            yield key_side, row_side
    finally:
        for engine in engines:
            engine.dispose()


def _read_only(file: Path) -> URL:
    return URL.create("sqlite", database=f"file:{quote(str(file.absolute()))}", query={"mode": "ro", "uri": "true"})


def _open_files(directory: Path) -> tuple[str, ...]:
    """What below `directory`, itself included, others than its owner may read or enter."""
    found = []
    for path in [directory, *sorted(directory.rglob("*"))]:
        with suppress(OSError):
            facts = path.lstat()
            if not stat.S_ISLNK(facts.st_mode) and facts.st_mode & 0o077:
                found.append(path.name)
    return tuple(found)
