"""What must be understood at any time, by rule: emergency, objection, wish for a human, yes, no, "again?".

The rules stand in `data/safety.de.yaml` and look at words only, so they work on a recogniser's output in the middle of
the notice as well as on a full answer. They are made to miss little and to leave look-alikes alone ("Widerspruch gegen
den Bescheid", "die Notfallnummer auf der Karte"); the policy joins them with the classifier.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from importlib import resources

from anruflotse.understanding.corpus import plain
from anruflotse.understanding.safety_rules import Rules, Sure, parse

EMERGENCY, OBJECTION, HUMAN, REPEAT, YES, NO = "emergency", "objection", "human", "repeat", "yes", "no"
"""The findings, spelled as in `speech.seams.Heard`."""

_MAX_WORDS = 120
_BARE_WORDS = 14
"""Longer utterances are no bare answers."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the rules found. `heard` is one of this module's constants or None.

    `unlike` names findings that the text resembles but clearly is not, or that it only asks about ("warum wird das
    aufgezeichnet?"): of these nobody can be certain, whatever the classifier says. `rest` is what followed a yes or no
    and says more than it ("nein, es geht um Zahnersatz"): a concern of its own, in plain words.
    """

    heard: str | None = None
    certain: bool = False
    suicidal: bool = False
    unlike: frozenset[str] = frozenset()
    rest: str = field(default="", repr=False)


def judge(text: str, *, notice: bool = False) -> Finding:
    """Find the most urgent thing `text` says: emergency, then objection, human, repeat, yes or no.

    `notice` says that the notice is being played, which offers the word "Widerspruch": then "ich möchte Widerspruch
    einlegen" with nothing else is a likely objection, while after the question it is a concern.
    """
    rules = _rules()
    words = rules.mend(plain(text)).split()[:_MAX_WORDS]
    spoken = " ".join(words)
    bare = " ".join(word for word in words if word not in rules.fillers)
    if not spoken:
        return Finding()
    unlike: set[str] = set()
    suicidal = rules.kinds["suicidal"].sure(spoken, bare)[0]
    if suicidal is Sure.CERTAIN:
        return Finding(EMERGENCY, certain=True, suicidal=True)
    for heard in (EMERGENCY, OBJECTION, HUMAN):
        sure, resembles = rules.kinds[heard].sure(spoken, bare)
        if heard == EMERGENCY and suicidal is not Sure.NO:
            return Finding(EMERGENCY, sure is Sure.CERTAIN, suicidal=True)
        if resembles:
            unlike.add(heard)
        if sure is not Sure.NO:
            return Finding(heard, sure is Sure.CERTAIN, unlike=frozenset(unlike))
    if notice and _LODGE.search(spoken) and OBJECTION not in unlike:
        return Finding(OBJECTION, certain=False)
    return _answer(rules, words, bare, frozenset(unlike))


def read(text: str) -> str | None:
    """What `text` says, as a `Heard` value, or None when it says something else, or says more than a bare yes or no."""
    finding = judge(text, notice=True)
    return None if finding.rest else finding.heard


def spoke(text: str) -> tuple[str, ...]:
    """The parts of the table that found something in `text`, as `kind.part` ("objection.unless"): for explanations."""
    rules = _rules()
    words = rules.mend(plain(text)).split()[:_MAX_WORDS]
    forms = (" ".join(words), " ".join(word for word in words if word not in rules.fillers))
    return tuple(part for name, kind in rules.kinds.items() for part in kind.spoke(name, *forms))


def suicidal(text: str) -> bool:
    """Whether somebody speaks of wanting to die: an emergency that also needs the Telefonseelsorge."""
    return judge(text).suicidal


_LODGE = re.compile(
    r"\bwiderspruch\b(?:(?! gegen).)*\b(?:einlegen|erheben|anmelden)\b|\b(?:einlegen|erhebe|lege)\b.*\bwiderspruch\b"
)


def _answer(rules: Rules, words: list[str], bare: str, unlike: frozenset[str]) -> Finding:
    """Yes, no or "again?", and what is said beyond it."""
    spoken = " ".join(words)
    if len(words) <= _BARE_WORDS:
        for form in (bare, spoken):
            if form and rules.kinds[REPEAT].is_bare(form):
                return Finding(REPEAT, certain=True, unlike=unlike)
        for heard in (NO, YES):
            if any(form and rules.kinds[heard].is_bare(form) for form in (bare, spoken)):
                return Finding(heard, certain=True, unlike=unlike)
    content = [word for word in words if word not in rules.fillers or word in ("ne", "na")]
    said = {heard: _leading(content, rules.kinds[heard].words) for heard in (NO, YES)}
    heard = max((NO, YES), key=said.__getitem__)
    if not said[heard]:
        return Finding(unlike=unlike)
    rest = content[said[heard] :]
    if not rest:
        mixed = any(word in rules.kinds[YES if heard == NO else NO].words for word in content)
        return Finding(heard, certain=not mixed, unlike=unlike)
    after = _leading(rest, rules.kinds[YES if heard == NO else NO].words)
    if after == len(rest):  # "ja nein", "nein doch": the last word counts, but not for sure
        return Finding(YES if heard == NO else NO, certain=False, unlike=unlike)
    full = words[words.index(rest[0]) :] if rest[0] in words else rest
    return Finding(heard, certain=True, unlike=unlike, rest=" ".join(full))


def _leading(words: list[str], known: frozenset[str]) -> int:
    """How many of the first `words` are all `known`."""
    return next((i for i, word in enumerate(words) if word not in known), len(words))


@functools.cache
def _rules() -> Rules:
    table = resources.files("anruflotse.understanding").joinpath("data/safety.de.yaml")
    return parse(table.read_text(encoding="utf-8"), "safety.de.yaml")
