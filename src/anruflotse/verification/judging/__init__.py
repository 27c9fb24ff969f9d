"""From evidence to findings. Pure: the same evidence always gives the same findings, and what was not seen is unproven.

A promise is judged by checks; each sees something (a German sentence) and says kept, broken or unproven. One broken
check breaks the promise, one unproven check leaves it unproven.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from anruflotse.notice import Promise
from anruflotse.verification.evidence import Evidence
from anruflotse.verification.finding import Finding
from anruflotse.verification.judging import calls, stores, words
from anruflotse.verification.judging.checks import Check, evidence_of, status_of

JUDGES: Mapping[Promise, Callable[[Evidence], list[Check]]] = {
    Promise.P1: calls.asks_first,
    Promise.P2: calls.records_the_answer_only,
    Promise.P3: calls.hands_over,
    Promise.P4: calls.staff_unrecorded,
    Promise.P5: stores.purposes_closed,
    Promise.P6: stores.legal_basis,
    Promise.P7: calls.informs_first,
    Promise.P8: calls.objections_heard,
    Promise.P9: calls.nothing_left,
    Promise.P10: calls.person_reached,
    Promise.P11: stores.deleted_in_time,
    Promise.P12: stores.erased_on_request,
    Promise.P13: stores.access_limited,
    Promise.P14: words.processors_agreed,
    Promise.P15: words.rights_served,
    Promise.P16: words.contact_named,
    Promise.P17: words.published,
}


def judge(evidence: Evidence) -> tuple[Finding, ...]:
    """The findings on all promises, P1 first."""
    findings = []
    for promise in Promise:
        checks = JUDGES[promise](evidence)
        findings.append(Finding(promise, status_of(checks), evidence_of(checks), evidence.began_at))
    return tuple(findings)
