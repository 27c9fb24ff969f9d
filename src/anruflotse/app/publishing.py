"""The privacy notice of the running service: it names the processors of today, not those of the day it was started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from anruflotse.clock import Clock
from anruflotse.notice import Notice
from anruflotse.processors import Gate, day_in_germany


@dataclass(frozen=True, slots=True)
class Edition:
    """The notice of one day, rendered once."""

    notice: Notice
    version: str
    html: str


class PublishedNotice:
    """Makes a new edition when the day in Germany or the register of processors has changed; otherwise costs nothing.

    Used from the event loop only: a new edition takes some milliseconds, once a day or a change of the register.
    """

    def __init__(self, write: Callable[[date], Notice], gate: Gate, clock: Clock) -> None:
        """`write` makes the notice of a day from what `gate` lets in on it. Renders today's at once."""
        self._write = write
        self._gate = gate
        self._clock = clock
        self._of = (day_in_germany(clock.now()), gate.reading)
        self._edition = self._new()

    def today(self) -> Edition:
        """The edition that is valid now."""
        now = (day_in_germany(self._clock.now()), self._gate.reading)
        if now != self._of:
            self._of = now
            self._edition = self._new()
        return self._edition

    def html(self) -> str:
        """The page."""
        return self.today().html

    def version(self) -> str:
        """The version a call that begins now keeps with its record."""
        return self.today().version

    def _new(self) -> Edition:
        notice = self._write(self._of[0])
        return Edition(notice, notice.version(), notice.html())
