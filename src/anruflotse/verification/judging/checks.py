"""One thing that was checked about a promise, and what several of them amount to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from anruflotse.verification.finding import Status, together

_SIGN = {Status.KEPT: "✓", Status.BROKEN: "✗", Status.UNPROVEN: "?"}
_ORDER = {Status.BROKEN: 0, Status.UNPROVEN: 1, Status.KEPT: 2}


@dataclass(frozen=True, slots=True)
class Check:
    """What was seen, in a German sentence, and what it says about the promise."""

    status: Status
    seen: str


def check(well: bool | None, kept: str, broken: str) -> Check:  # noqa: FBT001 - it is what the check is about
    """`kept` or `broken` as `well` says; None leaves it unproven, with `broken` as what could not be excluded."""
    if well is None:
        return Check(Status.UNPROVEN, f"Nicht geprüft: {kept}")
    return Check(Status.KEPT, kept) if well else Check(Status.BROKEN, broken)


def unproven(seen: str) -> Check:
    """Something that could not be looked at."""
    return Check(Status.UNPROVEN, seen)


def status_of(checks: Iterable[Check]) -> Status:
    """Broken when one is, kept when all are and there is one at all, else unproven."""
    return together(one.status for one in checks)


def evidence_of(checks: Iterable[Check]) -> tuple[str, ...]:
    """What was seen, each with its sign, what is broken first."""
    return tuple(f"{_SIGN[one.status]} {one.seen}" for one in sorted(checks, key=lambda one: _ORDER[one.status]))
