"""The process that holds the SIP stack: `python -m anruflotse.lines.sip.worker FD`.

Started by `supervisor.Worker` with one end of a socket pair; speaks `wire` on it and nothing anywhere else. It exits
when told to, when its parent is gone, or when the stack's thread died. It answers every call at once, hands the
caller's audio over in ticks of 60 ms, and paces prompts by itself, so a parent that is busy never makes audio stutter.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import ipaddress
import itertools
import logging
import os
import resource
import signal
import socket
import sys
import tempfile
from typing import TYPE_CHECKING

from baresip import Account, AudioNotActive, BaresipError, Config, Event, RegistrationError, Runtime, UserAgent

from anruflotse.lines.sip import wire
from anruflotse.lines.sip.addresses import caller_number
from anruflotse.lines.sip.ports import DIRECTORY_PREFIX
from anruflotse.lines.sip.referral import Referrals
from anruflotse.lines.sip.voice import Voice

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from baresip import Call, StackEvent

TICK = 0.06
PULSE = 1.0
BACKLOG = 4 * 1024 * 1024
"""Bytes waiting for a parent that does not read, beyond which caller audio is dropped: late audio is worth nothing."""
_MEDIA_TRIES, _MEDIA_WAIT = 100, 0.01
_CLOSE_SECONDS = 1.2
_REGISTER_SECONDS = 8.0
_ORPHAN_SECONDS = 4
_KEYS = frozenset("0123456789*#")
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4


class _StartError(Exception):
    """The stack cannot be brought up; `part` and `detail` as in `wire.Failed`."""

    def __init__(self, part: str, detail: str) -> None:
        super().__init__(part, detail)
        self.part = part
        self.detail = detail


class _Leg:
    """One call, from INVITE on; `known` once the parent was told of it."""

    def __init__(self, number: int, call: Call) -> None:
        self.number = number
        self.call = call
        self.voice: Voice | None = None
        self.referral: asyncio.Task[None] | None = None
        self.over = False


class SipWorker:
    """The stack, its calls and the wire to the parent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak `wire` over these."""
        self._reader = reader
        self._writer = writer
        self._writer.transport.set_write_buffer_limits(high=0)  # so that drain() means "all is out"
        self._runtime = Runtime(native_log_level="error")
        self._referrals = Referrals(self._runtime)
        self._agents: list[UserAgent] = []
        self._shown: frozenset[str] = frozenset()
        self._prompts: dict[str, wire.Prompt] = {}
        self._legs: dict[int, _Leg] = {}
        self._numbers = itertools.count(1)
        self._late = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._gone = asyncio.Event()

    async def run(self) -> None:
        """Work until told to quit, the parent is gone or the stack died."""
        setup = await wire.read(self._reader)
        if not isinstance(setup, wire.Setup):
            return
        self._shown = frozenset(name.lower() for name in setup.headers)
        self._runtime.on_dead = self._gone.set
        try:
            registering = await self._start(setup)
        except _StartError as error:
            self._send(wire.Failed(error.part, error.detail))
            await self._writer.drain()
            return
        self._send(wire.Ready())
        if registering is not None:
            self._spawn(self._register(registering))
        for work in (self._tick(), self._pulse(), self._obey()):
            self._spawn(work)
        await self._gone.wait()
        await self._finish()

    async def _start(self, setup: wire.Setup) -> UserAgent | None:
        """Bring the stack up and listen. Returns the agent that has to register, if any."""
        try:
            await self._runtime.start(_stack_config(setup))
        except BaresipError as error:
            part = "tls" if "tls" in setup.transports else "transport"
            raise _StartError(part, type(error).__name__) from error
        registering = None
        for transport in setup.transports:
            account = _account(setup, transport)
            try:
                # "reject": a caller's REFER could make us dial anybody.
                agent = await UserAgent.create(self._runtime, account, transfer_policy="reject")
            except BaresipError as error:
                raise _StartError(transport, type(error).__name__) from error
            agent.on_incoming(lambda call: self._spawn(self._answer(call)))
            self._agents.append(agent)
            if account.reg_interval:
                registering = agent
        return registering

    async def _register(self, agent: UserAgent) -> None:
        """Register, and tell every answer of the registrar; the stack itself refreshes and tries again."""

        def listen(event: StackEvent) -> None:
            if event.event is Event.REGISTER_OK:
                self._send(wire.Registered(ok=True, status=200))
            elif event.event is Event.REGISTER_FAIL:
                code = (event.text or "").partition(" ")[0]
                self._send(wire.Registered(ok=False, status=int(code) if code.isdigit() else 0))

        agent.on(listen)
        try:
            await agent.register(timeout=_REGISTER_SECONDS)
        except RegistrationError as error:
            if error.status is None:
                self._send(wire.Registered(ok=False, status=0))
        except BaresipError:
            self._send(wire.Registered(ok=False, status=0))

    # Calls.

    async def _answer(self, call: Call) -> None:
        """Take the call, wait for its media, and tell the parent. A caller who gives up in between leaves no trace."""
        leg = _Leg(next(self._numbers), call)
        call.on(lambda event: self._on_event(leg, event))
        try:
            await call.answer()
            await call.wait_established()
            leg.voice = await self._voice(leg)
        except BaresipError:
            with contextlib.suppress(BaresipError):
                await call.hangup()
            return
        if leg.over:
            return
        headers = {name.lower(): value for name, value in call.headers.items()}
        shown = {name: value for name, value in headers.items() if name in self._shown}
        self._legs[leg.number] = leg
        self._send(wire.Incoming(leg.number, leg.voice.rate, caller_number(headers, call.peer), shown))

    async def _voice(self, leg: _Leg) -> Voice:
        for _ in range(_MEDIA_TRIES):
            try:
                return Voice(leg.call.audio, lambda number: self._send(wire.Played(leg.number, number)))
            except AudioNotActive:
                await asyncio.sleep(_MEDIA_WAIT)
        message = "no media"
        raise AudioNotActive(message)

    def _on_event(self, leg: _Leg, event: StackEvent) -> None:
        if event.event is Event.CALL_CLOSED:
            leg.over = True
            self._spawn(self._close_leg(leg))
        elif event.event is Event.CALL_DTMF_START and leg.number in self._legs and event.text in _KEYS:
            # At its start, not its end: an objection by key should be heard 100 ms earlier.
            self._send(wire.Key(leg.number, event.text))

    async def _close_leg(self, leg: _Leg) -> None:
        if leg.referral is not None:
            await asyncio.wait([leg.referral])  # what became of the transfer is told before the end
        if leg.voice is not None:
            leg.voice.stop()
        if self._legs.pop(leg.number, None) is not None:
            self._send(wire.Closed(leg.number))

    async def _refer(self, leg: _Leg, order: wire.Refer) -> None:
        outcome = await self._referrals.refer(leg.call, order.refer_to, order.seconds)
        self._send(wire.Referred(leg.number, order.number, outcome.value))

    async def _hang_up(self, leg: _Leg) -> None:
        with contextlib.suppress(BaresipError):
            await leg.call.hangup()

    # The parent's orders and what it is told.

    async def _obey(self) -> None:
        try:
            while (order := await wire.read(self._reader)) is not None:
                self._carry_out(order)
        except wire.WireError:
            pass  # the parent will see the stream end and start another worker
        finally:
            self._gone.set()

    def _carry_out(self, order: wire.Message) -> None:
        match order:
            case wire.Prompt():
                self._prompts[order.key.hex()] = order
            case wire.Forget():
                self._prompts.pop(order.key, None)
            case wire.Refuse():
                self._spawn(self._drain())
            case wire.Quit():
                self._gone.set()
            case wire.Play() | wire.Stop() | wire.Refer() | wire.HangUp():
                leg = self._legs.get(order.leg)
                if leg is not None and leg.voice is not None and not leg.over:
                    self._on_leg(leg, leg.voice, order)
            case _:
                message = "The parent sent a worker's message."
                raise wire.WireError(message)

    def _on_leg(self, leg: _Leg, voice: Voice, order: wire.Play | wire.Stop | wire.Refer | wire.HangUp) -> None:
        match order:
            case wire.Play():
                prompt = self._prompts.get(order.key)
                if prompt is None:
                    message = "The parent wants a prompt played that it never sent."
                    raise wire.WireError(message)
                voice.play(order.number, prompt)
            case wire.Stop():
                voice.stop()
            case wire.Refer():
                leg.referral = self._spawn(self._refer(leg, order))
            case wire.HangUp():
                self._spawn(self._hang_up(leg))

    async def _tick(self) -> None:
        """Carry audio both ways for all calls at once, every `TICK` seconds."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + TICK, loop.time())
            await asyncio.sleep(due - loop.time())
            self._late = max(self._late, loop.time() - due)
            chunks: list[tuple[int, bytes]] = []
            for leg in self._legs.values():
                if leg.voice is None or leg.over:
                    continue
                leg.voice.feed()
                if pcm := leg.voice.take():
                    chunks.append((leg.number, pcm))
            if chunks and self._writer.transport.get_write_buffer_size() < BACKLOG:
                self._send(wire.Audio(tuple(chunks)))

    async def _pulse(self) -> None:
        while True:
            self._send(wire.Pulse(len(self._legs), round(self._late * 1000)))
            self._late = 0.0
            await asyncio.sleep(PULSE)

    async def _drain(self) -> None:
        with contextlib.suppress(BaresipError):
            await self._runtime.drain()

    def _send(self, message: wire.Message) -> None:
        if not self._writer.is_closing():
            self._writer.write(wire.encode(message))

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # A bug. A worker in an unknown state must not go on holding calls: end, and be started anew.
            self._gone.set()

    async def _finish(self) -> None:
        """End all calls and the registration, as far as the network answers in time."""
        farewells = [asyncio.create_task(self._hang_up(leg)) for leg in self._legs.values()]
        farewells += [asyncio.create_task(_unregister(agent)) for agent in self._agents]
        if farewells:
            await asyncio.wait(farewells, timeout=_CLOSE_SECONDS)
        with contextlib.suppress(BaresipError, TimeoutError):
            await asyncio.wait_for(self._runtime.close(), _CLOSE_SECONDS)


async def _unregister(agent: UserAgent) -> None:
    with contextlib.suppress(BaresipError):
        await agent.unregister(timeout=_CLOSE_SECONDS)


def _stack_config(setup: wire.Setup) -> Config:
    any_address = ipaddress.ip_address(setup.host).is_unspecified
    lines = [
        f"sip_listen {setup.host}:{setup.port}",
        f"sip_transports {','.join(setup.transports)}",
        f"rtp_ports {setup.rtp_ports[0]}-{setup.rtp_ports[1]}",
        # Voice reaches us after about 40 ms instead of 120 (measured); grows by itself on a bad network.
        "audio_jitter_buffer_type adaptive",
        "audio_jitter_buffer_ms 20-100",
        *(f"{key} {value}" for key, value in setup.tls.items()),
    ]
    return Config(
        net_interface=None if any_address else setup.host,
        expose_headers=tuple(setup.expose),
        native_log_level="error",
        max_concurrent_calls=setup.max_calls,
        rtp_timeout=setup.rtp_timeout,
        extra_config_text="\n".join(lines) + "\n",
    )


def _account(setup: wire.Setup, transport: str) -> Account:
    given = setup.account
    registers = bool(given["registrar"]) and given["registrar_transport"] == transport
    # video_codecs=none: else a re-INVITE follows every answer. catchall: any dialled number is for us.
    extra = ["video_codecs=none", "catchall=yes"]
    if transport == "tls":
        extra.append("mediaenc=srtp-mand")
    return Account(
        user=given["user"],
        domain=given["registrar"] if registers else "127.0.0.1",
        password=given["password"] if registers else "",
        auth_user=(given["auth_user"] or None) if registers else None,
        reg_interval=int(given["seconds"]) if registers else 0,
        transport=transport,  # type: ignore[arg-type]  # checked by SipConfig
        audio_codecs=tuple(setup.codecs),
        extra_params=tuple(extra),
    )


def _shut_in() -> None:
    """Nothing of a call may leave this process but over the wire, and it must not outlive its parent."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    # The end of the wire ends us in good order (callers hear of it). This is for when we cannot see it: a copy of the
    # parent's socket that lives on in a forked child, or a loop of ours that hangs.
    signal.signal(signal.SIGUSR1, lambda *_: signal.alarm(_ORPHAN_SECONDS))
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    # A Ctrl-C or a service manager signals the whole group; the parent decides what it means for calls.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # The stack's log has SIP messages in it, so nothing in this process logs: no handler, not even the default one.
    logging.lastResort = None


async def _main(descriptor: int) -> None:
    try:
        reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=descriptor))
        await SipWorker(reader, writer).run()
    finally:
        # The parent made this directory for the stack, which leaves it empty; if the parent is gone nobody else tidies.
        own = tempfile.gettempdir()
        if os.path.basename(own).startswith(DIRECTORY_PREFIX):  # noqa: PTH119 (not a path to walk, a name to check)
            with contextlib.suppress(OSError):
                os.rmdir(own)  # noqa: PTH106
        # Not a normal exit: that would join threads that may hang on a dead peer.
        os._exit(0)


if __name__ == "__main__":
    _shut_in()
    asyncio.run(_main(int(sys.argv[1])))
