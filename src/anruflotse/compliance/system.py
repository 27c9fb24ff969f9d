"""What the documents speak of: the settings and registers of one moment, read as the service reads them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from anruflotse.app import building
from anruflotse.app.engines import LOCAL
from anruflotse.app.opinion import with_language_model
from anruflotse.app.processing import Situation, situations
from anruflotse.clock import Clock
from anruflotse.departments.catalogue import Catalogue
from anruflotse.documents import Mark, Tone
from anruflotse.notice import Notice
from anruflotse.processors import Standing, day_in_germany
from anruflotse.settings import Settings

_FOR_THE_INSURER = "von der Kasse zu ergänzen"


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A system at one moment (`at`, UTC), without having been started."""

    settings: Settings
    notice: Notice
    catalogue: Catalogue
    situations: tuple[Situation, ...]
    at: datetime

    @property
    def insurer(self) -> str:
        """The insurer's printed name."""
        return self.settings.insurer.name

    @property
    def today(self) -> date:
        """The day it is in Germany."""
        return day_in_germany(self.at)

    @property
    def retention(self) -> str:
        """How long a record lives, in words."""
        return days(self.settings.retention.days)

    @property
    def in_force(self) -> tuple[Situation, ...]:
        """The processors with an agreement that holds today."""
        return tuple(one for one in self.situations if one.standing in {Standing.IN_FORCE, Standing.ENDS_SOON})


def observe(settings: Settings, clock: Clock) -> System:
    """The system that `settings` describe, now. Reads files only: opens no store, starts nothing.

    Raises what the rooms raise for their files (`ShapeError`, `UnderstandingError`).
    """
    now = clock.now()
    today = day_in_germany(now)
    gate = building.make_gate(settings)
    catalogue = building.make_catalogue(settings, gate)
    return System(
        settings=settings,
        notice=building.make_notice(settings, gate, today),
        catalogue=catalogue,
        situations=situations(gate, catalogue, with_language_model(settings, LOCAL), today),
        at=now,
    )


def days(number: int) -> str:
    """A number of days in words, with years where it is whole ones."""
    if number % 365 == 0:
        return years(number // 365)
    return "1 Tag" if number == 1 else f"{number} Tage"


def years(number: int) -> str:
    """A number of years in words."""
    return "1 Jahr" if number == 1 else f"{number} Jahre"


def missing(what: str = "") -> Mark:
    """What only the insurer can say: marked as open."""
    return Mark(f"{what}: {_FOR_THE_INSURER}" if what else _FOR_THE_INSURER, Tone.OPEN)
