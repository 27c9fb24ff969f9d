"""One life of one worker process, as its parent sees it: started, spoken to, watched, ended."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import socket
import sys
import tempfile
from collections import OrderedDict
from typing import TYPE_CHECKING

import structlog

from anruflotse.lines.line import LineError, Outcome
from anruflotse.lines.sip import wire
from anruflotse.lines.sip.leg import SipLeg
from anruflotse.lines.sip.ports import DIRECTORY_PREFIX
from anruflotse.lines.sip.resample import resample

if TYPE_CHECKING:
    from collections.abc import Callable

    from anruflotse.clock import Clock
    from anruflotse.pcm import Pcm

log = structlog.get_logger(__name__)

PROMPT_BYTES = 64 * 1024 * 1024
"""Prompts kept in a worker: more than an hour at 8 kHz; beyond it the longest unused go."""
_START_SECONDS = 20.0
_SILENT_PULSES = 10
_PASSED_ON = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "SYSTEMROOT")


class WorkerProcess:
    """Spawns a worker on `setup` and carries its legs until it ends. Not reused: a restart is a new object."""

    def __init__(
        self,
        setup: wire.Setup,
        clock: Clock,
        on_call: Callable[[SipLeg], None],
        on_registered: Callable[[wire.Registered], None],
    ) -> None:
        """Nothing starts before `start`."""
        self._setup = setup
        self._clock = clock
        self._on_call = on_call
        self._on_registered = on_registered
        self._legs: dict[int, SipLeg] = {}
        self._prompts: OrderedDict[str, int] = OrderedDict()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._directory = ""
        self._silent = 0
        self.late_ms = 0
        self.prompt_bytes = PROMPT_BYTES

    @property
    def calls(self) -> int:
        """Calls that are up."""
        return len(self._legs)

    @property
    def pid(self) -> int:
        """The operating system's id of the worker; 0 before `start`."""
        return self._process.pid if self._process is not None else 0

    async def start(self) -> None:
        """Start the worker and return when it listens. Raises `LineError` when it cannot; then nothing is left."""
        ours, theirs = socket.socketpair()
        self._directory = tempfile.mkdtemp(prefix=DIRECTORY_PREFIX)
        # Only what a program needs to start: our environment may hold secrets that a SIP stack has no use for.
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= {"TMPDIR": self._directory, "HOME": self._directory}
        try:
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-P",
                    "-m",
                    "anruflotse.lines.sip.worker",
                    str(theirs.fileno()),
                    pass_fds=(theirs.fileno(),),
                    # Whatever a native library prints could hold a caller's number: it is not written anywhere.
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                    env=environment,
                )
            self._reader, self._writer = await asyncio.open_connection(sock=ours)
            self.send(self._setup)
            async with asyncio.timeout(_START_SECONDS):
                answer = await wire.read(self._reader)
        except (OSError, TimeoutError, wire.WireError) as error:
            await self.kill()
            message = f"The SIP worker did not start ({type(error).__name__}); see `anruflotse doctor`."
            raise LineError(message) from error
        except BaseException:
            ours.close()
            await self.kill()
            raise
        if not isinstance(answer, wire.Ready):
            await self.kill()
            raise LineError(self._why(answer))

    async def run(self) -> None:
        """Carry calls until the worker ends, however it ends; then all its legs are over and it is reaped."""
        watch = asyncio.create_task(self._watch())
        try:
            await self._listen()
        finally:
            watch.cancel()
            for leg in list(self._legs.values()):
                leg.end()
            self._legs.clear()
            await self.kill()

    def send(self, message: wire.Message) -> None:
        """See `Carrier.send`."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(wire.encode(message))

    async def load(self, audio: Pcm, rate: int) -> str:
        """See `Carrier.load`. Converts off the event loop, once per prompt and rate."""
        digest = hashlib.blake2b(audio.data, digest_size=16, salt=f"{audio.rate}:{rate}".encode())
        key = digest.hexdigest()
        if key not in self._prompts:
            made = audio if audio.rate == rate else await asyncio.to_thread(resample, audio, rate)
            # Asked again: another call may have loaded the same prompt while this one was converting it.
            if key not in self._prompts:
                self.send(wire.Prompt(digest.digest(), rate, made.data))
                self._prompts[key] = len(made.data)
        self._prompts.move_to_end(key)
        while sum(self._prompts.values()) > self.prompt_bytes and len(self._prompts) > 1:
            self.send(wire.Forget(self._prompts.popitem(last=False)[0]))
        return key

    async def quit(self, seconds: float) -> None:
        """Ask the worker to end its calls and exit; kill it when it has not within `seconds`."""
        self.send(wire.Quit())
        if self._process is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._process.wait()
        await self.kill()

    async def kill(self) -> None:
        """End the worker now, if it lives, and tidy up after it. Safe to call twice."""
        if self._process is not None:
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
            await self._process.wait()
        if self._writer is not None:
            self._writer.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    async def _listen(self) -> None:
        reader = self._reader
        if reader is None:
            return
        try:
            while (message := await wire.read(reader)) is not None:
                self._silent = 0
                self._take(message)
        except wire.WireError as error:
            log.critical("sip worker broke the protocol and is ended", pid=self.pid, exc_info=error)

    def _take(self, message: wire.Message) -> None:
        match message:
            case wire.Audio():
                for number, pcm in message.chunks:
                    if number in self._legs:
                        self._legs[number].heard(pcm)
            case wire.Incoming():
                leg = self._legs[message.leg] = SipLeg(self, message)
                self._on_call(leg)
            case wire.Key() | wire.Played() | wire.Referred() | wire.Closed():
                if message.leg in self._legs:
                    self._tell(self._legs[message.leg], message)
            case wire.Registered():
                self._on_registered(message)
            case wire.Pulse():
                self.late_ms = message.late_ms
            case _:
                text = "The worker sent a parent's message."
                raise wire.WireError(text)

    def _tell(self, leg: SipLeg, message: wire.Key | wire.Played | wire.Referred | wire.Closed) -> None:
        match message:
            case wire.Key():
                leg.pressed(message.key)
            case wire.Played():
                leg.played(message.number)
            case wire.Referred():
                if message.outcome not in set(Outcome):
                    text = "A worker told an outcome that is none."
                    raise wire.WireError(text)
                leg.referred(message.number, Outcome(message.outcome))
            case wire.Closed():
                del self._legs[message.leg]
                leg.end()

    async def _watch(self) -> None:
        """Kill a worker that is alive but silent.

        Counts our own wake-ups without a message in between, not seconds: when it is *this* process that stood still,
        the worker's pulses are waiting in the socket and it is not to blame.
        """
        while True:
            await self._clock.sleep(1.0)
            self._silent += 1
            if self._silent > _SILENT_PULSES and self._process is not None and self._process.returncode is None:
                log.error("sip worker stopped answering and is ended", pid=self.pid)
                self._process.kill()

    def _why(self, answer: wire.Message | None) -> str:
        where = f"port {self._setup.port} on {self._setup.host}"
        if not isinstance(answer, wire.Failed):
            return f"The SIP worker for {where} died while starting; see `anruflotse doctor`."
        if answer.part == "tls":
            return (
                f"SIP with TLS cannot start on {where}: check that sip.tls_certificate is one PEM file with "
                f"private key and certificate, and that the ports are free ({answer.detail})."
            )
        return f"SIP cannot start on {where} ({answer.part}, {answer.detail}): is the port taken, is sip.host ours?"
