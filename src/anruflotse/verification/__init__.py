"""Proof that the notice is true: test calls, experiments and a look at the live store give evidence, which is judged.

Three steps, each in a place of its own: gathering (`gathering` and what it uses; slow, touches the world), judging
(`judging`; pure), and telling (`reporting`). A promise that could not be looked at is unproven, never kept.
"""

from __future__ import annotations

from anruflotse.verification.evidence import Evidence
from anruflotse.verification.finding import Finding, SentenceFinding, Status, of_sentences, together
from anruflotse.verification.gathering import gather
from anruflotse.verification.judging import judge
from anruflotse.verification.reporting import Checked, Report, ReportError, check_report, report_of, write_report

__all__ = [
    "Checked",
    "Evidence",
    "Finding",
    "Report",
    "ReportError",
    "SentenceFinding",
    "Status",
    "check_report",
    "gather",
    "judge",
    "of_sentences",
    "report_of",
    "together",
    "write_report",
]
