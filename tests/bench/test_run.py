"""A tiny benchmark of the real service over real SIP; what it measures is not judged, only that it measures."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from anruflotse import settings
from anruflotse.bench.figures import PARTS, Figure
from anruflotse.bench.running import Size, measure

pytestmark = [pytest.mark.calls, pytest.mark.slow, pytest.mark.timeout(300)]


async def test_two_calls_are_measured_from_the_first_sound_to_the_last_packet(tmp_path: Path) -> None:
    figures: dict[str, Figure] = {}
    steps: list[tuple[str, int, int]] = []

    def told(figure: Figure) -> None:
        figures[figure.name] = figure

    size = Size(calls=1, concerns=1, crowds=(2,), seconds=6.0, short=True)
    own = settings.load(None, {"data": tmp_path / "data"}, environ={})
    await measure(own, size, lambda *step: steps.append(step), told)

    assert figures["ACK to first sound p50"].n == figures["objection key to REFER p50"].n == 1
    total = figures["end of speech to answer p50"]
    assert total.n == 1, total.about
    assert math.isclose(total.value, sum(figures[f"  {part.replace('_', ' ')} p50"].value for part in PARTS))
    assert figures["  end of turn p50"].value > 0.5
    assert figures["2 calls: failed"].value == 0, figures["2 calls: failed"].about
    assert figures["2 calls: packet gap p99"].n > 400
    assert figures["2 calls: CPU per call-minute"].value > 0
    assert figures["2 calls:   of it the SIP workers"].value > 0
    assert figures["2 calls: end of speech to answer p50"].n == 1
    assert figures["2 calls: event loop late p99"].n > 100
    assert ("2 calls at once", 2, 2) in steps
