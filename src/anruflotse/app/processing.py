"""Who is used for what, and whether an agreement allows it: for the doctor and the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from anruflotse.app.engines import Offers, Use, uses
from anruflotse.departments.catalogue import Catalogue
from anruflotse.departments.model import HUMAN, Target
from anruflotse.processors import Category, Gate, Processor, ProcessorError, Standing


@dataclass(frozen=True, slots=True)
class Situation:
    """One processor on one day: how its agreement stands, what it is used for, and why some of that is refused."""

    processor: Processor
    standing: Standing
    uses: tuple[Use, ...]
    refused: tuple[tuple[Use, str], ...]
    """The uses nothing is given for, each with the reason and what to do about it."""


def situations(gate: Gate, catalogue: Catalogue, offers: Offers, today: date) -> tuple[Situation, ...]:
    """Every processor of the register, in its order."""
    used = (*uses(offers), *_targets(catalogue))
    return tuple(
        Situation(
            entry,
            gate.standing(key, today),
            own := tuple(use for use in used if use.processor == key),
            tuple((use, reason) for use in own if (reason := _refusal(gate, use, today)) is not None),
        )
        for key, entry in gate.register.items()
    )


def _refusal(gate: Gate, use: Use, today: date) -> str | None:
    try:
        gate.allowed(use.processor, use.category, today)
    except ProcessorError as error:
        return str(error)
    return None


def _targets(catalogue: Catalogue) -> Iterator[Use]:
    for key, department in catalogue.departments.items():
        yield from _named(department.targets, f"target of {key}")
        yield from _named(department.overflow, f"overflow of {key}")
    yield from _named(catalogue.desk.targets, f"target of {HUMAN}")
    yield from _named(catalogue.desk.emergency, f"emergency target of {HUMAN}")


def _named(targets: Iterable[Target], by: str) -> Iterator[Use]:
    for processor in dict.fromkeys(target.processor for target in targets if target.processor):
        yield Use(processor, Category.CALL, by)
