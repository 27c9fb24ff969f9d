"""Who stands at the gate while calls are taken: asks it for every utterance, tells of changes, and keeps account."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from anruflotse.clock import Clock
from anruflotse.processors.disclosures import of_this_call
from anruflotse.processors.gate import Gate, Refusal, day_in_germany
from anruflotse.processors.register import Category

log = structlog.get_logger(__name__)

Told = Callable[[str, str], None]
"""Told of a processor (its key) and why it was passed over."""


def nobody(_processor: str, _reason: str) -> None:
    """Tell nobody."""


class Gatekeeper:
    """Asks the gate with today's date in Germany; each change of its answer is logged once, each refusal counted."""

    def __init__(self, gate: Gate, clock: Clock, refused: Told = nobody) -> None:
        """`refused` is told of every single refusal."""
        self._gate = gate
        self._clock = clock
        self._refused = refused
        self._answers: dict[tuple[str, Category], Refusal | None] = {}

    def refusal(self, processor: str, category: Category) -> Refusal | None:
        """Why `processor` may not be given data of `category` now, None when it may. Counts nothing."""
        answer = self._gate.refusal(processor, category, day_in_germany(self._clock.now()))
        place = (processor, category)
        if place not in self._answers or self._answers[place] is not answer:
            self._answers[place] = answer
            if answer is None:
                log.info("a processor may be given data from now on", processor=processor, kind=category.value)
            else:
                log.warning(
                    "a processor may not be given data: what it would do is done here, or by the next target",
                    processor=processor,
                    kind=category.value,
                    reason=answer.value,
                )
        return answer

    def permits(self, processor: str, category: Category) -> bool:
        """Whether `processor` may be given data of `category` now. Asked anew every time; a refusal is counted."""
        answer = self.refusal(processor, category)
        if answer is not None:
            self._refused(processor, answer.value)
        return answer is None

    def give(self, processor: str, category: Category) -> bool:
        """Account for giving data in the running call, just before it is done; False when it must not be done.

        Sentences of the voicebot's own (`PROMPTS`) are prepared outside calls too, and then are no caller's data.
        """
        account = of_this_call()
        if account is None:
            return category is Category.PROMPTS
        return account.give(processor, category)
