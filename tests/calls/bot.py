"""A voicebot in a process of its own, as an operator would run it, and what a test may look at from outside."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from anruflotse.clock import SystemClock
from anruflotse.departments.catalogue import shipped
from anruflotse.pcm import Pcm
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import Counter, Purpose, Record, Summary
from anruflotse.records.repository import Records
from anruflotse.speech.audio import write_wav
from anruflotse.speech.pico import PicoSynthesiser

START_SECONDS = 90
SHORT_NOTICE = "Die Antwort wird aufgezeichnet. Neun für Widerspruch, Null für einen Menschen."

OFFICER = Accessor("test", Role.PRIVACY)


def free_port() -> int:
    """A port nobody uses now, for UDP and TCP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind(("127.0.0.1", 0))
        port: int = udp.getsockname()[1]
        tcp.bind(("127.0.0.1", port))
        return port


class Bot:
    """One running voicebot. `settings` are merged over what tests need; `catalogue` changes the shipped one."""

    def __init__(self, home: Path, shared: Path, phone_port: int, **settings: Mapping[str, Any]) -> None:
        self.home = home
        self.data = home / "data"
        self.data.mkdir(parents=True)
        # Models and rendered prompts are large and the same for every bot: one set for the whole test run.
        for name in ("models", "prompts"):
            (shared / name).mkdir(parents=True, exist_ok=True)
            (self.data / name).symlink_to(shared / name)
        catalogue = home / "departments.yaml"
        catalogue.write_text(shipped().replace("127.0.0.1:5090", f"127.0.0.1:{phone_port}"), "utf-8")
        merged: dict[str, Any] = {
            "data": str(self.data),
            "sip": {"port": 0},
            "console": {"port": 0},
            "departments": {"catalogue": str(catalogue)},
            "prompts": {"recordings": str(shared / "recordings")},
            "call": {"silence_seconds": 2.0, "transfer_seconds": 4.0},
            "logging": {"level": "debug", "format": "json"},
        }
        for section, values in settings.items():
            merged[section] = {**merged.get(section, {}), **values}
        self.config = home / "anruflotse.yaml"
        self.config.write_text(yaml.safe_dump(merged), "utf-8")
        self.log = home / "log.txt"
        self.process: subprocess.Popen[bytes] | None = None
        self.sip = ""
        self.console = ""

    def start(self) -> Bot:
        """Start it and wait for READY."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "anruflotse", "run", "--config", str(self.config), "--drain", "1"],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "TMPDIR": str(self._temporary())},
            )
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline().decode() if ready else ""
        assert line.startswith("READY "), f"no READY: {line!r}\n{self.log.read_text('utf-8')}"
        found = dict(part.split("=", 1) for part in line.split()[1:])
        self.sip, self.console = found["sip"].partition(":")[2], found["console"]
        return self

    @property
    def uri(self) -> str:
        """Where to call it over UDP."""
        return f"sip:bot@{self.sip}"

    @property
    def port(self) -> int:
        """Its SIP port."""
        return int(self.sip.rpartition(":")[2])

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(40)
        finally:
            self._reap()

    def kill(self) -> None:
        """SIGKILL, as a machine that loses power."""
        assert self.process is not None
        self.process.kill()
        self._reap()

    def _reap(self) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None

    def workers(self) -> list[int]:
        """The process ids of its SIP workers."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("ascii").split()
        commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
        return [pid for pid, command in commands.items() if b"anruflotse.lines.sip" in command]

    def records(self) -> tuple[Summary, ...]:
        """What is on record now."""
        store = self._store()
        try:
            return store.list(OFFICER, Purpose.RIGHTS)
        finally:
            store.close()

    def record(self, record_id: str) -> Record:
        """One record, opened as an officer would, with its audio."""
        store = self._store()
        try:
            return store.open(record_id, OFFICER, Purpose.RIGHTS, audio=True)
        finally:
            store.close()

    def objects_for_good(self, number: str, days: int = 1) -> None:
        """An officer enters `number` on the objection list."""
        store = self._store()
        try:
            store.object_number(number, OFFICER, until=SystemClock().now() + timedelta(days=days))
        finally:
            store.close()

    def counters(self) -> tuple[Counter, ...]:
        """The anonymous counters."""
        store = self._store()
        try:
            return store._opener.stores().rows.counted()
        finally:
            store.close()

    def counted(self) -> dict[str, int]:
        """How many calls ended how."""
        sums: dict[str, int] = {}
        for counter in self.counters():
            sums[counter.kind] = sums.get(counter.kind, 0) + counter.number
        return sums

    def bytes_on_disk(self) -> dict[Path, bytes]:
        """Every file the bot may have written (data, temporary files, log), without the shared models and prompts."""
        files = [path for path in self.home.rglob("*") if path.is_file()]
        shared = [(self.data / name).resolve() for name in ("models", "prompts")]
        return {path: path.read_bytes() for path in files if not any(path.resolve().is_relative_to(s) for s in shared)}

    def logged(self) -> list[dict[str, Any]]:
        """The log so far, line by line."""
        lines = self.log.read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def _store(self) -> Records:
        return Records(self.data / "records", SystemClock())

    def _temporary(self) -> Path:
        path = self.home / "tmp"
        path.mkdir(exist_ok=True)
        return path


async def spoken(text: str, *, speed: float = 1.0, pitch: float = 1.0) -> Pcm:
    """A caller's voice."""
    return await PicoSynthesiser(speed=speed, pitch=pitch).speak(text)


def record_prompts(directory: Path) -> None:
    """A short notice "recorded by a person", so that not every test call has to hear twelve seconds of it."""
    directory.mkdir(parents=True, exist_ok=True)
    write_wav(directory / "hinweis.wav", asyncio.run(spoken(SHORT_NOTICE, speed=1.6)))
