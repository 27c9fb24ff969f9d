"""What must be understood at any time, by rule: emergency, objection, wish for a human, yes, no, "again?".

The rules stand in `data/safety.de.yaml` and look at words only, so they work on a recogniser's output in the middle of
the notice as well as on a full answer. They are made to miss little and to leave look-alikes alone ("Widerspruch gegen
den Bescheid", "die Notfallnummer auf der Karte"); the policy joins them with the classifier.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from enum import IntEnum
from importlib import resources
from typing import Any

import yaml

from anruflotse.understanding.corpus import plain
from anruflotse.understanding.errors import UnderstandingError

EMERGENCY, OBJECTION, HUMAN, REPEAT, YES, NO = "emergency", "objection", "human", "repeat", "yes", "no"
"""The findings, spelled as in `speech.seams.Heard`."""

_MAX_WORDS = 120
_BARE_WORDS = 14
"""Longer utterances are no bare answers."""


class Sure(IntEnum):
    """How sure a rule is."""

    NO = 0
    LIKELY = 1
    CERTAIN = 2


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
    suicide = rules.kinds["suicidal"].sure(spoken, bare)[0] is Sure.CERTAIN
    if suicide:
        return Finding(EMERGENCY, certain=True, suicidal=True)
    for heard in (EMERGENCY, OBJECTION, HUMAN):
        sure, resembles = rules.kinds[heard].sure(spoken, bare)
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


def suicidal(text: str) -> bool:
    """Whether somebody speaks of wanting to die: an emergency that also needs the Telefonseelsorge."""
    return judge(text).suicidal


_LODGE = re.compile(
    r"\bwiderspruch\b(?:(?! gegen).)*\b(?:einlegen|erheben|anmelden)\b|\b(?:einlegen|erhebe|lege)\b.*\bwiderspruch\b"
)


def _answer(rules: _Rules, words: list[str], bare: str, unlike: frozenset[str]) -> Finding:
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


@dataclass(frozen=True, slots=True)
class _Kind:
    """The patterns of one finding."""

    always: re.Pattern[str] | None
    bare: re.Pattern[str] | None
    strong: re.Pattern[str] | None
    certain: re.Pattern[str] | None
    likely: re.Pattern[str] | None
    asked: re.Pattern[str] | None
    unless: re.Pattern[str] | None
    never: re.Pattern[str] | None
    words: frozenset[str]

    def is_bare(self, form: str) -> bool:
        return self.bare is not None and self.bare.fullmatch(form) is not None

    def sure(self, spoken: str, bare: str) -> tuple[Sure, bool]:
        """How sure, and whether it only resembles (a look-alike was found) or only asks."""

        def found(pattern: re.Pattern[str] | None) -> bool:
            return pattern is not None and pattern.search(spoken) is not None

        if found(self.never):
            return Sure.NO, True
        short = len(bare.split()) <= _BARE_WORDS
        if (short and any(form and self.is_bare(form) for form in (bare, spoken))) or found(self.always):
            return Sure.CERTAIN, False
        resembles = found(self.unless)
        if found(self.strong):
            return (Sure.LIKELY if resembles else Sure.CERTAIN), False
        if resembles:
            return Sure.NO, True
        if found(self.certain):
            return Sure.CERTAIN, False
        likely = found(self.likely)
        return (Sure.LIKELY if likely else Sure.NO), likely and found(self.asked)


@dataclass(frozen=True, slots=True)
class _Rules:
    """The whole file, compiled."""

    mends: tuple[tuple[re.Pattern[str], str], ...]
    fillers: frozenset[str]
    kinds: dict[str, _Kind]

    def mend(self, spoken: str) -> str:
        for pattern, better in self.mends:
            spoken = pattern.sub(better, spoken)
        return spoken


@functools.cache
def _rules() -> _Rules:
    raw = resources.files("anruflotse.understanding").joinpath("data/safety.de.yaml").read_text(encoding="utf-8")
    try:
        table: dict[str, Any] = yaml.safe_load(raw)
        parts = {name: str(pattern) for name, pattern in table["bausteine"].items()}
        kinds = {name: _kind(table[name], parts) for name in (EMERGENCY, "suicidal", OBJECTION, HUMAN, REPEAT, YES, NO)}
        mends = tuple((re.compile(pattern), better) for pattern, better in table["mend"])
        return _Rules(mends, frozenset(table["fillers"]), kinds)
    except (yaml.YAMLError, re.error, KeyError, TypeError, ValueError) as error:
        message = f"the rule table safety.de.yaml is damaged ({type(error).__name__}). Install anruflotse again"
        raise UnderstandingError(message) from error


def _kind(table: dict[str, list[str]], parts: dict[str, str]) -> _Kind:
    def together(name: str) -> re.Pattern[str] | None:
        patterns = table.get(name) or []
        for part, pattern in parts.items():
            patterns = [p.replace(f"{{{part}}}", pattern) for p in patterns]
        if not patterns:
            return None
        joined = "|".join(f"(?:{p})" for p in patterns)
        return re.compile(joined if name == "bare" else rf"(?:^| )(?:{joined})(?= |$)")

    return _Kind(
        always=together("always"),
        bare=together("bare"),
        strong=together("strong"),
        certain=together("certain"),
        likely=together("likely"),
        asked=together("asked"),
        unless=together("unless"),
        never=together("never"),
        words=frozenset(table.get("words", ())),
    )
