"""Every edition of the notice that was ever in force: what a record's `notice_version` stands for.

One JSON file an edition, named by its version, in a folder of its own. Nothing in it is about a caller. An edition that
comes back (an agreement is renewed with the same words) keeps the day it was first in force.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from anruflotse.notice.rendering import Notice

_VERSION = re.compile(r"[0-9a-f]{16}")


class ArchiveError(Exception):
    """An edition cannot be kept or read; the message names the file and says what to do."""


@dataclass(frozen=True, slots=True)
class Edition:
    """The notice as it was in force from `since` (UTC): what callers heard, and what the public page said."""

    version: str
    since: datetime
    spoken: str
    markdown: str = field(repr=False)
    html: str = field(repr=False)


class Archive:
    """The editions in one folder, which several processes may share."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read or made before it is needed."""
        self._folder = folder

    def keep(self, notice: Notice, now: datetime) -> None:
        """Keep `notice`, in force from `now`, unless it is kept already. Raises `ArchiveError`."""
        version = notice.version()
        file = self._folder / f"{version}.json"
        if file.exists():
            return
        edition = Edition(version, now, notice.facts.spoken, notice.markdown(), notice.html())
        content = json.dumps(asdict(edition) | {"since": now.isoformat()}, ensure_ascii=False, indent=1) + "\n"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=self._folder, delete=False) as draft:
                draft.write(content)
                draft.flush()
                os.fsync(draft.fileno())
            Path(draft.name).chmod(0o644)
            Path(draft.name).replace(file)
        except OSError as error:
            message = f"The notice cannot be kept in {self._folder} ({error.strerror}): make it writable."
            raise ArchiveError(message) from error

    def edition(self, version: str) -> Edition | None:
        """The edition with this version, None when it was never in force here. Raises `ArchiveError` when damaged."""
        if not _VERSION.fullmatch(version):
            return None
        file = self._folder / f"{version}.json"
        try:
            entry = json.loads(file.read_text(encoding="utf-8"))
            return Edition(**entry | {"since": datetime.fromisoformat(entry["since"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            message = f"{file} is damaged or cannot be read: restore it from a backup, or remove it."
            raise ArchiveError(message) from error

    def editions(self) -> tuple[Edition, ...]:
        """All editions, the oldest first. Raises `ArchiveError` when one is damaged."""
        found = (self.edition(file.stem) for file in self._folder.glob("*.json"))
        return tuple(sorted((one for one in found if one), key=lambda one: (one.since, one.version)))
