"""The caller's side of a call: turns are found, the recorder is fed while it runs, everything else is only screened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from anruflotse.call.equipment import Equipment
from anruflotse.call.notes import Notes
from anruflotse.conversation.actions import Attention
from anruflotse.conversation.events import Event, SpeechStarted, TurnEnded
from anruflotse.pcm import SAMPLE_BYTES, Pcm
from anruflotse.speech.seams import Turn, TurnEvent

ON_THE_WAY_MS = 200
"""Audio that was spoken before a question began and arrives after it: the line's tick and jitter buffer, rounded up.

It belongs to the time before the notice had ended (P7), so it is neither recorded nor taken for the answer.
"""
AFTERWARDS_SECONDS = 1
"""Silence behind the last frame of a call, so that a stretch of speech under way ends and is screened."""


class Ears:
    """Listens to one leg: posts `SpeechStarted` and `TurnEnded` for awaited turns, hands the rest to `overheard`.

    Frames are recorded the moment they arrive and endpointed afterwards, in order, with every change of attention at
    its place among them: a machine under load may answer late, but never records or interprets the wrong stretch.
    """

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
        self._stream: asyncio.Queue[bytes | Attention | None] = asyncio.Queue()
        self._wanted = Attention.SCREEN
        self._attention = Attention.SCREEN
        self._skip = 0
        self._speaking = False
        self._awaited = False
        """The stretch of speech under way is a turn somebody waits for."""
        self._feeding = False
        self._reset_after = False

    @property
    def speaking(self) -> bool:
        """Whether the caller is in the middle of a stretch of speech, awaited or not."""
        return self._speaking

    def attend(self, attention: Attention) -> None:
        """Treat speech so from this place of the stream on. A stretch under way is screened at its end, no answer."""
        self._wanted = attention
        if attention is Attention.CONCERN:
            self._skip = ON_THE_WAY_MS * self._rate // 1000 * SAMPLE_BYTES
        self._stream.put_nowait(attention)

    def forget(self) -> None:
        """Let go of all audio heard so far, at once; audio that is in the endpointer's hands, right after it."""
        self._awaited = self._speaking = False
        waiting = [item for item in self._drain() if not isinstance(item, bytes)]
        for item in waiting:
            self._stream.put_nowait(item)
        if self._feeding:
            self._reset_after = True
        else:
            self._endpointer.reset()

    async def listen(self, frames: AsyncIterator[bytes]) -> None:
        """Take the frames (s16le) of the leg until it ends; returns when the last stretch of speech was dealt with."""
        await asyncio.gather(self._hear(frames), self._follow())

    async def _hear(self, frames: AsyncIterator[bytes]) -> None:
        try:
            async for chunk in frames:
                skipped = min(self._skip, len(chunk))
                self._skip -= skipped
                heard = chunk[skipped:]
                # The recorder itself refuses what comes while it does not run.
                self._notes.recorder.append(heard)
                if heard and self._wanted is not Attention.NONE:
                    self._stream.put_nowait(heard)
        finally:
            if self._speaking and self._wanted is not Attention.NONE:
                self._stream.put_nowait(bytes(AFTERWARDS_SECONDS * self._rate * SAMPLE_BYTES))
            self._stream.put_nowait(None)

    async def _follow(self) -> None:
        while (item := await self._stream.get()) is not None:
            if isinstance(item, Attention):
                self._switch(item)
            elif self._attention is not Attention.NONE:
                for turn in await self._feed(item):
                    self._noticed(turn)

    def _switch(self, attention: Attention) -> None:
        rules = self._equipment.rules
        self._attention = attention
        self._awaited = False
        self._endpointer.expect(rules.concern_pause_ms if attention is Attention.CONCERN else rules.answer_pause_ms)
        if attention is Attention.CONCERN and not self._speaking:
            # The pre-roll of the answer must not reach back before the question.
            self._endpointer.reset()

    async def _feed(self, chunk: bytes) -> list[Turn]:
        loop = asyncio.get_running_loop()
        self._feeding = True
        try:
            turns = await loop.run_in_executor(self._equipment.threads, self._endpointer.feed, chunk)
        finally:
            self._feeding = False
            if self._reset_after:
                self._reset_after = False
                turns = ()
                self._endpointer.reset()
        return list(turns)

    def _noticed(self, turn: Turn) -> None:
        if turn.event is TurnEvent.SPEECH_STARTED:
            self._speaking = True
            self._awaited = self._attention in (Attention.CONCERN, Attention.ANSWER)
            if self._awaited:
                self._post(SpeechStarted())
        elif turn.audio is None:
            return
        elif turn.event is TurnEvent.SPEECH_ENDED:
            self._speaking = False
            self._ended(turn.audio)
        elif self._awaited:
            self._paused(turn.audio, self._attention)

    def _ended(self, audio: Pcm) -> None:
        if self._awaited:
            self._awaited = False
            self._notes.turn = audio
            self._post(TurnEnded())
        else:
            self._overheard(audio)

    def _drain(self) -> list[bytes | Attention | None]:
        items = []
        while not self._stream.empty():
            items.append(self._stream.get_nowait())
        return items
