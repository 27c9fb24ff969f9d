"""Two concerns in one utterance: "ich will meinen Mann mitversichern, und dann noch die neue Karte".

The call goes to the first-named one, the second is handed over by name. A false second concern would mislead whoever
takes the call, so a conjunction alone proves nothing ("ich bin umgezogen und brauche eine neue Karte"): both sides must
be clear for themselves, the whole must show both, and in a longer story a word must say that something is added. What
that finds and misses is measured in docs/understanding.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from anruflotse.understanding.classifier import SPECIAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anruflotse.understanding.seams import Ranked, Ranking

_JOINS = re.compile(
    r"(?:[,.;:?!]+\s*)?\b(?:und|u|un|sowie|au(?:ß|ss)erdem|zweitens|zum anderen|danach|zusätzlich|nebenbei|obendrein"
    r"|plus|ach)\b"
    r"(?:\s+(?:dann|denn|noch|auch|danach|zweitens|zum anderen|au(?:ß|ss)erdem|nebenbei|gleich"
    r"|wegen|im übrigen|da|ja))*",
    re.IGNORECASE,
)
"""Where one clause may end and another begin."""
_ADDS_IN_JOIN = re.compile(
    r"\b(?:noch|auch|danach|zweitens|zum anderen|au(?:ß|ss)erdem|nebenbei|gleich|zusätzlich|obendrein|plus|dann|denn"
    r"|wegen|im übrigen|sowie|ach)\b",
    re.IGNORECASE,
)
_ADDS = re.compile(
    r"\b(?:auch|ooch|och|noch|au(?:ß|ss)erdem|zweitens|danach|gleich|nebenbei|obendrein|zusätzlich|ebenfalls"
    r"|gleichzeitig|zugleich|ach ja|übrigens|dazu)\b",
    re.IGNORECASE,
)
_MOST_JOINS = 4
_SHORT, _BEGINNING = 12, 12
"""Words: an utterance so short tells no story; in so many of the second clause a word may say that it adds."""
_FEWEST_WORDS = 2
_FIRST, _SECOND = 0.5, 0.6
"""How likely a clause's concern must be, where something is said to be added or the utterance is short."""
_FIRST_BARE, _SECOND_BARE, _WHOLE_BARE = 0.85, 0.9, 0.1
"""The same in a story; and how likely either must still be in the whole."""
_WHOLE_FIRST, _WHOLE_BOTH = 0.03, 0.85
"""How likely the first must be in the whole, and both together."""
_SPECIAL = frozenset(SPECIAL)


def two_concerns(text: str, ranking: Ranking, rank: Callable[[str], Ranking]) -> tuple[Ranked, Ranked] | None:
    """The concern named first in `text` and the one named after it, as their clauses have it; None for all others.

    `ranking` is that of the whole text; `rank` is asked about at most eight clauses, and of most texts about none.
    """
    whole = {ranked.concern: ranked.probability for ranked in ranking.concerns}
    best: tuple[Ranked, Ranked] | None = None
    for before, after, adds in _clauses(text):
        first, second = rank(before).concerns[0], rank(after).concerns[0]
        if first.concern == second.concern or {first.concern, second.concern} & _SPECIAL:
            continue
        in_whole = whole.get(first.concern, 0.0), whole.get(second.concern, 0.0)
        if not _clear(first.probability, second.probability, in_whole, adds=adds):
            continue
        if best is None or _weaker(first, second) > _weaker(*best):
            best = first, second
    return best


def _clauses(text: str) -> Iterator[tuple[str, str, bool]]:
    """What stands before and after each join, and whether something is said to be added there."""
    short = len(text.split()) <= _SHORT
    joins = [
        (join, text[: join.start()], text[join.end() :])
        for join in _JOINS.finditer(text)
        if text[: join.start()].split() and len(text[join.end() :].split()) >= _FEWEST_WORDS
    ]
    for join, before, after in joins[:_MOST_JOINS]:
        beginning = " ".join(after.split()[:_BEGINNING])
        yield before, after, bool(short or _ADDS_IN_JOIN.search(join[0]) or _ADDS.search(beginning))


def _clear(first: float, second: float, whole: tuple[float, float], *, adds: bool) -> bool:
    if sum(whole) < _WHOLE_BOTH or whole[0] < _WHOLE_FIRST:
        return False
    if adds:
        return first >= _FIRST and second >= _SECOND
    return first >= _FIRST_BARE and second >= _SECOND_BARE and min(whole) >= _WHOLE_BARE


def _weaker(first: Ranked, second: Ranked) -> float:
    return min(first.probability, second.probability)
