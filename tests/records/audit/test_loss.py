"""What a restore lost is noted, stays visible, and no number is used twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anruflotse.records.audit.entry import lost
from anruflotse.records.audit.heads import BrokenTrailError
from tests.records.audit.conftest import Installation, entry
from tests.records.audit.test_tampering import fit_tip, write

Copied = Callable[[], Installation]
NOW = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def put_back(copied: Copied) -> Installation:
    """An old backup of the rows under the current key store: entries 9 to 12 are lost."""
    copy = copied()
    with copy.tampering() as tamper:
        tamper.rows.execute("DELETE FROM audit WHERE seq > 8")
        fit_tip(tamper)
    return copy


def test_nothing_goes_on_under_old_numbers(put_back: Installation) -> None:
    with pytest.raises(BrokenTrailError, match="reconcile"):
        put_back.append(range(13, 14))
    assert put_back.verify().wrong == "truncated"


def test_a_noted_loss_is_a_known_gap_for_good(put_back: Installation) -> None:
    with put_back.trail() as trail:
        noted = trail.acknowledge_loss(NOW)
        assert noted is not None
        assert (noted.seq, noted.entry.act, noted.entry.result) == (13, "restored", "lost_9_12")
        assert trail.acknowledge_loss(NOW) is None
    put_back.append(range(200, 203))
    verified = put_back.verify()
    assert (verified.known_gaps, verified.damage, verified.entries) == (((9, 12),), (), 12)
    assert (verified.intact, verified.first_broken, verified.wrong) == (False, 9, "lost")
    assert verified.intact_but_for([(9, 12)])
    assert not verified.intact_but_for([(9, 11)])


def test_a_noted_loss_hides_no_further_damage(put_back: Installation) -> None:
    with put_back.trail() as trail:
        trail.acknowledge_loss(NOW)
    for statement in (
        "UPDATE audit SET accessor = 'niemand' WHERE seq = 3",
        "UPDATE audit SET result = 'lost_8_12' WHERE seq = 13",
        "DELETE FROM audit WHERE seq = 8",
    ):
        again = put_back.copy(put_back.place.parent / "again")
        with again.tampering() as tamper:
            tamper.rows.execute(statement)
        assert not again.verify().intact_but_for([(9, 12), (8, 12)])
    # What is left before the gap is tied to the entry after it.
    with put_back.tampering() as tamper:
        kept = tamper.rows.execute("SELECT * FROM audit WHERE seq = 13").fetchone()
        write(tamper, [entry(one, accessor="niemand") for one in range(7, 9)], first=7)
        tamper.rows.execute(f"INSERT INTO audit VALUES ({','.join('?' * 10)})", kept)  # noqa: S608
        fit_tip(tamper)
    verified = put_back.verify()
    assert ("order", 13) in {(one.what, one.seq) for one in verified.damage}


def test_the_same_backup_may_be_put_back_again(put_back: Installation) -> None:
    backup = put_back.copy(put_back.place.parent / "backup")
    for first in (9, 9):
        with put_back.trail() as trail:
            noted = trail.acknowledge_loss(NOW)
            assert noted is not None
            assert noted.entry.result == lost(first, noted.seq - 1)
        put_back.append(range(200, 203))
        assert put_back.verify().known_gaps == ((first, noted.seq - 1),)
        before = noted.seq + 3
        put_back.rows.write_bytes(backup.rows.read_bytes())
        for leftover in put_back.place.glob("rows.sqlite-*"):
            leftover.unlink()
    assert before == 13 + 3 + 1 + 3


def test_everything_may_be_lost(copied: Copied) -> None:
    copy = copied()
    with copy.tampering() as tamper:
        tamper.rows.execute("DELETE FROM audit")
        tamper.rows.execute("DELETE FROM audit_tip")
    with copy.trail() as trail:
        noted = trail.acknowledge_loss(NOW)
    assert noted is not None
    assert (noted.seq, noted.entry.result) == (13, "lost_1_12")
    assert (copy.verify().known_gaps, copy.verify().damage) == (((1, 12),), ())


def test_a_number_that_was_only_announced_is_not_used_again(copied: Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = copied()

    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("anruflotse.records.audit.heads.Heads.advance", die)
        with pytest.raises(KeyboardInterrupt):
            copy.append(range(13, 14))
    with copy.tampering() as tamper:
        tamper.rows.execute("DELETE FROM audit WHERE seq > 10")
        fit_tip(tamper)
    with copy.trail() as trail:
        noted = trail.acknowledge_loss(NOW)
    assert noted is not None
    assert (noted.seq, noted.entry.result) == (14, "lost_11_13")
    assert copy.verify().known_gaps == ((11, 13),)


@pytest.mark.parametrize("attack", ["UPDATE audit_tip SET seq = 11", "DELETE FROM audit_tip",
                                    "INSERT INTO audit_tip VALUES (2, 1, 'x')"])  # fmt: skip
def test_a_wrong_tip_loses_nothing(copied: Copied, attack: str) -> None:
    copy = copied()
    with copy.tampering() as tamper:
        tamper.rows.execute(attack)
    assert copy.verify().wrong == "tip"
    with pytest.raises(BrokenTrailError):
        copy.append(range(13, 14))
    with copy.trail() as trail:
        noted = trail.acknowledge_loss(NOW)
    assert noted is not None
    assert (noted.seq, noted.entry.result) == (13, "tip")
    copy.append(range(200, 201))
    assert copy.verify().intact


@pytest.mark.parametrize("attack", ["DELETE FROM heads", "UPDATE heads SET seq = 3 WHERE day = 'latest'",
                                    "DELETE FROM heads WHERE day = 'next'"])  # fmt: skip
def test_a_trail_whose_heads_were_lost_goes_on_and_is_never_intact_again(copied: Copied, attack: str) -> None:
    copy = copied()
    with copy.tampering() as tamper:
        tamper.keys.execute(attack)
    with copy.trail() as trail:
        noted = trail.acknowledge_loss(NOW)
    assert noted is not None
    copy.append(range(200, 202))
    verified = copy.verify()
    assert (verified.wrong, verified.first_broken, verified.entries, verified.found) == ("unsigned", 13, 15, 1)


def test_entries_that_were_added_or_changed_are_not_excused(copied: Copied) -> None:
    for entries, first in (([entry(20)], 13), ([entry(20)], 12), ([entry(20), entry(21)], 12)):
        copy = copied()
        with copy.tampering() as tamper:
            write(tamper, entries, first=first)
        with copy.trail() as trail:
            with pytest.raises(BrokenTrailError, match="backup"):
                trail.acknowledge_loss(NOW)
            with pytest.raises(BrokenTrailError):
                trail.append(entry(30))


def test_the_word_for_a_loss_always_fits() -> None:
    assert lost(9, 12) == "lost_9_12"
    for first, last in ((1, 10**7), (10**7, 10**8), (10**14, 10**15), (10**17, 10**18)):
        assert len(lost(first, last)) <= 20


def test_nothing_to_note_in_a_new_store(tmp_path: Path, copied: Copied) -> None:
    new = Installation(tmp_path / "new", copied().key)
    new.make()
    with new.trail() as trail:
        assert trail.acknowledge_loss(NOW) is None
    with closing(sqlite3.connect(new.rows)) as connection:
        assert connection.execute("SELECT count(*) FROM audit").fetchone() == (0,)
