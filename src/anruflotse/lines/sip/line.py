"""The SIP line: worker processes that are kept alive, and the calls they bring."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from anruflotse.lines.line import LineError
from anruflotse.lines.mailbox import Mailbox
from anruflotse.lines.sip import wire
from anruflotse.lines.sip.ports import STRIDE, free_base, require_free
from anruflotse.lines.sip.process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anruflotse.clock import Clock
    from anruflotse.lines.sip.config import SipConfig
    from anruflotse.lines.sip.leg import SipLeg

log = structlog.get_logger(__name__)

FIRST_BACKOFF, LAST_BACKOFF = 0.25, 8.0
HEALTHY_SECONDS = 30.0
"""A worker that lived this long starts its backoff anew."""
_CLOSE_SECONDS = 3.0
_REGISTER_SECONDS = 9.0
_PORT_TRIES = 3
_REFUSED_FOR_GOOD = {401, 403, 404, 407}


@dataclass(frozen=True, slots=True)
class SipHealth:
    """How the line is; `registered` is None on a trunk without registration."""

    workers: int
    workers_up: int
    calls: int
    restarts: int
    registered: bool | None
    late_ms: int
    """How late the workers' audio tick was at most in the last second."""

    @property
    def ready(self) -> bool:
        """Whether new calls can be taken now."""
        return self.workers_up > 0 and self.registered is not False


class SipLine:
    """A `Line` over SIP. `open` it once, `close` it once."""

    def __init__(self, config: SipConfig, clock: Clock) -> None:
        """Nothing is started or checked before `open`."""
        self._config = config
        self._clock = clock
        self._port = config.port
        self._calls: Mailbox[SipLeg] = Mailbox()
        self._processes: list[WorkerProcess | None] = [None] * config.workers
        self._keepers: list[asyncio.Task[None]] = []
        self._restarts = 0
        self._registered: bool | None = None
        self._answered: asyncio.Future[wire.Registered] | None = None
        self._ending = asyncio.Event()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where calls are taken, e.g. `udp:127.0.0.1:5060`, for every worker and transport; real ports after `open`."""
        return tuple(
            f"{transport}:{self._config.host}:{self._port_of(index) + (transport == 'tls')}"
            for index in range(self._config.workers)
            for transport in self._config.transports
        )

    @property
    def address(self) -> str:
        """The first of `addresses`."""
        return self.addresses[0]

    def health(self) -> SipHealth:
        """How the line is now."""
        up = [process for process in self._processes if process is not None]
        return SipHealth(
            workers=self._config.workers,
            workers_up=len(up),
            calls=sum(process.calls for process in up),
            restarts=self._restarts,
            registered=self._registered,
            late_ms=max((process.late_ms for process in up), default=0),
        )

    @property
    def pids(self) -> tuple[int, ...]:
        """The worker processes that are up, by worker."""
        return tuple(process.pid for process in self._processes if process is not None)

    async def open(self) -> None:
        """See `Line.open`. With a registrar: returns when it has answered, or did not within 9 s (it is tried on)."""
        self._config.check()
        if self._config.registrar is not None:
            self._registered = False
            self._answered = asyncio.get_running_loop().create_future()
        for attempt in range(_PORT_TRIES):
            try:
                await self._start_all()
                break
            except LineError:
                # A free port can be lost between finding and binding it; a port that was asked for is an answer.
                if self._config.port != 0 or attempt == _PORT_TRIES - 1:
                    raise
        self._keepers = [asyncio.create_task(self._keep(index)) for index in range(self._config.workers)]
        if self._answered is not None:
            await self._await_registrar(self._answered)

    def calls(self) -> AsyncIterator[SipLeg]:
        """See `Line.calls`."""
        return self._calls

    async def refuse(self) -> None:
        """Answer 486 to new calls from now on; calls that are up go on. For an orderly end, before `close`."""
        self._ending.set()
        for process in self._processes:
            if process is not None:
                process.send(wire.Refuse())

    async def close(self) -> None:
        """See `Line.close`."""
        self._ending.set()
        self._calls.end()
        await asyncio.gather(*(process.quit(_CLOSE_SECONDS) for process in self._processes if process is not None))
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers = []

    async def _start_all(self) -> None:
        config = self._config
        if config.port == 0:
            self._port = free_base(config.host, config.workers, config.transports)
        for index in range(config.workers):
            require_free(config.host, self._port_of(index), config.transports)
        started = await asyncio.gather(*(self._start(index) for index in range(config.workers)), return_exceptions=True)
        failures = [result for result in started if isinstance(result, BaseException)]
        if failures:
            for process in started:
                if isinstance(process, WorkerProcess):
                    await process.kill()
            raise failures[0]
        self._processes = [process for process in started if isinstance(process, WorkerProcess)]

    async def _start(self, index: int) -> WorkerProcess:
        process = WorkerProcess(self._setup(index), self._clock, self._calls.put, self._on_registered)
        await process.start()
        return process

    async def _keep(self, index: int) -> None:
        """Run worker `index`, and start it again when it ends without having been told to."""
        backoff = FIRST_BACKOFF
        while True:
            process = self._processes[index]
            if process is not None:
                began = self._clock.monotonic()
                try:
                    await process.run()
                except Exception as error:  # a worker's slot must outlive any mistake of ours
                    log.critical("sip worker's supervision failed", worker=index, exc_info=error)
                finally:
                    self._processes[index] = None
                if self._clock.monotonic() - began > HEALTHY_SECONDS:
                    backoff = FIRST_BACKOFF
                if not self._ending.is_set():
                    log.error("sip worker ended; its calls are lost, it is started again", worker=index)
            if self._ending.is_set():
                return
            if self._config.registrar is not None:
                self._registered = False
            await self._clock.sleep(backoff)
            backoff = min(backoff * 2, LAST_BACKOFF)
            try:
                fresh = await self._start(index)
            except LineError as error:
                log.warning("sip worker does not start again yet", worker=index, exc_info=error)
                continue
            if self._ending.is_set():  # decided while it was starting
                await fresh.kill()
                return
            self._restarts += 1
            self._processes[index] = fresh
            log.info("sip worker is back", worker=index)

    async def _await_registrar(self, answered: asyncio.Future[wire.Registered]) -> None:
        done, _ = await asyncio.wait([answered], timeout=_REGISTER_SECONDS)
        if not done or answered.result().status == 0:
            log.warning("registrar does not answer; registration is tried on", registrar=self._config.registrar)
        elif not answered.result().ok:
            status = answered.result().status
            if status in _REFUSED_FOR_GOOD:
                await self.close()
                message = (
                    f"The registrar {self._config.registrar} refused the registration ({status}); "
                    "check sip.user, sip.auth_user and sip.password."
                )
                raise LineError(message)
            log.warning("registrar refuses for now; registration is tried on", status=status)

    def _on_registered(self, answer: wire.Registered) -> None:
        if self._registered != answer.ok:
            log.info("registration changed", registered=answer.ok, status=answer.status)
        self._registered = answer.ok
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(answer)

    def _port_of(self, index: int) -> int:
        return self._port + STRIDE * index

    def _setup(self, index: int) -> wire.Setup:
        config = self._config
        tls: dict[str, str] = {}
        if "tls" in config.transports:
            tls["sip_certificate"] = str(config.tls_certificate)
            tls["sip_verify_server"] = "yes" if config.tls_verify else "no"
            if config.tls_ca is not None:
                tls["sip_cafile"] = str(config.tls_ca)
        return wire.Setup(
            host=config.host,
            port=self._port_of(index),
            transports=list(config.transports),
            max_calls=config.calls_per_worker,
            codecs=config.codec_names,
            headers=list(config.headers),
            expose=config.exposed_headers,
            rtp_ports=list(config.rtp_ports),
            rtp_timeout=config.rtp_timeout,
            tls=tls,
            account={
                "registrar": config.registrar or "",
                "registrar_transport": config.registrar_transport,
                "user": config.user,
                "auth_user": config.auth_user or "",
                "password": config.password,
                "seconds": str(config.register_seconds),
            },
        )
