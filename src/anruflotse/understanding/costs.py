"""Thresholds by what a call costs: the caller's effort, a wrong department, a person where a department would do.

For whoever trains an encoder: rank lines of people neither the encoder nor the heads have heard, and

    chosen = choose_thresholds(corpus.read([corpus.HELD_OUT]), classifier)

gives `chosen.thresholds` for the encoder's card, `chosen.fitted` (what they cost on those very lines, too kind) and
`chosen.crossed` (each half of the personas under the thresholds of the other half: the figure to report). The same
lines and the same classifier give the same answer; 2,000 lines take some minutes. `asdict(chosen)` goes into JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from anruflotse.understanding.classifier import SPECIAL
from anruflotse.understanding.errors import CorpusError
from anruflotse.understanding.policy import Policy, Thresholds
from anruflotse.understanding.simulated import OUTSIDE, Simulation, Spoken, is_routed, prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from anruflotse.understanding.corpus import Line
    from anruflotse.understanding.seams import Classifier

_REPLAYS = 3
_ROUNDS = 3
"""The search ends when a round over all thresholds changes nothing, at the latest after so many."""
_STEPS: dict[str, tuple[float, ...]] = {
    "route": (*(round(0.50 + 0.02 * i, 2) for i in range(25)), 0.985, 0.99),
    "outside": tuple(round(0.05 + 0.05 * i, 2) for i in range(18)),
    "confirm": tuple(round(0.05 + 0.05 * i, 2) for i in range(16)),
    "choose": tuple(round(0.10 + 0.10 * i, 2) for i in range(9)),
    "second": (0.01, 0.02, 0.05, 0.10, 0.15, 0.20, 0.30),
}
"""What is tried for each threshold. `likely`, `likely_wish` and `sure` are the alarms': not chosen here, recall
first."""
_PRECISION_WORTH, _WISH_WORTH = 1000.0, 100.0
"""What a missed demand weighs against turns: precision above all, then the wishes, then the cost."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What things cost, in turns of the caller (about eight seconds each).

    `question`: any question after the first. `misroute`: reaching a wrong department, and being passed on from there.
    `human`: a person's time where a department would have done. Why these: docs/understanding.md.
    """

    question: float = 1.0
    misroute: float = 6.0
    human: float = 3.0


@dataclass(frozen=True, slots=True)
class Demands:
    """What thresholds must keep if they can: shares (0..1), precision before the other two."""

    precision: float = 0.97
    """Right among the calls routed without asking."""
    routed: float = 0.60
    """Routed without asking, of all calls."""
    outside: float = 0.05
    """Routed without asking, of the calls out of scope; at most."""


@dataclass(frozen=True, slots=True)
class Mix:
    """What callers want, as shares (0..1) of all calls: the corpus has its own shares, which are nobody's calls."""

    outside: float = 0.14
    alarms: float = 0.06
    """Emergencies, objections and wishes for a human together."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What thresholds cost on `n` lines, weighted by the mix; shares (0..1), turns of the caller, cost in turns."""

    n: int
    cost: float
    precision: float
    routed: float
    outside_routed: float
    correct: float
    human: float
    wrong: float
    turns: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """The thresholds, what they cost where they were chosen, and what such thresholds cost on other people."""

    thresholds: Thresholds
    fitted: Costs
    crossed: Costs
    before: Costs
    """What the thresholds the search began with cost."""


def choose_thresholds(
    lines: Sequence[Line],
    classifier: Classifier,
    start: Thresholds | None = None,
    weights: Weights | None = None,
    demands: Demands | None = None,
    mix: Mix | None = None,
    progress: Callable[[float], None] = lambda _share: None,
) -> Chosen:
    """The thresholds of the least expected cost on `lines`, which should be of people nothing was learnt from.

    Each threshold is tried in turn at fixed steps, the others kept, until nothing gets better; dialogues are played
    with the simulated caller. `start` also gives what is not chosen (`likely`, `likely_wish`, `sure`). Raises
    CorpusError when there are fewer than two lines, or a concern is unknown.
    """
    start = start or Thresholds()
    said = prepared(lines, classifier, lambda share: progress(share / 4))
    if len(said) < 2:  # noqa: PLR2004
        message = "thresholds cannot be chosen on fewer than two sentences"
        raise CorpusError(message)
    scale = _Scale(said, weights or Weights(), demands or Demands(), mix or Mix())
    everybody = np.arange(len(said))
    halves = _halves(said)
    chosen = scale.search(start, everybody)
    progress(0.6)
    crossed = np.empty((len(said), _COLUMNS))
    for part, other in ((0, 1), (1, 0)):
        found = scale.search(start, everybody[halves == other])
        crossed[halves == part] = scale.outcomes(found)[halves == part]
        progress(0.8 + 0.2 * part)
    return Chosen(
        chosen,
        scale.costs(scale.outcomes(chosen), everybody),
        scale.costs(crossed, everybody),
        scale.costs(scale.outcomes(start), everybody),
    )


def _halves(said: Sequence[Spoken]) -> NDArray[np.int64]:
    """0 or 1 for each line; all lines of a persona in one half, groups spread over both. Without personas by turns."""
    personas = sorted({(one.group, one.line.persona) for one in said if one.line.persona})
    half = {persona: place % 2 for place, (_, persona) in enumerate(personas)}
    return np.array([half.get(one.line.persona, number % 2) for number, one in enumerate(said)])


_ROUTED, _RIGHT, _CORRECT, _HUMAN, _WRONG, _TURNS, _COLUMNS = range(7)


class _Scale:
    """Weighs outcomes of thresholds on prepared lines, and remembers those it has played."""

    def __init__(self, said: Sequence[Spoken], weights: Weights, demands: Demands, mix: Mix) -> None:
        self._said, self._weights, self._demands = said, weights, demands
        self._outside = np.array([one.department == OUTSIDE for one in said])
        alarm = np.array([one.department in SPECIAL.values() for one in said]) & ~self._outside
        self._plain = ~self._outside & ~alarm
        self._share = np.zeros(len(said))
        for rows, share in (
            (self._outside, mix.outside),
            (alarm, mix.alarms),
            (self._plain, 1 - mix.outside - mix.alarms),
        ):
            self._share[rows] = share / max(1, rows.sum())
        self._played: dict[Thresholds, NDArray[np.float64]] = {}

    def outcomes(self, thresholds: Thresholds) -> NDArray[np.float64]:
        """A row for each line: routed without asking, that was right; how the dialogue ended on average; turns."""
        if thresholds not in self._played:
            simulation = Simulation(self._said, Policy(thresholds))
            rows = np.zeros((len(self._said), _COLUMNS))
            for number, (one, played) in enumerate(zip(self._said, simulation.play(_REPLAYS), strict=True)):
                decision = simulation.decision(number)
                if is_routed(decision):
                    rows[number, _ROUTED] = 1
                    rows[number, _RIGHT] = decision.concerns[0].department == one.department
                for column, ending in ((_CORRECT, "correct"), (_HUMAN, "human"), (_WRONG, "wrong")):
                    rows[number, column] = sum(p.ending == ending for p in played) / len(played)
                rows[number, _TURNS] = sum(p.turns for p in played) / len(played)
            self._played[thresholds] = rows
        return self._played[thresholds]

    def costs(self, rows: NDArray[np.float64], where: NDArray[np.int64]) -> Costs:
        """The figures of some lines' outcomes."""
        share = self._share[where] / self._share[where].sum()
        rows = rows[where]
        mean = share @ rows
        # A person is no more than right for who wants one, or for what is not ours.
        human = float((share * self._plain[where]) @ rows[:, _HUMAN])
        weights = self._weights
        cost = weights.question * (mean[_TURNS] - 1) + weights.misroute * mean[_WRONG] + weights.human * human
        strange = share * self._outside[where]
        return Costs(
            n=len(where),
            cost=round(float(cost), 4),
            precision=round(float(mean[_RIGHT] / mean[_ROUTED]) if mean[_ROUTED] else 1.0, 4),
            routed=round(float(mean[_ROUTED]), 4),
            outside_routed=round(float(strange @ rows[:, _ROUTED] / strange.sum()) if strange.sum() else 0.0, 4),
            correct=round(float(mean[_CORRECT]), 4),
            human=round(float(mean[_HUMAN]), 4),
            wrong=round(float(mean[_WRONG]), 4),
            turns=round(float(mean[_TURNS]), 4),
        )

    def search(self, start: Thresholds, where: NDArray[np.int64]) -> Thresholds:
        """From `start`, one threshold after the other to its best step, until a round changes nothing."""
        best, worth = start, self._worth(start, where)
        for _ in range(_ROUNDS):
            before = best
            for name, steps in _STEPS.items():
                for step in steps:
                    tried = replace(best, route=max(step, best.route)) if name == "confirm" else best
                    if name == "route" and step < best.confirm:
                        continue
                    tried = replace(tried, **{name: step})
                    value = self._worth(tried, where)
                    if value < worth:
                        best, worth = tried, value
            if best == before:
                break
        return best

    def _worth(self, thresholds: Thresholds, where: NDArray[np.int64]) -> float:
        """The less, the better: the cost, and what the demands are missed by."""
        found, demands = self.costs(self.outcomes(thresholds), where), self._demands
        return (
            found.cost
            + _PRECISION_WORTH * max(0.0, demands.precision - found.precision)
            + _WISH_WORTH * max(0.0, demands.routed - found.routed)
            + _WISH_WORTH * max(0.0, found.outside_routed - demands.outside)
        )
