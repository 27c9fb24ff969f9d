"""When a second opinion is asked for, and what it may change."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.understanding.advising import NONE, TRUST, Advised, advised, alarming
from anruflotse.understanding.errors import UnderstandingError
from anruflotse.understanding.policy import Policy, Thresholds
from anruflotse.understanding.seams import DecisionKind, Grounds, Option, Ranked, Ranking

T = Thresholds(route=0.8, confirm=0.45, choose=0.6, second=0.15, outside=0.45, likely=0.3, likely_wish=0.3, sure=0.9)
CLASSES = {
    "karte": "service",
    "adresse": "service",
    "zahn": "leistungen",
    "hilfsmittel": "leistungen",
    "pflege": "pflegekasse",
    "beitritt": "mitgliedschaft",
    "ausserhalb": "ausserhalb",
    "mitarbeiter": "mensch",
    "notfall": "notfall",
    "aufzeichnung": "aufzeichnung_aus",
}
OPTIONS = {key: Option(key, key.title(), f"alles über {key}") for key in list(CLASSES)[:6]}


def ranked(**probabilities: float) -> Ranking:
    """These probabilities; what is missing to 1 is spread evenly over the rest."""
    rest = [concern for concern in CLASSES if concern not in probabilities]
    all_of_it = probabilities | {concern: (1 - sum(probabilities.values())) / len(rest) for concern in rest}
    lines = (Ranked(concern, CLASSES[concern], probability) for concern, probability in all_of_it.items())
    return Ranking(tuple(sorted(lines, key=lambda one: -one.probability)), ("wort",), Grounds("v1"))


class Local:
    processor: None = None

    def __init__(self, ranking: Ranking) -> None:
        self.ranking = ranking

    def rank(self, text: str) -> Ranking:
        assert text
        return self.ranking


class Oracle:
    """An adviser that answers with what the test wants, and remembers what it was asked."""

    processor: None = None
    ready = True

    def __init__(self, answer: str | Exception | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, list[str]]] = []

    def choose(self, text: str, options: Sequence[Option]) -> str | None:
        self.asked.append((text, [option.concern for option in options]))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


UNSURE = ranked(zahn=0.5, pflege=0.3, karte=0.1, ausserhalb=0.05)
SAID = "es geht um das mit dem Antrag"


def after(ranking: Ranking, oracle: Oracle, text: str = SAID) -> Ranking:
    return Advised(Local(ranking), oracle, OPTIONS, T).rank(text)


def probability(ranking: Ranking, concern: str) -> float:
    return next(one.probability for one in ranking.concerns if one.concern == concern)


def test_it_is_asked_about_the_five_likeliest_concerns_of_departments() -> None:
    oracle = Oracle("zahn")
    after(UNSURE, oracle)
    assert oracle.asked == [(SAID, ["zahn", "pflege", "karte", "adresse", "hilfsmittel"])]


def test_an_opinion_that_agrees_may_route() -> None:
    assert Policy(T).among(UNSURE).kind is not DecisionKind.ROUTE
    ranking = after(UNSURE, Oracle("zahn"))
    decision = Policy(T).among(ranking)
    assert (decision.kind, decision.concerns[0].concern) == (DecisionKind.ROUTE, "zahn")
    assert ranking.evidence == ("wort",)
    assert ranking.grounds == Grounds("v1", opinion="zahn")


def test_an_opinion_that_differs_alone_never_routes() -> None:
    ranking = after(UNSURE, Oracle("pflege"))
    decision = Policy(T).among(ranking)
    assert (decision.kind, decision.concerns[0].concern) == (DecisionKind.CONFIRM, "pflege")
    assert ranking.evidence == ()  # those words spoke for another concern


def test_none_of_them_and_no_opinion_change_no_probability() -> None:
    nothing = after(UNSURE, Oracle(NONE))
    assert nothing.concerns == UNSURE.concerns
    assert nothing.grounds is not None
    assert nothing.grounds.opinion == NONE
    assert after(UNSURE, Oracle(None)) is UNSURE
    assert after(UNSURE, Oracle(UnderstandingError("down"))) is UNSURE


def test_what_is_out_of_scope_stays_so_likely() -> None:
    doubtful = ranked(zahn=0.4, ausserhalb=0.39, pflege=0.1)
    ranking = after(doubtful, Oracle("zahn"))
    assert probability(ranking, "ausserhalb") == 0.39
    assert Policy(T).among(ranking).kind is not DecisionKind.ROUTE


@pytest.mark.parametrize(
    "ranking",
    [
        ranked(zahn=0.85),
        ranked(karte=0.5, adresse=0.35),  # one department together
        ranked(ausserhalb=0.4, zahn=0.35),
        ranked(zahn=0.5, ausserhalb=0.46),
        ranked(zahn=0.4, notfall=0.35),
        ranked(zahn=0.4, aufzeichnung=0.35),
        ranked(zahn=0.4, mitarbeiter=0.35),
        ranked(mitarbeiter=0.28, zahn=0.2),
    ],
)
def test_where_it_could_not_help_it_is_not_asked(ranking: Ranking) -> None:
    oracle = Oracle("pflege")
    assert after(ranking, oracle) is ranking
    assert oracle.asked == []


@pytest.mark.parametrize(
    "text",
    [
        "Hilfe, mein Mann bekommt keine Luft mehr",
        "ich will nicht mehr leben",
        "ich widerspreche der Aufzeichnung",
        "Widerspruch",
        "wird das hier aufgezeichnet",
        "ich will mit einem Menschen sprechen",
        "Mitarbeiter",
        "ja",
        "nein",
        "wie bitte",
    ],
)
def test_alarms_and_bare_answers_are_never_given_away(text: str) -> None:
    oracle = Oracle("pflege")
    assert after(UNSURE, oracle, text) is UNSURE
    assert oracle.asked == []


def test_alarming_is_what_may_be_an_alarm() -> None:
    assert alarming("Mitarbeiter")
    assert not alarming("ja")
    assert not alarming("ich habe eine Frage zum Zahnersatz")


def test_one_that_is_paused_is_not_asked() -> None:
    oracle = Oracle("pflege")
    oracle.ready = False
    assert after(UNSURE, oracle) is UNSURE
    assert oracle.asked == []


def test_a_single_concern_is_no_choice() -> None:
    oracle = Oracle("zahn")
    only = {"zahn": OPTIONS["zahn"]}
    assert Advised(Local(UNSURE), oracle, only, T).rank(SAID) is UNSURE
    assert oracle.asked == []


def test_the_weight_is_bayes_rule() -> None:
    ranking = advised(ranked(zahn=0.5, pflege=0.3), ["zahn", "pflege"], "zahn", route=1.0)
    expected = 0.8 * 0.5 * TRUST / (0.5 * TRUST + 0.3 * (1 - TRUST))
    assert probability(ranking, "zahn") == pytest.approx(expected)


@given(
    st.lists(st.floats(0.001, 1), min_size=len(CLASSES), max_size=len(CLASSES)),
    st.sampled_from([*OPTIONS, NONE]),
)
def test_whatever_the_opinion_it_only_moves_weight_among_its_options_and_alone_routes_nobody(
    weights: list[float], chosen: str
) -> None:
    total = sum(weights)
    before = ranked(**{concern: weight / total for concern, weight in zip(CLASSES, weights, strict=True)})
    oracle = Oracle(chosen)
    ranking = after(before, oracle)
    options = oracle.asked[0][1] if oracle.asked else []
    if chosen not in options:
        assert ranking.concerns == before.concerns
        return
    assert sum(one.probability for one in ranking.concerns) == pytest.approx(1)
    for concern in CLASSES.keys() - set(options):
        assert probability(ranking, concern) == probability(before, concern)
    assert probability(ranking, chosen) >= probability(before, chosen) - 1e-9
    decided, locally = Policy(T).among(ranking), Policy(T).among(before)
    if decided.kind is DecisionKind.ROUTE:
        masses: dict[str, float] = {}
        for one in before.concerns:
            masses[one.department] = masses.get(one.department, 0) + one.probability
        assert locally.kind is not DecisionKind.ROUTE
        assert decided.concerns[0].department == max(masses, key=masses.__getitem__)
