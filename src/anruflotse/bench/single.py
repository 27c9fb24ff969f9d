"""One call after another: how soon the voicebot is heard, obeys the objection key, and answers a concern.

Times are those of the caller's own packets; received ones carry the kernel's time of arrival. The split of an answer
comes from the voicebot's notes, which are on the same clock: CLOCK_MONOTONIC is one for all processes of a machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from anruflotse.bench.bot import BenchError, Bot
from anruflotse.bench.figures import Answers, Figure, Noted, answer_of, percentiles
from anruflotse.bench.voices import Utterance
from anruflotse.lines.peers import Call, Caller, NotAnsweredError, OnRefer, SipError
from anruflotse.lines.peers.heard import SPEECH_DBFS

FIRST_AUDIO_MS: Final = 300.0
OBJECTION_MS: Final = 300.0
ANSWER_SECONDS: Final = 1.3
_NUMBER: Final = "+493055501000"
_OBJECTION_KEY: Final = "9"
_PATIENCE: Final = 10.0
_NOTES_SECONDS: Final = 0.5
"""After a call, so long until its notes have been written out."""
_BETWEEN: Final = 0.06
"""Between notice and question there is more silence than this: both have 30 ms of it at their edges."""


@dataclass(slots=True)
class Promptness:
    """What the calls without a concern showed, in ms, and how many of them failed."""

    first_packet: list[float] = field(default_factory=list)
    first_sound: list[float] = field(default_factory=list)
    objection: list[float] = field(default_factory=list)
    failed: int = 0

    def figures(self) -> list[Figure]:
        """With the promised limits, which hold for p95 here."""
        failed = f"{self.failed} calls failed; short notice"
        return [
            *percentiles("ACK to first audio packet", self.first_packet, "ms", about=failed),
            *percentiles(
                "ACK to first sound", self.first_sound, "ms", {"p50": FIRST_AUDIO_MS, "p95": FIRST_AUDIO_MS}, failed
            ),
            *percentiles(
                "objection key to REFER", self.objection, "ms", {"p50": OBJECTION_MS, "p95": OBJECTION_MS},
                f"{failed}; from the press, up to 20 ms before the first packet of the event",
            ),
        ]  # fmt: skip


async def promptness(bot: Bot, calls: int, progress: Callable[[], None]) -> Promptness:
    """Call `calls` times, listen, press the objection key in the notice, and wait for the REFER."""
    found = Promptness()
    async with Caller() as caller:
        for _ in range(calls):
            try:
                await _objecting_call(caller, bot.uris[0], found)
            except (SipError, TimeoutError):
                found.failed += 1
            progress()
    return found


async def answers(
    bot: Bot, utterances: Sequence[Utterance], notice_seconds: float, progress: Callable[[], None]
) -> Answers:
    """State one concern a call, as soon as the notice is over, and take the time until the voicebot reacts."""
    found = Answers()
    async with Caller() as caller:
        for utterance in utterances:
            dialled = asyncio.get_running_loop().time()
            try:
                times = await _concern_call(caller, bot.uris[0], utterance, notice_seconds)
            except (SipError, TimeoutError):
                found.missed += 1
            else:
                await asyncio.sleep(_NOTES_SECONDS)
                found.add(answer_of(bot.noted, call_since(bot.noted, dialled), *times))
            progress()
    return found


def call_since(noted: Sequence[Noted], dialled: float) -> str:
    """The id of the one call that was answered later than `dialled`. Raises BenchError when it is not one."""
    ids = {note.call for note in noted if note.name == "Answered" and note.at >= dialled}
    if len(ids) != 1:
        message = f"The voicebot noted {len(ids)} calls where one was placed: does anybody else call it?"
        raise BenchError(message)
    return ids.pop()


async def first_sound(call: Call, after: float, seconds: float) -> float:
    """When the first loud packet later than `after` came; both in seconds since dialling. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            found = heard_after(call, after)
            if found is not None:
                return found
            await asyncio.sleep(0.02)


def heard_after(call: Call, after: float) -> float | None:
    """The arrival of the first loud packet later than `after`, None when there is none yet."""
    return next((frame.at for frame in call.heard.frames if frame.at > after and frame.level > SPEECH_DBFS), None)


async def _objecting_call(caller: Caller, uri: str, found: Promptness) -> None:
    call = await caller.dial(uri, number=_NUMBER, codec="pcma", on_refer=OnRefer.HANG_UP)
    try:
        acknowledged = next(event.at for event in call.events if event.event == "answered")
        sound = await first_sound(call, 0.0, _PATIENCE)
        packet = call.heard.first_packet_at
        if packet is None:
            message = "sound without a packet"
            raise NotAnsweredError(message)
        # Audio may be on its way before our ACK is: that is no delay at all.
        found.first_packet.append(max(0.0, packet - acknowledged) * 1_000)
        found.first_sound.append(max(0.0, sound - acknowledged) * 1_000)
        await asyncio.sleep(0.3)
        pressed = call.now()
        pressing = asyncio.create_task(call.press(_OBJECTION_KEY))
        try:
            referral = await call.wait_refer(_PATIENCE)
        finally:
            pressing.cancel()
            await asyncio.wait({pressing})
        found.objection.append((referral.at - pressed) * 1_000)
    finally:
        await call.hang_up()


async def _concern_call(caller: Caller, uri: str, utterance: Utterance, notice_seconds: float) -> tuple[float, float]:
    """When the caller's last loud packet went out and when the voicebot's first reaction arrived (monotonic)."""
    call = await caller.dial(uri, number=_NUMBER, codec="pcma", on_refer=OnRefer.HANG_UP)
    try:
        # The question may be spoken over, the notice may not; and pauses there are in the notice, too.
        notice = await first_sound(call, 0.0, _PATIENCE)
        await call.wait_speech(after=notice + notice_seconds + _BETWEEN, seconds=notice_seconds + _PATIENCE)
        if not await call.say(utterance.audio):
            message = "the call ended in mid-sentence"
            raise NotAnsweredError(message)
        began = asyncio.get_running_loop().time() - call.now()
        spoken = call.now()
        sound = asyncio.create_task(first_sound(call, spoken, _PATIENCE))
        refer = asyncio.create_task(call.wait_refer(_PATIENCE))
        try:
            await asyncio.wait({sound, refer}, return_when=asyncio.FIRST_COMPLETED)
            reacted = call.referrals[0].at if call.referrals else sound.result()
        finally:
            for task in (sound, refer):
                task.cancel()
            await asyncio.gather(sound, refer, return_exceptions=True)
        return began + spoken, began + reacted
    finally:
        await call.hang_up()
