"""The requests of persons from receipt to closing: received, identified, prepared, answered or refused, closed.

Everything here blocks, as the record store does. Every step is in the request with its time and who took it, and every
access it needed is in the audit trail. Acts can be repeated: what is done is not done twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from anruflotse.documents import Document
from anruflotse.records.access import Accessor
from anruflotse.records.restriction import Ground
from anruflotse.rights import erasure, notification, objection, rectification, redaction, restriction
from anruflotse.rights.answering import Answering, Prepared
from anruflotse.rights.model import (
    Article,
    Decision,
    Finding,
    Request,
    RightsError,
    WrongArticleError,
    clean,
)
from anruflotse.rights.notification import CHECK
from anruflotse.rights.objection import Course
from anruflotse.rights.office import Filed
from anruflotse.rights.taking_in import DISCLOSING, must_run


class Requests(Answering):
    """What officers do with requests. Raises `RightsError` with what to do instead, and the errors of the store."""

    # ---- the articles

    def access(self, case_id: str, accessor: Accessor) -> Prepared:
        """Prepare what Art. 15 promises."""
        self._about(case_id, accessor, Article.ACCESS)
        return self.prepare(case_id, accessor)

    def copy(self, case_id: str, accessor: Accessor, password: str | None = None) -> Prepared:
        """Prepare the copy of Art. 15(3) and 20: a locked archive, see `portability`; its password is in it nowhere."""
        self._about(case_id, accessor, Article.COPY)
        return self.prepare(case_id, accessor, password=password)

    def rectify(
        self, case_id: str, accessor: Accessor, utterance: int, text: str, record_id: str | None = None
    ) -> Prepared:
        """Put a correction beside an utterance (from 1) of a record; of the only one unless it is named."""
        filed = self._about(case_id, accessor, Article.RECTIFICATION)
        rectification.rectify(self.office, filed, accessor, record_id or rectification.only(filed), utterance, text)
        return self.prepare(case_id, accessor)

    def ask_back(self, case_id: str, accessor: Accessor) -> Prepared:
        """Write the letter that asks what is wrong, while nobody has said it, or that nothing was found."""
        filed = self._about(case_id, accessor, Article.RECTIFICATION)
        what = "asked_back" if filed.request.findings else "prepared"
        return self._written(filed, accessor, rectification.answer(self.office, filed), what)

    def erase(self, case_id: str, accessor: Accessor) -> Prepared:
        """Destroy the records of a request."""
        filed = self._about(case_id, accessor, Article.ERASURE)
        erasure.erase(self.office, filed, accessor)
        return self.prepare(case_id, accessor)

    def restrict(
        self, case_id: str, accessor: Accessor, ground: Ground, *, hold: bool = False, review_on: datetime | None = None
    ) -> Prepared:
        """Restrict the records of a request. Raises `RightsError` for a hold that the law does not give."""
        filed = self._about(case_id, accessor, Article.RESTRICTION)
        restriction.restrict(self.office, filed, accessor, ground, hold=hold, review_on=review_on)
        return self.prepare(case_id, accessor)

    def tell_before_lifting(self, case_id: str, accessor: Accessor) -> Prepared:
        """Write the letter that announces the end of a restriction, and track that it is sent (Art. 18(3)).

        Raises `NotNowError` when nothing of it is restricted.
        """
        filed = self._about(case_id, accessor, Article.LIFTING)
        filed = restriction.tell_first(self.office, filed, accessor)
        return self._written(filed, accessor, restriction.answer(self.office, filed), "announced")

    def is_announced(self, case_id: str, accessor: Accessor) -> bool:
        """Whether the end of every restriction of a request was announced to the person, sent or not."""
        return restriction.is_announced(self.office, self._about(case_id, accessor, Article.LIFTING), accessor)

    def lift(self, case_id: str, accessor: Accessor) -> Prepared:
        """Lift the restriction of the records of a request, once the person knows."""
        filed = self._about(case_id, accessor, Article.LIFTING)
        restriction.lift(self.office, filed, accessor)
        return self.prepare(case_id, accessor)

    def object(self, case_id: str, accessor: Accessor, course: Course = Course.ERASE, reason: str = "") -> Prepared:
        """Enter an objection, and deal with what is stored."""
        filed = self._about(case_id, accessor, Article.OBJECTION)
        objection.enter(self.office, filed, accessor, course, clean(reason, "reason") if reason.strip() else "")
        return self.prepare(case_id, accessor)

    def withdraw(self, case_id: str, accessor: Accessor) -> Prepared:
        """Take an objection back, as the person asks."""
        filed = self._about(case_id, accessor, Article.OBJECTION)
        objection.withdraw(self.office, filed, accessor)
        return self.prepare(case_id, accessor)

    # ---- other people in a record

    def compare(self, case_id: str, accessor: Accessor, record_id: str, finding: Finding | None = None) -> Document:
        """A record as it is stored beside what would be handed out, as decided or as `finding` would have it."""
        filed = self.disclosing(case_id, accessor)
        decided, record = redaction.look(self.office, filed, record_id, accessor)
        return redaction.side_by_side(self.office, filed, finding or decided, record)

    def considered(
        self,
        case_id: str,
        accessor: Accessor,
        record_id: str,
        decision: Decision,
        words: Sequence[str] = (),
        muted: Sequence[str] = (),
        *,
        anew: bool = False,
    ) -> Finding:
        """What a decision would come to: where `words` stand in the record, which stretches (`1.5-3`) go silent.

        Blackening adds to what was blackened before, unless it begins `anew`. Raises `RightsError` for words that are
        not in it, and when a decision and its passages contradict each other.
        """
        if (decision is Decision.REDACT) != bool(words or muted):
            message = "Blackening needs a passage (--redact TEXT) or a stretch of sound (--mute FROM-TO), and only it."
            raise RightsError(message)
        filed = self.disclosing(case_id, accessor)
        finding, record = redaction.look(self.office, filed, record_id, accessor)
        return redaction.considered(finding, record, decision, words, muted, anew=anew)

    def decide(self, case_id: str, accessor: Accessor, finding: Finding) -> Filed:
        """Put down what was decided about a record; the answer has to be prepared anew after that."""
        self.disclosing(case_id, accessor)

        def then(request: Request) -> Request:
            must_run(request)
            findings = tuple(finding if one.record == finding.record else one for one in request.findings)
            decided = replace(request, findings=findings, prepared_at=None)
            for todo in request.open_todos:
                if todo.kind == CHECK and todo.task.endswith(finding.record):
                    decided = notification.settled(self.office, decided, todo.number, accessor, note=finding.decision)
            return self.office.step(decided, accessor, "decided", f"{finding.record[:8]} {finding.decision}")

        return self.office.change(case_id, accessor, then)

    def disclosing(self, case_id: str, accessor: Accessor) -> Filed:
        """A request that hands out what was said. Raises `WrongArticleError` for any other one."""
        filed = self.office.get(case_id, accessor)
        if filed.request.article not in DISCLOSING:
            message = "Nothing of a record is handed out in this request: only access and copies are compared."
            raise WrongArticleError(message)
        return filed

    def _about(self, case_id: str, accessor: Accessor, article: Article) -> Filed:
        filed = self.office.get(case_id, accessor)
        if filed.request.article is not article:
            message = f"This request is about Article {filed.request.article} GDPR, not {article}."
            raise WrongArticleError(message)
        must_run(filed.request)
        return filed
