"""Restriction (Art. 18 GDPR): who still sees the record, when it ends, and that no edit of a database lifts it."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from anruflotse.clock import FakeClock
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import AccessRefusedError, DestroyReason, NotFoundError, Purpose, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.restriction import Ground, HeldError, Restriction
from tests.records.conftest import OFFICER, MakeDraft

ENTRUSTED = Accessor("Eva", Role.SPEECH)
CARER = Accessor("Paul", Role.DEPARTMENT, frozenset({"krankengeld"}))


def test_a_restricted_record_is_hidden_from_everything_but_rights_handling(
    store: Records, make_draft: MakeDraft
) -> None:
    draft = make_draft()
    one, other = store.seal(draft), store.seal(make_draft())
    store.restrict(one, OFFICER, Ground.CONTESTED)
    assert [line.id for line in store.list(ENTRUSTED, Purpose.FORWARDING)] == [other]
    assert [line.id for line in store.list(OFFICER, Purpose.SUPERVISION)] == [other]
    assert {line.id: line.restricted for line in store.list(OFFICER, Purpose.RIGHTS)} == {one: True, other: False}
    for attempt in (
        lambda: store.open(one, ENTRUSTED, Purpose.FORWARDING),
        lambda: store.open(one, ENTRUSTED, Purpose.FORWARDING, audio=True),
        lambda: store.open(one, OFFICER, Purpose.SUPERVISION),
        lambda: store.concern(draft.reference, CARER),
    ):
        with pytest.raises(AccessRefusedError, match=r"Art\. 18"):
            attempt()
        assert store.trail(OFFICER, Purpose.RIGHTS)[-2].entry.result == "refused_restricted"
    assert store.open(one, OFFICER, Purpose.RIGHTS, audio=True).recording
    assert set(store.find_caller(draft.caller or "", OFFICER, Purpose.RIGHTS)) == {one, other}
    store.lift(one, OFFICER)
    assert store.open(one, ENTRUSTED, Purpose.FORWARDING).transcripts
    assert store.concern(draft.reference, CARER).transcripts


@pytest.mark.parametrize("ground", Ground)
def test_without_a_hold_the_record_ends_on_its_day(
    store: Records, make_draft: MakeDraft, clock: FakeClock, ground: Ground
) -> None:
    one = store.seal(make_draft())
    store.restrict(one, OFFICER, ground, review_on=clock.now() + timedelta(days=90))
    clock.advance(28 * 86400)
    with pytest.raises(NotFoundError):
        store.open(one, OFFICER, Purpose.RIGHTS)
    assert store.sweep().deleted == 1


@pytest.mark.parametrize("ground", [Ground.UNLAWFUL, Ground.LEGAL_CLAIMS])
def test_a_held_record_outlives_its_day_for_rights_handling_until_lifted(
    store: Records, make_draft: MakeDraft, clock: FakeClock, ground: Ground
) -> None:
    draft = make_draft()
    one = store.seal(draft)
    store.restrict(one, OFFICER, ground, hold=True, review_on=clock.now() + timedelta(days=90))
    clock.advance(60 * 86400)
    assert store.sweep().deleted == 0
    assert store.open(one, OFFICER, Purpose.RIGHTS).transcripts
    assert [line.id for line in store.list(OFFICER, Purpose.RIGHTS)] == [one]
    assert store.find_reference(draft.reference, OFFICER, Purpose.RIGHTS) == one
    assert store.find_caller(draft.caller or "", OFFICER, Purpose.RIGHTS) == (one,)
    assert store.list(ENTRUSTED, Purpose.FORWARDING) == ()
    status = store.status()
    assert (status.restricted, status.held, status.reviews_due) == (1, 1, 0)
    clock.advance(31 * 86400)
    assert store.status().reviews_due == 1
    assert store.open(one, OFFICER, Purpose.RIGHTS).transcripts
    store.lift(one, OFFICER)
    with pytest.raises(NotFoundError):
        store.open(one, OFFICER, Purpose.RIGHTS)
    assert store.list(OFFICER, Purpose.RIGHTS) == ()
    assert store.sweep().deleted == 1


def test_a_held_record_can_still_be_erased(store: Records, make_draft: MakeDraft, clock: FakeClock) -> None:
    one = store.seal(make_draft())
    store.restrict(one, OFFICER, Ground.LEGAL_CLAIMS, hold=True, review_on=clock.now() + timedelta(days=90))
    clock.advance(40 * 86400)
    assert store.destroy(one, DestroyReason.ERASED, OFFICER)
    with pytest.raises(NotFoundError):
        store.open(one, OFFICER, Purpose.RIGHTS)


@pytest.mark.parametrize("ground", [Ground.CONTESTED, Ground.OBJECTED])
def test_no_hold_on_other_grounds(store: Records, make_draft: MakeDraft, clock: FakeClock, ground: Ground) -> None:
    one = store.seal(make_draft())
    with pytest.raises(ValueError, match=r"18\(1\)\(b\) or \(c\)"):
        store.restrict(one, OFFICER, ground, hold=True, review_on=clock.now() + timedelta(days=90))
    assert not store.open(one, OFFICER, Purpose.RIGHTS).summary.restricted


def test_no_hold_without_a_review_that_lies_ahead(store: Records, make_draft: MakeDraft, clock: FakeClock) -> None:
    one = store.seal(make_draft())
    with pytest.raises(ValueError, match="review"):
        store.restrict(one, OFFICER, Ground.LEGAL_CLAIMS, hold=True)
    with pytest.raises(ValueError, match="review"):
        store.restrict(one, OFFICER, Ground.LEGAL_CLAIMS, hold=True, review_on=clock.now())


def test_restricting_again_replaces_the_ground_and_never_ends_a_hold(
    store: Records, make_draft: MakeDraft, clock: FakeClock
) -> None:
    one = store.seal(make_draft())
    store.restrict(one, OFFICER, Ground.CONTESTED)
    store.restrict(one, OFFICER, Ground.UNLAWFUL, hold=True, review_on=clock.now() + timedelta(days=90))
    with pytest.raises(HeldError, match="Lift the hold first"):
        store.restrict(one, OFFICER, Ground.OBJECTED)
    with pytest.raises(HeldError):
        store.restrict(one, OFFICER, Ground.UNLAWFUL)
    store.restrict(one, OFFICER, Ground.LEGAL_CLAIMS, hold=True, review_on=clock.now() + timedelta(days=9))
    clock.advance(28 * 86400)
    store.sweep()
    assert store.open(one, OFFICER, Purpose.RIGHTS).summary.restricted
    store.lift(one, OFFICER)
    with pytest.raises(NotFoundError):
        store.open(one, OFFICER, Purpose.RIGHTS)


def test_editing_the_database_neither_lifts_nor_widens_a_restriction(clock: FakeClock, make_draft: MakeDraft) -> None:
    """Any other state of the columns makes the record unreadable: the wrapped key is bound to the one it has."""
    review = 1_900_000_000_000_000
    states = [
        (None, None, 0, None),
        ("a", 1_772_000_000_000_000, 0, None),
        ("b", 1_772_000_000_000_000, 1, review),
        ("c", 1_772_000_000_000_000, 0, review),
        ("c", 1_772_000_000_000_000, 1, review),
    ]
    import tempfile  # noqa: PLC0415 - a store of its own on SQLite, whichever database the others run on

    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        with closing(Records(directory, clock, environment={})) as store:
            one = store.seal(make_draft())
            store.restrict(one, OFFICER, Ground.LEGAL_CLAIMS, hold=True, review_on=clock.now() + timedelta(days=90))
            with closing(sqlite3.connect(directory / "keys" / "keys.sqlite", isolation_level=None)) as database:
                database.execute("PRAGMA ignore_check_constraints = ON")
                edit = "UPDATE keys SET restriction = ?, restricted_at = ?, held = ?, review_at = ?"
                for state in states:
                    database.execute(edit, state)
                    for who, purpose in ((ENTRUSTED, Purpose.FORWARDING), (OFFICER, Purpose.RIGHTS)):
                        with pytest.raises((StoreError, AccessRefusedError)):
                            store.open(one, who, purpose)


def test_a_restriction_says_what_is_bound_into_the_key_without_ambiguity() -> None:
    grounds, times = list(Ground), (1, 11, 111)
    seen: dict[str, Restriction] = {}
    for ground, since, held, review in itertools.product(grounds, times, (False, True), (None, *times)):
        if held and (ground not in {Ground.UNLAWFUL, Ground.LEGAL_CLAIMS} or review is None):
            continue
        restriction = Restriction(ground, since, held=held, review_at=review)
        assert seen.setdefault(restriction.context, restriction) == restriction


def test_a_restriction_nobody_can_have_set_costs_that_record_only(
    store: Records, directory: Path, make_draft: MakeDraft
) -> None:
    one, other = store.seal(make_draft()), store.seal(make_draft())
    with closing(sqlite3.connect(directory / "keys" / "keys.sqlite", isolation_level=None)) as database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        database.execute("UPDATE keys SET restriction = 'x', restricted_at = 'gestern', held = 1 WHERE id = ?", (one,))
    assert [line.id for line in store.list(OFFICER, Purpose.RIGHTS)] == [other]
    with pytest.raises(StoreError, match="key"):
        store.open(one, OFFICER, Purpose.RIGHTS)
