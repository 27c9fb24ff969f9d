"""Evidence of a system that keeps every promise, and the judgement on evidence, short enough for a test's one line."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from anruflotse.notice import Facts, Notice
from anruflotse.verification import spec
from anruflotse.verification.cast import CAST, OBJECTIONS_IN_CALL
from anruflotse.verification.evidence import (
    Access,
    Agreed,
    Agreements,
    CallSeen,
    Erasure,
    Evidence,
    Expiry,
    Page,
    PromptHeard,
    Published,
    Purposes,
    RecordLeft,
    Right,
    Said,
    Store,
    Sweep,
    Wording,
)
from anruflotse.verification.finding import Status
from anruflotse.verification.judging import judge

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
NOTICE = Notice(Facts(processors=(), without_agreement=("Aristech GmbH", "vitaservices GmbH & Co. KG")))
RECORD = RecordLeft(
    "a" * 32,
    reference="0123456789abcdef",
    recorded_at=NOW,
    expires_at=NOW + timedelta(days=28),
    seconds=8.0,
    phases={"early": 0.0, "answer": 1.0, "confirm": 0.0, "connecting": 0.0, "handed": 0.0, "staff": 0.0},
    likeness=0.95,
    concern="pflege",
    department="pflegekasse",
    legal_basis="§ 284 SGB V i. V. m. Art. 6 Abs. 1 lit. e DSGVO",
    purpose="weiterleitung",
    notice_version=NOTICE.version(),
)
CALL = CallSeen(
    "concern",
    notice=PromptHeard(1.0, 0.1, 12.0, to_its_end=True),
    notice_words="Guten Tag, automatischer Sprachassistent. Ich zeichne Ihre Antwort auf. 9 oder Widerspruch sagen.",
    question=PromptHeard(1.0, 12.1, 14.0, to_its_end=True),
    said=tuple(Said(phase, 1.0, 2.0) for phase in ("early", "answer", "connecting", "handed", "staff")),
    reached="pflegekasse",
    reached_at=24.0,
    expected="pflegekasse",
    handed_over_at=22.0,
    leg_closed_at=24.1,
    user_to_user="0123456789abcdef;encoding=hex",
    told="INVITE sip:z1@127.0.0.1",
    order=(
        *("Answered", "Play:hinweis", "NoticeFinished", "Play:frage", "StartRecording", "TurnEnded", "StopRecording"),
        *("RecorderStopped", "Understood", "Play:verbinde", "Transfer", "TransferSucceeded", "Seal", "Count"),
    ),
    tally="routed",
    records=(RECORD,),
)
OBJECTION = CallSeen(
    "key_in_notice", objected_at=1.0, reached="mensch", reached_at=3.0, tally="objection", records=(), order=("Count",)
)
PAGE = Page(
    "http://127.0.0.1:1/datenschutzhinweis",
    200,
    language="de",
    to_top=True,
    text=" ".join(sentence.text for sentence in NOTICE.sentences()),
    version=NOTICE.version(),
)
RIGHTS = tuple(Right(article, worked=True, seen="ging.") for article in range(15, 22))


def kept() -> Evidence:
    """Nothing is wrong."""
    calls = {name: replace(OBJECTION, name=name) for name in (*OBJECTIONS_IN_CALL, "objected_before")}
    calls["key_while_ringing"] = replace(
        OBJECTION, name="key_while_ringing", reached="pflegekasse", expected="pflegekasse"
    )
    calls["notice_lost"] = replace(OBJECTION, name="notice_lost", objected_at=None, tally="fault")
    calls["privacy"] = replace(
        CALL,
        name="privacy",
        contact=PromptHeard(1.0, 15.0, 20.0, to_its_end=True),
        expected="recht",
        reached="recht",
        records=(replace(RECORD, concern="datenschutz", department="recht"),),
    )
    calls["concern"] = CALL
    assert calls.keys() == CAST.keys()
    return Evidence(
        NOW,
        calls=calls,
        sweep=Sweep(NOW, NOW + timedelta(seconds=1), 1.0),
        expiry=Expiry(
            28, NOW, readable_before=True, readable_after=False, listed_after=False, key_left=False, row_left=False
        ),
        erasures=(
            Erasure("Kennung", gone=True, key_left=False, readable_after_restore=False, key_after_restore=False),
        ),
        access=Access(
            table=spec.ACCESS,
            tried=spec.ACCESS,
            could=spec.ACCESS,
            elsewhere=False,
            untold=0,
            trail_intact=True,
            tampering_noticed=True,
        ),
        purposes=Purposes(
            tuple(spec.PURPOSES), tuple(spec.OPENING), readers=(), counted=tuple(spec.COUNTED), linked=False
        ),
        test_store=Store("test", records=1, keys=1, purposes={"weiterleitung": 1}, trail_intact=True),
        live_store=Store(
            "live", records=3, keys=3, bases={RECORD.legal_basis: 3}, purposes={"weiterleitung": 3}, trail_intact=True
        ),
        live_looked_at=True,
        agreements=Agreements(
            processors=(
                Agreed("aristech", "Aristech GmbH", frozenset(), frozenset()),
                Agreed("vitaservices", "vitaservices GmbH & Co. KG", frozenset(), frozenset()),
            ),
            unagreed_targets=(),
            probed="aristech",
            received=0,
        ),
        wording=Wording(
            days=28,
            longer_because=None,
            objection_key="9",
            contact_written=NOTICE.facts.privacy_contact,
            contact_spoken="unsere Datenschutzbeauftragte",
            contact_prompt="Bei Fragen erreichen Sie unsere Datenschutzbeauftragte.",
            notice_prompt="Automatischer Sprachassistent. Ich zeichne auf. Widerspruch sagen.",
            people=1,
            destinations={"pflegekasse": 1},
        ),
        published=Published(
            expected=tuple(sentence.text for sentence in NOTICE.sentences()), version=NOTICE.version(), test=PAGE
        ),
        rights=RIGHTS,
        strays=0,
    )


def told(evidence: Evidence, status: Status) -> set[str]:
    """The promises with this status."""
    return {finding.promise.value for finding in judge(evidence) if finding.status is status}


def broken(evidence: Evidence) -> set[str]:
    """The promises that are broken; all others must be kept."""
    assert told(evidence, Status.UNPROVEN) == set(), "nothing may be left unproven by what was changed"
    return told(evidence, Status.BROKEN)


def with_call(evidence: Evidence, name: str, call: CallSeen) -> Evidence:
    """The same with another call of this name."""
    return replace(evidence, calls={**evidence.calls, name: call})
