"""Rectification (Art. 16 GDPR): what the person says was said, beside what was recognised, both with their date.

What was recognised stays: it is what the call was routed by, and what the recording can be compared with. A correction
is sealed under the record's key and ends with the record.
"""

from __future__ import annotations

from anruflotse.records import contents, opening
from anruflotse.records.access import Accessor, Kind
from anruflotse.records.desk import ATTEMPTS, Desk
from anruflotse.records.door import is_text
from anruflotse.records.model import Correction, Purpose, Record, StoreError
from anruflotse.records.stores.keystore import StoredKey
from anruflotse.records.stores.rowstore import Sealed

LONGEST = 10_000
"""Characters of a correction; the longest utterance a call allows has a fraction of that."""


class Rectifying(Desk):
    """The part of `Records` that corrects."""

    def rectify(self, record_id: str, accessor: Accessor, utterance: int, text: str) -> None:
        """Put `text` beside what was recognised of an utterance (its index in `Record.transcripts`, from 0).

        Routing, ranking and counters stay as they are. Raises `ValueError` for an utterance that is not there, and an
        empty text or more than 10,000 characters; `AccessRefusedError`, `NotFoundError`, `StoreError`.
        """
        stated = self._door.admit(accessor, Purpose.RIGHTS, Kind.RECTIFY, record_id)
        logged = False
        for _ in range(ATTEMPTS):
            key, sealed = self._found(record_id, [contents.SUMMARY, contents.DETAILS], accessor, stated, Kind.RECTIFY)
            number = len(sealed.corrections) + 1
            plain = self._correction(key, sealed, accessor, utterance, text)
            if not logged:
                # Before: no change without an entry.
                self._door.log(accessor, stated, Kind.RECTIFY, record_id, "rectified")
                logged = True
            cipher = self._opener.vault().open_key(key).seal(opening.correction_field(number), plain)
            if self._opener.stores().rows.correct(record_id, number, cipher):
                return
        message = "The record was being changed by somebody else at the same time: try again."
        raise StoreError(message)

    def _correction(self, key: StoredKey, sealed: Sealed, accessor: Accessor, utterance: int, text: str) -> bytes:
        """The correction as it is sealed. Raises `ValueError`, `StoreError`, once the refusal is noted."""
        try:
            record: Record = opening.record(self._opener.vault(), key, sealed)
        except StoreError:
            self._door.log(accessor, Purpose.RIGHTS, Kind.RECTIFY, key.id, "unreadable")
            raise
        said = len(record.transcripts)
        if not 0 <= utterance < said or not text.strip() or len(text) > LONGEST or not is_text(text):
            self._door.log(accessor, Purpose.RIGHTS, Kind.RECTIFY, key.id, "refused_input")
            message = (
                f"The record has {said} utterances, counted from 0, and a correction has 1 to {LONGEST} characters."
            )
            raise ValueError(message)
        return contents.pack_correction(
            Correction(utterance=utterance, text=text, at=self._clock.now(), accessor=accessor.name)
        )
