"""Which records lie within a stretch of time, and who read one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import text

from anruflotse.clock import FakeClock
from anruflotse.records import searching
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import AccessRefusedError, DestroyReason, NotFoundError, Purpose
from anruflotse.records.repository import Records
from anruflotse.records.restriction import Ground
from tests.records.conftest import OFFICER, MakeDraft
from tests.records.faults import keys_of, rows_of, run

HOUR = timedelta(hours=1)
ALWAYS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC))
KARIN = Accessor("Karin", Role.DEPARTMENT, frozenset({"krankengeld"}))
STAFF = Accessor("Stimme", Role.SPEECH)


def hourly(store: Records, make_draft: MakeDraft, clock: FakeClock, number: int) -> list[str]:
    ids = []
    for _ in range(number):
        ids.append(store.seal(make_draft(recording=None)))
        clock.advance(3600)
    return ids


class TestWindow:
    def test_it_holds_what_was_recorded_from_its_start_until_before_its_end(
        self, each_store: Records, make_draft: MakeDraft, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(searching, "_PAGE", 2)
        start = clock.now()
        ids = hourly(each_store, make_draft, clock, 7)
        tick = timedelta(microseconds=1)
        for first, last in ((0, 7), (2, 5), (0, 1), (6, 7), (3, 3)):
            window = (start + first * HOUR, start + last * HOUR + (tick if first == last else 0 * HOUR))
            expected = ids[first : last + (first == last)]
            assert each_store.find_window(*window, OFFICER, Purpose.RIGHTS) == tuple(expected)
            assert each_store.count_window(*window, OFFICER, Purpose.RIGHTS) == len(expected)
        assert each_store.find_window(*ALWAYS, OFFICER, Purpose.RIGHTS, limit=3) == tuple(ids[:3])
        assert each_store.find_window(*ALWAYS, OFFICER, Purpose.RIGHTS, limit=0) == ()
        assert each_store.find_window(*ALWAYS, OFFICER, Purpose.SUPERVISION) == tuple(ids)

    def test_times_are_compared_whatever_their_zone(
        self, each_store: Records, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        (one,) = hourly(each_store, make_draft, clock, 1)
        zone = timezone(timedelta(hours=2))
        start = (clock.now() - HOUR).astimezone(zone)
        assert each_store.find_window(start, start + HOUR, OFFICER, Purpose.RIGHTS) == (one,)
        assert each_store.count_window(start + HOUR, start + 2 * HOUR, OFFICER, Purpose.RIGHTS) == 0

    def test_many_of_one_moment(self, store: Records, make_draft: MakeDraft, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(searching, "_PAGE", 3)
        ids = sorted(store.seal(make_draft(recording=None)) for _ in range(10))
        assert store.find_window(*ALWAYS, OFFICER, Purpose.RIGHTS) == tuple(ids)
        assert store.count_window(*ALWAYS, OFFICER, Purpose.RIGHTS) == 10

    def test_a_restricted_record_is_there_for_rights_only(
        self, each_store: Records, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        free, closed, held = hourly(each_store, make_draft, clock, 3)
        each_store.restrict(closed, OFFICER, Ground.CONTESTED)
        review = clock.now() + timedelta(days=90)
        each_store.restrict(held, OFFICER, Ground.LEGAL_CLAIMS, hold=True, review_on=review)
        assert each_store.find_window(*ALWAYS, OFFICER, Purpose.RIGHTS) == (free, closed, held)
        assert each_store.find_window(*ALWAYS, OFFICER, Purpose.SUPERVISION) == (free,)
        assert each_store.count_window(*ALWAYS, OFFICER, Purpose.SUPERVISION) == 1
        clock.advance(30 * 86400)
        assert each_store.find_window(*ALWAYS, OFFICER, Purpose.RIGHTS) == (held,)
        assert each_store.count_window(*ALWAYS, OFFICER, Purpose.RIGHTS) == 1
        assert each_store.find_window(*ALWAYS, OFFICER, Purpose.SUPERVISION) == ()

    def test_what_has_ended_is_not_there_swept_or_not(
        self, each_store: Records, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        erased, keyless, due, kept = hourly(each_store, make_draft, clock, 4)
        each_store.destroy(erased, DestroyReason.ERASED, OFFICER)
        run(keys_of(each_store), f"DELETE FROM keys WHERE id = '{keyless}'")  # noqa: S608
        clock.advance(28 * 86400 - 2 * 3600)
        assert each_store.find_window(*ALWAYS, OFFICER, Purpose.RIGHTS) == (kept,)
        assert each_store.count_window(*ALWAYS, OFFICER, Purpose.RIGHTS) == 1
        with pytest.raises(NotFoundError):
            each_store.open(due, OFFICER, Purpose.RIGHTS)

    @pytest.mark.parametrize("hours", [0, -1])
    def test_an_end_that_is_not_after_the_start_is_refused(
        self, each_store: Records, clock: FakeClock, hours: int
    ) -> None:
        for find in (each_store.find_window, each_store.count_window):
            with pytest.raises(ValueError, match="needs a start and a later end"):
                find(clock.now(), clock.now() + hours * HOUR, OFFICER, Purpose.RIGHTS)
            with pytest.raises(ValueError, match="time zone"):
                find(datetime(2026, 1, 1), ALWAYS[1], OFFICER, Purpose.RIGHTS)  # noqa: DTZ001
        results = [one.entry.result for one in each_store.trail(OFFICER, Purpose.RIGHTS)]
        assert results[:4] == ["refused_input"] * 4

    def test_the_ends_of_time(self, each_store: Records, make_draft: MakeDraft, clock: FakeClock) -> None:
        ids = hourly(each_store, make_draft, clock, 2)
        all_of_it = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
        assert each_store.find_window(*all_of_it, OFFICER, Purpose.RIGHTS) == tuple(ids)

    def test_an_id_that_is_no_text_does_not_keep_us_for_ever(
        self, store: Records, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        first, last = hourly(store, make_draft, clock, 2)
        with rows_of(store).write() as connection:
            connection.execute(text("PRAGMA defer_foreign_keys = ON"))
            connection.execute(text("DELETE FROM contents"))
            connection.execute(text("UPDATE records SET id = CAST(x'ff' AS TEXT) WHERE id = :last"), {"last": last})
        assert store.find_window(*ALWAYS, OFFICER, Purpose.RIGHTS) == (first,)


class TestRecipients:
    def test_it_tells_who_really_read_it(self, each_store: Records, make_draft: MakeDraft, clock: FakeClock) -> None:
        draft = make_draft()
        one, other = each_store.seal(draft), each_store.seal(make_draft())
        begun = clock.now()
        each_store.open(one, STAFF, Purpose.FORWARDING)
        clock.advance(60)
        each_store.open(one, STAFF, Purpose.FORWARDING, audio=True)
        each_store.concern(draft.reference, KARIN)
        # None of these received anything of it.
        each_store.open(other, STAFF, Purpose.FORWARDING)
        each_store.list(STAFF, Purpose.FORWARDING)
        each_store.find_reference(draft.reference, STAFF, Purpose.FORWARDING)
        each_store.restrict(one, OFFICER, Ground.CONTESTED)
        each_store.rectify(one, OFFICER, 0, "anders")
        for attempt in (
            lambda: each_store.open(one, STAFF, Purpose.FORWARDING),
            lambda: each_store.open(one, STAFF, Purpose.STATISTICS),
            lambda: each_store.concern(draft.reference, KARIN),
        ):
            with pytest.raises(AccessRefusedError):
                attempt()
        expected = [
            ("Stimme", "sprachverarbeitung", "weiterleitung", "text", begun),
            ("Stimme", "sprachverarbeitung", "weiterleitung", "audio", begun + timedelta(minutes=1)),
            ("Karin", "fachabteilung", "weiterleitung", "concern", begun + timedelta(minutes=1)),
        ]
        found = each_store.recipients(one, OFFICER)
        assert [(its.accessor, its.role, its.purpose, its.act, its.at) for its in found] == expected
        # Also when there is no record any more: they are told that it was erased (Art. 19).
        each_store.destroy(one, DestroyReason.ERASED, OFFICER)
        assert each_store.recipients(one, OFFICER) == found

    def test_asking_is_in_the_trail_and_for_data_protection_only(
        self, each_store: Records, make_draft: MakeDraft
    ) -> None:
        one = each_store.seal(make_draft())
        with pytest.raises(AccessRefusedError):
            each_store.recipients(one, STAFF)
        assert each_store.recipients(one, OFFICER) == ()
        told = [one.entry for one in each_store.trail(OFFICER, Purpose.RIGHTS)]
        assert [(its.act, its.subject, its.result) for its in told[:2]] == [
            ("trail", one, "refused_role"),
            ("trail", one, "granted"),
        ]

    @pytest.mark.parametrize("one", ["", "-", "x", "0" * 32, "\udcff"])
    def test_nobody_read_what_there_never_was(self, each_store: Records, make_draft: MakeDraft, one: str) -> None:
        each_store.open(each_store.seal(make_draft()), STAFF, Purpose.FORWARDING)
        assert each_store.recipients(one, OFFICER) == ()
