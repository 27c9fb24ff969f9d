"""From what was heard to what it means: recogniser, screener and understanding, put together for one call."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import structlog

from anruflotse.call.deadline import within
from anruflotse.call.equipment import Equipment
from anruflotse.call.notes import Notes
from anruflotse.conversation.actions import Attention
from anruflotse.conversation.events import (
    Event,
    Heard,
    NotUnderstood,
    Picked,
    RecogniserFailed,
    Screened,
    Understood,
    Verdict,
)
from anruflotse.pcm import Pcm
from anruflotse.speech.seams import Screening, SpeechError, Transcript
from anruflotse.understanding.seams import Decision, DecisionKind, Ranking

log = structlog.get_logger(__name__)
T = TypeVar("T")

SHORT_SECONDS = 2.5
"""Up to here an answer may be nothing but "Widerspruch" or "Mitarbeiter": it is screened as well as recognised."""
NOISE = frozenset({"no_speech", "empty"})
SAFETY_KINDS = frozenset({DecisionKind.OBJECTION, DecisionKind.HUMAN, DecisionKind.EMERGENCY})


class Mind:
    """Interprets the turns of one call. Every method returns exactly one event and never raises."""

    def __init__(self, equipment: Equipment, notes: Notes, note: Callable[..., None]) -> None:
        """`note(what, **facts)` tells the watchers."""
        self._equipment = equipment
        self._notes = notes
        self._note = note
        self._ahead: dict[str, tuple[Pcm, asyncio.Task[Any]]] = {}
        """Work begun in a pause of the caller's, by kind: worth something if the turn ends with that very audio."""

    def foresee(self, audio: Pcm, attention: Attention) -> None:
        """The caller pauses: begin to interpret as if the turn were over, while the engines have nothing else to do.

        It saves the caller most of the recogniser's time; if they go on speaking, the work was for nothing.
        """
        self.forget()
        if self._equipment.workload.under_way:
            return
        if attention is Attention.CONCERN:
            self._begin("recognise", audio, self._transcribe(audio))
        if attention is Attention.ANSWER or audio.seconds <= SHORT_SECONDS:
            self._begin("screen", audio, self._listen_for_little(audio))

    def forget(self) -> None:
        """Let go of everything begun ahead, with the audio it holds."""
        for _, task in self._ahead.values():
            task.cancel()
        self._ahead.clear()

    async def understand(self, turn: int) -> Event:
        """Recognise and classify the turn just ended."""
        return await self._guarded(turn, self._understand)

    async def screen(self, turn: int) -> Event:
        """Judge the turn just ended as a short answer."""
        return await self._guarded(turn, self._screen)

    async def pick(self, turn: int, concerns: tuple[str, str]) -> Event:
        """Find which of two concerns the turn just ended means."""

        async def choose(turn: int, audio: Pcm) -> Event:
            return await self._pick(turn, audio, concerns)

        return await self._guarded(turn, choose)

    async def overhear(self, audio: Pcm) -> Screened:
        """Judge speech nobody asked for. What could not be judged may have been an objection, and is asked about."""
        try:
            found = await self._in_time(self._listen_for_little(audio))
        except (SpeechError, TimeoutError):
            log.warning("screening failed; the caller is asked whether they object")
            return Screened(Heard.OBJECTION, certain=False)
        self._note("screened", heard=found.heard.value, certain=found.certain)
        return Screened(Heard(found.heard.value), found.certain)

    async def _guarded(self, turn: int, work: Callable[[int, Pcm], Awaitable[Event]]) -> Event:
        audio = self._notes.turn
        if audio is None:
            return NotUnderstood(turn)
        try:
            return await self._in_time(work(turn, audio))
        except (SpeechError, TimeoutError) as error:
            log.warning("a turn could not be interpreted", error=type(error).__name__)
        except Exception:
            # Whatever breaks in an engine, the caller reaches a person.
            log.exception("interpreting a turn broke")
        return RecogniserFailed(turn)

    async def _understand(self, turn: int, audio: Pcm) -> Event:
        if audio.seconds <= SHORT_SECONDS:
            transcript, screening = await asyncio.gather(self._recognise(audio), self._screen_quietly(audio))
        else:
            transcript, screening = await self._recognise(audio), None
        event = await self._read(turn, transcript)
        if screening is None or screening.heard.value not in {Heard.OBJECTION, Heard.HUMAN, Heard.EMERGENCY}:
            return event
        return _with_screening(turn, event, screening)

    async def _read(self, turn: int, transcript: Transcript) -> Event:
        if not transcript.accepted:
            return await self._rejected(turn, transcript)
        ranking, decision = await self._off_loop(self._rank_and_decide, transcript.text)
        self._note("understood", ranking=ranking, decision=decision)
        if decision.kind in {DecisionKind.ASK_AGAIN, DecisionKind.CONFIRM, DecisionKind.CHOOSE}:
            heard, _, _ = await self._off_loop(self._equipment.reader.heard, transcript.text)
            if heard is not None and heard.value == Heard.REPEAT:
                return Screened(Heard.REPEAT, turn=turn)
        self._notes.explained(decision)
        outside = decision.kind is DecisionKind.ASK_AGAIN and self._equipment.reader.out_of_scope(ranking)
        if decision.kind not in SAFETY_KINDS:
            self._notes.heard(transcript.text)
            self._notes.decided(ranking, decision)
        elif decision.concerns and not decision.certain:
            # Should the caller say that no objection (wish, emergency) was meant, this is their concern.
            self._notes.heard(transcript.text)
            self._notes.decided(ranking, Decision(DecisionKind.CONFIRM, decision.concerns, second=decision.second))
        now = self._equipment.clock.now()
        directory = self._equipment.directory
        candidates = tuple(directory.candidate(c.concern, c.department, now) for c in decision.concerns)
        return Understood(
            turn, Verdict(decision.kind.value), candidates, decision.certain, decision.suicidal, stated=not outside
        )

    async def _rejected(self, turn: int, transcript: Transcript) -> Event:
        """Words too doubtful to act upon; but an objection among them is asked about."""
        heard, _, suicidal = await self._off_loop(self._equipment.reader.heard, transcript.text)
        if heard is not None and heard.value in {Heard.OBJECTION, Heard.HUMAN, Heard.EMERGENCY}:
            return Screened(Heard(heard.value), certain=False, turn=turn, suicidal=suicidal)
        if transcript.reason in NOISE:
            return Screened(Heard.SILENCE, turn=turn)
        return NotUnderstood(turn)

    async def _screen(self, turn: int, audio: Pcm) -> Event:
        found = await self._once("screen", audio, self._listen_for_little)
        self._note("screened", heard=found.heard.value, certain=found.certain)
        return Screened(Heard(found.heard.value), found.certain, turn)

    async def _pick(self, turn: int, audio: Pcm, concerns: tuple[str, str]) -> Event:
        transcript = await self._recognise(audio)
        if not transcript.accepted:
            return await self._rejected(turn, transcript)
        reader = self._equipment.reader
        heard, certain, suicidal = await self._off_loop(reader.heard, transcript.text)
        if heard is not None and heard.value in {Heard.OBJECTION, Heard.HUMAN, Heard.EMERGENCY, Heard.REPEAT}:
            return Screened(Heard(heard.value), certain, turn, suicidal)
        index = await self._off_loop(reader.pick, transcript.text, *concerns)
        if index is not None:
            self._notes.chose(concerns[index])
            return Picked(turn, index)
        if heard is not None:
            return Screened(Heard(heard.value), certain, turn)
        return await self._read(turn, transcript)

    async def _recognise(self, audio: Pcm) -> Transcript:
        transcript = await self._once("recognise", audio, self._transcribe)
        self._note(
            "recognised", text=transcript.text, confidence=transcript.confidence, accepted=transcript.accepted,
            reason=transcript.reason,
        )  # fmt: skip
        return transcript

    async def _screen_quietly(self, audio: Pcm) -> Screening | None:
        try:
            return await self._once("screen", audio, self._listen_for_little)
        except SpeechError:
            return None

    async def _transcribe(self, audio: Pcm) -> Transcript:
        with self._under_way():
            return await self._equipment.recogniser.transcribe(audio, self._equipment.hints)

    async def _listen_for_little(self, audio: Pcm) -> Screening:
        with self._under_way():
            return await self._equipment.screener.screen(audio)

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        self._equipment.workload.under_way += 1
        try:
            yield
        finally:
            self._equipment.workload.under_way -= 1

    def _begin(self, kind: str, audio: Pcm, work: Coroutine[Any, Any, T]) -> None:
        task = asyncio.create_task(work)
        # Nobody may ever ask for the result: its failure is then nobody's business either.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._ahead[kind] = (audio, task)

    async def _once(self, kind: str, audio: Pcm, work: Callable[[Pcm], Coroutine[Any, Any, T]]) -> T:
        """What was begun ahead for this very audio, or `work` begun now."""
        begun = self._ahead.pop(kind, None)
        if begun is not None and begun[0] == audio:
            return cast("T", await begun[1])
        if begun is not None:
            begun[1].cancel()
        return await work(audio)

    def _rank_and_decide(self, text: str) -> tuple[Ranking, Decision]:
        ranking = self._equipment.reader.rank(text)
        return ranking, self._equipment.reader.decide(text, ranking)

    async def _off_loop(self, work: Callable[..., T], *arguments: object) -> T:
        # The call's context goes along: a classifier of a processor's must find the call it has to account for.
        run = contextvars.copy_context().run
        return await asyncio.get_running_loop().run_in_executor(self._equipment.threads, run, work, *arguments)

    async def _in_time(self, work: Awaitable[T]) -> T:
        """The result of `work`, or `TimeoutError` after the rules' recognition time on the call's own clock."""
        return await within(self._equipment.clock, self._equipment.rules.recognition_seconds, work)


def _with_screening(turn: int, event: Event, screening: Screening) -> Event:
    """Let the screener's finding on a short answer count: when the words do not say so too, it is only a doubt."""
    heard = Heard(screening.heard.value)
    if isinstance(event, Understood):
        if event.verdict in {Verdict.OBJECTION, Verdict.HUMAN, Verdict.EMERGENCY}:
            return event
        if heard is Heard.OBJECTION or screening.certain:
            return Understood(turn, Verdict(heard.value), event.candidates[:1], certain=False)
        return event
    return Screened(heard, screening.certain, turn)
