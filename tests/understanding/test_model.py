from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest

from anruflotse.understanding import model
from anruflotse.understanding.errors import UnderstandingError
from anruflotse.understanding.model import Model, fuse


def test_what_is_saved_is_what_is_loaded(toy_model: Model, tmp_path: Path) -> None:
    model.save(toy_model, tmp_path / "v")
    found = model.load(tmp_path / "v")
    assert found.log_words("Es geht um die Pflege").tolist() == toy_model.log_words("Es geht um die Pflege").tolist()
    assert (found.concerns, found.share, found.temperature) == (
        toy_model.concerns,
        toy_model.share,
        toy_model.temperature,
    )
    assert [path.name for path in tmp_path.iterdir()] == ["v"]


def test_a_second_save_replaces_the_first(toy_model: Model, tmp_path: Path) -> None:
    model.save(toy_model, tmp_path / "v")
    model.save(toy_model, tmp_path / "v")
    assert model.load(tmp_path / "v").concerns == toy_model.concerns


@pytest.mark.parametrize("change", ["cut", "bit", "missing", "card", "no card", "card is a list"])
def test_a_damaged_model_is_told_with_a_remedy(toy_model: Model, tmp_path: Path, change: str) -> None:
    folder = tmp_path / "v"
    model.save(toy_model, folder)
    heads, card = folder / "heads.npz", folder / "card.json"
    data = heads.read_bytes()
    match change:
        case "cut":
            heads.write_bytes(data[: len(data) // 2])
        case "bit":
            heads.write_bytes(data[:500] + bytes([data[500] ^ 1]) + data[501:])
        case "missing":
            heads.unlink()
        case "card":
            card.write_text("{")
        case "no card":
            card.unlink()
        case _:
            card.write_text("[]")
    with pytest.raises(UnderstandingError, match=r"anruflotse train"):
        model.load(folder)


def test_arrays_with_pickles_are_refused_although_the_hash_fits(toy_model: Model, tmp_path: Path) -> None:
    folder = tmp_path / "v"
    model.save(toy_model, folder)
    packed = io.BytesIO()
    np.savez(packed, features=np.array([{"a": 1}], dtype=object))
    (folder / "heads.npz").write_bytes(packed.getvalue())
    card = json.loads((folder / "card.json").read_text())
    card["sha256"]["heads.npz"] = hashlib.sha256(packed.getvalue()).hexdigest()
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(UnderstandingError, match="another format"):
        model.load(folder)


def test_a_folder_that_cannot_be_written_is_told(toy_model: Model, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnderstandingError, match="permissions"):
        model.save(toy_model, tmp_path / "file" / "v")


def test_fusion_is_the_weighted_geometric_mean_sharpened_by_the_temperature() -> None:
    words, sense = np.log(np.array([[0.8, 0.2]])), np.log(np.array([[0.5, 0.5]]))
    even = np.exp(fuse(words, sense, 0.5, 1.0))[0]
    assert even[0] / even[1] == pytest.approx(2)
    assert np.exp(fuse(words, sense, 0.0, 1.0))[0] == pytest.approx([0.8, 0.2])
    assert np.exp(fuse(words, sense, 0.0, 0.5))[0][0] == pytest.approx(0.64 / 0.68)
