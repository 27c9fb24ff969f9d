from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.understanding.errors import UnderstandingError
from anruflotse.understanding.policy import Policy, Thresholds, measured
from anruflotse.understanding.seams import DecisionKind, Ranked, Ranking

DEPARTMENTS = {
    "karte": "service", "adresse": "service", "zahn": "leistungen", "pflege": "pflegekasse",
    "mitarbeiter": "mensch", "notfall": "notfall", "aufzeichnung": "aufzeichnung_aus", "ausserhalb": "ausserhalb",
}  # fmt: skip
SPECIAL = {"mensch", "notfall", "aufzeichnung_aus", "ausserhalb"}
THRESHOLDS = Thresholds(
    route=0.8, confirm=0.45, choose=0.6, second=0.15, outside=0.45, likely=0.3, likely_wish=0.3, sure=0.9
)
PLAIN = "Ich rufe an wegen etwas"


def ranking(**probabilities: float) -> Ranking:
    rest = (1 - sum(probabilities.values())) / max(1, len(DEPARTMENTS) - len(probabilities))
    ranked = [Ranked(key, department, probabilities.get(key, rest)) for key, department in DEPARTMENTS.items()]
    return Ranking(tuple(sorted(ranked, key=lambda r: -r.probability)))


def decide(text: str = PLAIN, **probabilities: float) -> tuple[DecisionKind, list[str]]:
    decision = Policy(THRESHOLDS).decide(text, ranking(**probabilities))
    return decision.kind, [r.concern for r in decision.concerns]


def test_routes_when_sure() -> None:
    assert decide(zahn=0.9) == (DecisionKind.ROUTE, ["zahn"])


def test_two_concerns_of_one_department_add_up() -> None:
    assert decide(karte=0.5, adresse=0.4) == (DecisionKind.ROUTE, ["karte"])


def test_confirms_when_fairly_sure() -> None:
    assert decide(zahn=0.7) == (DecisionKind.CONFIRM, ["zahn"])


def test_offers_two_when_between_them() -> None:
    assert decide(zahn=0.45, pflege=0.4) == (DecisionKind.CHOOSE, ["zahn", "pflege"])


def test_asks_again_when_unsure() -> None:
    assert decide(zahn=0.3, pflege=0.1, karte=0.1, adresse=0.1) == (DecisionKind.ASK_AGAIN, [])


@pytest.mark.parametrize("outside", [0.45, 0.5, 0.9])
def test_asks_again_when_out_of_scope(outside: float) -> None:
    assert decide(ausserhalb=outside, zahn=(1 - outside) * 0.95) == (DecisionKind.ASK_AGAIN, [])


@pytest.mark.parametrize(
    ("concern", "kind"),
    [
        ("notfall", DecisionKind.EMERGENCY),
        ("aufzeichnung", DecisionKind.OBJECTION),
        ("mitarbeiter", DecisionKind.HUMAN),
    ],
)
def test_the_classifier_alone_may_raise_the_alarm(concern: str, kind: DecisionKind) -> None:
    policy = Policy(THRESHOLDS)
    sure = policy.decide(PLAIN, ranking(**{concern: 0.95}))
    likely = policy.decide(PLAIN, ranking(**{concern: 0.5, "zahn": 0.45}))
    faint = policy.decide(PLAIN, ranking(**{concern: 0.1, "zahn": 0.85}))
    assert (sure.kind, sure.certain) == (kind, True)
    assert (likely.kind, likely.certain) == (kind, False)
    assert faint.kind is DecisionKind.ROUTE


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Ich kriege keine Luft", DecisionKind.EMERGENCY),
        ("Keine Aufnahme", DecisionKind.OBJECTION),
        ("Einen Menschen bitte", DecisionKind.HUMAN),
    ],
)
def test_the_rules_alone_may_raise_the_alarm(text: str, kind: DecisionKind) -> None:
    decision = Policy(THRESHOLDS).decide(text, ranking(zahn=0.99))
    assert (decision.kind, decision.certain, decision.concerns) == (kind, True, ())


def test_an_unsure_rule_is_asked_about_and_made_sure_by_the_classifier() -> None:
    policy = Policy(THRESHOLDS)
    assert not policy.decide("Wird das aufgezeichnet?", ranking(zahn=0.9)).certain
    assert policy.decide("Wird das aufgezeichnet?", ranking(aufzeichnung=0.95)).certain


@pytest.mark.parametrize("text", ["Warum wird das aufgezeichnet?", "Muss das aufgezeichnet werden?"])
def test_a_mere_question_is_asked_about_however_sure_the_classifier_is(text: str) -> None:
    decision = Policy(THRESHOLDS).decide(text, ranking(aufzeichnung=0.99))
    assert (decision.kind, decision.certain) == (DecisionKind.OBJECTION, False)


def test_a_look_alike_is_asked_about_only_if_the_classifier_is_sure() -> None:
    policy, text = Policy(THRESHOLDS), "Widerspruch gegen den Bescheid"
    assert policy.decide(text, ranking(aufzeichnung=0.6, zahn=0.35)).kind is not DecisionKind.OBJECTION
    alarmed = policy.decide(text, ranking(aufzeichnung=0.95))
    assert (alarmed.kind, alarmed.certain) == (DecisionKind.OBJECTION, False)


def test_a_certain_wish_for_a_human_is_not_delayed_by_a_faint_emergency() -> None:
    decision = Policy(THRESHOLDS).decide("Einen Menschen bitte", ranking(mitarbeiter=0.6, notfall=0.35))
    assert (decision.kind, decision.certain) == (DecisionKind.HUMAN, True)


def test_tells_of_suicide() -> None:
    assert Policy(THRESHOLDS).decide("Ich will nicht mehr leben", ranking(zahn=0.9)).suicidal
    assert not Policy(THRESHOLDS).decide("Ich kriege keine Luft", ranking(zahn=0.9)).suicidal


@pytest.mark.parametrize("text", ["ja", "nein", "wie bitte"])
def test_a_bare_answer_is_no_concern(text: str) -> None:
    assert decide(text, zahn=0.99) == (DecisionKind.ASK_AGAIN, [])


def test_a_no_that_goes_on_is_a_concern() -> None:
    assert decide("Nein, es geht um Zahnersatz", zahn=0.99) == (DecisionKind.ROUTE, ["zahn"])


def test_after_a_denied_alarm_only_departments_are_left() -> None:
    assert Policy(THRESHOLDS).among(ranking(notfall=0.05, zahn=0.9)).kind is DecisionKind.ROUTE


@given(
    st.lists(st.floats(0.001, 1), min_size=8, max_size=8),
    st.sampled_from([PLAIN, "", "Zahnersatz", "Widerspruch gegen den Bescheid", "ja", "keine Aufnahme", "Hilfe"]),
)
def test_whatever_the_probabilities_the_decision_makes_sense(weights: list[float], text: str) -> None:
    total = sum(weights)
    shares = {key: weight / total for key, weight in zip(DEPARTMENTS, weights, strict=True)}
    given_ranking = ranking(**shares)
    decision = Policy(THRESHOLDS).decide(text, given_ranking)
    masses: dict[str, float] = {}
    for r in given_ranking.concerns:
        masses[r.department] = masses.get(r.department, 0) + r.probability
    wanted = {DecisionKind.ROUTE: 1, DecisionKind.CONFIRM: 1, DecisionKind.CHOOSE: 2}.get(decision.kind, 0)
    offered = [r.department for r in decision.concerns]
    assert len(offered) == wanted
    assert len(set(offered)) == wanted
    assert not SPECIAL & set(offered)
    if decision.kind is DecisionKind.ROUTE:
        assert masses[offered[0]] >= THRESHOLDS.route
        assert masses["notfall"] < THRESHOLDS.likely
        assert masses["aufzeichnung_aus"] < THRESHOLDS.sure
    if offered:
        assert masses[offered[0]] >= masses["ausserhalb"]
        assert masses[offered[0]] == max(mass for name, mass in masses.items() if name not in SPECIAL)
        assert masses["ausserhalb"] < THRESHOLDS.outside
    if decision.suicidal:
        assert decision.kind is DecisionKind.EMERGENCY
    if not decision.certain:
        assert decision.kind in {DecisionKind.EMERGENCY, DecisionKind.OBJECTION, DecisionKind.HUMAN}


@given(st.floats(0.8, 0.999))
def test_more_certainty_never_asks_more(probability: float) -> None:
    assert decide(zahn=probability) == (DecisionKind.ROUTE, ["zahn"])


@pytest.mark.parametrize("wrong", [{"route": 1.5}, {"confirm": -0.1}, {"route": 0.4}, {"likely": 0.95}])
def test_refuses_thresholds_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(UnderstandingError, match="understanding"):
        Thresholds(**wrong)


def test_measured_thresholds_come_from_the_card_and_the_operator_wins(tmp_path: Path) -> None:
    card = {"sha256": {}, "thresholds": {"route": 0.77, "outside": 0.5}}
    (tmp_path / "card.json").write_text(json.dumps(card))
    found = measured(tmp_path, outside=0.6, confirm=None)
    assert (found.route, found.outside, found.confirm) == (0.77, 0.6, Thresholds().confirm)
