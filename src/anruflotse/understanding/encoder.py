"""Sentences to vectors: the seam, and the shipped encoder (fine-tuned multilingual-e5-small, 8 bit, onnxruntime)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from anruflotse.understanding.errors import UnderstandingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHIPPED = Path(__file__).parent / "model" / "encoder"
"""Folder of the encoder that comes with the project: `encoder.onnx`, `tokenizer.json`, `card.json`."""

CARD = "card.json"
PREFIX = "query: "
"""What multilingual-e5 was trained to see before a question."""
MAX_PIECES = 128
"""Longer texts are cut; 600 letters are about 150 pieces."""
_BATCH = 16


class Encoder(Protocol):
    """Sentences to vectors that lie close together when the sentences mean something alike."""

    @property
    def fingerprint(self) -> str:
        """Identifies the very weights: a head trained on one encoder's vectors is meaningless on another's."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors (n, dimensions), one a text. Blocking; may be called from several threads at once."""
        ...


class OnnxEncoder:
    """The shipped encoder. Loading takes about 0.2 s; a sentence a few ms on one core."""

    def __init__(self, folder: Path = SHIPPED) -> None:
        """Load it from `folder`, whose `card.json` holds the files' SHA-256.

        Raises UnderstandingError when a file is missing or is not the one the card describes.
        """
        import onnxruntime  # noqa: PLC0415 - costs 0.1 s, and commands like `train --help` do without
        from tokenizers import Tokenizer  # noqa: PLC0415

        card = read_card(folder)
        files = {name: checked(folder / name, card) for name in ("encoder.onnx", "tokenizer.json")}
        options = onnxruntime.SessionOptions()
        # One thread a sentence: calls run in parallel, and a second thread gains little at 20 word pieces.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(files["encoder.onnx"], options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_str(files["tokenizer.json"].decode())
        self._tokenizer.enable_truncation(MAX_PIECES)
        self._tokenizer.enable_padding(pad_id=1, pad_token="<pad>")  # noqa: S106 - a word piece, no password
        self._fingerprint = str(card["sha256"]["encoder.onnx"])

    @property
    def fingerprint(self) -> str:
        """SHA-256 of `encoder.onnx`."""
        return self._fingerprint

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Mean-pooled vectors (n, 384), not normalised."""
        order = np.argsort([len(text) for text in texts], kind="stable")
        answer = np.empty((len(texts), 384), np.float32)
        for start in range(0, len(texts), _BATCH):
            rows = order[start : start + _BATCH]
            pieces = self._tokenizer.encode_batch([PREFIX + texts[i] for i in rows])
            ids = np.array([piece.ids for piece in pieces], np.int64)
            mask = np.array([piece.attention_mask for piece in pieces], np.int64)
            answer[rows] = self._session.run(None, {"ids": ids, "mask": mask})[0]
        return answer


def read_card(folder: Path) -> dict[str, dict[str, str]]:
    """The folder's `card.json`, which must hold the files' hashes. Raises UnderstandingError."""
    try:
        card = json.loads((folder / CARD).read_bytes())
        if isinstance(card["sha256"], dict):
            return card  # type: ignore[no-any-return]
    except FileNotFoundError as error:
        message = f"the model folder {folder} has no {CARD}. {REMEDY}"
        raise UnderstandingError(message) from error
    except (ValueError, KeyError, TypeError) as error:
        message = f"{folder / CARD} is damaged. {REMEDY}"
        raise UnderstandingError(message) from error
    message = f"{folder / CARD} is damaged. {REMEDY}"
    raise UnderstandingError(message)


def checked(file: Path, card: dict[str, dict[str, str]]) -> bytes:
    """The bytes of `file`, if they are the ones whose SHA-256 `card` holds. Raises UnderstandingError."""
    try:
        data = file.read_bytes()
    except OSError as error:
        message = f"the model file {file} cannot be read ({error.strerror}). {REMEDY}"
        raise UnderstandingError(message) from error
    if hashlib.sha256(data).hexdigest() != card["sha256"].get(file.name):
        message = f"the model file {file} is damaged: it is not the one its {CARD} describes. {REMEDY}"
        raise UnderstandingError(message)
    return data


REMEDY = "If it came with anruflotse, install it again; if you trained it, delete its folder and run `anruflotse train`"
