"""The caller's side of a call: turns are found, the recorder is fed while it runs, everything else is only screened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import structlog

from anruflotse.call.equipment import Equipment
from anruflotse.call.notes import Notes
from anruflotse.conversation.actions import Attention
from anruflotse.conversation.events import Event, SpeechStarted, TurnEnded
from anruflotse.pcm import Pcm
from anruflotse.speech.seams import TurnEvent

log = structlog.get_logger(__name__)


class Ears:
    """Listens to one leg: posts `SpeechStarted` and `TurnEnded` for awaited turns, hands the rest to `overheard`."""

    def __init__(
        self,
        equipment: Equipment,
        rate: int,
        notes: Notes,
        post: Callable[[Event], None],
        overheard: Callable[[Pcm], None],
        paused: Callable[[Pcm, Attention], None],
    ) -> None:
        """`rate` is that of the frames in Hz; `paused` is told of a pause that may be the end of an awaited turn."""
        self._equipment = equipment
        self._endpointer = equipment.endpointer(rate)
        self._rate = rate
        self._notes = notes
        self._post = post
        self._overheard = overheard
        self._paused = paused
        self._attention = Attention.SCREEN
        self._awaited = False
        """The stretch of speech under way is a turn somebody waits for."""
        self._forget = False

    def attend(self, attention: Attention) -> None:
        """From now on treat speech so. A stretch under way is no longer anybody's turn: it is screened at its end."""
        rules = self._equipment.rules
        self._attention = attention
        self._awaited = False
        self._endpointer.expect(rules.concern_pause_ms if attention is Attention.CONCERN else rules.answer_pause_ms)

    def forget(self) -> None:
        """Let go of all audio heard so far."""
        self._awaited = False
        # The endpointer may be at work in a thread this very moment: it is reset before its next chunk.
        self._forget = True

    async def listen(self, frames: AsyncIterator[bytes]) -> None:
        """Take the frames (s16le) of the leg until it ends."""
        loop = asyncio.get_running_loop()
        async for chunk in frames:
            # The recorder itself refuses what comes while it does not run.
            self._notes.recorder.append(chunk)
            if self._forget:
                self._forget = False
                self._endpointer.reset()
            if self._attention is Attention.NONE:
                continue
            for turn in await loop.run_in_executor(self._equipment.threads, self._endpointer.feed, chunk):
                if self._forget:
                    break
                if turn.event is TurnEvent.SPEECH_STARTED:
                    self._speech_started()
                elif turn.audio is None:
                    continue
                elif turn.event is TurnEvent.SPEECH_ENDED:
                    self._speech_ended(turn.audio)
                elif self._awaited:
                    self._paused(turn.audio, self._attention)

    def _speech_started(self) -> None:
        self._awaited = self._attention is not Attention.SCREEN
        if self._awaited:
            self._post(SpeechStarted())

    def _speech_ended(self, audio: Pcm) -> None:
        if self._awaited:
            self._awaited = False
            self._notes.turn = audio
            self._post(TurnEnded())
        else:
            self._overheard(audio)
