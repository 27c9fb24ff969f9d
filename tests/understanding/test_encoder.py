from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from anruflotse.understanding.encoder import SHIPPED, OnnxEncoder
from anruflotse.understanding.errors import UnderstandingError


@pytest.fixture(scope="module")
def encoder() -> OnnxEncoder:
    return OnnxEncoder()


def test_sentences_that_mean_alike_lie_close(encoder: OnnxEncoder) -> None:
    texts = ["Meine Krankenkassenkarte ist weg", "Ich habe die Versichertenkarte verloren", "Ich bin schwanger"]
    vectors = encoder.encode(texts)
    centred = vectors - encoder.encode(["Guten Tag", "Ich habe eine Frage", "Ich brauche etwas", *texts]).mean(0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[2] + 0.3


def test_a_sentence_has_the_same_vector_alone_and_among_others(encoder: OnnxEncoder) -> None:
    texts = [f"Satz Nummer {i} {'und noch etwas ' * (i % 7)}" for i in range(40)]
    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    cosine = (together * alone).sum(1) / np.linalg.norm(together, axis=1) / np.linalg.norm(alone, axis=1)
    assert together.shape == (40, 384)
    assert cosine.min() > 0.995


@pytest.mark.parametrize("text", ["", "\0", "🙂", "漢字 العربية", "a" * 20_000, "Wort " * 20_000])
def test_any_text_has_a_vector(encoder: OnnxEncoder, text: str) -> None:
    assert np.isfinite(encoder.encode([text])).all()


@pytest.mark.parametrize("name", ["encoder.onnx", "tokenizer.json"])
def test_a_damaged_file_is_told_with_a_remedy(tmp_path: Path, name: str) -> None:
    shutil.copytree(SHIPPED, tmp_path / "e")
    file = tmp_path / "e" / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(UnderstandingError, match=rf"{name} is damaged.*[Ii]nstall"):
        OnnxEncoder(tmp_path / "e")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(json.dumps({"sha256": {}}))
    with pytest.raises(UnderstandingError, match="cannot be read"):
        OnnxEncoder(tmp_path)


def test_the_project_stays_below_its_size() -> None:
    files = [file for file in SHIPPED.parent.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 60e6
