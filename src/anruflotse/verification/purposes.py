"""What data can be used for: the closed list of purposes, the counters, and who could learn from recordings. Blocks."""

from __future__ import annotations

from sqlalchemy import select

from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import AccessRefusedError, Purpose, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.stores.tables import counters
from anruflotse.verification.afterwards import Subject, copied, opened
from anruflotse.verification.evidence import Purposes
from anruflotse.verification.inspection import Place, rows_of

FORBIDDEN = ("training", "werbung", "leistungskontrolle", "auswertung", "")
"""Purposes one might think of, and none at all: nobody may open anything for them."""


def look_at_purposes(subject: Subject, numbers: tuple[str, ...], readers: tuple[str, ...]) -> Purposes:
    """Try to open the record for every purpose, and look into the counters for what leads to a call."""
    listed = tuple(purpose.value for purpose in Purpose)
    with copied(subject, "purposes") as data:
        with opened(subject, data) as store:
            opening = tuple(one for one in (*listed, *FORBIDDEN) if _opens(store, subject.record.id, one))
        rows = rows_of(Place(data / "records"), select("*").select_from(counters))
    secrets = (subject.record.id, subject.record.reference, *(number[1:] for number in numbers))
    return Purposes(
        listed=listed,
        opening=opening,
        readers=readers,
        counted=tuple(sorted({name for row in rows for name in row})),
        linked=any(secret in str(value) for row in rows for value in row.values() for secret in secrets if secret),
    )


def _opens(store: Records, record_id: str, purpose: str) -> bool:
    """Whether anybody at all may open the record for `purpose`."""
    for role in Role:
        try:
            store.open(record_id, Accessor("anruflotse verify", role), purpose)
        except (AccessRefusedError, StoreError):
            continue
        return True
    return False
