"""TF-IDF over words and letters, in plain numpy: the same numbers on every version of every library.

Three blocks, each of Euclidean length 1: pieces of words with their edges (2-5 letters), words and pairs of words, and
runs of 3-6 letters across word borders, which a recogniser that splits compounds cannot disturb. Counts are dampened
(1 + log) and weighted by smoothed inverse document frequency, as in scikit-learn's TfidfVectorizer.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anruflotse.understanding.corpus import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

_EDGED, _RUNS = range(2, 6), range(3, 7)
MAX_LETTERS = 600
"""Longer texts are cut: a caller's 30 s hold about 500 letters, and nobody states a concern later than that."""


def grams(text: str) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """The features of `text` by block; their names start with the block's letter, so that blocks cannot mix."""
    words = plain(text)[:MAX_LETTERS].split()
    edged: Counter[str] = Counter()
    for word in words:
        edged.update(edged_grams(word))
    whole = Counter("w" + word for word in words)
    whole.update("w" + " ".join(pair) for pair in itertools.pairwise(words))
    joined = "".join(words)
    runs = Counter("r" + joined[i : i + n] for n in _RUNS for i in range(len(joined) - n + 1))
    return edged, whole, runs


def edged_grams(word: str) -> Iterator[str]:
    """The pieces of one word, its edges marked by spaces."""
    padded = f" {word} "
    for n in _EDGED:
        if n >= len(padded):
            yield "e" + padded
            return
        for i in range(len(padded) - n + 1):
            yield "e" + padded[i : i + n]


@dataclass(frozen=True, slots=True)
class Vectoriser:
    """Features learnt from a corpus. `weights[i]` is the inverse document frequency of the feature with index i."""

    index: dict[str, int]
    weights: NDArray[np.float32]

    @classmethod
    def learn(cls, texts: Sequence[str], at_least: int = 2) -> Vectoriser:
        """Take every feature that occurs in `at_least` of `texts`."""
        seen: Counter[str] = Counter()
        for text in texts:
            for block in grams(text):
                seen.update(block.keys())
        names = sorted(name for name, count in seen.items() if count >= at_least)
        counts = np.array([seen[name] for name in names], np.float64)
        weights = np.log((1 + len(texts)) / (1 + counts)) + 1
        return cls({name: i for i, name in enumerate(names)}, weights.astype(np.float32))

    def row(self, text: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Indices of the known features in `text` and their values; empty for a text without any."""
        indices: list[int] = []
        values: list[NDArray[np.float32]] = []
        for block in grams(text):
            known = [(self.index[name], count) for name, count in block.items() if name in self.index]
            if not known:
                continue
            at, counts = map(list, zip(*known, strict=True))
            value = (1 + np.log(np.array(counts, np.float32))) * self.weights[at]
            indices += at
            values.append(value / np.linalg.norm(value))
        if not values:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        return np.array(indices, np.int64), np.concatenate(values).astype(np.float32)

    def matrix(self, texts: Sequence[str]) -> csr_matrix:
        """`texts` as a sparse matrix (n, features), for training."""
        from scipy.sparse import csr_matrix  # noqa: PLC0415 - only training needs it

        rows = [self.row(text) for text in texts]
        ends = np.cumsum([0] + [len(indices) for indices, _ in rows])
        return csr_matrix(
            (np.concatenate([v for _, v in rows]), np.concatenate([i for i, _ in rows]), ends),
            (len(texts), len(self.index)),
        )
