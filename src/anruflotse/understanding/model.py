"""What training leaves behind: the two heads and their file format (npz and JSON, hash-checked, no pickles)."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anruflotse.understanding import examples as learnt
from anruflotse.understanding.encoder import CARD, REMEDY, checked, read_card
from anruflotse.understanding.errors import UnderstandingError
from anruflotse.understanding.features import Vectoriser

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anruflotse.understanding.examples import Examples

SHIPPED = Path(__file__).parent / "model" / "heads"
"""Folder of the heads that come with the project."""

_ARRAYS = "heads.npz"


@dataclass(frozen=True, slots=True)
class Model:
    """Both heads. `words` (features, concerns) with `words_bias`; `sense` (dimensions, concerns) with `sense_bias`.

    A sentence's vector is shifted by `centre` and divided by `scale` before it meets `sense`. `share` is the weight of
    the encoder's head in the geometric fusion, `temperature` what the fused log-probabilities are divided by.
    """

    version: str
    encoder: str
    concerns: tuple[str, ...]
    vectoriser: Vectoriser = field(repr=False)
    words: NDArray[np.float16] = field(repr=False)
    words_bias: NDArray[np.float32] = field(repr=False)
    sense: NDArray[np.float32] = field(repr=False)
    sense_bias: NDArray[np.float32] = field(repr=False)
    centre: NDArray[np.float32] = field(repr=False)
    scale: float
    share: float
    temperature: float
    lines: int
    figures: dict[str, dict[str, float]] = field(default_factory=dict, repr=False)
    """Cross-validated recall by concern (`{"krankengeld": {"n": 99, "recall": 0.9}}`)."""
    examples: Examples | None = field(default=None, repr=False)
    """What it has learnt from, for explanations; models of earlier versions have none."""

    def log_words(self, text: str) -> NDArray[np.float32]:
        """Log-probabilities of the words' head for `text`."""
        indices, values = self.vectoriser.row(text)
        return log_softmax(values @ self.words[indices].astype(np.float32) + self.words_bias)

    def log_sense(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-probabilities (n, concerns) of the encoder's head for vectors (n, dimensions)."""
        return log_softmax((vectors - self.centre) / self.scale @ self.sense + self.sense_bias)


def fuse(
    log_words: NDArray[np.float32], log_sense: NDArray[np.float32], share: float, temperature: float
) -> NDArray[np.float32]:
    """The calibrated log-probabilities of both heads together (geometric mean, weighted)."""
    return log_softmax(((1 - share) * log_words + share * log_sense) / temperature)


def log_softmax(scores: NDArray[Any]) -> NDArray[np.float32]:
    """`scores` (…, classes) as log-probabilities."""
    shifted = scores - scores.max(-1, keepdims=True)
    answer: NDArray[np.float32] = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return answer


def save(model: Model, folder: Path) -> None:
    """Write `model` to `folder`, which appears complete or not at all. Raises UnderstandingError when it cannot."""
    names = sorted(model.vectoriser.index, key=model.vectoriser.index.__getitem__)
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        features=np.frombuffer("\n".join(names).encode(), np.uint8),
        idf=model.vectoriser.weights,
        words=model.words,
        words_bias=model.words_bias,
        sense=model.sense,
        sense_bias=model.sense_bias,
        centre=model.centre,
    )
    files = {_ARRAYS: packed.getvalue()}
    if model.examples is not None:
        files[learnt.FILE] = learnt.pack(model.examples)
    card = {
        "version": model.version, "encoder": model.encoder, "concerns": model.concerns, "scale": model.scale,
        "share": model.share, "temperature": model.temperature, "lines": model.lines, "figures": model.figures,
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }  # fmt: skip
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as room:
            fresh = Path(room) / "model"
            fresh.mkdir()
            for name, data in files.items():
                (fresh / name).write_bytes(data)
            (fresh / CARD).write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            if folder.exists():
                shutil.rmtree(folder)
            fresh.replace(folder)
    except OSError as error:
        message = f"the model cannot be written to {folder} ({error.strerror}). Check space and permissions"
        raise UnderstandingError(message) from error


def load(folder: Path = SHIPPED) -> Model:
    """Read the model in `folder`. Raises UnderstandingError when it is missing, damaged or of another format."""
    card = read_card(folder)
    data = checked(folder / _ARRAYS, card)
    examples = learnt.unpack(checked(folder / learnt.FILE, card)) if learnt.FILE in card["sha256"] else None
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            names = arrays["features"].tobytes().decode().split("\n")
            model = Model(
                version=str(card["version"]), encoder=str(card["encoder"]), concerns=tuple(card["concerns"]),
                vectoriser=Vectoriser({name: i for i, name in enumerate(names)}, arrays["idf"]),
                words=arrays["words"], words_bias=arrays["words_bias"],
                sense=arrays["sense"], sense_bias=arrays["sense_bias"], centre=arrays["centre"],
                scale=float(card["scale"]),  # type: ignore[arg-type]
                share=float(card["share"]), temperature=float(card["temperature"]),  # type: ignore[arg-type]
                lines=int(card["lines"]), figures=card.get("figures", {}),  # type: ignore[call-overload, arg-type]
                examples=examples,
            )  # fmt: skip
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        message = f"the model in {folder} is of another format. {REMEDY}"
        raise UnderstandingError(message) from error
    if model.words.shape != (len(names), len(model.concerns)) or len(model.words_bias) != len(model.concerns):
        message = f"the model in {folder} contradicts itself. {REMEDY}"
        raise UnderstandingError(message)
    return model
