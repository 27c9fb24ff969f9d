"""A caller's part as a list of steps, played on a call that is up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from anruflotse.lines.peers.call_state import NotAnsweredError
from anruflotse.lines.peers.caller import Call
from anruflotse.pcm import Pcm

PAUSE_MS: Final = 600
PROMPT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class WaitPrompt:
    """Wait until the other side has spoken (after the last prompt waited for) and been silent for `pause_ms`."""

    pause_ms: int = PAUSE_MS


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Say:
    """Say `audio` (8 or 16 kHz) to its end."""

    audio: Pcm = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keys:
    """Press `keys`."""

    keys: str = field(repr=False)
    via: Literal["rfc4733", "info"] = "rfc4733"


@dataclass(frozen=True, slots=True)
class HangUp:
    """Hang up."""


Step = WaitPrompt | Wait | Say | Keys | HangUp


async def play(call: Call, steps: Sequence[Step]) -> bool:
    """Play `steps` on `call`; True when all were played, False when the call ended (or was transferred) before that.

    A prompt counts once: `WaitPrompt` waits for one that ends after the last prompt waited for and after anything said.
    Raises TimeoutError when a prompt does not come within a minute.
    """
    mark = 0.0
    for step in steps:
        try:
            if isinstance(step, WaitPrompt):
                mark = (await call.wait_prompt(after=mark, pause_ms=step.pause_ms, seconds=PROMPT_SECONDS)).end
            elif isinstance(step, Wait):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(call.closed(), step.seconds)
            elif isinstance(step, Say):
                call.tell("say", seconds=round(step.audio.seconds, 2))
                if not await call.say(step.audio):
                    return False
                mark = call.now()
            elif isinstance(step, Keys):
                await call.press(step.keys, step.via)
            else:
                await call.hang_up()
        except NotAnsweredError:
            return False
    return True
