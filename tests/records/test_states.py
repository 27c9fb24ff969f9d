"""Any order of writing, reading, ending, holding, rotating, clock jumps, crashes, restores and two processes at once.

*Nothing unexpired and unerased is ever lost; nothing expired or erased is ever readable.* What may be lost, honestly:

- what was recorded after a backup, when that backup of the rows or of the keys is put back,
- a restriction or hold placed, or the expiry of a case set, after a backup of the keys, when that is put back (a hold
  that was *lifted* stays so),
- what was swept while the clock was ahead by mistake.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from anruflotse.bench.cluster import Cluster
from anruflotse.clock import FakeClock
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import AccessRefusedError, DestroyReason, Draft, NotFoundError, Purpose, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.restriction import Ground, HeldError
from anruflotse.records.retention.journal import FILE, LIFTED, Journal
from anruflotse.records.stores.tables import keys as key_table
from anruflotse.records.times import from_micros
from tests.records.conftest import OFFICER, memory
from tests.records.faults import CrashError, ask, crash_at, keys_of, rows_of
from tests.records.places import Databases, Files, Place, heads_of, openable, put_heads

LIFE = timedelta(days=28)
ALWAYS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC))
STAFF = Accessor("stimme", Role.SPEECH)
OPERATOR = Accessor("betrieb", Role.OPERATIONS)
WHO = st.integers(0, 1)
AGES = st.sampled_from([timedelta(), timedelta(hours=1), timedelta(days=8), timedelta(days=26)])


class Promises(RuleBasedStateMachine):
    """Compares two processes that share a store with a model of what must be readable, and what must never be."""

    sealed = Bundle("sealed")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.clock = FakeClock()
        self.stores: list[Records] = []
        self.drafts = 0
        self.steps = 0
        self.expiry: dict[str, datetime] = {}
        """Every record and case there ever was."""
        self.cases: set[str] = set()
        self.erased: set[str] = set()
        """Never readable again, whatever happens."""
        self.ended: set[str] = set()
        """Swept. Only a restore while the clock tells a time before their expiry brings them back."""
        self.unsure: set[str] = set()
        """May be readable or not, for a restore lost them or a crash interrupted their end."""
        self.restricted: set[str] = set()
        self.held: set[str] = set()
        self.lifted: set[tuple[str, int]] = set()
        self.kept_time: datetime | None = None
        """The time that was last written into the stores."""
        self.backups: list[tuple[int, frozenset[str], bool]] = []
        """Number, the records in it, and whether the master key is still the one of then."""
        self._open()

    def _open(self) -> None:
        self.stores = [self.place.home.open(self.clock, busy_seconds=2) for _ in range(2)]
        self.stores[0].prepare()

    def _close(self) -> None:
        for store in self.stores:
            store.close()

    def _expired(self, one: str, now: datetime) -> bool:
        return self.expiry[one] <= now and one not in self.held

    def _must(self, now: datetime) -> set[str]:
        known = set(self.expiry) - self.erased - self.ended - self.unsure
        return {one for one in known if not self._expired(one, now)}

    def _may(self, now: datetime) -> set[str]:
        return {one for one in set(self.expiry) - self.erased - self.ended if not self._expired(one, now)}

    def _look(self) -> None:
        """Take from the store who is restricted and held, where the model cannot know."""
        with keys_of(self.stores[0]).read() as connection:
            found = list(connection.execute(select(key_table).where(key_table.c.restriction.is_not(None))))
        self.restricted = {row.id for row in found}
        self.held = {row.id for row in found if row.held and (row.id, row.restricted_at) not in self.lifted}

    def _look_at_expiries(self) -> None:
        """Take from the store when cases end: a change may have been interrupted, or an older one is back."""
        with keys_of(self.stores[0]).read() as connection:
            for row in connection.execute(select(key_table.c.id, key_table.c.expires_at)):
                if row.id in self.cases:
                    self.expiry[row.id] = from_micros(row.expires_at)

    def _draft(self, age: timedelta) -> Draft:
        self.drafts += 1
        return Draft(
            reference=f"{self.drafts:032x}",
            started_at=self.clock.now() - age,
            recorded_at=self.clock.now() - age,
            decision="route",
            outcome="succeeded",
            concern="pflege",
            transcripts=(f"Satz {self.drafts}",),
            caller=f"030 {self.drafts}",
        )

    def _alive(self, one: str, store: Records) -> bool:
        return one in self._must(store._now())

    @initialize(target=sealed)
    def some_calls(self) -> object:
        """Something to begin with, and a backup of it: rules are drawn alike, whether there is anything to apply to."""
        found = multiple(*(self.seal(who % 2, timedelta(days=who)) for who in range(4)))
        self.backup()
        return found

    @rule(target=sealed, who=WHO, age=AGES)
    def seal(self, who: int, age: timedelta) -> object:
        store, draft = self.stores[who], self._draft(age)
        expiry = draft.recorded_at + LIFE
        if expiry <= store._now():
            with pytest.raises(StoreError):
                store.seal(draft)
            return multiple()
        one = store.seal(draft)
        self.expiry[one] = expiry
        return one

    @rule(target=sealed, who=WHO, days=st.sampled_from([2, 40, 400]))
    def file(self, who: int, days: int) -> object:
        """A case: what is true of records is true of these."""
        store = self.stores[who]
        expiry = store._now() + timedelta(days=days)
        one = store.file_case({"text": "Satz"}, OFFICER, expires_at=expiry)
        store.attach(one, "a", b"Satz", OFFICER)
        self.expiry[one] = expiry
        self.cases.add(one)
        return one

    @rule(who=WHO, one=sealed, days=st.sampled_from([2, 40, 400]))
    def update(self, who: int, one: str, days: int) -> None:
        store = self.stores[who]
        if one not in self.cases or not self._alive(one, store):
            return
        version, expiry = store.case(one, OFFICER).version, store._now() + timedelta(days=days)
        assert store.update_case(one, {"text": "Satz"}, OFFICER, version=version, expires_at=expiry) == version + 1
        self.expiry[one] = expiry

    def _read_case(self, store: Records, one: str) -> None:
        if one in self._must(store._now()):
            case = store.case(one, OFFICER)
            assert (case.body, case.expires_at) == ({"text": "Satz"}, self.expiry[one])
            assert store.attachments(one, OFFICER) == ("a",)
            assert store.attachment(one, "a", OFFICER) == b"Satz"
        elif one not in self._may(store._now()):
            with pytest.raises(NotFoundError):
                store.case(one, OFFICER)

    @rule(who=WHO, one=sealed)
    def read(self, who: int, one: str) -> None:
        store = self.stores[who]
        if one in self.cases:
            self._read_case(store, one)
        elif one in self._must(store._now()):
            record = store.open(one, OFFICER, Purpose.RIGHTS)
            assert record.transcripts[0].startswith("Satz ")
            assert record.summary.expires_at == self.expiry[one]
            assert store.find_reference(record.summary.reference, OFFICER, Purpose.RIGHTS) == one
            assert store.find_caller(record.caller or "", OFFICER, Purpose.RIGHTS) == (one,)
            if one in self.restricted:
                with pytest.raises(AccessRefusedError, match="restricted"):
                    store.open(one, STAFF, Purpose.FORWARDING)
            else:
                assert store.open(one, STAFF, Purpose.FORWARDING, audio=True).transcripts
        elif one not in self._may(store._now()):
            for accessor, purpose in ((OFFICER, Purpose.RIGHTS), (STAFF, Purpose.FORWARDING)):
                with pytest.raises(NotFoundError):
                    store.open(one, accessor, purpose)

    @rule(who=WHO)
    def list(self, who: int) -> None:
        store = self.stores[who]
        listed = {line.id for line in store.list(OFFICER, Purpose.RIGHTS)}
        now = store._now()
        listed |= {case.id for case in store.cases(OFFICER)}
        assert self._must(now) <= listed <= self._may(now)
        found = {*store.find_window(*ALWAYS, OFFICER, Purpose.RIGHTS)}
        assert found == listed - self.cases
        assert {line.id for line in store.list(STAFF, Purpose.FORWARDING)} <= listed - self.restricted

    @rule(who=WHO, one=sealed)
    def destroy(self, who: int, one: str) -> None:
        store = self.stores[who]
        alive = self._alive(one, store)
        done = self._destroy(store, one)
        assert done or not alive
        if done:
            self.erased.add(one)

    def _destroy(self, store: Records, one: str) -> bool:
        if one in self.cases:
            return store.destroy_case(one, OFFICER)
        return store.destroy(one, DestroyReason.ERASED, OFFICER)

    @rule(who=WHO, one=sealed, hold=st.booleans())
    def restrict(self, who: int, one: str, hold: bool) -> None:
        store = self.stores[who]
        if not self._alive(one, store) or one in self.cases:
            return
        self.clock.advance(1)
        if not self._alive(one, store):
            return
        was_held = self._since(one)
        later = store._now() + timedelta(days=9)
        if one in self.held and not hold:
            with pytest.raises(HeldError):
                store.restrict(one, OFFICER, Ground.CONTESTED)
            return
        store.restrict(one, OFFICER, Ground.LEGAL_CLAIMS, hold=hold, review_on=later)
        self._unheld(one, was_held)
        self.restricted.add(one)
        if hold:
            self.held.add(one)

    @rule(who=WHO, one=sealed)
    def lift(self, who: int, one: str) -> None:
        store = self.stores[who]
        if not self._alive(one, store) or one not in self.restricted:
            return
        was_held = self._since(one)
        store.lift(one, OFFICER)
        self._unheld(one, was_held)
        self.restricted.discard(one)
        if self.expiry[one] <= store._now():
            self.ended.add(one)

    def _since(self, one: str) -> int | None:
        found = ask(keys_of(self.stores[0]), "SELECT restricted_at FROM keys WHERE id = :one AND held", one=one)
        return found[0] if found else None

    def _unheld(self, one: str, since: int | None) -> None:
        self.held.discard(one)
        # A hold under new terms is still the same one.
        if since is not None and self._since(one) != since:
            self.lifted.add((one, since))

    def sweep(self, who: int) -> None:
        swept = self.stores[who].sweep()
        assert swept.failed == 0
        self.kept_time = None if swept.at - self.clock.now() >= LIFE else swept.at
        self.ended |= {one for one in self.expiry if self._expired(one, swept.at)}
        left = {*ask(rows_of(self.stores[who]), "SELECT id FROM records UNION SELECT id FROM cases")}
        assert not left & (self.ended | self.erased)
        keys = set(ask(keys_of(self.stores[who]), "SELECT id FROM keys"))
        assert not keys & (self.ended | self.erased)

    def reconcile(self, who: int) -> None:
        store = self.stores[who]
        now = store._now()
        done = store.reconcile(force=True)
        assert (done.failed, done.damaged, done.trail) == (0, 0, True)
        self.kept_time = now
        self.ended |= {one for one in self.expiry if self._expired(one, now)}

    def rotate(self, who: int) -> None:
        self.stores[who].rotate(OPERATOR)
        self.backups = [(number, ids, False) for number, ids, _ in self.backups]

    @rule(who=WHO, one=sealed)
    def destroy_again(self, who: int, one: str) -> None:
        """What somebody does who is not sure."""
        self.destroy(who, one)

    @rule(time=st.sampled_from([timedelta(minutes=1), timedelta(hours=9), timedelta(days=2), timedelta(days=14), LIFE]))
    def time_passes(self, time: timedelta) -> None:
        self.clock.advance(time.total_seconds())

    @rule(days=st.sampled_from([-1, 1, -20, 20, -40, 40]), restart=st.booleans())
    def clock_is_set(self, days: int, restart: bool) -> None:
        self.clock.jump(self.clock.now() + timedelta(days=days))
        if restart:
            self.restart()

    @rule(who=WHO, one=sealed)
    def hold_beyond_the_expiry(self, who: int, one: str) -> None:
        self.restrict(who, one, hold=True)
        self.clock.advance(LIFE.total_seconds())
        self.sweep(who)

    def restart(self) -> None:
        stores = self.stores[0]._opener.stores()
        times = [time for time in (stores.keys.latest_time(), stores.rows.latest_time()) if time is not None]
        kept = from_micros(max(times)) if times else None
        # Reads keep it as well, so it may be later than the last sweep; never earlier.
        assert self.kept_time is None or (kept is not None and kept >= self.kept_time)
        self._close()
        self._open()
        for store in self.stores:
            if kept is not None and kept - self.clock.now() < LIFE:
                assert store._now() >= kept
            else:
                assert store._now() == self.clock.now()

    @rule(
        who=WHO,
        one=sealed,
        act=st.sampled_from(["seal", "destroy", "destroy", "sweep", "hold", "lift", "reconcile", "rotate", "update"]),
        number=st.integers(1, 30),
        after=st.booleans(),
    )
    def crash(self, who: int, one: str, act: str, number: int, after: bool) -> None:
        """The machine goes down at any commit of anything; both processes start again."""
        store = self.stores[who]
        draft = self._draft(timedelta(hours=1))
        now = store._now()
        was_held = self._since(one)
        with crash_at(number, after=after), suppress(CrashError, StoreError, AccessRefusedError):
            self._do(act, store, one, draft)
        self.kept_time = None
        self._close()
        self._open()
        # Asked for, and entered: done, whether or not the process lived to tell.
        if bytes.fromhex(one) in Journal(self.place.home.directory / FILE).ids():
            self.erased.add(one)
        if was_held is not None and self._since(one) != was_held:
            self.lifted.add((one, was_held))
        pages = Journal(self.place.home.directory / FILE).pages()
        self.lifted |= {(entry.id, entry.at) for page in pages for entry in page if entry.reason == LIFTED}
        self._look()
        self._look_at_expiries()
        if act in {"sweep", "reconcile"}:
            self.unsure |= {known for known in self.expiry if self._expired(known, now)}
        self._take_in(draft)

    def _do(self, act: str, store: Records, one: str, draft: Draft) -> None:
        later = store._now() + timedelta(days=9)
        if act == "hold":
            self.clock.advance(1)
        if act == "rotate":
            self.backups = [(number, ids, False) for number, ids, _ in self.backups]
        acts: dict[str, Callable[[], object]] = {
            "seal": lambda: store.seal(draft),
            "destroy": lambda: self._destroy(store, one),
            "sweep": store.sweep,
            "hold": lambda: store.restrict(one, OFFICER, Ground.UNLAWFUL, hold=True, review_on=later),
            "lift": lambda: store.lift(one, OFFICER),
            "reconcile": lambda: store.reconcile(force=True),
            "update": lambda: store.update_case(
                one, {"text": "Satz"}, OFFICER, version=store.case(one, OFFICER).version, expires_at=later
            ),
            "rotate": lambda: store.rotate(OPERATOR),
        }
        acts[act]()

    def _take_in(self, draft: Draft) -> None:
        """A record whose row was committed is one, whether or not anybody was told."""
        query = "SELECT id FROM records WHERE reference = :reference"
        for one in ask(rows_of(self.stores[0]), query, reference=draft.reference):
            self.expiry[one] = draft.recorded_at + LIFE

    @rule(who=WHO, what=st.sampled_from(["sweep", "backup", "restart", "reconcile", "sweep", "backup", "rotate"]))
    def machine(self, who: int, what: str) -> None:
        """One rule for what is done to the machine, so that most steps are about records."""
        {
            "sweep": lambda: self.sweep(who),
            "reconcile": lambda: self.reconcile(who),
            "rotate": lambda: self.rotate(who),
            "backup": self.backup,
            "restart": self.restart,
        }[what]()

    def backup(self) -> None:
        ids = frozenset(openable(self.stores[0]))
        self._close()
        self.backups.append((self.place.backup(), ids, True))
        self._open()

    @rule(which=st.integers(0, 9), parts=st.sampled_from([("rows", "keys"), ("rows",), ("keys",)]))
    def restore(self, which: int, parts: tuple[str, ...]) -> None:
        """Some time later somebody puts a backup back, and both processes start again."""
        fit = [(number, ids) for number, ids, fits in self.backups if fits or parts == ("rows",)]
        if not fit:
            return
        number, ids = fit[which % len(fit)]
        heads = heads_of(self.stores[0])
        self._close()
        for part in parts:
            self.place.restore(number, part)
        self.clock.advance(1)
        self._open()
        self.kept_time = None
        self._look_at_expiries()
        # Lost: recorded since. Back, if their time has not come by any clock that is believed: swept since.
        self.unsure |= set(self.expiry) - ids
        back = {one for one in self.ended & ids if self.expiry[one] > self.clock.now() or one in self._held_once()}
        self.ended -= back
        self.unsure |= back
        self._look()
        # Before anything was reconciled.
        for _ in self.stores:
            self.nothing_is_lost_and_nothing_comes_back()
        if parts == ("keys",):
            put_heads(self.stores[0], heads)
        for who in (0, 1):
            self.reconcile(who)

    @rule(which=st.integers(0, 9))
    def restore_all(self, which: int) -> None:
        """The dangerous one: both stores fit each other."""
        self.restore(which, ("rows", "keys"))

    def _held_once(self) -> set[str]:
        """Records that an old key store may hold beyond their expiry, unless that hold was lifted."""
        with keys_of(self.stores[0]).read() as connection:
            rows = connection.execute(select(key_table.c.id, key_table.c.restricted_at).where(key_table.c.held))
            return {row.id for row in rows if (row.id, row.restricted_at) not in self.lifted}

    @invariant()
    def nothing_is_lost_and_nothing_comes_back(self) -> None:
        self.steps += 1
        store = self.stores[self.steps % 2]
        found = openable(store)
        now = store._now()
        assert now >= self.clock.now()
        assert self._must(now) <= found, "lost"
        assert found <= self._may(now), "readable"

    def teardown(self) -> None:
        """Whatever happened, a year later nothing is left but what somebody holds."""
        self.clock.advance(2 * 365 * 86400)
        store = self.stores[0]
        assert store.sweep().failed == 0
        rows = "SELECT id FROM records UNION SELECT id FROM cases"
        for database, query in ((keys_of(store), "SELECT id FROM keys"), (rows_of(store), rows)):
            assert set(ask(database, query)) <= self.held
        self._close()
        self.place.remove()


EXAMPLES = int(os.environ.get("ANRUFLOTSE_TEST_STATES", "10"))
"""How many runs of 30 steps; more are worth while after a change here (a run takes about half a second)."""
CHECKED = settings(
    stateful_step_count=30, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), print_blob=False
)


def check(make: Callable[[Path], Place], examples: int) -> None:
    with tempfile.TemporaryDirectory(dir=memory()) as top:
        numbers = itertools.count()

        class InPlace(Promises):
            def __init__(self) -> None:
                super().__init__(make(Path(top) / str(next(numbers))))

        run_state_machine_as_test(InPlace, settings=settings(CHECKED, max_examples=examples))


def test_promises_hold_in_files() -> None:
    check(Files, EXAMPLES)


def test_promises_hold_in_postgresql(server: Cluster, templates: tuple[str, str]) -> None:
    check(lambda directory: Databases(server, templates, directory), max(1, EXAMPLES // 6))
