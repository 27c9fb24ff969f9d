"""One entry of the audit trail, and the hash that ties it to the one before it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

FIRST = "0" * 64
"""What the first entry takes for the hash before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Who wanted what, what for, and what came of it; nothing a caller said, no number, no ciphertext.

    `at` in microseconds; `subject` is an id, a reference's record or `-`; all other fields are words of closed lists,
    but for the accessor's name.
    """

    at: int
    accessor: str
    role: str
    purpose: str
    act: str
    subject: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chained:
    """An entry in its place. `hash` covers `seq`, the entry and `previous`, the hash of the one before it."""

    seq: int
    entry: Entry
    previous: str
    hash: str


def digest(seq: int, entry: Entry, previous: str) -> str:
    """SHA-256 over a canonical form (JSON, keys sorted, no blanks, ASCII) in hex."""
    told = {"v": 1, "seq": seq, "previous": previous, **asdict(entry)}
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
