"""The demonstration from beginning to end: start the service, let people phone, check what remains, stay up."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta

from rich.console import Console

from anruflotse.app.building import build
from anruflotse.app.running import preparation, shut_in
from anruflotse.app.service import Service
from anruflotse.clock import SystemClock
from anruflotse.demo.cast import CAST
from anruflotse.demo.scene import Scene, Scribe, Story, numbers_left
from anruflotse.demo.show import Show
from anruflotse.lines.line import LineError
from anruflotse.lines.peers import Phone
from anruflotse.settings import Settings

PHONE_PORT = 5090
"""Where the shipped catalogue's targets are."""


async def play_demo(settings: Settings, *, once: bool) -> bool:
    """Play it; True when every call ended as it must and left what it may.

    Unless `once`, the service stays up afterwards until SIGINT or SIGTERM. Raises what `build` and `Service` raise,
    and `LineError` when the department phones' port is taken.
    """
    console = Console()
    clock = SystemClock()
    until = f"{clock.now() + timedelta(days=settings.retention.days):%d.%m.%Y}"
    stories = [Story(caller, kept_until=until) for caller in CAST]
    show = Show(stories, console)
    scribe = Scribe(show.changed)
    shut_in()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with preparation() as progress:
        parts = await asyncio.to_thread(build, settings, clock, (scribe,))
        service = Service(parts, drain_seconds=5, progress=progress)
        await service.open()
    async with service, _phones() as phone:
        address = service.line.address.partition(":")[2]
        console.print(f"The voicebot answers at sip:{address}, the department phones at {phone.host}:{phone.port}.\n")
        before = (await asyncio.to_thread(parts.records.status)).records
        playing = asyncio.create_task(Scene(f"sip:bot@{address}", phone, scribe, stories).play())
        with show:
            await asyncio.wait({playing, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            playing.cancel()
            return False
        playing.result()
        recorded = (await asyncio.to_thread(parts.records.status)).records - before
        good = await _told(console, settings, stories, recorded)
        if not once:
            console.print(f"\n{service.ready_line}\nThe line stays up, Ctrl-C ends it. Try it from another terminal:")
            console.print(f'  .venv/bin/anruflotse call sip:bot@{address} --say "Ich habe eine Frage zum Pflegegrad."')
            await stop.wait()
    return good


async def _told(console: Console, settings: Settings, stories: list[Story], recorded: int) -> bool:
    """Say how it went and how many records were added, and look into the data directory as an auditor would."""
    good = sum(story.as_it_must for story in stories)
    console.print(f"\n{good} of {len(stories)} calls ended where they must.")
    wanted = sum(story.caller.kept for story in stories)
    sign = "✓" if recorded == wanted else "[red]✗"
    console.print(f"{sign} {recorded} records were added, for the {wanted} callers who stated a concern and no other.")
    left = await asyncio.to_thread(numbers_left, settings.data, [story.caller for story in stories])
    if left:
        console.print(f"[red]✗ In plain text on disk: the number of {', '.join(left)}.")
    else:
        console.print("✓ No caller's number is readable on disk.")
    return good == len(stories) and recorded == wanted and not left


def _phones() -> Phone:
    return _DemoPhone(port=PHONE_PORT)


class _DemoPhone(Phone):
    """The department phones, with a clear word when their port is taken."""

    async def open(self) -> None:
        """See `Phone.open`."""
        try:
            await super().open()
        except OSError as error:
            message = f"The department phones need port {self.port}, which is taken: end the program that uses it."
            raise LineError(message) from error
