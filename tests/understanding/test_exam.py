"""The shipped model on an exam in other voices, written before any error was looked at, never trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from anruflotse.understanding import classifier, corpus, evaluation
from anruflotse.understanding.corpus import Line
from anruflotse.understanding.policy import Policy

EXAM = Path(__file__).parent / "exam.jsonl"


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return corpus.read([EXAM])


@pytest.fixture(scope="module")
def fused(lines: list[Line]) -> classifier.Fused:
    return classifier.load(None, {line.concern: line.department for line in lines})


def test_no_sentence_of_the_exam_was_learnt_from(lines: list[Line]) -> None:
    learnt = {corpus.plain(line.text) for line in corpus.read(corpus.SHIPPED)}
    assert not {corpus.plain(line.text) for line in lines} & learnt


def test_fused_beats_words_alone(fused: classifier.Fused, lines: list[Line]) -> None:
    departments = {line.concern: line.department for line in lines}
    words = [departments[fused.model.concerns[int(fused.model.log_words(line.text).argmax())]] for line in lines]
    both = [fused.rank(line.text).concerns[0].department for line in lines]
    words_right = sum(found == line.department for found, line in zip(words, lines, strict=True))
    fused_right = sum(found == line.department for found, line in zip(both, lines, strict=True))
    assert fused_right > words_right


def test_the_dialogue_ends_right_and_alarms_are_heard(fused: classifier.Fused, lines: list[Line]) -> None:
    found = evaluation.report(evaluation.examine(lines, fused, Policy()))
    dialogue, routed = found["dialogue"], found["routed"]
    assert isinstance(dialogue, dict)
    assert isinstance(routed, dict)
    assert dialogue["correct"] > 0.8
    assert dialogue["wrong"] < 0.08
    assert routed["precision"] > 0.9
    assert found["emergency_recall"] >= 0.9  # type: ignore[operator]
    assert found["objection_recall"] >= 0.9  # type: ignore[operator]
    assert found["human_recall"] >= 0.9  # type: ignore[operator]
