"""Counters: what is shown, what is hidden, and that nothing in them leads to a call."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.records import statistics
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import Counter, Purpose
from anruflotse.records.repository import Records

BOSS = Accessor("Chefin", Role.MANAGEMENT)


def test_small_numbers_are_hidden(store: Records) -> None:
    for _ in range(4):
        store.count("routed", "pflegekasse", "route")
    for _ in range(5):
        store.count("routed", "krankengeld", "route")
    store.count("objected")
    told = store.statistics(BOSS, Purpose.STATISTICS)
    assert [(one.kind, one.department, one.decision, one.number) for one in told] == [
        ("objected", "", "", None),
        ("routed", "krankengeld", "route", 5),
        ("routed", "pflegekasse", "route", None),
    ]
    assert not re.search(r"[0-9a-f]{8}", repr(told).replace(told[0].day, ""))


@given(numbers=st.lists(st.integers(1, 40)))
def test_a_hidden_number_is_under_five_and_no_other_is_hidden(numbers: list[int]) -> None:
    counted = [Counter("2026-03-03", "routed", f"d{place}", "route", number) for place, number in enumerate(numbers)]
    assert [one.number for one in statistics.shown(counted)] == [n if n >= 5 else None for n in numbers]


@pytest.mark.parametrize("word", ["3f" * 16, "030123456", "Müller", "a b", "x" * 41, "DROP", ""])
def test_nothing_that_could_be_an_id_or_a_name_can_be_counted(store: Records, word: str) -> None:
    for fields in ({"kind": word}, {"kind": "routed", "department": word}, {"kind": "routed", "decision": word}):
        if fields == {"kind": "routed", "department": word} and re.fullmatch(r"[a-z][a-z0-9_-]{0,29}", word):
            continue
        with pytest.raises(ValueError, match="never an id or a number"):
            store.count(**fields)
    assert store.statistics(BOSS, Purpose.STATISTICS) == ()
