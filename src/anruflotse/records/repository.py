"""The records: written sealed, read by name and purpose only, unreadable from the moment they expire or are destroyed.

Everything here blocks (disk, cryptography): call it in a thread. Instances are thread-safe, and several processes may
share one directory.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from anruflotse.clock import Clock
from anruflotse.records import contents, opening
from anruflotse.records.access import Accessor, Kind
from anruflotse.records.audit.signing import Head
from anruflotse.records.audit.verification import Verified
from anruflotse.records.casework import Casework
from anruflotse.records.door import ID, Door, is_text
from anruflotse.records.model import (
    RETENTION_DAYS,
    DestroyReason,
    Draft,
    Purpose,
    Status,
    StoreError,
    Swept,
    retention,
)
from anruflotse.records.objecting import Objecting
from anruflotse.records.reading import Reading
from anruflotse.records.rectifying import Rectifying
from anruflotse.records.retention.latest import LatestTime
from anruflotse.records.retention.reconciling import Reconciled
from anruflotse.records.searching import Searching
from anruflotse.records.signatures import Signature, signed, signed_jws
from anruflotse.records.stores.opener import Opener
from anruflotse.records.stores.rowstore import StoredRow
from anruflotse.records.times import from_micros, to_micros
from anruflotse.records.vault import rotation
from anruflotse.records.vault.envelope import FORMAT
from anruflotse.records.vault.keyring import Keyring
from anruflotse.records.vault.rotation import MasterStatus, Rotated

DAY_ZONE = ZoneInfo("Europe/Berlin")
"""In which counters are dated."""

_WORD = re.compile(r"[a-z][a-z_]{0,39}")
_DEPARTMENT = re.compile(r"(?!.*[0-9]{4})[a-z][a-z0-9_-]{0,29}")
_OFFICERS_REASONS = (DestroyReason.ERASED, DestroyReason.OBJECTED)
"""What an officer may destroy for; the other reasons are the software's own, and no request behind them is kept."""

_log = structlog.get_logger(__name__)


class Records(Reading, Searching, Rectifying, Casework, Objecting):
    """The record store of one machine in one directory.

    Opened at first use, not when constructed: a store that is down then, or goes down later, makes `healthy` False and
    every other method raise `StoreError`, and works again by itself when it is back.
    """

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        retention_days: int = RETENTION_DAYS,
        *,
        longer_reason: str | None = None,
        environment: Mapping[str, str] | None = None,
        ring: Keyring | None = None,
        busy_seconds: float = 1.0,
        rows_url: str | None = None,
        keys_url: str | None = None,
    ) -> None:
        """Keep records in `directory` for `retention_days` after their recording.

        The master key is looked for in `environment` (default: the process's) and the directory, unless `ring` is
        given. A locked store is waited for `busy_seconds`. With `rows_url` and `keys_url` the stores are two PostgreSQL
        databases. Raises `ValueError` for more than 28 days without reason, `StoreError` for unsuitable URLs.
        """
        self._retention = retention(retention_days, longer_reason)
        opener = Opener(
            directory,
            environment=os.environ if environment is None else environment,
            ring=ring,
            busy_seconds=busy_seconds,
            rows_url=rows_url,
            keys_url=keys_url,
        )
        self._time = LatestTime(clock, self._retention, opener)
        super().__init__(opener, Door(lambda: opener.stores().trail, clock), clock, self._time.now)

    def prepare(self) -> None:
        """Make or open the stores and the master key, as every method does. Raises `StoreError` with a remedy."""
        self._opener.vault()

    def close(self) -> None:
        """Close the files."""
        self._opener.close()

    def healthy(self) -> bool:
        """Whether a record could be written now, found out by writing; if not, a call must not be recorded."""
        now = self._now()
        if now - self._clock.now() >= self._retention:
            # The clock has gone back so far that whatever is written now would count as expired already.
            return False
        try:
            self._opener.vault().check()
            stores = self._opener.stores()
            stores.keys.probe(to_micros(now))
            stores.rows.probe(to_micros(now))
        except StoreError:
            _log.warning("The record store is not usable; calls are not recorded", exc_info=True)
            return False
        return self._opener.room()

    def exposures(self) -> tuple[str, ...]:
        """What about the databases' set-up keeps copies of what it should not: sentences, each with its remedy."""
        return self._opener.exposures()

    def seal(self, draft: Draft) -> str:
        """Store `draft` encrypted and return the id of the record (32 hex digits).

        It expires the retention after its recording. The key is committed before the row; what a crash leaves in
        between is invisible and swept. Raises `StoreError`; then nothing readable was stored.
        """
        now = self._now()
        # A recording cannot lie ahead: a clock that was fast must not lengthen its life.
        expires_at = min(draft.recorded_at, self._clock.now()) + self._retention
        if expires_at <= now:
            message = "The recording is older than the retention allows, or the clock has gone back: it is not stored."
            raise StoreError(message)
        vault, stores = self._opener.vault(), self._opener.stores()
        record_id = secrets.token_hex(16)
        key, stored = vault.new_key(record_id, to_micros(expires_at))
        row = StoredRow(
            id=record_id,
            reference=draft.reference,
            started_at=to_micros(draft.started_at),
            recorded_at=to_micros(draft.recorded_at),
            expires_at=stored.expires_at,
            legal_basis=draft.legal_basis,
            purpose=draft.purpose,
            format=FORMAT,
        )
        packed = contents.pack(draft, opening.row_digest(row))
        sealed = {name: key.seal(name, plain) for name, plain in packed.items()}
        fingerprint = vault.fingerprint(draft.caller) if draft.caller and is_text(draft.caller) else None
        self._add_key(key, stored, fingerprint, now)
        try:
            stores.rows.add(row, sealed)
        except StoreError:
            with contextlib.suppress(StoreError):
                stores.sweeper.destroy([record_id], DestroyReason.HALF_WRITTEN, now)
            raise
        return record_id

    def destroy(self, record_id: str, reason: DestroyReason, accessor: Accessor | None = None) -> bool:
        """Make a record unreadable everywhere, then delete it; False when there was none.

        Without `accessor` the software itself does so (an objection while the call goes on). An officer does so for the
        reasons `ERASED` and `OBJECTED` only. Raises `ValueError` for another one, `AccessRefusedError`, `StoreError`.
        """
        stated = self._door.admit(accessor, Purpose.RIGHTS, Kind.DESTROY, record_id) if accessor else Purpose.RIGHTS
        if accessor and reason not in _OFFICERS_REASONS:
            self._door.log(accessor, stated, Kind.DESTROY, record_id, "refused_input")
            message = f"An officer destroys for one of the reasons {', '.join(_OFFICERS_REASONS)}."
            raise ValueError(message)
        if not ID.fullmatch(record_id):
            if accessor:
                self._door.log(accessor, stated, Kind.DESTROY, None, "not_found")
            return False
        stores = self._opener.stores()
        # A case is no record: `destroy_case` does that.
        there = stores.keys.existing([record_id]) or stores.rows.existing([record_id])
        if not there or stores.cases.existing(record_id):
            if accessor:
                self._door.log(accessor, stated, Kind.DESTROY, record_id, "not_found")
            return False
        # Before and after: an erasure must neither go unnoticed nor wait for the trail.
        if accessor:
            self._door.log(accessor, stated, Kind.DESTROY, record_id, "granted")
        stores.sweeper.destroy([record_id], reason, self._now())
        stores.sweeper.scrub()
        return True

    def sweep(self, now: datetime | None = None) -> Swept:
        """Destroy what has expired by `now` (default: the clock) or was half-written. Raises `StoreError`.

        An earlier `now` puts nothing off: what reads have been refused for expiry goes. Needs no master key.
        """
        swept = self._opener.stores().sweeper.sweep(self._time.now(now))
        if not swept.failed:
            self._time.settle(swept.at)
        try:
            self._opener.stores().trail.seal_day(self._clock.now())
        except StoreError:
            _log.warning("The head of the audit trail cannot be signed; the next sweep tries again", exc_info=True)
        return swept

    def reconcile(self, *, force: bool = False) -> Reconciled:
        """Put the stores right after a restore: what was destroyed once is destroyed again, halves are given up.

        The audit trail goes on after what a restore lost of it, with an entry that says so; without the master key it
        does not, and the result tells that. Raises `StoreError`, in particular when most records lack a half, which
        `force` accepts; so it does entries of the trail beyond its signed heads, which an old key store leaves.
        """
        stores, now = self._opener.stores(), self._now()
        try:
            # First: as long as the trail is broken, nobody can read anything.
            stores.trail.acknowledge_loss(self._clock.now(), beyond=force)
            trail = True
        except StoreError:
            _log.error("The audit trail cannot go on; see anruflotse audit verify", exc_info=True)
            trail = False
        return replace(stores.sweeper.reconcile(now, force=force), trail=trail)

    def rotate(
        self, accessor: Accessor, purpose: str = Purpose.OPERATION, tell: rotation.Tell | None = None
    ) -> Rotated:
        """Replace the master key while reads and writes go on, or complete an earlier rotation; see `vault.rotation`.

        Raises `AccessRefusedError`, and `StoreError`, after which it can be run again.
        """
        stated = self._door.admit(accessor, purpose, Kind.ROTATE)
        self._door.log(accessor, stated, Kind.ROTATE, None, "granted")
        rotated = rotation.rotate(self._opener.vault(), self._opener.stores().keys, to_micros(self._now()), tell)
        self._door.log(accessor, stated, Kind.ROTATE, None, "done")
        return rotated

    def masters(self) -> Sequence[MasterStatus]:
        """The master keys at hand or in use, by their names, the current one first. Raises `StoreError`."""
        return rotation.status(self._opener.vault(), self._opener.stores().keys)

    def status(self) -> Status:
        """How many records there are and when the next one expires. Needs no master key."""
        now = self._now()
        stores = self._opener.stores()
        # Not as a datetime: a clock in the year 9999 would leave what Python calls time. What is overlong is so by the
        # clock as it stands, not by the latest time seen.
        latest_expiry = to_micros(self._clock.now()) + self._retention // timedelta(microseconds=1)
        tally = stores.rows.tally(to_micros(now), latest_expiry)
        return Status(
            records=tally.alive,
            next_expiry=None if tally.next_expiry is None else from_micros(tally.next_expiry),
            overdue=tally.overdue,
            overlong=tally.overlong,
            deleted=tally.deleted,
            keys_destroyed=stores.keys.destroyed(),
            restricted=stores.keys.restricted(),
            held=stores.keys.held_count(to_micros(now)),
            reviews_due=stores.keys.restricted(review_until=to_micros(now)),
            at=now,
            cases=stores.cases.alive(to_micros(now)),
            objections=stores.objections.number(to_micros(now)),
        )

    def count(self, kind: str, department: str | None = None, decision: str | None = None) -> None:
        """Count something that happened today, with nothing that leads to a call.

        `kind` and `decision` are words (`objected`, `route`), `department` a catalogue key. Raises `ValueError` for
        anything else, such as an id or a number.
        """
        for value, shape in ((kind, _WORD), (department, _DEPARTMENT), (decision, _WORD)):
            if value is not None and not shape.fullmatch(value):
                message = "A counter takes plain words and department keys only, never an id or a number."
                raise ValueError(message)
        day = self._clock.now().astimezone(DAY_ZONE).date().isoformat()
        self._opener.stores().rows.count(day, kind, department or "", decision or "")

    def sign(self, payload: bytes, domain: str) -> Signature:
        """Sign `payload` with the key of the audit trail, for a domain such as `report` (see `signatures`).

        What was signed for one domain fits no other, and never passes as a head of the trail. `verify_signature` checks
        it. Raises `ValueError` for what is no domain, `StoreError`.
        """
        return signed(payload, domain, self._opener.stores().trail.signing_key(self._clock.now()))

    def sign_jws(self, signing_input: bytes) -> Signature:
        """Sign a JWS (RFC 7515, EdDSA) over its signing input, with the same key.

        Raises `ValueError` for what is none, `StoreError`.
        """
        return signed_jws(signing_input, self._opener.stores().trail.signing_key(self._clock.now()))

    def verify_trail(self, filed: tuple[Head, Ed25519PublicKey] | None = None) -> Verified:
        """Whether the audit trail is what it was; tells no entry, so anybody may ask. See `Trail.verify`."""
        return self._opener.stores().trail.verify(filed)

    def trail_head(self) -> dict[str, object] | None:
        """The latest signed head of the audit trail, to be filed elsewhere; see `Trail.head`."""
        return self._opener.stores().trail.head()
