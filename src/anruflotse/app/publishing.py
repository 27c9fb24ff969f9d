"""The privacy notice of the running service: it names the processors of today, not those of the day it was started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import structlog

from anruflotse.clock import Clock
from anruflotse.notice import Archive, ArchiveError, Notice
from anruflotse.processors import Gate, day_in_germany

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """The notice of one day, rendered once."""

    notice: Notice
    version: str
    html: str


class PublishedNotice:
    """Makes a new edition when the day in Germany or the register of processors has changed; otherwise costs nothing.

    Used from the event loop only: a new edition takes some milliseconds, once a day or a change of the register.
    """

    def __init__(
        self, write: Callable[[date], Notice], gate: Gate, clock: Clock, archive: Archive | None = None
    ) -> None:
        """`write` makes the notice of a day from what `gate` lets in on it. Renders today's at once.

        Each new edition goes into `archive`, so that what a record's caller was told can be read as long as it lives.
        """
        self._write = write
        self._gate = gate
        self._clock = clock
        self._archive = archive
        self._of = (day_in_germany(clock.now()), gate.reading)
        self._edition = self._new()

    def today(self) -> Published:
        """The edition that is valid now."""
        now = (day_in_germany(self._clock.now()), self._gate.reading)
        if now != self._of:
            self._of = now
            self._edition = self._new()
        return self._edition

    def html(self) -> str:
        """The page."""
        return self.today().html

    def earlier(self, version: str) -> str | None:
        """The page as it was in that version, None when it was never in force here or cannot be read."""
        try:
            edition = self._archive.edition(version) if self._archive else None
        except ArchiveError:
            log.exception("an edition of the notice cannot be read")
            return None
        return edition.html if edition else None

    def version(self) -> str:
        """The version a call that begins now keeps with its record."""
        return self.today().version

    def _new(self) -> Published:
        notice = self._write(self._of[0])
        if self._archive is not None:
            try:
                self._archive.keep(notice, self._clock.now())
            except ArchiveError:
                # Callers are told all the same; doctor and verify tell what is missing.
                log.exception("this edition of the notice is not kept")
        return Published(notice, notice.version(), notice.html())
