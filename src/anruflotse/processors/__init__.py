"""Who may receive data on the insurer's behalf: the register of agreements, and the gate engines and targets pass."""

from __future__ import annotations

from anruflotse.processors.gate import Gate, ProcessorError, Refusal
from anruflotse.processors.register import EEA, Agreement, Category, Processor, Register, load, shipped

__all__ = [
    "EEA",
    "Agreement",
    "Category",
    "Gate",
    "Processor",
    "ProcessorError",
    "Refusal",
    "Register",
    "load",
    "shipped",
]
