"""Replacing the master key while calls go on: a new one in front, everything moved to it, the old one given up.

The order is what keeps every record readable at every moment, wherever a rotation is killed:

1. a new master key is made, beside the old ones (a file: both are in it from now on);
2. the old ones are retired in the key store: nothing new can be stored under them any more;
3. every data key and every named key is unwrapped and wrapped anew, each replaced only if it is still as it was read;
4. what the databases keep of the old wrapped forms is overwritten;
5. only when nothing is left under an old master key, it is given up.

Running it again continues where it was: no second new key is made while older ones are in use.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from anruflotse.records.model import StoreError
from anruflotse.records.stores.keystore import KeyStore, StoredKey
from anruflotse.records.vault.envelope import Vault
from anruflotse.records.vault.keyring import UnknownMasterError, fitting
from anruflotse.records.vault.master import TamperedError

BATCH = 200
"""Keys replaced in one transaction: writers wait for a few milliseconds at most."""

_ROUNDS = 20

Tell = Callable[[int, int], None]
"""Told how many keys have been moved, of how many there were."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What a rotation came to."""

    master: str
    """The name of the current master key."""
    made: bool
    """Whether a new one was made; if not, an earlier rotation was completed, or the operator's new key taken."""
    moved: int
    """How many keys were wrapped anew, named ones included."""
    unreadable: int
    """How many data keys do not open under the master key they name: somebody changed them. They stay as they are."""
    scrubbed: bool
    """Whether what was wrapped with the old master key has been overwritten; if not, the daily sweep does so."""
    left: dict[str, str]
    """Old master keys that are no longer needed but could not be given up here, and what to do about each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterStatus:
    """One master key, by its name."""

    master: str
    current: bool
    source: str | None
    """Where it is at hand; None when it is not."""
    keys: int
    """How many data keys are wrapped with it."""
    named: bool
    """Whether named keys (fingerprints, audit) are wrapped with it."""
    retired: bool


def status(vault: Vault, stored: KeyStore) -> list[MasterStatus]:
    """Every master key at hand or in use, the current one first. Raises `StoreError`."""
    current = vault.ring.check()
    at_hand = vault.ring.masters()
    counted, named, retired = stored.masters(), vault.secrets.masters(), stored.retired()
    names = dict.fromkeys([current, *at_hand, *sorted(counted), *sorted(named)])
    return [
        MasterStatus(
            master=name,
            current=name == current,
            source=at_hand.get(name),
            keys=counted.get(name, 0),
            named=name in named,
            retired=name in retired,
        )
        for name in names
    ]


def rotate(vault: Vault, stored: KeyStore, now: int, tell: Tell | None = None) -> Rotated:
    """Replace the master key, or complete an earlier rotation; `now` in microseconds.

    Reads and writes go on meanwhile. Raises `StoreError`: nothing is lost then, and it can be run again.
    """
    with vault.ring.exclusive():
        return _Rotation(vault, stored, now, tell or (lambda _done, _total: None)).run()


class _Rotation:
    def __init__(self, vault: Vault, stored: KeyStore, now: int, tell: Tell) -> None:
        self._vault = vault
        self._ring = vault.ring
        self._stored = stored
        self._now = now
        self._tell = tell
        self._bad: set[str] = set()

    def run(self) -> Rotated:
        # Before anything is changed: a key that is not at hand now could not be moved either.
        fitting(self._ring, self._in_use)
        made = self._made()
        current, moved = self._moved()
        scrubbed = False
        with contextlib.suppress(StoreError):
            # Somebody may hold a lock: the sweep does it again once a day.
            self._stored.database.rewrite()
            scrubbed = self._stored.database.scrub()
        left = self._ring.forget(self._in_use() | {current})
        _log.info("The master key was rotated", count=moved)
        return Rotated(master=current, made=made, moved=moved, unreadable=len(self._bad), scrubbed=scrubbed, left=left)

    def _made(self) -> bool:
        """Make a new master key, unless an older one is still in use: then an earlier rotation has to be completed."""
        current = self._ring.check()
        if current not in self._stored.retired() and (self._ring.unfinished() or self._in_use() - {current}):
            return False
        if self._ring.renew():
            return True
        others = set(self._ring.masters()) - {current}
        if current not in self._stored.retired() and others:
            # Everything has been moved; what is left to do is telling which ones can go.
            return False
        message = (
            "There is no newer master key: put a new one (`openssl rand -base64 32`) in front of the present one, "
            "restart the service, and rotate again."
        )
        raise StoreError(message)

    def _in_use(self) -> set[str]:
        return {*self._stored.masters(), *self._vault.secrets.masters()}

    def _moved(self) -> tuple[str, int]:
        """Move everything to the current master key; its name, and how many keys were moved."""
        moved, total = 0, sum(self._stored.masters().values())
        # Again from the start as long as there is something: a restriction set meanwhile binds to the old master key,
        # and another rotation may have made a newer one.
        for _ in range(_ROUNDS):
            current = self._ring.check()
            for old in sorted((self._in_use() | set(self._ring.masters())) - {current}):
                self._stored.retire(old, self._now)
            moved += self._vault.secrets.move(current)
            after, left = "", 0
            while page := self._stored.under_other_masters(current, after, BATCH):
                after = page[-1].id
                pairs = self._wrapped(page)
                done = self._stored.rewrap(pairs)
                moved, left = moved + done, left + len(pairs) - done
                self._tell(min(moved, total), total)
            if not left and not self._stale(current):
                return current, moved
        message = "The keys keep changing while they are moved to the new master key: run the rotation again."
        raise StoreError(message)

    def _wrapped(self, page: list[StoredKey]) -> list[tuple[StoredKey, StoredKey]]:
        """The keys of a page with what is to become of them; without those that do not open."""
        pairs: list[tuple[StoredKey, StoredKey]] = []
        for key in page:
            try:
                pairs.append((key, self._vault.moved(key)))
            except TamperedError:
                _log.warning("A record's key does not open and stays under the old master key", record=key.id)
                self._bad.add(key.id)
            except UnknownMasterError:
                # Another rotation has moved it, or a sweep destroyed it, since the page was read.
                if self._stored.one(key.id) == key:
                    raise
        return pairs

    def _stale(self, current: str) -> bool:
        """Whether anything but what does not open is under another master key."""
        after = ""
        while page := self._stored.under_other_masters(current, after, BATCH):
            if any(key.id not in self._bad for key in page):
                return True
            after = page[-1].id
        return bool(self._vault.secrets.masters() - {current})
