"""What a store needs of a database, whichever it is: transactions, and traces of what was deleted removed.

Two implementations: `sqlite` (embedded) and `postgres` (production). The statements are the same for both.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import Connection


class Database(Protocol):
    """One of the two databases. Every error leaves as `StoreError` with a static message that says what to do."""

    @property
    def place(self) -> str:
        """Where it is, fit to be shown: without user and password."""
        ...

    def read(self) -> AbstractContextManager[Connection]:
        """A transaction that reads."""
        ...

    def write(self) -> AbstractContextManager[Connection]:
        """A transaction that writes: committed at the end of the block, else rolled back.

        When the connection is lost during the commit, nobody knows whether it came to pass: the message says so, and
        whoever tries again must be content with either.
        """
        ...

    def records(self) -> int | None:
        """How many keys, or records and cases, it holds; None when it was never set up, so that it may be now."""
        ...

    def alone(self) -> AbstractContextManager[None]:
        """Keep other processes, on other machines too, from opening this database at the same moment."""
        ...

    def prepare(self) -> None:
        """Make the database private and bring its tables up to date (migrations). Several processes may do so at once.

        Raises `StoreError` for a database of a newer version, or that of the other store.
        """
        ...

    def in_place(self) -> bool:
        """Whether it is still the one that was prepared; if not, its connections are let go."""
        ...

    def room(self) -> bool:
        """Whether there is space for further records, as far as can be told from here."""
        ...

    def scrub(self) -> bool:
        """Remove deleted content from logs of changes, as far as the database can; False when that has to wait."""
        ...

    def rewrite(self) -> None:
        """Write what is left anew, so that nothing of what was deleted stays behind between it."""
        ...

    def exposures(self) -> tuple[str, ...]:
        """What about its set-up keeps copies of content it should not, each a sentence with the remedy."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...
