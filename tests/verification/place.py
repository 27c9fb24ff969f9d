"""A test store as a stage leaves it, made without a call: one record of one caller; nobody has it open."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

from anruflotse.app.building import make_records
from anruflotse.clock import SystemClock
from anruflotse.lines.peers import tone
from anruflotse.records.model import Draft, Purpose, RankedConcern
from anruflotse.settings import Settings, load
from anruflotse.verification.afterwards import Subject
from anruflotse.verification.evidence import RecordLeft
from anruflotse.verification.stage import NUMBER, OFFICER

CALLER = NUMBER.format(100)
WORDS = "Meine Mutter braucht einen Pflegegrad."


def settings_in(data: Path) -> Settings:
    """Settings as shipped, with this data directory and no console that could be running."""
    return load(None, {"data": data, "console.port": 0}, environ={})


def subject_in(home: Path, **changes: object) -> Subject:
    """A store below `home` with a record; `changes` are those of its draft."""
    clock = SystemClock()
    settings = settings_in(home / "data")
    now = clock.now()
    facts: dict[str, object] = {
        "reference": "0123456789abcdef",
        "started_at": now - timedelta(seconds=30),
        "recorded_at": now - timedelta(seconds=10),
        "decision": "route",
        "outcome": "succeeded",
        "concern": "pflege",
        "department": "pflegekasse",
        "target": "sip:z1@127.0.0.1",
        "transcripts": (WORDS,),
        "ranking": (RankedConcern("pflege", "pflegekasse", 0.9),),
        "recording": tone(seconds=1.0),
        "caller": CALLER,
        "notice_version": "0123456789abcdef",
    }
    with closing(make_records(settings, clock)) as store:
        store.prepare()
        record_id = store.seal(Draft(**{**facts, **changes}))  # type: ignore[arg-type]
        store.count("routed", "pflegekasse")
        record = store.open(record_id, OFFICER, Purpose.RIGHTS)
    left = RecordLeft(
        record_id,
        reference=record.summary.reference,
        recorded_at=record.summary.recorded_at,
        expires_at=record.summary.expires_at,
        concern=record.summary.concern,
        department=record.summary.department,
        legal_basis=record.legal_basis,
        purpose=record.purpose.value,
        notice_version=record.notice_version,
    )
    return Subject(left, CALLER, settings.data, settings, clock)
