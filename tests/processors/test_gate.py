"""The gate: every reason to refuse, every edge of an agreement."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.processors import (
    EEA,
    SOON_DAYS,
    Agreement,
    Category,
    Gate,
    Processor,
    ProcessorError,
    Reading,
    Refusal,
    Standing,
    SubProcessor,
    day_in_germany,
    load,
)

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
        (
            replace(AGREEMENT, subprocessors=(SubProcessor("Wolke AG", "CH"),)),
            *(Category.AUDIO, BEGINS, Refusal.OUTSIDE_EEA, "(CH)"),
        ),
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


def test_a_register_that_cannot_be_read_lets_nobody_in_whatever_it_said_before() -> None:
    damaged = Gate(lambda: Reading({"stimme": PROCESSOR}, "register.yaml, line 3, column 1: no.", 2))
    with pytest.raises(ProcessorError, match=r"cannot be read\. register\.yaml, line 3") as caught:
        damaged.allowed("stimme", Category.AUDIO, BEGINS)
    assert caught.value.refusal is Refusal.UNREADABLE
    assert damaged.in_force(BEGINS) == ()
    assert damaged.standing("stimme", BEGINS) is Standing.UNREADABLE
    assert [entry.name for entry in damaged.register.values()] == ["Stimme GmbH"]


@pytest.mark.parametrize(
    ("agreement", "today", "standing"),
    [
        (None, BEGINS, Standing.NO_AGREEMENT),
        (AGREEMENT, BEGINS - timedelta(1), Standing.NOT_YET_IN_FORCE),
        (AGREEMENT, BEGINS, Standing.IN_FORCE),
        (AGREEMENT, UNTIL - timedelta(SOON_DAYS), Standing.IN_FORCE),
        (AGREEMENT, UNTIL - timedelta(SOON_DAYS - 1), Standing.ENDS_SOON),
        (AGREEMENT, UNTIL, Standing.ENDS_SOON),
        (AGREEMENT, UNTIL + timedelta(1), Standing.EXPIRED),
        (replace(AGREEMENT, until=None), date(2999, 1, 1), Standing.IN_FORCE),
        (replace(AGREEMENT, places=("GB",)), BEGINS, Standing.OUTSIDE_EEA),
    ],
)
def test_how_an_agreement_stands(agreement: Agreement | None, today: date, standing: Standing) -> None:
    assert gate(agreement).standing("stimme", today) is standing


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (datetime(2026, 12, 31, 22, 59, tzinfo=UTC), date(2026, 12, 31)),
        (datetime(2026, 12, 31, 23, 0, tzinfo=UTC), date(2027, 1, 1)),
        (datetime(2026, 6, 30, 22, 0, tzinfo=UTC), date(2026, 7, 1)),
    ],
)
def test_the_day_is_that_in_germany(now: datetime, day: date) -> None:
    assert day_in_germany(now) == day


def test_a_time_without_a_zone_belongs_to_no_day() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        day_in_germany(datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is tried


@given(
    today=st.dates(date(2025, 1, 1), date(2028, 1, 1)),
    until=st.one_of(st.none(), st.dates(BEGINS, date(2028, 1, 1))),
    days=st.integers(0, 400),
)
def test_an_agreement_ends_within_the_days_after_which_it_no_longer_holds(
    today: date, until: date | None, days: int
) -> None:
    agreement = replace(AGREEMENT, until=until)
    ends = agreement.in_force(today) and not agreement.in_force(today + timedelta(days))
    assert agreement.ends_within(days, today) is ends


def test_an_agreement_cannot_end_within_a_negative_number_of_days() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        AGREEMENT.ends_within(-1, BEGINS)
