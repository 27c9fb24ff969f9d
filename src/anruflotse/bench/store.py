"""How the record store grows: looking up, writing and sweeping with ten thousand and with a million records.

Runs on PostgreSQL as Debian ships it, on this machine's disk, in a cluster of its own that is removed afterwards. The
records that only fill the store are sealed like any other, under keys of their own, but copied in at once (COPY) and
without a recording: a million recordings of twenty seconds would take more than 100 GB.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from sqlalchemy import create_engine, text

from anruflotse.bench.cluster import cluster
from anruflotse.bench.figures import Figure, percentile
from anruflotse.clock import SystemClock
from anruflotse.pcm import Pcm
from anruflotse.records import contents
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import LEGAL_BASIS, Draft, Purpose, RankedConcern
from anruflotse.records.repository import Records
from anruflotse.records.stores.opener import Opener
from anruflotse.records.times import to_micros
from anruflotse.records.vault.envelope import FORMAT, Vault

SEAL_MS: Final = 10.0
"""CPU-milliseconds that sealing a recording of 20 s may take."""
GROWTH: Final = 2.0
"""How many times longer a look-up may take among a million records than among ten thousand."""
SWEEP_SECONDS: Final = 10.0
"""How long the sweep of 10,000 due records may take: 1,000 a second."""

_CHUNK: Final = 10_000
_DUE: Final = 10_000
_SECONDS: Final = 20.0
_RATE: Final = 8000
_OFFICER: Final = Accessor("bench", Role.PRIVACY)

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Size:
    """How many records there are at the first and at the second measuring, and how often each thing is done."""

    small: int
    large: int
    lookups: int
    seals: int


FULL: Final = Size(small=10_000, large=1_000_000, lookups=200, seals=200)
QUICK: Final = Size(small=2_000, large=20_000, lookups=50, seals=50)


def measure(size: Size, progress: Progress, told: Callable[[Figure], None]) -> None:
    """Measure everything. Blocking, for minutes. Raises `ClusterError` when PostgreSQL cannot be started."""
    with (
        cluster() as server,
        tempfile.TemporaryDirectory(prefix="anruflotse-bench-") as home,
    ):
        rows, keys = server.create("bench_rows"), server.create("bench_keys")
        place = Path(home) / "records"
        opener = Opener(place, environment={}, ring=None, busy_seconds=5.0, rows_url=rows, keys_url=keys)
        store = Records(place, SystemClock(), environment={}, busy_seconds=5.0, rows_url=rows, keys_url=keys)
        with closing(store), closing(opener):
            store.prepare()
            before: dict[str, float] = {}
            with closing(_Crowd(opener.vault(), rows, keys)) as crowd:
                for total in (size.small, size.large):
                    _fill(crowd, total, progress)
                    # What was copied in is written out before anything is measured.
                    server.administer("CHECKPOINT")
                    before = _measured(store, crowd, total, size, before, told)


def _measured(
    store: Records, crowd: _Crowd, total: int, size: Size, before: dict[str, float], told: Callable[[Figure], None]
) -> dict[str, float]:
    """Tell what takes how long among `total` records, and how that compares with `before` (p50 in ms, by name)."""
    found: dict[str, float] = {}
    about = f"among {total:,} records, in turn; with the entry in the audit trail"
    lookups = _lookups(store, crowd)
    # In turn, so that what else happens on the machine meets all of them alike.
    times = [{name: _timed(one) for name, one in lookups.items()} for _ in range(size.lookups)]
    for name in lookups:
        taken = [one[name] for one in times]
        found[name] = percentile(taken, 0.5)
        for share, label in ((0.5, "p50"), (0.95, "p95")):
            told(Figure(f"{total:,}: {name} {label}", percentile(taken, share), "ms", None, len(taken), about))
        if name in before:
            grown = found[name] / before[name]
            told(Figure(f"{name}, growth", grown, "x", GROWTH, len(taken), "p50, large against small"))
    told_about = f"{_SECONDS:.0f} s of sound at {_RATE} Hz each, one after the other"
    draft = _drafts()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(size.seals):
        store.seal(next(draft))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    told(Figure(f"{total:,}: sealing, CPU", cpu / size.seals * 1e3, "ms", SEAL_MS, size.seals, told_about))
    told(Figure(f"{total:,}: sealing, rate", size.seals / wall, "/s", None, size.seals, told_about))
    crowd.fill(min(_DUE, total), age=timedelta(days=28, minutes=1))
    crowd.analyse()
    started = time.perf_counter()
    swept = store.sweep()
    taken_ = time.perf_counter() - started
    about = f"{swept.deleted / taken_:,.0f} records/s, keys and rows, with tombstones and tidying up"
    told(Figure(f"{total:,}: sweep of {swept.deleted:,} due", taken_, "s", SWEEP_SECONDS, swept.deleted, about))
    return found


def _lookups(store: Records, crowd: _Crowd) -> dict[str, Callable[[], object]]:
    return {
        "by id": lambda: store.open(crowd.some().id, _OFFICER, Purpose.RIGHTS),
        "by number": lambda: store.find_caller(crowd.some().caller, _OFFICER, Purpose.RIGHTS),
        "by reference": lambda: store.find_reference(crowd.some().reference, _OFFICER, Purpose.RIGHTS),
        "newest 100": lambda: store.list(_OFFICER, Purpose.RIGHTS, 100),
    }


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3


def _drafts() -> Iterator[Draft]:
    """Calls with a recording of 20 s: noise whose loudness changes as a voice's does."""
    random = np.random.default_rng(7)
    samples = int(_SECONDS * _RATE)
    loudness = np.repeat(np.abs(random.normal(size=samples // 800)), 800) * 1500
    sound = Pcm((random.normal(size=samples) * loudness).astype("<i2").tobytes(), _RATE)
    while True:
        now = datetime.now(UTC)
        yield _draft(now, secrets.token_hex(16), "+49 30 1234567", sound)


def _draft(recorded_at: datetime, reference: str, caller: str, recording: Pcm | None) -> Draft:
    return Draft(
        reference=reference,
        started_at=recorded_at,
        recorded_at=recorded_at,
        decision="route",
        outcome="succeeded",
        concern="krankengeld",
        department="krankengeld",
        target="sip:krankengeld@127.0.0.1:5090",
        transcripts=("Guten Tag, ich warte seit drei Wochen auf mein Krankengeld und wollte fragen, woran es liegt.",),
        ranking=(RankedConcern("krankengeld", "krankengeld", 0.93), RankedConcern("sachstand", "kundenservice", 0.03)),
        evidence=("krankengeld",),
        recording=recording,
        caller=caller,
        engines=("whisper-base", "silero-vad"),
        notice_version="bench",
    )


@dataclass(frozen=True, slots=True)
class Known:
    """A record to look for."""

    id: str
    reference: str
    caller: str


class _Crowd:
    """Fills the store in bulk and remembers some of the records."""

    def __init__(self, vault: Vault, rows: str, keys: str) -> None:
        self._vault = vault
        self._rows = create_engine(rows.replace("postgresql://", "postgresql+psycopg://"))
        self._keys = create_engine(keys.replace("postgresql://", "postgresql+psycopg://"))
        self._random = np.random.default_rng(11)
        self._known: list[Known] = []
        self.total = 0

    def close(self) -> None:
        """Let go of the databases."""
        self._rows.dispose()
        self._keys.dispose()

    def some(self) -> Known:
        """Any of the remembered records."""
        return self._known[int(self._random.integers(len(self._known)))]

    def fill(self, number: int, age: timedelta | None = None) -> None:
        """Add `number` records of any age under four weeks, or of this `age`; the latter are not remembered."""
        now = datetime.now(UTC)
        ages = self._random.uniform(0, 27.9 * 86400, number)
        made = [self._one(now - (age or timedelta(seconds=float(seconds)))) for seconds in ages]
        self._copy(self._keys, "keys (id, wrapped, master, caller, created_at, expires_at, pending, held)",
                   [one.key for one in made])  # fmt: skip
        self._copy(self._rows, "records (id, reference, started_at, recorded_at, expires_at, legal_basis, purpose, "
                   "format)", [one.row for one in made])  # fmt: skip
        self._copy(self._rows, "contents (record_id, field, sealed)", [part for one in made for part in one.parts])
        if age is None:
            self._known += [one.known for one in made[:: max(1, number // 200)]]
            self.total += number

    def analyse(self) -> None:
        """Let the planner know what is there, as the server does by itself after a while."""
        for engine in (self._rows, self._keys):
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM ANALYZE"))

    def _one(self, recorded_at: datetime) -> _Made:
        record_id, reference = secrets.token_hex(16), secrets.token_hex(16)
        # Three calls a number on the average.
        caller = f"+49 30 {int(self._random.integers(1_000_000, 1_000_000 + max(1, 333_333)))}"
        draft = _draft(recorded_at, reference, caller, None)
        recorded, expires = to_micros(recorded_at), to_micros(recorded_at + timedelta(days=28))
        key, stored = self._vault.new_key(record_id, expires)
        fingerprint = self._vault.fingerprint(caller)
        return _Made(
            Known(record_id, reference, caller),
            (record_id, stored.wrapped, stored.master, fingerprint, recorded, expires, False, False),
            (record_id, reference, recorded, recorded, expires, LEGAL_BASIS, draft.purpose.value, FORMAT),
            [(record_id, name, key.seal(name, plain)) for name, plain in contents.pack(draft).items()],
        )

    @staticmethod
    def _copy(engine: object, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        with closing(engine.raw_connection()) as raw:  # type: ignore[attr-defined]
            with raw.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            raw.commit()


@dataclass(frozen=True, slots=True)
class _Made:
    known: Known
    key: tuple[object, ...]
    row: tuple[object, ...]
    parts: list[tuple[object, ...]]


def _fill(crowd: _Crowd, total: int, progress: Progress) -> None:
    while crowd.total < total:
        crowd.fill(min(_CHUNK, total - crowd.total))
        progress(f"filling up to {total:,} records", crowd.total, total)
    crowd.analyse()
