"""Why a call was decided as it was: kept sealed with the record, and absent from records of before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anruflotse.records import contents
from anruflotse.records.model import Purpose
from anruflotse.records.repository import Records
from tests.records.conftest import OFFICER, MakeDraft

CANARY = "kanarienvogelkarte"
EXPLANATION = {
    "zone": "confirm",
    "thresholds": [{"name": "confirm", "at": 0.45, "found": 0.6}],
    "rules": [],
    "words": [CANARY],
    "keywords": [{"word": CANARY, "concern": "gesundheitskarte", "against": False}],
    "nearest": [{"text": "Meine Karte ist weg – „ganz“", "concern": "gesundheitskarte", "similarity": 0.9}],
    "model": "20260101T000000Z",
    "opinion": "",
}


def test_they_are_read_as_they_were_sealed_in_order(store: Records, make_draft: MakeDraft) -> None:
    draft = make_draft(explanations=(EXPLANATION, EXPLANATION | {"zone": "route"}))
    record = store.open(store.seal(draft), OFFICER, Purpose.RIGHTS)
    assert record.explanations == (EXPLANATION, EXPLANATION | {"zone": "route"})


def test_nothing_of_them_lies_open_on_the_disk(store: Records, make_draft: MakeDraft, tmp_path: Path) -> None:
    store.seal(make_draft(explanations=(EXPLANATION,)))
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(files)
    for trace in (CANARY, "Meine Karte ist weg", "20260101T000000Z"):
        assert all(trace.encode() not in file for file in files)


def test_nothing_of_them_shows_in_a_repr(store: Records, make_draft: MakeDraft) -> None:
    draft = make_draft(explanations=(EXPLANATION,))
    record = store.open(store.seal(draft), OFFICER, Purpose.RIGHTS)
    assert CANARY not in repr(draft) + repr(record) + repr(contents.details(contents.pack(draft)[contents.DETAILS]))


def test_records_of_before_open_without(make_draft: MakeDraft) -> None:
    stored = json.loads(contents.pack(make_draft())[contents.DETAILS])
    del stored["explanations"]
    assert contents.details(json.dumps(stored).encode()).explanations == ()


@pytest.mark.parametrize("letters", range(0, 300, 37))
def test_their_length_is_hidden_in_full_blocks(make_draft: MakeDraft, letters: int) -> None:
    draft = make_draft(explanations=(EXPLANATION | {"words": ["x" * letters]},))
    assert len(contents.pack(draft)[contents.DETAILS]) % 256 == 0
