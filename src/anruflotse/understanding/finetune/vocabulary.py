"""Prunes a 250,000-piece multilingual tokenizer to the pieces German needs: a quarter of the encoder's size."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SPECIAL = 4
"""`<s> <pad> </s> <unk>` stay where they are; `<mask>` is not needed."""

_ALWAYS = set("▁ abcdefghijklmnopqrstuvwxyzäöüßABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÜ0123456789.,;:!?-–'\"()/%&+€§")
_ALWAYS |= set("éèêáàâôîçğışñłśćżęąőűåøæ")


def prune(tokenizer: str, texts: Iterable[str], pieces: Sequence[str]) -> tuple[str, list[int]]:
    """A tokenizer that knows only the pieces `texts` are split into (and single letters), and their old ids.

    `tokenizer` is the JSON of the full one, `pieces` the encoder's own list, which must be the same. The answer's
    second half orders the rows of the word embedding: new id -> old id.
    """
    full = Tokenizer.from_str(tokenizer)
    spec = json.loads(tokenizer)
    vocabulary: list[tuple[str, float]] = spec["model"]["vocab"]
    if [piece for piece, _ in vocabulary[:2000]] != list(pieces[:2000]):
        message = "tokenizer and weights disagree about the word pieces: they are not of the same model"
        raise ValueError(message)
    bare = [piece.removeprefix("▁") for piece, _ in vocabulary]
    used = set(range(SPECIAL)) | {i for i, piece in enumerate(bare) if len(piece) <= 1 and set(piece) <= _ALWAYS}
    for encoding in full.encode_batch(list(texts), add_special_tokens=False):
        used.update(encoding.ids)
    keep = sorted(i for i in used if vocabulary[i][0] != "<mask>")
    spec["model"]["vocab"] = [vocabulary[i] for i in keep]
    spec["added_tokens"] = [token for token in spec["added_tokens"] if token["id"] < SPECIAL]
    return json.dumps(spec, ensure_ascii=False, separators=(",", ":")), keep
