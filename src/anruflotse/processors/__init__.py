"""Who may receive data on the insurer's behalf: the register of agreements, and the gate engines and targets pass."""

from __future__ import annotations

from anruflotse.processors.disclosures import Disclosures, of_this_call
from anruflotse.processors.filed import Reading, RegisterFile
from anruflotse.processors.gate import (
    GERMANY,
    SOON_DAYS,
    Gate,
    ProcessorError,
    Refusal,
    Standing,
    day_in_germany,
)
from anruflotse.processors.gatekeeper import Gatekeeper
from anruflotse.processors.register import (
    EEA,
    Agreement,
    Category,
    Processor,
    Register,
    SubProcessor,
    load,
    shipped,
)

__all__ = [
    "EEA",
    "GERMANY",
    "SOON_DAYS",
    "Agreement",
    "Category",
    "Disclosures",
    "Gate",
    "Gatekeeper",
    "Processor",
    "ProcessorError",
    "Reading",
    "Refusal",
    "Register",
    "RegisterFile",
    "Standing",
    "SubProcessor",
    "day_in_germany",
    "load",
    "of_this_call",
    "shipped",
]
