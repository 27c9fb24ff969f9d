"""The gate every engine and target of a processor must pass before it is given anything."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum

from anruflotse.processors.register import EEA, Category, Processor


class Refusal(StrEnum):
    """Why a processor may not be given data."""

    UNKNOWN = "unknown"
    NO_AGREEMENT = "no_agreement"
    NOT_YET_IN_FORCE = "not_yet_in_force"
    EXPIRED = "expired"
    CATEGORY_NOT_COVERED = "category_not_covered"
    OUTSIDE_EEA = "outside_eea"


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
    """Decides by the register. Ask anew for every call: an agreement can begin or end while the service runs."""

    def __init__(self, register: Mapping[str, Processor]) -> None:
        """Decide by `register` (processors by key)."""
        self._register = register

    def allowed(self, processor: str, category: Category, today: date) -> None:
        """Return when `processor` (a key) may be given data of `category` on `today` (the date in Germany).

        Raises ProcessorError otherwise: fail closed, nothing is guessed in the processor's favour.
        """
        entry = self._register.get(processor)
        if entry is None:
            known = ", ".join(f"`{key}`" for key in self._register) or "none"
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
        outside = [place for place in agreement.places if place not in EEA]
        if outside or not agreement.places:
            why = f"its agreement names a place outside the EEA ({', '.join(outside) or 'none named'})"
            raise _refused(entry, Refusal.OUTSIDE_EEA, why, "Agree on processing in the EEA and enter its states")

    def permits(self, processor: str, category: Category, today: date) -> bool:
        """Whether `allowed` would return."""
        try:
            self.allowed(processor, category, today)
        except ProcessorError:
            return False
        return True

    def in_force(self, today: date) -> tuple[Processor, ...]:
        """The processors that may be given at least one kind of data on `today`, in the register's order."""
        return tuple(
            entry
            for key, entry in self._register.items()
            if any(self.permits(key, category, today) for category in Category)
        )


def _refused(entry: Processor, refusal: Refusal, why: str, remedy: str) -> ProcessorError:
    message = f"{entry.name} may not be used: {why}. {remedy} (register of processors, entry `{entry.key}`)."
    return ProcessorError(entry.key, refusal, message)
