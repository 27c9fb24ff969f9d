"""The gate every engine and target of a processor must pass before it is given anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from anruflotse.processors.filed import Reading
from anruflotse.processors.register import EEA, Category, Processor, Register

GERMANY = ZoneInfo("Europe/Berlin")
SOON_DAYS = 60
"""An agreement that ends within so many days is due: what follows it has to be negotiated and signed."""


def day_in_germany(now: datetime) -> date:
    """The calendar day an agreement is judged by, at the aware time `now`. Raises ValueError for a naive one."""
    if now.tzinfo is None:
        message = "A time without a zone belongs to no day; give an aware one."
        raise ValueError(message)
    return now.astimezone(GERMANY).date()


class Refusal(StrEnum):
    """Why a processor may not be given data."""

    UNKNOWN = "unknown"
    NO_AGREEMENT = "no_agreement"
    NOT_YET_IN_FORCE = "not_yet_in_force"
    EXPIRED = "expired"
    CATEGORY_NOT_COVERED = "category_not_covered"
    OUTSIDE_EEA = "outside_eea"
    UNREADABLE = "unreadable"
    """The register's file was changed into something that cannot be read: what holds now is not known."""


class Standing(StrEnum):
    """How the agreement with a processor stands on a day."""

    IN_FORCE = "in_force"
    ENDS_SOON = "ends_soon"
    """In force, for less than `SOON_DAYS` more days."""
    NO_AGREEMENT = "no_agreement"
    NOT_YET_IN_FORCE = "not_yet_in_force"
    EXPIRED = "expired"
    OUTSIDE_EEA = "outside_eea"
    UNREADABLE = "unreadable"


class ProcessorError(Exception):
    """A processor may not be given a kind of data.

    `processor` is its key, `refusal` the reason; `str` says what to do.
    """

    def __init__(self, processor: str, refusal: Refusal, message: str) -> None:
        """Refuse `processor`."""
        super().__init__(message)
        self.processor = processor
        self.refusal = refusal


class Gate:
    """Decides by the register. Ask anew every time: an agreement can begin or end while the service runs."""

    def __init__(self, register: Register | Callable[[], Reading]) -> None:
        """Decide by `register`: processors by key, or what gives the reading of the moment (`RegisterFile.reading`)."""
        self._read = register if not isinstance(register, Mapping) else _always(Reading(register))

    @property
    def register(self) -> Register:
        """The processors by key, as they stand in the register now (or stood, before its file was damaged)."""
        return self._read().register

    @property
    def fault(self) -> str | None:
        """Why the register cannot be read now; nobody is given anything then. None when all is well."""
        return self._read().fault

    @property
    def reading(self) -> int:
        """A number that changes with the register."""
        return self._read().number

    def allowed(self, processor: str, category: Category, today: date) -> None:
        """Return when `processor` (a key) may be given data of `category` on `today` (the date in Germany).

        Raises ProcessorError otherwise: fail closed, nothing is guessed in the processor's favour.
        """
        reading = self._read()
        if reading.fault is not None:
            message = f"`{processor}` may not be used: the register of processors cannot be read. {reading.fault}"
            raise ProcessorError(processor, Refusal.UNREADABLE, message)
        entry = reading.register.get(processor)
        if entry is None:
            known = ", ".join(f"`{key}`" for key in reading.register) or "none"
            message = (
                f"`{processor}` is not in the register of processors (known: {known}). Enter it, or do not use it."
            )
            raise ProcessorError(processor, Refusal.UNKNOWN, message)
        agreement = entry.agreement
        if agreement is None:
            raise _refused(
                entry, Refusal.NO_AGREEMENT, "no agreement is on file", "Enter the agreement under `vereinbarung`"
            )
        if today < agreement.begins:
            why = f"its agreement is not in force until {agreement.begins}"
            raise _refused(entry, Refusal.NOT_YET_IN_FORCE, why, "Wait for that day, or enter an earlier agreement")
        if agreement.until is not None and today > agreement.until:
            why = f"its agreement ended on {agreement.until}"
            raise _refused(entry, Refusal.EXPIRED, why, "Enter the agreement that follows it")
        if category not in agreement.categories:
            why = f"its agreement does not cover `{category}`"
            raise _refused(entry, Refusal.CATEGORY_NOT_COVERED, why, "Agree on this kind of data and enter it")
        outside = [place for place in agreement.all_places if place not in EEA]
        if outside or not agreement.places:
            why = f"its agreement names a place outside the EEA ({', '.join(outside) or 'none named'})"
            raise _refused(entry, Refusal.OUTSIDE_EEA, why, "Agree on processing in the EEA and enter its states")

    def refusal(self, processor: str, category: Category, today: date) -> Refusal | None:
        """Why `allowed` would raise, None when it would return."""
        try:
            self.allowed(processor, category, today)
        except ProcessorError as error:
            return error.refusal
        return None

    def permits(self, processor: str, category: Category, today: date) -> bool:
        """Whether `allowed` would return."""
        return self.refusal(processor, category, today) is None

    def standing(self, processor: str, today: date) -> Standing:
        """How the agreement with `processor` (a key of the register) stands on `today`. Raises KeyError for a stranger.

        It speaks of the agreement as a whole; whether it covers what a processor is used for, `allowed` tells.
        """
        agreement = self.register[processor].agreement
        if self.fault is not None:
            return Standing.UNREADABLE
        if agreement is None:
            return Standing.NO_AGREEMENT
        refusal = self.refusal(processor, min(agreement.categories), today)
        if refusal is not None:
            return Standing(refusal.value)
        return Standing.ENDS_SOON if agreement.ends_within(SOON_DAYS, today) else Standing.IN_FORCE

    def in_force(self, today: date) -> tuple[Processor, ...]:
        """The processors that may be given at least one kind of data on `today`, in the register's order."""
        return tuple(
            entry
            for key, entry in self.register.items()
            if any(self.permits(key, category, today) for category in Category)
        )


def _always(reading: Reading) -> Callable[[], Reading]:
    return lambda: reading


def _refused(entry: Processor, refusal: Refusal, why: str, remedy: str) -> ProcessorError:
    message = f"{entry.name} may not be used: {why}. {remedy} (register of processors, entry `{entry.key}`)."
    return ProcessorError(entry.key, refusal, message)
