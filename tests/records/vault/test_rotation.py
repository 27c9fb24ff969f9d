"""Replacing the master key: nothing becomes unreadable, wherever it is killed and whoever works meanwhile."""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from anruflotse.clock import FakeClock
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import AccessRefusedError, DestroyReason, Purpose, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.restriction import Ground
from anruflotse.records.stores.keystore import KeyStore
from anruflotse.records.vault import rotation
from anruflotse.records.vault.envelope import Vault
from anruflotse.records.vault.keyfile import FILE, KeyFile
from anruflotse.records.vault.keyring import UnknownMasterError
from anruflotse.records.vault.local import ENVIRONMENT
from anruflotse.records.vault.master import LocalMaster
from anruflotse.records.vault.secrets import AUDIT, Secrets
from anruflotse.records.vault.sources import keyring
from tests.records.conftest import OFFICER, Home, MakeDraft, speech

OPERATOR = Accessor("betrieb", Role.OPERATIONS)
NUMBER = "+49 30 123456"


def key_lines(directory: Path) -> list[str]:
    return (directory / "keys" / FILE).read_text().split()


def names(directory: Path) -> list[str]:
    return [LocalMaster(base64.b64decode(line)).id for line in key_lines(directory)]


def in_use(store: Records) -> set[str]:
    return {*store._opener.stores().keys.masters(), *store._opener.vault().secrets.masters()}


def readable(store: Records, ids: list[str]) -> None:
    for one in ids:
        record = store.open(one, OFFICER, Purpose.RIGHTS, audio=True)
        assert record.transcripts == ("Ich warte auf mein Krankengeld.",)
        assert record.caller == NUMBER


@pytest.fixture
def filled(each_store: Records, make_draft: MakeDraft) -> tuple[Records, list[str]]:
    return each_store, [each_store.seal(make_draft(caller=NUMBER)) for _ in range(5)]


def test_everything_moves_to_a_new_key_and_the_old_one_is_gone(
    filled: tuple[Records, list[str]], home: Home, clock: FakeClock, make_draft: MakeDraft
) -> None:
    store, ids = filled
    store.restrict(ids[0], OFFICER, Ground.LEGAL_CLAIMS, hold=True, review_on=clock.now() + timedelta(days=30))
    audit = store._opener.vault().secrets.get(AUDIT)
    (before,) = names(home.directory)
    told: list[tuple[int, int]] = []
    rotated = store.rotate(OPERATOR, tell=lambda done, total: told.append((done, total)))
    (after,) = names(home.directory)
    assert after != before
    assert (rotated.master, rotated.made, rotated.unreadable, rotated.left) == (after, True, 0, {})
    assert rotated.moved == 7  # five records, fingerprints, audit
    assert told[-1] == (5, 5) or told[-1][0] <= told[-1][1]
    assert in_use(store) == {after}
    ids.append(store.seal(make_draft(caller=NUMBER)))
    for again in (store, home.open(clock)):
        readable(again, ids)
        assert set(again.find_caller(NUMBER, OFFICER, Purpose.RIGHTS)) == set(ids)
        assert again._opener.vault().secrets.get(AUDIT) == audit
    again.close()


def test_it_is_in_the_trail_and_for_operations_only(each_store: Records) -> None:
    each_store.rotate(OPERATOR)
    with pytest.raises(AccessRefusedError):
        each_store.rotate(OFFICER, Purpose.RIGHTS)
    entries = [one.entry for one in each_store.trail(OFFICER, Purpose.RIGHTS) if one.entry.act == "rotate"]
    assert [(one.accessor, one.role, one.purpose, one.result) for one in entries] == [
        ("betrieb", "technik", "betrieb", "granted"),
        ("betrieb", "technik", "betrieb", "done"),
        ("pruefer", "datenschutz", "betroffenenrechte", "refused_role"),
    ]


def test_an_old_copy_of_everything_is_useless_without_the_old_master_key(
    store: Records, directory: Path, clock: FakeClock, make_draft: MakeDraft, tmp_path: Path
) -> None:
    one = store.seal(make_draft())
    store.close()
    copy = tmp_path / "copy"
    shutil.copytree(directory, copy)
    old = key_lines(directory)[0]
    assert store.rotate(OPERATOR).made
    (copy / "keys" / FILE).write_text("\n".join(key_lines(directory)) + "\n")
    with closing(Records(copy, clock, environment={})) as stolen:
        assert not stolen.healthy()
        for attempt in (
            lambda: stolen.open(one, OFFICER, Purpose.RIGHTS),
            lambda: stolen.list(OFFICER, Purpose.RIGHTS),
            lambda: stolen.seal(make_draft()),
        ):
            with pytest.raises(UnknownMasterError):
                attempt()
    everything = b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())
    assert old.encode() not in everything


def test_what_was_wrapped_with_the_old_key_leaves_the_files(
    store: Records, directory: Path, make_draft: MakeDraft
) -> None:
    store.seal(make_draft())
    keys = store._opener.stores().keys
    (before,) = keys.under_other_masters("", "", 10)
    assert store.rotate(OPERATOR).scrubbed
    # While the store is open: closing it empties the write-ahead log anyway.
    everything = b"".join(path.read_bytes() for path in (directory / "keys").iterdir())
    assert before.wrapped not in everything


class KilledError(BaseException):
    """The process ends here."""


Step = Callable[[pytest.MonkeyPatch], None]


def _before(target: object, method: str, turn: int = 1) -> Step:
    """Kill the rotation when it calls this for the `turn`th time, before anything happens."""

    def install(patch: pytest.MonkeyPatch) -> None:
        real, turns = getattr(target, method), 0

        def replaced(*args: object, **options: object) -> object:
            nonlocal turns
            turns += 1
            if turns == turn:
                raise KilledError
            return real(*args, **options)

        patch.setattr(target, method, replaced)

    return install


def _after(target: object, method: str) -> Step:
    def install(patch: pytest.MonkeyPatch) -> None:
        real = getattr(target, method)

        def replaced(*args: object, **options: object) -> object:
            real(*args, **options)
            raise KilledError

        patch.setattr(target, method, replaced)

    return install


STEPS = {
    "before the new key": _before(KeyFile, "replace"),
    "with the new key beside the file": _after(KeyFile, "_draft"),
    "with the new key in the file": _after(KeyFile, "replace"),
    "before retiring": _before(KeyStore, "retire"),
    "after retiring": _after(KeyStore, "retire"),
    "before the own keys": _before(Secrets, "move"),
    "after the own keys": _after(Secrets, "move"),
    "before the first batch": _before(KeyStore, "rewrap"),
    "between two batches": _before(KeyStore, "rewrap", 2),
    "within a batch": _before(Vault, "moved", 4),
    "after the last key": _before(rotation._Rotation, "_stale"),
    "before the old key is given up": _before(KeyFile, "replace", 2),
    "after the old key was given up": _before(rotation, "Rotated"),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_killed_anywhere_it_is_completed_by_the_next_one(
    directory: Path, clock: FakeClock, make_draft: MakeDraft, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    _kill_and_complete(Home(directory), clock, make_draft, monkeypatch, step)


@pytest.mark.parametrize("step", ["with the new key in the file", "between two batches"])
def test_so_it_is_in_each_kind_of_database(
    home: Home, clock: FakeClock, make_draft: MakeDraft, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    _kill_and_complete(home, clock, make_draft, monkeypatch, STEPS[step])


def _kill_and_complete(
    home: Home, clock: FakeClock, make_draft: MakeDraft, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 2)
    store = home.open(clock)
    ids = [store.seal(make_draft(caller=NUMBER, recording=speech(0.1))) for _ in range(5)]
    (before,) = names(home.directory)
    with monkeypatch.context() as patch:
        step(patch)
        with pytest.raises(KilledError):
            store.rotate(OPERATOR)
    half = names(home.directory)
    assert len(half) <= 2
    # Whoever goes on, in this process or another one: everything is readable, and new records can be made.
    with closing(home.open(clock)) as other:
        for one in (store, other):
            assert one.healthy()
            readable(one, ids)
            ids.append(one.seal(make_draft(caller=NUMBER)))
    rotated = store.rotate(OPERATOR)
    (after,) = names(home.directory)
    assert after != before
    if len(half) == 2:
        assert (half[0], rotated.made) == (after, False)
    assert in_use(store) == {after}
    readable(store, ids)
    assert list((home.directory / "keys").glob(".*")) == []
    store.close()


def test_a_killed_process_leaves_no_lock(store: Records, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.prepare()
    code = (
        "import fcntl, os, sys; handle = os.open(sys.argv[1], os.O_RDONLY); fcntl.flock(handle, fcntl.LOCK_EX); "
        "print('locked', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(directory / "keys")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(StoreError, match="under way"):
        store.rotate(OPERATOR)
    process.kill()
    process.communicate()
    assert store.rotate(OPERATOR).made


def test_a_key_made_under_the_old_master_at_the_last_moment_is_wrapped_anew(
    filled: tuple[Records, list[str]], home: Home, make_draft: MakeDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, ids = filled
    add = KeyStore.add
    once = iter([True])

    def late(keys: KeyStore, *args: object, **options: object) -> None:
        if next(once, False):
            # Between wrapping the key and storing it.
            store.rotate(OPERATOR)
        add(keys, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(KeyStore, "add", late)
    # Wrapped with a key that is gone by the time it is stored; what is in memory is enough to wrap it anew.
    ids.append(store.seal(make_draft(caller=NUMBER)))
    readable(store, ids)
    assert in_use(store) == set(names(home.directory))


def test_changes_in_between_are_kept_and_moved_too(
    filled: tuple[Records, list[str]], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, ids = filled
    rewrap = KeyStore.rewrap
    once = iter([True])

    def late(keys: KeyStore, moved: list[object]) -> int:
        if next(once, False):
            store.restrict(ids[0], OFFICER, Ground.UNLAWFUL, hold=True, review_on=clock.now() + timedelta(days=9))
            store.destroy(ids[1], DestroyReason.ERASED, OFFICER)
        return rewrap(keys, moved)  # type: ignore[arg-type]

    monkeypatch.setattr(KeyStore, "rewrap", late)
    rotated = store.rotate(OPERATOR)
    assert (rotated.unreadable, in_use(store)) == (0, {rotated.master})
    with pytest.raises(AccessRefusedError, match="no such record"):
        store.open(ids[1], OFFICER, Purpose.RIGHTS)
    readable(store, [ids[0], *ids[2:]])
    assert store.status().restricted == 1


def test_a_key_somebody_changed_stays_and_is_told_and_blocks_nothing(
    filled: tuple[Records, list[str]], home: Home, clock: FakeClock
) -> None:
    store, ids = filled
    with store._opener.stores().keys.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE keys SET expires_at = expires_at + 1 WHERE id = '{ids[0]}'")  # noqa: S608
    (before,) = names(home.directory)
    rotated = store.rotate(OPERATOR)
    assert (rotated.unreadable, rotated.made) == (1, True)
    assert names(home.directory) == [rotated.master, before]
    readable(store, ids[1:])
    again = store.rotate(OPERATOR)
    assert (again.unreadable, again.made, again.master) == (1, False, rotated.master)
    clock.advance(timedelta(days=29).total_seconds())
    store.sweep()
    assert store.rotate(OPERATOR).unreadable == 0
    assert names(home.directory) == [rotated.master]


def test_nothing_is_begun_when_a_key_in_use_is_not_at_hand(
    filled: tuple[Records, list[str]], home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = filled
    with store._opener.stores().keys.database.write() as connection:
        connection.exec_driver_sql("UPDATE secrets SET master = 'feedfeedfeedfeed'")
    before = key_lines(home.directory)
    with pytest.raises(UnknownMasterError, match="feedfeedfeedfeed"):
        store.rotate(OPERATOR)
    assert key_lines(home.directory) == before


def environment(*keys: bytes) -> dict[str, str]:
    return {ENVIRONMENT: ",".join(base64.b64encode(key).decode() for key in keys)}


def test_keys_of_the_operator_are_moved_to_the_first_one(home: Home, clock: FakeClock, make_draft: MakeDraft) -> None:
    one, two = b"1" * 32, b"2" * 32
    old, new = LocalMaster(one).id, LocalMaster(two).id
    with closing(home.open(clock, environment=environment(one))) as store:
        ids = [store.seal(make_draft(caller=NUMBER)) for _ in range(3)]
        with pytest.raises(StoreError, match="openssl rand"):
            store.rotate(OPERATOR)
    with closing(home.open(clock, environment=environment(two, one))) as store:
        ids.append(store.seal(make_draft(caller=NUMBER)))
        for moved in (5, 0):
            rotated = store.rotate(OPERATOR)
            assert (rotated.master, rotated.made, rotated.moved) == (new, False, moved)
            assert rotated.left == {old: f"remove this key from the environment variable {ENVIRONMENT}"}
    with closing(home.open(clock, environment=environment(two))) as store:
        readable(store, ids)
        with pytest.raises(StoreError, match="openssl rand"):
            store.rotate(OPERATOR)
    with closing(home.open(clock, environment=environment(one, two))) as store:
        # The wrong way round: nothing could be stored under the old one any more.
        assert not store.healthy()
        with pytest.raises(StoreError, match="openssl rand"):
            store.rotate(OPERATOR)
    with closing(home.open(clock, environment=environment(one))) as store:
        assert not store.healthy()


def test_the_status_names_every_key(filled: tuple[Records, list[str]], home: Home) -> None:
    store, _ = filled
    (one,) = store.masters()
    assert (one.current, one.keys, one.named, one.retired) == (True, 5, True, False)
    KeyFile(home.directory / "keys" / FILE, may_create=False).replace(
        [b"n" * 32, *(base64.b64decode(line) for line in key_lines(home.directory))]
    )
    new, old = store.masters()
    assert (new.master, new.current, new.keys, new.named) == (LocalMaster(b"n" * 32).id, True, 0, False)
    assert (old.master, old.current, old.keys, old.named) == (one.master, False, 5, True)
    assert str(home.directory) in (old.source or "")


SECOND_PROCESS = """
import sys
from pathlib import Path
from anruflotse.clock import SystemClock
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import Draft
from anruflotse.records.repository import Records

rows, keys = sys.argv[2:] or (None, None)
store = Records(Path(sys.argv[1]), SystemClock(), environment={}, busy_seconds=30, rows_url=rows, keys_url=keys)
officer = Accessor("zweiter", Role.PRIVACY)
ids = []
store.prepare()
print("ready", flush=True)
def turn(number):
    now = SystemClock().now()
    draft = Draft(reference=f"{number:032x}"[::-1], started_at=now, recorded_at=now, decision="route",
                  outcome="succeeded", transcripts=("zweiter",), caller="0307654321")
    ids.append(store.seal(draft))
    for one in ids[-3:]:
        assert store.open(one, officer, "betroffenenrechte").transcripts == ("zweiter",)
import threading
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), ended.set()), daemon=True).start()
number = 1
while not ended.is_set() or number < 5:
    turn(number)
    number += 1
assert set(store.find_caller("0307654321", officer, "betroffenenrechte")) == set(ids)
print(" ".join(ids))
"""


def test_rotations_while_threads_and_a_second_process_seal_and_read(
    home: Home, make_draft: MakeDraft, clock: FakeClock
) -> None:
    urls = [home.rows_url, home.keys_url] if home.rows_url and home.keys_url else []
    store = home.open(clock, busy_seconds=30)
    store.prepare()
    other = subprocess.Popen(
        [sys.executable, "-c", SECOND_PROCESS, str(home.directory), *urls],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "ready\n"
    drafts = [make_draft(caller=NUMBER, recording=None) for _ in range(24)]
    ids: list[str] = []
    failed: list[BaseException] = []
    ended = threading.Event()

    def seal() -> None:
        try:
            for draft in drafts:
                ids.append(store.seal(draft))  # noqa: PERF401 - the other thread reads what is there already
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test fails
            failed.append(error)

    def read() -> None:
        try:
            while not ended.is_set():
                for one in ids[-5:]:
                    store.open(one, OFFICER, Purpose.RIGHTS)
        except BaseException as error:  # noqa: BLE001 - as above
            failed.append(error)

    sealing, reading = threading.Thread(target=seal), threading.Thread(target=read)
    sealing.start()
    reading.start()
    masters = {store.rotate(OPERATOR).master for _ in range(3)}
    sealing.join()
    ended.set()
    reading.join()
    out, _ = other.communicate("\n", timeout=60)
    assert failed == []
    assert other.returncode == 0
    assert len(masters) == 3
    last = store.rotate(OPERATOR).master
    assert in_use(store) == {last} == set(names(home.directory))
    assert len(ids) == 24
    assert {store.open(one, OFFICER, Purpose.RIGHTS).caller for one in ids} == {NUMBER}
    assert {store.open(one, OFFICER, Purpose.RIGHTS).transcripts for one in out.split()} == {("zweiter",)}
    store.close()


@pytest.fixture
def legacy(store: Records, make_draft: MakeDraft, directory: Path) -> Records:
    """As before the store had a key of its own for hashes: they were made with a key derived from the master key."""
    one = store.seal(make_draft(caller=NUMBER))
    ring = keyring(directory / "keys", {}, may_create=False)
    old = ring.current()
    assert isinstance(old, LocalMaster)
    vault = store._opener.vault()
    vault.secrets._known["fingerprint"] = old.fingerprint_key
    with store._opener.stores().keys.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM secrets")
        connection.exec_driver_sql(
            f"UPDATE keys SET caller = '{vault.fingerprint(NUMBER)}' WHERE id = '{one}'"  # noqa: S608
        )
    store.close()
    return store


def test_numbers_hashed_before_the_store_had_a_key_for_that_are_still_found(
    legacy: Records, clock: FakeClock, directory: Path, make_draft: MakeDraft
) -> None:
    # Even if the first start of this version finds another master key in front.
    with closing(Records(directory, clock, environment=environment(b"n" * 32))) as store:
        assert len(store.find_caller(NUMBER, OFFICER, Purpose.RIGHTS)) == 1
        store.rotate(OPERATOR)
        store.seal(make_draft(caller=NUMBER))
        assert len(store.find_caller(NUMBER, OFFICER, Purpose.RIGHTS)) == 2
