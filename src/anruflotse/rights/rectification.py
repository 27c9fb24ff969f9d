"""Rectification (Art. 16 GDPR): the corrected text stands beside the recognised one, both with their dates.

What the recogniser understood stays as it was, since it says why the call went where it went, and so do the counters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from anruflotse.documents import Block, Heading, Paragraph
from anruflotse.documents.model import moment
from anruflotse.records.access import Accessor
from anruflotse.records.rectifying import LONGEST
from anruflotse.rights import letters, notification
from anruflotse.rights.model import Finding, Request, RightsError
from anruflotse.rights.office import Filed, Office, with_todos

CORRECTED = "corrected"


def rectify(office: Office, filed: Filed, accessor: Accessor, record_id: str, utterance: int, text: str) -> Filed:
    """Put `text` beside what was recognised in an utterance (from 1) of a record of this request.

    Raises `RightsError` for a record or an utterance there is not, or an empty text, `AccessRefusedError`,
    `StoreError`.
    """
    if record_id not in filed.request.records:
        message = "This record does not belong to this request: `rights show` lists those that do."
        raise RightsError(message)
    if not text.strip():
        message = "A correction needs a text: what was really said or meant."
        raise RightsError(message)
    record = office.open(record_id, accessor)
    if record is None:
        message = "This record has ended meanwhile: there is nothing left to correct."
        raise RightsError(message)
    if not 1 <= utterance <= len(record.transcripts):
        message = f"This record has no utterance {utterance}: it has {len(record.transcripts)}, counted from 1."
        raise RightsError(message)
    had = notification.who_had(office, record, accessor)
    try:
        office.records.rectify(record_id, accessor, utterance - 1, text)
    except ValueError:
        # The utterance was looked at above, so it is the text; the store's own sentence counts utterances from 0.
        message = f"A correction is a text of 1 to {LONGEST} characters: say it shorter."
        raise RightsError(message) from None

    def then(request: Request) -> Request:
        findings = tuple(
            replace(
                one,
                recorded_at=record.summary.recorded_at,
                done=CORRECTED if one.record == record_id else one.done,
                done_at=office.now() if one.record == record_id else one.done_at,
            )
            if one.record == record_id
            else one
            for one in request.findings
        )
        corrected = with_todos(replace(request, findings=findings), notification.wanted(request, had))
        return office.step(corrected, accessor, "corrected", f"{utterance}")

    return office.change(filed.id, accessor, then)


def only(filed: Filed) -> str:
    """The one record a correction is about. Raises `RightsError` when there are more: then it has to be named."""
    if len(filed.request.findings) != 1:
        message = (
            f"This request is about {len(filed.request.findings)} records: name the one to correct "
            "(--correct-record ID)."
        )
        raise RightsError(message)
    return filed.request.findings[0].record


def answer(office: Office, filed: Filed) -> dict[str, bytes]:
    """The letter that tells what was corrected, without repeating it: it is kept longer than the record."""
    document = letters.letter(office, filed, blocks(office, filed))
    return letters.rendered(letters.STEMS[filed.request.article], document, machine(filed))


def blocks(office: Office, filed: Filed) -> tuple[Block, ...]:
    """The letter between greeting and remedies."""
    request = filed.request
    if not request.findings:
        return letters.nothing_found(request, office.house)
    done = [one for one in request.findings if one.done == CORRECTED]
    if not done:
        return (
            Heading("Wir brauchen noch etwas von Ihnen."),
            Paragraph(
                f"Wir haben {letters.calls(len(request.findings))} gefunden. Bitte sagen Sie uns, was nicht stimmt und "
                "wie es richtig heißt. Dann berichtigen wir es."
            ),
        )
    return (
        Heading("Wir haben berichtigt."),
        *(Paragraph(_sentence(one)) for one in done),
        Paragraph(
            "Ihr richtiger Text steht jetzt neben dem, was der Computer verstanden hatte, mit dem Datum von heute. Wer "
            "die Aufzeichnung öffnet, sieht beides. Das Alte streichen wir nicht, denn es erklärt, warum Ihr Anruf "
            "dorthin ging, wohin er ging."
        ),
        Paragraph("Beides wird zusammen gelöscht, wenn die Frist der Aufzeichnung vorbei ist."),
        *notification.told(filed),
    )


def machine(filed: Filed) -> Mapping[str, object]:
    """The same for machines; the texts themselves are in the copy (Art. 15(3))."""
    return {
        "request": filed.id,
        "article": filed.request.article.number,
        "received": filed.request.received.isoformat(),
        "records": [
            {"id": one.record, "what": one.done, "at": one.done_at.isoformat() if one.done_at else None}
            for one in filed.request.findings
        ],
    }


def _sentence(one: Finding) -> str:
    when = f"vom {moment(one.recorded_at)}" if one.recorded_at else ""
    return f"Im Text zu Ihrem Anruf {when} steht jetzt, was Sie uns gesagt haben."
