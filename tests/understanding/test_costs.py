from __future__ import annotations

from functools import cache
from random import Random

import pytest

from anruflotse.understanding.corpus import Line
from anruflotse.understanding.costs import Chosen, Demands, Weights, choose_thresholds
from anruflotse.understanding.errors import CorpusError
from anruflotse.understanding.policy import Thresholds
from anruflotse.understanding.seams import Ranked, Ranking

DEPARTMENTS = {"zahn": "leistungen", "pflege": "pflegekasse", "karte": "service", "ausserhalb": "ausserhalb"}
NOTHING = Demands(precision=0.0, routed=0.0, outside=1.0)
PERSONAS = ("p01", "p10", "p12", "p39", "p34", "p14", "p40", "p20")


class Crowd:
    """People whose sentences are ranked with a stated certainty, which is right as often as it says."""

    processor = None

    def __init__(self, n: int = 160) -> None:
        dice = Random(5)
        self.lines: list[Line] = []
        self._rankings: dict[str, Ranking] = {}
        for number in range(n):
            first, *others = dice.sample(list(DEPARTMENTS), len(DEPARTMENTS))
            sure = dice.uniform(0.4, 1.0)
            truth = first if dice.random() < sure else others[0]
            shares = [sure, (1 - sure) * 0.8, (1 - sure) * 0.1, (1 - sure) * 0.1]
            text = f"Satz {number}"
            self.lines.append(Line(text, truth, persona=PERSONAS[number % len(PERSONAS)]))
            ranked = (Ranked(key, DEPARTMENTS[key], share) for key, share in zip((first, *others), shares, strict=True))
            self._rankings[text] = Ranking(tuple(ranked))

    def rank(self, text: str) -> Ranking:
        return self._rankings[text]


CROWD = Crowd()


@cache
def choose(*, weights: Weights | None = None, demands: Demands = NOTHING) -> Chosen:
    return choose_thresholds(CROWD.lines, CROWD, weights=weights, demands=demands)


def test_a_dearer_misroute_asks_more() -> None:
    cheap, dear = choose(weights=Weights(misroute=0.5)), choose(weights=Weights(misroute=60))
    assert cheap.thresholds.route < dear.thresholds.route
    assert cheap.fitted.routed > dear.fitted.routed
    assert cheap.fitted.wrong > dear.fitted.wrong


def test_what_is_chosen_costs_no_more_than_what_was() -> None:
    chosen = choose()
    assert chosen.fitted.cost < chosen.before.cost


def test_the_demanded_precision_is_kept_whatever_it_costs() -> None:
    free, bound = choose(weights=Weights(misroute=0.5)), choose(
        weights=Weights(misroute=0.5), demands=Demands(precision=0.95, routed=0.0, outside=1.0)
    )  # fmt: skip
    assert free.fitted.precision < 0.95 <= bound.fitted.precision
    assert free.fitted.cost <= bound.fitted.cost


def test_the_same_lines_give_the_same_thresholds() -> None:
    assert choose_thresholds(CROWD.lines, CROWD, demands=NOTHING) == choose()


def test_the_crossed_figures_come_from_the_thresholds_of_the_other_half() -> None:
    chosen = choose()
    assert chosen.crossed.n == chosen.fitted.n == len(CROWD.lines)
    assert chosen.crossed.cost > chosen.fitted.cost, "other people cost more than those it was chosen on"


def test_what_is_not_chosen_stays() -> None:
    start = Thresholds(likely=0.2, sure=0.7)
    found = choose_thresholds(CROWD.lines[:40], CROWD, start, demands=NOTHING).thresholds
    assert (found.likely, found.sure) == (0.2, 0.7)


def test_too_few_sentences_are_told() -> None:
    with pytest.raises(CorpusError, match="fewer than two"):
        choose_thresholds(CROWD.lines[:1], CROWD)
