"""Times as stored: integer microseconds since 1970 UTC, which compare alike in every database and bind exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

FAR = 32_503_680_000_000_000
"""The year 3000: no honest expiry lies beyond, so one that does is treated as due."""


def to_micros(time: datetime) -> int:
    """An aware time as stored."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """A stored time, in UTC."""
    return _EPOCH + timedelta(microseconds=micros)
