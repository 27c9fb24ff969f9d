"""Destroying many records at once: key first, committed, then the row; what resists does not hold up the rest."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from anruflotse.records.model import DestroyReason, StoreError
from anruflotse.records.stores.keystore import KeyStore
from anruflotse.records.stores.rowstore import RowStore

_log = structlog.get_logger(__name__)

_UNREADABLE = "\N{REPLACEMENT CHARACTER}"
"""Stands in what SQLite hands over for bytes that are no text: nothing can be found again under such an id."""


class Destroyer:
    """Destroys records and tells what came of it. Every step is repeatable, whenever it was interrupted."""

    def __init__(self, keys: KeyStore, rows: RowStore) -> None:
        """Nothing destroyed yet."""
        self._keys = keys
        self._rows = rows
        self.keys_destroyed = 0
        self.rows_deleted = 0
        self.failed: set[str] = set()

    def destroy(self, ids: Sequence[str], reason: DestroyReason, at: int, *, unless_held: bool = False) -> None:
        """Destroy these records, in one go or, when something in it resists, in halves of halves.

        One that still resists by itself is `failed`. Rows whose key is still there (held, or just being destroyed by
        another process) wait. Raises `StoreError` when a store is not there: then every record would "resist".
        """
        whole = [one for one in ids if _UNREADABLE not in str(one)]
        self.failed.update(str(one) for one in ids if _UNREADABLE in str(one))
        if not whole:
            return
        # In one order everywhere: two processes that take locks in different orders stop each other.
        whole.sort(key=str)
        try:
            destroyed, gone = self._keys.destroy(whole, reason, at, unless_held=unless_held)
            self.keys_destroyed += destroyed
            if gone:
                self.rows_deleted += self._rows.destroy(gone, reason, at)
        except StoreError:
            self._still_there()
            if len(whole) == 1:
                self.failed.add(whole[0])
                _log.warning("A record could not be destroyed; the next sweep tries again", record=whole[0])
                return
            middle = len(whole) // 2
            for half in (whole[:middle], whole[middle:]):
                self.destroy(half, reason, at, unless_held=unless_held)

    def take_over(self, other: Destroyer) -> None:
        """Add what `other` did to what this one tells."""
        self.keys_destroyed += other.keys_destroyed
        self.rows_deleted += other.rows_deleted
        self.failed |= other.failed

    def _still_there(self) -> None:
        """Write into both stores, without changing the time they keep. Raises `StoreError`."""
        self._keys.probe(0)
        self._rows.probe(0)
