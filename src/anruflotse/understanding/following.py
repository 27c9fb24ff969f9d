"""A classifier that follows the approved version while the service runs."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import structlog

from anruflotse.understanding.classifier import Fused
from anruflotse.understanding.errors import UnderstandingError
from anruflotse.understanding.seams import Ranking
from anruflotse.understanding.versions import Versions

log = structlog.get_logger(__name__)

EVERY_SECONDS = 60.0
"""So often, at most, the note of what is in force is looked at."""


class Following:
    """Ranks by the approved version, and by the next one soon after that was approved.

    A new version is loaded beside the calls, never in one; until it is there, and when it turns out to be damaged, the
    one before goes on. One that was trained with concerns this service's catalogue does not have is left alone: callers
    with such a concern would be sent to its neighbour. It comes into use with the catalogue, at the next start.
    """

    processor: None = None
    """It is our own: nothing leaves the machine."""

    def __init__(
        self,
        versions: Versions,
        load: Callable[[], Fused],
        now: Callable[[], float],
        aside: Callable[[Callable[[], None]], object],
    ) -> None:
        """Begin with what `load` gives, which it is asked for again after every approval.

        `now` are monotonic seconds; `aside` runs what it is given in another thread. Raises UnderstandingError.
        """
        self._versions, self._load, self._now, self._aside = versions, load, now, aside
        self._lock = Lock()
        self._stamp = versions.stamp()
        self._looked = now()
        self._fused = load()

    @property
    def version(self) -> str:
        """The version that ranks now."""
        return self._fused.version

    def rank(self, text: str) -> Ranking:
        """See `Classifier.rank`."""
        if self._due():
            self._aside(self._follow)
        return self._fused.rank(text)

    def _due(self) -> bool:
        with self._lock:
            if self._now() - self._looked < EVERY_SECONDS:
                return False
            self._looked = self._now()
            stamp = self._versions.stamp()
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            return True

    def _follow(self) -> None:
        try:
            found = self._load()
        except UnderstandingError as error:
            log.error(  # noqa: TRY400 - its text says no more
                "the approved model cannot be loaded; the one before goes on (anruflotse models list)",
                version=self.version,
                error=type(error).__name__,
            )
            return
        except Exception:
            log.exception("the approved model cannot be loaded; the one before goes on", version=self.version)
            return
        if found.strange:
            log.warning(
                "the approved model knows concerns this service does not; restart to use it with its catalogue",
                version=found.version,
                concerns=sorted(found.strange),
            )
            return
        self._fused = found
        log.info("another model is in force", version=found.version)
