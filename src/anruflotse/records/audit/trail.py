"""The audit trail in the row store: append-only, each entry tied to the one before it and signed for in the key store.

What it proves and what it cannot is in docs/audit.md. Nothing here deletes an entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import datetime

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Connection, Row, delete, insert, select, update

from anruflotse.records.audit.entry import CARRIED, FIRST, TIP, UNSIGNED, Chained, Entry, digest, lost, restored
from anruflotse.records.audit.heads import BrokenTrailError, Heads, has_signing_key
from anruflotse.records.audit.signing import Head, filed
from anruflotse.records.audit.verification import Verified, verify
from anruflotse.records.stores.database import Database
from anruflotse.records.stores.tables import add_missing, audit, audit_tip
from anruflotse.records.times import to_micros

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which entries are wanted: times (microseconds, `until` excluded), name of the accessor, id of the record."""

    since: int | None = None
    until: int | None = None
    accessor: str | None = None
    subject: str | None = None


EVERYTHING = Filter()
"""Every entry."""


class Trail:
    """The trail of one store. Several processes may append at once. Reading needs no master key, appending does."""

    def __init__(self, rows: Database, keys: Database, signing_key: Callable[[], Ed25519PrivateKey]) -> None:
        """Keep the entries in `rows` and their signed heads in `keys`; `signing_key` is asked when one is signed."""
        self._rows = rows
        self._keys = keys
        self._signing_key = signing_key
        self._heads = Heads(keys)
        self._begun = False

    def append(self, entry: Entry) -> Chained:
        """Commit `entry` as the next one, and its signed head.

        Raises `StoreError` when either could not be written: then there is no access, though the entry may be there;
        `BrokenTrailError` when the trail does not end where its heads say (see `acknowledge_loss`).
        """
        key = self._begin(entry.at)
        with self._rows.write() as connection:
            tip = _tip(connection)
            if tip is None or tip != _last(connection):
                raise BrokenTrailError
            chained = _after(tip, entry)
            self._heads.announce(tip, (chained.seq, chained.hash), entry.at, key)
            _insert(connection, chained)
        self._heads.advance((chained.seq, chained.hash), entry.at, key)
        return chained

    def seal_day(self, now: datetime) -> None:
        """Fix the signed heads of the days (UTC) that are over, also of days on which nobody looked at anything.

        To be called by the sweep; does nothing most of the time. Raises `StoreError` without a master key, and
        `BrokenTrailError`: neither may keep a sweep from sweeping.
        """
        at = to_micros(now)
        self._heads.seal(at, self._begin(at))

    def acknowledge_loss(self, now: datetime, *, beyond: bool = False) -> Chained | None:
        """Go on after damage, with an entry that says so for good; None when there is nothing to go on after.

        To be called when the stores were reconciled. After an old backup of the rows was put back, the entries after
        it are lost: the new entry (`restored`, `lost_N_M`) takes the number after the lost ones and the signed head's
        hash for the one before it, and its subject is the hash of the last entry there is. When the heads themselves
        were damaged the result is `unsigned`, when only the tip was, `tip`. Entries beyond the signed ones, or changed
        where the head is, are damage that nothing excuses: then this raises `BrokenTrailError`. Raises `StoreError`.

        Entries beyond the signed ones are also what an old copy of the key store leaves. With `beyond`, which a person
        has to ask for, they are accepted if each follows from the one before, from the signed head on; the trail goes
        on as `unsigned` then, and is never intact again, since nobody can tell them from entries made up.
        """
        at = to_micros(now)
        try:
            key, sound = self._begin(at), True
        except BrokenTrailError:
            key, sound = self._signing_key(), False
        with self._rows.write() as connection:
            add_missing(connection, audit_tip, [{"id": 1, "seq": 0, "hash": FIRST}])
            tip, last = _tip(connection), _last(connection)
            heads = self._sound_heads(key) if sound else None
            if heads and beyond and last[0] > heads[0].seq and _follows(connection, heads[0]):
                heads = None
            told = _judge(tip, last, heads)
            if told is None:
                return None
            before, result = told
            chained = _after(before, restored(at, last[1], result))
            self._heads.reset(before, (chained.seq, chained.hash), at, key)
            connection.execute(delete(audit_tip).where(audit_tip.c.id != 1))
            _insert(connection, chained)
        self._heads.advance((chained.seq, chained.hash), at, key)
        _log.warning("The audit trail was damaged; it goes on with an entry that says so")
        return chained

    def signing_key(self, now: datetime) -> Ed25519PrivateKey:
        """The key that signs, for other things than heads; only once the trail has begun, or it would look robbed.

        Raises `StoreError`.
        """
        return self._begin(to_micros(now))

    def page(self, after: int, limit: int) -> list[Chained]:
        """The entries beyond number `after`, in their order."""
        found = select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(limit)
        with self._rows.read() as connection:
            return [_chained(row) for row in connection.execute(found)]

    def newest(self, before: int | None, limit: int, wanted: Filter) -> list[Chained]:
        """The last `limit` entries numbered below `before` that are wanted, newest first."""
        found = select(audit).order_by(audit.c.seq.desc()).limit(limit)
        if before is not None:
            found = found.where(audit.c.seq < before)
        if wanted.since is not None:
            found = found.where(audit.c.at >= wanted.since)
        if wanted.until is not None:
            found = found.where(audit.c.at < wanted.until)
        if wanted.accessor is not None:
            found = found.where(audit.c.accessor == wanted.accessor)
        if wanted.subject is not None:
            found = found.where(audit.c.subject == wanted.subject)
        with self._rows.read() as connection:
            return [_chained(row) for row in connection.execute(found)]

    def head(self) -> dict[str, object] | None:
        """The latest signed head with the public key, to be filed elsewhere; None before the first entry.

        Raises `BrokenTrailError` when it is not one of ours, `StoreError`.
        """
        if not self._heads.begun():
            return None
        key, head = self._signing_key().public_key(), self._heads.latest()
        if head is None or not head.fits(key):
            raise BrokenTrailError
        return filed(head, key)

    def verify(self, expected: tuple[Head, Ed25519PublicKey] | None = None) -> Verified:
        """Check every entry and every head; see `verification`.

        With a head filed elsewhere (see `signing.unfiled`) its key is the one that counts, and no master key is needed.
        Raises `StoreError` when a store cannot be read.
        """
        if expected is not None:
            return verify(self._rows, self._keys, expected[1], expected[0])
        while True:
            # Looking at a new store must not make a key.
            key = self._signing_key().public_key() if has_signing_key(self._keys) else None
            verified = verify(self._rows, self._keys, key, None)
            if key is not None or not has_signing_key(self._keys):
                return verified
            # Somebody made it meanwhile, with the very first access: look again, with the key.

    def _begin(self, at: int) -> Ed25519PrivateKey:
        """The key that signs, once there are heads; the first ones are laid over what came before there were any.

        Raises `BrokenTrailError` when there were heads and are none.
        """
        if self._begun:
            return self._signing_key()
        if self._heads.begun() is None:
            with self._rows.write() as connection:
                add_missing(connection, audit_tip, [{"id": 1, "seq": 0, "hash": FIRST}])
                # Looked at again once the trail is locked: another process may have begun it, and written entries.
                _tip(connection)
                if self._heads.begun() is None:
                    self._heads.lay(*_untouched(connection), at)
        # Made at this moment if it is the first time; no lock is held meanwhile.
        key = self._signing_key()
        if not self._heads.begun():
            with self._rows.write() as connection:
                _tip(connection)
                if not self._heads.begun():
                    self._heads.sign_first(_untouched(connection), key)
        self._begun = True
        return key

    def _sound_heads(self, key: Ed25519PrivateKey) -> tuple[Head, Head] | None:
        try:
            return self._heads.state(key.public_key())
        except BrokenTrailError:
            return None


def _judge(
    tip: tuple[int, str] | None, last: tuple[int, str], heads: tuple[Head, Head] | None
) -> tuple[tuple[int, str], str] | None:
    """After which number and hash the trail has to go on, and with which word; None when nothing is wrong."""
    if heads is None:
        return last, UNSIGNED
    latest, following = heads
    ends = [(latest.seq, latest.hash)]
    if following.seq == latest.seq + 1:
        ends.append((following.seq, following.hash))
    if last in ends:
        return None if tip == last else (last, TIP)
    if last[0] >= latest.seq:
        raise BrokenTrailError
    # The announced entry may have been there as well: its number must not be used again.
    return ends[-1], lost(last[0] + 1, ends[-1][0])


def _follows(connection: Connection, head: Head) -> bool:
    """Whether every entry from the one that `head` signs follows from the one before it."""
    seq, before = head.seq, head.hash
    rows = connection.execute(select(audit).where(audit.c.seq >= head.seq).order_by(audit.c.seq))
    for row in rows:
        chained = _chained(row)
        if chained.seq == head.seq:
            if chained.hash != head.hash:
                return False
            continue
        if (chained.seq, chained.previous) != (seq + 1, before):
            return False
        if chained.hash != digest(chained.seq, chained.entry, before):
            return False
        seq, before = chained.seq, chained.hash
    return True


def _untouched(connection: Connection) -> tuple[int, str]:
    """Where a trail without heads ends. Raises `BrokenTrailError` if it has entries from when there were heads."""
    last = _last(connection)
    role = connection.execute(select(audit.c.role).where(audit.c.seq == last[0])).scalar_one_or_none()
    if _tip(connection) != last or role not in {None, CARRIED}:
        raise BrokenTrailError
    return last


def _tip(connection: Connection) -> tuple[int, str] | None:
    """Where the trail ends, as noted; locks it. None when the note is not what it has to be."""
    rows = connection.execute(select(audit_tip).with_for_update()).all()
    if [row.id for row in rows] != [1]:
        return None
    return rows[0].seq, rows[0].hash


def _last(connection: Connection) -> tuple[int, str]:
    """Where the trail ends, as it is. Raises `BrokenTrailError` when that is no entry at all."""
    row = connection.execute(select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)).first()
    if row is None:
        return 0, FIRST
    if not isinstance(row.seq, int) or not isinstance(row.hash, str):
        raise BrokenTrailError
    return row.seq, row.hash


def _after(tip: tuple[int, str], entry: Entry) -> Chained:
    seq, previous = tip[0] + 1, tip[1]
    return Chained(seq=seq, entry=entry, previous=previous, hash=digest(seq, entry, previous))


def _insert(connection: Connection, chained: Chained) -> None:
    connection.execute(
        insert(audit).values(seq=chained.seq, previous=chained.previous, hash=chained.hash, **asdict(chained.entry))
    )
    connection.execute(update(audit_tip).values(seq=chained.seq, hash=chained.hash))


def _chained(row: Row[tuple[object, ...]]) -> Chained:
    entry = Entry(**{field.name: getattr(row, field.name) for field in fields(Entry)})
    return Chained(seq=row.seq, entry=entry, previous=row.previous, hash=row.hash)
