"""The running voicebot: line, calls, console and sweep, from the first call it can take to an orderly end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Self

import structlog

from anruflotse.app.building import Parts, make_sip
from anruflotse.call import Call
from anruflotse.console.health import Health
from anruflotse.console.pages import build as build_console
from anruflotse.console.serving import Address, serve
from anruflotse.lines.line import Leg
from anruflotse.lines.sip.line import SipLine
from anruflotse.speech.prompts import PromptError

log = structlog.get_logger(__name__)

PROBE_SECONDS = 5.0
"""How often the record store is asked whether it works; so long a call may believe it does."""
RECONCILE_SECONDS = 86400.0
"""How often the two stores are compared with each other, beside the start."""
RECONCILE_AGAIN_SECONDS = 3600.0
"""How soon that is tried again when it could not be done."""
HAND_OVER_SECONDS = 45.0
"""After the drain time, so long callers have to be handed to a person before their calls are ended."""


class Service:
    """One voicebot: `open` it, then `async with` it; it takes calls until the block is left."""

    def __init__(
        self, parts: Parts, *, drain_seconds: float = 30.0, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """`drain_seconds`: how long calls may go on when the service stops, before they are handed to a person.

        `progress` is told how many of how many prompts are ready.
        """
        self._parts = parts
        self._drain = drain_seconds
        self._progress = progress
        self._calls: dict[asyncio.Task[None], Call] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()
        self.line = SipLine(make_sip(parts.settings), parts.clock)
        self.console: Address

    async def open(self) -> None:
        """Open everything, or free everything and raise `LineError` or `ConsoleError`, with a remedy."""
        try:
            await self._open()
        except BaseException:
            await self._close()
            raise

    async def __aenter__(self) -> Self:
        """The service, opened before."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Refuse new calls, let the others finish or hand them to a person, and free every port."""
        await self._finish_calls()
        await self._close()

    @property
    def ready_line(self) -> str:
        """What `anruflotse run` prints when calls can be taken."""
        return f"READY sip={self.line.address} console={self.console.url}"

    def health(self) -> Health:
        """The state of the parts; ready when calls can be taken (a store that is down does not stop calls)."""
        line, parts = self.line.health(), self._parts
        well = {"sip": line.ready, "records": parts.keeper.healthy(), "processors": parts.gate.fault is None}
        return Health(line.ready, well)

    async def _open(self) -> None:
        parts = self._parts
        await asyncio.to_thread(self._open_records)
        await self._prepare_prompts()
        app = build_console(parts.notice.html, self.health, parts.metrics.registry, parts.notice.earlier)
        address = (parts.settings.console.host, parts.settings.console.port)
        self.console = await self._stack.enter_async_context(serve(app, *address))
        await self.line.open()
        self._tasks = [
            asyncio.create_task(self._take_calls()),
            asyncio.create_task(self._probe_store()),
            asyncio.create_task(self._sweep()),
        ]
        log.info("ready for calls", transport=self.line.address.partition(":")[0], workers=len(self.line.pids))

    def _open_records(self) -> None:
        """A store that cannot be opened costs the recordings, not the calls: it is tried again by the probe."""
        try:
            # What was erased and came back with a backup is erased again here, before the first read. The long
            # comparison of the stores follows while calls are taken.
            self._parts.records.prepare()
        except Exception:
            log.exception("the record store is not usable; calls are taken and not recorded")
        self._parts.metrics.store_up.set(self._parts.keeper.probe())

    async def _prepare_prompts(self) -> None:
        """A prompt that cannot be played sends its callers to a person, unrecorded; it does not take the line down."""
        try:
            await self._parts.prompts.prepare(self._progress)
        except PromptError:
            log.exception("a prompt cannot be played: callers who would hear it go to a person; see anruflotse doctor")

    async def _take_calls(self) -> None:
        async for leg in self.line.calls():
            try:
                self._lead(leg)
            except Exception:
                # One call that cannot be led must not end the taking of calls: the PBX sends it elsewhere.
                log.exception("a call could not be taken", call=leg.id)
                await leg.hang_up()

    def _lead(self, leg: Leg) -> None:
        call = Call(leg, self._parts.equipment)
        task = asyncio.create_task(call.run())
        self._calls[task] = call
        self._parts.metrics.calls.set(len(self._calls))
        log.info("call taken", call=leg.id, rate=leg.rate)
        task.add_done_callback(self._call_over)

    def _call_over(self, task: asyncio.Task[None]) -> None:
        self._calls.pop(task, None)
        self._parts.metrics.calls.set(len(self._calls))

    async def _probe_store(self) -> None:
        while True:
            await self._parts.clock.sleep(PROBE_SECONDS)
            healthy = await asyncio.to_thread(self._parts.keeper.probe)
            self._parts.metrics.store_up.set(healthy)

    async def _sweep(self) -> None:
        """Sweep now and every so often; reconcile the stores now and once a day, hourly while that does not work."""
        clock, due = self._parts.clock, 0.0
        while True:
            if clock.monotonic() >= due:
                done = await self._reconcile()
                due = clock.monotonic() + (RECONCILE_SECONDS if done else RECONCILE_AGAIN_SECONDS)
            try:
                swept = await asyncio.to_thread(self._parts.records.sweep)
                if swept.deleted:
                    log.info("expired records deleted", deleted=swept.deleted)
            except Exception:
                log.exception("the sweep for expired records failed; it is tried again")
            await clock.sleep(self._parts.settings.retention.sweep_seconds)

    async def _reconcile(self) -> bool:
        try:
            done = await asyncio.to_thread(self._parts.records.reconcile)
        except Exception:
            log.exception("the record stores could not be reconciled; see anruflotse records reconcile")
            return False
        if done.returned or done.unpaired:
            log.warning("the record stores were put right, as after a restore", count=done.returned + done.unpaired)
        return True

    async def _finish_calls(self) -> None:
        """Let calls end by themselves for the drain time, then hand the rest to a person."""
        await self.line.refuse()
        for patience, last_words in ((self._drain, Call.hand_over), (HAND_OVER_SECONDS, None)):
            if not self._calls:
                return
            await asyncio.wait(self._calls, timeout=patience)
            for call in list(self._calls.values()):
                if last_words is not None:
                    last_words(call)

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._calls:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._calls, return_exceptions=True)
        await self.line.close()
        await self._stack.aclose()
        await asyncio.to_thread(self._parts.close)
