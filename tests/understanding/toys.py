"""A small encoder and corpus, so that training is tested in a second."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anruflotse.understanding.corpus import Line, plain

DEPARTMENTS = {"karte": "service", "adresse": "service", "zahn": "leistungen", "pflege": "pflegekasse"}

_STARTS = (
    "Ich habe eine Frage zu",
    "Es geht um",
    "Guten Tag, ich rufe an wegen",
    "Bitte helfen Sie mir mit",
    "Hallo, was ist mit",
    "Meine Mutter fragt nach",
    "Können Sie mir etwas sagen über",
)
_WORDS = {
    "karte": ("meiner Karte", "der Gesundheitskarte", "dem Chip der Karte"),
    "adresse": ("meiner Adresse", "dem Umzug", "der neuen Anschrift"),
    "zahn": ("dem Zahnersatz", "meiner Krone", "dem Zahnarzt"),
    "pflege": ("dem Pflegegrad", "der Pflege", "dem Pflegegeld"),
    "ausserhalb": ("dem Wetter", "einer Pizza", "dem Zug nach Fulda"),
}


class ToyEncoder:
    """Each word is a fixed random direction, a sentence the mean of its words: meaning enough for toys."""

    fingerprint = "toy"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = [[self._word(word) for word in plain(text).split()] or [np.zeros(24)] for text in texts]
        return np.stack([np.mean(row, 0) for row in rows]).astype(np.float32)

    @staticmethod
    def _word(word: str) -> NDArray[np.float64]:
        return np.random.default_rng(zlib.crc32(word.encode())).normal(size=24)


def lines() -> list[Line]:
    """105 sentences about five concerns."""
    return [
        Line(f"{start} {word}", concern) for concern, words in _WORDS.items() for word in words for start in _STARTS
    ]
