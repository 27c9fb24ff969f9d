from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.rights.due import BERLIN, due, is_working_day, months_later


@pytest.mark.parametrize(
    ("received", "day"),
    [
        # The EDPB's examples (Guidelines 01/2022, section 5.3): 5 March, and 31 August where September has 30 days.
        (date(2024, 3, 5), date(2024, 4, 5)),
        (date(2026, 8, 31), date(2026, 9, 30)),
        # Month ends: February in a leap year and in a common one.
        (date(2028, 1, 30), date(2028, 2, 29)),
        (date(2027, 12, 31), date(2028, 1, 31)),
        (date(2026, 1, 31), date(2026, 3, 2)),  # 28 February 2026 is a Saturday
        # Weekends: 24 October 2026 is a Saturday.
        (date(2026, 9, 24), date(2026, 10, 26)),
        # Holidays: Good Friday to Easter Monday 2026, and Christmas with a weekend behind it.
        (date(2026, 3, 3), date(2026, 4, 7)),
        (date(2026, 11, 25), date(2026, 12, 28)),
        # The turn of the year.
        (date(2026, 12, 1), date(2027, 1, 4)),
    ],
)
def test_a_month_ends_on_the_same_day_or_the_next_working_day(received: date, day: date) -> None:
    assert due(received, "BE").day == day


def test_holidays_are_those_of_the_federal_state() -> None:
    # International Women's Day is one in Berlin, not in Bavaria.
    assert due(date(2027, 2, 8), "BE").day == date(2027, 3, 9)
    assert due(date(2027, 2, 8), "BY").day == date(2027, 3, 8)


def test_an_extended_period_is_three_months_from_the_receipt() -> None:
    # Not two more from 2 March, to where the first month was moved over a weekend.
    assert due(date(2026, 1, 31), "BE", extended=True).day == date(2026, 4, 30)
    assert due(date(2026, 11, 30), "BE", extended=True).day == date(2027, 3, 1)


@pytest.mark.parametrize(
    ("received", "ends"),
    [
        # Received in winter, due in summer: midnight is two hours ahead of UTC.
        (date(2026, 3, 9), datetime(2026, 4, 9, 22, tzinfo=UTC)),
        # Received in summer, due in winter.
        (date(2026, 10, 9), datetime(2026, 11, 9, 23, tzinfo=UTC)),
        # Due on the days of the change themselves, which are Sundays, moves them to Monday.
        (date(2026, 2, 28), datetime(2026, 3, 30, 22, tzinfo=UTC)),
        (date(2026, 9, 25), datetime(2026, 10, 26, 23, tzinfo=UTC)),
    ],
)
def test_the_day_ends_at_midnight_in_germany(received: date, ends: datetime) -> None:
    found = due(received, "BE")
    assert found.ends == ends
    assert not found.over(ends - timedelta(microseconds=1))
    assert found.over(ends)


def test_the_day_of_receipt_is_that_in_germany() -> None:
    # 23:30 UTC on 14 April is 01:30 on 15 April in Germany.
    assert due(datetime(2026, 4, 14, 23, 30, tzinfo=UTC), "BE").day == date(2026, 5, 15)
    # In the hour that the autumn's change repeats, both are the same day.
    for hour in (0, 1):
        assert due(datetime(2026, 10, 25, hour, 30, tzinfo=UTC), "BE").day == date(2026, 11, 25)


def test_days_left_are_counted_in_germany() -> None:
    found = due(date(2026, 4, 15), "BE")
    assert found.days_left(datetime(2026, 5, 15, 21, 59, tzinfo=UTC)) == 0
    assert found.days_left(datetime(2026, 5, 15, 22, 0, tzinfo=UTC)) == -1
    assert found.days_left(datetime(2026, 4, 15, 12, tzinfo=UTC)) == 30


def test_a_time_without_zone_and_a_foreign_state_are_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        due(datetime(2026, 4, 1, 12), "BE")  # noqa: DTZ001 - that is the point
    with pytest.raises(ValueError, match="federal state"):
        due(date(2026, 4, 1), "AT")
    with pytest.raises(ValueError, match="zone"):
        due(date(2026, 4, 1), "BE").over(datetime(2026, 4, 1, 12))  # noqa: DTZ001


@given(st.dates(date(2018, 5, 25), date(2100, 12, 31)), st.sampled_from(["BE", "BY", "SN"]), st.booleans())
def test_every_period_ends_on_a_working_day_and_never_early(received: date, state: str, extended: bool) -> None:
    months = 3 if extended else 1
    found = due(received, state, extended=extended)
    plain = months_later(received, months)
    assert is_working_day(found.day, state)
    assert plain <= found.day <= plain + timedelta(days=6)
    assert all(not is_working_day(plain + timedelta(days=n), state) for n in range((found.day - plain).days))
    assert found.ends.astimezone(BERLIN).date() == found.day + timedelta(days=1)
    assert (plain.day == received.day) or plain == months_later(plain.replace(day=1), 1) - timedelta(days=1)
