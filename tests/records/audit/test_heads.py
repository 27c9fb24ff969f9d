"""Heads move forward with every entry, one stays a day, and nothing is granted that could not be signed for."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anruflotse.clock import FakeClock
from anruflotse.records.audit.heads import BrokenTrailError, Heads
from anruflotse.records.audit.signing import filed, unfiled
from anruflotse.records.audit.trail import Trail
from anruflotse.records.model import DestroyReason, StoreError
from anruflotse.records.repository import Records
from tests.records.audit.conftest import START, Installation, entry
from tests.records.conftest import OFFICER, MakeDraft

Copied = Callable[[], Installation]


@pytest.fixture
def fresh(tmp_path: Path) -> Installation:
    made = Installation(tmp_path / "fresh", Ed25519PrivateKey.generate())
    made.make()
    return made


def heads(installation: Installation) -> dict[str, int]:
    """How far each head goes."""
    with closing(sqlite3.connect(installation.keys)) as connection:
        return dict(connection.execute("SELECT day, seq FROM heads"))


def test_the_head_moves_with_every_entry_and_the_first_of_a_day_fixes_the_days_before(fresh: Installation) -> None:
    fresh.append(range(1, 4))
    assert heads(fresh) == {"latest": 3, "next": 3, "days": 0}
    fresh.append(range(4, 5))
    assert heads(fresh) == {"latest": 4, "next": 4, "days": 1, "2026-03-02": 3}
    # Ten days later: the day of the last access, and yesterday.
    fresh.append(range(34, 35))
    assert heads(fresh) == {
        "latest": 5, "next": 5, "days": 3, "2026-03-02": 3, "2026-03-03": 4, "2026-03-12": 4,
    }  # fmt: skip
    assert fresh.verify().intact


def test_a_day_without_accesses_gets_its_head_from_the_sweep_once(fresh: Installation) -> None:
    fresh.append(range(1, 3))
    with fresh.trail() as trail:
        for hours in range(0, 96, 4):
            trail.seal_day(START + timedelta(hours=hours))
    sealed = {day: seq for day, seq in heads(fresh).items() if day.startswith("2026")}
    assert sealed == {"2026-03-02": 2, "2026-03-03": 2, "2026-03-04": 2}
    assert fresh.verify().intact
    # The clock goes back: nothing that is fixed changes.
    with fresh.trail() as trail:
        trail.seal_day(START)
    assert heads(fresh) == {"latest": 2, "next": 2, "days": 3, **sealed}
    fresh.append(range(1, 2))
    assert fresh.verify().intact


def test_sealing_a_new_store_is_no_access(fresh: Installation) -> None:
    with fresh.trail() as trail:
        trail.seal_day(START)
        trail.seal_day(START + timedelta(days=1))
    assert heads(fresh) == {"latest": 0, "next": 0, "days": 1, "2026-03-01": 0}
    assert fresh.verify().intact
    fresh.append(range(4, 6))
    assert fresh.verify().intact


def test_without_a_head_there_is_no_access(store: Records, make_draft: MakeDraft, directory: Path) -> None:
    record_id = store.seal(make_draft())
    store.open(record_id, OFFICER, "betroffenenrechte")
    with closing(sqlite3.connect(directory / "keys" / "keys.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError):
            store.open(record_id, OFFICER, "betroffenenrechte")
        with pytest.raises(StoreError):
            store.list(OFFICER, "betroffenenrechte")
        other.execute("ROLLBACK")
    store.open(record_id, OFFICER, "betroffenenrechte")
    assert store.verify_trail().intact
    assert store.verify_trail().entries == 2


class DiedError(Exception):
    """The process was killed here."""


@pytest.mark.parametrize(("method", "entries"), [("announce", 12), ("_commit", 12), ("advance", 13)])
def test_a_process_that_dies_in_between_leaves_an_intact_trail(
    copied: Copied, monkeypatch: pytest.MonkeyPatch, method: str, entries: int
) -> None:
    copy = copied()

    def die(*arguments: object) -> None:
        raise DiedError

    with monkeypatch.context() as patched:
        if method == "_commit":
            patched.setattr("anruflotse.records.audit.trail._insert", die)
        else:
            patched.setattr(Heads, method, die)
        with pytest.raises(DiedError):
            copy.append(range(13, 14))
    verified = copy.verify()
    assert (verified.intact, verified.entries, verified.head) == (True, entries, 12)
    copy.append(range(14, 16))
    verified = copy.verify()
    assert (verified.intact, verified.entries, verified.head) == (True, entries + 2, entries + 2)


def test_heads_that_fail_again_and_again_leave_at_most_one_entry_behind(
    copied: Copied, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = copied()

    def fail(*arguments: object) -> None:
        message = "The key store failed."
        raise StoreError(message)

    with monkeypatch.context() as patched:
        patched.setattr(Heads, "advance", fail)
        for number in range(13, 18):
            with pytest.raises(StoreError):
                copy.append(range(number, number + 1))
            assert copy.verify().intact
    assert heads(copy)["latest"] == 16


@pytest.mark.parametrize("step", ["lay", "key", "sign_first"])
def test_a_process_that_dies_at_the_very_first_access_leaves_a_store_that_works(
    fresh: Installation, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def die(*arguments: object) -> Ed25519PrivateKey:
        raise DiedError

    with monkeypatch.context() as patched:
        if step == "key":
            patched.setattr(Installation, "_signing_key", die)
        else:
            patched.setattr(Heads, step, die)
        with pytest.raises(DiedError):
            fresh.append(range(1, 2))
    assert fresh.verify().intact
    fresh.append(range(1, 3))
    assert fresh.verify().intact
    assert fresh.verify().entries == 2


@pytest.mark.parametrize(
    "attack",
    [
        "DELETE FROM heads",
        "DELETE FROM heads WHERE day = 'latest'",
        "DELETE FROM heads WHERE day = 'next'",
        "UPDATE heads SET signature = x'' WHERE day = 'latest'",
        "UPDATE heads SET seq = 11 WHERE day = 'latest'",
    ],
)
def test_nothing_is_added_to_a_trail_whose_heads_were_touched(copied: Copied, attack: str) -> None:
    copy = copied()
    with copy.tampering() as tamper:
        tamper.keys.execute(attack)
    with pytest.raises(BrokenTrailError, match="audit verify"):
        copy.append(range(13, 14))
    assert copy.verify().entries == 12
    with copy.trail() as trail, pytest.raises(BrokenTrailError):
        trail.seal_day(datetime(2026, 4, 1, tzinfo=UTC))


def test_entries_from_before_there_were_heads_are_signed_for_from_then_on(fresh: Installation) -> None:
    old = Installation(fresh.place.parent / "old", fresh.key)
    old.make()
    with old.trail() as trail:
        for number in range(1, 4):
            trail.append(entry(number, role="-"))
    with old.tampering() as tamper:
        tamper.keys.execute("DELETE FROM heads")
        tamper.keys.execute("DELETE FROM secrets")
    assert old.verify().intact
    old.append(range(4, 6))
    assert old.verify().intact
    with old.tampering() as tamper:
        tamper.rows.execute("UPDATE audit SET accessor = 'niemand' WHERE seq = 2")
    assert old.verify().first_broken == 2


def test_erasing_and_sweeping_records_leaves_the_trail_alone(
    each_store: Records, make_draft: MakeDraft, clock: FakeClock
) -> None:
    ids = [each_store.seal(make_draft()) for _ in range(3)]
    for record_id in ids:
        each_store.open(record_id, OFFICER, "betroffenenrechte")
    each_store.destroy(ids[0], DestroyReason.ERASED, OFFICER)
    clock.jump(clock.now() + timedelta(days=29))
    each_store.sweep()
    verified = each_store.verify_trail()
    assert (verified.intact, verified.entries) == (True, 4)
    # The day of the accesses and yesterday, fixed by the sweep.
    assert verified.days == 2


def test_sweeping_works_without_the_master_key(
    store: Records, make_draft: MakeDraft, directory: Path, clock: FakeClock
) -> None:
    record_id = store.seal(make_draft())
    store.open(record_id, OFFICER, "betroffenenrechte")
    store.close()
    (directory / "keys" / "master.key").unlink()
    clock.jump(clock.now() + timedelta(days=29))
    with closing(Records(directory, clock, environment={})) as keyless:
        assert keyless.sweep().deleted == 1


def test_a_filed_head_is_checked_as_it_was_printed(copied: Copied) -> None:
    with copied().trail() as trail:
        told = trail.head()
    assert told is not None
    head, key = unfiled(told)
    assert (head.seq, filed(head, key)) == (12, told)
    for changed in (
        {"seq": 11}, {"seq": True}, {"seq": -1}, {"seq": 2**70}, {"at": None}, {"hash": "x"}, {"day": "next"},
        {"signature": "00"}, {"signature": "zz"}, {"public_key": "00" * 32}, {"public_key": 7}, {"version": 2},
    ):  # fmt: skip
        with pytest.raises(ValueError, match="head"):
            unfiled(told | changed)


def test_a_filed_head_shows_that_both_stores_were_put_back_together(copied: Copied, tmp_path: Path) -> None:
    copy = copied()
    with copy.trail() as trail:
        early = trail.head()
    both = copy.copy(tmp_path / "backup")
    copy.append(range(13, 16))
    with copy.trail() as trail:
        late = trail.head()
        assert early is not None
        assert late is not None
        assert trail.verify(unfiled(early)).intact
        assert trail.verify(unfiled(late)).intact
    assert both.verify().intact
    with both.trail() as trail:
        rolled_back = trail.verify(unfiled(late))
    assert (rolled_back.wrong, rolled_back.first_broken) == ("truncated", 13)
    # And then it went on, with other entries under the same numbers.
    both.append(range(21, 26))
    with both.trail() as trail:
        gone_on = trail.verify(unfiled(late))
    assert both.verify().intact
    assert (gone_on.wrong, gone_on.first_broken) == ("filed", 15)


def test_with_a_filed_head_its_key_is_the_one_that_counts(copied: Copied, fresh: Installation) -> None:
    fresh.append(range(1, 4))
    with fresh.trail() as trail:
        told = trail.head()
    assert told is not None
    with copied().trail() as trail:
        verified = trail.verify(unfiled(told))
    assert verified.wrong == "head"

    def no_key() -> Ed25519PrivateKey:
        message = "There is no master key here."
        raise StoreError(message)

    with copied().trail() as trail:
        told = trail.head()
        assert told is not None
        assert Trail(trail._rows, trail._keys, no_key).verify(unfiled(told)).intact


def test_a_head_never_moves_back(copied: Copied) -> None:
    copy = copied()
    with copy.trail() as trail:
        trail._heads.advance((11, "0" * 64), 0, copy.key)
    assert heads(copy)["latest"] == 12
    assert copy.verify().intact


@pytest.mark.parametrize(
    "attack",
    [
        ("DELETE FROM audit", "DELETE FROM audit_tip", "DELETE FROM heads"),
        ("DELETE FROM audit", "UPDATE audit_tip SET seq = 0, hash = '" + "0" * 64 + "'", "DELETE FROM heads"),
        ("DELETE FROM audit WHERE seq > 10",),
    ],
)
def test_a_trail_that_was_emptied_or_cut_does_not_begin_anew(copied: Copied, attack: tuple[str, ...]) -> None:
    copy = copied()
    with copy.tampering() as tamper:
        for statement in attack:
            (tamper.keys if "heads" in statement else tamper.rows).execute(statement)
    with pytest.raises(BrokenTrailError):
        copy.append(range(13, 14))
