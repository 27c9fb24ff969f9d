"""A draft as the bytes that are sealed, and back. Each part is sealed by itself, so that a list opens only the summary.

Text is padded to full blocks: the length of a ciphertext must not tell one concern or number from another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from anruflotse.records import flac
from anruflotse.records.model import Correction, Draft, RankedConcern
from anruflotse.records.times import from_micros, to_micros

SUMMARY = "summary"
DETAILS = "details"
CALLER = "caller"
RECORDING = "recording"

_BLOCK = 256
_SUMMARY_BLOCK = 512
"""So that every summary is one block long, with what binds the row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What was said and how it was understood; the fields are those of `Draft`."""

    transcripts: tuple[str, ...] = field(repr=False)
    ranking: tuple[RankedConcern, ...] = field(repr=False)
    evidence: tuple[str, ...] = field(repr=False)
    explanations: tuple[Mapping[str, object], ...] = field(repr=False)
    second_concern: str | None = field(repr=False)
    target: str | None = field(repr=False)
    processors: tuple[str, ...]
    engines: tuple[str, ...]
    notice_version: str


def pack(draft: Draft, row: str | None = None) -> dict[str, bytes]:
    """The parts of `draft`, by name; a caller it does not know and a recording without a sample are left out.

    `row` is the digest of what is stored beside them in plain. It is sealed into the summary, together with the names
    of the parts, so that neither can be changed unnoticed.
    """
    parts = {
        DETAILS: _padded(
            {
                "transcripts": draft.transcripts,
                "ranking": [[line.concern, line.department, line.probability] for line in draft.ranking],
                "evidence": draft.evidence,
                "explanations": [dict(one) for one in draft.explanations],
                "second_concern": draft.second_concern,
                "target": draft.target,
                "processors": draft.processors,
                "engines": draft.engines,
                "notice_version": draft.notice_version,
            }
        ),
    }
    if draft.caller:
        parts[CALLER] = _padded(draft.caller)
    if draft.recording and draft.recording.data:
        parts[RECORDING] = flac.encode(draft.recording)
    told: dict[str, object] = {
        "concern": draft.concern,
        "department": draft.department,
        "decision": draft.decision,
        "outcome": draft.outcome,
    }
    if row is not None:
        told |= {"row": row, "parts": sorted([SUMMARY, *parts])}
    parts[SUMMARY] = _padded(told, _SUMMARY_BLOCK)
    return parts


def summary(plain: bytes) -> Mapping[str, str | None]:
    """The summary: `concern`, `department`, `decision`, `outcome`."""
    stored = json.loads(plain)
    return {name: stored[name] for name in ("concern", "department", "decision", "outcome")}


def binding(plain: bytes) -> tuple[str, frozenset[str]] | None:
    """What a summary binds: the digest of the row and the names of the parts; None in records from before it did."""
    stored = json.loads(plain)
    return (str(stored["row"]), frozenset(stored["parts"])) if "row" in stored else None


def details(plain: bytes) -> Details:
    """The details as they were packed."""
    stored = json.loads(plain)
    return Details(
        transcripts=tuple(stored["transcripts"]),
        ranking=tuple(RankedConcern(*line) for line in stored["ranking"]),
        evidence=tuple(stored["evidence"]),
        explanations=tuple(stored.get("explanations", ())),  # records of earlier versions have none
        second_concern=stored.get("second_concern"),  # nor this
        target=stored["target"],
        processors=tuple(stored["processors"]),
        engines=tuple(stored["engines"]),
        notice_version=stored["notice_version"],
    )


def pack_correction(correction: Correction) -> bytes:
    """A correction as it is sealed."""
    told = {
        "utterance": correction.utterance,
        "text": correction.text,
        "at": to_micros(correction.at),
        "accessor": correction.accessor,
    }
    return _padded(told)


def correction(plain: bytes) -> Correction:
    """A correction as it was packed."""
    stored = json.loads(plain)
    return Correction(
        utterance=int(stored["utterance"]),
        text=str(stored["text"]),
        at=from_micros(stored["at"]),
        accessor=str(stored["accessor"]),
    )


def caller(plain: bytes) -> str:
    """The caller's number as the network gave it."""
    return str(json.loads(plain))


def _padded(value: object, block: int = _BLOCK) -> bytes:
    """JSON, filled up with blanks, which JSON ignores. Half characters, which UTF-8 does not have, become `?`."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return text.ljust(-(-len(text) // block) * block)
