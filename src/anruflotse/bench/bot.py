"""The voicebot under measurement, seen from the process that measures it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from anruflotse.bench.figures import Noted
from anruflotse.bench.procfs import Usage, usage
from anruflotse.settings import Settings

_START_SECONDS = 120.0
_STOP_SECONDS = 40.0
_LINE_BYTES = 2**20
_KEPT_SECTIONS = ("insurer", "speech", "departments", "processors", "understanding", "call")


class BenchError(Exception):
    """A benchmark could not be run; the message says why."""


@dataclass(slots=True)
class Load:
    """How busy the voicebot was: lateness of its event loop (ms, every 20 ms) and of its workers' tick (ms, worst)."""

    late_ms: list[float] = field(default_factory=list)
    worker_late_ms: list[float] = field(default_factory=list)


class Bot:
    """`anruflotse.bench.witness` as a child process; use it as an asynchronous context manager."""

    def __init__(self, config: Path, log: Path) -> None:
        """Start it with the settings file `config`; its log goes to the file `log`."""
        self._config = config
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[Mapping[str, Any]] | None = None
        self.uris: tuple[str, ...] = ()
        """Where it takes calls over UDP; more than one when it has several workers."""
        self.noted: list[Noted] = []
        self.load = Load()
        self.workers: tuple[int, ...] = ()

    async def __aenter__(self) -> Self:
        """Start it and wait until it takes calls. Raises BenchError with its own words when it does not."""
        # Settings in our environment would win over the file.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANRUFLOTSE_")}
        self._ready = asyncio.get_running_loop().create_future()
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "anruflotse.bench.witness", "--config", str(self._config),
                stdout=asyncio.subprocess.PIPE, stderr=log, env=environment, limit=_LINE_BYTES,
            )  # fmt: skip
        self._reading = asyncio.create_task(self._read())
        awaited: set[asyncio.Future[Any]] = {self._reading, self._ready}
        await asyncio.wait(awaited, timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not self._ready.done():
            await self.stop()
            last = self._log.read_text("utf-8", "replace").strip().splitlines()[-1:]
            message = f"The voicebot did not start. {' '.join(last)}"
            raise BenchError(message)
        ready = self._ready.result()
        self.uris = tuple(f"sip:bot@{a.removeprefix('udp:')}" for a in ready["addresses"] if a.startswith("udp:"))
        self.workers = tuple(ready["workers"])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it in good order, or by force when it takes too long."""
        await self.stop()

    @property
    def pid(self) -> int:
        """The process id of the service itself."""
        return self._process.pid if self._process else 0

    def used(self) -> tuple[Usage, Usage]:
        """What the service itself and its SIP workers have used so far."""
        return usage([self.pid]), usage(self.workers)

    def measure_anew(self) -> Load:
        """Forget how busy it was, and begin again."""
        self.load = Load()
        return self.load

    async def stop(self) -> None:
        """See `__aexit__`. Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _STOP_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._reading is not None:
            await asyncio.wait({self._reading})
            self._reading = None

    async def _read(self) -> None:
        """Take what it writes, until it ends. Anything that is not ours is a library's own print and passed over."""
        stream = self._process.stdout if self._process else None
        if stream is None or self._ready is None:
            return
        while line := await stream.readline():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            match record:
                case {"is": "ready"}:
                    self._ready.set_result(record)
                case {"is": "notes", "notes": notes}:
                    self.noted += [Noted(*note) for note in notes]
                case {"is": "loop", "late_ms": late, "worker_late_ms": worker}:
                    self.load.late_ms += late
                    self.load.worker_late_ms.append(worker)


def write_config(settings: Settings, home: Path, calls: int, recordings: Path | None) -> Path:
    """Settings for a voicebot to be measured, in `home`; the file's path.

    What decides about time (models, threads, pauses, prompts, departments) is taken from `settings`. Ports are free
    ones on the loopback address, `calls` calls fit in, records go into `home`; models and prompts are those of
    `settings.data`, so that nothing is prepared twice. `recordings` replace prompts.
    """
    data = home / "data"
    data.mkdir(parents=True)
    for name in ("models", "prompts"):
        (settings.data / name).mkdir(parents=True, exist_ok=True)
        (data / name).symlink_to((settings.data / name).resolve())
    workers = settings.sip.workers
    content: dict[str, Any] = {name: _plain(getattr(settings, name).model_dump()) for name in _KEPT_SECTIONS}
    content |= {
        "data": str(data.resolve()),
        "sip": {
            "host": "127.0.0.1", "port": 0, "transports": ["udp"], "workers": workers,
            "calls_per_worker": max(settings.sip.calls_per_worker, -(-calls // workers)),
        },
        "console": {"host": "127.0.0.1", "port": 0},
        "prompts": _plain(
            settings.prompts.model_dump() | ({} if recordings is None else {"recordings": recordings})
        ),
        "logging": {"level": "info", "format": "json"},
    }  # fmt: skip
    file = home / "anruflotse.yaml"
    file.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return file


def _plain(value: object) -> Any:  # noqa: ANN401 - what YAML can write
    """`value` as YAML takes it; paths made absolute, for in the file they would start from the file's directory."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, Path):
        return str(value.resolve())
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value
