"""The register as it stands on disk at this moment: an agreement entered, changed or ended counts at once."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import structlog

from anruflotse.processors.register import Register, load
from anruflotse.yamlshape import ShapeError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read last. `fault` says why the newest file could not be; then `register` is the one before it.

    Whoever finds a fault must not give anybody anything on the strength of `register`: what changed is not known. It
    still tells which processors there are, and how they are called.
    """

    register: Register
    fault: str | None = None
    number: int = 0
    """Raised with every reading: what was derived from one reading holds until the number changes."""


class RegisterFile:
    """Reads the register anew whenever its file has changed. Safe to use from several threads."""

    def __init__(self, path: Path | None) -> None:
        """Read `path`, None for the shipped register, which does not change. Raises ShapeError as `load` does."""
        self._path = path
        self._lock = threading.Lock()
        self._seen = self._signature()
        self._reading = Reading(load(path))

    def reading(self) -> Reading:
        """The register of this moment. One `stat` when nothing has changed; never raises."""
        with self._lock:
            # The signature is taken before the file is read: what is written meanwhile is noticed the next time.
            seen = self._signature()
            if seen != self._seen:
                self._seen = seen
                self._reading = self._read_again(self._reading)
            return self._reading

    def _read_again(self, before: Reading) -> Reading:
        try:
            register = load(self._path)
        except ShapeError as error:
            log.error(  # noqa: TRY400 - the fault is in the file, not in the code
                "the register of processors cannot be read; nobody is given anything until it is mended: see doctor"
            )
            return Reading(before.register, str(error), before.number + 1)
        log.info("the register of processors was read anew", count=len(register))
        return Reading(register, None, before.number + 1)

    def _signature(self) -> tuple[int, ...]:
        if self._path is None:
            return ()
        try:
            found = self._path.stat()
        except OSError:
            return (0,)
        # The inode and the change time too: an editor may replace the file, a copy may bring its old date along.
        return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
