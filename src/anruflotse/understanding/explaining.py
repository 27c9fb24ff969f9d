"""Why it decided so: what a decision rests on, for the person who asks, on the command line and in the record.

The parts are written down while the sentence is read (`Ranking.grounds`, the nearest sentences included), so that an
explanation tells what happened and is no second opinion made up afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from anruflotse.understanding import safety
from anruflotse.understanding.classifier import SPECIAL
from anruflotse.understanding.seams import Decision, DecisionKind, Grounds, Keyword, Neighbour, Ranking

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anruflotse.understanding.policy import Thresholds

SAFETY_ZONE = "safety"
_ALARMS = {
    DecisionKind.EMERGENCY: SPECIAL["notfall"],
    DecisionKind.OBJECTION: SPECIAL["aufzeichnung"],
    DecisionKind.HUMAN: SPECIAL["mitarbeiter"],
}
_LONGEST = 160
"""Letters of a training sentence that are shown."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A threshold that was looked at: from `at` on it holds, and `found` (0..1) was there."""

    name: str
    at: float
    found: float = field(repr=False)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a sentence was decided as it was.

    `zone` is `route`, `confirm`, `choose`, `ask_again` or `safety`; `applied` the thresholds of that zone. `rules` are
    the parts of the safety table that found something (`objection.unless`), also when they changed nothing. `words`
    spoke most for the likeliest concern. `model` is the version of the model, and `opinion` what the language model
    answered: a concern, `keines`, or "" when it was not asked or gave no answer that counts.
    """

    zone: str
    applied: tuple[Applied, ...] = ()
    rules: tuple[str, ...] = ()
    words: tuple[str, ...] = field(default=(), repr=False)
    keywords: tuple[Keyword, ...] = field(default=(), repr=False)
    neighbours: tuple[Neighbour, ...] = field(default=(), repr=False)
    model: str = ""
    opinion: str = field(default="", repr=False)

    def as_json(self) -> dict[str, object]:
        """The explanation as JSON can hold it; numbers are rounded, long training sentences cut."""
        return {
            "zone": self.zone,
            "thresholds": [
                {"name": one.name, "at": round(one.at, 4), "found": round(one.found, 4)} for one in self.applied
            ],
            "rules": list(self.rules),
            "words": list(self.words),
            "keywords": [{"word": one.word, "concern": one.concern, "against": one.against} for one in self.keywords],
            "nearest": [
                {
                    "text": _cut(one.text),
                    "concern": one.concern,
                    "similarity": round(one.similarity, 3),
                }
                for one in self.neighbours
            ],
            "model": self.model,
            "opinion": self.opinion,
        }


def for_people(told: Mapping[str, Any]) -> list[str]:
    """An explanation (`Explanation.as_json`, also of an earlier version) in lines; what found nothing is left out."""
    applied = (f"{one['name']} {one['found']:.0%} of {one['at']:.0%}" for one in told.get("thresholds", ()))
    rows = [f"zone {told.get('zone', '?')}: {', '.join(applied)}"]
    rows += [f"safety rules: {', '.join(told['rules'])}"] if told.get("rules") else []
    for one in told.get("keywords", ()):
        rows.append(f"keyword {'against' if one['against'] else 'for'} {one['concern']}: {one['word']}")
    rows += [f"like {one['similarity']:.2f} {one['concern']}: {one['text']}" for one in told.get("nearest", ())]
    rows += [f"language model: {told['opinion']}"] if told.get("opinion") else []
    return [*rows, f"model {told.get('model') or '?'}"]


def explained(text: str, ranking: Ranking, decision: Decision, thresholds: Thresholds) -> Decision:
    """`decision`, made on `text` as it was ranked, with its explanation. Takes under a millisecond for 30 words."""
    grounds = ranking.grounds or Grounds()
    kind = decision.kind
    return replace(
        decision,
        explanation=Explanation(
            zone=SAFETY_ZONE if kind in _ALARMS else kind.value,
            applied=_applied(kind, ranking, thresholds),
            rules=safety.spoke(text),
            words=ranking.evidence,
            keywords=grounds.keywords,
            neighbours=grounds.neighbours,
            model=grounds.model,
            opinion=grounds.opinion,
        ),
    )


def _applied(kind: DecisionKind, ranking: Ranking, thresholds: Thresholds) -> tuple[Applied, ...]:
    """The thresholds that decided in this zone, with what was there."""
    masses: dict[str, float] = {}
    for one in ranking.concerns:
        masses[one.department] = masses.get(one.department, 0.0) + one.probability
    stand_in = _ALARMS.get(kind, "")
    alarm, likely = masses.get(stand_in, 0.0), thresholds.likely_of(stand_in)[0]
    ours = sorted((mass for name, mass in masses.items() if name not in SPECIAL.values()), reverse=True)
    first, second = (*ours, 0.0, 0.0)[:2]
    found = {
        "route": first,
        "confirm": first,
        "choose": first + second,
        "second": second,
        "outside": masses.get(SPECIAL["ausserhalb"], 0.0),
        likely: alarm,
        "sure": alarm,
    }
    looked_at = (likely, "sure") if kind in _ALARMS else _LOOKED_AT[kind]
    return tuple(Applied(name, getattr(thresholds, name), found[name]) for name in looked_at)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


_LOOKED_AT = {
    DecisionKind.ROUTE: ("route", "outside"),
    DecisionKind.CONFIRM: ("confirm", "route", "outside"),
    DecisionKind.CHOOSE: ("choose", "second", "route", "outside"),
    DecisionKind.ASK_AGAIN: ("confirm", "choose", "outside"),
}
