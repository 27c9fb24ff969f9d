"""What a record is made of, and the closed lists it draws on.

Everything a caller said, everything derived from it and the caller's number stay out of every `repr`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from anruflotse.pcm import Pcm

LEGAL_BASIS = "§ 284 SGB V i. V. m. Art. 6 Abs. 1 lit. e DSGVO"
"""The legal basis the public notice names."""

RETENTION_DAYS = 28
"""The longest a record lives, as the public notice promises."""

REFERENCE = re.compile(r"[0-9a-f]{8,64}")


class Purpose(StrEnum):
    """What a record may be read for. Closed: the notice promises "ausschließlich"; there is no purpose for training."""

    FORWARDING = "weiterleitung"
    """To understand the request, to classify it and to forward it: what the recording was made for."""
    RIGHTS = "betroffenenrechte"
    """To answer a request under Art. 15-21 GDPR."""
    SUPERVISION = "datenschutzkontrolle"
    """To check that the promises are kept (Art. 39(1)(b), Art. 58(1) GDPR)."""
    STATISTICS = "statistik"
    """To look at counters, which lead to no call; opens no record."""
    OPERATION = "betrieb"
    """To run the machine; opens no record."""


class DestroyReason(StrEnum):
    """Why a record was destroyed; all that is left of it beside its id and the time."""

    EXPIRED = "abgelaufen"
    ERASED = "geloescht"
    """Erasure on request or by law (Art. 17 GDPR)."""
    OBJECTED = "widersprochen"
    """Objection after the call (Art. 21 GDPR)."""
    ABANDONED = "abgebrochen"
    """The caller hung up before the request could be forwarded."""
    HALF_WRITTEN = "unvollstaendig"
    """The key or the row was missing: a write that was never finished, or an old backup."""


class StoreError(Exception):
    """The record store cannot do what was asked; the message is static, says what to do and holds no content."""


class AccessRefusedError(Exception):
    """A read was refused: no such record, expired, restricted, or a purpose that is not on the list."""


class NotFoundError(AccessRefusedError):
    """There is no such record, or there is none any more."""


class ConflictError(Exception):
    """Somebody else was faster: look at what is there now, then do it again. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class RankedConcern:
    """One line of the classifier's ranking: concern and department keys, probability 0..1."""

    concern: str = field(repr=False)
    department: str = field(repr=False)
    probability: float = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a call hands over when it was forwarded. Lives in memory only.

    `transcripts` are the caller's utterances in order; `decision` and `outcome` are short keys (`route`, `succeeded`);
    `target` is what was dialled; `reference` the opaque hex string that travelled with the transfer; `caller` the
    number, if the network gave one; times are aware. `second_concern` is one the caller named beside `concern`, which
    the call was forwarded for. `explanations` say why each turn was decided as it was, in
    shapes of JSON (`understanding.explaining`). Raises `ValueError` when nothing is to keep or a shape is wrong.
    """

    reference: str
    started_at: datetime
    recorded_at: datetime
    decision: str = field(repr=False)
    outcome: str = field(repr=False)
    concern: str | None = field(default=None, repr=False)
    second_concern: str | None = field(default=None, repr=False)
    department: str | None = field(default=None, repr=False)
    target: str | None = field(default=None, repr=False)
    transcripts: tuple[str, ...] = field(default=(), repr=False)
    ranking: tuple[RankedConcern, ...] = field(default=(), repr=False)
    evidence: tuple[str, ...] = field(default=(), repr=False)
    explanations: tuple[Mapping[str, object], ...] = field(default=(), repr=False)
    recording: Pcm | None = field(default=None, repr=False)
    caller: str | None = field(default=None, repr=False)
    processors: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    notice_version: str = ""
    legal_basis: str = LEGAL_BASIS
    purpose: Purpose = Purpose.FORWARDING

    def __post_init__(self) -> None:
        """Refuse what would make a record that cannot be found, cannot expire or says nothing."""
        if not REFERENCE.fullmatch(self.reference):
            message = "A reference is 8 to 64 lower-case hex digits."
            raise ValueError(message)
        if self.started_at.tzinfo is None or self.recorded_at.tzinfo is None:
            message = "The times of a draft need a time zone: give UTC."
            raise ValueError(message)
        if not (self.recording and self.recording.data) and not any(self.transcripts):
            message = "A draft without recording and transcript is no record: count the call instead."
            raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A line of the list: what a record is about, without the caller's words and number. Times in UTC."""

    id: str
    reference: str
    recorded_at: datetime
    expires_at: datetime
    concern: str | None = field(repr=False)
    department: str | None = field(repr=False)
    decision: str = field(repr=False)
    outcome: str = field(repr=False)
    restricted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What the person says was said or meant (Art. 16 GDPR), beside what was recognised, which stays as it is.

    `utterance` is the index in `transcripts`, from 0; `at` when it was entered (UTC) and `accessor` by whom. Of several
    for one utterance the last one counts.
    """

    utterance: int
    text: str = field(repr=False)
    at: datetime
    accessor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record opened for a named accessor and purpose. Times in UTC.

    `recording` is a FLAC file as bytes, and only there when audio was asked for and exists; `has_recording` tells that.
    """

    summary: Summary
    second_concern: str | None = field(default=None, repr=False)
    started_at: datetime
    target: str | None = field(repr=False)
    transcripts: tuple[str, ...] = field(repr=False)
    ranking: tuple[RankedConcern, ...] = field(repr=False)
    evidence: tuple[str, ...] = field(repr=False)
    explanations: tuple[Mapping[str, object], ...] = field(default=(), repr=False)
    caller: str | None = field(repr=False)
    has_recording: bool
    recording: bytes | None = field(default=None, repr=False)
    processors: tuple[str, ...]
    engines: tuple[str, ...]
    notice_version: str
    legal_basis: str
    purpose: Purpose
    corrections: tuple[Correction, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What a department may see of a call that was handed to it: what it was about, in words. Times in UTC.

    Without a `concern` it was not understood, and the words are all there is. `second_concern` is another one that the
    caller named: whoever takes the call should ask about it, or pass the caller on when the first is settled.
    """

    reference: str
    recorded_at: datetime
    expires_at: datetime
    concern: str | None = field(repr=False)
    second_concern: str | None = field(default=None, repr=False)
    department: str | None = field(repr=False)
    transcripts: tuple[str, ...] = field(repr=False)
    corrections: tuple[Correction, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The request of a person (Art. 15-21 GDPR) as `rights` wrote it: `body` is JSON, and opaque here.

    `version` counts its changes from 1; `expires_at` is when it is destroyed. Times in UTC.
    """

    id: str
    filed_at: datetime
    expires_at: datetime
    version: int
    body: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Somebody who read a record: name, role, purpose and kind of access as the trail has them, `at` in UTC."""

    accessor: str
    role: str
    purpose: str
    act: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep did, to records and cases alike; `objections` are those whose time was over.

    `failed` counts what resisted; `scrubbed` is False while a reader holds the log.
    """

    deleted: int
    keys_destroyed: int
    failed: int
    scrubbed: bool
    at: datetime
    objections: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state of the store. `deleted` and `keys_destroyed` count since the store was made, cases included.

    `overdue` records have expired and wait for the sweep (no read shows them); `overlong` ones expire later than the
    retention allows from today on, which means that the machine's clock was ahead when they were made. `restricted`
    records are open to rights handling only; `held` ones outlive their expiry, and for `reviews_due` of the restricted
    ones the date of review has come. `cases` are requests of persons; `objections` numbers that are not recorded.
    """

    records: int
    next_expiry: datetime | None
    overdue: int
    overlong: int
    deleted: int
    keys_destroyed: int
    restricted: int
    held: int
    reviews_due: int
    at: datetime
    cases: int = 0
    objections: int = 0


@dataclass(frozen=True, slots=True)
class Counter:
    """How often something happened on a day (ISO date, Europe/Berlin): nothing in it leads to a call."""

    day: str
    kind: str
    department: str
    decision: str
    number: int


def retention(days: int, longer_reason: str | None = None) -> timedelta:
    """The retention as a duration. Raises `ValueError` under one day, and over 28 days without a named legal reason."""
    if days < 1:
        message = "The retention is a whole number of days from 1 to 28."
        raise ValueError(message)
    if days > RETENTION_DAYS and not (longer_reason or "").strip():
        message = f"Retaining {days} days breaks the promise of {RETENTION_DAYS}: shorten it, or name the legal reason."
        raise ValueError(message)
    return timedelta(days=days)


SMALL = 5
"""Counts below this are not shown: who knows that somebody called could otherwise learn what it was about."""


@dataclass(frozen=True, slots=True)
class Statistic:
    """A counter as it may be shown: `number` is None where it is under `SMALL`."""

    day: str
    kind: str
    department: str
    decision: str
    number: int | None
