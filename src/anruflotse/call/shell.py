"""One call, from ring to hand-over: what happens is told to the pure machine, what it wants is done.

The machine decides, this file only carries out: it holds the tasks (ears, keys, prompt, timers, interpretation,
transfer) and one queue of events. Whatever breaks in here, the caller is handed to a person and nothing is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress

import structlog

from anruflotse.call.deadline import within
from anruflotse.call.ears import Ears
from anruflotse.call.equipment import Equipment
from anruflotse.call.mind import Mind
from anruflotse.call.notes import Notes
from anruflotse.call.way_out import HUMAN, WayOut
from anruflotse.conversation import State, step
from anruflotse.conversation.actions import (
    Action,
    Attend,
    Attention,
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
    Tally,
    Transfer,
    Understand,
)
from anruflotse.conversation.events import (
    Answered,
    Event,
    HandOverNow,
    Heard,
    HungUp,
    Key,
    KeyPressed,
    NoticeFinished,
    PromptFailed,
    PromptFinished,
    RecorderFailed,
    RecorderStopped,
    Screened,
    Silence,
    SpeechStarted,
    TransferFailed,
)
from anruflotse.lines.line import Leg, LegClosedError
from anruflotse.pcm import Pcm
from anruflotse.processors import Disclosures
from anruflotse.records.recorder import RecorderStateError

log = structlog.get_logger(__name__)

STALLED_SECONDS = 5.0
"""A prompt that has not ended so long after its duration never will: the line is not playing it."""
AGAIN_SECONDS = 0.5
"""How often a silence is put off while the caller speaks out of turn."""
LOOK_UP_SECONDS = 0.25
"""So long the caller may wait for the first sound because the objections of earlier calls are looked up."""
LAST_WORDS_SECONDS = 2.0
"""So long the last stretch of speech of a transferred call may take to be cut off and screened."""
LONGEST_TURN_SECONDS = 40.0
"""The endpointer ends a turn at 30 s of audio; a turn that lasts longer has lost its audio."""


class Call:
    """Runs the conversation on one leg. Make it, then await `run` once."""

    def __init__(self, leg: Leg, equipment: Equipment) -> None:
        """Nothing happens before `run`."""
        self._leg = leg
        self._equipment = equipment
        self._state = State()
        self._events: asyncio.Queue[tuple[Event, asyncio.Task[None] | None]] = asyncio.Queue()
        """What happened, with the prompt it is about if it is about one."""
        self._listening: asyncio.Task[None] | None = None
        self._interpreting: set[asyncio.Task[None]] = set()
        self._overhearing: set[asyncio.Task[Screened]] = set()
        self._notes = Notes()
        self._mind = Mind(equipment, self._notes, self._note)
        self._ears = Ears(equipment, leg.rate, self._notes, self._post, self._overheard, self._mind.foresee)
        self._disclosures = Disclosures()
        self._way_out = WayOut(equipment, leg, equipment.clock.now(), self._disclosures)
        self._tasks: set[asyncio.Task[None]] = set()
        self._prompt: asyncio.Task[None] | None = None
        self._timer: asyncio.Task[None] | None = None
        self._transfer: asyncio.Task[None] | None = None
        self._objected_last = False

    async def run(self) -> None:
        """Lead the call to its end; nothing of the caller is in memory afterwards. Raises nothing but cancellation."""
        self._disclosures.hold_for_this_call()
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
            ending = (*self._tasks, *self._overhearing)
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
            self._ears.forget()
            with suppress(LegClosedError):
                await self._leg.hang_up()

    def hand_over(self) -> None:
        """Have a person take over now: the service is stopping."""
        self._post(HandOverNow())

    async def _lead(self) -> None:
        self._spawn(self._watch_leg())
        self._listening = self._spawn(self._listen())
        self._spawn(self._watch_keys())
        self._spawn(self._after(self._equipment.rules.max_seconds, HandOverNow()))
        await self._take(await self._answered())
        while not self._state.ended:
            event, prompt = await self._events.get()
            # The end of a prompt that was replaced while it was told is nobody's end.
            if prompt is None or prompt is self._prompt:
                await self._take(event)

    async def _answered(self) -> Answered:
        """How the call begins. When nobody can tell in time whether this number has objected, nothing is recorded."""
        keeper, caller = self._equipment.keeper, self._leg.caller
        if caller is None:
            return Answered(may_record=keeper.healthy())
        looked = asyncio.get_running_loop().run_in_executor(self._equipment.store_threads, keeper.objected, caller)
        try:
            objected = await within(self._equipment.clock, LOOK_UP_SECONDS, looked)
        except Exception:
            log.exception("the objections cannot be looked up; the call is not recorded", call=self._leg.id)
            return Answered(may_record=False)
        return Answered(may_record=keeper.healthy(), objected=objected)

    async def _take(self, event: Event) -> None:
        before = self._state.stage
        self._state, actions = step(self._state, event)
        if self._state.notice_heard:
            self._disclosures.notice_heard()
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
                if action.attention is not Attention.SCREEN:
                    self._mind.forget()
                self._ears.attend(action.attention)
            case AwaitSpeech():
                self._set_timer(self._equipment.rules.silence_seconds, Silence())
            case StartRecording() | StopRecording() | DropEverything():
                self._record(action)
            case Understand() | Screen() | Pick():
                self._interpreting.add(self._spawn(self._interpret(action)))
            case Transfer():
                self._transfer = self._spawn(self._send(action))
            case Seal():
                await self._seal()
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

    async def _seal(self) -> None:
        """Keep the record, unless what the caller said last, and is only being screened, was an objection."""
        if self._listening is not None:
            await asyncio.wait({self._listening}, timeout=LAST_WORDS_SECONDS)
        found = await asyncio.gather(*self._overhearing, return_exceptions=True)
        if any(not isinstance(last, Screened) or last.heard is Heard.OBJECTION for last in found):
            log.info("an objection was heard at the last moment; nothing is kept", call=self._leg.id)
            self._objected_last = True
        elif not await self._way_out.seal(self._notes, self._state.denied):
            self._note("not_kept")
        self._forget()

    def _forget(self) -> None:
        """Overwrite and let go of everything the caller said, wherever in this call it is held or worked on."""
        self._disclosures.close()
        for task in (*self._interpreting, *self._overhearing):
            task.cancel()
        self._ears.forget()
        self._mind.forget()
        self._notes.drop()

    async def _play(self, play: Play) -> None:
        failed = PromptFailed(play.prompt)
        stalled = self._spawn(self._after(STALLED_SECONDS, failed))
        try:
            audio = await self._equipment.announcer.audio(play, self._leg.rate)
            stalled.cancel()
            stalled = self._spawn(self._after(audio.seconds + STALLED_SECONDS, failed))
            finished = await self._leg.play(audio)
        except LegClosedError:
            return
        except Exception:
            log.exception("a prompt could not be played", call=self._leg.id, prompt=play.prompt.value)
            self._post(failed)
            return
        finally:
            stalled.cancel()
        if finished:
            over = NoticeFinished() if play.prompt is Prompt.NOTICE else PromptFinished(play.prompt)
            self._events.put_nowait((over, asyncio.current_task()))

    async def _interpret(self, request: Understand | Screen | Pick) -> None:
        match request:
            case Understand():
                self._post(await self._mind.understand(request.turn))
            case Screen():
                self._post(await self._mind.screen(request.turn))
            case Pick():
                self._post(await self._mind.pick(request.turn, request.concerns))

    async def _send(self, action: Transfer) -> None:
        try:
            self._post(await self._way_out.transfer(action.destination))
        except Exception:
            log.exception("a transfer broke", call=self._leg.id)
            self._post(TransferFailed())

    async def _count(self, action: Count) -> None:
        tally = Tally.OBJECTION if self._objected_last else action.tally
        department = None if self._objected_last else action.department
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(
                self._equipment.store_threads, self._equipment.keeper.count, tally.value, department
            )
        except Exception:
            log.exception("a counter could not be raised", call=self._leg.id, kind=tally.value)
        log.info("call ended", call=self._leg.id, outcome=tally.value)

    async def _rescue(self) -> None:
        """Something of ours broke: a person, without another word from us."""
        with suppress(Exception):
            await self._count(Count(Tally.FAULT))
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
        task = asyncio.create_task(self._overhear(audio))
        self._overhearing.add(task)
        task.add_done_callback(self._overhearing.discard)

    async def _overhear(self, audio: Pcm) -> Screened:
        found = await self._mind.overhear(audio)
        self._post(found)
        return found

    async def _after(self, seconds: float, event: Event) -> None:
        await self._equipment.clock.sleep(seconds)
        while isinstance(event, Silence) and self._ears.speaking:
            # They speak since before it was their turn: that is no answer, and no silence either.
            await self._equipment.clock.sleep(AGAIN_SECONDS)
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
        self._interpreting.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a part of a call broke", call=self._leg.id, error=type(error).__name__)
            self._post(RecorderFailed())

    def _post(self, event: Event) -> None:
        self._events.put_nowait((event, None))

    def _note(self, what: str, **facts: object) -> None:
        if self._equipment.watchers:
            at = self._equipment.clock.monotonic()
            for watcher in self._equipment.watchers:
                watcher.note(self._leg.id, what, at, **facts)
