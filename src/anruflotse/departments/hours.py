"""Opening hours as people write them, and whether somebody is there at a given moment.

Hours are wall-clock hours in Germany (Europe/Berlin): `8-18` means what the clock on the office wall shows, on both
sides of a change to or from daylight saving time. A day's end `18` is exclusive: at 18:00:00 the office is closed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import holidays

from anruflotse.yamlshape import Node, listed

BERLIN = ZoneInfo("Europe/Berlin")
DAYS = ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So")
HOLIDAYS = "Feiertage"
ALWAYS = "immer"
CLOSED = "geschlossen"
DAY_MINUTES = 24 * 60
FEDERAL_STATES = ("BB", "BE", "BW", "BY", "HB", "HE", "HH", "MV", "NI", "NW", "RP", "SH", "SL", "SN", "ST", "TH")

_SPAN = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*[-\N{EN DASH}]\s*(\d{1,2})(?::(\d{2}))?")
_YEARLY = re.compile(r"(\d{1,2})\.(\d{1,2})\.")
_LEAP_YEAR = 2024


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a day in minutes since midnight on the wall clock; `end` is exclusive, at most 1440."""

    start: int
    end: int


Spans = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Hours:
    """When an office is staffed: `week` from Monday, `on_holidays`; with `always` day and night on every day."""

    week: tuple[Spans, ...] = ((),) * 7
    on_holidays: Spans = ()
    always: bool = False


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """A day with shorter hours, such as 24 December; every year unless `year` is given."""

    month: int
    day: int
    year: int | None
    spans: Spans


@dataclass(frozen=True, slots=True)
class Almanac:
    """What is special about the days of one federal state: its public holidays and the insurer's special days."""

    federal_state: str
    special_days: tuple[SpecialDay, ...] = ()

    def is_open(self, hours: Hours, now: datetime) -> bool:
        """Whether `hours` cover the moment `now` (aware). Raises ValueError for a time without a zone."""
        if now.tzinfo is None:
            message = "Opening hours need a time with its zone (UTC), got one without."
            raise ValueError(message)
        if hours.always:
            return True
        local = now.astimezone(BERLIN)
        minute = local.hour * 60 + local.minute
        return any(span.start <= minute < span.end for span in self.spans(hours, local.date()))

    def spans(self, hours: Hours, day: date) -> Spans:
        """The hours on one day: a holiday's replace the weekday's, a special day's can only shorten them."""
        if hours.always:
            return (Span(0, DAY_MINUTES),)
        usual = hours.on_holidays if day in public_holidays(self.federal_state, day.year) else hours.week[day.weekday()]
        special = self._special(day)
        return usual if special is None else _overlap(usual, special.spans)

    def _special(self, day: date) -> SpecialDay | None:
        fitting = [
            s for s in self.special_days if (s.month, s.day) == (day.month, day.day) and s.year in {None, day.year}
        ]
        return max(fitting, key=lambda special: special.year or 0, default=None)


@lru_cache(maxsize=256)
def public_holidays(federal_state: str, year: int) -> frozenset[date]:
    """The public holidays of a federal state (two letters, as ISO 3166-2:DE) in a year.

    Holidays that hold in some municipalities only (Mariä Himmelfahrt in Bavaria, Augsburg's Friedensfest) are not
    among them: enter them as special days where they apply.
    """
    return frozenset(holidays.country_holidays("DE", subdiv=federal_state, years=year))


def read_hours(node: Node) -> Hours:
    """Hours from the catalogue: `immer`, or days with their hours (`Mo-Fr: 8-18`). Raises ShapeError."""
    if node.data == ALWAYS:
        return Hours(always=True)
    if not isinstance(node.data, dict) or not node.data:
        message = f"expected `{ALWAYS}` or days with their hours, such as `Mo-Do: 8-12, 13-18`."
        raise node.error(message)
    week: list[Spans] = [()] * 7
    on_holidays: Spans = ()
    for name, value in node.entries().items():
        spans = read_spans(value)
        if name == HOLIDAYS:
            on_holidays = spans
            continue
        for day in _read_days(name, value):
            merged = sorted((*week[day], *spans))
            if any(later.start < earlier.end for earlier, later in pairwise(merged)):
                message = f"these hours overlap others given for {DAYS[day]}. Give each hour of a day once."
                raise value.error(message)
            week[day] = tuple(merged)
    if not any(week) and not on_holidays:
        message = f"these hours are never open. Write `{ALWAYS}`, or at least one day with hours."
        raise node.error(message)
    return Hours(tuple(week), on_holidays)


def read_spans(node: Node) -> Spans:
    """The hours of a day: `8-18`, `8:30-12, 13-17:45` or `geschlossen`. Raises ShapeError."""
    text = node.text()
    if text == CLOSED:
        return ()
    spans: list[Span] = []
    for part in text.split(","):
        found = _SPAN.fullmatch(part.strip())
        if not found:
            message = f"`{part.strip()}` are no hours. Allowed: `8-18`, `8:30-12, 13-17:45` or `{CLOSED}`."
            raise node.error(message)
        hour, minute, last_hour, last_minute = (int(group or 0) for group in found.groups())
        span = Span(hour * 60 + minute, last_hour * 60 + last_minute)
        if max(minute, last_minute) > 59 or span.end > DAY_MINUTES:  # noqa: PLR2004 - minutes of an hour
            message = f"`{part.strip()}` names a time that no clock shows. Allowed: 0:00 to 24:00."
            raise node.error(message)
        if span.end <= span.start:
            message = f"`{part.strip()}` ends before it begins. For a night write `22-24` and `0-6` on the next day."
            raise node.error(message)
        if spans and span.start < spans[-1].end:
            message = f"`{part.strip()}` overlaps or stands before the hours in front of it. Order them by time."
            raise node.error(message)
        spans.append(span)
    return tuple(spans)


def read_special_days(node: Node) -> tuple[SpecialDay, ...]:
    """Special days: `24.12.: geschlossen` for every year, `2026-05-15: 8-12` for once. Raises ShapeError."""
    found: list[SpecialDay] = []
    for name, value in node.entries().items():
        year, month, day = _read_special_date(name, value)
        if any((s.year, s.month, s.day) == (year, month, day) for s in found):
            message = f"the day `{name}` stands twice. Keep one of them."
            raise value.key_error(message)
        found.append(SpecialDay(month, day, year, read_spans(value)))
    return tuple(found)


def _read_special_date(name: str, node: Node) -> tuple[int | None, int, int]:
    yearly = _YEARLY.fullmatch(name)
    try:
        if yearly:
            when = date(_LEAP_YEAR, int(yearly[2]), int(yearly[1]))
            return None, when.month, when.day
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", name):
            when = date.fromisoformat(name)
            return when.year, when.month, when.day
    except ValueError as fault:
        message = f"`{name}` is not a day of the calendar."
        raise node.key_error(message) from fault
    message = f"`{name}` is not a day. Allowed: `24.12.` for every year, `2026-05-15` for once."
    raise node.key_error(message)


def _read_days(name: str, node: Node) -> list[int]:
    days: list[int] = []
    for part in name.split(","):
        ends = [end.strip() for end in part.split("-")]
        if len(ends) > 2 or any(end not in DAYS for end in ends):  # noqa: PLR2004 - from and to
            allowed = (*DAYS, "Mo-Fr", "Mo, Mi", HOLIDAYS)
            message = f"`{part.strip()}` is not a day. Allowed: {listed(allowed)}."
            raise node.key_error(message)
        first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
        if last < first:
            message = f"`{part.strip()}` runs backwards: the week begins with Mo."
            raise node.key_error(message)
        days.extend(range(first, last + 1))
    return days


def _overlap(some: Spans, others: Spans) -> Spans:
    pairs = ((max(a.start, b.start), min(a.end, b.end)) for a in some for b in others)
    return tuple(Span(start, end) for start, end in pairs if start < end)
