"""Cases for tests, and raw looks at what is left of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from anruflotse.clock import FakeClock
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import Purpose
from anruflotse.records.repository import Records
from tests.records.conftest import OFFICER
from tests.records.faults import ask, keys_of, rows_of

CANARY = "KANARIE-Müller"
BODY = {"article": 15, "who": CANARY, "steps": [{"at": "2026-03-03", "done": True}], "note": None}
YEARS = timedelta(days=3 * 365)
TECHNICIAN = Accessor("Technik", Role.OPERATIONS)


def filed(store: Records, clock: FakeClock, life: timedelta = YEARS, **body: object) -> str:
    return store.file_case({**BODY, **body}, OFFICER, expires_at=clock.now() + life)


def acts(store: Records) -> list[tuple[str, str, str]]:
    """What the trail says about cases: id, and what came of it."""
    told = store.trail(OFFICER, Purpose.RIGHTS)
    return [(one.entry.act, one.entry.subject, one.entry.result) for one in told if one.entry.act == "case"]


def left(store: Records) -> list[list[Any]]:
    """Ids in every table that may hold something of a case."""
    found = [ask(keys_of(store), "SELECT id FROM keys"), ask(rows_of(store), "SELECT id FROM cases")]
    return [*found, ask(rows_of(store), "SELECT case_id FROM attachments")]
