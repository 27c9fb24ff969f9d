"""A tiny measurement of the real record store on a real PostgreSQL; that it measures is judged, not what."""

from __future__ import annotations

from anruflotse.bench.figures import Figure
from anruflotse.bench.store import Size, measure


def test_lookups_sealing_and_sweeping_are_measured_among_few_and_among_more() -> None:
    figures: dict[str, Figure] = {}
    steps: list[tuple[str, int, int]] = []
    size = Size(small=10, large=40, lookups=3, seals=2)
    measure(size, lambda *step: steps.append(step), lambda figure: figures.__setitem__(figure.name, figure))
    for total in (10, 40):
        for lookup in ("by id", "by number", "by reference", "newest 100"):
            assert figures[f"{total}: {lookup} p50"].n == 3
            assert 0 < figures[f"{total}: {lookup} p50"].value <= figures[f"{total}: {lookup} p95"].value
        assert figures[f"{total}: sealing, CPU"].value > 0
        # As many are due as the store holds, and just those are swept.
        assert figures[f"{total}: sweep of {total} due"].n == total
    assert figures["by id, growth"].value == figures["40: by id p50"].value / figures["10: by id p50"].value
    assert figures["by id, growth"].limit == 2
    assert steps[-1] == ("filling up to 40 records", 40, 40)
