from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from anruflotse.understanding import classifier, model, training
from anruflotse.understanding.classifier import Fused
from anruflotse.understanding.errors import UnderstandingError
from anruflotse.understanding.model import Model
from tests.understanding.toys import DEPARTMENTS, ToyEncoder, lines


def test_ranks_every_concern_and_probabilities_sum_to_one(toy: Fused) -> None:
    ranking = toy.rank("Es geht um meine Krone beim Zahnarzt")
    assert ranking.concerns[0].concern == "zahn"
    assert ranking.concerns[0].department == "leistungen"
    assert {r.concern for r in ranking.concerns} == {
        *DEPARTMENTS,
        "ausserhalb",
        "mitarbeiter",
        "notfall",
        "aufzeichnung",
    }
    assert sum(r.probability for r in ranking.concerns) == pytest.approx(1)
    probabilities = [r.probability for r in ranking.concerns]
    assert probabilities == sorted(probabilities, reverse=True)


def test_names_the_words_that_spoke_for_the_first(toy: Fused) -> None:
    assert toy.rank("Ich habe eine Frage zu dem Pflegegrad").evidence[0] == "pflegegrad"


def test_evidence_is_not_shown_in_a_repr(toy: Fused) -> None:
    assert "pflegegrad" not in repr(toy.rank("Ich habe eine Frage zu dem Pflegegrad"))


def test_an_operators_keyword_speaks_for_its_concern(toy_model: Model) -> None:
    text = "Es geht um meine Schnabeltasse"
    without = Fused(toy_model, ToyEncoder(), DEPARTMENTS).rank(text)
    given_word = Fused(toy_model, ToyEncoder(), DEPARTMENTS, {"pflege": ["Schnabeltasse"]}).rank(text)
    before = next(r.probability for r in without.concerns if r.concern == "pflege")
    after = next(r.probability for r in given_word.concerns if r.concern == "pflege")
    assert after > before * 1.5
    assert given_word.concerns[0].concern != "pflege" or given_word.evidence[0] == "schnabeltasse"


def test_a_keyword_counts_as_a_whole_word_only(toy_model: Model) -> None:
    with_word = Fused(toy_model, ToyEncoder(), DEPARTMENTS, {"pflege": ["Tasse"]})
    text = "Es geht um meine Schnabeltasse"
    assert with_word.rank(text) == Fused(toy_model, ToyEncoder(), DEPARTMENTS).rank(text)


@pytest.mark.parametrize("text", ["", "  ", "...!?", "🙂🙂"])
def test_without_a_word_it_is_out_of_scope(toy: Fused, text: str) -> None:
    first = toy.rank(text).concerns[0]
    assert (first.concern, first.probability) == ("ausserhalb", 1.0)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=900))
def test_any_text_is_ranked(toy_model: Model, text: str) -> None:
    ranking = Fused(toy_model, ToyEncoder(), DEPARTMENTS).rank(text)
    assert sum(r.probability for r in ranking.concerns) == pytest.approx(1)


def test_a_very_long_text_counts_by_its_start(toy: Fused) -> None:
    start = "Es geht um den Pflegegrad. " * 30
    assert toy.rank(start + "Pizza " * 100_000) == toy.rank(start + "Zahnarzt " * 100_000)


def test_is_the_same_from_many_threads(toy: Fused) -> None:
    texts = [f"Es geht um {word}" for word in ("die Karte", "den Zahnersatz", "die Pflege", "eine Pizza")] * 10
    alone = [toy.rank(text) for text in texts]
    together: dict[int, object] = {}
    threads = [threading.Thread(target=lambda i=i: together.update({i: toy.rank(texts[i])})) for i in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[i] for i in range(len(texts))] == alone


def test_a_concern_without_training_is_warned_about_and_gets_nothing(toy_model: Model) -> None:
    with capture_logs() as logs:
        fused = Fused(toy_model, ToyEncoder(), DEPARTMENTS | {"neu": "service"})
    assert "neu" in logs[0]["concerns"]
    assert next(r.probability for r in fused.rank("Karte").concerns if r.concern == "neu") == 0


def test_a_concern_that_left_the_catalogue_is_never_ranked(toy_model: Model) -> None:
    ranking = Fused(toy_model, ToyEncoder(), {"zahn": "leistungen"}).rank("Ich habe eine Frage zu dem Pflegegrad")
    assert "pflege" not in {r.concern for r in ranking.concerns}
    assert sum(r.probability for r in ranking.concerns) == pytest.approx(1)


def test_refuses_a_model_of_another_encoder(toy_model: Model) -> None:
    with pytest.raises(UnderstandingError, match="anruflotse train"):
        Fused(replace(toy_model, encoder="other"), ToyEncoder(), DEPARTMENTS)


def test_refuses_a_model_of_another_catalogue(toy_model: Model) -> None:
    with pytest.raises(UnderstandingError, match="none of the catalogue"):
        Fused(toy_model, ToyEncoder(), {"ganz_anders": "service"})


def test_without_approvals_takes_the_newest_trained_model(toy_model: Model, tmp_path: Path) -> None:
    for version in ("20260101T000000Z", "20260301T000000Z", "20260201T000000Z"):
        model.save(replace(toy_model, version=version), tmp_path / version)
    assert classifier.load(tmp_path, DEPARTMENTS, encoder=ToyEncoder()).model.version == "20260301T000000Z"


def test_takes_the_model_that_is_named(toy_model: Model, tmp_path: Path) -> None:
    model.save(replace(toy_model, version="named"), tmp_path / "elsewhere")
    found = classifier.load(None, DEPARTMENTS, model=tmp_path / "elsewhere", encoder=ToyEncoder())
    assert found.model.version == "named"


def test_does_not_hide_a_damaged_trained_model(toy_model: Model, tmp_path: Path) -> None:
    model.save(toy_model, tmp_path / "v1")
    (tmp_path / "v1" / "heads.npz").write_bytes(b"nothing")
    with pytest.raises(UnderstandingError, match="damaged"):
        classifier.load(tmp_path, DEPARTMENTS, encoder=ToyEncoder())


def test_understanding_imports_no_torch_and_no_scikit_learn() -> None:
    program = (
        "import sys; from anruflotse.understanding import classifier, policy\n"
        "fused = classifier.load(None, {'zahnersatz': 'leistungen', 'pflege': 'pflegekasse'})\n"
        "print(fused.rank('Ich brauche eine Krone').concerns[0].concern)\n"
        "print(sorted({'torch', 'sklearn', 'transformers'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.split("\n")[:2] == ["zahnersatz", "[]"]


def test_a_word_against_a_concern_takes_what_a_keyword_gives(toy_model: Model) -> None:
    text = "Ich habe eine Frage zu dem Pflegegrad"

    def odds(**words: dict[str, tuple[str, ...]]) -> float:
        found = Fused(toy_model, ToyEncoder(), DEPARTMENTS, words.get("keywords"), against=words.get("against"))
        ranking = found.rank(text)
        share = next(r.probability for r in ranking.concerns if r.concern == "pflege")
        return float(np.log(share / (1 - share)))

    word: dict[str, tuple[str, ...]] = {"pflege": ("pflegegrad",)}
    assert odds(keywords=word) - odds() == pytest.approx(classifier.KEYWORD_BONUS)
    assert odds() - odds(against=word) == pytest.approx(classifier.KEYWORD_BONUS)
    assert odds(against={"pflege": ("pflege",)}) == pytest.approx(odds())  # whole words only
    assert odds(keywords=word, against=word) == pytest.approx(odds())


def test_the_words_against_are_among_the_grounds(toy_model: Model) -> None:
    fused = Fused(toy_model, ToyEncoder(), DEPARTMENTS, against={"karte": ("pflegegrad",)})
    grounds = fused.rank("Es geht um den Pflegegrad").grounds
    assert grounds is not None
    assert [(word.word, word.concern, word.against) for word in grounds.keywords] == [("pflegegrad", "karte", True)]


def test_what_a_concern_that_is_switched_off_would_get_is_out_of_scope(toy_model: Model) -> None:
    text = "Ich habe eine Frage zu dem Pflegegrad"
    on = {r.concern: r.probability for r in Fused(toy_model, ToyEncoder(), DEPARTMENTS).rank(text).concerns}
    fused = Fused(toy_model, ToyEncoder(), DEPARTMENTS, {"pflege": ("pflegegrad",)}, disabled={"pflege"})
    off = {r.concern: r.probability for r in fused.rank(text).concerns}
    assert "pflege" not in off
    assert off["ausserhalb"] == pytest.approx(on["ausserhalb"] + on["pflege"])
    assert off["zahn"] == pytest.approx(on["zahn"])
    assert fused.strange == frozenset()


def test_without_a_class_for_out_of_scope_nothing_can_be_switched_off() -> None:
    some = [line for line in lines() if line.concern != "ausserhalb"]
    vectors = ToyEncoder().encode([line.text for line in some])
    found = training.fit(some, vectors, "toy", training.Recipe(0.5, 0.6))
    with pytest.raises(UnderstandingError, match="switched off"):
        Fused(found, ToyEncoder(), DEPARTMENTS, disabled={"pflege"})
