"""Counters as they may be shown: nothing in them leads to a call, and small numbers are hidden all the same."""

from __future__ import annotations

from collections.abc import Iterable

from anruflotse.records.model import SMALL, Counter, Statistic


def shown(counted: Iterable[Counter]) -> tuple[Statistic, ...]:
    """`counted` with every number under `SMALL` hidden."""
    return tuple(
        Statistic(one.day, one.kind, one.department, one.decision, one.number if one.number >= SMALL else None)
        for one in counted
    )
