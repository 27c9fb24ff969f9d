"""The arithmetic of the benchmarks: percentiles, limits, and one answer's time split into its parts. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PARTS = ("end_of_turn", "recognition", "understanding", "signalling")
"""What the time between the caller's last sound and the voicebot's next one consists of, in order."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One result. `limit` is the most it may be (None: nobody promised anything), `about` says what it comes from."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    n: int = 0
    about: str = ""

    @property
    def ok(self) -> bool | None:
        """Whether the limit is kept; None without one."""
        return None if self.limit is None else self.value <= self.limit

    def record(self) -> dict[str, object]:
        """The figure as a JSON object."""
        return {
            "figure": self.name, "value": round(self.value, 4), "unit": self.unit, "limit": self.limit,
            "ok": self.ok, "n": self.n, "about": self.about,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """When what happened between a caller's last sound and the next from the voicebot; seconds on one clock.

    `spoken` and `reacted` are the caller's own packet times, the others what the voicebot noted; None was not seen.
    """

    spoken: float
    turn_ended: float | None
    recognised: float | None
    acted: float | None
    reacted: float

    @property
    def total(self) -> float:
        """Seconds from the last sound to the next."""
        return self.reacted - self.spoken

    @property
    def cut(self) -> bool:
        """Whether the voicebot took the turn for over while the caller still spoke: then there is no answer time."""
        return self.turn_ended is not None and self.turn_ended < self.spoken

    def parts(self) -> dict[str, float] | None:
        """The total split by `PARTS`; None when something was not seen or the order of times is impossible."""
        if self.turn_ended is None or self.recognised is None or self.acted is None:
            return None
        times = (self.spoken, self.turn_ended, self.recognised, self.acted, self.reacted)
        if any(later < earlier for earlier, later in itertools.pairwise(times)):
            return None
        return {name: times[index + 1] - times[index] for index, name in enumerate(PARTS)}


@dataclass(frozen=True, slots=True)
class Noted:
    """Something the voicebot noted: of which call (opaque id), what, when on the machine's monotonic clock."""

    call: str
    name: str
    at: float


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that at least `share` (0..1) of them do not exceed: one that was really measured.

    Raises ValueError without values or with a share outside 0..1.
    """
    if not values or not 0 <= share <= 1:
        message = "A percentile needs at least one value, and a share between 0 and 1."
        raise ValueError(message)
    # Rounded, for 0.95 * 20 must not become the 20th value because 0.95 is a little more than it says.
    return sorted(values)[max(0, math.ceil(round(share * len(values), 9)) - 1)]


def percentiles(
    name: str,
    values: Sequence[float],
    unit: str,
    limits: Mapping[str, float] | None = None,
    about: str = "",
) -> list[Figure]:
    """`name p50` and `name p95` of `values`, with the limits named by `p50` and `p95`; nothing without values."""
    shares = {"p50": 0.5, "p95": 0.95}
    if not values:
        return []
    return [
        Figure(f"{name} {key}", percentile(values, share), unit, (limits or {}).get(key), len(values), about)
        for key, share in shares.items()
    ]


def answer_of(noted: Sequence[Noted], call: str, spoken: float, reacted: float) -> Answer:
    """The answer a call got, from what the voicebot noted of it: the last turn that ended before the reaction."""
    mine = [note for note in noted if note.call == call and note.at <= reacted]
    turn = next((note.at for note in reversed(mine) if note.name == "TurnEnded"), None)

    def first(*names: str) -> float | None:
        return next((note.at for note in mine if turn is not None and note.at >= turn and note.name in names), None)

    return Answer(spoken, turn, first("recognised"), first("Play", "Transfer"), reacted)


@dataclass(slots=True)
class Answers:
    """All answers of a run, and what became of the others."""

    answers: list[Answer] = field(default_factory=list)
    cut: int = 0
    missed: int = 0

    def add(self, answer: Answer) -> None:
        """Count one."""
        if answer.cut:
            self.cut += 1
        else:
            self.answers.append(answer)

    def figures(self, limit: float) -> list[Figure]:
        """Total and parts, in seconds; `limit` is on the total's p50."""
        name, n = "end of speech to answer", len(self.answers)
        lost = f"{self.cut} cut in mid-sentence, {self.missed} unanswered"
        found = percentiles(name, [answer.total for answer in self.answers], "s", {"p50": limit}, lost)
        split = [parts for answer in self.answers if (parts := answer.parts()) is not None]
        for part in PARTS:
            about = f"of the {n} answers, {len(split)} could be split"
            found += percentiles(f"  {part.replace('_', ' ')}", [parts[part] for parts in split], "s", about=about)
        return found
