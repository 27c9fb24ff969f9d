"""What the notice says about the running system, taken from its settings and registers, never typed in twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

LEGAL_BASIS = "§ 284 SGB V in Verbindung mit Art. 6 Abs. 1 Buchstabe e DSGVO"


@dataclass(frozen=True, slots=True)
class Facts:
    """The settings the notice speaks of. The defaults are those of the notice as it was first published.

    `processors` are the printed names of processors with an agreement in force, `without_agreement` of those the
    register knows without one: the software gives these nothing, and the notice says so. `spoken` is the short form
    that callers hear before anything is recorded, `voice` the SHA-256 of its recording where a person speaks it.
    """

    insurer: str = "mkk – meine krankenkasse"
    retention_days: int = 28
    retention_reason: str | None = None
    legal_basis: str = LEGAL_BASIS
    privacy_contact: str = "Datenschutzbeauftragter der mkk – meine krankenkasse"
    objection_key: str = "9"
    processors: tuple[str, ...] = ("Aristech GmbH", "vitaservices GmbH & Co. KG")
    without_agreement: tuple[str, ...] = ()
    spoken: str = ""
    voice: str = ""


class Condition(StrEnum):
    """What a sentence may depend on, as the notice's file names it."""

    ONE_PROCESSOR = "ein_dienstleister"
    MORE_PROCESSORS = "mehrere_dienstleister"
    WITHOUT_AGREEMENT = "offene_dienstleister"
    LONGER_RETENTION = "laengere_frist"


HOLDS: Mapping[Condition, Callable[[Facts], bool]] = {
    Condition.ONE_PROCESSOR: lambda facts: len(facts.processors) == 1,
    Condition.MORE_PROCESSORS: lambda facts: len(facts.processors) > 1,
    Condition.WITHOUT_AGREEMENT: lambda facts: bool(facts.without_agreement),
    Condition.LONGER_RETENTION: lambda facts: bool(facts.retention_reason),
}
"""Whether a condition is met."""

PLACEHOLDERS: Mapping[str, Callable[[Facts], str]] = {
    "kasse": lambda facts: facts.insurer,
    "rechtsgrundlage": lambda facts: facts.legal_basis,
    "widerspruchstaste": lambda facts: facts.objection_key,
    "speicherdauer": lambda facts: "einen Tag" if facts.retention_days == 1 else f"{facts.retention_days} Tage",
    "fristgrund": lambda facts: (facts.retention_reason or "").rstrip("."),
    "dienstleister": lambda facts: _listed(facts.processors),
    "offene": lambda facts: _listed(facts.without_agreement),
    "datenschutzkontakt": lambda facts: facts.privacy_contact,
}
"""What stands in the notice for `{name}`."""


def _listed(names: tuple[str, ...]) -> str:
    return " und ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
