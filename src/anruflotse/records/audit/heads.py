"""The signed heads of the audit trail, in the key store: what an editor of the row store cannot reach.

Three rows move, each signed: `next` is written before an entry is committed, `latest` after it, `days` with every
daily head. So an entry without a signature is one we did not write, and a trail shorter than `latest` was cut. A
process that dies in between leaves `latest` one behind `next`, which is fine: the trail then ends at one of the two.
"""

from __future__ import annotations

from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Connection, insert, select, update

from anruflotse.records.audit.signing import DAYS, LATEST, NEXT, SPECIAL, Head, over_days
from anruflotse.records.model import StoreError
from anruflotse.records.stores.database import Database
from anruflotse.records.stores.tables import add_missing, heads, secrets
from anruflotse.records.times import from_micros
from anruflotse.records.vault.secrets import AUDIT

_NAMES = ("day", "seq", "hash", "at", "signature")
_COLUMNS = tuple(heads.c[name] for name in _NAMES)
_DAILY = select(heads.c.day, heads.c.signature).where(heads.c.day.not_in(SPECIAL))


class BrokenTrailError(StoreError):
    """The trail does not end where its signed head says; nothing is added to it, and there is no access."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__(
            "The audit trail does not fit its signed head, so nobody gets access: `anruflotse audit verify` tells "
            "where. Lost entries are noted by `anruflotse records reconcile`; if entries were changed or added, put "
            "back a backup of the record store first."
        )


class Heads:
    """The heads of one trail. Every change is one transaction; several processes may make them at once.

    The key that signs is handed in, so that it is fetched before anything is locked.
    """

    def __init__(self, keys: Database) -> None:
        """Keep them in `keys`."""
        self._keys = keys

    def begun(self) -> bool | None:
        """None when there are no heads yet, False when the first ones wait for their signature, else True.

        Raises `BrokenTrailError` when there were some: the key that signs is made after the first heads, and outlives
        them. It is looked for first, so that another process that is just beginning is not taken for a thief.
        """
        signing = has_signing_key(self._keys)
        latest = self.latest()
        if latest is None and signing:
            raise BrokenTrailError
        return None if latest is None else latest.signature != b""

    def lay(self, seq: int, hash_: str, at: int) -> None:
        """Lay the first heads, unsigned, over a trail that ends at `seq`; nothing if there are some."""
        first = (Head(LATEST, seq, hash_, at), Head(NEXT, seq, hash_, at), Head(DAYS, 0, over_days(()), at))
        with self._keys.write() as connection:
            add_missing(connection, heads, [{name: getattr(head, name) for name in _NAMES} for head in first])

    def sign_first(self, tip: tuple[int, str], key: Ed25519PrivateKey) -> None:
        """Sign the first heads, laid over a trail that still ends at `tip`. Raises `BrokenTrailError`."""
        with self._keys.write() as connection:
            latest = _locked(connection)
            if latest.signature != b"":
                return
            for day in SPECIAL:
                head = _read(connection, day)
                if head is None or (day != DAYS and (head.seq, head.hash) != tip):
                    raise BrokenTrailError
                _put(connection, head.signed(key))

    def latest(self) -> Head | None:
        """How far the trail had come, or None before there were heads. Its signature is not checked here."""
        with self._keys.read() as connection:
            return _read(connection, LATEST)

    def state(self, key: Ed25519PublicKey) -> tuple[Head, Head]:
        """`latest` and `next`. Raises `BrokenTrailError` when they are missing or their signatures do not fit."""
        with self._keys.write() as connection:
            return _sound(connection, key)

    def announce(self, tip: tuple[int, str], entry: tuple[int, str], at: int, key: Ed25519PrivateKey) -> None:
        """Sign the entry that is about to be committed after `tip`, while the caller holds the lock of the trail.

        First fixes the days that ended before `at`, and catches up with an entry whose head was never written. Raises
        `BrokenTrailError` unless the trail ends where the heads say.
        """
        with self._keys.write() as connection:
            latest, following = _sound(connection, key.public_key())
            if (latest.seq, latest.hash) != tip:
                if (following.seq, following.hash) != tip or following.seq != latest.seq + 1:
                    raise BrokenTrailError
                latest = Head(LATEST, following.seq, following.hash, following.at).signed(key)
                _put(connection, latest)
            _seal(connection, latest, at, key)
            _put(connection, Head(NEXT, entry[0], entry[1], at).signed(key))

    def advance(self, entry: tuple[int, str], at: int, key: Ed25519PrivateKey) -> None:
        """Move `latest` to a committed entry, unless it is there or beyond already."""
        head = Head(LATEST, entry[0], entry[1], at).signed(key)
        forward = update(heads).where(heads.c.day == LATEST, heads.c.seq < head.seq)
        with self._keys.write() as connection:
            connection.execute(forward.values(seq=head.seq, hash=head.hash, at=at, signature=head.signature))

    def seal(self, at: int, key: Ed25519PrivateKey) -> None:
        """Fix the heads of the days that have ended at `at`. Raises `BrokenTrailError`."""
        with self._keys.write() as connection:
            latest, _ = _sound(connection, key.public_key())
            _seal(connection, latest, at, key)

    def reset(self, tip: tuple[int, str], entry: tuple[int, str], at: int, key: Ed25519PrivateKey) -> None:
        """Announce an entry after damage, whatever the heads say: `latest` becomes `tip`."""
        with self._keys.write() as connection:
            for head in (Head(LATEST, *tip, at), Head(NEXT, *entry, at)):
                _put(connection, head.signed(key))
            _cover_days(connection, at, key)


def has_signing_key(keys: Database) -> bool:
    """Whether the key that signs heads was ever made."""
    with keys.read() as connection:
        return connection.execute(select(secrets.c.name).where(secrets.c.name == AUDIT)).first() is not None


def _sound(connection: Connection, key: Ed25519PublicKey) -> tuple[Head, Head]:
    latest, following = _locked(connection), _read(connection, NEXT)
    if following is None or not latest.fits(key) or not following.fits(key):
        raise BrokenTrailError
    return latest, following


def _locked(connection: Connection) -> Head:
    """`latest`, locked: whoever changes heads holds it first."""
    found = connection.execute(select(*_COLUMNS).where(heads.c.day == LATEST).with_for_update()).first()
    if found is None:
        raise BrokenTrailError
    return Head(*found)


def _read(connection: Connection, day: str) -> Head | None:
    found = connection.execute(select(*_COLUMNS).where(heads.c.day == day)).first()
    return None if found is None else Head(*found)


def _put(connection: Connection, head: Head) -> None:
    values = {"seq": head.seq, "hash": head.hash, "at": head.at, "signature": head.signature}
    add_missing(connection, heads, [{"day": head.day, **values}])
    connection.execute(update(heads).where(heads.c.day == head.day).values(values))


def _seal(connection: Connection, latest: Head, at: int, key: Ed25519PrivateKey) -> None:
    """Fix the head of the day of `latest`, if that is over at `at`, and of the day before `at`.

    Days in between, when nothing ran, get none: signed later, it would prove nothing that these two do not.
    """
    today, last = from_micros(at).date(), from_micros(latest.at).date()
    if last >= today:
        return
    ended = {last.isoformat(), (today - timedelta(days=1)).isoformat()}
    there = set(connection.execute(select(heads.c.day).where(heads.c.day.in_(ended))).scalars())
    new = sorted(ended - there)
    for day in new:
        head = Head(day, latest.seq, latest.hash, at).signed(key)
        connection.execute(insert(heads).values({name: getattr(head, name) for name in _NAMES}))
    if new:
        _cover_days(connection, at, key)


def _cover_days(connection: Connection, at: int, key: Ed25519PrivateKey) -> None:
    daily = [(row.day, row.signature) for row in connection.execute(_DAILY)]
    _put(connection, Head(DAYS, len(daily), over_days(daily), at).signed(key))
