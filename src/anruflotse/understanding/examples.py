"""The sentences a model has learnt from, with their vectors: what an explanation shows as "said much like it".

They are the shipped corpus, the catalogue's own words and the operator's written sentences; never a caller's words, for
nothing is learnt from those. In the model's folder they are `examples.npz`, 8 bits a number; in memory 32, because a
product with 8-bit numbers takes numpy three times as long.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
"""A direction's numbers lie between -1 and 1 and are stored as -127 to 127: similarities change by less than 0.01."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Sentences, their concerns and their directions (n, dimensions), each of length 1."""

    texts: tuple[str, ...] = field(repr=False)
    concerns: tuple[str, ...] = field(repr=False)
    directions: NDArray[np.float32] = field(repr=False)

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
    rounded = np.rint(directions(vectors, centre) * _STEPS) / _STEPS
    return Examples(
        tuple(line.text for line in lines), tuple(line.concern for line in lines), rounded.astype(np.float32)
    )


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
        directions=np.rint(examples.directions * _STEPS).astype(np.int8),
    )
    return packed.getvalue()


def unpack(data: bytes) -> Examples:
    """The examples in `data`. Raises UnderstandingError when it is of another format or contradicts itself."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            texts, concerns = json.loads(arrays["told"].tobytes())
            stored: NDArray[Any] = arrays["directions"]
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        message = f"{FILE} is of another format. Run `anruflotse train`"
        raise UnderstandingError(message) from error
    if stored.ndim != 2 or not len(texts) == len(concerns) == len(stored):  # noqa: PLR2004 - rows and columns
        message = f"{FILE} contradicts itself. Run `anruflotse train`"
        raise UnderstandingError(message)
    return Examples(tuple(texts), tuple(concerns), stored.astype(np.float32) / np.float32(_STEPS))
