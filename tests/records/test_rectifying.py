"""What the person says was said, beside what was recognised, both with their date; it ends with the record."""

from __future__ import annotations

from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from anruflotse.clock import FakeClock
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import Correction, DestroyReason, NotFoundError, Purpose, StoreError
from anruflotse.records.rectifying import LONGEST
from anruflotse.records.repository import Records
from anruflotse.records.restriction import Ground
from anruflotse.records.stores.rowstore import RowStore
from anruflotse.records.vault.master import TamperedError
from tests.records.conftest import OFFICER, Home, MakeDraft
from tests.records.faults import CrashError, ask, crash_at, keys_of, rows_of, run

SAID = ("Ich warte auf mein Krankengeld.", "Nein, das Kind.")
RIGHT = "Ich warte auf mein Kinderkrankengeld. KANARIE"
KARIN = Accessor("Karin", Role.DEPARTMENT, frozenset({"krankengeld"}))
TECHNICIAN = Accessor("Technik", Role.OPERATIONS)


def shown(store: Records, one: str) -> list[tuple[int, str]]:
    return [(its.utterance, its.text) for its in store.open(one, OFFICER, Purpose.RIGHTS).corrections]


def test_the_correction_stands_beside_what_was_recognised(
    each_store: Records, make_draft: MakeDraft, clock: FakeClock
) -> None:
    draft = make_draft(transcripts=SAID)
    one = each_store.seal(draft)
    clock.advance(3600)
    each_store.rectify(one, OFFICER, 0, RIGHT)
    expected = (Correction(utterance=0, text=RIGHT, at=clock.now(), accessor="pruefer"),)
    record = each_store.open(one, OFFICER, Purpose.RIGHTS, audio=True)
    assert record.corrections == expected
    assert record.transcripts == SAID
    assert record.summary.recorded_at == clock.now() - timedelta(hours=1)
    assert (record.ranking, record.summary.concern, record.summary.decision) == (
        draft.ranking, draft.concern, draft.decision,
    )  # fmt: skip
    assert record.recording
    handed = each_store.concern(draft.reference, KARIN)
    assert (handed.transcripts, handed.corrections) == (SAID, expected)
    assert "KANARIE" not in repr(record) + repr(handed)


def test_statistics_stay_as_they_are(each_store: Records, make_draft: MakeDraft) -> None:
    for _ in range(6):
        each_store.count("handed", "krankengeld", "route")
    before = each_store.statistics(OFFICER, Purpose.SUPERVISION)
    one = each_store.seal(make_draft(transcripts=SAID))
    each_store.rectify(one, OFFICER, 1, "Es geht um die Pflege.")
    assert each_store.statistics(OFFICER, Purpose.SUPERVISION) == before


def test_all_corrections_are_kept_in_their_order(each_store: Records, make_draft: MakeDraft, clock: FakeClock) -> None:
    one, other = each_store.seal(make_draft(transcripts=SAID)), each_store.seal(make_draft(transcripts=SAID))
    for number in range(12):
        each_store.rectify(one, OFFICER, number % 2, f"Fassung {number}")
        clock.advance(60)
    assert shown(each_store, one) == [(number % 2, f"Fassung {number}") for number in range(12)]
    assert shown(each_store, other) == []


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "'; DROP TABLE corrections; --", "=1+1", "\0", "ß\n\u2028"]
)
def test_whatever_a_person_says(each_store: Records, make_draft: MakeDraft, text: str) -> None:
    one = each_store.seal(make_draft(transcripts=SAID))
    each_store.rectify(one, OFFICER, 0, text)
    assert shown(each_store, one) == [(0, text)]


@pytest.mark.parametrize(
    ("utterance", "text"),
    [(2, "x"), (-1, "x"), (10**30, "x"), (0, ""), (0, " \n"), (0, "x" * (LONGEST + 1)), (0, "\udcff")],
)
def test_what_makes_no_sense_is_refused(each_store: Records, make_draft: MakeDraft, utterance: int, text: str) -> None:
    one = each_store.seal(make_draft(transcripts=SAID))
    with pytest.raises(ValueError, match="has 2 utterances"):
        each_store.rectify(one, OFFICER, utterance, text)
    assert shown(each_store, one) == []
    told = [entry.entry for entry in each_store.trail(OFFICER, Purpose.RIGHTS) if entry.entry.act == "rectify"]
    assert [(entry.subject, entry.result) for entry in told] == [(one, "refused_input")]


def test_it_ends_with_the_record(each_store: Records, make_draft: MakeDraft, clock: FakeClock) -> None:
    erased, expired = (each_store.seal(make_draft(transcripts=SAID)) for _ in range(2))
    for one in (erased, expired):
        each_store.rectify(one, OFFICER, 0, RIGHT)
    each_store.destroy(erased, DestroyReason.ERASED, OFFICER)
    assert ask(rows_of(each_store), "SELECT record_id FROM corrections") == [expired]
    clock.advance(28 * 86400)
    with pytest.raises(NotFoundError):
        each_store.rectify(expired, OFFICER, 0, RIGHT)
    each_store.sweep()
    assert ask(rows_of(each_store), "SELECT record_id FROM corrections") == []


def test_a_restricted_record_is_corrected_and_so_is_a_held_one(
    each_store: Records, make_draft: MakeDraft, clock: FakeClock
) -> None:
    one = each_store.seal(make_draft(transcripts=SAID))
    review = clock.now() + timedelta(days=90)
    each_store.restrict(one, OFFICER, Ground.LEGAL_CLAIMS, hold=True, review_on=review)
    each_store.rectify(one, OFFICER, 0, RIGHT)
    clock.advance(40 * 86400)
    each_store.rectify(one, OFFICER, 1, "danach")
    each_store.restrict(one, OFFICER, Ground.UNLAWFUL, hold=True, review_on=review)
    each_store.rotate(TECHNICIAN)
    assert shown(each_store, one) == [(0, RIGHT), (1, "danach")]


def test_two_at_once_are_both_kept(each_store: Records, make_draft: MakeDraft, monkeypatch: pytest.MonkeyPatch) -> None:
    one = each_store.seal(make_draft(transcripts=SAID))
    correct = RowStore.correct

    def meanwhile(rows: RowStore, record_id: str, number: int, sealed: bytes) -> bool:
        monkeypatch.setattr(RowStore, "correct", correct)
        each_store.rectify(one, OFFICER, 0, "die schnellere")
        return correct(rows, record_id, number, sealed)

    monkeypatch.setattr(RowStore, "correct", meanwhile)
    each_store.rectify(one, OFFICER, 1, "die langsamere")
    assert shown(each_store, one) == [(0, "die schnellere"), (1, "die langsamere")]


def test_a_record_that_ends_meanwhile_takes_none(
    each_store: Records, make_draft: MakeDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = each_store.seal(make_draft(transcripts=SAID))
    correct = RowStore.correct

    def meanwhile(rows: RowStore, record_id: str, number: int, sealed: bytes) -> bool:
        each_store.destroy(one, DestroyReason.ERASED, OFFICER)
        return correct(rows, record_id, number, sealed)

    monkeypatch.setattr(RowStore, "correct", meanwhile)
    with pytest.raises(NotFoundError):
        each_store.rectify(one, OFFICER, 0, RIGHT)
    assert ask(rows_of(each_store), "SELECT record_id FROM corrections") == []


def test_a_crash_leaves_the_correction_or_none(home: Home, make_draft: MakeDraft, clock: FakeClock) -> None:
    with closing(home.open(clock)) as store:
        one = store.seal(make_draft(transcripts=SAID))
    made = set()
    for number in range(1, 30):
        with closing(home.open(clock)) as store:
            before = shown(store, one)
            with crash_at(number, after=number % 2 == 0) as commits, suppress(CrashError, StoreError):
                store.rectify(one, OFFICER, 0, f"Fassung {number}")
        with closing(home.open(clock)) as store:
            store.reconcile()
            after = shown(store, one)
            assert after in (before, [*before, (0, f"Fassung {number}")])
            made.add(len(after) - len(before))
            assert ask(keys_of(store), "SELECT id FROM keys") == [one]
            if commits.number < number:
                break
    assert made == {0, 1}


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM corrections WHERE number = 1",
        "UPDATE corrections SET number = number + 1",
        "UPDATE corrections SET sealed = (SELECT max(sealed) FROM corrections)",
        "UPDATE corrections SET record_id = (SELECT id FROM records WHERE id <> record_id)",
    ],
)
def test_corrections_that_were_changed_do_not_open(store: Records, make_draft: MakeDraft, change: str) -> None:
    one, other = store.seal(make_draft(transcripts=SAID)), store.seal(make_draft(transcripts=SAID))
    store.rectify(one, OFFICER, 0, "eins")
    store.rectify(one, OFFICER, 0, "zwei")
    if "SET number" in change:
        run(rows_of(store), "DELETE FROM corrections WHERE number = 2")
    run(rows_of(store), change)
    with pytest.raises(TamperedError):
        store.open(other if "record_id =" in change else one, OFFICER, Purpose.RIGHTS)


def test_the_disk_does_not_tell(store: Records, make_draft: MakeDraft, directory: Path) -> None:
    one = store.seal(make_draft(transcripts=SAID))
    store.rectify(one, OFFICER, 0, RIGHT)
    files = [file for file in directory.rglob("*") if file.is_file()]
    assert files
    assert not any(b"KANARIE" in file.read_bytes() for file in files)
