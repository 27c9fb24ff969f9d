"""What lies on the disk, byte by byte: nothing in plain, ever, and nothing at all of what was destroyed."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from anruflotse.bench.cluster import Cluster
from anruflotse.clock import FakeClock
from anruflotse.records import contents, flac
from anruflotse.records.model import DestroyReason, Purpose, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.stores.sqlite import SqliteDatabase as Database
from anruflotse.records.times import to_micros
from tests.records.conftest import OFFICER, Home, MakeDraft, speech
from tests.records.faults import ask, rows_of
from tests.records.places import openable

CANARY = "Kanarienvogel Zwitscherstein"
NUMBER = "+49 30 98765432109"
VOICE = speech(2, seed=4711)
ROOT = Path(__file__).parents[2]

CHILD = """
import os, signal, sys
from pathlib import Path
from anruflotse.clock import FakeClock
from anruflotse.pcm import Pcm
from anruflotse.records import contents
from anruflotse.records.model import Draft
from anruflotse.records.recorder import Recorder
from anruflotse.records.repository import Records
from anruflotse.records.stores.rowstore import RowStore
from tests.records.test_disk import CANARY, NUMBER, VOICE

directory, moment = Path(sys.argv[1]), sys.argv[2]
die = lambda *arguments, **named: os.kill(os.getpid(), signal.SIGKILL)
clock = FakeClock()
store = Records(directory, clock, environment={})
recorder = Recorder()
recorder.start(VOICE.rate)
for start in range(0, len(VOICE.data), 320):
    recorder.append(VOICE.data[start:start + 320])
assert store.healthy()
if moment == "recording":
    die()
recorder.stop()
if moment == "before key":
    contents.pack = die
elif moment == "between key and row":
    RowStore.add = die
elif moment == "inside the row":
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    def commit(connection):
        if connection.engine.url.database.endswith("records.sqlite"):
            die()
    event.listen(Engine, "commit", commit)
store.seal(Draft(reference="ab" * 16, started_at=clock.now(), recorded_at=clock.now(), decision="route",
    outcome="succeeded", concern="krankengeld", transcripts=(CANARY,), recording=recorder.take(), caller=NUMBER))
die()
"""


def slices(data: bytes, step: int = 61, size: int = 12) -> list[bytes]:
    """Samples of `data` long enough to be no coincidence, from all over it."""
    return [data[at : at + size] for at in range(0, len(data) - size, step)]


def in_plain() -> list[bytes]:
    """Every form in which the canary could lie on a disk."""
    texts = [CANARY, CANARY[:12], CANARY[-12:], NUMBER, NUMBER.replace(" ", ""), "98765432109", "krankengeld"]
    return [
        *(text.encode(encoding) for text in texts for encoding in ("utf-8", "utf-16-le")),
        *(CANARY.encode().hex().encode(), b"fLaC"),
        *slices(VOICE.data),
        *slices(flac.encode(VOICE)),
    ]


def on_disk(directory: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in directory.rglob("*") if file.is_file()}


def found(patterns: list[bytes], directory: Path) -> list[tuple[str, bytes]]:
    return [(name, one) for name, data in on_disk(directory).items() for one in patterns if one in data]


@pytest.fixture
def canary(store: Records, make_draft: MakeDraft) -> str:
    return store.seal(make_draft(transcripts=(CANARY,), recording=VOICE, caller=NUMBER, evidence=(CANARY,)))


def test_the_search_finds_what_does_lie_there_in_plain(tmp_path: Path) -> None:
    for number, data in enumerate((VOICE.data, flac.encode(VOICE), f"x{CANARY}y".encode(), NUMBER.encode())):
        place = tmp_path / str(number)
        place.mkdir()
        (place / "file").write_bytes(b"\x00" * 1000 + data)
        assert found(in_plain(), place)


def test_nothing_lies_there_in_plain_while_open_and_after_closing(store: Records, canary: str, directory: Path) -> None:
    store.open(canary, OFFICER, Purpose.RIGHTS, audio=True)
    store.list(OFFICER, Purpose.RIGHTS)
    assert any(name.endswith("-wal") and data for name, data in on_disk(directory).items())
    assert found(in_plain(), directory) == []
    store.close()
    assert found(in_plain(), directory) == []
    assert CANARY not in "".join(on_disk(directory))


@pytest.mark.parametrize("moment", ["recording", "before key", "between key and row", "inside the row", "after"])
def test_nothing_lies_there_in_plain_after_being_killed(tmp_path: Path, clock: FakeClock, moment: str) -> None:
    directory = tmp_path / "records"
    killed = subprocess.run(
        [sys.executable, "-c", CHILD, str(directory), moment],
        check=False,
        timeout=60,
        capture_output=True,
        cwd=tmp_path,
        env={"PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in (".", "src")), "TMPDIR": str(tmp_path)},
    )
    assert killed.returncode == -9, killed.stderr
    assert CANARY.encode() not in killed.stdout + killed.stderr
    assert directory.exists()
    assert found(in_plain(), tmp_path) == []
    with closing(Records(directory, clock, environment={})) as store:
        sealed = [line.id for line in store.list(OFFICER, Purpose.RIGHTS)]
        assert len(sealed) == (1 if moment == "after" else 0)
        clock.advance(11 * 60)
        swept = store.sweep()
        assert swept.keys_destroyed == (1 if moment in {"between key and row", "inside the row"} else 0)
        assert [line.id for line in store.list(OFFICER, Purpose.RIGHTS)] == sealed
        assert store.healthy()


def stored(directory: Path) -> dict[str, list[bytes]]:
    """Every wrapped key and ciphertext by record, read with plain SQLite."""
    secret: dict[str, list[bytes]] = {}
    for file, query in (
        ("keys/keys.sqlite", "SELECT id, wrapped FROM keys"),
        ("keys/keys.sqlite", "SELECT id, caller FROM keys WHERE caller IS NOT NULL"),
        ("records.sqlite", "SELECT record_id, sealed FROM contents"),
    ):
        with closing(sqlite3.connect(directory / file)) as database:
            for record, value in database.execute(query):
                data = value.encode() if isinstance(value, str) else value
                secret.setdefault(record, []).extend([data[:12], *slices(data, step=24)])
    return secret


def test_a_destroyed_record_leaves_no_byte_of_key_or_ciphertext(
    store: Records, canary: str, directory: Path, make_draft: MakeDraft
) -> None:
    other = store.seal(make_draft(caller="030 1"))
    secrets = stored(directory)
    assert found(secrets[canary][:1], directory)
    store.destroy(canary, DestroyReason.ERASED)
    assert found(secrets[canary], directory) == []
    # (A few of the samples lie across two pages of the file.)
    assert len({one for _, one in found(secrets[other], directory)}) > 0.9 * len(set(secrets[other]))


def test_nothing_is_left_behind_in_pages_that_were_split_and_merged(
    directory: Path, clock: FakeClock, make_draft: MakeDraft
) -> None:
    """Many keys in and out in random order: copies must not survive where SQLite moved them."""
    chance = random.Random(5)
    with closing(Records(directory, clock, environment={})) as store:
        alive: list[str] = []
        for number in range(120):
            text = "Guten Tag. " * chance.randint(1, 200)
            alive.append(store.seal(make_draft(caller=f"030 {number}", recording=None, transcripts=(text,))))
        secrets = stored(directory)
        dead = chance.sample(alive, 80)
        stores = store._opener.stores()
        for start in range(0, len(dead), 10):
            stores.sweeper.destroy(dead[start : start + 10], DestroyReason.ERASED, clock.now())
        assert stores.sweeper.scrub()
        store.sweep()
        wrapped_and_callers = [one for record in dead for one in secrets[record][:8]]
        assert found(wrapped_and_callers, directory / "keys") == []
        assert len(store.list(OFFICER, Purpose.RIGHTS)) == 40


def test_the_key_store_is_written_anew_once_a_day_when_keys_were_destroyed(
    store: Records, make_draft: MakeDraft, directory: Path, clock: FakeClock
) -> None:
    def rewritings() -> int:
        """VACUUM, and nothing else that happens here, raises the schema version."""
        with closing(sqlite3.connect(directory / "keys" / "keys.sqlite")) as database:
            return int(database.execute("PRAGMA schema_version").fetchone()[0])

    def destroy_one_and_sweep() -> int:
        store.destroy(store.seal(make_draft(recording=None)), DestroyReason.ERASED)
        store.sweep()
        return rewritings()

    store.sweep()
    start = rewritings()
    first = destroy_one_and_sweep()
    assert first > start
    clock.advance(86400 - 1)
    assert destroy_one_and_sweep() == first
    clock.advance(1)
    store.sweep()
    second = rewritings()
    assert second > first
    clock.advance(86400)
    store.sweep()
    assert rewritings() == second


def test_a_key_store_that_cannot_be_written_anew_does_not_stop_the_sweep(
    store: Records, make_draft: MakeDraft, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewritten: list[bool] = []

    def refuse(_: Database) -> None:
        rewritten.append(True)
        message = "The key store is full."
        raise StoreError(message)

    store.seal(make_draft())
    clock.advance(28 * 86400)
    with monkeypatch.context() as patch:
        patch.setattr(Database, "rewrite", refuse)
        assert store.sweep().deleted == 1
        assert store.sweep().scrubbed
    assert len(rewritten) == 2


def test_expired_records_leave_no_byte_either(store: Records, canary: str, directory: Path, clock: FakeClock) -> None:
    secrets = stored(directory)
    clock.advance(28 * 86400)
    assert store.sweep().scrubbed
    assert found(secrets[canary], directory) == []


def test_a_reader_delays_the_scrubbing_but_not_the_end_of_the_record(
    store: Records, canary: str, directory: Path, clock: FakeClock
) -> None:
    secrets = stored(directory)
    with closing(sqlite3.connect(directory / "records.sqlite", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM contents").fetchone()
        clock.advance(28 * 86400)
        swept = store.sweep()
        assert swept.deleted == 1
        assert not swept.scrubbed
        assert store.list(OFFICER, Purpose.RIGHTS) == ()
    assert store.sweep().scrubbed
    assert found(secrets[canary], directory) == []


def test_a_backup_of_the_rows_is_worth_nothing_once_the_key_is_gone(
    store: Records, canary: str, directory: Path, clock: FakeClock, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(directory / "records.sqlite")) as source:
        source.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    backup = (directory / "records.sqlite").read_bytes()
    assert not any(one in backup for one in stored(directory)[canary][:1])
    assert store.destroy(canary, DestroyReason.ERASED)
    store.close()
    for suffix in ("-wal", "-shm"):
        (directory / f"records.sqlite{suffix}").unlink(missing_ok=True)
    (directory / "records.sqlite").write_bytes(backup)
    with closing(Records(directory, clock, environment={})) as restored:
        assert restored.list(OFFICER, Purpose.RIGHTS) == ()
        assert restored.status().records == 0
        with closing(sqlite3.connect(directory / "records.sqlite")) as database:
            assert database.execute("SELECT reason FROM tombstones").fetchall() == [("geloescht",)]


def test_a_key_store_from_a_backup_revives_nothing_the_rows_know_to_be_destroyed(
    store: Records, canary: str, directory: Path, clock: FakeClock
) -> None:
    keys = directory / "keys" / "keys.sqlite"
    clock.advance(11 * 60)
    store.sweep()
    backup = keys.read_bytes()
    store.destroy(canary, DestroyReason.ERASED)
    store.close()
    keys.write_bytes(backup)
    with closing(Records(directory, clock, environment={})) as restored:
        assert openable(restored) == set()
        restored.reconcile()
        with closing(sqlite3.connect(keys)) as database:
            assert database.execute("SELECT id FROM keys").fetchall() == []


def words_in(copy: Path, store: Records, now: int) -> set[str]:
    """What a copy of the row store, wherever it has got to, yields with the keys of today: every sentence."""
    keys = store._opener.stores().keys
    vault = store._opener.vault()
    found: set[str] = set()
    with closing(sqlite3.connect(copy / "records.sqlite")) as database:
        sealed = dict(database.execute("SELECT record_id, sealed FROM contents WHERE field = 'details'").fetchall())
    for one, key in keys.alive(list(sealed), now).items():
        found.update(contents.details(vault.open_key(key).open("details", sealed[one])).transcripts)
    return found


def test_no_copy_of_the_rows_at_any_time_says_anything_of_what_has_ended(
    store: Records, directory: Path, make_draft: MakeDraft, clock: FakeClock, tmp_path: Path
) -> None:
    """Copies of the files as they are, while they are open, at random times; and what is left of the keys of today."""
    chance = random.Random(11)
    wrapped: dict[str, list[bytes]] = {}
    said: dict[str, str] = {}
    copies: list[Path] = []
    store.prepare()

    def write() -> None:
        words = f"Satz Nummer {len(said)}"
        text = "Guten Tag. " * chance.randint(1, 100)
        one = store.seal(make_draft(recording=None, transcripts=(words, text), caller=f"030 {len(said)}"))
        said[one] = words
        wrapped[one] = [part for part in stored(directory)[one] if part]

    def copy() -> None:
        place = tmp_path / f"copy{len(copies)}"
        place.mkdir()
        for name in ("records.sqlite", "records.sqlite-wal"):
            shutil.copy(directory / name, place)
        copies.append(place)

    def alive() -> set[str]:
        return {line.id for line in store.list(OFFICER, Purpose.RIGHTS)}

    def check() -> None:
        clock.advance(86400)
        assert store.sweep().scrubbed
        living = alive()
        keys = b"".join(on_disk(directory / "keys").values())
        for one, parts in wrapped.items():
            # The wrapped key, and the hash of the number: its first bytes and samples of the rest.
            assert any(part in keys for part in parts[:4]) == (one in living), one
        read = set().union(*(words_in(place, store, to_micros(clock.now())) for place in copies))
        assert {words for words in said.values() if words in read} <= {said[one] for one in living}

    for round_ in range(36):
        chance.choice((write, write, write, copy))()
        if round_ % 3 == 2 and alive():
            store.destroy(chance.choice(sorted(alive())), DestroyReason.ERASED)
            clock.advance(chance.randint(1, 4) * 86400)
        if round_ % 6 == 5:
            copy()
            # That the copies do say something of who is alive shows that this would be noticed.
            assert words_in(copies[-1], store, to_micros(clock.now())) >= {said[one] for one in alive()}
            check()
    clock.advance(28 * 86400)
    check()
    assert alive() == set()
    assert len(said) > 15


def test_nothing_lies_in_plain_in_the_files_and_the_log_of_postgresql(
    server: Cluster, databases: tuple[str, str], directory: Path, make_draft: MakeDraft, clock: FakeClock
) -> None:
    home = Home(directory, *databases)
    with closing(home.open(clock)) as store:
        draft = make_draft(transcripts=(CANARY,), recording=VOICE, caller=NUMBER, evidence=(CANARY,))
        one = store.seal(draft)
        store.open(one, OFFICER, Purpose.RIGHTS, audio=True)
        store.find_caller(NUMBER, OFFICER, Purpose.RIGHTS)
        with pytest.raises(StoreError):
            store.seal(draft)
        sealed = ask(rows_of(store), "SELECT sealed FROM contents")
    server.administer("CHECKPOINT")
    names = [url.rpartition("/")[2].partition("?")[0] for url in databases]
    oids = [oid for oid, name in server.administer("SELECT oid::text, datname FROM pg_database") if name in names]
    assert len(oids) == 2
    (data,) = [file.parent for file in server.directory.rglob("PG_VERSION") if file.parent.parent == server.directory]
    files = on_disk(data / "pg_wal") | {str(file): file.read_bytes() for file in data.iterdir() if file.is_file()}
    for oid in oids:
        files |= on_disk(data / "base" / str(oid))
    # A positive control: what is stored does lie in these files.
    assert any(bytes(value)[12:40] in content for value in sealed for content in files.values())
    patterns = in_plain()
    samples = patterns[:16] + patterns[16::50]
    assert [name for name, content in files.items() if any(pattern in content for pattern in samples)] == []
    assert CANARY not in server.log()
    assert NUMBER not in server.log()


@pytest.fixture(autouse=True)
def nothing_in_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything that asks for a temporary file gets it where the tests search."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    yield
    assert [file for file in tmp_path.iterdir() if file.is_file()] == []
