"""The desk at which requests are worked on: filed, read, changed and put back, each step with its time and its name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from anruflotse.clock import Clock
from anruflotse.records.access import Accessor
from anruflotse.records.model import Case, ConflictError, NotFoundError, Purpose, Record
from anruflotse.records.repository import Records
from anruflotse.records.vault.master import TamperedError
from anruflotse.rights import body
from anruflotse.rights.due import Due, due
from anruflotse.rights.house import House
from anruflotse.rights.model import Proof, Request, RightsError, Step, Todo

_ATTEMPTS = 5
_MOST = 10_000
"""Requests that are looked through: many years of them (a thousand take about a second)."""
_NUMBERED = re.compile(r"[0-9]{1,6}-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """A request in its place. `id` is the number of the case; times in UTC."""

    id: str
    filed_at: datetime
    expires_at: datetime
    request: Request


class Office:
    """Reads and writes requests in the record store. Blocking, like the store; safe with several officers at once."""

    def __init__(self, records: Records, clock: Clock, house: House) -> None:
        """Work on what `records` holds; `house` is what letters say about the insurer."""
        self.records = records
        self.house = house
        self._clock = clock

    def now(self) -> datetime:
        """The time, in UTC."""
        return self._clock.now()

    def due(self, request: Request) -> Due:
        """By when it has to be answered."""
        return due(request.received, self.house.federal_state, extended=bool(request.extended_because))

    def file(self, request: Request, accessor: Accessor) -> Filed:
        """Open a case. Raises `AccessRefusedError`, `StoreError`."""
        case_id = self.records.file_case(body.pack(request), accessor, expires_at=self._expiry())
        return self.get(case_id, accessor)

    def get(self, case_id: str, accessor: Accessor) -> Filed:
        """A request. Raises `NotFoundError`, `AccessRefusedError`, `StoreError`."""
        return _filed(self.records.case(case_id, accessor))

    def all(self, accessor: Accessor) -> tuple[Filed, ...]:
        """All requests there are, newest first. Raises `AccessRefusedError`, `StoreError`."""
        return tuple(_filed(case) for case in self.records.cases(accessor, _MOST))

    def change(self, case_id: str, accessor: Accessor, how: Callable[[Request], Request]) -> Filed:
        """Change a request by `how`, which is asked again when somebody else was faster.

        Every change puts off the end of the case, so that its retention counts from the last one: its closing. Raises
        what `how` raises, `NotFoundError`, `AccessRefusedError`, `StoreError`, `ConflictError`.
        """
        for attempt in range(_ATTEMPTS):
            case = self.records.case(case_id, accessor)
            changed = how(body.unpack(case.body))
            try:
                self.records.update_case(
                    case_id, body.pack(changed), accessor, version=case.version, expires_at=self._expiry()
                )
            except ConflictError:
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            break
        return self.get(case_id, accessor)

    def step(self, request: Request, accessor: Accessor, what: str, note: str = "") -> Request:
        """The request with one more step."""
        step = Step(at=self.now(), by=accessor.name, what=what, note=note)
        return replace(request, steps=(*request.steps, step))

    def keep(self, case_id: str, files: Mapping[str, bytes], accessor: Accessor) -> tuple[Proof, ...]:
        """Lay files beside the request, which must hold no word a caller said, and prove them.

        What is there already stays: a later letter gets the next number (`2-loeschung.pdf`).
        """
        for attempt in range(_ATTEMPTS):
            there = self.records.attachments(case_id, accessor)
            number = 1 + max((int(name.partition("-")[0]) for name in there if _NUMBERED.match(name)), default=0)
            numbered = {f"{number}-{name}": data for name, data in files.items()}
            try:
                for name, data in numbered.items():
                    self.records.attach(case_id, name, data, accessor)
            except ConflictError:
                # Somebody else wrote a letter at the same moment: the next number is free.
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            break
        return self.proofs(numbered, kept=True)

    def proofs(self, files: Mapping[str, bytes], *, kept: bool) -> tuple[Proof, ...]:
        """What proves later that these were the files."""
        return tuple(
            Proof(name=name, sha256=hashlib.sha256(data).hexdigest(), size=len(data), at=self.now(), kept=kept)
            for name, data in files.items()
        )

    def open(self, record_id: str, accessor: Accessor, *, audio: bool = False) -> Record | None:
        """A record; None when it has ended. Raises `AccessRefusedError`, `StoreError`."""
        try:
            return self.records.open(record_id, accessor, Purpose.RIGHTS, audio=audio)
        except NotFoundError:
            return None

    def peek(self, record_id: str, accessor: Accessor) -> Record | None:
        """Like `open`, and None too for what is damaged: it can be destroyed, not read."""
        try:
            return self.open(record_id, accessor)
        except TamperedError:
            return None

    def _expiry(self) -> datetime:
        return self.now() + timedelta(days=self.house.case_days)


def with_todos(request: Request, wanted: tuple[tuple[str, str, str], ...], *, anew: bool = False) -> Request:
    """The request with these to-dos (kind, recipient, task) added, but for those that are there already.

    With `anew` one that is settled does not count: it is to be done once more.
    """
    there = {(todo.kind, todo.recipient, todo.task) for todo in request.todos if todo.open or not anew}
    added = [one for one in dict.fromkeys(wanted) if one not in there]
    first = max((todo.number for todo in request.todos), default=0) + 1
    made = tuple(
        Todo(number=number, kind=kind, recipient=recipient, task=task)
        for number, (kind, recipient, task) in enumerate(added, first)
    )
    return replace(request, todos=(*request.todos, *made))


def _filed(case: Case) -> Filed:
    try:
        request = body.unpack(case.body)
    except ValueError as error:
        # Static sentences of `body`.
        raise RightsError(str(error)) from None
    return Filed(id=case.id, filed_at=case.filed_at, expires_at=case.expires_at, request=request)
