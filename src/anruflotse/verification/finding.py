"""What verification says about a promise, and about each sentence of the notice by the promises it makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from anruflotse.notice import Promise, Sentence


class Status(StrEnum):
    """Whether a promise is kept. What was not looked at is `UNPROVEN`, never `KEPT`."""

    KEPT = "kept"
    BROKEN = "broken"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise at `checked_at` (aware, UTC): its status, and what was seen, a sentence each."""

    promise: Promise
    status: Status
    evidence: tuple[str, ...]
    checked_at: datetime


@dataclass(frozen=True, slots=True)
class SentenceFinding:
    """A sentence of the notice as published, the promises it makes, and whether it is true."""

    sentence: str
    promises: tuple[Promise, ...]
    status: Status


def together(statuses: Iterable[Status]) -> Status:
    """One status for several: broken when one is, kept when all are and there is one at all, else unproven."""
    found = set(statuses)
    if Status.BROKEN in found:
        return Status.BROKEN
    return Status.KEPT if found == {Status.KEPT} else Status.UNPROVEN


def of_sentences(sentences: Iterable[Sentence], findings: Iterable[Finding]) -> tuple[SentenceFinding, ...]:
    """Each sentence with the status its promises give it; a promise without a finding is unproven."""
    known: Mapping[Promise, Status] = {finding.promise: finding.status for finding in findings}
    return tuple(
        SentenceFinding(
            sentence.text,
            sentence.promises,
            together(known.get(promise, Status.UNPROVEN) for promise in sentence.promises),
        )
        for sentence in sentences
    )
