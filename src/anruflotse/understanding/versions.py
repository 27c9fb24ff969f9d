"""The trained versions in the data directory: which one is in force, who approved it, and the way back.

Below the folder lie one folder a version and `in_force.json`, which names the one that decides, those that did before
it, and everything that was ever approved or rolled back. It is replaced in one step: whoever reads finds the old or the
new state, never half of one. The model that comes with the project is the version `shipped`; it is in force until
another one is.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from anruflotse.understanding import model as models
from anruflotse.understanding.encoder import CARD, read_card
from anruflotse.understanding.errors import UnderstandingError, VersionError

SHIPPED = "shipped"
"""What the model that comes with the project is called here."""
NOTE = "in_force.json"
ABOUT = "version.json"
"""In a version's folder: when and of what it was made. Versions of older releases have none."""


class State(StrEnum):
    """What a version is."""

    IN_FORCE = "in_force"
    CANDIDATE = "candidate"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Entry:
    """A version. `model` is what its decisions are recorded under, `damage` empty when it is whole.

    `made` and `approved_at` are ISO 8601 in UTC, None where unknown.

    `figures` are those of its training: by concern how many held-out sentences there were and how many were right.
    """

    version: str
    folder: Path
    state: State
    model: str | None = None
    made: str | None = None
    lines: int | None = None
    figures: dict[str, Any] = field(default_factory=dict, repr=False)
    approved_at: str | None = None
    approved_by: str | None = None
    damage: str = ""


@dataclass(frozen=True, slots=True)
class _Note:
    """What `in_force.json` holds. `before` are versions to go back to, the last one first to go back to."""

    current: str
    before: tuple[str, ...] = ()
    log: tuple[dict[str, str], ...] = ()


class Versions:
    """The versions below one folder; it may not exist yet."""

    def __init__(self, folder: Path) -> None:
        """Look at the versions below `folder` (`models/understanding` in the data directory)."""
        self._folder = folder

    def in_force(self) -> Path | None:
        """The folder of the version in force, None for the shipped one.

        Without a note the newest version an older release has trained counts as approved: it was in force before
        there were approvals. Raises UnderstandingError when the note is damaged.
        """
        current = self._read().current
        return None if current == SHIPPED else self._folder / current

    def current(self) -> str:
        """The name of the version in force. Raises UnderstandingError when the note is damaged."""
        return self._read().current

    def adopted(self) -> bool:
        """Whether the version in force was never approved, but trained by a release that knew no approval."""
        return self.current() != SHIPPED and not (self._folder / NOTE).exists()

    def stamp(self) -> tuple[int, int, int] | None:
        """Changes whenever another version is put in force; costs one look at a file. None without a note."""
        try:
            found = (self._folder / NOTE).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def path(self, version: str) -> Path:
        """The folder of `version`. Raises VersionError when there is no such version."""
        if version == SHIPPED:
            return models.SHIPPED
        if version not in self._names():
            message = f"there is no version `{version}`. `anruflotse models list` shows those there are"
            raise VersionError(message)
        return self._folder / version

    def entries(self) -> list[Entry]:
        """Every version, the oldest first, the shipped one before all. Raises UnderstandingError for a damaged note."""
        note = self._read()
        return [self._entry(name, note) for name in (SHIPPED, *self._names())]

    def fresh(self, now: datetime) -> str:
        """A name for a version made at `now`; names sort by time."""
        name = now.strftime("%Y%m%dT%H%M%SZ")
        taken = set(self._names())
        return next(full for n in range(1, 1000) if (full := name if n == 1 else f"{name}-{n:03}") not in taken)

    def keep(self, model: models.Model, about: Mapping[str, object]) -> Path:
        """Keep `model` as a candidate under its version's name, with what `about` says of it; its folder.

        It appears complete or not at all. Raises UnderstandingError when it cannot be written.
        """
        folder = self._folder / model.version
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._folder, prefix=".making-") as room:
                fresh = Path(room) / model.version
                models.save(model, fresh)
                told = json.dumps(about, ensure_ascii=False, indent=1) + "\n"
                (fresh / ABOUT).write_text(told, encoding="utf-8")
                fresh.rename(folder)
        except OSError as error:
            message = f"the model cannot be written to {folder} ({error.strerror}). Check space and permissions"
            raise UnderstandingError(message) from error
        return folder

    def approve(self, version: str, by: str, now: datetime, fingerprint: str) -> str:
        """Put `version` in force; the version that was in force before.

        `fingerprint` is that of the encoder it must work with. Raises VersionError when there is no such version, when
        it is damaged or made for another encoder.
        """
        with self._locked():
            note = self._read()
            self._check(version, fingerprint)
            if version == note.current and (self._folder / NOTE).exists():
                return version
            before = note.before if version == note.current else (*note.before, note.current)
            self._write(_Note(version, before, (*note.log, _event("approved", version, by, now))))
            return note.current

    def roll_back(self, by: str, now: datetime, fingerprint: str) -> str:
        """Put the version before the one in force back in force; its name.

        Raises VersionError when there is none, or when it is damaged or made for another encoder.
        """
        with self._locked():
            note = self._read()
            if not note.before:
                message = f"there was no version in force before `{note.current}`. `anruflotse models list` shows all"
                raise VersionError(message)
            version = note.before[-1]
            self._check(version, fingerprint)
            self._write(_Note(version, note.before[:-1], (*note.log, _event("rolled_back", version, by, now))))
            return version

    def _check(self, version: str, fingerprint: str) -> None:
        folder = self.path(version)
        try:
            found = models.load(folder)
        except UnderstandingError as error:
            message = f"the version `{version}` cannot be put in force: {error}"
            raise VersionError(message) from error
        if found.encoder != fingerprint:
            message = f"the version `{version}` belongs to another sentence encoder. Run `anruflotse train`"
            raise VersionError(message)

    def _entry(self, name: str, note: _Note) -> Entry:
        events = [event for event in note.log if event["version"] == name]
        state = State.CANDIDATE
        if name == note.current:
            state = State.IN_FORCE
        elif events or name in note.before or name == SHIPPED:
            state = State.RETIRED
        folder = self.path(name)
        try:
            card: dict[str, Any] = dict(read_card(folder))
            models.load(folder)
        except UnderstandingError as error:
            return Entry(name, folder, state, damage=str(error))
        about = read_about(folder)
        return Entry(
            name, folder, state,
            model=str(card.get("version")),
            made=about.get("made") or _made(str(card.get("version"))),
            lines=int(card.get("lines", 0)),
            figures=dict(about.get("figures") or {}),
            approved_at=events[-1]["at"] if events else None,
            approved_by=events[-1]["by"] if events else None,
        )  # fmt: skip

    def _names(self) -> list[str]:
        if not self._folder.is_dir():
            return []
        return sorted(entry.name for entry in self._folder.iterdir() if (entry / CARD).is_file())

    def _read(self) -> _Note:
        file = self._folder / NOTE
        try:
            raw = json.loads(file.read_bytes())
            log = tuple({key: str(event[key]) for key in ("what", "version", "at", "by")} for event in raw["log"])
            note = _Note(str(raw["in_force"]), tuple(map(str, raw["before"])), log)
        except FileNotFoundError:
            older = [name for name in self._names() if not (self._folder / name / ABOUT).exists()]
            return _Note(older[-1] if older else SHIPPED, (SHIPPED,) if older else ())
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = (
                f"{file}, which names the model in force, is damaged. Delete it and run `anruflotse models approve`"
            )
            raise UnderstandingError(message) from error
        if any(Path(name).name != name for name in (note.current, *note.before)):
            message = f"{file} names a model that is no version. Delete it and run `anruflotse models approve`"
            raise UnderstandingError(message)
        return note

    def _write(self, note: _Note) -> None:
        file = self._folder / NOTE
        text = json.dumps({"in_force": note.current, "before": note.before, "log": note.log}, indent=1) + "\n"
        try:
            with tempfile.NamedTemporaryFile("w", dir=self._folder, prefix=".new-", delete=False) as fresh:
                fresh.write(text)
                fresh.flush()
                os.fsync(fresh.fileno())
            Path(fresh.name).chmod(0o600)
            Path(fresh.name).replace(file)
        except OSError as error:
            message = f"{file} cannot be written ({error.strerror}). Check space and permissions"
            raise UnderstandingError(message) from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody else approves meanwhile."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            message = f"{self._folder} cannot be written ({error.strerror}). Check space and permissions"
            raise UnderstandingError(message) from error


def read_about(folder: Path) -> dict[str, Any]:
    """What `version.json` in `folder` says; empty where there is none or it is damaged: it only explains."""
    try:
        found = json.loads((folder / ABOUT).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _event(what: str, version: str, by: str, now: datetime) -> dict[str, str]:
    return {"what": what, "version": version, "at": now.isoformat(timespec="seconds"), "by": by}


def _made(version: str) -> str | None:
    """When a version was made, as far as its name tells."""
    try:
        return datetime.strptime(version[:16], "%Y%m%dT%H%M%S%z").isoformat()
    except ValueError:
        return None
