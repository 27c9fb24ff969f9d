from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from anruflotse.understanding import training
from anruflotse.understanding.corpus import Line
from anruflotse.understanding.encoder import SHIPPED
from anruflotse.understanding.errors import CorpusError
from anruflotse.understanding.training import Recipe
from tests.understanding.toys import ToyEncoder, lines

NOW = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


def test_learns_names_its_version_and_reports_progress() -> None:
    steps: list[float] = []
    model = training.train(lines(), [], ToyEncoder(), Recipe(0.5, 0.6), NOW, lambda _step, share: steps.append(share))
    assert model.version == "20260303T090000Z"
    assert model.figures["zahn"]["n"] == 21
    assert model.figures["zahn"]["recall"] > 0.7
    assert steps == pytest.approx(sorted(steps))
    assert steps[-1] == 1.0


def test_training_twice_gives_the_same_model() -> None:
    first, second = (training.train(lines(), [], ToyEncoder(), Recipe(0.5, 0.6), NOW) for _ in range(2))
    assert np.array_equal(first.words, second.words)
    assert np.array_equal(first.sense, second.sense)
    assert first.figures == second.figures


def test_learns_a_concern_from_the_catalogue_alone() -> None:
    extra = [Line(word, "reha") for word in ("Reha", "Kur", "Rehasport")]
    model = training.train(lines(), extra, ToyEncoder(), Recipe(0.5, 0.6), NOW)
    assert "reha" in model.concerns
    assert "reha" not in model.figures
    assert model.concerns[int(model.log_words("Rehasport und Kur").argmax())] == "reha"


def test_two_concerns_are_enough() -> None:
    two = [line for line in lines() if line.concern in {"zahn", "pflege"}]
    vectors = ToyEncoder().encode([line.text for line in two])
    model = training.fit(two, vectors, "toy", Recipe(0.5, 1.0))
    assert np.exp(model.log_words("Es geht um die Pflege")).sum() == pytest.approx(1)
    assert model.concerns[int(model.log_words("dem Pflegegrad").argmax())] == "pflege"
    assert model.concerns[int(model.log_sense(ToyEncoder().encode(["dem Pflegegrad"]))[0].argmax())] == "pflege"


def test_says_which_concern_has_too_few_sentences() -> None:
    with pytest.raises(CorpusError, match="more for neu"):
        training.train([*lines(), Line("Etwas Neues", "neu")], [], ToyEncoder(), Recipe(0.5, 1.0), NOW)


def test_nearly_the_same_sentence_never_stands_on_both_sides_of_a_fold() -> None:
    texts = [
        "Meine Karte ist verloren gegangen",
        "meine karte ist verloren gegangen!",
        "Ich brauche eine Haushaltshilfe",
    ]
    texts += [letter * 9 for letter in "abcdefghijklmnop"]
    fold = training.folds(texts)
    assert fold[0] == fold[1]
    assert set(fold.tolist()) == set(range(training.FOLDS))


def test_what_is_alike_is_found_in_any_part_of_a_long_list(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["Karte verloren", "Pflegegrad", "Haushaltshilfe", "karte verloren!", "Zahnersatz", "Pflegegrade"]
    whole = training.alike(texts).tolist()
    monkeypatch.setattr(training, "_ROWS", 2)
    assert training.alike(texts).tolist() == whole == [[0, 3], [1, 5]]
    assert training.alike(texts, 1.0).tolist() == [[0, 3]]


class Counting(ToyEncoder):
    """Counts what it is asked to encode."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        return super().encode(texts)


def test_vectors_are_remembered_and_forgotten_when_nobody_asks(tmp_path: Path) -> None:
    asked = []
    for texts in (["Karte", "Pflege", "Karte"], ["Karte"], ["Karte", "Pflege"]):
        counting = Counting()
        encoder = training.Remembering(counting, tmp_path / "cache")
        assert np.array_equal(encoder.encode(texts), ToyEncoder().encode(texts))
        encoder.store()
        asked.append(counting.asked)
    assert asked == [["Karte", "Pflege"], [], ["Pflege"]]


def test_what_a_model_has_learnt_is_not_embedded_again_and_makes_the_same_model(tmp_path: Path) -> None:
    fresh = training.train(lines(), [], ToyEncoder(), Recipe(0.5, 0.6), NOW)
    counting = Counting()
    encoder = training.Remembering(counting, tmp_path, fresh)
    again = training.train(lines(), [], encoder, Recipe(0.5, 0.6), NOW)
    encoder.store()
    assert counting.asked == []
    assert not list(tmp_path.iterdir()), "stored a second time what the model remembers"
    assert np.array_equal(fresh.sense, again.sense)
    other = training.Remembering(counting, tmp_path, replace(fresh, encoder="another"))
    other.encode(["Es geht um meiner Karte"])
    assert counting.asked == ["Es geht um meiner Karte"]


@pytest.mark.parametrize("content", [b"", b"PK nonsense", b"\x93NUMPY"])
def test_a_damaged_memory_counts_as_none(tmp_path: Path, content: bytes) -> None:
    encoder = training.Remembering(ToyEncoder(), tmp_path)
    encoder.encode(["Karte"])
    encoder.store()
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)
    assert training.Remembering(ToyEncoder(), tmp_path).encode(["Karte"]).shape == (1, 24)


def test_a_model_trained_from_memory_decides_the_same(tmp_path: Path) -> None:
    fresh = training.train(lines(), [], ToyEncoder(), Recipe(0.5, 0.6), NOW)
    for _ in range(2):
        encoder = training.Remembering(ToyEncoder(), tmp_path)
        remembered = training.train(lines(), [], encoder, Recipe(0.5, 0.6), NOW)
        encoder.store()
        assert np.array_equal(fresh.sense, remembered.sense)
        assert np.array_equal(fresh.words, remembered.words)


def test_cross_validation_is_blind_to_the_line_it_examines() -> None:
    """Labels drawn at random cannot be learnt: whoever scores well on them has peeked."""
    chance = np.random.default_rng(3)
    noise = [
        Line("".join(chance.choice(list("abcdefghij ")) for _ in range(40)), chance.choice(["a", "b"]))
        for _ in range(120)
    ]
    vectors: NDArray[np.float32] = chance.normal(size=(120, 8)).astype(np.float32)
    outcome = training.cross_validate(noise, [], vectors, Recipe(0.5, 1.0))
    for answers in (outcome.words, outcome.sense):
        right = np.mean([outcome.concerns[i] == line.concern for i, line in zip(answers.argmax(1), noise, strict=True)])
        assert right < 0.65


def test_the_catalogues_words_become_sentences() -> None:
    found = training.lines_of_catalogue({"reha": "Reha / Kur"}, {"reha": "AHB, Mutter-Kind-Kur, Kinder/Ehepartner"})
    assert [line.text for line in found] == ["Reha", "Kur", "AHB", "Mutter-Kind-Kur", "Kinder", "Ehepartner"]


def test_the_shipped_encoders_card_has_a_recipe() -> None:
    assert 0 < training.read_recipe(SHIPPED).share < 1
