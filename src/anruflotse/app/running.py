"""Running a service as a process: signals, the line that says it is ready, and the end."""

from __future__ import annotations

import asyncio
import ctypes
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from anruflotse.app.building import build
from anruflotse.app.service import Service
from anruflotse.clock import SystemClock
from anruflotse.settings import Settings

PR_SET_DUMPABLE = 4


async def run_service(settings: Settings, *, drain_seconds: float, announce: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT; `announce` gets the READY line. Raises what `build` and `Service` raise."""
    shut_in()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with preparation() as progress:
        parts = await asyncio.to_thread(build, settings, SystemClock())
        service = Service(parts, drain_seconds=drain_seconds, progress=progress)
        await service.open()
    async with service:
        announce(service.ready_line)
        sys.stdout.flush()
        await stop.wait()


def shut_in() -> None:
    """See to it that the memory of this process, which holds what callers say, is never written to a disk.

    No core dumps, not even through a handler the kernel pipes them to (prctl(2), PR_SET_DUMPABLE).
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


@contextmanager
def preparation() -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr for the rendering of the prompts, shown to people only; gone when done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Preparing the prompts", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
