"""What a telephone recogniser and a hesitating caller do to a sentence, drawn at random."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Collection

_OPENERS = (
    "ähm",
    "äh",
    "ja",
    "ja hallo",
    "guten tag",
    "also",
    "hallo",
    "ja guten morgen",
    "moin",
    "grüß gott",
    "hören sie",
    "ich hätt da mal eine frage",
    "ich ruf an wegen",
    "ja also",
    "entschuldigung",
)
_FILLERS = ("äh", "ähm", "also", "halt", "ja", "sozusagen", "eben", "ne", "dings")
_CLOSERS = ("bitte", "ne", "ja", "danke", "wissen Sie", "hallo?", "oder?")
_SOUNDALIKES = (
    ("b", "p"),
    ("d", "t"),
    ("g", "k"),
    ("ei", "ai"),
    ("ä", "e"),
    ("v", "f"),
    ("m", "n"),
    ("ck", "k"),
    ("ie", "i"),
    ("ü", "i"),
    ("ö", "e"),
    ("ss", "s"),
    ("tz", "z"),
    ("ch", "sch"),
    ("ll", "l"),
    ("nn", "n"),
    ("mm", "m"),
    ("en ", "n "),
    ("er ", "a "),
    ("e ", " "),
    ("h", ""),
    ("äu", "eu"),
    ("chs", "x"),
    ("dt", "t"),
)
_COMPOUND = 9
"""Letters from which a word is taken to be a compound that a recogniser may split."""


def disturb(text: str, chance: random.Random, words: Collection[str] = ()) -> str:
    """`text` with some random blemishes; `words` tells where a long word may be split into two real ones."""
    steps: list[tuple[float, Callable[[str], str]]] = [
        (0.25, lambda t: f"{chance.choice(_OPENERS)} {t}"),
        (0.12, lambda t: f"{t} {chance.choice(_CLOSERS)}"),
        (0.25, lambda t: _filler(t, chance)),
        (0.25, lambda t: _split(t, chance, words)),
        (0.15, lambda t: _join(t, chance)),
        (0.30, lambda t: _swap(t, chance, chance.randint(1, 3))),
        (0.10, lambda t: _drop_word(t, chance)),
        (0.50, lambda t: re.sub(r"[.,;:!?]", "", t)),
        (0.50, str.lower),
    ]
    for likelihood, step in steps:
        if chance.random() < likelihood:
            text = step(text)
    return text


def _filler(text: str, chance: random.Random) -> str:
    parts = text.split()
    parts.insert(chance.randint(0, len(parts)), chance.choice(_FILLERS))
    return " ".join(parts)


def _split(text: str, chance: random.Random, words: Collection[str]) -> str:
    def halves(word: str) -> str:
        cuts = [i for i in range(4, len(word) - 3) if word[:i].lower() in words and word[i:].lower() in words]
        if not cuts:
            return word
        cut = chance.choice(cuts)
        return f"{word[:cut]} {word[cut:].capitalize() if word[0].isupper() else word[cut:]}"

    return " ".join(halves(word) if len(word) >= _COMPOUND else word for word in text.split())


def _join(text: str, chance: random.Random) -> str:
    parts = text.split()
    if len(parts) < 3:  # noqa: PLR2004 - two words joined would leave one
        return text
    i = chance.randrange(len(parts) - 1)
    return " ".join([*parts[:i], parts[i] + parts[i + 1].lower(), *parts[i + 2 :]])


def _swap(text: str, chance: random.Random, count: int) -> str:
    for _ in range(count):
        a, b = chance.choice(_SOUNDALIKES)
        if b and chance.random() < 0.5:  # noqa: PLR2004 - either direction
            a, b = b, a
        places = [match.start() for match in re.finditer(re.escape(a), text)] if a else []
        if places:
            at = chance.choice(places)
            text = text[:at] + b + text[at + len(a) :]
    return text


def _drop_word(text: str, chance: random.Random) -> str:
    parts = text.split()
    if len(parts) > 4:  # noqa: PLR2004 - shorter ones would lose their sense
        del parts[chance.randrange(len(parts))]
    return " ".join(parts)
