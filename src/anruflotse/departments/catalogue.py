"""The catalogue: every department, concern and target, and where a call can go at a given moment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from anruflotse.departments.concerns import Hears
from anruflotse.departments.model import HUMAN, Announcement, Concern, Department, HumanDesk, Route, Target
from anruflotse.departments.reading import read_catalogue
from anruflotse.departments.spoken import hours_text
from anruflotse.departments.vocabulary import vocabulary

Permitted = Callable[[str, datetime], bool]
"""Whether calls may go to the people of a processor (by its key in the register) at a moment."""


def nobody(_processor: str, _now: datetime) -> bool:
    """Permit no processor: what holds until the app hands in the register's gate."""
    return False


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Who is responsible for what, and reachable when. Immutable: a changed file makes a new catalogue."""

    departments: Mapping[str, Department]
    concerns: Mapping[str, Concern]
    desk: HumanDesk
    permitted: Permitted = nobody
    remarks: tuple[str, ...] = ()
    """What in the file works but helps nobody, each with its place: "FILE, line 3, column 5: ...", for people."""

    def route(self, department: str, now: datetime) -> Route:
        """Where a call for `department` (a key) can go at `now` (aware; UTC).

        Open: the department's usable targets, then its overflow. Otherwise the first of its alternatives that is
        open, with an announcement; when there is none, the announcement alone and the caller goes on to `human`.
        Raises KeyError for a department that is not in the catalogue, ValueError for a time without a zone.
        """
        asked = self.departments[department]
        targets, skipped = self._chain(asked, now)
        if targets:
            return Route(open=True, targets=targets, skipped=skipped)
        left_out = list(skipped)
        after = asked.alternative
        while after is not None:
            if after == HUMAN:
                desk = self.human(now)
                targets, skipped, further = desk.targets, desk.skipped, None
            else:
                targets, skipped = self._chain(self.departments[after], now)
                further = self.departments[after].alternative
            left_out.extend(skipped)
            if targets:
                return Route(
                    open=False,
                    targets=targets,
                    alternative=after,
                    announcement=Announcement.CLOSED_INSTEAD,
                    skipped=tuple(left_out),
                )
            after = further
        return Route(open=False, targets=(), announcement=Announcement.CLOSED, skipped=tuple(left_out))

    def human(self, now: datetime) -> Route:
        """Where a call for a person can go at `now`: the desk within its hours, and at any time the emergency target.

        With nobody there the announcement is all that is left. Raises ValueError for a time without a zone.
        """
        staffed = self.desk.almanac.is_open(self.desk.hours, now)
        targets, skipped = self._usable((*(self.desk.targets if staffed else ()), *self.desk.emergency), now)
        return Route(
            open=staffed and bool(targets),
            targets=targets,
            announcement=None if targets else Announcement.NOBODY,
            skipped=skipped,
        )

    def hours_text(self, department: str) -> str:
        """When a department (or `mensch`) is staffed, in spoken German: "Montag bis Freitag von acht bis ..."."""
        return hours_text(self.desk.hours if department == HUMAN else self.departments[department].hours)

    def vocabulary(self) -> tuple[str, ...]:
        """Words a recogniser may expect, each once, most useful first."""
        return vocabulary(concern for concern in self.concerns.values() if concern.enabled)

    def processors(self) -> frozenset[str]:
        """The processors that any target names."""
        chains: list[Iterable[Target]] = [self.desk.targets, self.desk.emergency]
        for department in self.departments.values():
            chains += [department.targets, department.overflow]
        return frozenset(target.processor for chain in chains for target in chain if target.processor)

    def _chain(self, department: Department, now: datetime) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
        if not department.almanac.is_open(department.hours, now):
            return (), ()
        return self._usable((*department.targets, *department.overflow), now)

    def _usable(self, targets: Iterable[Target], now: datetime) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
        usable: list[Target] = []
        skipped: list[Target] = []
        for target in dict.fromkeys(targets):
            permitted = target.processor is None or self.permitted(target.processor, now)
            (usable if permitted else skipped).append(target)
        return tuple(usable), tuple(skipped)


def load(
    source: Path | str | None = None,
    *,
    federal_state: str = "BE",
    permitted: Permitted = nobody,
    processors: Collection[str] | None = None,
    hears: Hears = lambda _words: False,
) -> Catalogue:
    """The catalogue of a YAML file (or of YAML text), None for the shipped one.

    `federal_state` decides about public holidays where the file names none. `permitted` is asked at every route about
    each target that names a processor. With `processors` (the register's keys) a target may name none but those.
    `hears` tells which words the safety rules act upon before any concern: `remarks` name them where a concern has one.
    Raises `anruflotse.yamlshape.ShapeError` with line and column for anything wrong.
    """
    contents = read_catalogue(shipped() if source is None else source, federal_state, processors, hears)
    return Catalogue(contents.departments, contents.concerns, contents.human, permitted, contents.remarks)


def shipped() -> str:
    """The text of the shipped catalogue: an operator's own begins as a copy of it."""
    return files("anruflotse.departments").joinpath("departments.de.yaml").read_text(encoding="utf-8")
