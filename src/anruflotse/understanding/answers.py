"""Which of two offered concerns an answer means: "das zweite", "um die Pflege", "nicht der Zahnersatz, das andere"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anruflotse.understanding.corpus import plain

if TYPE_CHECKING:
    from collections.abc import Iterable


_CLEARLY = 2.0
"""How many times more must speak for one choice than for the other."""
_SPOKEN, _BELONGS = 2.0, 0.8


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the two: how it was spoken (`label`) and further words that mean it (description, keywords)."""

    label: str
    words: tuple[str, ...] = ()


_FIRST = re.compile(r"\b(?:erste\w*|erscht\w*|ersch?ters|eins|a|vordere\w*|ersteres|number one|first)\b")
_SECOND = re.compile(r"\b(?:zweite\w*|zwote\w*|zwei|zwo|b|letzte\w*|letztere\w*|hintere\w*|andere\w*|second)\b")
_NEITHER = re.compile(r"\b(?:kein\w* (?:von|davon|der)\b|weder|nichts davon|was anderes|etwas anderes|beides|beide)")
_DENIED = re.compile(r"\b(?:nicht|nich|net|ned|kein\w*)\b")
_TURN = re.compile(r"\b(?:sondern|aber|lieber|eher|nein|doch|um)\b")
_EMPTY = frozenset(
    [
        "der",
        "die",
        "das",
        "den",
        "dem",
        "des",
        "ein",
        "eine",
        "einen",
        "einer",
        "einem",
        "und",
        "oder",
        "um",
        "es",
        "geht",
        "gehts",
        "ich",
        "mir",
        "mich",
        "mein",
        "meine",
        "meinen",
        "meiner",
        "meinem",
        "ihr",
        "ihre",
        "ihren",
        "ihrer",
        "zu",
        "zum",
        "zur",
        "mit",
        "von",
        "vom",
        "für",
        "wegen",
        "auf",
        "an",
        "am",
        "im",
        "in",
        "ist",
        "war",
        "also",
        "ja",
        "bitte",
        "äh",
        "ähm",
        "halt",
        "dann",
        "wohl",
        "eher",
        "mal",
        "hab",
        "habe",
        "will",
        "möchte",
        "würde",
        "doch",
        "so",
        "andere",
        "anderes",
        "sonst",
        "da",
        "bei",
        "über",
        "einfach",
        "sache",
        "thema",
        "anliegen",
        "frage",
    ]
)
_STEM = 5
"""Letters two words must share, at the beginning or one within the other, to count as one ("Pflege", "Pflegegeld")."""


def pick(text: str, first: Choice, second: Choice) -> int | None:
    """0 or 1 for the choice that `text` means, None when it means neither, both, or cannot be told.

    A word counts only for the choice it fits better; what is denied ("nicht die Reha") counts for the other one.
    """
    spoken = plain(text)
    if _NEITHER.search(spoken):
        return None
    score = [0.0, 0.0]
    for part, denied in _parts(spoken):
        for choice, value in enumerate(_scores(part, first, second)):
            score[1 - choice if denied else choice] += value
    if min(score) * _CLEARLY >= max(score):
        return None
    return 0 if score[0] > score[1] else 1


def _parts(spoken: str) -> Iterable[tuple[str, bool]]:
    """The answer cut where it turns ("nicht das erste, sondern …"), each part with whether it is denied."""
    start = 0
    for turn in [*_TURN.finditer(spoken), None]:
        end = turn.start() if turn else len(spoken)
        part = spoken[start:end].strip()
        # "nicht um die Reha": the denial stands before the word the part was cut at, and reaches over it.
        if (
            turn
            and turn.group() == "um"
            and _DENIED.search(part)
            and part.split()[-1:]
            and _DENIED.fullmatch(part.split()[-1])
        ):
            continue
        start = end
        if part:
            yield part, _DENIED.search(part) is not None


def _scores(part: str, first: Choice, second: Choice) -> tuple[float, float]:
    named = (2.0 * bool(_FIRST.search(part)), 2.0 * bool(_SECOND.search(part)))
    if named[0] != named[1]:
        return named
    fits = [0.0, 0.0]
    for word in _content(part):
        a, b = _fit(word, first), _fit(word, second)
        if a > b:
            fits[0] += a
        elif b > a:
            fits[1] += b
    return fits[0], fits[1]


def _fit(word: str, choice: Choice) -> float:
    """How well `word` names `choice`: what was just spoken weighs more than what merely belongs to it."""
    spoken = max((_alike(word, known) for known in _content(choice.label)), default=0.0)
    belongs = max((_alike(word, known) for words in choice.words for known in _content(words)), default=0.0)
    return max(_SPOKEN * spoken, _BELONGS * belongs)


def _content(text: str) -> set[str]:
    """The words that carry meaning; a word cut in two by the recogniser is found through its parts."""
    return {word for word in plain(text).split() if word not in _EMPTY and len(word) > 1}


def _alike(a: str, b: str) -> float:
    """1 for the same word, less for a shared stem or compound, 0 for different words."""
    if a == b:
        return 1.0
    short, long = sorted((a, b), key=len)
    if len(short) >= _STEM and short in long:
        return 0.8
    shared = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(short))
    return 0.6 if shared >= max(_STEM, 0.6 * len(short)) else 0.0
