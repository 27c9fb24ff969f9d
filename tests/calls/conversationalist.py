"""How a test caller behaves: dial, hear the bot out, say something, learn who answered."""

from __future__ import annotations

import asyncio

from anruflotse.lines.peers import Call, Caller, OnRefer
from tests.calls.bot import Bot

NUMBER = "+493055501234"
CARE = "Meine Mutter braucht einen Pflegegrad, wie beantragen wir das?"
PAUSE_MS = 1100
"""The notice and the question follow each other within less than this."""


async def dial(caller: Caller, bot: Bot, number: str = NUMBER, on_refer: OnRefer = OnRefer.FOLLOW) -> Call:
    """Call the bot over UDP in A-law."""
    return await caller.dial(bot.uri, number=number, codec="pcma", on_refer=on_refer)


async def asked(call: Call) -> Call:
    """Hear notice and question to their end."""
    await call.wait_prompt(after=0, pause_ms=PAUSE_MS)
    return call


async def reached(call: Call, seconds: float = 40) -> str:
    """The extension that took the call."""
    referral = await call.wait_transferred(seconds)
    return referral.target.partition(":")[2].partition("@")[0]


async def counted_more(bot: Bot, kind: str, before: dict[str, int], by: int = 1) -> None:
    """Return when the call is over for the bot too, counted as `kind`. Raises TimeoutError."""
    async with asyncio.timeout(15):
        while bot.counted().get(kind, 0) < before.get(kind, 0) + by:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.1)
