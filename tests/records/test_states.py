"""Any order of writing, reading, destroying, sweeping, clock jumps and crashes keeps the promises."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from anruflotse.clock import FakeClock
from anruflotse.records.model import DestroyReason, Draft, NotFoundError, Purpose, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.stores.rowstore import RowStore
from tests.records.conftest import OFFICER

GRACE = timedelta(minutes=10)
LIFE = timedelta(days=28)


class CrashError(BaseException):
    """The process ends here."""


class Promises(RuleBasedStateMachine):
    """Compares the store with a model: which records must be readable, and which must never be again."""

    sealed = Bundle("sealed")

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)  # noqa: S108
        self.directory = Path(self.place.name) / "records"
        self.clock = FakeClock()
        self.store = self._opened()
        self.expiry: dict[str, datetime] = {}
        self.dead: set[str] = set()
        self.references = 0
        self.half_written = 0
        self.counted = 0

    def _opened(self) -> Records:
        self.latest = self.clock.now()
        return Records(self.directory, self.clock, environment={}, busy_seconds=0.1)

    def _draft(self, age: timedelta) -> Draft:
        self.references += 1
        return Draft(
            reference=f"{self.references:032x}",
            started_at=self.clock.now() - age,
            recorded_at=self.clock.now() - age,
            decision="route",
            outcome="succeeded",
            concern="pflege",
            transcripts=(f"Satz {self.references}",),
            caller=f"030 {self.references}",
        )

    def _now(self) -> datetime:
        self.latest = max(self.latest, self.clock.now())
        return self.latest

    def _readable(self) -> set[str]:
        now = self._now()
        return {one for one, expiry in self.expiry.items() if one not in self.dead and expiry > now}

    @rule(target=sealed, age=st.integers(0, 27 * 24).map(lambda hours: timedelta(hours=hours)))
    def seal(self, age: timedelta) -> object:
        expiry = self.clock.now() - age + LIFE
        if expiry <= self._now():
            with pytest.raises(StoreError):
                self.store.seal(self._draft(age))
            return multiple()
        one = self.store.seal(self._draft(age))
        self.expiry[one] = expiry
        return one

    @rule()
    def crash_between_key_and_row(self) -> None:
        draft = self._draft(timedelta())
        self._now()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RowStore, "add", _crash)
            try:
                self.store.seal(draft)
            except CrashError:
                self.half_written += 1
            except StoreError:
                assert self.latest - self.clock.now() >= LIFE
        self.reopen()

    @rule(one=sealed)
    def crash_between_destroying_key_and_row(self, one: str) -> None:
        existed = one in self._readable()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RowStore, "destroy", _crash)
            try:
                self.store.destroy(one, DestroyReason.ERASED)
            except CrashError:
                pass
            else:
                assert not existed
        self.dead.add(one)
        self.reopen()

    @rule(one=sealed)
    def read(self, one: str) -> None:
        if one in self._readable():
            record = self.store.open(one, OFFICER, Purpose.RIGHTS)
            assert record.transcripts[0].startswith("Satz ")
            assert record.summary.expires_at == self.expiry[one]
            assert self.store.find_reference(record.summary.reference, OFFICER, Purpose.RIGHTS) == one
            assert self.store.find_caller(record.caller or "", OFFICER, Purpose.RIGHTS) == (one,)
        else:
            with pytest.raises(NotFoundError):
                self.store.open(one, OFFICER, Purpose.RIGHTS)

    @rule(one=sealed)
    def destroy(self, one: str) -> None:
        readable = one in self._readable()
        assert self.store.destroy(one, DestroyReason.ERASED) or not readable
        self.dead.add(one)

    @rule()
    def sweep(self) -> None:
        readable = self._readable()
        assert self.store.sweep().failed == 0
        # Gone for good, even should the clock be set back later.
        self.dead |= set(self.expiry) - readable
        assert self._rows() == readable
        assert readable <= self._keys()
        assert len(self._keys() - readable) <= self.half_written
        assert self.store.status().overdue == 0

    @rule(hours=st.integers(0, 30 * 24))
    def time_passes(self, hours: int) -> None:
        self.clock.advance(hours * 3600)

    @rule(hours=st.integers(-40 * 24, 40 * 24))
    def clock_is_set(self, hours: int) -> None:
        self._now()
        self.store.status()
        self.clock.jump(self.clock.now() + timedelta(hours=hours))

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = self._opened()

    @rule(department=st.sampled_from(["pflegekasse", "krankengeld"]))
    def count(self, department: str) -> None:
        self.store.count("routed", department, "route")
        self.counted += 1

    @invariant()
    def exactly_the_living_are_listed(self) -> None:
        assert {line.id for line in self.store.list(OFFICER, Purpose.RIGHTS)} == self._readable()

    @invariant()
    def every_living_record_has_exactly_one_key_and_no_dead_one_has_any(self) -> None:
        keys = self._keys()
        assert self._readable() <= keys
        assert not keys & self.dead

    @invariant()
    def counters_count_and_hold_no_id(self) -> None:
        counters = self.store._opener.stores().rows.counted()
        assert sum(entry.number for entry in counters) == self.counted
        assert not re.search(r"[0-9a-f]{8}", repr(counters))

    def _keys(self) -> set[str]:
        with closing(sqlite3.connect(self.directory / "keys" / "keys.sqlite")) as database:
            return {row[0] for row in database.execute("SELECT id FROM keys")}

    def _rows(self) -> set[str]:
        with closing(sqlite3.connect(self.directory / "records.sqlite")) as database:
            return {row[0] for row in database.execute("SELECT id FROM records")}

    def teardown(self) -> None:
        if self.half_written:
            self.clock.advance((LIFE + GRACE).total_seconds() + 400 * 86400)
            self.store.sweep()
            assert self._keys() == set()
        self.store.close()
        self.place.cleanup()


def _crash(*_: object) -> None:
    raise CrashError


Promises.TestCase.settings = settings(
    max_examples=20, stateful_step_count=20, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
TestPromises = Promises.TestCase
