"""Requests of persons: kept, changed and read by data protection only, sealed like records."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from anruflotse.clock import FakeClock
from anruflotse.records.access import Accessor, Role
from anruflotse.records.casework import LARGEST_ATTACHMENT, LONGEST_BODY
from anruflotse.records.model import (
    AccessRefusedError,
    ConflictError,
    DestroyReason,
    NotFoundError,
    Purpose,
    StoreError,
)
from anruflotse.records.repository import Records
from anruflotse.records.stores.casestore import StoredCase
from anruflotse.records.stores.keystore import StoredKey
from anruflotse.records.vault.envelope import DataKey
from anruflotse.records.vault.master import TamperedError
from tests.records.conftest import OFFICER, Home, MakeDraft
from tests.records.faults import CrashError, ask, crash_at, rows_of, run
from tests.records.filing import BODY, CANARY, YEARS, acts, filed, left


class TestKeeping:
    def test_a_case_is_what_was_filed(self, each_store: Records, clock: FakeClock) -> None:
        one = filed(each_store, clock)
        case = each_store.case(one, OFFICER)
        assert (case.id, case.version, case.body) == (one, 1, BODY)
        assert (case.filed_at, case.expires_at) == (clock.now(), clock.now() + YEARS)
        assert acts(each_store) == [("case", one, "filed"), ("case", one, "granted")]
        assert each_store.status().cases == 1
        assert each_store.status().records == 0

    @pytest.mark.parametrize(
        "text",
        [
            "<script>alert(1)</script>",
            "'; DROP TABLE cases; --",
            '=HYPERLINK("x")',
            "../../etc/passwd",
            "\0",
            "ß\u2028😀",
        ],
    )
    def test_whatever_a_person_is_called(self, each_store: Records, clock: FakeClock, text: str) -> None:
        one = filed(each_store, clock, who=text)
        assert each_store.case(one, OFFICER).body["who"] == text

    def test_newest_first_and_no_more_than_asked_for(self, each_store: Records, clock: FakeClock) -> None:
        ids = []
        for number in range(4):
            ids.append(filed(each_store, clock, number=number))
            clock.advance(60)
        assert [one.id for one in each_store.cases(OFFICER)] == ids[::-1]
        assert [one.id for one in each_store.cases(OFFICER, limit=2)] == ids[:1:-1]
        assert each_store.cases(OFFICER, limit=0) == ()

    def test_many_cases_of_one_moment_are_all_listed(self, store: Records, clock: FakeClock) -> None:
        ids = {filed(store, clock) for _ in range(230)}
        assert [one.id for one in store.cases(OFFICER)] == sorted(ids)

    def test_a_case_is_no_record_and_a_record_no_case(
        self, each_store: Records, clock: FakeClock, make_draft: MakeDraft
    ) -> None:
        record, case = each_store.seal(make_draft()), filed(each_store, clock)
        assert {line.id for line in each_store.list(OFFICER, Purpose.RIGHTS)} == {record}
        with pytest.raises(NotFoundError):
            each_store.open(case, OFFICER, Purpose.RIGHTS)
        with pytest.raises(NotFoundError):
            each_store.case(record, OFFICER)
        for accessor in (OFFICER, None):
            assert not each_store.destroy(case, DestroyReason.ERASED, accessor)
        assert not each_store.destroy_case(record, OFFICER)
        assert each_store.case(case, OFFICER).body == BODY
        assert each_store.open(record, OFFICER, Purpose.RIGHTS).transcripts

    @pytest.mark.parametrize("one", ["", "x", "0" * 32, "A" * 32, "../../x", "' OR 1=1 --", "\udcff" * 32, "\0"])
    def test_what_is_no_case_is_not_found(self, each_store: Records, clock: FakeClock, one: str) -> None:
        soon = clock.now() + YEARS
        tries: list[Callable[[], object]] = [
            lambda: each_store.case(one, OFFICER),
            lambda: each_store.update_case(one, {}, OFFICER, version=1, expires_at=soon),
            lambda: each_store.attach(one, "a", b"a", OFFICER),
            lambda: each_store.attachment(one, "a", OFFICER),
            lambda: each_store.attachments(one, OFFICER),
        ]
        for attempt in tries:
            with pytest.raises(NotFoundError):
                attempt()
        assert not each_store.destroy_case(one, OFFICER)
        assert {result for _, _, result in acts(each_store)} == {"not_found"}

    def test_only_data_protection_and_only_for_rights(self, each_store: Records, clock: FakeClock) -> None:
        one, soon = filed(each_store, clock), clock.now() + YEARS
        tries: list[Callable[[Accessor], object]] = [
            lambda who: each_store.file_case({}, who, expires_at=soon),
            lambda who: each_store.case(one, who),
            each_store.cases,
            lambda who: each_store.update_case(one, {}, who, version=1, expires_at=soon),
            lambda who: each_store.attach(one, "a", b"a", who),
            lambda who: each_store.attachment(one, "a", who),
            lambda who: each_store.attachments(one, who),
            lambda who: each_store.destroy_case(one, who),
        ]
        for role in set(Role) - {Role.PRIVACY}:
            for attempt in tries:
                with pytest.raises(AccessRefusedError, match="may not do this"):
                    attempt(Accessor("Neugier", role))
        assert [result for _, _, result in acts(each_store)] == ["filed", *["refused_role"] * 8 * 4]
        assert each_store.case(one, OFFICER).body == BODY

    @pytest.mark.parametrize(
        "body",
        [{"a": object()}, {"a": float("nan")}, {"a": {1, 2}}, {"a": b"x"}, {"a": "x" * LONGEST_BODY}, {(1, 2): 3}],
        ids=["object", "nan", "set", "bytes", "long", "key"],
    )
    def test_what_is_no_json_is_refused_without_quoting_it(
        self, each_store: Records, clock: FakeClock, body: dict[Any, object]
    ) -> None:
        with pytest.raises(ValueError, match="JSON object") as raised:
            each_store.file_case({**body, "who": CANARY}, OFFICER, expires_at=clock.now() + YEARS)
        assert CANARY not in str(raised.value)
        assert acts(each_store) == [("case", "-", "refused_input")]
        assert left(each_store) == [[], [], []]

    def test_an_expiry_must_lie_ahead(self, each_store: Records, clock: FakeClock) -> None:
        wrong = [
            clock.now(),
            clock.now() - YEARS,
            clock.now() + 400 * YEARS,
            (clock.now() + YEARS).replace(tzinfo=None),
        ]
        one = filed(each_store, clock)
        for expires_at in wrong:
            with pytest.raises(ValueError, match="must lie ahead"):
                each_store.file_case({}, OFFICER, expires_at=expires_at)
            with pytest.raises(ValueError, match="must lie ahead"):
                each_store.update_case(one, {}, OFFICER, version=1, expires_at=expires_at)
        assert each_store.case(one, OFFICER).body == BODY

    def test_neither_repr_nor_log_nor_disk_shows_a_case(
        self, store: Records, clock: FakeClock, directory: Path
    ) -> None:
        with capture_logs() as logs:
            one = filed(store, clock)
            store.attach(one, "kanarie-brief.pdf", f"Sehr geehrte Frau {CANARY}".encode(), OFFICER)
            store.update_case(one, {**BODY, "more": CANARY}, OFFICER, version=1, expires_at=clock.now() + YEARS)
            shown = repr(store.case(one, OFFICER)) + repr(store.cases(OFFICER)) + repr(logs)
        files = [file for file in directory.rglob("*") if file.is_file()]
        assert len(files) > 3
        disk = b"".join(file.read_bytes() + str(file).encode() for file in files)
        for secret in ("KANARIE", "kanarie", "Müller", "article"):
            assert secret not in shown
            assert secret.encode() not in disk

    def test_the_length_of_what_is_stored_does_not_tell_requests_apart(self, store: Records, clock: FakeClock) -> None:
        filed(store, clock)
        filed(store, clock, note="Sie schreibt, dass sie anwaltlich vertreten wird. " * 10)
        assert len(set(ask(rows_of(store), "SELECT length(sealed) FROM cases"))) == 1


class TestChanging:
    def test_a_change_makes_the_next_version(self, each_store: Records, clock: FakeClock) -> None:
        one = filed(each_store, clock)
        later = clock.now() + 2 * YEARS
        clock.advance(3600)
        assert each_store.update_case(one, {"state": "closed"}, OFFICER, version=1, expires_at=later) == 2
        case = each_store.case(one, OFFICER)
        assert (case.version, case.body, case.expires_at) == (2, {"state": "closed"}, later)
        assert case.filed_at == clock.now() - timedelta(hours=1)

    def test_who_was_slower_is_told_and_changes_nothing(self, each_store: Records, clock: FakeClock) -> None:
        one = filed(each_store, clock)
        soon = clock.now() + YEARS
        each_store.update_case(one, {"by": "A"}, OFFICER, version=1, expires_at=soon)
        for version in (1, 0, 3, -1):
            with pytest.raises(ConflictError, match="changed the case meanwhile"):
                each_store.update_case(one, {"by": "B"}, OFFICER, version=version, expires_at=soon)
        assert each_store.case(one, OFFICER).body == {"by": "A"}
        assert acts(each_store)[2] == ("case", one, "conflict")

    def test_of_many_at_once_one_wins(self, home: Home, clock: FakeClock) -> None:
        with closing(home.open(clock, busy_seconds=20)) as store:
            one = filed(store, clock)
            won: list[int] = []
            lost: list[int] = []
            start = threading.Barrier(6)

            def change(number: int) -> None:
                start.wait()
                try:
                    until = clock.now() + YEARS + timedelta(days=number)
                    store.update_case(one, {"by": number}, OFFICER, version=1, expires_at=until)
                    won.append(number)
                except ConflictError:
                    lost.append(number)

            threads = [threading.Thread(target=change, args=(number,)) for number in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            case = store.case(one, OFFICER)
            assert len(won) == 1
            assert len(lost) == 5
            assert case.body == {"by": won[0]}
            assert case.version == 2
            assert case.expires_at == clock.now() + YEARS + timedelta(days=won[0])

    def test_a_slow_change_leaves_the_expiry_to_the_faster_one_after_it(
        self, each_store: Records, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = filed(each_store, clock)
        first, second = clock.now() + 2 * YEARS, clock.now() + 3 * YEARS
        put_off = Records._put_off

        def meanwhile(store: Records, changed: StoredCase) -> None:
            monkeypatch.setattr(Records, "_put_off", put_off)
            store.update_case(one, {"by": "B"}, OFFICER, version=2, expires_at=second)
            put_off(store, changed)

        monkeypatch.setattr(Records, "_put_off", meanwhile)
        each_store.update_case(one, {"by": "A"}, OFFICER, version=1, expires_at=first)
        case = each_store.case(one, OFFICER)
        assert (case.version, case.body, case.expires_at) == (3, {"by": "B"}, second)

    def test_a_crash_in_a_change_leaves_one_version_or_the_other(self, home: Home, clock: FakeClock) -> None:
        with closing(home.open(clock)) as store:
            one = filed(store, clock)
        seen = set()
        for number in range(1, 40):
            store = home.open(clock)
            before = store.case(one, OFFICER)
            until = before.expires_at + timedelta(days=1)
            with crash_at(number, after=number % 2 == 0) as commits, suppress(CrashError, StoreError):
                store.update_case(one, {"n": number}, OFFICER, version=before.version, expires_at=until)
            store.close()
            with closing(home.open(clock)) as store:
                store.reconcile()
                after = store.case(one, OFFICER)
                assert after.body in (before.body, {"n": number})
                assert after.expires_at in (before.expires_at, until)
                assert (after.version == before.version) == (after.body == before.body)
                seen.add((after.version - before.version, (after.expires_at - before.expires_at).days))
                if commits.number < number:
                    break
        else:
            pytest.fail("the change had more commits than that")
        # Nothing, the body alone, and all of it.
        assert seen == {(0, 0), (1, 0), (1, 1)}


class TestAttachments:
    def test_what_is_attached_is_had_back_by_its_name(self, each_store: Records, clock: FakeClock) -> None:
        one, other = filed(each_store, clock), filed(each_store, clock)
        each_store.attach(one, "antwort.pdf", b"%PDF-1.7" + bytes(range(256)), OFFICER)
        each_store.attach(one, "antwort.json", b"{}", OFFICER)
        each_store.attach(other, "antwort.pdf", b"other", OFFICER)
        assert each_store.attachments(one, OFFICER) == ("antwort.json", "antwort.pdf")
        assert each_store.attachment(one, "antwort.pdf", OFFICER) == b"%PDF-1.7" + bytes(range(256))
        assert each_store.attachment(other, "antwort.pdf", OFFICER) == b"other"

    def test_an_attachment_is_evidence_and_stays_as_it_is(self, each_store: Records, clock: FakeClock) -> None:
        one = filed(each_store, clock)
        each_store.attach(one, "a.txt", b"first", OFFICER)
        with pytest.raises(ConflictError, match="choose another name"):
            each_store.attach(one, "a.txt", b"second", OFFICER)
        assert each_store.attachment(one, "a.txt", OFFICER) == b"first"

    @pytest.mark.parametrize("name", ["", "A.pdf", "a/b", "a b", "ä", "x" * 81, "a\n", "\0", "'", "\udcff"])
    def test_a_name_is_plain(self, each_store: Records, clock: FakeClock, name: str) -> None:
        one = filed(each_store, clock)
        with pytest.raises(ValueError, match="An attachment has"):
            each_store.attach(one, name, b"x", OFFICER)
        with pytest.raises(NotFoundError, match="no attachment of this name"):
            each_store.attachment(one, name, OFFICER)

    def test_neither_nothing_nor_too_much(self, store: Records, clock: FakeClock) -> None:
        one = filed(store, clock)
        for data in (b"", bytes(LARGEST_ATTACHMENT + 1)):
            with pytest.raises(ValueError, match="32 MiB"):
                store.attach(one, "a", data, OFFICER)
        assert store.attachments(one, OFFICER) == ()

    def test_a_case_that_ends_meanwhile_takes_no_attachment(
        self, each_store: Records, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = filed(each_store, clock)
        key_of = Records._key_of

        def meanwhile(store: Records, key: StoredKey, accessor: Accessor, stated: Purpose) -> DataKey:
            opened = key_of(store, key, accessor, stated)
            store.destroy_case(one, OFFICER)
            return opened

        monkeypatch.setattr(Records, "_key_of", meanwhile)
        with pytest.raises(StoreError, match="destroyed meanwhile"):
            each_store.attach(one, "a", b"x", OFFICER)
        assert left(each_store) == [[], [], []]


class TestEditing:
    """By whoever can write the row store, without the master key."""

    @pytest.mark.parametrize(
        "change",
        [
            "version = version + 1",
            "filed_at = filed_at + 1",
            "sealed = (SELECT max(sealed) FROM cases)",
            "sealed = 'x'",
        ],
    )
    def test_a_case_that_was_changed_does_not_open(self, store: Records, clock: FakeClock, change: str) -> None:
        ids = sorted((filed(store, clock), filed(store, clock)))
        sealed = ask(rows_of(store), "SELECT sealed FROM cases ORDER BY id")
        one = ids[sealed.index(min(sealed))]
        run(rows_of(store), f"UPDATE cases SET {change} WHERE id = '{one}'")  # noqa: S608
        with pytest.raises(TamperedError):
            store.case(one, OFFICER)
        assert acts(store)[-1] == ("case", one, "unreadable")
        with pytest.raises((TamperedError, ConflictError)):
            store.update_case(one, {}, OFFICER, version=1, expires_at=clock.now() + YEARS)
        assert [case.id for case in store.cases(OFFICER)] == [other for other in ids if other != one]

    def test_an_attachment_cannot_be_taken_for_another(self, store: Records, clock: FakeClock) -> None:
        one = filed(store, clock)
        store.attach(one, "a", b"an answer", OFFICER)
        store.attach(one, "b", b"another answer", OFFICER)
        run(rows_of(store), "UPDATE attachments SET sealed = (SELECT max(sealed) FROM attachments)")
        opened = 0
        for name in ("a", "b"):
            with suppress(TamperedError):
                store.attachment(one, name, OFFICER)
                opened += 1
        assert opened == 1
        run(rows_of(store), "UPDATE attachments SET name = 'x'")
        with pytest.raises(TamperedError):
            store.attachments(one, OFFICER)

    def test_the_expiry_of_the_row_is_not_what_counts(self, store: Records, clock: FakeClock) -> None:
        short, long = filed(store, clock, timedelta(days=1)), filed(store, clock)
        run(rows_of(store), "UPDATE cases SET expires_at = 32503679999999999 - expires_at")
        clock.advance(2 * 86400)
        run(rows_of(store), f"UPDATE cases SET expires_at = 1 WHERE id = '{long}'")  # noqa: S608
        with pytest.raises(NotFoundError):
            store.case(short, OFFICER)
        store.sweep()
        assert left(store) == [[long], [long], []]
        assert store.case(long, OFFICER).expires_at == clock.now() - timedelta(days=2) + YEARS
