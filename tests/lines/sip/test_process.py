"""One worker process: it dies with its parent, is ended when it hangs, and writes nothing of a call anywhere."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from anruflotse.clock import FakeClock, SystemClock
from anruflotse.lines.line import LegClosedError, LineError
from anruflotse.lines.sip import wire
from anruflotse.lines.sip.config import SipConfig
from anruflotse.lines.sip.leg import SipLeg
from anruflotse.lines.sip.line import FIRST_BACKOFF, SipLine
from anruflotse.lines.sip.ports import DIRECTORY_PREFIX
from anruflotse.lines.sip.process import WorkerProcess
from anruflotse.pcm import Pcm
from tests.lines.sip.conftest import OpenLine, next_leg, port_of, until
from tests.lines.sip.sipphone import Phone, tone

BEEP = Pcm(tone(440, 0.3).tobytes(), 8000)
PARENT = """
import asyncio, sys
from anruflotse.clock import SystemClock
from anruflotse.lines.sip.config import SipConfig
from anruflotse.lines.sip.line import SipLine

async def main():
    line = SipLine(SipConfig(port=0), SystemClock())
    await line.open()
    sys.stdout.write(f"{line.pids[0]} {line.address}\\n")
    sys.stdout.flush()
    await asyncio.sleep(60)

asyncio.run(main())
"""


def alive(pid: int) -> bool:
    """Whether `pid` runs (a zombie that nobody reaped yet does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def homes() -> set[Path]:
    """The directories of workers that are up (or left something behind)."""
    return set(Path(tempfile.gettempdir()).glob(f"{DIRECTORY_PREFIX}*"))


def files_of(pid: int) -> set[str]:
    """The regular files a process has open."""
    paths = (os.path.realpath(link) for link in Path(f"/proc/{pid}/fd").iterdir())
    return {path for path in paths if Path(path).is_file()}


def contents(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


async def test_a_worker_does_not_outlive_a_killed_parent_and_says_goodbye(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    assert parent.stdout is not None
    pid, address = (await asyncio.wait_for(parent.stdout.readline(), 10)).decode().split()
    async with Phone(int(address.rpartition(":")[2])) as phone:
        assert await phone.call() == 200
        parent.kill()
        await parent.wait()
        await asyncio.wait_for(phone.ended.wait(), 3)
    await until(lambda: not alive(int(pid)))
    assert contents(tmp_path) == [], "and nothing is left of it"


async def test_the_signals_of_a_terminal_are_the_parents_business(open_line: OpenLine) -> None:
    async with open_line() as line:
        os.kill(line.pids[0], signal.SIGINT)
        os.kill(line.pids[0], signal.SIGTERM)
        async with Phone(port_of(line)) as phone:
            assert await phone.call() == 200
            assert await (await next_leg(line)).play(BEEP) is True
        assert line.health().restarts == 0


async def test_a_worker_that_hangs_is_ended_and_started_again() -> None:
    clock = FakeClock()
    line = SipLine(SipConfig(port=0), clock)
    await line.open()
    try:
        first = line.pids[0]
        os.kill(first, signal.SIGSTOP)
        await asyncio.sleep(0.1)  # what it sent before is read
        for _ in range(8):
            clock.advance(1.0)
            await asyncio.sleep(0)
        assert alive(first), "a few seconds of silence are no reason"
        for _ in range(4):
            clock.advance(1.0)
            await asyncio.sleep(0)
        await until(lambda: not alive(first))
        await until(lambda: line.health().workers_up == 0)
        await asyncio.sleep(0.01)
        clock.advance(FIRST_BACKOFF)
        await until(lambda: line.health().workers_up == 1)
        assert line.pids[0] != first
        assert line.health().restarts == 1
    finally:
        await line.close()


async def test_close_is_bounded_when_a_worker_hangs() -> None:
    line = SipLine(SipConfig(port=0), SystemClock())
    await line.open()
    pid = line.pids[0]
    os.kill(pid, signal.SIGSTOP)
    async with asyncio.timeout(5):
        await line.close()
    assert not alive(pid)


async def test_close_ends_calls_frees_the_port_and_ends_the_iteration(open_line: OpenLine) -> None:
    async with open_line() as line, Phone(port_of(line)) as phone:
        assert await phone.call() == 200
        leg = await next_leg(line)
        await line.close()
        await asyncio.wait_for(phone.ended.wait(), 2)
        await asyncio.wait_for(leg.closed(), 1)
        assert [leg async for leg in line.calls()] == []
        again = SipLine(SipConfig(port=port_of(line)), SystemClock())
        await again.open()
        await again.close()


async def test_nothing_of_a_call_touches_the_disk(open_line: OpenLine, capfd: pytest.CaptureFixture[str]) -> None:
    """Every file the worker could write to is looked at while a call with a canary for a number is up."""
    canary = "4915112345678"
    async with open_line() as line:
        process = line._processes[0]
        assert process is not None
        home = Path(process._directory)
        assert home.name.startswith(DIRECTORY_PREFIX)
        async with Phone(port_of(line), from_uri=f"sip:+{canary}@127.0.0.1") as phone:
            assert await phone.call() == 200
            leg = await next_leg(line)
            assert leg.caller == f"+{canary}"
            await leg.play(BEEP)
            assert files_of(line.pids[0]) == set()
            assert contents(home) == []
    assert home not in homes()
    told = capfd.readouterr()
    assert canary not in told.out + told.err


class Recorder(WorkerProcess):
    """A process that is never started: what would be sent is kept."""

    def __init__(self) -> None:
        setup = wire.Setup("127.0.0.1", 1, [], 1, [], [], [], [], 0, {}, {})
        super().__init__(setup, SystemClock(), self.rang, lambda _: None)
        self.sent: list[wire.Message] = []
        self.rung: list[SipLeg] = []

    def rang(self, leg: SipLeg) -> None:
        self.rung.append(leg)

    def send(self, message: wire.Message) -> None:
        self.sent.append(message)

    def kinds(self) -> list[str]:
        return [type(message).__name__ for message in self.sent]


async def test_a_prompt_is_sent_once_and_the_longest_unused_is_forgotten() -> None:
    process = Recorder()
    first, second, third = (Pcm(bytes([number, 0]) * 100, 8000) for number in (1, 2, 3))
    process.prompt_bytes = 400
    keys = [await process.load(pcm, 8000) for pcm in (first, second, first)]
    assert keys[0] == keys[2]
    assert process.kinds() == ["Prompt", "Prompt"]
    await process.load(third, 8000)
    assert process.sent[-1] == wire.Forget(keys[1])
    assert await process.load(first, 16000) != keys[0], "another rate is another prompt"


async def test_a_prompt_two_calls_want_at_once_is_sent_once() -> None:
    process = Recorder()
    wide = Pcm(b"\1\0" * 320, 16000)
    keys = await asyncio.gather(process.load(wide, 8000), process.load(wide, 8000))
    assert keys[0] == keys[1]
    assert process.kinds() == ["Prompt"]


async def test_a_late_report_does_not_settle_the_next_prompt() -> None:
    process = Recorder()
    process._take(wire.Incoming(1, 8000, None, {}))
    leg = process.rung[0]
    first = asyncio.create_task(leg.play(BEEP))
    await asyncio.sleep(0)
    second = asyncio.create_task(leg.play(BEEP))
    await asyncio.sleep(0)
    assert await first is False
    process._take(wire.Played(1, 1))
    await asyncio.sleep(0)
    assert not second.done()
    process._take(wire.Played(1, 2))
    assert await second is True
    process._take(wire.Closed(1))
    with pytest.raises(LegClosedError):
        await leg.stop()
    process._take(wire.Played(1, 2))  # for a leg that is gone: nothing


async def test_a_second_transfer_at_once_is_a_mistake() -> None:
    process = Recorder()
    process._take(wire.Incoming(1, 8000, None, {}))
    leg = process.rung[0]
    running = asyncio.create_task(leg.transfer("sip:a@b", "00", 5))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="One transfer at a time"):
        await leg.transfer("sip:a@b", "00", 5)
    with pytest.raises(ValueError, match="hexadecimal"):
        await leg.transfer("sip:a@b", "Krankengeld", 5)
    process._take(wire.Referred(1, 1, "busy"))
    assert (await running).value == "busy"


async def test_a_parents_message_from_a_worker_breaks_the_protocol() -> None:
    with pytest.raises(wire.WireError):
        Recorder()._take(wire.Quit())


async def test_a_worker_that_cannot_start_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    before = homes()
    line = SipLine(SipConfig(port=0), SystemClock())
    with pytest.raises(LineError, match="died while starting"):
        await line.open()
    assert homes() <= before
