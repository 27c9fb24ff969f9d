"""Two versions on the same sentences: what changed for the better, what for the worse, and whether that is safe.

The sentences are those of invented people from whom nothing is ever learnt (`corpus.HELD_OUT`), and the operator's own
examples, which the new version has learnt and the old one mostly has not: figures count the former only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from anruflotse.understanding import corpus
from anruflotse.understanding.classifier import SPECIAL
from anruflotse.understanding.corpus import Line
from anruflotse.understanding.evaluation import wilson
from anruflotse.understanding.policy import Policy
from anruflotse.understanding.seams import Classifier, DecisionKind
from anruflotse.understanding.terms import Terms

_OUTSIDE = SPECIAL["ausserhalb"]
_ALARMS = {
    DecisionKind.EMERGENCY: SPECIAL["notfall"],
    DecisionKind.OBJECTION: SPECIAL["aufzeichnung"],
    DecisionKind.HUMAN: SPECIAL["mitarbeiter"],
}


@dataclass(frozen=True, slots=True)
class Task:
    """A sentence with the concern and the department that are right by the newer catalogue."""

    text: str = field(repr=False)
    concern: str
    department: str
    example: bool = False
    """Whether it is one of the operator's examples."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a version makes of a task. `department` is the one offered first, "" when it asks again or for an alarm.

    `right`: the decision leads to the right department, or offers it. `ranked`: the department ranked first is right.
    """

    decision: str
    department: str
    right: bool
    ranked: bool

    def __str__(self) -> str:
        """For people: "route pflegekasse"."""
        return f"{self.decision} {self.department}".strip()


@dataclass(frozen=True, slots=True)
class Count:
    """How many of `n` were right before and are right now."""

    n: int
    before: int
    now: int

    def fell(self) -> bool:
        """Whether the share right now lies below the 95 % interval of the share before."""
        return bool(self.n) and self.now / self.n < wilson(self.before, self.n)[0]

    def as_json(self) -> dict[str, object]:
        """Shares with their 95 % intervals."""
        if not self.n:
            return {"n": 0, "before": None, "now": None}
        shares = {"before": self.before, "now": self.now}
        told: dict[str, object] = {"n": self.n, **{name: round(hits / self.n, 4) for name, hits in shares.items()}}
        told["intervals"] = {name: [round(edge, 4) for edge in wilson(hits, self.n)] for name, hits in shares.items()}
        return told


@dataclass(frozen=True, slots=True)
class Change:
    """A task on which the two versions differ."""

    task: Task
    before: Answer
    now: Answer


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that differs. Counts are of sentences whose department was ranked first, examples apart."""

    tasks: int
    all: Count
    concerns: Mapping[str, Count]
    departments: Mapping[str, Count]
    examples: Mapping[str, Count]
    changes: tuple[Change, ...]

    @property
    def fallen(self) -> tuple[str, ...]:
        """The departments that are understood worse by more than chance explains."""
        return tuple(name for name, count in self.departments.items() if count.fell())


def tasks(terms: Terms, examples: Sequence[Line]) -> list[Task]:
    """The fixed sentences whose concern the catalogue still has, and the operator's `examples`.

    A concern that is switched off is right when its callers are asked again. Raises CorpusError for a damaged file.
    """
    departments = SPECIAL | dict(terms.departments) | dict.fromkeys(terms.disabled, _OUTSIDE)
    held_out = corpus.read([file for file in (corpus.HELD_OUT, corpus.HELD_OUT_MISHEARD) if file.exists()])
    found = [(line, False) for line in held_out] + [(line, True) for line in examples]
    return [
        Task(line.text, line.concern, departments[line.concern], example)
        for line, example in found
        if line.concern in departments
    ]


def compare(
    asked: Sequence[Task],
    before: Classifier,
    now: Classifier,
    policy: Policy,
    progress: Callable[[float], None] = lambda _share: None,
) -> Comparison:
    """Let both answer every task. `progress` is called with the share done (0..1)."""
    pairs = []
    for number, task in enumerate(asked, 1):
        pairs.append(Change(task, answer(task, before, policy), answer(task, now, policy)))
        progress(number / len(asked))
    held_out = [pair for pair in pairs if not pair.task.example]
    own = [pair for pair in pairs if pair.task.example]
    return Comparison(
        tasks=len(pairs),
        all=_count(held_out),
        concerns=_counts(held_out, lambda task: task.concern),
        departments=_counts(held_out, lambda task: task.department),
        examples=_counts(own, lambda task: task.concern),
        changes=tuple(
            pair
            for pair in pairs
            if (pair.before.decision, pair.before.department) != (pair.now.decision, pair.now.department)
        ),
    )


def answer(task: Task, classifier: Classifier, policy: Policy) -> Answer:
    """What `classifier` and `policy` make of a task."""
    ranking = classifier.rank(task.text)
    decision = policy.decide(task.text, ranking)
    offered = [ranked.department for ranked in decision.concerns]
    if decision.kind in _ALARMS:
        right = _ALARMS[decision.kind] == task.department
    elif decision.kind is DecisionKind.ASK_AGAIN:
        right = task.department == _OUTSIDE
    else:
        right = task.department in offered
    masses: dict[str, float] = {}
    for ranked in ranking.concerns:
        masses[ranked.department] = masses.get(ranked.department, 0.0) + ranked.probability
    ranked_first = max(masses, key=masses.__getitem__) == task.department
    alarm = decision.kind in _ALARMS
    return Answer(decision.kind.value, offered[0] if offered and not alarm else "", right, ranked_first)


def _counts(pairs: Sequence[Change], key: Callable[[Task], str]) -> dict[str, Count]:
    groups: dict[str, list[Change]] = {}
    for pair in pairs:
        groups.setdefault(key(pair.task), []).append(pair)
    return {name: _count(groups[name]) for name in sorted(groups)}


def _count(pairs: Sequence[Change]) -> Count:
    return Count(len(pairs), sum(pair.before.ranked for pair in pairs), sum(pair.now.ranked for pair in pairs))
