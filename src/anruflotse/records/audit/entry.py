"""One entry of the audit trail, and the hash that ties it to the one before it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

FIRST = "0" * 64
"""What the first entry takes for the hash before it."""
RESTORED = "restored"
"""The `act` of an entry with which the trail goes on after damage; no access has it."""
UNSIGNED = "unsigned"
"""Its `result` when the heads themselves were damaged: nothing vouches for what stands before."""
TIP = "tip"
"""Its `result` when only the note of where the trail ends was damaged: no entry was lost."""
CARRIED = "-"
"""The `role` of entries from before there were roles and heads (see the migration that carried them over)."""
_RESULT = 20


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


def lost(first: int, last: int) -> str:
    """The `result` of an entry that goes on after the entries `first` to `last` were lost, in 20 characters."""
    told = f"lost_{first}_{last}"
    return told if len(told) <= _RESULT else f"lost_{first}"[:_RESULT]


def restored(at: int, subject: str, result: str) -> Entry:
    """The entry with which the trail goes on after damage; `subject` is the hash of the last entry that is left."""
    return Entry(
        at=at,
        accessor="anruflotse",
        role="technik",
        purpose="betrieb",
        act=RESTORED,
        subject=subject,
        result=result,
    )
