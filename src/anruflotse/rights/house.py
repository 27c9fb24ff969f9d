"""What letters say about the insurer and its system: names and settings, given to this room by whoever wires it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from anruflotse.notice import LEGAL_BASIS

AUTHORITY = (
    "Die Bundesbeauftragte für den Datenschutz und die Informationsfreiheit, Graurheindorfer Straße 153, 53117 Bonn"
)
"""Who supervises an insurer that works in more than three federal states (§ 9 BDSG)."""

OBJECTION_YEARS = 3
"""How long an objection to the recording of calls lasts: numbers get other owners, whom it does not bind."""

CASE_DAYS = 3 * 365
"""How long a closed request is kept: as long as somebody may ask if it was answered rightly (docs/rights.md)."""

LONGEST_CALL = timedelta(minutes=15)
"""How long a call with the voicebot can take until its record is kept, unless the settings say otherwise."""


def _no_edition(_version: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The insurer, its settings, and what keys of its catalogue and register are called in German."""

    insurer: str = "mkk – meine krankenkasse"
    contact: str = "Datenschutzbeauftragter der mkk – meine krankenkasse"
    authority: str = AUTHORITY
    federal_state: str = "BE"
    legal_basis: str = LEGAL_BASIS
    retention_days: int = 28
    objection_key: str = "9"
    objection_years: int = OBJECTION_YEARS
    case_days: int = CASE_DAYS
    longest_call: timedelta = LONGEST_CALL
    """After so long a call has ended, and what it leaves is in the record store."""
    departments: Mapping[str, str] = field(default_factory=dict)
    concerns: Mapping[str, str] = field(default_factory=dict)
    processors: Mapping[str, str] = field(default_factory=dict)
    edition: Callable[[str], str | None] = _no_edition
    """The text of the notice with this version, None when it is not at hand."""

    def department(self, key: str | None) -> str:
        """What a department is called; calls without one went to the human desk."""
        return self.departments.get(key, key) if key else "Telefonzentrale (persönliche Annahme)"

    def concern(self, key: str | None) -> str:
        """What a concern is called."""
        return self.concerns.get(key, key) if key else "nicht erkannt"

    def processor(self, key: str) -> str:
        """What a processor is called; one that has left the register keeps its key."""
        return self.processors.get(key, key)
