"""The door everybody passes who wants to see something: admitted or refused, and in the audit trail either way."""

from __future__ import annotations

import re
from collections.abc import Callable

from anruflotse.clock import Clock
from anruflotse.records.access import Accessor, Kind, allowed
from anruflotse.records.audit.entry import Entry
from anruflotse.records.audit.trail import Trail
from anruflotse.records.model import AccessRefusedError, Purpose
from anruflotse.records.times import to_micros

ID = re.compile(r"[0-9a-f]{32}")
"""The shape of a record's id."""


def is_text(typed: str) -> bool:
    """Whether UTF-8 can hold it; half characters (bytes of another encoding on the command line) name nothing."""
    try:
        typed.encode()
    except UnicodeEncodeError:
        return False
    return True


class Door:
    """Decides by the table of `access` and writes into the trail before anybody is told anything."""

    def __init__(self, trail: Callable[[], Trail], clock: Clock) -> None:
        """Write into what `trail` returns, which may raise `StoreError`: then there is no access."""
        self._trail = trail
        self._clock = clock

    def admit(self, accessor: Accessor, purpose: str, kind: Kind, record_id: str | None = None) -> Purpose:
        """The purpose, if this accessor may do this for it. Raises `AccessRefusedError`, once the refusal is noted."""
        try:
            stated = Purpose(purpose)
        except ValueError:
            self.log(accessor, None, kind, record_id, "refused_purpose")
            message = f"This purpose is not on the list. Purposes are: {', '.join(Purpose)}."
            raise AccessRefusedError(message) from None
        if not allowed(accessor.role, stated, kind):
            self.log(accessor, stated, kind, record_id, "refused_role")
            message = f"The role {accessor.role} may not do this for the purpose {stated}."
            raise AccessRefusedError(message)
        return stated

    def log(self, accessor: Accessor, purpose: Purpose | None, kind: Kind, record_id: str | None, result: str) -> None:
        """Append to the trail; what was typed as an id is only kept when it has the shape of one."""
        shown = record_id if record_id and ID.fullmatch(record_id) else "-"
        self._trail().append(
            Entry(
                at=to_micros(self._clock.now()),
                accessor=accessor.name,
                role=accessor.role,
                purpose=purpose or "-",
                act=kind,
                subject=shown,
                result=result,
            )
        )
