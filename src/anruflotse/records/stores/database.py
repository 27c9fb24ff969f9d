"""What a store needs of a database, whichever it is: transactions, and traces of what was deleted removed.

Two implementations: `sqlite` (embedded) and `postgres` (production). The statements are the same for both.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import Connection


class Database(Protocol):
    """One of the two databases. Every error leaves as `StoreError` with a static message that says what to do."""

    def read(self) -> AbstractContextManager[Connection]:
        """A transaction that reads."""
        ...

    def write(self) -> AbstractContextManager[Connection]:
        """A transaction that writes: committed at the end of the block, else rolled back."""
        ...

    def records(self) -> int | None:
        """How many keys or records it holds, or None when it was never set up: then it may be set up from nothing."""
        ...

    def prepare(self) -> None:
        """Make the database private and bring its tables up to date (migrations)."""
        ...

    def in_place(self) -> bool:
        """Whether it is still the one that was prepared; if not, its connections are let go."""
        ...

    def room(self) -> bool:
        """Whether there is space for further records, as far as can be told from here."""
        ...

    def scrub(self) -> bool:
        """Remove deleted content from logs of changes; False when that has to wait."""
        ...

    def rewrite(self) -> None:
        """Write what is left anew, so that nothing of what was deleted stays behind between it."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...
