"""A simulated caller: answers questions from a persona, and sometimes misunderstands, repeats or gives up.

The caller has a true concern and says it in one of the lines under examination; asked again, it takes another line of
the same concern by the same persona, if there is one, or of the same group of personas, or says the same once more.
How often which persona errs (`MANNERS`) are assumptions, argued in docs/understanding.md, not measurements. Everything
is drawn from a seed and a line's place, so that two policies meet the very same callers.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anruflotse.understanding import safety
from anruflotse.understanding.classifier import SPECIAL
from anruflotse.understanding.dialogue import ALARMS, PERSON, Asked, Course
from anruflotse.understanding.errors import CorpusError
from anruflotse.understanding.seams import DecisionKind
from anruflotse.understanding.second import two_concerns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from anruflotse.understanding.corpus import Line
    from anruflotse.understanding.policy import Policy
    from anruflotse.understanding.seams import Classifier, Decision, Ranked, Ranking

OUTSIDE = SPECIAL["ausserhalb"]
_SPECIAL = frozenset(SPECIAL.values())
_SEED = 20_260
REPLAYS = 5
"""How often each line is played, with other dice each time."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a group of personas answers: probabilities (0..1) for each answer.

    `parrots`: asked again, says the very same words. `gives_up`: asked anything further, wants a person instead.
    `silent`, `unheard`: says nothing, or nothing that can be made out. `explains`: says the concern instead of yes or
    "the first one"; `corrects`: the same when the offer is wrong ("nein, es geht um ..."). `nods`: says yes to a wrong
    offer or doubt; `denies`: says no to a right one; `mixes_up`: picks the wrong one of two.
    """

    parrots: float
    gives_up: float
    silent: float
    unheard: float
    explains: float
    corrects: float
    nods: float
    denies: float
    mixes_up: float


MANNERS: dict[str, Manner] = {
    "plain": Manner(0.30, 0.03, 0.02, 0.03, 0.08, 0.35, 0.03, 0.01, 0.03),
    "old": Manner(0.40, 0.06, 0.06, 0.06, 0.20, 0.45, 0.10, 0.02, 0.08),
    "broken": Manner(0.50, 0.05, 0.05, 0.08, 0.15, 0.30, 0.15, 0.03, 0.10),
    "angry": Manner(0.40, 0.20, 0.02, 0.03, 0.12, 0.40, 0.02, 0.04, 0.04),
    "hurried": Manner(0.45, 0.12, 0.03, 0.06, 0.08, 0.25, 0.06, 0.02, 0.05),
    "fragile": Manner(0.40, 0.08, 0.12, 0.10, 0.15, 0.25, 0.10, 0.03, 0.08),
    "professional": Manner(0.15, 0.04, 0.01, 0.02, 0.06, 0.45, 0.01, 0.01, 0.01),
}
"""What is assumed of each group of personas."""

_GROUPS = {
    "old": "p01 p02 p03 p09 p36 p42 p56 p57 p61 p62 p95",
    "broken": "p30 p31 p32 p33 p34 p35 p37 p38 p80 p81 p83 p85 p86 p87",
    "angry": "p39 p97",
    "hurried": "p14 p15 p48 p52 p58 p65 p99",
    "fragile": "p13 p40 p41 p43 p54 p55 p78 p93 p98",
    "professional": "p10 p11 p19 p20 p21 p22 p23 p24 p25 p26 p27 p28 p29 p46 p50 p75 p88 p89 p90 p91 p92",
}
_GROUP_OF = {persona: group for group, personas in _GROUPS.items() for persona in personas.split()}
_SHARES = {
    "plain": 0.45, "old": 0.2, "broken": 0.12, "angry": 0.05, "hurried": 0.08, "fragile": 0.05, "professional": 0.05,
}  # fmt: skip
"""Of which groups the callers are whose file names no persona."""
_NEIGHBOUR = 0.4
"""How often somebody takes an offer that names another concern of the right department for their own."""
_INSISTS = 0.7
"""How often somebody with an alarm says it again when asked about a concern, instead of just saying no."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A line, what classifier and rules make of it, and what else its caller might say.

    `named` are two concerns, if it names two. `again` holds the places of lines with the same concern by the same
    persona, or by the same group of personas.
    """

    line: Line
    department: str
    group: str
    ranking: Ranking = field(repr=False)
    finding: safety.Finding = field(repr=False)
    named: tuple[Ranked, Ranked] | None = None
    again: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Played:
    """How one dialogue ended (`correct`, `human`, `wrong`) and in how many turns of the caller."""

    ending: str
    turns: int


def prepared(
    lines: Sequence[Line],
    classifier: Classifier,
    progress: Callable[[float], None] = lambda _share: None,
) -> list[Spoken]:
    """Rank every line once. Raises CorpusError when neither a line nor the classifier knows a concern's department."""
    rankings, named = [], []
    for number, line in enumerate(lines, 1):
        rankings.append(classifier.rank(line.text))
        named.append(two_concerns(line.text, rankings[-1], classifier.rank))
        progress(number / len(lines))
    return _spoken(lines, rankings, named)


def _spoken(
    lines: Sequence[Line], rankings: Sequence[Ranking], named: Sequence[tuple[Ranked, Ranked] | None]
) -> list[Spoken]:
    departments = {ranked.concern: ranked.department for ranking in rankings[:1] for ranked in ranking.concerns}
    groups = [_group(line.persona, number) for number, line in enumerate(lines)]
    same: dict[tuple[str, str], list[int]] = {}
    for number, (line, group) in enumerate(zip(lines, groups, strict=True)):
        for who in {line.persona, group} - {""}:
            same.setdefault((line.concern, who), []).append(number)
    answer = []
    for number, (line, group, ranking) in enumerate(zip(lines, groups, rankings, strict=True)):
        department = line.department or departments.get(line.concern, "")
        if not department:
            message = f"the catalogue has no concern `{line.concern}` (sentence {number + 1}): correct `intent`"
            raise CorpusError(message)
        others = (
            [other for other in same.get((line.concern, who), ()) if other != number] for who in (line.persona, group)
        )
        again = next((tuple(found) for found in others if found), ())
        answer.append(Spoken(line, department, group, ranking, safety.judge(line.text), named[number], again))
    return answer


def _group(persona: str, number: int) -> str:
    """The group of a persona; somebody of whom nothing is known falls into one by chance, always the same."""
    if persona:
        return _GROUP_OF.get(persona, "plain")
    return _dice(number, -1).choices(list(_SHARES), list(_SHARES.values()))[0]


def _dice(number: int, replay: int) -> random.Random:
    return random.Random((_SEED + replay) * 1_000_003 + number)  # noqa: S311 - a simulation, not a secret


class Simulation:
    """Plays every line's dialogue with `policy`, `replays` times."""

    def __init__(self, said: Sequence[Spoken], policy: Policy) -> None:
        """Play among `said`; what the policy decides on each is found once."""
        self._said = said
        self._policy = policy
        self._decided: dict[int, Decision] = {}

    def decision(self, number: int) -> Decision:
        """What the policy makes of a line; an unsure alarm names the concern it would be otherwise."""
        if number not in self._decided:
            said = self._said[number]
            decision = self._policy.decide(said.line.text, said.ranking, said.finding)
            decision = self._policy.doubted(decision, said.ranking)
            self._decided[number] = self._policy.naming(decision, said.ranking, said.named)
        return self._decided[number]

    def play(self, replays: int = REPLAYS, numbers: Iterable[int] | None = None) -> list[list[Played]]:
        """For each line (or those at `numbers`) how its `replays` dialogues went."""
        chosen = range(len(self._said)) if numbers is None else numbers
        return [self._dialogues(number, replays) for number in chosen]

    def _dialogues(self, number: int, replays: int) -> list[Played]:
        course = Course().stated(self.decision(number))
        if course.end is not None:  # nobody is asked anything, so nothing is left to chance
            return [Played(_ending(self._said[number].department, course.end), 1)] * replays
        return [self._dialogue(course, number, _dice(number, replay)) for replay in range(replays)]

    def _dialogue(self, course: Course, number: int, dice: random.Random) -> Played:
        caller, turns = _Caller(self._said, number, dice, self.decision), 1
        while course.end is None:
            course, turns = caller.answer(course), turns + 1
        return Played(_ending(caller.department, course.end), turns)


class _Caller:
    def __init__(
        self, said: Sequence[Spoken], number: int, dice: random.Random, decide: Callable[[int], Decision]
    ) -> None:
        me = said[number]
        self.department, self._concern = me.department, me.line.concern
        self._manner = MANNERS[me.group]
        self._number, self._again, self._dice, self._decide = number, me.again, dice, decide

    def answer(self, course: Course) -> Course:
        """Whatever was asked, this is what the caller does."""
        chance, manner = self._dice.random(), self._manner
        for share, happens in (
            (manner.gives_up, course.gives_up),
            (manner.silent, course.silent),
            (manner.unheard, course.unheard),
        ):
            if chance < share:
                return happens()
            chance -= share
        match course.asked:
            case Asked.CONCERN:
                return self._says_it(course)
            case Asked.DOUBT:
                meant = course.doubt is not None and ALARMS[course.doubt] == self.department
                return self._yes_or_no(course, right=meant, explains=False)
            case Asked.CONFIRM:
                return self._yes_or_no(course, right=self._fits(course.offered[0]), explains=True)
            case Asked.CHOOSE:
                return self._chooses(course)

    def _says_it(self, course: Course) -> Course:
        if self._again and self._dice.random() >= self._manner.parrots:
            return course.stated(self._decide(self._dice.choice(self._again)))
        return course.stated(self._decide(self._number))

    def _yes_or_no(self, course: Course, *, right: bool, explains: bool) -> Course:
        chance, manner = self._dice.random(), self._manner
        if explains and self._dice.random() < self._explaining(right=right):
            return self._says_it(course)
        slips = chance < (manner.denies if right else manner.nods)
        return course.yes() if right is not slips else course.no()

    def _chooses(self, course: Course) -> Course:
        fitting = [i for i, ranked in enumerate(course.offered) if ranked.concern == self._concern]
        fitting = fitting or [i for i, ranked in enumerate(course.offered) if self._fits(ranked)]
        if self._dice.random() < self._explaining(right=bool(fitting)):
            return self._says_it(course)
        chance = self._dice.random()
        if not fitting:
            return course.picked(0) if chance < self._manner.nods else course.no()
        return course.picked(1 - fitting[0] if chance < self._manner.mixes_up else fitting[0])

    def _explaining(self, *, right: bool) -> float:
        if self.department in _SPECIAL - {OUTSIDE}:
            return _INSISTS
        return self._manner.explains if right else self._manner.corrects

    def _fits(self, offered: Ranked) -> bool:
        """Whether the caller takes the offer for their own concern."""
        if offered.concern == self._concern:
            return True
        return offered.department == self.department and self._dice.random() < _NEIGHBOUR


def _ending(department: str, end: str) -> str:
    """A person is the right end for what is out of scope, and never a wrong one."""
    if end == department or (department == OUTSIDE and end == PERSON):
        return "correct"
    return "human" if end in _SPECIAL else "wrong"


def is_routed(decision: Decision) -> bool:
    """Whether the caller is sent on without a question."""
    return decision.kind is DecisionKind.ROUTE
