"""The numbers whose callers have objected for the time to come (Art. 21 GDPR), as keyed hashes, in the key store."""

from __future__ import annotations

from sqlalchemy import delete, func, select, update

from anruflotse.records.stores.database import Database
from anruflotse.records.stores.tables import add_missing, is_over, objections


class Objections:
    """Who is not to be recorded. Every method is one transaction; those that change something have committed it."""

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self.database = database

    def enter(self, number: str, until: int) -> None:
        """Enter a number's hash; if it is there, with this end from now on."""
        with self.database.write() as connection:
            add_missing(connection, objections, [{"number": number, "until": until}])
            connection.execute(update(objections).where(objections.c.number == number).values(until=until))

    def withdraw(self, number: str, now: int) -> bool:
        """Take a number's hash out; False when it was not there, or its time was over at `now`."""
        mine = delete(objections).where(objections.c.number == number)
        with self.database.write() as connection:
            due = select(objections.c.number).where(objections.c.number == number, ~is_over(now))
            there = connection.execute(due.with_for_update()).first() is not None
            connection.execute(mine)
            return there

    def there(self, number: str, now: int) -> bool:
        """Whether a number is entered and its time is not over at `now`."""
        found = select(objections.c.number).where(objections.c.number == number, ~is_over(now))
        with self.database.read() as connection:
            return connection.execute(found).first() is not None

    def number(self, now: int) -> int:
        """How many numbers are entered whose time is not over at `now`."""
        with self.database.read() as connection:
            return connection.execute(select(func.count()).select_from(objections).where(~is_over(now))).scalar_one()

    def end(self, now: int) -> int:
        """Take out those whose time is over at `now`; how many those were."""
        # What another process has its hands on is left to it, lest two sweeps wait for each other.
        mine = select(objections.c.number).where(is_over(now)).order_by(objections.c.number)
        with self.database.write() as connection:
            taken = list(connection.execute(mine.limit(_BATCH).with_for_update(skip_locked=True)).scalars())
            connection.execute(delete(objections).where(objections.c.number.in_(taken)))
            return len(taken)


_BATCH = 10_000
"""So many end at once; what is left waits for the next sweep, and counts for nothing meanwhile."""
