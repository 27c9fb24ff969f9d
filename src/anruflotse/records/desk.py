"""What all desks share at which people ask for something: the door, the stores, and finding what is still there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from anruflotse.clock import Clock
from anruflotse.records.access import Accessor, Kind
from anruflotse.records.door import ID, Door
from anruflotse.records.model import AccessRefusedError, NotFoundError, Purpose
from anruflotse.records.stores.keystore import RetiredMasterError, StoredKey
from anruflotse.records.stores.opener import Opener
from anruflotse.records.stores.rowstore import Sealed
from anruflotse.records.times import FAR, to_micros
from anruflotse.records.vault.envelope import DataKey

ATTEMPTS = 3
"""How often something is tried again that somebody else was changing."""


class Desk:
    """The base of `Reading` and its like; they become one in `Records`."""

    def __init__(self, opener: Opener, door: Door, clock: Clock, now: Callable[[], datetime]) -> None:
        """Read from what `opener` opens; `now` is the latest time seen, `clock` what the clock says."""
        self._opener = opener
        self._door = door
        self._clock = clock
        self._now = now

    def _found(
        self, record_id: str, fields: Sequence[str], accessor: Accessor, stated: Purpose, kind: Kind
    ) -> tuple[StoredKey, Sealed]:
        """The key and the row of a record that may be read now; else the refusal is in the trail."""
        key, sealed = self._there(record_id, fields, accessor, stated, kind)
        self._open_to(key, accessor, stated, kind)
        return key, sealed

    def _there(
        self, record_id: str, fields: Sequence[str], accessor: Accessor, stated: Purpose, kind: Kind
    ) -> tuple[StoredKey, Sealed]:
        """The key and the row of a record that is there now, for whomever; else the refusal is in the trail."""
        found = self._alive(record_id, fields)
        if found is None:
            self._door.log(accessor, stated, kind, record_id, "not_found")
            message = "There is no such record: it never was, has expired or was destroyed."
            raise NotFoundError(message)
        return found

    def _open_to(self, key: StoredKey, accessor: Accessor, stated: Purpose, kind: Kind) -> None:
        """Refuse what a restriction closes for this purpose."""
        if closed(key, stated):
            self._door.log(accessor, stated, kind, key.id, "refused_restricted")
            message = "This record is restricted (Art. 18 GDPR): it opens for the handling of rights only."
            raise AccessRefusedError(message)

    def _alive(self, record_id: str, fields: Sequence[str]) -> tuple[StoredKey, Sealed] | None:
        """The key and the row of a record that has not ended."""
        now = to_micros(self._now())
        stores = self._opener.stores()
        sealed = stores.rows.get(record_id, fields) if ID.fullmatch(record_id) else None
        key = stores.keys.alive([record_id], now).get(record_id) if sealed else None
        if sealed is None or key is None:
            return None
        held = key.restriction is not None and key.restriction.held
        expiry: object = sealed.row.expires_at  # SQLite keeps whatever somebody writes into it
        return (key, sealed) if held or (isinstance(expiry, int) and now < expiry < FAR) else None

    def _add_key(self, key: DataKey, stored: StoredKey, caller: str | None, now: datetime) -> None:
        """Commit a fresh data key. Raises `StoreError`."""
        keys = self._opener.stores().keys
        try:
            keys.add(stored, caller=caller, now=to_micros(now))
        except RetiredMasterError:
            # The master key was rotated between wrapping and storing; the new one is at hand now.
            keys.add(self._opener.vault().again(key, stored), caller=caller, now=to_micros(now))


def closed(key: StoredKey, purpose: Purpose) -> bool:
    """Whether a restriction closes this record for this purpose."""
    return key.restriction is not None and purpose is not Purpose.RIGHTS
