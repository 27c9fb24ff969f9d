"""The words for what becomes of a call: its states, its events, and why it failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from anruflotse.lines.peers.message import SipError


class CallFailedError(SipError):
    """The call was not answered; `status` is the SIP status that said so (408 when the ringing was given up)."""

    def __init__(self, status: int, reason: str) -> None:
        """Note what came instead of an answer."""
        super().__init__(f"The call was not answered: {status} {reason}.".replace("  ", " "))
        self.status = status
        self.reason = reason


class NotAnsweredError(SipError):
    """Something was asked of a call that is not up (not yet, or no longer)."""


class State(StrEnum):
    """Where a call stands."""

    CALLING = "calling"
    RINGING = "ringing"
    ANSWERED = "answered"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class CallEvent:
    """Something that happened on a call, `at` seconds after dialling. Details may be personal data: not in the repr."""

    event: str
    at: float
    details: Mapping[str, str | float] = field(default_factory=dict, repr=False)
