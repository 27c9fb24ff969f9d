"""A running service takes up what was approved, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from anruflotse.clock import FakeClock
from anruflotse.understanding import classifier
from anruflotse.understanding.following import EVERY_SECONDS, Following
from anruflotse.understanding.model import Model
from anruflotse.understanding.versions import Versions
from tests.understanding.toys import DEPARTMENTS, ToyEncoder

NOW = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
TEXT = "Ich habe eine Frage zu dem Pflegegrad"


class Bench:
    """Two approved versions away from each other, a clock that stands, and work aside that waits to be done."""

    def __init__(self, model: Model, folder: Path) -> None:
        self.folder = folder
        self.versions = Versions(folder)
        for name in ("a", "b"):
            self.versions.keep(replace(model, version=name), {})
        self.versions.approve("a", "x", NOW, "toy")
        self.clock = FakeClock()
        self.waiting: list[Callable[[], None]] = []
        self.departments = dict(DEPARTMENTS)
        self.following = Following(self.versions, self._load, self.clock.monotonic, self.waiting.append)

    def _load(self) -> classifier.Fused:
        return classifier.load(self.folder, self.departments, encoder=ToyEncoder())

    def answered_by(self) -> str:
        grounds = self.following.rank(TEXT).grounds
        assert grounds is not None
        return grounds.model

    def a_minute_later(self) -> None:
        self.clock.advance(EVERY_SECONDS)

    def work(self) -> None:
        while self.waiting:
            self.waiting.pop()()


@pytest.fixture
def bench(toy_model: Model, tmp_path: Path) -> Bench:
    return Bench(toy_model, tmp_path)


def test_the_next_version_ranks_a_minute_after_it_was_approved(bench: Bench) -> None:
    bench.versions.approve("b", "x", NOW, "toy")
    assert bench.answered_by() == "a"
    assert bench.waiting == []
    bench.a_minute_later()
    assert bench.answered_by() == "a"  # the sentence that finds out does not wait
    assert len(bench.waiting) == 1
    bench.work()
    assert bench.answered_by() == "b"


def test_nothing_is_loaded_while_nothing_was_approved(bench: Bench) -> None:
    for _ in range(3):
        bench.a_minute_later()
        assert bench.answered_by() == "a"
    assert bench.waiting == []


def test_a_damaged_version_leaves_the_one_before_at_work_and_is_told_once(bench: Bench) -> None:
    bench.versions.approve("b", "x", NOW, "toy")
    (bench.folder / "b" / "heads.npz").write_bytes(b"nothing")
    with capture_logs() as logs:
        for _ in range(3):
            bench.a_minute_later()
            assert bench.answered_by() == "a"
            bench.work()
    assert [log["log_level"] for log in logs] == ["error"]
    assert TEXT not in str(logs)


def test_a_version_with_concerns_nobody_here_knows_waits_for_the_next_start(bench: Bench) -> None:
    del bench.departments["pflege"]
    bench.versions.approve("b", "x", NOW, "toy")
    bench.a_minute_later()
    bench.answered_by()
    with capture_logs() as logs:
        bench.work()
    assert "restart" in logs[-1]["event"]
    assert logs[-1]["concerns"] == ["pflege"]
    assert bench.answered_by() == "a"
