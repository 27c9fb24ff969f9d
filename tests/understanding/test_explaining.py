"""Why it decided so: what an explanation holds, and that it tells what happened."""

from __future__ import annotations

import dataclasses
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from anruflotse.understanding import classifier, examples, training
from anruflotse.understanding import model as models
from anruflotse.understanding.corpus import Line
from anruflotse.understanding.encoder import CARD
from anruflotse.understanding.errors import UnderstandingError
from anruflotse.understanding.examples import Examples
from anruflotse.understanding.explaining import Explanation, explained, for_people
from anruflotse.understanding.model import Model
from anruflotse.understanding.policy import Policy, Thresholds
from anruflotse.understanding.seams import Keyword, Neighbour, Ranked, Ranking
from anruflotse.understanding.training import Remembering
from tests.understanding.toys import DEPARTMENTS, ToyEncoder, lines

POLICY = Policy(Thresholds())
IDENTITY = examples.Rounded.of(np.eye(4, dtype=np.float32))


@pytest.fixture(scope="module")
def learnt(toy_model: Model) -> Model:
    vectors = ToyEncoder().encode([line.text for line in lines()])
    return replace(toy_model, version="v7", examples=examples.gather(lines(), vectors, toy_model.centre))


def explain(model: Model, text: str, **words: dict[str, list[str]]) -> Explanation:
    ranks = classifier.Fused(model, ToyEncoder(), DEPARTMENTS, **words)
    ranking = ranks.rank(text)
    explanation = explained(text, ranking, POLICY.decide(text, ranking), POLICY.thresholds).explanation
    assert explanation is not None
    return explanation


def test_the_nearest_sentences_are_those_learnt_from_likest_first(learnt: Model) -> None:
    found = explain(learnt, "Es geht um dem Zahnersatz").neighbours
    assert len(found) == 3
    assert (found[0].text, found[0].concern) == ("Es geht um dem Zahnersatz", "zahn")
    assert found[0].similarity == pytest.approx(1, abs=0.02)
    assert [one.similarity for one in found] == sorted((one.similarity for one in found), reverse=True)
    assert {one.text for one in found} <= {line.text for line in lines()}


def test_they_are_the_nearest_of_all(learnt: Model) -> None:
    assert learnt.examples is not None
    text = "meiner Mutter und die Krone"
    direction = examples.directions(ToyEncoder().encode([text]), learnt.centre)[0]
    alike = {line.text: float(learnt.examples.directions[i] @ direction) for i, line in enumerate(lines())}
    best = sorted(alike.values(), reverse=True)[:3]
    assert [one.similarity for one in learnt.examples.nearest(direction)] == pytest.approx(best)


def test_training_keeps_what_it_learnt_from(tmp_path: Path) -> None:
    extra = [Line("Zahnersatz und Kronen", "zahn")]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    model = training.train(lines(), extra, ToyEncoder(), training.Recipe(0.5, 0.6), now)
    assert model.examples is not None
    assert model.examples.texts == tuple(line.text for line in [*lines(), *extra])
    models.save(model, tmp_path / "m")
    again = models.load(tmp_path / "m").examples
    assert again is not None
    assert (again.texts, again.concerns) == (model.examples.texts, model.examples.concerns)
    assert np.array_equal(again.directions, model.examples.directions)
    assert again.rounded.vectors == pytest.approx(ToyEncoder().encode(list(again.texts)), abs=0.01)


def test_examples_of_earlier_models_still_explain(learnt: Model, tmp_path: Path) -> None:
    assert learnt.examples is not None
    told = json.dumps([learnt.examples.texts, learnt.examples.concerns]).encode()
    packed = io.BytesIO()
    np.savez(
        packed,
        told=np.frombuffer(told, np.uint8),
        directions=np.rint(learnt.examples.directions * 127).astype(np.int8),
    )
    old = examples.unpack(packed.getvalue())
    assert not old.whole
    text = "meiner Mutter und die Krone"
    direction = examples.directions(ToyEncoder().encode([text]), learnt.centre)[0]
    assert [one.text for one in old.nearest(direction)] == [one.text for one in learnt.examples.nearest(direction)]
    counting = Remembering(ToyEncoder(), tmp_path, replace(learnt, examples=old))
    assert np.array_equal(counting.encode([text]), ToyEncoder().encode([text])), "directions were taken for vectors"


def test_a_model_of_before_has_no_examples_and_still_explains(toy_model: Model, tmp_path: Path) -> None:
    models.save(toy_model, tmp_path / "m")
    explanation = explain(models.load(tmp_path / "m"), "Es geht um meiner Karte")
    assert explanation.neighbours == ()
    assert explanation.model == toy_model.version


def test_damaged_examples_are_named(learnt: Model, tmp_path: Path) -> None:
    models.save(learnt, tmp_path / "m")
    file = tmp_path / "m" / examples.FILE
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(UnderstandingError, match=examples.FILE):
        models.load(tmp_path / "m")


def test_examples_that_contradict_themselves_are_refused(learnt: Model) -> None:
    assert learnt.examples is not None
    torn = replace(learnt.examples, texts=learnt.examples.texts[:-1])
    with pytest.raises(UnderstandingError, match="contradicts"):
        examples.unpack(examples.pack(torn))
    with pytest.raises(UnderstandingError, match="another format"):
        examples.unpack(b"not a zip file")


@pytest.mark.parametrize("number", [0, 1, 2])
def test_fewer_sentences_than_wanted_are_no_error(number: int) -> None:
    rounded = examples.Rounded.of(np.eye(2, dtype=np.float32)[:number])
    few = Examples(("a", "b")[:number], ("x", "y")[:number], rounded, np.zeros(2, np.float32))
    assert [one.text for one in few.nearest(np.array([0.9, 0.1], np.float32))] == ["a", "b"][:number]


def test_a_sentence_that_was_learnt_twice_is_shown_once() -> None:
    twice = Examples(("a", "a", "b", "c"), ("x", "x", "y", "z"), IDENTITY, np.zeros(4, np.float32))
    shown = twice.nearest(np.array([0.9, 0.9, 0.2, 0.1], np.float32))
    assert [one.text for one in shown] == ["a", "b", "c"]


def test_operators_keywords_are_named_with_their_side(learnt: Model) -> None:
    explanation = explain(
        learnt,
        "Plastikkarte mit Krone",
        keywords={"karte": ["Plastikkarte", "Ausweis"]},
        against={"zahn": ["plastikkarte"]},
    )
    assert explanation.keywords == (Keyword("plastikkarte", "karte"), Keyword("plastikkarte", "zahn", against=True))


def ranked(**probabilities: float) -> Ranking:
    departments = {**DEPARTMENTS, **classifier.SPECIAL}
    found = sorted(probabilities.items(), key=lambda item: -item[1])
    return Ranking(tuple(Ranked(concern, departments[concern], p) for concern, p in found))


@pytest.mark.parametrize(
    ("ranking", "zone", "applied"),
    [
        (ranked(karte=0.5, adresse=0.4), "route", {"route": (0.8, 0.9), "outside": (0.45, 0)}),
        (ranked(karte=0.6, ausserhalb=0.2), "confirm", {"confirm": (0.45, 0.6), "route": (0.8, 0.6)}),
        (ranked(karte=0.4, zahn=0.4), "choose", {"choose": (0.6, 0.8), "second": (0.15, 0.4)}),
        (ranked(ausserhalb=0.9), "ask_again", {"outside": (0.45, 0.9), "confirm": (0.45, 0)}),
        (ranked(notfall=0.5, karte=0.3), "safety", {"likely": (0.05, 0.5), "sure": (0.9, 0.5)}),
        (ranked(aufzeichnung=0.5, karte=0.3), "safety", {"likely_wish": (0.15, 0.5), "sure": (0.9, 0.5)}),
    ],
)
def test_the_zone_and_the_thresholds_that_applied(
    ranking: Ranking, zone: str, applied: dict[str, tuple[float, float]]
) -> None:
    explanation = explained("irgendwas", ranking, POLICY.decide("irgendwas", ranking), POLICY.thresholds).explanation
    assert explanation is not None
    assert explanation.zone == zone
    found = {one.name: (one.at, one.found) for one in explanation.applied}
    for name, (at, there) in applied.items():
        assert found[name] == pytest.approx((at, there)), name


@pytest.mark.parametrize(
    ("text", "zone", "part"),
    [
        ("ich widerspreche der Aufzeichnung", "safety", "objection."),
        ("mein Mann bekommt keine Luft", "safety", "emergency."),
        ("ich will einen Mitarbeiter", "safety", "human."),
        ("Widerspruch gegen den Bescheid", "route", "objection."),
    ],
)
def test_the_rule_that_spoke_is_named_also_when_it_held_back(text: str, zone: str, part: str) -> None:
    ranking = ranked(karte=1.0)
    explanation = explained(text, ranking, POLICY.decide(text, ranking), POLICY.thresholds).explanation
    assert explanation is not None
    assert explanation.zone == zone
    assert any(rule.startswith(part) for rule in explanation.rules), explanation.rules


def test_a_decision_is_the_same_with_its_explanation(learnt: Model) -> None:
    ranking = classifier.Fused(learnt, ToyEncoder(), DEPARTMENTS).rank("Es geht um meiner Karte")
    decision = POLICY.decide("Es geht um meiner Karte", ranking)
    assert explained("Es geht um meiner Karte", ranking, decision, POLICY.thresholds) == decision


def test_json_holds_every_field_and_cuts_what_is_long() -> None:
    whole = Explanation("route", neighbours=(Neighbour("a" * 500, "karte", 0.51239),), model="v1")
    told = json.loads(json.dumps(whole.as_json()))
    assert len(told["nearest"][0]["text"]) == 160
    assert told["nearest"][0]["similarity"] == 0.512
    renamed = {"applied": "thresholds", "neighbours": "nearest"}
    assert set(told) == {renamed.get(field.name, field.name) for field in dataclasses.fields(Explanation)}


def test_nothing_that_was_said_shows_in_a_repr(learnt: Model) -> None:
    text = "Plastikkarte Hugendubel"
    ranking = classifier.Fused(learnt, ToyEncoder(), DEPARTMENTS, {"karte": ["Plastikkarte"]}).rank(text)
    decision = explained(text, ranking, POLICY.decide(text, ranking), POLICY.thresholds)
    shown = (repr(ranking) + repr(decision) + repr(decision.explanation) + repr(ranking.grounds)).lower()
    assert "plastikkarte" not in shown
    assert "hugendubel" not in shown


def test_for_people_it_is_lines_with_everything_that_was_found(learnt: Model) -> None:
    told = "\n".join(for_people(explain(learnt, "Plastikkarte", keywords={"karte": ["Plastikkarte"]}).as_json()))
    for part in ("zone ", "keyword for karte: plastikkarte", "like ", "model v7"):
        assert part in told
    assert for_people({}) == ["zone ?: ", "model ?"]  # a record's, of whatever version


def test_the_card_holds_the_hash_of_the_examples(learnt: Model, tmp_path: Path) -> None:
    models.save(learnt, tmp_path / "m")
    assert set(json.loads((tmp_path / "m" / CARD).read_bytes())["sha256"]) == {"heads.npz", examples.FILE}
