"""From a ranking to a decision: safety first, then out of scope, then route, confirm, offer two, or ask again."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from anruflotse.understanding import safety
from anruflotse.understanding.classifier import SPECIAL
from anruflotse.understanding.encoder import SHIPPED, read_card
from anruflotse.understanding.errors import UnderstandingError
from anruflotse.understanding.seams import Decision, DecisionKind, Ranked, Ranking

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_EMERGENCY, _OBJECTION, _HUMAN = SPECIAL["notfall"], SPECIAL["aufzeichnung"], SPECIAL["mitarbeiter"]
_OUTSIDE = SPECIAL["ausserhalb"]
_SPECIAL = frozenset(SPECIAL.values())


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Probabilities (0..1) from which the policy acts; how they were found: docs/understanding.md.

    `route`, `confirm`: of the likeliest department. `choose`: of the two likeliest together, when the second has at
    least `second`. `outside`: of everything out of scope. `likely`, `sure`: of an emergency, an objection or a wish
    for a human by the classifier alone; likely is asked about once, sure is acted upon. For an objection and a wish
    for a human `likely_wish` takes the place of `likely`: asked about an emergency too readily, they would be lost.
    """

    route: float = 0.80
    confirm: float = 0.45
    choose: float = 0.60
    second: float = 0.15
    outside: float = 0.45
    likely: float = 0.05
    likely_wish: float = 0.15
    sure: float = 0.90

    def __post_init__(self) -> None:
        """Raise UnderstandingError when a threshold is no probability or the order makes no sense."""
        for field in fields(self):
            if not 0 <= getattr(self, field.name) <= 1:
                message = f"understanding.{field.name} is {getattr(self, field.name)}: it must be between 0 and 1"
                raise UnderstandingError(message)
        for lower, upper in (("confirm", "route"), ("likely", "sure"), ("likely_wish", "sure")):
            if getattr(self, lower) > getattr(self, upper):
                message = f"understanding.{lower} must not exceed understanding.{upper}"
                raise UnderstandingError(message)

    def likely_of(self, department: str) -> tuple[str, float]:
        """Which threshold makes an alarm by the classifier likely, and its value; `department` is its stand-in."""
        name = "likely" if department == _EMERGENCY else "likely_wish"
        return name, getattr(self, name)


def measured(folder: Path = SHIPPED, **changed: float | None) -> Thresholds:
    """The thresholds on the encoder's card, found on people it had not heard; `changed` ones (not None) win.

    Raises UnderstandingError when the card is damaged or a threshold makes no sense.
    """
    card = read_card(folder)
    names = {field.name for field in fields(Thresholds)}
    known = {name: float(value) for name, value in card.get("thresholds", {}).items() if name in names}
    return replace(Thresholds(**known), **{name: value for name, value in changed.items() if value is not None})


class Policy:
    """The decision policy; stateless."""

    def __init__(self, thresholds: Thresholds | None = None) -> None:
        """Decide by `thresholds`, by default those that `measured` reads from the shipped card."""
        self.thresholds = thresholds or measured()

    def decide(self, text: str, ranking: Ranking, finding: safety.Finding | None = None) -> Decision:
        """What to do with `text`, which the classifier ranked as `ranking`; `finding`: what the rules said, if known.

        A certain alarm wins over a likely one; among equals an emergency over an objection, that over a wish for a
        human, and all of them over every concern. Rules and classifier need not agree: either may raise the alarm,
        and what only one of them half believes is asked about.
        A bare yes, no or "wie bitte?" is no concern: ASK_AGAIN.
        """
        finding = finding or safety.judge(text)
        masses = _masses(ranking.concerns)
        alarms = {
            kind: self._alarm(finding, heard, masses.get(department, 0.0), self.thresholds.likely_of(department)[1])
            for heard, department, kind in (
                (safety.EMERGENCY, _EMERGENCY, DecisionKind.EMERGENCY),
                (safety.OBJECTION, _OBJECTION, DecisionKind.OBJECTION),
                (safety.HUMAN, _HUMAN, DecisionKind.HUMAN),
            )
        }
        # A certain alarm before a likely one: each ends with a person, a question would only delay that.
        for certain in (True, False):
            for kind, alarm in alarms.items():
                if alarm is certain:
                    return Decision(kind, certain=certain, suicidal=finding.suicidal)
        if finding.heard in (safety.YES, safety.NO, safety.REPEAT) and not finding.rest:
            return Decision(DecisionKind.ASK_AGAIN)
        return self.among(ranking)

    def doubted(self, decision: Decision, ranking: Ranking) -> Decision:
        """`decision`; an alarm to be asked about carries the concern that it is if the caller denies the alarm."""
        if decision.certain:
            return decision
        return replace(decision, concerns=self.among(ranking).concerns[:1])

    def naming(self, decision: Decision, ranking: Ranking, named: tuple[Ranked, Ranked] | None) -> Decision:
        """`decision`, when two concerns were `named` in this order (`second.two_concerns`): to the first, naming both.

        Which of the two to begin with is asked only where the first is not clear enough to be routed to. An alarm, and
        what is out of scope, stay what they are.
        """
        if named is None or not decision.concerns or not decision.certain:
            return decision
        first, second = named
        among_first = sum(r.probability for r in ranking.concerns if r.department == first.department)
        if max(first.probability, among_first) >= self.thresholds.route:
            return replace(decision, kind=DecisionKind.ROUTE, concerns=(first,), second=second)
        if decision.concerns[0].concern not in {first.concern, second.concern}:
            return decision
        return replace(decision, second=second if decision.concerns[0].concern == first.concern else first)

    def among(self, ranking: Ranking) -> Decision:
        """The decision among departments only: what comes after a caller denied an alarm."""
        t = self.thresholds
        masses = _masses(ranking.concerns)
        outside = masses.get(_OUTSIDE, 0.0)
        best = sorted((name for name in masses if name not in _SPECIAL), key=lambda name: -masses[name])[:2]
        if not best or outside >= t.outside or outside >= masses[best[0]]:
            return Decision(DecisionKind.ASK_AGAIN)
        tops = tuple(next(ranked for ranked in ranking.concerns if ranked.department == name) for name in best)
        first = masses[best[0]]
        second = masses[best[1]] if len(best) > 1 else 0.0
        if first >= t.route:
            return Decision(DecisionKind.ROUTE, tops[:1])
        if second >= t.second and first + second >= t.choose and first < 2 * second:
            return Decision(DecisionKind.CHOOSE, tops)
        if first >= t.confirm:
            return Decision(DecisionKind.CONFIRM, tops[:1])
        if second >= t.second and first + second >= t.choose:
            return Decision(DecisionKind.CHOOSE, tops)
        return Decision(DecisionKind.ASK_AGAIN)

    def _alarm(self, finding: safety.Finding, heard: str, mass: float, likely: float) -> bool | None:
        """True for certain, False to be asked about, None for no alarm."""
        if finding.heard == heard:
            # A mere question ("warum wird das aufgezeichnet?") stays one, however sure the classifier is.
            return finding.certain or (mass >= self.thresholds.sure and heard not in finding.unlike)
        if heard in finding.unlike:
            # The rules know this for a look-alike: the classifier alone may make us ask, not act.
            return False if mass >= self.thresholds.sure else None
        if mass >= self.thresholds.sure:
            return True
        return False if mass >= likely else None


def _masses(concerns: Iterable[Ranked]) -> dict[str, float]:
    """Probability by department: two concerns of one department add up."""
    masses: dict[str, float] = {}
    for ranked in concerns:
        masses[ranked.department] = masses.get(ranked.department, 0.0) + ranked.probability
    return masses
