"""What the kernel says about the machine and about processes (Linux, `/proc`)."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_UTIME, _STIME, _RSS = 13, 14, 23
"""Positions in `/proc/PID/stat`, counted from 0; see proc(5)."""
_BUSY_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used so far: CPU in seconds (user and system, all threads), and its memory now in bytes."""

    cpu: float
    rss: int


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine a figure was measured on."""

    cores: int
    load: tuple[float, float, float]
    memory: int
    processor: str
    python: str

    @property
    def idle(self) -> bool:
        """Whether nothing much ran in the last minute; figures of a busy machine say more about the others."""
        return self.load[0] <= _BUSY_SHARE * self.cores

    def record(self) -> dict[str, object]:
        """As a JSON object."""
        return {
            "figure": "machine", "cores": self.cores, "load": list(self.load), "idle": self.idle,
            "memory_mb": self.memory // 2**20, "processor": self.processor, "python": self.python,
        }  # fmt: skip


def usage_in(stat: str) -> Usage:
    """Read the text of `/proc/PID/stat`. A command's name may hold anything, so it is cut out by its last bracket."""
    head, _, rest = stat.rpartition(")")
    fields = [*head.split(" ", 1), *rest.split()]
    ticks = os.sysconf("SC_CLK_TCK")
    return Usage((int(fields[_UTIME]) + int(fields[_STIME])) / ticks, int(fields[_RSS]) * os.sysconf("SC_PAGESIZE"))


def usage(pids: Sequence[int], proc: Path = PROC) -> Usage:
    """The sum over `pids`; one that is gone counts nothing. Memory that processes share is counted in each."""
    found = []
    for pid in pids:
        try:
            found.append(usage_in((proc / str(pid) / "stat").read_text("utf-8", "replace")))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return Usage(sum(each.cpu for each in found), sum(each.rss for each in found))


def cpu_per_call_minute(cpu_seconds: float, call_seconds: float) -> float:
    """CPU-seconds that one minute of one call costs. Raises ValueError when there were no calls."""
    if call_seconds <= 0:
        message = "No call was up, so there is no cost of one."
        raise ValueError(message)
    return cpu_seconds / (call_seconds / 60)


def machine(proc: Path = PROC) -> Machine:
    """This machine, now."""
    cpuinfo = (proc / "cpuinfo").read_text("utf-8", "replace").splitlines()
    names = [line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")]
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        load=os.getloadavg(),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        processor=names[0] if names else platform.machine(),
        python=platform.python_version(),
    )
