"""The end of a call: along the targets of its destination, and then what may be kept is kept."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection
from datetime import datetime

import structlog

from anruflotse.call.equipment import Equipment
from anruflotse.call.notes import Notes
from anruflotse.conversation.actions import Destination, Goal
from anruflotse.conversation.events import Event, HungUp, TransferFailed, TransferSucceeded
from anruflotse.lines.line import Leg, Outcome
from anruflotse.processors import Category, Disclosures
from anruflotse.records.model import Draft, RankedConcern

log = structlog.get_logger(__name__)

KEPT_RANKS = 5
"""So many concerns of a ranking are kept with a record; the rest says nothing to anybody."""
HUMAN = Destination(Goal.HUMAN)


class WayOut:
    """Transfers one leg and seals what its call held."""

    def __init__(self, equipment: Equipment, leg: Leg, started_at: datetime, disclosures: Disclosures) -> None:
        """Draws the call's opaque reference and notes which privacy notice is valid as the call begins."""
        self._equipment = equipment
        self._leg = leg
        self._started_at = started_at
        self._disclosures = disclosures
        self._notice_version = equipment.notice_version()
        self._outcome = ""
        self._target: str | None = None
        self._destination = HUMAN
        self.reference = secrets.token_hex(8)

    async def transfer(self, destination: Destination) -> Event:
        """Try the destination's targets in order until somebody takes the call.

        A processor has been given the call once its target is dialled: its exchange then knows the caller's number,
        whether or not anybody answers.
        """
        equipment = self._equipment
        self._destination = destination
        targets = equipment.directory.targets(destination, equipment.clock.now())
        for index, target in enumerate(targets):
            if target.processor is not None:
                self._disclosures.give(target.processor, Category.CALL)
            outcome = await self._leg.transfer(target.uri, self.reference, equipment.rules.transfer_seconds)
            log.info("transfer tried", call=self._leg.id, outcome=outcome.value, target_index=index)
            if outcome is Outcome.HUNG_UP:
                return HungUp()
            if outcome in (Outcome.SUCCEEDED, Outcome.UNKNOWN):
                self._outcome, self._target = outcome.value, target.uri
                return TransferSucceeded()
        return TransferFailed()

    async def seal(self, notes: Notes, denied: Collection[str] = ()) -> bool:
        """Keep the draft, if there is one; concerns the caller `denied` are none of theirs.

        A store that fails costs the record, never the call: False then.
        """
        draft = self._draft(notes, denied)
        if draft is None:
            return False
        loop = asyncio.get_running_loop()
        try:
            record = await loop.run_in_executor(self._equipment.store_threads, self._equipment.keeper.seal, draft)
        except Exception:
            # Whatever is wrong with the store or the disk below it costs the record, never the call.
            log.exception("a record could not be kept and was dropped", call=self._leg.id)
            return False
        log.info("record kept", call=self._leg.id, record=record)
        return True

    def _draft(self, notes: Notes, denied: Collection[str]) -> Draft | None:
        # Without a recording there is no record either: when the store was down, nothing may remain, text included.
        if notes.dropped or notes.recorded_at is None or not notes.recorder.seconds:
            return None
        equipment, decision, ranking = self._equipment, notes.decision, notes.ranking
        offered = decision.concerns if decision else ()
        concern = next((one.concern for one in offered[:1] if one.concern not in denied), None)
        second = decision.second.concern if decision and decision.second else None
        return Draft(
            reference=self.reference,
            started_at=self._started_at,
            recorded_at=notes.recorded_at,
            decision=decision.kind.value if decision else "not_understood",
            outcome=self._outcome,
            concern=concern,
            second_concern=None if second in denied else second,
            department=self._destination.department,
            target=self._target,
            transcripts=tuple(notes.transcripts),
            ranking=tuple(
                RankedConcern(r.concern, r.department, r.probability)
                for r in (ranking.concerns[:KEPT_RANKS] if ranking else ())
            ),
            evidence=ranking.evidence if ranking else (),
            explanations=tuple(one.as_json() for one in notes.explanations),
            recording=notes.recorder.take(),
            caller=self._leg.caller,
            processors=self._disclosures.given,
            engines=(*equipment.engines, *_models(notes)),
            notice_version=self._notice_version,
        )


def _models(notes: Notes) -> tuple[str, ...]:
    """The versions that decided in this call; mostly one, two when another was approved meanwhile."""
    versions = [one.model for one in notes.explanations]
    if notes.ranking is not None and notes.ranking.grounds is not None:
        versions.append(notes.ranking.grounds.model)
    return tuple(f"understanding:{version}" for version in dict.fromkeys(versions) if version)
