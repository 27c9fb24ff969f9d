"""Rendered prompts on disk: one file a prompt, named by what was said in which voice, checked when read.

Only our own announcements are ever written here, never a caller's audio.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

from anruflotse.pcm import Pcm

_RATE: Final = 16_000
_FORMAT: Final = 1
"""Raise it when prompts are processed differently, so that old files are not found any more."""
_DIGEST_BYTES: Final = 32
_OWN_FILE: Final = re.compile(r"[0-9a-f]{64}\.prompt|\.[0-9a-f]{64}\.[0-9a-f]{16}\.tmp")


class PromptCache:
    """A directory of prompts at 16 kHz. Safe for several processes: files appear whole or not at all."""

    def __init__(self, directory: Path) -> None:
        """Use `directory`, which is created with the first prompt put into it."""
        self._directory = directory

    @staticmethod
    def name_of(voice: str, text: str) -> str:
        """The name under which `text` in `voice` is kept."""
        return hashlib.sha256(json.dumps([_FORMAT, voice, text]).encode()).hexdigest()

    def get(self, name: str) -> Pcm | None:
        """The prompt kept under `name`; None when there is none, or when the file is damaged or unreadable."""
        try:
            content = self._path(name).read_bytes()
        except OSError:
            return None
        digest, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if not data or hashlib.sha256(name.encode() + data).digest() != digest:
            return None
        return Pcm(data, _RATE)

    def put(self, name: str, audio: Pcm) -> None:
        """Keep `audio` (16 kHz) under `name`. Raises OSError when the directory cannot be written."""
        if audio.rate != _RATE:
            message = f"The prompt cache holds audio at {_RATE} Hz, got {audio.rate} Hz."
            raise ValueError(message)
        self._directory.mkdir(parents=True, exist_ok=True)
        passing = self._directory / f".{name}.{secrets.token_hex(8)}.tmp"
        try:
            with passing.open("wb") as file:
                file.write(hashlib.sha256(name.encode() + audio.data).digest() + audio.data)
                file.flush()
                os.fsync(file.fileno())
            passing.replace(self._path(name))
        finally:
            passing.unlink(missing_ok=True)

    def keep_only(self, names: AbstractSet[str]) -> None:
        """Remove prompts nobody uses any more and what an interrupted `put` left; other files stay untouched."""
        if not self._directory.is_dir():
            return
        keep = {self._path(name).name for name in names}
        for path in self._directory.iterdir():
            if _OWN_FILE.fullmatch(path.name) and path.name not in keep:
                path.unlink(missing_ok=True)

    def problems(self) -> list[str]:
        """Why prompts cannot be kept here, a sentence each; empty when they can."""
        probe = self._directory / f".{'0' * 64}.{secrets.token_hex(8)}.tmp"
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            return [f"{self._directory}: prompts cannot be kept here ({error.strerror}). Make the directory writable."]
        return []

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.prompt"
