"""Finds whatever was done to the audit trail, and says it in one word and a number.

The words: `changed` (an entry is not what its hash says, or has a wrong type), `order` (it does not follow the one
before it), `gap` (numbers are missing), `truncated` (the end is missing), `unsigned` (an entry we never signed, or the
trail went on after its heads were lost), `tip` (the note of the end is wrong), `head` (a signed head was changed or
removed, or is not what the trail says), `filed` (a head filed elsewhere does not fit).

What is lost is never intact. When an old backup of the rows was put back, `acknowledge_loss` notes the loss with a
signed entry; verify then tells it as `known_gaps`, apart from `damage`, but `intact` stays False: the software notes a
loss by itself at its next start, and so it would for somebody who cut the trail on purpose. Only a person can tell the
two apart; who has done so passes the gap as accepted (`Verified.intact_but_for`) and hears of further damage only.

The memory it takes depends on the number of days, not of entries. The end is judged while nobody can append.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, func, select

from anruflotse.records.audit.entry import CARRIED, FIRST, RESTORED, TIP, UNSIGNED, Entry, digest, lost
from anruflotse.records.audit.signing import DAYS, LATEST, NEXT, SPECIAL, Head, over_days
from anruflotse.records.stores.database import Database
from anruflotse.records.stores.tables import audit, audit_tip, heads, secrets
from anruflotse.records.vault.secrets import AUDIT

_PAGE = 1000
_SHOWN = 20
_ENTRY = tuple(one.name for one in fields(Entry))
_NUMBERS = {"at"}

Gap = tuple[int, int]
"""First and last number that are missing."""


@dataclass(frozen=True, slots=True, order=True)
class Damage:
    """Something that is wrong: the number of the entry, 0 when it is about no entry, and a word for it."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was found. `damage` holds the first 20 findings, `found` says how many there were.

    `known_gaps` are losses that the trail itself tells of. `head` is the number the latest signed head stands at.
    """

    entries: int
    damage: tuple[Damage, ...]
    found: int
    known_gaps: tuple[Gap, ...]
    head: int | None
    days: int

    @property
    def intact(self) -> bool:
        """Whether nothing is missing and nothing is wrong."""
        return self.intact_but_for(())

    def intact_but_for(self, accepted: Collection[Gap]) -> bool:
        """Whether nothing is wrong, and nothing missing but the gaps in `accepted`, which a person has looked into."""
        return not self.found and set(self.known_gaps) <= set(accepted)

    @property
    def first_broken(self) -> int | None:
        """The lowest number at which something is wrong or missing; 0 when it is about no entry; None when intact."""
        return min([*(one.seq for one in self.damage), *(first for first, _ in self.known_gaps)], default=None)

    @property
    def wrong(self) -> str | None:
        """The word for what is wrong first; `lost` for a known gap; None when intact."""
        told = [*self.damage, *(Damage(first, "lost") for first, _ in self.known_gaps)]
        return min(told).what if told else None


def verify(rows: Database, keys: Database, key: Ed25519PublicKey | None, expected: Head | None) -> Verified:
    """Check every entry in `rows` and every head in `keys` against `key` (None when none was ever made).

    `expected` is a head filed elsewhere that the trail must still contain; its own signature was checked before.
    Raises `StoreError` when a store cannot be read, which a damaged file may be the reason for.
    """
    walk = _Walk()
    while walk.take_all(_read_page(rows, walk.seq)):
        pass
    with rows.write() as connection:
        # Locked: nobody appends from here on, so the end and the heads belong together.
        connection.execute(select(audit_tip.c.id).with_for_update()).all()
        with _as_stored(connection):
            while walk.take_all(_page(connection, walk.seq)):
                pass
            count = connection.execute(select(func.count()).select_from(audit)).scalar_one()
            tips = [tuple(row) for row in connection.execute(select(audit_tip.c.id, audit_tip.c.seq, audit_tip.c.hash))]
            signed, signing = _heads(keys)
            if count != walk.entries:
                # Entries that no order by number reaches: without a number, or with one twice.
                walk.report(0, "changed")
            _Heads(connection, walk, signed, key).check(signing=signing)
            if tips != [(1, walk.last, walk.hash)] and (tips or walk.entries) and not walk.truncated:
                walk.report(walk.last, "tip")
            if expected is not None:
                _expect(connection, walk, expected)
    latest = next((row[1] for row in signed if row[0] == LATEST), None)
    return Verified(
        entries=count,
        damage=tuple(sorted(walk.damage)),
        found=walk.found,
        known_gaps=tuple(walk.known_gaps),
        head=latest if isinstance(latest, int) else None,
        days=sum(row[0] not in SPECIAL for row in signed),
    )


@dataclass(slots=True)
class _Walk:
    """Goes through the entries in the order of their numbers, and remembers only the last one."""

    seq: object = None
    last: int = 0
    hash: str = FIRST
    role: str = CARRIED
    entries: int = 0
    found: int = 0
    damage: list[Damage] = field(default_factory=list)
    known_gaps: list[Gap] = field(default_factory=list)
    stuck: bool = False
    truncated: bool = False

    def take_all(self, page: list[tuple[object, ...]]) -> bool:
        """Check a page; False when it was the last one."""
        if not page or self.stuck:
            return False
        before = self.seq
        for row in page:
            self.take(row)
        if before is not None and _rank(self.seq) <= _rank(before):
            # A damaged file whose entries do not lie in their order would be paged through for ever.
            self.report(0, "order")
            self.stuck = True
        return not self.stuck

    def report(self, seq: int, what: str) -> None:
        self.found += 1
        if len(self.damage) < _SHOWN:
            self.damage.append(Damage(seq, what))
        elif seq < (last := max(self.damage)).seq:
            self.damage[self.damage.index(last)] = Damage(seq, what)

    def take(self, row: tuple[object, ...]) -> None:
        """Check the next entry: number, values, hash of the one before, own hash."""
        seq, previous, hash_, *values = row
        self.seq = seq
        self.entries += 1
        if type(seq) is not int or seq < 1:
            self.report(0, "changed")
            return
        entry = _entry(values)
        if entry is None or not isinstance(previous, str) or not isinstance(hash_, str):
            self.report(seq, "changed")
            # What follows is tied to its hash, if that is one.
            self.last, self.role = seq, ""
            self.hash = hash_ if isinstance(hash_, str) else ""
            return
        if digest(seq, entry, previous) != hash_:
            self.report(seq, "changed")
        self._follow(seq, entry, previous)
        self.last, self.hash, self.role = seq, hash_, entry.role

    def _follow(self, seq: int, entry: Entry, previous: str) -> None:
        first = self.last + 1
        if entry.act == RESTORED and entry.result == UNSIGNED:
            self.report(seq, "unsigned")
        if entry.act == RESTORED and seq > first and entry.result == lost(first, seq - 1):
            # The subject ties it to what is left, `previous` to what was signed and is lost.
            if entry.subject != self.hash:
                self.report(seq, "order")
            self.known_gaps.append((first, seq - 1))
        elif seq != first:
            self.report(first, "gap")
        elif previous != self.hash or (entry.act == RESTORED and entry.result not in {UNSIGNED, TIP}):
            self.report(seq, "order")

    def missing(self, seq: int) -> bool:
        return any(first <= seq <= last for first, last in self.known_gaps)


class _Heads:
    """Checks the signed heads against the trail that was walked."""

    def __init__(
        self, rows: Connection, walk: _Walk, signed: list[tuple[object, ...]], key: Ed25519PublicKey | None
    ) -> None:
        self._rows = rows
        self._walk = walk
        self._signed = signed
        self._key = key

    def check(self, *, signing: bool) -> None:
        """Report what is wrong; `signing` says whether the key that signs exists."""
        walk = self._walk
        unsigned = {row[0] for row in self._signed if row[4] == b""}
        if not walk.entries or walk.role == CARRIED:
            # A new store, or entries from before there were heads: none were made, or they wait for their signature.
            if not self._signed and not signing and self._key is None:
                return
            if unsigned == set(SPECIAL) == {row[0] for row in self._signed} and self._laid():
                return
        found = {head.day: head for row in self._signed if (head := self._sound(row)) is not None}
        if any(day not in found for day in SPECIAL) or len({row[0] for row in self._signed}) < len(self._signed):
            walk.report(0, "head")
        self._check_end(found.get(LATEST), found.get(NEXT))
        self._check_days(found)

    def _laid(self) -> bool:
        ends = {(row[1], row[2]) for row in self._signed if row[0] != DAYS}
        return ends == {(self._walk.last, self._walk.hash)}

    def _sound(self, row: tuple[object, ...]) -> Head | None:
        """The head in this row, if it is one of ours; else that is reported."""
        day, seq, hash_, at, signature = row
        if (
            isinstance(day, str)
            and type(seq) is int
            and isinstance(hash_, str)
            and type(at) is int
            and isinstance(signature, bytes)
            and self._key is not None
            and (head := Head(day, seq, hash_, at, signature)).fits(self._key)
        ):
            return head
        self._walk.report(0, "head")
        return None

    def _check_end(self, latest: Head | None, following: Head | None) -> None:
        walk = self._walk
        if latest is None:
            return
        if latest.seq > walk.last:
            walk.report(walk.last + 1, "truncated")
            walk.truncated = True
            return
        if _hash_at(self._rows, latest.seq) != latest.hash:
            walk.report(latest.seq, "head")
        if following is None:
            return
        if following.seq == latest.seq + 1:
            if walk.last > following.seq or (walk.last == following.seq and walk.hash != following.hash):
                walk.report(latest.seq + 1, "unsigned")
        elif (following.seq, following.hash) != (latest.seq, latest.hash):
            walk.report(0, "head")
        elif walk.last > latest.seq:
            walk.report(latest.seq + 1, "unsigned")

    def _check_days(self, found: dict[str, Head]) -> None:
        daily = [head for day, head in found.items() if day not in SPECIAL]
        over = found.get(DAYS)
        stored = [(str(row[0]), row[4]) for row in self._signed if row[0] not in SPECIAL]
        told = over_days((day, signature) for day, signature in stored if isinstance(signature, bytes))
        if over is not None and (over.seq, over.hash) != (len(stored), told):
            self._walk.report(0, "head")
        for head in sorted(daily, key=lambda one: one.seq):
            if head.seq > self._walk.last or self._walk.missing(head.seq):
                # Told already: as truncated, by the latest head, or as a known gap.
                continue
            if _hash_at(self._rows, head.seq) != head.hash:
                self._walk.report(head.seq, "head")


def _expect(rows: Connection, walk: _Walk, filed: Head) -> None:
    """Report what a head filed elsewhere shows: both stores put back to an earlier state, or written anew."""
    if filed.seq > walk.last:
        # `next` alone may have been announced and never written.
        if filed.day != NEXT:
            walk.report(walk.last + 1, "truncated")
    elif not walk.missing(filed.seq) and _hash_at(rows, filed.seq) != filed.hash:
        walk.report(filed.seq, "filed")


def _rank(value: object) -> tuple[int, float, bytes]:
    """Where SQLite sorts a value: numbers, texts, everything else."""
    if isinstance(value, int | float):
        return 0, value, b""
    if isinstance(value, str):
        return 1, 0, value.encode("utf-8", "surrogateescape")
    return 2, 0, value if isinstance(value, bytes) else b""


def _entry(values: list[object]) -> Entry | None:
    """The entry, if every value has exactly the type it was written with."""
    told = dict(zip(_ENTRY, values, strict=True))
    if any(type(value) is not (int if name in _NUMBERS else str) for name, value in told.items()):
        return None
    return Entry(**told)  # type: ignore[arg-type]


def _page(rows: Connection, seq: object) -> list[tuple[object, ...]]:
    """The next page, from the start for None. Without limits on what a number may be: what sorts is met."""
    found = select(audit.c.seq, audit.c.previous, audit.c.hash, *(audit.c[name] for name in _ENTRY))
    if seq is not None:
        found = found.where(audit.c.seq > seq)
    return [tuple(row) for row in rows.execute(found.order_by(audit.c.seq).limit(_PAGE))]


def _read_page(rows: Database, seq: object) -> list[tuple[object, ...]]:
    with rows.read() as connection, _as_stored(connection):
        return _page(connection, seq)


def _heads(keys: Database) -> tuple[list[tuple[object, ...]], bool]:
    """All heads as they are stored, and whether the key that signs exists."""
    columns = (heads.c.day, heads.c.seq, heads.c.hash, heads.c.at, heads.c.signature)
    with keys.read() as connection, _as_stored(connection):
        # The key first: it is made after the first heads.
        signing = connection.execute(select(secrets.c.name).where(secrets.c.name == AUDIT)).first() is not None
        signed = [tuple(row) for row in connection.execute(select(*columns))]
    return signed, signing


def _hash_at(rows: Connection, seq: int) -> object:
    """The hash of the entry of this number; that of nothing for 0."""
    if seq == 0:
        return FIRST
    return rows.execute(select(audit.c.hash).where(audit.c.seq == seq)).scalars().first()


@contextlib.contextmanager
def _as_stored(connection: Connection) -> Iterator[None]:
    """Read what is there, whatever it is: SQLite holds texts that are not UTF-8, and Python would refuse them."""
    driver = connection.connection.dbapi_connection
    if connection.dialect.name != "sqlite" or driver is None:
        yield
        return
    before = driver.text_factory
    driver.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        driver.text_factory = before
