from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from anruflotse.bench.procfs import Usage, cpu_per_call_minute, machine, usage, usage_in

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGESIZE")


def stat(command: str, utime: int, stime: int, pages: int) -> str:
    return (
        f"4711 ({command}) S 1 2 3 0 -1 4194304 9000 0 12 0 {utime} {stime} 77 88 20 0 9 0 12345 987654321 {pages} "
        "18446744073709551615 1 1 0 0 0 0 0 0 17663 0 0 0 17 1 0 0 0 0 0\n"
    )


@pytest.mark.parametrize("command", ["python", "a b", "a) R 1 (b", ""])
def test_a_command_may_be_called_anything(command: str) -> None:
    assert usage_in(stat(command, 3 * TICKS, TICKS, 100)) == Usage(4.0, 100 * PAGE)


def test_processes_are_summed_and_those_that_are_gone_count_nothing(tmp_path: Path) -> None:
    for pid, utime in ((1, 100), (2, 50)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(stat("x", utime, 0, 10))
    assert usage([1, 2, 3], tmp_path) == Usage(150 / TICKS, 20 * PAGE)
    assert usage([], tmp_path) == Usage(0.0, 0)


def test_the_kernel_and_python_agree_about_this_process() -> None:
    before = sum(os.times()[:2])
    found = usage([os.getpid()])
    after = sum(os.times()[:2])
    assert before - 2 / TICKS <= found.cpu <= after + 2 / TICKS
    assert found.rss > 1_000_000


def test_a_call_minute_costs_its_share_of_the_cpu() -> None:
    assert cpu_per_call_minute(30.0, 3_600.0) == 0.5
    with pytest.raises(ValueError, match="No call"):
        cpu_per_call_minute(30.0, 0.0)


def test_a_machine_is_idle_when_little_ran_for_its_cores() -> None:
    here = machine()
    assert here.cores >= 1
    assert here.memory > 0
    two = dataclasses.replace(here, cores=2)
    assert dataclasses.replace(two, load=(0.4, 9.0, 9.0)).idle
    assert not dataclasses.replace(two, load=(0.6, 0.0, 0.0)).idle
    assert two.record()["figure"] == "machine"
