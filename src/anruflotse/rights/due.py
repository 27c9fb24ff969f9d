"""By when a request has to be answered: pure, from the day of its receipt. Source: Art. 12(3) GDPR.

How a period in months runs is Art. 3 of Regulation (EEC, Euratom) 1182/71, read as the EDPB reads it (Guidelines
01/2022 on the right of access, section 5.3): the day of receipt itself does not count; the period ends with
the last hour of the day of the same number in the month it ends in, or of that month's last day if it has no such day;
if that day is a Saturday, a Sunday or a public holiday, with the last hour of the next working day.

Days are days in Germany (Europe/Berlin), holidays those of the insurer's federal state. That somebody had to be asked
who they are does not stop the period here: the law lets it, and a period that is kept anyway needs no argument.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from anruflotse.departments.hours import FEDERAL_STATES, public_holidays

BERLIN = ZoneInfo("Europe/Berlin")
"""In which days are counted."""

MONTHS = 1
"""The period of Art. 12(3), first sentence."""

EXTENSION_MONTHS = 2
"""By how much Art. 12(3), second sentence, lets it be extended, once."""

_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Due:
    """The last day on which an answer is in time, and the moment (UTC) at which that day is over in Germany."""

    day: date
    ends: datetime

    def over(self, now: datetime) -> bool:
        """Whether it is too late at `now` (aware). Raises `ValueError` for a time without a zone."""
        if now.tzinfo is None:
            message = "Whether a request is due needs a time with its zone (UTC), got one without."
            raise ValueError(message)
        return now >= self.ends

    def days_left(self, now: datetime) -> int:
        """Whole days in Germany from the day of `now` to the last day; 0 on that day, negative when it is over."""
        return (self.day - now.astimezone(BERLIN).date()).days


def due(received: date | datetime, federal_state: str = "BE", *, extended: bool = False) -> Due:
    """By when a request that was received on a day, or at a moment (aware), has to be answered.

    An extended period is three months from the receipt, not two more from a day that was moved over a weekend. Raises
    `ValueError` for a moment without a time zone, and for a state that Germany does not have.
    """
    if federal_state not in FEDERAL_STATES:
        message = f"{federal_state} is not a federal state. Allowed: {', '.join(FEDERAL_STATES)}."
        raise ValueError(message)
    end = months_later(day_of(received), MONTHS + (EXTENSION_MONTHS if extended else 0))
    while not is_working_day(end, federal_state):
        end += timedelta(days=1)
    midnight = datetime.combine(end + timedelta(days=1), time(), BERLIN)
    return Due(end, midnight.astimezone(UTC))


def day_of(received: date | datetime) -> date:
    """The day of a moment in Germany. Raises `ValueError` for a moment without a time zone."""
    if not isinstance(received, datetime):
        return received
    if received.tzinfo is None:
        message = "The moment of receipt needs a time zone (UTC), or give the day alone."
        raise ValueError(message)
    return received.astimezone(BERLIN).date()


def months_later(day: date, months: int) -> date:
    """The day of the same number so many months later, or that month's last day if it has none of that number."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    month += 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def is_working_day(day: date, federal_state: str) -> bool:
    """Whether it is neither a Saturday nor a Sunday nor a public holiday of that state (Art. 2 of the Regulation)."""
    return day.weekday() < _SATURDAY and day not in public_holidays(federal_state, day.year)
