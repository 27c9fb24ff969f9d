"""The promises the notice makes, by number: what `anruflotse verify` proves and every sentence refers to."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Promise(StrEnum):
    """A promise of the notice; `meaning` says what the software does about it."""

    meaning: str

    def __new__(cls, number: str, meaning: str) -> Self:
        """Make the member `number` with its meaning."""
        member = str.__new__(cls, number)
        member._value_ = number
        member.meaning = meaning
        return member

    P1 = "P1", "asks for the concern at the start of the call, as an automated assistant"
    P2 = "P2", "records the caller's answer only, and processes it to recognise its content"
    P3 = "P3", "hands the concern to the competent department"
    P4 = "P4", "records nothing of the conversation with staff"
    P5 = "P5", "processes speech solely to understand, classify and forward"
    P6 = "P6", "keeps the legal basis with every record"
    P7 = "P7", "informs about the recording before it begins"
    P8 = "P8", "lets the caller object at any time"
    P9 = "P9", "keeps no recording after an objection"
    P10 = "P10", "puts callers who object through to a person directly"
    P11 = "P11", "deletes recording and derived content after the retention period"
    P12 = "P12", "deletes earlier on request or where the law demands it"
    P13 = "P13", "gives access to entrusted staff only"
    P14 = "P14", "gives data to processors under an agreement only"
    P15 = "P15", "serves the rights of Articles 15 to 21 GDPR"
    P16 = "P16", "names the data protection officer as the contact"
    P17 = "P17", "publishes this notice"
