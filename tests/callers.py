"""Callers and department phones for tests over real SIP: what tests/calls and tests/lines share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import numpy as np

from anruflotse.lines.peers import Behaviour, Caller, Phone, Reaction
from anruflotse.pcm import Pcm

NUMBER = "+493023125042"
"""From the block the Bundesnetzagentur keeps free for films and tests."""

BEHAVIOURS: Mapping[str, Behaviour] = {
    "besetzt": Behaviour(Reaction.BUSY),
    "abgelehnt": Behaviour(Reaction.DECLINE),
    "weg": Behaviour(Reaction.UNAVAILABLE),
    "klingelt": Behaviour(Reaction.RING),
    "tot": Behaviour(Reaction.DEAD),
}
"""Extensions that do not answer; every other one does."""


@asynccontextmanager
async def caller_and_phone(patience: float = 5.0) -> AsyncIterator[tuple[Caller, Phone]]:
    """A caller, and a phone whose extensions behave as `BEHAVIOURS` says, each on a free port."""
    async with Phone(behaviours=BEHAVIOURS) as phone, Caller(patience=patience) as caller:
        yield caller, phone


async def until(reached: Callable[[], bool], seconds: float = 2.0) -> None:
    """Wait until the network has done its part. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not reached():  # noqa: ASYNC110 - what is waited for happens in the code under test, which sets no event
            await asyncio.sleep(0.005)


def pitch(audio: Pcm) -> float:
    """The strongest frequency in `audio`, in Hz."""
    samples = np.frombuffer(audio.data, "<i2").astype(np.float64)
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * audio.rate / samples.size)


def loudness(audio: Pcm) -> float:
    """The RMS of the part of `audio` that is not silence, in dBFS."""
    samples = np.frombuffer(audio.data, "<i2").astype(np.float64)
    loud = np.flatnonzero(np.abs(samples) > 300)
    part = samples[loud[0] : loud[-1]]
    return float(10 * np.log10(np.mean(part**2) / 32_768**2))
