"""Opening hours in spoken German: what a prompt says, with every number written out."""

from __future__ import annotations

from itertools import pairwise

from anruflotse.departments.hours import Hours, Span, Spans

DAY_NAMES = ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag")
_ONES = ("null", "ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf")
_TEENS = {
    13: "dreizehn",
    14: "vierzehn",
    15: "fünfzehn",
    16: "sechzehn",
    17: "siebzehn",
    18: "achtzehn",
    19: "neunzehn",
}
_TENS = {2: "zwanzig", 3: "dreißig", 4: "vierzig", 5: "fünfzig"}
_RUN = 3
"""So many days in a row are said as "Montag bis Mittwoch"; fewer are named one by one."""


def hours_text(hours: Hours) -> str:
    """The hours as a person would say them: "Montag bis Freitag von acht bis achtzehn Uhr"; around the clock too.

    Hours on public holidays are said only where there are any.
    """
    if hours.always:
        return "rund um die Uhr"
    groups: dict[Spans, list[int]] = {}
    for day, spans in enumerate(hours.week):
        if spans:
            groups.setdefault(spans, []).append(day)
    parts = [f"{_days_text(days)} {_spans_text(spans)}" for spans, days in groups.items()]
    if hours.on_holidays:
        parts.append(f"an Feiertagen {_spans_text(hours.on_holidays)}")
    return _joined(parts, last=" sowie ")


def number_text(number: int) -> str:
    """A number from 0 to 59 in German words, in the form that stands before "Uhr" ("ein", "einundzwanzig")."""
    if number < len(_ONES):
        return _ONES[number]
    if number in _TEENS:
        return _TEENS[number]
    tens, ones = divmod(number, 10)
    return f"{_ONES[ones]}und{_TENS[tens]}" if ones else _TENS[tens]


def _days_text(days: list[int]) -> str:
    runs: list[list[int]] = [[days[0]]]
    for before, day in pairwise(days):
        if day == before + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    names = []
    for run in runs:
        if len(run) >= _RUN:
            names.append(f"{DAY_NAMES[run[0]]} bis {DAY_NAMES[run[-1]]}")
        else:
            names.extend(DAY_NAMES[day] for day in run)
    return _joined(names)


def _spans_text(spans: Spans) -> str:
    return _joined([_span_text(span) for span in spans])


def _span_text(span: Span) -> str:
    if span.start % 60 == 0:
        return f"von {number_text(span.start // 60)} bis {_time_text(span.end)}"
    return f"von {_time_text(span.start)} bis {_time_text(span.end)}"


def _time_text(minutes: int) -> str:
    hour, minute = divmod(minutes, 60)
    if minute == 1:
        return f"{number_text(hour)} Uhr eins"
    return f"{number_text(hour)} Uhr" + (f" {number_text(minute)}" if minute else "")


def _joined(parts: list[str], last: str = " und ") -> str:
    return last.join(filter(None, (", ".join(parts[:-1]), parts[-1])))
