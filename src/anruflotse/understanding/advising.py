"""A classifier that asks for a second opinion where it is not sure enough to route by itself.

The sentence is given away as rarely as may be: not when the local classifier is sure, not when it takes it for out of
scope, and never when an emergency, an objection, a wish for a human or a bare answer is heard in it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from anruflotse.understanding import safety
from anruflotse.understanding.classifier import SPECIAL
from anruflotse.understanding.errors import UnderstandingError
from anruflotse.understanding.seams import Grounds, Option, Ranked, Ranking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anruflotse.understanding.policy import Thresholds
    from anruflotse.understanding.seams import Adviser, Classifier

_log = structlog.get_logger()

NONE = "keines"
"""The opinion that none of the concerns is meant."""
OPTIONS = 5
"""So many concerns are put to the choice."""
TRUST = 0.8
"""How often the second opinion is supposed to be right when the truth is among the options; cautious, not measured."""
_BELOW = 0.001
"""How far under the threshold a department stays that only the second opinion put first."""
_ALARMS = (safety.EMERGENCY, safety.OBJECTION, safety.HUMAN)
_ALARM_CLASSES = (SPECIAL["notfall"], SPECIAL["aufzeichnung"], SPECIAL["mitarbeiter"])


def alarming(text: str) -> bool:
    """Whether an emergency, an objection or a wish for a human is heard, surely or not: such a sentence stays here."""
    return safety.judge(text).heard in _ALARMS


class Advised:
    """Ranks by a local classifier; in its doubt, a second opinion may reorder the likeliest concerns."""

    processor: None = None
    """It is our own; a processor's adviser stands behind the gate."""

    def __init__(
        self, local: Classifier, adviser: Adviser, options: Mapping[str, Option], thresholds: Thresholds
    ) -> None:
        """Ask `adviser` about concerns in `options` where `thresholds` neither route nor raise an alarm."""
        self._local = local
        self._adviser = adviser
        self._options = options
        self._thresholds = thresholds

    def rank(self, text: str) -> Ranking:
        """See `Classifier.rank`; takes as much longer as the adviser, whose every failure leaves the local ranking."""
        ranking = self._local.rank(text)
        options = self._to_choose_from(text, ranking)
        if not options or not self._adviser.ready:
            return ranking
        try:
            chosen = self._adviser.choose(text, options)
        except UnderstandingError as error:
            _log.warning("no second opinion; the local ranking stands", error=type(error).__name__)
            return ranking
        if chosen is None:
            return ranking
        return advised(ranking, [option.concern for option in options], chosen, self._thresholds.route)

    def _to_choose_from(self, text: str, ranking: Ranking) -> list[Option]:
        """The concerns to choose among; empty when nobody is to be asked."""
        finding, masses = safety.judge(text), _masses(ranking.concerns)
        bare = finding.heard is not None and not finding.rest
        alarm = any(masses.get(name, 0.0) >= self._thresholds.likely_of(name)[1] for name in _ALARM_CLASSES)
        if finding.heard in _ALARMS or bare or alarm:
            return []
        outside = masses.get(SPECIAL["ausserhalb"], 0.0)
        first, mass = max(masses.items(), key=lambda item: item[1])
        if first in SPECIAL.values() or outside >= self._thresholds.outside or mass >= self._thresholds.route:
            return []
        likeliest = [one for one in ranking.concerns if one.concern in self._options and one.probability > 0]
        found = [self._options[one.concern] for one in likeliest[:OPTIONS]]
        return found if len(found) > 1 else []


def advised(ranking: Ranking, concerns: Sequence[str], chosen: str, route: float) -> Ranking:
    """`ranking` after the opinion that of `concerns` the `chosen` one is meant; `keines` changes no probability.

    The opinion counts as an observation that is right in `TRUST` of the cases and otherwise falls on the others alike
    (Bayes' rule). What the concerns have together they keep: being out of scope, and everything not put to the choice,
    stays as likely as it was. A department that the opinion alone put first stays below `route`: the caller is asked.
    """
    grounds = replace(ranking.grounds or Grounds(), opinion=chosen)
    if chosen not in concerns:
        return replace(ranking, grounds=grounds)
    before = {one.concern: one.probability for one in ranking.concerns}
    wrong = (1 - TRUST) / (len(concerns) - 1)
    weighed = {concern: before[concern] * (TRUST if concern == chosen else wrong) for concern in concerns}
    scale = sum(before[concern] for concern in concerns) / sum(weighed.values())
    after = before | {concern: weight * scale for concern, weight in weighed.items()}
    share = _held_back(ranking.concerns, after, route)
    ranked = sorted(
        (
            replace(one, probability=share * after[one.concern] + (1 - share) * one.probability)
            for one in ranking.concerns
        ),
        key=lambda one: -one.probability,
    )
    same = ranked[0].concern == ranking.concerns[0].concern
    return Ranking(tuple(ranked), ranking.evidence if same else (), grounds)


def _held_back(concerns: Sequence[Ranked], after: Mapping[str, float], route: float) -> float:
    """The share (0..1) of the change that may happen, so that the opinion alone routes nobody."""
    old, new = _masses(concerns), _masses([replace(one, probability=after[one.concern]) for one in concerns])
    first = max(new, key=new.__getitem__)
    if new[first] < route or first == max(old, key=old.__getitem__):
        return 1.0
    return max(0.0, (route - _BELOW - old[first]) / (new[first] - old[first]))


def _masses(concerns: Sequence[Ranked]) -> dict[str, float]:
    masses: dict[str, float] = {}
    for one in concerns:
        masses[one.department] = masses.get(one.department, 0.0) + one.probability
    return masses
