"""How well understanding works on labelled sentences, as a dialogue and in numbers with 95 % intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from anruflotse.understanding.classifier import SPECIAL
from anruflotse.understanding.errors import CorpusError
from anruflotse.understanding.policy import Policy
from anruflotse.understanding.seams import Decision, DecisionKind
from anruflotse.understanding.simulated import Played, Simulation, prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from anruflotse.understanding.corpus import Line
    from anruflotse.understanding.seams import Classifier, Ranking

_OUTSIDE = SPECIAL["ausserhalb"]
_ALARMS = {
    DecisionKind.EMERGENCY: SPECIAL["notfall"],
    DecisionKind.OBJECTION: SPECIAL["aufzeichnung"],
    DecisionKind.HUMAN: SPECIAL["mitarbeiter"],
}
_Z = 1.96
_RESAMPLES = 1000
_BINS = 10
_ENDINGS = ("correct", "human", "wrong")

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Case:
    """One sentence, what was made of it, and how the dialogue with a caller who answers truthfully ends."""

    department: str
    concern: str
    ranking: Ranking = field(repr=False)
    decision: Decision
    ending: str
    """`correct`, `human` (a person takes over) or `wrong` (another department)."""
    turns: int
    """How often the caller spoke."""
    played: tuple[Played, ...] = ()
    """How the dialogue went with the simulated caller, who misunderstands and gives up now and then."""

    @property
    def masses(self) -> dict[str, float]:
        """Probability by department."""
        found: dict[str, float] = {}
        for ranked in self.ranking.concerns:
            found[ranked.department] = found.get(ranked.department, 0.0) + ranked.probability
        return found


def examine(
    lines: Sequence[Line],
    classifier: Classifier,
    policy: Policy,
    progress: Callable[[float], None] = lambda _share: None,
) -> list[Case]:
    """Let `classifier` and `policy` answer every line.

    Raises CorpusError when a line names no department and the classifier does not know its concern.
    """
    said = prepared(lines, classifier, progress)
    simulation = Simulation(said, policy)
    cases = []
    for number, (one, played) in enumerate(zip(said, simulation.play(), strict=True)):
        decision = simulation.decision(number)
        ending, turns = play(one.department, one.ranking, decision, policy)
        cases.append(Case(one.department, one.line.concern, one.ranking, decision, ending, turns, tuple(played)))
    return cases


def play(department: str, ranking: Ranking, decision: Decision, policy: Policy) -> tuple[str, int]:
    """How the dialogue ends and in how many turns, if the caller answers truthfully and says the same when asked again.

    A person is the right end for what is out of scope, and for an alarm that was heard.
    """
    turns = 1
    if decision.kind in _ALARMS:
        if _ALARMS[decision.kind] == department:
            return "correct", turns + (not decision.certain)
        if decision.certain:
            return "human", turns
        turns += 1  # asked about it, and the caller said no
        decision = policy.among(ranking)
    offered = [ranked.department for ranked in decision.concerns]
    if decision.kind is DecisionKind.ROUTE:
        return ("correct" if department == offered[0] else "wrong"), turns
    turns += 1  # the caller answers: confirms, chooses, or says it again
    if decision.kind in (DecisionKind.CONFIRM, DecisionKind.CHOOSE) and department in offered:
        return "correct", turns
    # An alarm that was missed ends with a person as well, but too late to be called right.
    return ("correct" if department == _OUTSIDE else "human"), turns


def report(cases: Sequence[Case]) -> dict[str, object]:
    """The figures of `evaluate understanding`; `intervals` holds each one's 95 % interval under its dotted name.

    `dialogue` is with a caller who answers truthfully, `simulated` with one who errs at times (`simulated.MANNERS`).
    A figure that has no cases is None. Proportions have Wilson intervals; AUROC, ECE, turns and `simulated` are
    bootstrapped over sentences.
    """
    if not cases:
        message = "there is not a single sentence to evaluate"
        raise CorpusError(message)
    intervals: dict[str, Interval] = {}

    def share(name: str, hits: Iterable[bool]) -> float | None:
        found = list(hits)
        if not found:
            return None
        intervals[name] = wilson(sum(found), len(found))
        return sum(found) / len(found)

    def resampled(name: str, figure: Callable[[NDArray[np.int64]], float | None]) -> float | None:
        whole = figure(np.arange(len(cases)))
        if whole is None:
            return None
        chance = np.random.default_rng(1)
        drawn = [figure(chance.integers(0, len(cases), len(cases))) for _ in range(_RESAMPLES)]
        low, high = np.quantile([value for value in drawn if value is not None], [0.025, 0.975])
        intervals[name] = (float(low), float(high))
        return whole

    ordered = [sorted(case.masses, key=lambda name, masses=case.masses: -masses[name]) for case in cases]  # type: ignore[misc]
    routed = [case for case in cases if case.decision.kind is DecisionKind.ROUTE]
    outside = [case for case in cases if case.department == _OUTSIDE]
    top = np.array([case.masses[order[0]] for case, order in zip(cases, ordered, strict=True)])
    right = np.array([order[0] == case.department for case, order in zip(cases, ordered, strict=True)])
    strange = np.array([case.masses.get(_OUTSIDE, 0.0) for case in cases])
    is_outside = np.array([case.department == _OUTSIDE for case in cases])
    turns = np.array([case.turns for case in cases], np.float64)
    simulated = np.array([_lived(case) for case in cases])

    def recall(kind: DecisionKind) -> float | None:
        name = {DecisionKind.EMERGENCY: "emergency_recall", DecisionKind.OBJECTION: "objection_recall"}.get(
            kind, "human_recall"
        )
        return share(name, [case.decision.kind is kind for case in cases if case.department == _ALARMS[kind]])

    return {
        "n": len(cases),
        "intent_accuracy": share(
            "intent_accuracy", [case.ranking.concerns[0].concern == case.concern for case in cases]
        ),
        "department_accuracy": share("department_accuracy", map(bool, right)),
        "top2_department": share(
            "top2_department", [case.department in order[:2] for case, order in zip(cases, ordered, strict=True)]
        ),
        "routed": {
            "share": share("routed.share", [case.decision.kind is DecisionKind.ROUTE for case in cases]),
            "precision": share("routed.precision", [case.ending == "correct" for case in routed]),
        },
        "dialogue": {
            **{end: share(f"dialogue.{end}", [case.ending == end for case in cases]) for end in _ENDINGS},
            "turns": resampled("dialogue.turns", lambda rows: float(turns[rows].mean())),
        },
        "simulated": {
            name: resampled(f"simulated.{name}", lambda rows, at=at: float(simulated[rows, at].mean()))  # type: ignore[misc]
            for at, name in enumerate((*_ENDINGS, "turns"))
        },
        "emergency_recall": recall(DecisionKind.EMERGENCY),
        "objection_recall": recall(DecisionKind.OBJECTION),
        "human_recall": recall(DecisionKind.HUMAN),
        "out_of_scope": {
            "auroc": resampled("out_of_scope.auroc", lambda rows: auroc(strange[rows], is_outside[rows])),
            "routed_wrongly": share(
                "out_of_scope.routed_wrongly", [case.decision.kind is DecisionKind.ROUTE for case in outside]
            ),
        },
        "ece": resampled("ece", lambda rows: calibration_error(top[rows], right[rows])),
        "intervals": {name: [round(low, 4), round(high, 4)] for name, (low, high) in intervals.items()},
    }


def _lived(case: Case) -> list[float]:
    """How often the case's simulated dialogues ended in each way, and their turns on average."""
    of = max(1, len(case.played))
    shares = [sum(played.ending == end for played in case.played) / of for end in _ENDINGS]
    return [*shares, sum(played.turns for played in case.played) / of]


def wilson(hits: int, of: int) -> Interval:
    """The 95 % interval of a proportion (Wilson 1927)."""
    share, z = hits / of, _Z
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def auroc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float | None:
    """The chance that a positive has the higher score, ties counting half; None without both kinds."""
    if positive.all() or not positive.any():
        return None
    from scipy.stats import rankdata  # noqa: PLC0415 - evaluation only

    ranks = rankdata(scores)
    n, m = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Expected calibration error in ten equally wide bins: how far stated and real certainty lie apart on average."""
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [
        abs(confidence[bins == b].mean() - right[bins == b].mean()) * (bins == b).sum()
        for b in range(_BINS)
        if (bins == b).any()
    ]
    return float(sum(gaps) / len(confidence))
