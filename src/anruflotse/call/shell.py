"""One call, from ring to hand-over: what happens is told to the pure machine, what it wants is done.

The machine decides, this file only carries out: it holds the tasks (ears, keys, prompt, timers, interpretation,
transfer) and one queue of events. Whatever breaks in here, the caller is handed to a person and nothing is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TypeVar

import structlog

from anruflotse.call.ears import Ears
from anruflotse.call.equipment import Equipment, PromptMissingError
from anruflotse.call.mind import Mind
from anruflotse.call.notes import Notes
from anruflotse.call.way_out import HUMAN, WayOut
from anruflotse.conversation import State, step
from anruflotse.conversation.actions import (
    Action,
    Attend,
    AwaitSpeech,
    Count,
    DropEverything,
    HangUp,
    Pick,
    Play,
    Prompt,
    Screen,
    Seal,
    StartRecording,
    StopPlaying,
    StopRecording,
    Transfer,
    Understand,
)
from anruflotse.conversation.events import (
    Answered,
    Event,
    HandOverNow,
    HungUp,
    Key,
    KeyPressed,
    NoticeFinished,
    PromptFailed,
    PromptFinished,
    RecorderFailed,
    RecorderStopped,
    Silence,
    SpeechStarted,
)
from anruflotse.lines.line import Leg, LegClosedError
from anruflotse.pcm import Pcm
from anruflotse.records.model import StoreError
from anruflotse.records.recorder import RecorderStateError

log = structlog.get_logger(__name__)
T = TypeVar("T")

STALLED_SECONDS = 5.0
"""A prompt that has not ended so long after its duration never will: the line is not playing it."""
LONGEST_TURN_SECONDS = 40.0
"""The endpointer ends a turn at 30 s of audio; a turn that lasts longer has lost its audio."""


class Call:
    """Runs the conversation on one leg. Make it, then await `run` once."""

    def __init__(self, leg: Leg, equipment: Equipment) -> None:
        """Nothing happens before `run`."""
        self._leg = leg
        self._equipment = equipment
        self._state = State()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._notes = Notes()
        self._mind = Mind(equipment, self._notes, self._note)
        self._ears = Ears(equipment, leg.rate, self._notes, self._post, self._overheard, self._mind.foresee)
        self._way_out = WayOut(equipment, leg, equipment.clock.now())
        self._tasks: set[asyncio.Task[None]] = set()
        self._prompt: asyncio.Task[None] | None = None
        self._timer: asyncio.Task[None] | None = None
        self._transfer: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Lead the call to its end; nothing of the caller is in memory afterwards. Raises nothing but cancellation."""
        try:
            await self._lead()
        except LegClosedError:
            await self._take(HungUp())
        except Exception:
            # The caller never pays for what breaks in here.
            log.exception("a call broke and is handed to a person", call=self._leg.id)
            self._notes.drop()
            await self._rescue()
        finally:
            self._forget()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            with suppress(LegClosedError):
                await self._leg.hang_up()

    def hand_over(self) -> None:
        """Have a person take over now: the service is stopping."""
        self._post(HandOverNow())

    async def _lead(self) -> None:
        self._spawn(self._watch_leg())
        self._spawn(self._listen())
        self._spawn(self._watch_keys())
        self._spawn(self._after(self._equipment.rules.max_seconds, HandOverNow()))
        await self._take(Answered(may_record=self._equipment.keeper.healthy()))
        while not self._state.ended:
            await self._take(await self._events.get())

    async def _take(self, event: Event) -> None:
        before = self._state.stage
        self._state, actions = step(self._state, event)
        self._note("event", event=event, stage=self._state.stage.value)
        if before is not self._state.stage:
            log.debug("stage", call=self._leg.id, state=self._state.stage.value)
        if isinstance(event, SpeechStarted):
            self._set_timer(LONGEST_TURN_SECONDS, HandOverNow())
        for action in actions:
            self._note("action", action=action)
            await self._do(action)

    async def _do(self, action: Action) -> None:  # noqa: C901 - one case an action
        match action:
            case Play():
                self._set_timer(None)
                self._replace_prompt(self._play(action))
            case StopPlaying():
                self._replace_prompt(None)
                await self._leg.stop()
            case Attend():
                self._set_timer(None)
                self._ears.attend(action.attention)
            case AwaitSpeech():
                self._set_timer(self._equipment.rules.silence_seconds, Silence())
            case StartRecording() | StopRecording() | DropEverything():
                self._record(action)
            case Understand() | Screen() | Pick():
                self._spawn(self._interpret(action))
            case Transfer():
                self._transfer = self._spawn(self._send(action))
            case Seal():
                if not await self._way_out.seal(self._notes):
                    self._note("not_kept")
                self._notes.drop()
            case Count():
                await self._count(action)
            case HangUp():
                await self._leg.hang_up()

    def _record(self, action: StartRecording | StopRecording | DropEverything) -> None:
        """Drive the recorder; it is in this process, so its acknowledgement is immediate."""
        try:
            match action:
                case StartRecording():
                    self._notes.recorder.start(self._leg.rate)
                    self._notes.recorded_at = self._notes.recorded_at or self._equipment.clock.now()
                    return
                case StopRecording():
                    acknowledged = self._notes.recorder.stop()
                case DropEverything():
                    self._forget()
                    acknowledged = True
        except (RecorderStateError, ValueError, OSError):
            log.exception("the recorder failed", call=self._leg.id)
            acknowledged = False
        self._post(RecorderStopped() if acknowledged else RecorderFailed())

    def _forget(self) -> None:
        """Overwrite and let go of everything the caller said, wherever in this call it is held."""
        self._ears.forget()
        self._mind.forget()
        self._notes.drop()

    async def _play(self, play: Play) -> None:
        failed = PromptFailed(play.prompt)
        try:
            audio = await self._equipment.announcer.audio(play, self._leg.rate)
        except PromptMissingError:
            log.exception("a prompt is missing", call=self._leg.id, prompt=play.prompt.value)
            self._post(failed)
            return
        stalled = self._spawn(self._after(audio.seconds + STALLED_SECONDS, failed))
        try:
            finished = await self._leg.play(audio)
        except LegClosedError:
            return
        finally:
            stalled.cancel()
        if finished:
            self._post(NoticeFinished() if play.prompt is Prompt.NOTICE else PromptFinished(play.prompt))

    async def _interpret(self, request: Understand | Screen | Pick) -> None:
        match request:
            case Understand():
                self._post(await self._mind.understand(request.turn))
            case Screen():
                self._post(await self._mind.screen(request.turn))
            case Pick():
                self._post(await self._mind.pick(request.turn, request.concerns))

    async def _send(self, action: Transfer) -> None:
        self._post(await self._way_out.transfer(action.destination))

    async def _count(self, action: Count) -> None:
        count = self._equipment.keeper.count
        try:
            await self._off_loop(count, action.tally.value, action.department)
        except StoreError:
            log.warning("a counter could not be raised", call=self._leg.id, kind=action.tally.value)
        log.info("call ended", call=self._leg.id, outcome=action.tally.value)

    async def _rescue(self) -> None:
        """Something of ours broke: a person, without another word from us."""
        with suppress(Exception):
            await self._way_out.transfer(HUMAN)

    async def _listen(self) -> None:
        try:
            await self._ears.listen(self._leg.frames())
        except Exception:
            # Deaf now, but keys and the hand-over still work.
            log.exception("listening broke", call=self._leg.id)
            self._post(RecorderFailed())

    async def _watch_keys(self) -> None:
        rules = self._equipment.rules
        meanings = {
            rules.objection_key: Key.OBJECTION,
            rules.human_key: Key.HUMAN,
            rules.repeat_key: Key.REPEAT,
        }
        async for key in self._leg.keys():
            self._post(KeyPressed(meanings.get(key, Key.OTHER)))

    async def _watch_leg(self) -> None:
        await self._leg.closed()
        if self._transfer is not None:
            # The leg's end is part of the transfer, and only the transfer knows whether somebody took the call.
            await asyncio.wait({self._transfer})
        self._post(HungUp())

    def _overheard(self, audio: Pcm) -> None:
        self._spawn(self._overhear(audio))

    async def _overhear(self, audio: Pcm) -> None:
        event = await self._mind.overhear(audio)
        if event is not None:
            self._post(event)

    async def _after(self, seconds: float, event: Event) -> None:
        await self._equipment.clock.sleep(seconds)
        self._post(event)

    def _set_timer(self, seconds: float | None, event: Event | None = None) -> None:
        """One timer at a time: what the caller is waited for."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None or event is None else self._spawn(self._after(seconds, event))

    def _replace_prompt(self, playing: Coroutine[None, None, None] | None) -> None:
        if self._prompt is not None:
            self._prompt.cancel()
        self._prompt = None if playing is None else self._spawn(playing)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a part of a call broke", call=self._leg.id, error=type(error).__name__)
            self._post(RecorderFailed())

    def _post(self, event: Event) -> None:
        self._events.put_nowait(event)

    def _note(self, what: str, **facts: object) -> None:
        if self._equipment.watchers:
            at = self._equipment.clock.monotonic()
            for watcher in self._equipment.watchers:
                watcher.note(self._leg.id, what, at, **facts)

    async def _off_loop(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._equipment.threads, work, *arguments)
