"""The gate: every reason to refuse, every edge of an agreement."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.processors import EEA, Agreement, Category, Gate, Processor, ProcessorError, Refusal, load

BEGINS, UNTIL = date(2026, 2, 1), date(2026, 12, 31)
AGREEMENT = Agreement(
    signed=date(2026, 1, 15),
    begins=BEGINS,
    until=UNTIL,
    categories=frozenset({Category.AUDIO, Category.TEXT}),
    places=("DE", "NO"),
    reference="Akte 1",
)
PROCESSOR = Processor("stimme", "Stimme GmbH", "Spracherkennung", frozenset(Category), None, AGREEMENT)


def gate(agreement: Agreement | None) -> Gate:
    return Gate({"stimme": replace(PROCESSOR, agreement=agreement)})


@pytest.mark.parametrize("category", [Category.AUDIO, Category.TEXT])
@pytest.mark.parametrize("today", [BEGINS, date(2026, 6, 1), UNTIL])
def test_covered_and_in_force(category: Category, today: date) -> None:
    gate(AGREEMENT).allowed("stimme", category, today)
    assert gate(AGREEMENT).permits("stimme", category, today)


@pytest.mark.parametrize(
    ("agreement", "category", "today", "refusal", "told"),
    [
        (None, Category.AUDIO, BEGINS, Refusal.NO_AGREEMENT, "no agreement is on file"),
        (AGREEMENT, Category.AUDIO, BEGINS - timedelta(1), Refusal.NOT_YET_IN_FORCE, "until 2026-02-01"),
        (AGREEMENT, Category.AUDIO, UNTIL + timedelta(1), Refusal.EXPIRED, "ended on 2026-12-31"),
        (AGREEMENT, Category.CALL, BEGINS, Refusal.CATEGORY_NOT_COVERED, "does not cover `anruf`"),
        (replace(AGREEMENT, places=("DE", "US")), Category.AUDIO, BEGINS, Refusal.OUTSIDE_EEA, "(US)"),
        (replace(AGREEMENT, places=()), Category.AUDIO, BEGINS, Refusal.OUTSIDE_EEA, "none named"),
    ],
)
def test_refusals(agreement: Agreement | None, category: Category, today: date, refusal: Refusal, told: str) -> None:
    with pytest.raises(ProcessorError) as caught:
        gate(agreement).allowed("stimme", category, today)
    assert caught.value.refusal is refusal
    assert caught.value.processor == "stimme"
    assert str(caught.value).startswith("Stimme GmbH may not be used: ")
    assert told in str(caught.value)
    assert "(register of processors, entry `stimme`)" in str(caught.value)
    assert not gate(agreement).permits("stimme", category, today)


def test_a_stranger_is_refused() -> None:
    with pytest.raises(
        ProcessorError, match="`fremde` is not in the register of processors \\(known: `stimme`\\)"
    ) as caught:
        gate(AGREEMENT).allowed("fremde", Category.AUDIO, BEGINS)
    assert caught.value.refusal is Refusal.UNKNOWN


@pytest.mark.parametrize("category", list(Category))
@pytest.mark.parametrize("processor", ["aristech", "vitaservices"])
def test_as_shipped_nobody_gets_anything(processor: str, category: Category) -> None:
    with pytest.raises(ProcessorError) as caught:
        Gate(load()).allowed(processor, category, date(2026, 6, 1))
    assert caught.value.refusal is Refusal.NO_AGREEMENT


def test_who_is_in_force() -> None:
    register = {"stimme": PROCESSOR, "ohne": replace(PROCESSOR, key="ohne", agreement=None)}
    assert [entry.key for entry in Gate(register).in_force(BEGINS)] == ["stimme"]
    assert Gate(register).in_force(UNTIL + timedelta(1)) == ()
    assert Gate(load()).in_force(BEGINS) == ()


@given(
    begins=st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    days=st.one_of(st.none(), st.integers(0, 1000)),
    categories=st.frozensets(st.sampled_from(Category), min_size=1),
    places=st.lists(st.sampled_from(["DE", "FR", "IS", "CH", "US"]), max_size=3),
    category=st.sampled_from(Category),
    today=st.dates(date(2020, 1, 1), date(2033, 1, 1)),
)
def test_only_an_agreement_that_fits_in_every_way_opens_the_gate(
    begins: date,
    days: int | None,
    categories: frozenset[Category],
    places: list[str],
    category: Category,
    today: date,
) -> None:
    until = None if days is None else begins + timedelta(days)
    agreement = Agreement(begins, begins, until, categories, tuple(places), "x")
    in_time = today >= begins and (until is None or today <= until)
    fits = in_time and category in categories and bool(places) and set(places) <= EEA
    assert gate(agreement).permits("stimme", category, today) is fits
