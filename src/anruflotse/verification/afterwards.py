"""What becomes of a record: experiments on copies of the test store, after the calls. All of it blocks.

Each experiment has a copy of its own, so that none depends on another one and the store itself stays as the calls left
it.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from anruflotse.app.building import make_records
from anruflotse.clock import Clock
from anruflotse.records.access import Accessor, Kind, Role, allowed
from anruflotse.records.audit.trail import Filter
from anruflotse.records.model import AccessRefusedError, DestroyReason, Purpose, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.restriction import Ground
from anruflotse.records.stores.opener import KEYS_DIRECTORY, KEYS_FILE, ROWS_FILE
from anruflotse.settings import Settings
from anruflotse.verification.evidence import Access, Erasure, Expiry, RecordLeft
from anruflotse.verification.inspection import Place, ids
from anruflotse.verification.stage import OFFICER

ELSEWHERE = "eine-andere-abteilung"
_LATER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Subject:
    """The record the experiments are made on, where the store lies, and the number its caller had."""

    record: RecordLeft
    number: str
    store: Path
    """The data directory of the test service, which is closed."""
    settings: Settings
    """Those of the test service."""
    clock: Clock


class MovedClock:
    """A clock that is ahead of another one; see `Clock`."""

    def __init__(self, clock: Clock, ahead: timedelta) -> None:
        """Be `ahead` of `clock`."""
        self._clock = clock
        self._ahead = ahead

    def now(self) -> datetime:
        """See `Clock.now`."""
        return self._clock.now() + self._ahead

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        await self._clock.sleep(seconds)


def expire(subject: Subject) -> Expiry:
    """Move the clock beyond the expiry of the record, to see it refused at once and gone after a sweep."""
    retention = subject.settings.retention.days
    expires_at = subject.record.expires_at or subject.clock.now()
    with copied(subject, "expiry") as data:
        with opened(subject, data) as store:
            before = _readable(store, subject.record.id)
        # By our own reckoning, not by the expiry the record names: that may be what is wrong.
        later = MovedClock(subject.clock, timedelta(days=retention) + _LATER)
        with opened(subject, data, later) as store:
            after = _readable(store, subject.record.id)
            listed = any(one.id == subject.record.id for one in store.list(OFFICER, Purpose.RIGHTS))
            store.sweep()
        keys, rows = ids(_place(data))
    return Expiry(
        days=retention,
        expires_at=expires_at,
        readable_before=before,
        readable_after=after,
        listed_after=listed,
        key_left=subject.record.id in keys,
        row_left=subject.record.id in rows,
    )


def erase(subject: Subject) -> tuple[Erasure, ...]:
    """Erase the record in every way it can be asked for, and put back a backup of both stores from before."""
    made = subject.record.recorded_at or subject.clock.now()

    def by_record(_: Records) -> tuple[str, ...]:
        return (subject.record.id,)

    def by_number(store: Records) -> tuple[str, ...]:
        return store.find_caller(subject.number, OFFICER, Purpose.RIGHTS)

    def by_window(store: Records) -> tuple[str, ...]:
        return store.find_window(made, made + timedelta(seconds=1), OFFICER, Purpose.RIGHTS)

    ways = {"Kennung": by_record, "Rufnummer": by_number, "Zeitraum": by_window}
    return tuple(_erase(subject, way, find) for way, find in ways.items())


def _erase(subject: Subject, way: str, find: Callable[[Records], tuple[str, ...]]) -> Erasure:
    record_id = subject.record.id
    with copied(subject, f"erase-{way.lower()}") as data:
        backup = data.with_name(f"{data.name}-backup")
        shutil.copytree(data, backup, symlinks=True)
        with opened(subject, data) as store:
            for one in find(store):
                store.destroy(one, DestroyReason.ERASED, OFFICER)
            gone = not _readable(store, record_id)
        key_left = record_id in ids(_place(data))[0]
        _put_back(backup, data)
        with opened(subject, data) as store:
            # At once, and again when the trail has gone on after what the restore lost of it: until then nobody reads.
            returned = _readable(store, record_id)
            store.reconcile()
            returned = _readable(store, record_id) or returned
        return Erasure(way, gone, key_left, returned, record_id in ids(_place(data))[0])


def access(subject: Subject, open_pages: tuple[str, ...]) -> Access:
    """Try everything in every role, look whether the trail tells of it, and whether it notices that it was changed."""
    table = {
        f"{role} {purpose} {kind}"
        for role in Role
        for purpose in Purpose
        for kind in Kind
        if allowed(role, purpose, kind)
    }
    tried: set[str] = set()
    could: set[str] = set()
    with copied(subject, "access") as data:
        with opened(subject, data) as store:
            elsewhere = _may(lambda: store.concern(subject.record.reference, _tester(Role.DEPARTMENT, ELSEWHERE)))
            untold = 0
            for role in Role:
                tester = _tester(role, subject.record.department or "")
                attempts = _attempts(store, subject, tester)
                before = _told(store, tester)
                for what, attempt in attempts.items():
                    tried.add(f"{role} {what}")
                    if _may(attempt):
                        could.add(f"{role} {what}")
                untold += max(0, len(attempts) - (_told(store, tester) - before))
            intact = store.verify_trail().intact
        _tamper(data / "records" / ROWS_FILE)
        with opened(subject, data) as store:
            noticed = not store.verify_trail().intact
    return Access(
        table=frozenset(table),
        tried=frozenset(tried),
        could=frozenset(could),
        elsewhere=elsewhere,
        untold=untold,
        trail_intact=intact,
        tampering_noticed=noticed,
        open_pages=open_pages,
    )


def _attempts(store: Records, subject: Subject, who: Accessor) -> dict[str, Callable[[], object]]:
    """Every kind of access, by `purpose kind`; each returns something true when it showed or did something."""
    one, reference = subject.record.id, subject.record.reference
    made = subject.record.recorded_at or subject.clock.now()
    later = subject.clock.now() + timedelta(days=1)

    def restrict() -> bool:
        store.restrict(one, who, Ground.CONTESTED)
        store.lift(one, who)
        return True

    def rectify() -> bool:
        store.rectify(one, who, 0, "Prüfung")
        return True

    def object_() -> bool:
        store.object_number(subject.number, who, until=later)
        return True

    attempts: dict[str, Callable[[], object]] = {
        f"{Purpose.RIGHTS} {Kind.RESTRICT}": restrict,
        f"{Purpose.RIGHTS} {Kind.RECTIFY}": rectify,
        f"{Purpose.RIGHTS} {Kind.OBJECT}": object_,
        f"{Purpose.RIGHTS} {Kind.CASE}": lambda: store.file_case({"pruefung": True}, who, expires_at=later),
        f"{Purpose.OPERATION} {Kind.ROTATE}": lambda: store.rotate(who),
    }
    for purpose in Purpose:
        shown: dict[Kind, Callable[[str], object]] = {
            Kind.LIST: lambda p: store.list(who, p),
            Kind.TEXT: lambda p: store.open(one, who, p),
            Kind.AUDIO: lambda p: store.open(one, who, p, audio=True).recording,
            Kind.NUMBER: lambda p: store.open(one, who, p).caller,
            Kind.CONCERN: lambda p: store.concern(reference, who, p),
            Kind.FIND_REFERENCE: lambda p: store.find_reference(reference, who, p),
            Kind.FIND_NUMBER: lambda p: store.find_caller(subject.number, who, p),
            Kind.FIND_WINDOW: lambda p: store.find_window(made, later, who, p),
            Kind.STATISTICS: lambda p: (store.statistics(who, p), True),
            Kind.TRAIL: lambda p: store.trail(who, p, limit=1),
        }
        for kind, attempt in shown.items():
            attempts[f"{purpose} {kind}"] = partial(attempt, purpose)
    return attempts


def _may(attempt: Callable[[], object]) -> bool:
    """Whether `attempt` showed or did anything. A fault of the store is none of the table's doing: no."""
    try:
        return bool(attempt())
    except (AccessRefusedError, StoreError):
        return False


def _tester(role: Role, department: str) -> Accessor:
    return Accessor(f"anruflotse verify als {role}", role, frozenset({department}))


def _told(store: Records, tester: Accessor) -> int:
    return len(store.trail(OFFICER, Purpose.SUPERVISION, Filter(accessor=tester.name)))


def _readable(store: Records, record_id: str) -> bool:
    return _may(lambda: store.open(record_id, OFFICER, Purpose.RIGHTS))


def _tamper(rows: Path) -> None:
    """Do what somebody with the file in hand would, to make an access look like another person's."""
    with closing(sqlite3.connect(rows)) as connection:
        # The database itself refuses changes; whoever has the file takes that away first.
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.execute("UPDATE audit SET accessor = 'niemand' WHERE seq = (SELECT min(seq) FROM audit)")
        connection.commit()


def _place(data: Path) -> Place:
    return Place(data / "records")


@contextmanager
def copied(subject: Subject, name: str) -> Iterator[Path]:
    """A copy of the test store in a data directory of its own; gone afterwards."""
    data = subject.store.with_name(f"{subject.store.name}-{name}")
    shutil.copytree(subject.store / "records", data / "records")
    try:
        yield data
    finally:
        for made in data.parent.glob(f"{data.name}*"):
            shutil.rmtree(made, ignore_errors=True)


@contextmanager
def opened(subject: Subject, data: Path, clock: Clock | None = None) -> Iterator[Records]:
    """The store in `data`, as a service opens it at its start, before anything was swept or compared."""
    store = make_records(subject.settings.model_copy(update={"data": data}), clock or subject.clock)
    try:
        store.prepare()
        yield store
    finally:
        store.close()


def _put_back(backup: Path, data: Path) -> None:
    """Put both stores back as they were; the journal of erasures stays, as docs/records.md demands."""
    for part in (Path(ROWS_FILE), Path(KEYS_DIRECTORY) / KEYS_FILE):
        target = data / "records" / part
        for rest in target.parent.glob(f"{target.name}-*"):
            rest.unlink()
        shutil.copy2(backup / "records" / part, target)
