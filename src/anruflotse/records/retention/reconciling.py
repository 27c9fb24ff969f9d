"""Putting the two stores right after one of them, or both, came from a backup: tombstones and missing keys win.

What may come back, and what happens to it:

- *The rows are older than the keys.* Whatever ended since is back without its key, unreadable; its row is destroyed
  again. What was recorded since has a key and no row: it is lost, and the key goes.
- *The keys are older than the rows.* Whatever ended since is back as a key without row; the tombstones of the rows
  destroy it. What was recorded since has a row and no key: unreadable for good, and the row goes.
- *Both are from the same old backup.* They fit each other, so only the journal of erasures tells what ended since by
  request; what ended by expiry has expired in the backup as well. `replay` comes before the first read.
- *One of them is another installation's, or empty.* Then nearly everything lacks its other half without a tombstone
  telling why. Destroying that would turn a mistake (the wrong volume mounted) into a loss, while leaving it costs
  nothing: no half is readable, and both expire. So when more than half of more than 20 records are concerned, nothing
  of it is touched without `force`. Up to 20 the same mistake would cost 20 recordings of at most 28 days; a crash or a
  power cut must heal by itself there.

A record that is held (Art. 18) is never destroyed for lacking its row: an officer has said that it is needed, and the
right row may still be found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby

import structlog

from anruflotse.records.model import DestroyReason, StoreError
from anruflotse.records.retention.destroying import Destroyer
from anruflotse.records.retention.journal import KEPT, LIFTED, Entry, Journal
from anruflotse.records.retention.paging import pages
from anruflotse.records.stores.keystore import KeyStore
from anruflotse.records.stores.rowstore import RowStore
from anruflotse.records.stores.tables import Tombstone
from anruflotse.records.times import FAR

_BATCH = 500
_FEW = 20
"""So many records may lack their other half without anybody being asked."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What was put right. `returned` records had been destroyed before and were back; `unpaired` lacked a half.

    `damaged` counts places in the journal of erasures that cannot be read, `failed` records that resisted; `trail` is
    False when the audit trail could not go on.
    """

    returned: int
    unpaired: int
    rows_deleted: int
    keys_destroyed: int
    damaged: int
    failed: int
    trail: bool = True


def too_many(unpaired: int, records: int) -> bool:
    """Whether so many of so many records lack their other half that a store must have been exchanged."""
    return records > _FEW and unpaired * 2 > records


class Reconciler:
    """Compares the stores with each other and with the journal, in pages; memory does not grow with the records."""

    def __init__(self, keys: KeyStore, rows: RowStore, journal: Journal) -> None:
        """Compare `keys`, `rows` and `journal`."""
        self._keys = keys
        self._rows = rows
        self._journal = journal

    def replay(self) -> int:
        """Destroy what the journal says was destroyed, and return how many keys were back.

        Needs no clock. Raises `StoreError`, also when a key resists: an erased record must not be readable.
        """
        ending = Destroyer(self._keys, self._rows)
        for page in self._journal.pages(_BATCH):
            self._destroy_again(ending, page)
        if ending.failed and self._keys.existing(sorted(ending.failed)):
            message = (
                "A record that had been erased is back, and its key cannot be destroyed: nothing is opened. Check the "
                "key store (`anruflotse doctor`)."
            )
            raise StoreError(message)
        return ending.keys_destroyed

    def follow(self, ending: Destroyer, at: int) -> None:
        """Do all that the journal says, at `at`: `replay` and `end_lifted` in one reading. Raises `StoreError`."""
        for page in self._journal.pages(_BATCH):
            self._destroy_again(ending, page)
            self._end_lifted(ending, page, at)

    def end_lifted(self, ending: Destroyer, at: int) -> None:
        """Destroy what is held beyond its expiry, though the journal says that the hold was lifted.

        It came back from a backup, or whoever lifted it was interrupted.
        """
        for page in self._journal.pages(_BATCH):
            self._end_lifted(ending, page, at)

    def learn(self, since: int) -> int:
        """Enter the erasures since `since` that the stores know and the journal does not: other machines'.

        Returns how many those were. Raises `StoreError`.
        """
        known: set[bytes] | None = None
        added = 0
        for store in (self._keys, self._rows):
            after = (since, "")
            while found := store.destroyed_since(KEPT, after, _BATCH):
                after = (found[-1].at, found[-1].id)
                # Most sweeps find none, and the journal is not read for nothing.
                known = self._journal.ids() if known is None else known
                added += self._enter(found, known)
        return added

    def complete_journal(self) -> int:
        """Enter every erasure the stores know and the journal does not; how many those were. Raises `StoreError`.

        A journal that was lost, that could not be written, or of another machine's erasures, is whole again after that.
        """
        known = self._journal.ids()
        added = 0
        for store in (self._keys, self._rows):
            after = ""
            while found := store.destroyed_because(KEPT, after, _BATCH):
                after = found[-1].id
                added += self._enter(found, known)
        return added

    def _enter(self, found: Sequence[Tombstone], known: set[bytes]) -> int:
        missing = [one for one in found if bytes.fromhex(one.id) not in known]
        self._journal.add(Entry(one.id, one.at, one.reason) for one in missing)
        known.update(bytes.fromhex(one.id) for one in missing)
        return len(missing)

    def _destroy_again(self, ending: Destroyer, page: Sequence[Entry]) -> None:
        entries = {entry.id: Tombstone(entry.id, entry.at, entry.reason) for entry in page if entry.reason != LIFTED}
        there = self._keys.existing(list(entries)) | self._rows.existing(list(entries))
        _bury_again(ending, [entries[one] for one in there])

    def _end_lifted(self, ending: Destroyer, page: Sequence[Entry], at: int) -> None:
        lifted = {(entry.id, entry.at) for entry in page if entry.reason == LIFTED}
        held = self._keys.held([record_id for record_id, _ in lifted]) if lifted else set()
        for key in self._keys.alive(sorted(held), at).values():
            restriction = key.restriction
            if key.expires_at <= at and restriction is not None and (key.id, restriction.since) in lifted:
                ending.destroy([key.id], DestroyReason.EXPIRED, at)

    def reconcile(self, at: int, started: int, *, force: bool) -> Reconciled:
        """Compare everything, destroy what must not be there, and tell. Raises `StoreError`.

        What has expired is the sweep's and should be gone by now; keys younger than `started` may still get their row.
        """
        ending = Destroyer(self._keys, self._rows)
        damaged = self._journal.damaged()
        if damaged:
            _log.error("The journal of erasures is damaged: not all of it counts", count=damaged)
        back = self.replay()
        self.complete_journal()
        returned = records = unpaired = 0
        for known, unknown, number in self._compared(started):
            _bury_again(ending, known)
            returned += len(known)
            unpaired += len(unknown)
            records += number
        if too_many(unpaired, records) and not force:
            message = (
                "Most records lack their key or their row, and nothing tells that they were destroyed: a store was "
                "probably exchanged. Nothing of it is touched. Put the right stores back, or run `anruflotse records "
                "reconcile --force` to give up what has no other half."
            )
            raise StoreError(message)
        if unpaired:
            for _, unknown, _ in self._compared(started):
                ending.destroy(unknown, DestroyReason.HALF_WRITTEN, at, unless_held=True)
        return Reconciled(
            returned=returned + back,
            unpaired=unpaired,
            rows_deleted=ending.rows_deleted,
            keys_destroyed=ending.keys_destroyed + back,
            damaged=damaged,
            failed=len(ending.failed),
        )

    def _compared(self, started: int) -> Iterator[tuple[list[Tombstone], list[str], int]]:
        """In pages: records that are back, those that lack a half without a tombstone, and how many were looked at."""
        for ids in chain(
            pages(lambda after: self._rows.all(after, _BATCH)), pages(lambda after: self._rows.all_cases(after, _BATCH))
        ):
            keyed = self._keys.existing(ids)
            unkeyed = [one for one in ids if one not in keyed]
            # The tombstone of a key is written with its destruction, so it is there if it was destroyed just now.
            yield *self._sorted_out(unkeyed, self._keys.tombstones(unkeyed)), len(ids)
        for ids in chain(
            pages(lambda after: self._keys.settled(after, _BATCH)),
            pages(lambda after: self._keys.pending(started, after, _BATCH)),
        ):
            there = self._rows.existing(ids)
            rowless = [one for one in ids if one not in there]
            # Held ones stay, and those destroyed just now, between the two looks, are no riddle.
            rowless = sorted(self._keys.existing(rowless) - self._keys.held(rowless), key=str)
            yield *self._sorted_out(rowless, self._rows.tombstones(rowless)), len(rowless)

    @staticmethod
    def _sorted_out(ids: Sequence[str], told: dict[str, Tombstone]) -> tuple[list[Tombstone], list[str]]:
        return list(told.values()), [one for one in ids if one not in told]


def _bury_again(ending: Destroyer, tombstones: Sequence[Tombstone]) -> None:
    """Destroy these records for the reason and with the time they were destroyed first."""

    def why(tombstone: Tombstone) -> tuple[int, str]:
        return tombstone.at, tombstone.reason

    for (at, reason), same in groupby(sorted(tombstones, key=why), key=why):
        known = DestroyReason(reason) if reason in set(DestroyReason) else DestroyReason.HALF_WRITTEN
        ending.destroy([one.id for one in same], known, at if 0 < at < FAR else 0)
