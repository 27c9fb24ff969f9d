from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from anruflotse.clock import FakeClock
from anruflotse.pcm import Pcm
from anruflotse.records import contents, flac
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import DestroyReason, NotFoundError, Purpose, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.vault.keyring import SingleKeyring
from anruflotse.records.vault.master import LocalMaster, TamperedError
from tests.records.conftest import OFFICER, MakeDraft, speech

READ = Purpose.RIGHTS


def rows_file(directory: Path) -> sqlite3.Connection:
    return sqlite3.connect(directory / "records.sqlite", isolation_level=None)


def keys_file(directory: Path) -> sqlite3.Connection:
    return sqlite3.connect(directory / "keys" / "keys.sqlite", isolation_level=None)


def test_a_record_holds_everything_the_call_handed_over(
    store: Records, make_draft: MakeDraft, clock: FakeClock
) -> None:
    draft = make_draft(processors=("vitaservices",), transcripts=("Guten Tag, ß — „ja“", "mein Krankengeld"))
    record = store.open(store.seal(draft), OFFICER, READ, audio=True)
    assert record.transcripts == draft.transcripts
    assert record.ranking == draft.ranking
    assert record.evidence == draft.evidence
    assert record.target == draft.target
    assert record.caller == draft.caller
    assert record.processors == draft.processors
    assert record.engines == draft.engines
    assert record.notice_version == "1"
    assert record.legal_basis == draft.legal_basis
    assert record.purpose is Purpose.FORWARDING
    assert record.started_at == clock.now()
    assert record.summary.reference == draft.reference
    assert record.summary.concern == "krankengeld"
    assert record.summary.outcome == "succeeded"
    assert record.summary.expires_at == clock.now() + timedelta(days=28)
    assert record.summary.restricted is False
    assert record.recording is not None
    assert flac.decode(record.recording) == draft.recording


def test_a_second_concern_is_kept_for_the_department_and_the_reader(store: Records, make_draft: MakeDraft) -> None:
    draft = make_draft(second_concern="pflege")
    record = store.open(store.seal(draft), OFFICER, READ)
    handed = store.concern(draft.reference, Accessor("Karin", Role.DEPARTMENT, frozenset({"krankengeld"})))
    assert (handed.concern, handed.second_concern) == ("krankengeld", "pflege")
    assert (record.summary.concern, record.second_concern) == ("krankengeld", "pflege")
    assert "pflege" not in repr(draft) + repr(record) + repr(handed)


def test_records_from_before_second_concerns_and_explanations_open(make_draft: MakeDraft) -> None:
    stored = json.loads(contents.pack(make_draft(second_concern="pflege"))[contents.DETAILS])
    del stored["second_concern"], stored["explanations"]
    details = contents.details(json.dumps(stored).encode())
    assert details.second_concern is None
    assert details.explanations == ()


def test_audio_comes_only_when_asked_for(store: Records, make_draft: MakeDraft) -> None:
    record = store.open(store.seal(make_draft()), OFFICER, READ)
    assert record.has_recording
    assert record.recording is None


def test_a_call_without_number_or_recording_is_stored_without(store: Records, make_draft: MakeDraft) -> None:
    for recording in (None, Pcm(b"", 8000)):
        record = store.open(store.seal(make_draft(recording=recording, caller=None)), OFFICER, READ, audio=True)
        assert not record.has_recording
        assert record.recording is None
        assert record.caller is None


def test_the_list_is_newest_first_and_limited(store: Records, make_draft: MakeDraft, clock: FakeClock) -> None:
    ids = []
    for _ in range(3):
        ids.append(store.seal(make_draft()))
        clock.advance(60)
    assert [line.id for line in store.list(OFFICER, Purpose.RIGHTS)] == ids[::-1]
    assert [line.id for line in store.list(OFFICER, Purpose.RIGHTS, limit=2)] == ids[:0:-1]


def test_no_repr_shows_content(store: Records, make_draft: MakeDraft) -> None:
    one = store.seal(make_draft(transcripts=("KANARIE",)))
    shown = repr(store.list(OFFICER, Purpose.RIGHTS)) + repr(store.open(one, OFFICER, READ, audio=True)) + repr(store)
    for secret in ("KANARIE", "123456", "krankengeld", "fLaC"):
        assert secret not in shown


def test_a_record_is_found_by_its_reference_and_its_number(store: Records, make_draft: MakeDraft) -> None:
    one = store.seal(make_draft(reference="ab" * 16, caller="+49 30 555"))
    two = store.seal(make_draft(caller="030-555"))
    store.seal(make_draft(caller="030-556"))
    assert store.find_reference("ab" * 16, OFFICER, Purpose.RIGHTS) == one
    assert store.find_reference("cd" * 16, OFFICER, Purpose.RIGHTS) is None
    assert set(store.find_caller("0049 30 555", OFFICER, Purpose.RIGHTS)) == {one, two}
    assert store.find_caller("030 557", OFFICER, Purpose.RIGHTS) == ()


class TestExpiry:
    def test_from_the_very_moment_no_read_finds_the_record(
        self, store: Records, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        draft = make_draft()
        one = store.seal(draft)
        clock.advance(28 * 86400 - 0.001)
        assert store.open(one, OFFICER, READ).summary.id == one
        clock.advance(0.001)
        with pytest.raises(NotFoundError):
            store.open(one, OFFICER, READ)
        assert store.list(OFFICER, Purpose.RIGHTS) == ()
        assert store.find_reference(draft.reference, OFFICER, Purpose.RIGHTS) is None
        assert store.find_caller("030 123456", OFFICER, Purpose.RIGHTS) == ()
        assert store.status().records == 0
        assert store.status().overdue == 1

    def test_setting_the_clock_back_brings_nothing_back(
        self, store: Records, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        one, start = store.seal(make_draft()), clock.now()
        clock.jump(start + timedelta(days=28))
        assert store.list(OFFICER, Purpose.RIGHTS) == ()
        clock.jump(start)
        assert store.list(OFFICER, Purpose.RIGHTS) == ()
        with pytest.raises(NotFoundError):
            store.open(one, OFFICER, READ)
        assert store.sweep().deleted == 1

    def test_it_runs_from_the_recording_not_from_the_writing(
        self, store: Records, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        draft = make_draft()
        clock.advance(3600)
        store.seal(draft)
        assert store.list(OFFICER, Purpose.RIGHTS)[0].expires_at == draft.recorded_at + timedelta(days=28)

    def test_a_recording_from_the_future_does_not_live_longer(
        self, store: Records, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        store.seal(make_draft(recorded_at=clock.now() + timedelta(days=100)))
        assert store.list(OFFICER, Purpose.RIGHTS)[0].expires_at == clock.now() + timedelta(days=28)

    def test_a_recording_past_its_time_is_not_stored(
        self, store: Records, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        with pytest.raises(StoreError, match="older"):
            store.seal(make_draft(recorded_at=clock.now() - timedelta(days=28)))
        assert store.status().records == 0

    def test_a_clock_that_went_back_too_far_stops_the_recording(
        self, store: Records, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        assert store.healthy()
        clock.jump(clock.now() - timedelta(days=28))
        assert not store.healthy()
        with pytest.raises(StoreError, match="clock"):
            store.seal(make_draft())

    def test_records_made_while_the_clock_was_ahead_are_reported(
        self, store: Records, make_draft: MakeDraft, clock: FakeClock, directory: Path
    ) -> None:
        start = clock.now()
        clock.jump(start + timedelta(days=10))
        store.seal(make_draft())
        assert store.status().overlong == 0
        clock.jump(start)
        with closing(Records(directory, clock, environment={})) as restarted:
            assert restarted.status().overlong == 1

    def test_a_shorter_retention_is_kept(self, directory: Path, make_draft: MakeDraft, clock: FakeClock) -> None:
        with closing(Records(directory, clock, 7, environment={})) as store:
            store.seal(make_draft())
            assert store.status().next_expiry == clock.now() + timedelta(days=7)

    def test_a_longer_one_is_impossible_without_a_reason(self, directory: Path, clock: FakeClock) -> None:
        with pytest.raises(ValueError, match="promise"):
            Records(directory, clock, 29)
        Records(directory, clock, 29, longer_reason="§ 1 Beispielgesetz").close()

    def test_an_expiry_put_off_in_the_database_makes_the_record_unreadable(
        self, store: Records, make_draft: MakeDraft, directory: Path
    ) -> None:
        one = store.seal(make_draft())
        for file in (rows_file(directory), keys_file(directory)):
            with closing(file) as database:
                table = "records" if file.execute("PRAGMA table_list('records')").fetchone() else "keys"
                database.execute(f"UPDATE {table} SET expires_at = expires_at + 86400000000")  # noqa: S608
        with pytest.raises(TamperedError):
            store.open(one, OFFICER, READ)
        assert store.list(OFFICER, Purpose.RIGHTS) == ()

    def test_an_expiry_put_off_in_the_rows_alone_changes_nothing(
        self, store: Records, make_draft: MakeDraft, directory: Path, clock: FakeClock
    ) -> None:
        one = store.seal(make_draft())
        with closing(rows_file(directory)) as database:
            database.execute("UPDATE records SET expires_at = expires_at + 86400000000")
        assert store.list(OFFICER, Purpose.RIGHTS)[0].expires_at == clock.now() + timedelta(days=28)
        clock.advance(28 * 86400)
        with pytest.raises(NotFoundError):
            store.open(one, OFFICER, READ)
        assert store.sweep().deleted == 1

    def test_the_earlier_of_two_expiries_counts(
        self, store: Records, make_draft: MakeDraft, directory: Path, clock: FakeClock
    ) -> None:
        one = store.seal(make_draft())
        with closing(rows_file(directory)) as database:
            database.execute("UPDATE records SET expires_at = expires_at - 86400000000")
        clock.advance(27 * 86400)
        with pytest.raises(NotFoundError):
            store.open(one, OFFICER, READ)
        assert store.sweep().keys_destroyed == 1


class TestDestroying:
    def test_a_destroyed_record_is_gone_and_leaves_id_time_and_reason(
        self, store: Records, make_draft: MakeDraft, directory: Path, clock: FakeClock
    ) -> None:
        draft = make_draft()
        one, other = store.seal(draft), store.seal(make_draft())
        assert store.destroy(one, DestroyReason.ERASED)
        with pytest.raises(NotFoundError):
            store.open(one, OFFICER, READ)
        assert [line.id for line in store.list(OFFICER, Purpose.RIGHTS)] == [other]
        assert store.find_reference(draft.reference, OFFICER, Purpose.RIGHTS) is None
        at = int(clock.now().timestamp()) * 1_000_000
        for file in (rows_file(directory), keys_file(directory)):
            with closing(file) as database:
                assert database.execute("SELECT * FROM tombstones").fetchall() == [(one, at, "geloescht")]
        with closing(rows_file(directory)) as database:
            assert {row[0] for row in database.execute("SELECT record_id FROM contents")} == {other}

    def test_there_is_nothing_to_destroy_twice(self, store: Records, make_draft: MakeDraft) -> None:
        one = store.seal(make_draft())
        assert store.destroy(one, DestroyReason.OBJECTED)
        assert not store.destroy(one, DestroyReason.OBJECTED)
        assert not store.destroy("0" * 32, DestroyReason.ERASED)
        assert not store.destroy("not an id", DestroyReason.ERASED)
        assert store.status().deleted == store.status().keys_destroyed == 1

    def test_the_key_goes_first_and_the_sweep_finishes_what_was_interrupted(
        self, store: Records, make_draft: MakeDraft, directory: Path
    ) -> None:
        one = store.seal(make_draft())
        with closing(rows_file(directory)) as database:
            database.execute("CREATE TRIGGER no BEFORE DELETE ON records BEGIN SELECT RAISE(ABORT, 'no'); END")
            store.sweep()
            with pytest.raises(StoreError):
                store.destroy(one, DestroyReason.ERASED)
            with pytest.raises(NotFoundError):
                store.open(one, OFFICER, READ)
            assert store.sweep().failed == 1
            database.execute("DROP TRIGGER no")
        swept = store.sweep()
        assert (swept.deleted, swept.keys_destroyed, swept.failed) == (1, 0, 0)


class TestTampering:
    def test_content_swapped_between_records_is_refused(
        self, store: Records, make_draft: MakeDraft, directory: Path
    ) -> None:
        one, two = store.seal(make_draft()), store.seal(make_draft())
        with closing(rows_file(directory)) as database:
            query = "SELECT sealed FROM contents WHERE record_id = ? AND field = 'details'"
            (sealed,) = database.execute(query, (two,)).fetchone()
            database.execute("UPDATE contents SET sealed = ? WHERE record_id = ? AND field = 'details'", (sealed, one))
        with pytest.raises(TamperedError):
            store.open(one, OFFICER, READ)
        assert store.trail(OFFICER, Purpose.RIGHTS)[-2].entry.result == "unreadable"
        assert store.open(two, OFFICER, READ).summary.id == two

    def test_content_swapped_between_fields_is_refused(
        self, store: Records, make_draft: MakeDraft, directory: Path
    ) -> None:
        one = store.seal(make_draft())
        with closing(rows_file(directory)) as database:
            (sealed,) = database.execute("SELECT sealed FROM contents WHERE field = 'caller'").fetchone()
            database.execute("UPDATE contents SET sealed = ? WHERE field = 'summary'", (sealed,))
        with pytest.raises(TamperedError):
            store.open(one, OFFICER, READ)

    def test_wrapped_keys_swapped_between_records_are_refused(
        self, store: Records, make_draft: MakeDraft, directory: Path
    ) -> None:
        one, two = store.seal(make_draft()), store.seal(make_draft())
        with closing(keys_file(directory)) as database:
            (wrapped,) = database.execute("SELECT wrapped FROM keys WHERE id = ?", (two,)).fetchone()
            database.execute("UPDATE keys SET wrapped = ? WHERE id = ?", (wrapped, one))
        with pytest.raises(TamperedError):
            store.open(one, OFFICER, READ)

    def test_one_broken_record_does_not_hide_the_others_from_the_list(
        self, store: Records, make_draft: MakeDraft, directory: Path
    ) -> None:
        one, two = store.seal(make_draft()), store.seal(make_draft())
        with closing(rows_file(directory)) as database:
            database.execute("UPDATE contents SET sealed = x'00' WHERE record_id = ? AND field = 'summary'", (one,))
        assert [line.id for line in store.list(OFFICER, Purpose.RIGHTS)] == [two]

    def test_lengths_do_not_tell_concerns_apart(self, store: Records, make_draft: MakeDraft, directory: Path) -> None:
        for concern, number in (("pflege", "110"), ("mutterschaft_kinderkrank", "+49 30 1234567890")):
            store.seal(make_draft(concern=concern, caller=number))
        with closing(rows_file(directory)) as database:
            query = "SELECT DISTINCT field, length(sealed) FROM contents WHERE field IN ('summary', 'caller')"
            assert len(database.execute(query).fetchall()) == 2


class TestCounters:
    def test_they_count_by_day_of_berlin(self, store: Records, clock: FakeClock) -> None:
        clock.jump(datetime(2026, 7, 1, 21, 59, tzinfo=UTC))
        store.count("objected")
        store.count("routed", "krankengeld", "route")
        store.count("routed", "krankengeld", "route")
        clock.jump(datetime(2026, 7, 1, 22, 0, tzinfo=UTC))
        store.count("objected")
        assert [
            (entry.day, entry.kind, entry.department, entry.decision, entry.number)
            for entry in store._opener.stores().rows.counted()
        ] == [
            ("2026-07-01", "objected", "", "", 1),
            ("2026-07-01", "routed", "krankengeld", "route", 2),
            ("2026-07-02", "objected", "", "", 1),
        ]

    @pytest.mark.parametrize("value", ["a" * 41, "49301234", "ab12cd34ef56ab78", "+4930", "Müller", "", "two words"])
    def test_neither_ids_nor_numbers_can_be_counted(self, store: Records, value: str) -> None:
        for arguments in ((value,), ("routed", None, value)):
            with pytest.raises(ValueError, match="never an id"):
                store.count(*arguments)
        if value != "":
            with pytest.raises(ValueError, match="never an id"):
                store.count("routed", f"x{value}1234")
        assert store._opener.stores().rows.counted() == ()


class TestMasterKey:
    @pytest.fixture
    def sealed(self, store: Records, make_draft: MakeDraft) -> Iterator[str]:
        yield store.seal(make_draft())
        store.close()

    def test_another_key_is_noticed_before_anything_is_read_or_written(
        self, sealed: str, directory: Path, clock: FakeClock, make_draft: MakeDraft
    ) -> None:
        with closing(Records(directory, clock, environment={}, ring=SingleKeyring(LocalMaster(b"x" * 32)))) as wrong:
            assert not wrong.healthy()
            for attempt in (
                wrong.prepare,
                lambda: wrong.list(OFFICER, READ),
                lambda: wrong.open(sealed, OFFICER, READ),
                lambda: wrong.seal(make_draft()),
            ):
                with pytest.raises(StoreError, match="master key does not fit"):
                    attempt()

    def test_a_missing_key_file_is_not_replaced(self, sealed: str, directory: Path, clock: FakeClock) -> None:
        (directory / "keys" / "master.key").unlink()
        with closing(Records(directory, clock, environment={})) as without:
            assert not without.healthy()
            with pytest.raises(StoreError, match="put it back"):
                without.list(OFFICER, Purpose.RIGHTS)
        assert not (directory / "keys" / "master.key").exists()

    def test_expiry_is_enforced_without_it(self, sealed: str, directory: Path, clock: FakeClock) -> None:
        (directory / "keys" / "master.key").unlink()
        clock.advance(28 * 86400)
        with closing(Records(directory, clock, environment={})) as without:
            assert without.sweep().keys_destroyed == 1
            assert without.status().records == 0

    def test_a_key_from_the_environment_leaves_no_file(
        self, tmp_path: Path, clock: FakeClock, make_draft: MakeDraft
    ) -> None:
        environment = {"ANRUFLOTSE_MASTER_KEY": "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg="}
        with closing(Records(tmp_path / "other", clock, environment=environment)) as store:
            assert store.open(store.seal(make_draft(recording=speech())), OFFICER, READ).has_recording
        assert not (tmp_path / "other" / "keys" / "master.key").exists()
