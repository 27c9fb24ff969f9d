"""What somebody edits in the databases, or types where it does not belong: nothing opens, and the trail says so."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from anruflotse.clock import FakeClock
from anruflotse.records import access, contents
from anruflotse.records.access import Accessor, Kind, Role
from anruflotse.records.model import AccessRefusedError, DestroyReason, NotFoundError, Purpose, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.restriction import Ground
from anruflotse.records.times import to_micros
from anruflotse.records.vault.master import TamperedError
from tests.records.conftest import OFFICER, MakeDraft

SPEECH = Accessor("Eva", Role.SPEECH)
CARER = Accessor("Paul", Role.DEPARTMENT, frozenset({"krankengeld"}))
STRANGER = Accessor("Mia", Role.DEPARTMENT, frozenset({"pflegekasse"}))
HALF = "\udcff"
"""What Python makes of a byte on the command line that is not UTF-8."""


def edit(directory: Path, file: str, statement: str, *values: object) -> None:
    """As somebody does who has the file and no scruples."""
    with closing(sqlite3.connect(directory / file, isolation_level=None)) as database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        assert database.execute(statement, values).rowcount


def edit_keys(directory: Path, statement: str, *values: object) -> None:
    edit(directory, "keys/keys.sqlite", statement, *values)


def edit_rows(directory: Path, statement: str, *values: object) -> None:
    edit(directory, "records.sqlite", statement, *values)


def last(store: Records) -> tuple[str, str, str]:
    """Act, subject and result of the latest entry before this look."""
    entry = store.trail(OFFICER, Purpose.RIGHTS)[-2].entry
    return entry.act, entry.subject, entry.result


@pytest.mark.parametrize(
    "state",
    [
        "held = 1",
        "held = 1, restriction = 'a', restricted_at = 1, review_at = 1900000000000000",
        "held = 1, restriction = 'c', restricted_at = 1",
        "held = 1, restriction = 'c', review_at = 1900000000000000",
        "held = 1, restriction = 'z', restricted_at = 1, review_at = 1900000000000000",
        "held = 1, restriction = 'c', restricted_at = 1, review_at = 'nie'",
    ],
)
def test_a_hold_without_its_restriction_is_none(
    store: Records, directory: Path, make_draft: MakeDraft, clock: FakeClock, state: str
) -> None:
    draft = make_draft()
    one = store.seal(draft)
    edit_keys(directory, f"UPDATE keys SET {state}")  # noqa: S608 - from above
    with pytest.raises(StoreError):
        store.open(one, OFFICER, Purpose.RIGHTS)
    assert store.list(OFFICER, Purpose.RIGHTS) == ()
    clock.advance(28 * 86400)
    assert store.status().held == 0
    assert store._opener.stores().keys.all_held() == set()
    assert store._opener.stores().keys.held([one]) == set()
    assert store._opener.stores().keys.alive([one], to_micros(clock.now())) == {}
    with pytest.raises(NotFoundError):
        store.open(one, OFFICER, Purpose.RIGHTS)
    assert store.find_caller(draft.caller or "", OFFICER, Purpose.RIGHTS) == ()
    assert store.find_reference(draft.reference, OFFICER, Purpose.RIGHTS) is None
    swept = store.sweep()
    assert (swept.deleted, swept.keys_destroyed) == (1, 1)


def test_the_database_itself_refuses_such_a_hold(store: Records, directory: Path, make_draft: MakeDraft) -> None:
    store.seal(make_draft())
    with (
        closing(sqlite3.connect(directory / "keys" / "keys.sqlite", isolation_level=None)) as database,
        pytest.raises(sqlite3.IntegrityError, match="held_is_a_restriction"),
    ):
        database.execute("UPDATE keys SET held = 1")


def test_a_restricted_record_is_found_by_nobody_else(
    store: Records, make_draft: MakeDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = make_draft()
    one = store.seal(draft)
    store.restrict(one, OFFICER, Ground.CONTESTED)
    for who, purpose in ((SPEECH, Purpose.FORWARDING), (OFFICER, Purpose.SUPERVISION)):
        assert store.find_reference(draft.reference, who, purpose) is None
        assert last(store) == ("find_reference", one, "refused_restricted")
    assert store.find_reference(draft.reference, OFFICER, Purpose.RIGHTS) == one
    # If the table ever lets somebody else look for numbers.
    monkeypatch.setitem(access._ALLOWED, (Role.SPEECH, Purpose.FORWARDING), frozenset({Kind.FIND_NUMBER}))
    assert store.find_caller(draft.caller or "", SPEECH, Purpose.FORWARDING) == ()
    assert store.find_caller(draft.caller or "", OFFICER, Purpose.RIGHTS) == (one,)


def test_other_departments_are_not_told_that_a_call_is_restricted(store: Records, make_draft: MakeDraft) -> None:
    draft = make_draft()
    one = store.seal(draft)
    store.restrict(one, OFFICER, Ground.CONTESTED)
    with pytest.raises(AccessRefusedError, match="another department"):
        store.concern(draft.reference, STRANGER)
    assert last(store) == ("concern", one, "refused_department")
    with pytest.raises(AccessRefusedError, match=r"Art\. 18"):
        store.concern(draft.reference, CARER)
    assert last(store) == ("concern", one, "refused_restricted")


def test_what_is_closed_or_unreadable_takes_no_place_in_the_list(
    store: Records, directory: Path, make_draft: MakeDraft, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anruflotse.records.reading._PAGE", 2)
    ids = []
    for _ in range(9):
        ids.append(store.seal(make_draft(recording=None)))
        if len(ids) % 2:
            clock.advance(60)
    for one in (ids[8], ids[7]):
        store.restrict(one, OFFICER, Ground.CONTESTED)
    edit_rows(directory, "UPDATE contents SET sealed = 'x' WHERE record_id = ? AND field = 'summary'", ids[6])
    edit_rows(directory, "DELETE FROM contents WHERE record_id = ? AND field = 'summary'", ids[5])
    edit_rows(directory, "UPDATE records SET recorded_at = 'gestern' WHERE id = ?", ids[4])
    readable = [line.id for line in store.list(SPEECH, Purpose.FORWARDING)]
    assert sorted(readable) == sorted(ids[:4])
    for limit in (1, 3):
        assert [line.id for line in store.list(SPEECH, Purpose.FORWARDING, limit)] == readable[:limit]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE records SET legal_basis = 'Einwilligung'",
        "UPDATE records SET purpose = 'betroffenenrechte'",
        "UPDATE records SET purpose = 'x'",
        "UPDATE records SET recorded_at = recorded_at - 1",
        "UPDATE records SET recorded_at = 9e18",
        "UPDATE records SET started_at = started_at + 1",
        "UPDATE records SET started_at = 'KAN'",
        "UPDATE records SET format = x'00'",
        "DELETE FROM contents WHERE field = 'caller'",
        "DELETE FROM contents WHERE field = 'recording'",
        "DELETE FROM contents WHERE field = 'summary'",
        "DELETE FROM contents WHERE field = 'details'",
        "UPDATE contents SET sealed = 'x' WHERE field = 'details'",
        "INSERT INTO contents SELECT record_id, 'more', sealed FROM contents WHERE field = 'caller'",
    ],
)
def test_what_was_changed_beside_the_content_is_not_shown_as_true(
    store: Records, directory: Path, make_draft: MakeDraft, statement: str
) -> None:
    draft = make_draft()
    one = store.seal(draft)
    assert store.open(one, SPEECH, Purpose.FORWARDING).has_recording
    edit_rows(directory, statement)
    with pytest.raises(TamperedError):
        store.open(one, SPEECH, Purpose.FORWARDING)
    assert last(store) == ("text", one, "unreadable")
    with pytest.raises(TamperedError):
        store.concern(draft.reference, CARER)
    assert last(store) == ("concern", one, "unreadable")
    shown = store.list(SPEECH, Purpose.FORWARDING)
    assert shown == () or "contents" in statement


def test_an_exchanged_reference_leads_to_no_record(store: Records, directory: Path, make_draft: MakeDraft) -> None:
    one = store.seal(make_draft())
    edit_rows(directory, "UPDATE records SET reference = 'abcdef0123456789'")
    with pytest.raises(TamperedError):
        store.concern("abcdef0123456789", CARER)
    assert last(store) == ("concern", one, "unreadable")


@pytest.mark.parametrize("column", ["wrapped = 'x'", "master = x'ff'", "wrapped = x''"])
def test_a_damaged_key_is_in_the_trail(store: Records, directory: Path, make_draft: MakeDraft, column: str) -> None:
    one = store.seal(make_draft())
    edit_keys(directory, f"UPDATE keys SET {column}")  # noqa: S608 - from above
    with pytest.raises(StoreError):
        store.open(one, SPEECH, Purpose.FORWARDING)
    assert last(store) == ("text", one, "unreadable")


def test_records_from_before_the_rows_were_bound_open(
    store: Records, make_draft: MakeDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = contents.pack
    monkeypatch.setattr(contents, "pack", lambda draft, _row=None: pack(draft))
    one = store.seal(make_draft())
    assert store.open(one, OFFICER, Purpose.RIGHTS, audio=True).recording
    assert [line.id for line in store.list(OFFICER, Purpose.RIGHTS)] == [one]


def test_summaries_are_one_block_whatever_the_call_was_about(make_draft: MakeDraft) -> None:
    long = "k" * 30
    for draft in (
        make_draft(concern=None, department=None, caller=None, recording=None),
        make_draft(concern=long, department=long, decision=long, outcome=long),
    ):
        packed = contents.pack(draft, "0" * 64)
        assert len(packed[contents.SUMMARY]) == 512
        assert json.loads(packed[contents.SUMMARY])["parts"] == sorted(packed)


@pytest.mark.parametrize("typed", ["not an id", HALF, "", "a" * 31])
def test_an_erasure_of_what_is_no_id_is_in_the_trail(store: Records, typed: str) -> None:
    assert not store.destroy(typed, DestroyReason.ERASED, OFFICER)
    assert last(store) == ("destroy", "-", "not_found")


@pytest.mark.parametrize(
    "ask",
    [
        lambda store, one, now: store.restrict(one, OFFICER, Ground.LEGAL_CLAIMS, hold=True, review_on=now),
        lambda store, one, _: store.restrict(one, OFFICER, Ground.LEGAL_CLAIMS, hold=True),
        lambda store, one, now: store.restrict(
            one, OFFICER, Ground.CONTESTED, hold=True, review_on=now + timedelta(days=1)
        ),
        lambda store, one, _: store.restrict(
            one, OFFICER, Ground.CONTESTED, review_on=datetime(3000, 1, 1, tzinfo=UTC)
        ),
        lambda store, one, now: store.restrict(one, OFFICER, Ground.CONTESTED, review_on=now.replace(tzinfo=None)),
        lambda store, one, _: store.restrict(one, OFFICER, "z"),
    ],
)
def test_a_restriction_that_cannot_be_is_in_the_trail(
    store: Records, make_draft: MakeDraft, clock: FakeClock, ask: Callable[[Records, str, datetime], None]
) -> None:
    one = store.seal(make_draft())
    with pytest.raises(ValueError, match=r"review|18\(1\)|not a valid Ground"):
        ask(store, one, clock.now())
    assert last(store) == ("restrict", one, "refused_input")
    assert not store.open(one, OFFICER, Purpose.RIGHTS).summary.restricted


@pytest.mark.parametrize("reason", [*DestroyReason])
def test_officers_erase_for_the_reasons_of_an_erasure_only(
    store: Records, make_draft: MakeDraft, directory: Path, reason: DestroyReason
) -> None:
    one = store.seal(make_draft())
    if reason in (DestroyReason.ERASED, DestroyReason.OBJECTED):
        assert store.destroy(one, reason, OFFICER)
        assert one in (directory / "erased.log").read_text()
        return
    with pytest.raises(ValueError, match="geloescht, widersprochen"):
        store.destroy(one, reason, OFFICER)
    assert last(store) == ("destroy", one, "refused_input")
    assert store.open(one, OFFICER, Purpose.RIGHTS).transcripts


def test_half_characters_name_nothing_and_are_in_the_trail(store: Records) -> None:
    assert store.find_reference(HALF, OFFICER, Purpose.RIGHTS) is None
    assert last(store) == ("find_reference", "-", "not_found")
    assert store.find_caller(HALF, OFFICER, Purpose.RIGHTS) == ()
    assert last(store) == ("find_number", "-", "not_found")
    with pytest.raises(NotFoundError):
        store.open(HALF, OFFICER, Purpose.RIGHTS)
    assert last(store) == ("text", "-", "not_found")
    with pytest.raises(NotFoundError):
        store.concern(HALF, CARER)
    assert last(store) == ("concern", "-", "not_found")


def test_half_characters_do_not_keep_a_call_from_being_kept(store: Records, make_draft: MakeDraft) -> None:
    one = store.seal(make_draft(transcripts=(f"Ja{HALF} bitte",), caller=f"{HALF}1", concern=HALF))
    record = store.open(one, OFFICER, Purpose.RIGHTS)
    assert (record.transcripts, record.caller, record.summary.concern) == (("Ja? bitte",), "?1", "?")


def test_the_state_is_told_at_the_end_of_times(store: Records, make_draft: MakeDraft, clock: FakeClock) -> None:
    store.seal(make_draft())
    clock.jump(datetime(9999, 12, 31, 23, tzinfo=UTC))
    assert store.status().overdue == 1
