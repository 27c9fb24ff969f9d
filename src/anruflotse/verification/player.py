"""One test caller on the line: speaks, presses keys, listens, and notes when what was said."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from anruflotse.clock import Clock
from anruflotse.lines.peers import Call, State
from anruflotse.pcm import Pcm
from anruflotse.verification.evidence import Said
from anruflotse.verification.watching import Log

PAUSE_MS = 1_100
"""The notice and the question follow each other within less than this."""
PATIENCE_SECONDS = 45.0
QUESTIONS = frozenset({"Play:bestaetigen", "Play:auswahl", "Play:widerspruch_nachfrage", "Play:ja_nein_noch_einmal"})
CONNECTING = ("verbinde", "geschlossen", "stoerung", "notfall", "niemand", "widerspruch_bekannt")


@dataclass(slots=True)
class Player:
    """A call and what is to be remembered of it; times are seconds since dialling."""

    call: Call
    log: Log
    clock: Clock
    objection_key: str
    said: list[Said] = field(default_factory=list)
    sounds: list[Pcm] = field(default_factory=list, repr=False)
    """What was said, whole or in part."""
    objected_at: float | None = None
    reached: str | None = None
    """The extension that answered."""
    reached_at: float | None = None
    handed_over_at: float | None = None
    _speaking: set[asyncio.Task[None]] = field(default_factory=set)

    async def asked(self) -> None:
        """Hear notice and question to their end; speech of one's own in between does not count."""
        await self.log.until(lambda log: "Play:frage" in log.order, PATIENCE_SECONDS)
        await self.call.wait_prompt(after=self.call.now() + 0.3, pause_ms=PAUSE_MS)

    async def say(self, phase: str, audio: Pcm) -> None:
        """Say `audio` and note when."""
        start = self.call.now()
        self.sounds.append(audio)
        if self.call.state is State.ANSWERED:
            await self.call.say(audio)
        self.said.append(Said(phase, start, self.call.now()))

    def begin(self, phase: str, audio: Pcm) -> None:
        """Begin to say `audio`."""
        task = asyncio.create_task(self.say(phase, audio))
        self._speaking.add(task)
        task.add_done_callback(self._speaking.discard)

    async def pause(self, seconds: float) -> None:
        """Let time pass."""
        await self.clock.sleep(seconds)

    def noted(self, phase: str) -> None:
        """Something was said elsewhere in this phase."""
        self.said.append(Said(phase, self.call.now(), self.call.now()))

    async def object_by_key(self) -> None:
        """Press the objection key."""
        self.objected_at = self.call.now()
        await self.call.press(self.objection_key)

    async def object_in_words(self, audio: Pcm) -> None:
        """Say an objection; it counts from its end."""
        await self.say("objection", audio)
        self.objected_at = self.call.now()

    async def connecting_or_asked(self) -> bool:
        """Wait until the voicebot connects (True) or has asked back and waits for an answer (False)."""
        asked_before = self._asked_back()
        await self.log.until(lambda _: self._connects() or self._asked_back() > asked_before, PATIENCE_SECONDS)
        if self._connects():
            return True
        await self.call.wait_prompt(after=self.call.now() + 0.3, pause_ms=PAUSE_MS)
        return self._connects()

    async def put_through(self) -> None:
        """Wait until somebody answers. Raises TimeoutError, NotAnsweredError."""
        refer = await self.call.wait_refer(PATIENCE_SECONDS)
        self.handed_over_at = refer.at
        taken = await self.call.wait_transferred(PATIENCE_SECONDS)
        self.reached_at = self.call.now()
        self.reached = taken.target.partition(":")[2].partition("@")[0]

    def _asked_back(self) -> int:
        return sum(told in QUESTIONS for told in self.log.order)

    def _connects(self) -> bool:
        return bool(self.log.tally) or any(
            told == "Transfer" or (told.startswith("Play:") and _connects(told.removeprefix("Play:")))
            for told in self.log.order
        )


def _connects(prompt: str) -> bool:
    return prompt.startswith(CONNECTING) or prompt.endswith("_verbinde")
