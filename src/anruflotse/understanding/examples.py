"""The sentences a model has learnt from, with their vectors: what an explanation shows as "said much like it".

They are the shipped corpus, the catalogue's own words and the operator's written sentences; never a caller's words, for
nothing is learnt from those. In the model's folder they are `examples.npz`, 8 bits a number; in memory their directions
have 32, because a product with 8-bit numbers takes numpy three times as long. Who trains anew need not embed them
again.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from anruflotse.understanding.errors import UnderstandingError
from anruflotse.understanding.seams import Neighbour

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from anruflotse.understanding.corpus import Line

FILE = "examples.npz"
NEAREST = 3
"""So many are shown."""
_STEPS = 127
"""A vector's numbers are stored as -127 to 127 times a step of its own: each is off by 2 % of a usual one at most."""


@dataclass(frozen=True, slots=True)
class Rounded:
    """Vectors in 8 bits a number: `numbers` (n, dimensions) times the `steps` (n, 1) of each."""

    numbers: NDArray[np.int8] = field(repr=False)
    steps: NDArray[np.float32] = field(repr=False)

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Rounded:
        """`vectors` (n, dimensions), rounded."""
        largest = np.abs(vectors).max(1, keepdims=True, initial=0.0)
        steps = (np.where(largest > 0, largest, 1) / _STEPS).astype(np.float32)
        return cls(np.rint(vectors / steps).astype(np.int8), steps)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The vectors (n, dimensions)."""
        return self.numbers.astype(np.float32) * self.steps


@dataclass(frozen=True, slots=True)
class Examples:
    """Sentences, their concerns and their vectors (n, dimensions), which `centre` is in the middle of."""

    texts: tuple[str, ...] = field(repr=False)
    concerns: tuple[str, ...] = field(repr=False)
    rounded: Rounded = field(repr=False)
    centre: NDArray[np.float32] = field(repr=False)
    whole: bool = True
    """False for those of models before November 2026, which kept the directions only."""
    directions: NDArray[np.float32] = field(init=False, repr=False, compare=False)
    """The vectors as seen from `centre`, each of length 1."""

    def __post_init__(self) -> None:
        """Find the directions once."""
        object.__setattr__(self, "directions", directions(self.rounded.vectors, self.centre))

    def nearest(self, direction: NDArray[np.float32], number: int = NEAREST) -> tuple[Neighbour, ...]:
        """The `number` sentences most like `direction`, the likest first; a sentence that is there twice only once."""
        alike = self.directions @ direction
        few = min(4 * number, len(alike))
        best = np.argpartition(-alike, few - 1)[:few] if few else np.empty(0, np.int64)
        found: dict[str, Neighbour] = {}
        for i in map(int, best[np.lexsort((best, -alike[best]))]):
            found.setdefault(self.texts[i], Neighbour(self.texts[i], self.concerns[i], float(alike[i])))
        return tuple(found.values())[:number]


def gather(lines: Sequence[Line], vectors: NDArray[np.float32], centre: NDArray[np.float32]) -> Examples:
    """The `lines` with the encoder's `vectors` (n, dimensions) of them, seen from `centre`."""
    # As they will be when they were stored: whoever opens the model finds the same neighbours.
    texts, concerns = tuple(line.text for line in lines), tuple(line.concern for line in lines)
    return Examples(texts, concerns, Rounded.of(vectors), centre)


def directions(vectors: NDArray[np.float32], centre: NDArray[np.float32]) -> NDArray[np.float32]:
    """`vectors` (n, dimensions) as seen from `centre`, each of length 1; one at the centre stays 0."""
    shifted = vectors - centre
    lengths = np.linalg.norm(shifted, axis=1, keepdims=True)
    answer: NDArray[np.float32] = (shifted / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return answer


def pack(examples: Examples) -> bytes:
    """The contents of `examples.npz`."""
    packed = io.BytesIO()
    told = json.dumps([examples.texts, examples.concerns], ensure_ascii=False).encode()
    np.savez_compressed(
        packed,
        told=np.frombuffer(told, np.uint8),
        numbers=examples.rounded.numbers,
        steps=examples.rounded.steps,
        centre=examples.centre,
    )
    return packed.getvalue()


def unpack(data: bytes) -> Examples:
    """The examples in `data`. Raises UnderstandingError when it is of another format or contradicts itself."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            texts, concerns = json.loads(arrays["told"].tobytes())
            whole = "directions" not in arrays
            numbers = arrays["numbers" if whole else "directions"]
            steps = arrays["steps"] if whole else np.full((len(numbers), 1), 1 / _STEPS, np.float32)
            centre = arrays["centre"] if whole else np.zeros(numbers.shape[-1:], np.float32)
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        message = f"{FILE} is of another format. Run `anruflotse train`"
        raise UnderstandingError(message) from error
    fitting = numbers.ndim == 2 and steps.shape == (len(numbers), 1) and centre.shape == numbers.shape[1:]  # noqa: PLR2004
    if not fitting or not len(texts) == len(concerns) == len(numbers):
        message = f"{FILE} contradicts itself. Run `anruflotse train`"
        raise UnderstandingError(message)
    return Examples(tuple(texts), tuple(concerns), Rounded(numbers, steps), centre, whole)
