"""Opening hours against the wall clock in Germany, and how they are said."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.departments.hours import (
    FEDERAL_STATES,
    Almanac,
    Hours,
    Span,
    public_holidays,
    read_hours,
    read_spans,
    read_special_days,
)
from anruflotse.departments.spoken import hours_text, number_text
from anruflotse.yamlshape import ShapeError, read

BERLIN, BAVARIA = Almanac("BE"), Almanac("BY")


def hours(text: str) -> Hours:
    return read_hours(read(f"zeiten: {text}").entries()["zeiten"])


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


OFFICE = hours("{Mo-Fr: 8-18}")


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        ("2026-03-03T06:59:59", False),  # Tuesday, winter: UTC+1
        ("2026-03-03T07:00:00", True),
        ("2026-03-03T16:59:59", True),
        ("2026-03-03T17:00:00", False),
        ("2026-07-07T05:59:59", False),  # Tuesday, summer: UTC+2
        ("2026-07-07T06:00:00", True),
        ("2026-07-07T15:59:59", True),
        ("2026-07-07T16:00:00", False),
        ("2026-03-27T07:00:00", True),  # the Friday before the clocks go forward ...
        ("2026-03-30T06:00:00", True),  # ... and the Monday after: an hour earlier in UTC
        ("2026-03-30T05:59:59", False),
        ("2026-10-26T06:30:00", False),  # the Monday after they went back
        ("2026-10-26T07:00:00", True),
        ("2026-03-07T10:00:00", False),  # Saturday
        ("2026-03-01T23:30:00", False),  # still Sunday in UTC, Monday 00:30 in Berlin
    ],
)
def test_wall_clock(now: str, is_open: bool) -> None:
    assert BERLIN.is_open(OFFICE, utc(now)) is is_open


def test_hours_in_the_night_the_clock_changes() -> None:
    night = hours("{So: '2-3'}")
    # Spring: 02:00-03:00 does not exist on 29 March 2026.
    assert not any(BERLIN.is_open(night, utc("2026-03-28T23:00:00") + timedelta(minutes=m)) for m in range(600))
    # Autumn: 02:00-03:00 comes twice on 25 October 2026.
    opened = [m for m in range(600) if BERLIN.is_open(night, utc("2026-10-24T22:00:00") + timedelta(minutes=m))]
    assert opened == list(range(120, 240))


def test_midnight_belongs_to_the_next_day() -> None:
    late = hours("{Mo: '22-24', Di: '0-6'}")
    assert BERLIN.is_open(late, utc("2026-03-02T22:59:59"))
    assert BERLIN.is_open(late, utc("2026-03-02T23:00:00"))
    assert not BERLIN.is_open(late, utc("2026-03-03T05:00:00"))


@pytest.mark.parametrize(
    ("day", "closed_in"),
    [
        ("2026-06-04", {"BW", "BY", "HE", "NW", "RP", "SL"}),  # Fronleichnam
        ("2026-03-08", {"BE", "MV"}),  # Internationaler Frauentag (a Sunday in 2026)
        ("2027-03-08", {"BE", "MV"}),
        ("2026-10-31", {"BB", "HB", "HH", "MV", "NI", "SN", "ST", "SH", "TH"}),  # Reformationstag
        ("2026-01-06", {"BW", "BY", "ST"}),  # Heilige Drei Könige
        ("2026-10-03", set(FEDERAL_STATES)),
        ("2026-05-04", set()),
    ],
)
def test_holidays_differ_by_state(day: str, closed_in: set[str]) -> None:
    when = date.fromisoformat(day)
    assert {state for state in FEDERAL_STATES if when in public_holidays(state, when.year)} == closed_in


def test_holiday_closes_here_and_not_there() -> None:
    corpus_christi, womens_day = utc("2026-06-04T10:00:00"), utc("2027-03-08T10:00:00")
    assert BERLIN.is_open(OFFICE, corpus_christi)
    assert not BAVARIA.is_open(OFFICE, corpus_christi)
    assert not BERLIN.is_open(OFFICE, womens_day)
    assert BAVARIA.is_open(OFFICE, womens_day)


def test_always_means_always() -> None:
    almanac = Almanac("BE", read_special_days(read("'24.12.': geschlossen")))
    assert almanac.is_open(hours("immer"), utc("2026-12-24T23:00:00"))
    assert almanac.is_open(hours("immer"), utc("2026-10-03T03:00:00"))


def test_hours_on_holidays() -> None:
    emergency = hours("{Mo-Fr: 8-18, Feiertage: 10-12}")
    assert BERLIN.is_open(emergency, utc("2026-10-03T08:30:00"))  # a Saturday: the holiday's hours count
    assert not BERLIN.is_open(emergency, utc("2026-10-03T10:30:00"))
    assert not BERLIN.is_open(emergency, utc("2026-05-01T07:00:00"))  # a Friday


def test_special_days_shorten_and_never_lengthen() -> None:
    almanac = Almanac("BE", read_special_days(read("'24.12.': geschlossen\n'31.12.': 6-12\n2026-12-31: 9-11")))
    assert almanac.spans(OFFICE, date(2026, 12, 24)) == ()
    assert almanac.spans(OFFICE, date(2027, 12, 31)) == (Span(8 * 60, 12 * 60),)
    assert almanac.spans(OFFICE, date(2026, 12, 31)) == (Span(9 * 60, 11 * 60),)
    assert almanac.spans(OFFICE, date(2028, 12, 31)) == ()  # a Sunday stays a Sunday
    assert almanac.spans(OFFICE, date(2026, 12, 23)) == (Span(8 * 60, 18 * 60),)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="with its zone"):
        BERLIN.is_open(OFFICE, datetime(2026, 3, 3, 9, 0))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize(
    ("text", "line", "column", "told"),
    [
        ("nie", 1, 9, "expected `immer` or days"),
        ("{}", 1, 9, "expected `immer` or days"),
        ("{Mo: geschlossen}", 1, 9, "never open"),
        ("{Mon: 8-18}", 1, 10, "`Mon` is not a day. Allowed: `Mo`"),
        ("{Mo-Mi-Fr: 8-18}", 1, 10, "is not a day"),
        ("{Fr-Mo: 8-18}", 1, 10, "runs backwards"),
        ("{Mo: 8 bis 18}", 1, 14, "`8 bis 18` are no hours"),
        ("{Mo: 18-8}", 1, 14, "ends before it begins"),
        ("{Mo: 8-8}", 1, 14, "ends before it begins"),
        ("{Mo: 8-25}", 1, 14, "no clock shows"),
        ("{Mo: '8:60-9'}", 1, 14, "no clock shows"),
        ("{Mo: '23-24:01'}", 1, 14, "no clock shows"),
        ("{Mo: '8-12, 11-13'}", 1, 14, "overlaps"),
        ("{Mo: '13-17, 8-12'}", 1, 14, "Order them"),
        ("{Mo-Fr: 8-18, Mi: 17-19}", 1, 27, "overlap others given for Mi"),
        ("{Mo: 8}", 1, 14, "expected text, found the number 8"),
    ],
)
def test_hours_complaints(text: str, line: int, column: int, told: str) -> None:
    with pytest.raises(ShapeError) as caught:
        hours(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("text", "column", "told"),
    [
        ("'24.12': geschlossen", 1, "`24.12` is not a day"),
        ("'31.2.': geschlossen", 1, "not a day of the calendar"),
        ("2026-02-29: geschlossen", 1, "not a day of the calendar"),
        ("'24.12.': zu", 11, "`zu` are no hours"),
        ("{'24.12.': 8-9, '024.12.': 8-9}", 17, "is not a day"),
        ("{'1.5.': 8-9, '01.05.': 8-9}", 15, "stands twice"),
    ],
)
def test_special_day_complaints(text: str, column: int, told: str) -> None:
    with pytest.raises(ShapeError) as caught:
        read_special_days(read(text))
    assert (caught.value.line, caught.value.column) == (1, column)
    assert told in caught.value.message


def test_leap_day_can_be_special() -> None:
    assert read_special_days(read("'29.2.': geschlossen"))[0].day == 29


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{Mo-Fr: 8-18}", "Montag bis Freitag von acht bis achtzehn Uhr"),
        ("immer", "rund um die Uhr"),
        (
            "{Mo-Do: 8-18, Fr: '8-15:30'}",
            "Montag bis Donnerstag von acht bis achtzehn Uhr sowie Freitag von acht bis fünfzehn Uhr dreißig",
        ),
        ("{Mo: '8:30-12, 13-17'}", "Montag von acht Uhr dreißig bis zwölf Uhr und von dreizehn bis siebzehn Uhr"),
        ("{Mo-Di: 9-12}", "Montag und Dienstag von neun bis zwölf Uhr"),
        ("{'Mo, Mi, Fr': 9-12}", "Montag, Mittwoch und Freitag von neun bis zwölf Uhr"),
        ("{Mo-Mi: 9-12, Fr: 9-12}", "Montag bis Mittwoch und Freitag von neun bis zwölf Uhr"),
        ("{Sa-So: '0-24'}", "Samstag und Sonntag von null bis vierundzwanzig Uhr"),
        ("{Sa: '1:01-2'}", "Samstag von ein Uhr eins bis zwei Uhr"),
        (
            "{Mo: 8-9, Di: 9-10, Mi: 10-11, Feiertage: 7-8}",
            (
                "Montag von acht bis neun Uhr, Dienstag von neun bis zehn Uhr, Mittwoch von zehn bis elf Uhr "
                "sowie an Feiertagen von sieben bis acht Uhr"
            ),
        ),
    ],
)
def test_spoken(text: str, said: str) -> None:
    assert hours_text(hours(text)) == said


def test_numbers_in_words() -> None:
    said = [number_text(n) for n in range(60)]
    assert len(set(said)) == 60
    assert [said[n] for n in (0, 1, 12, 16, 17, 20, 21, 30, 47, 59)] == [
        "null", "ein", "zwölf", "sechzehn", "siebzehn", "zwanzig", "einundzwanzig", "dreißig", "siebenundvierzig",
        "neunundfünfzig",
    ]  # fmt: skip


SPANS = st.lists(st.integers(0, 96), min_size=2, max_size=6, unique=True).map(sorted)


@given(SPANS)
def test_hours_that_are_written_are_read(quarters: list[int]) -> None:
    pairs = [(a * 15, b * 15) for a, b in zip(quarters[::2], quarters[1::2], strict=False)]
    text = ", ".join(f"{a // 60}:{a % 60:02}-{b // 60}:{b % 60:02}" for a, b in pairs)
    assert read_spans(read(f"a: {text!r}").entries()["a"]) == tuple(Span(a, b) for a, b in pairs)
