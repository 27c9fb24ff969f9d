from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.bench.figures import PARTS, Answer, Answers, Figure, Noted, answer_of, percentile, percentiles

FINITE = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([5.0], 0.5, 5.0),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        ([4.0, 1.0, 2.0, 3.0], 0.5, 2.0),
        ([float(n) for n in range(1, 21)], 0.95, 19.0),
        ([float(n) for n in range(1, 101)], 0.99, 99.0),
        ([float(n) for n in range(1, 102)], 0.99, 100.0),
        ([1.0, 2.0], 0.0, 1.0),
        ([1.0, 2.0], 1.0, 2.0),
    ],
)
def test_a_percentile_is_the_nearest_value_that_was_measured(
    values: list[float], share: float, expected: float
) -> None:
    assert percentile(values, share) == expected


@given(st.lists(FINITE, min_size=1), st.integers(0, 100))
def test_at_least_the_share_is_not_above_a_percentile_and_less_than_it_is_below(
    values: list[float], percent: int
) -> None:
    found = percentile(values, percent / 100)
    assert found in values
    assert 100 * sum(value <= found for value in values) >= percent * len(values)
    assert percent == 0 or 100 * sum(value < found for value in values) < percent * len(values)


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], -0.1), ([1.0], 1.1)])
def test_a_percentile_of_nothing_or_of_a_wrong_share_is_refused(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="percentile"):
        percentile(values, share)


def test_a_limit_is_kept_up_to_its_own_value() -> None:
    assert Figure("f", 300.0, "ms", 300.0).ok is True
    assert Figure("f", 300.1, "ms", 300.0).ok is False
    assert Figure("f", 300.1, "ms").ok is None


def test_percentiles_carry_their_own_limits() -> None:
    p50, p95 = percentiles("f", [1.0, 2.0, 3.0], "s", {"p50": 1.3})
    assert (p50.name, p50.value, p50.limit, p50.ok) == ("f p50", 2.0, 1.3, False)
    assert (p95.name, p95.value, p95.limit, p95.ok) == ("f p95", 3.0, None, None)
    assert percentiles("f", [], "s") == []


def test_the_parts_of_an_answer_add_up_to_its_total() -> None:
    answer = Answer(spoken=10.0, turn_ended=10.8, recognised=11.2, acted=11.25, reacted=11.3)
    parts = answer.parts()
    assert parts is not None
    assert [round(parts[name], 9) for name in PARTS] == [0.8, 0.4, 0.05, 0.05]
    assert math.isclose(sum(parts.values()), answer.total)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(10.0, None, 11.0, 11.1, 11.2),
        Answer(10.0, 10.8, None, 11.1, 11.2),
        Answer(10.0, 10.8, 11.0, None, 11.2),
        Answer(10.0, 10.8, 10.7, 11.1, 11.2),
        Answer(10.0, 10.8, 11.0, 11.3, 11.2),
    ],
)
def test_an_answer_not_wholly_seen_is_not_split(answer: Answer) -> None:
    assert answer.parts() is None
    assert math.isclose(answer.total, 1.2)


NOTES = [
    Noted("a", "Answered", 1.0),
    Noted("a", "Play", 1.1),
    Noted("a", "TurnEnded", 5.0),
    Noted("a", "recognised", 5.2),
    Noted("a", "Play", 5.3),
    Noted("b", "TurnEnded", 10.5),
    Noted("b", "recognised", 10.6),
    Noted("a", "TurnEnded", 10.8),
    Noted("a", "screened", 10.9),
    Noted("a", "recognised", 11.2),
    Noted("a", "understood", 11.25),
    Noted("a", "Play", 11.3),
    Noted("a", "Transfer", 11.35),
    Noted("a", "TurnEnded", 14.0),
]


def test_the_answer_belongs_to_the_calls_own_last_turn_before_the_reaction() -> None:
    assert answer_of(NOTES, "a", 10.0, 11.4) == Answer(10.0, 10.8, 11.2, 11.3, 11.4)
    assert answer_of(NOTES, "c", 10.0, 11.4) == Answer(10.0, None, None, None, 11.4)


def test_an_answer_to_half_a_sentence_is_counted_apart() -> None:
    answers = Answers(missed=1)
    answers.add(Answer(10.0, 10.8, 11.2, 11.25, 11.3))
    answers.add(Answer(10.0, 9.5, 9.8, 9.9, 10.1))
    figures = {figure.name: figure for figure in answers.figures(1.4)}
    total = figures["end of speech to answer p50"]
    assert (round(total.value, 6), total.n, total.ok) == (1.3, 1, True)
    assert "1 cut" in total.about
    assert "1 unanswered" in total.about
    assert round(figures["  recognition p95"].value, 6) == 0.4


def test_no_answers_make_no_figures() -> None:
    assert Answers().figures(1.3) == []
