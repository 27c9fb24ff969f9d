"""Compliance documents out of the system itself: what the law wants on paper, as these settings and registers make it.

Nothing is typed in twice: periods, processors, roles, keys and targets come from where the software takes them itself.
What only the insurer can know stands there as open, never as a guess.
"""

from __future__ import annotations

from anruflotse.compliance.paperwork import PAPERS, Paper, papers
from anruflotse.compliance.system import System, observe

__all__ = ["PAPERS", "Paper", "System", "observe", "papers"]
