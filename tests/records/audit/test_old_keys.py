"""An old copy of the key store alone: nobody gets access, until a person accepts what its heads do not know."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from anruflotse.clock import FakeClock
from anruflotse.records.audit.heads import BrokenTrailError
from anruflotse.records.model import Purpose
from anruflotse.records.repository import Records
from tests.records.conftest import OFFICER, MakeDraft


def opened(directory: Path, clock: FakeClock) -> Records:
    return Records(directory, clock, environment={})


@pytest.fixture
def sealed(directory: Path, clock: FakeClock, make_draft: MakeDraft, tmp_path: Path) -> str:
    """A record, read before and after a copy of the key store was made, which is then put back."""
    with closing(opened(directory, clock)) as store:
        one = store.seal(make_draft())
        store.open(one, OFFICER, Purpose.RIGHTS)
    shutil.copytree(directory / "keys", tmp_path / "old")
    with closing(opened(directory, clock)) as store:
        for _ in range(3):
            store.open(one, OFFICER, Purpose.RIGHTS)
    shutil.rmtree(directory / "keys")
    shutil.copytree(tmp_path / "old", directory / "keys")
    return one


def test_without_a_person_nobody_gets_access(sealed: str, directory: Path, clock: FakeClock) -> None:
    with closing(opened(directory, clock)) as store:
        assert not store.reconcile().trail
        with pytest.raises(BrokenTrailError):
            store.open(sealed, OFFICER, Purpose.RIGHTS)


def test_a_person_may_accept_it_and_it_shows_for_good(sealed: str, directory: Path, clock: FakeClock) -> None:
    with closing(opened(directory, clock)) as store:
        assert store.reconcile(force=True).trail
        assert store.open(sealed, OFFICER, Purpose.RIGHTS).transcripts
        assert [one.entry.act for one in store.trail(OFFICER, Purpose.RIGHTS)][-4:] == [
            "text", "restored", "text", "trail",
        ]  # fmt: skip
        verified = store.verify_trail()
        assert (verified.intact, verified.wrong) == (False, "unsigned")
        assert store.reconcile(force=True).trail
        assert len([one for one in store.trail(OFFICER, Purpose.RIGHTS) if one.entry.act == "restored"]) == 1


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE audit SET accessor = 'niemand' WHERE seq = (SELECT max(seq) - 1 FROM audit)",
        "UPDATE audit SET hash = replace(hash, 'a', 'b') WHERE seq = (SELECT max(seq) FROM audit)",
        "DELETE FROM audit WHERE seq = (SELECT max(seq) - 1 FROM audit)",
        "UPDATE audit SET hash = 'x' WHERE seq = 1",
    ],
)
def test_what_does_not_follow_is_not_accepted_by_anybody(
    sealed: str, directory: Path, clock: FakeClock, edit: str
) -> None:
    with closing(sqlite3.connect(directory / "records.sqlite", isolation_level=None)) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute(edit)
    with closing(opened(directory, clock)) as store:
        assert not store.reconcile(force=True).trail
        with pytest.raises(BrokenTrailError):
            store.open(sealed, OFFICER, Purpose.RIGHTS)
