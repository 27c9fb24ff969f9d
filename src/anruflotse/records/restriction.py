"""Restriction of processing (Art. 18 GDPR): why, since when, and whether it holds a record beyond its expiry."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Ground(StrEnum):
    """The grounds of Art. 18(1) GDPR, by their letter."""

    CONTESTED = "a"
    """The person contests the accuracy of the data, for as long as it takes to verify it."""
    UNLAWFUL = "b"
    """The processing is unlawful, and the person asks for restriction instead of erasure."""
    LEGAL_CLAIMS = "c"
    """The person needs the data for legal claims, the insurer no longer needs it."""
    OBJECTED = "d"
    """The person has objected (Art. 21(1)), and it is not settled yet whose grounds override."""


HOLDING = frozenset({Ground.UNLAWFUL, Ground.LEGAL_CLAIMS})
"""The grounds that may hold a record beyond its expiry: in both the person wants it kept."""


class HeldError(ValueError):
    """A hold ends when it is lifted, and not by another restriction that does not hold: the person was promised it."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """A restriction in force; times in microseconds (see `times`).

    A record that is `held` outlives its expiry until the restriction is lifted; `review_at` is when an officer has to
    look at it again. Raises `ValueError` for a hold on another ground or without a date of review.
    """

    reason: str
    since: int
    held: bool = False
    review_at: int | None = None

    def __post_init__(self) -> None:
        """Refuse a hold that the law does not give."""
        ground = Ground(self.reason)
        if self.held and (ground not in HOLDING or self.review_at is None):
            message = (
                "Only a restriction under Art. 18(1)(b) or (c) GDPR can hold a record beyond its expiry, and only with "
                "a date of review."
            )
            raise ValueError(message)

    @property
    def context(self) -> str:
        """What is bound into the wrapped key, so that nobody lifts or widens a restriction by editing a database."""
        return f"{self.reason}/{self.since}/{int(self.held)}/{self.review_at or 0}"
