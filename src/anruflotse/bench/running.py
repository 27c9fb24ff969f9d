"""All benchmarks in order, bounded in number and time; each result is handed out as soon as it is there."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from anruflotse.bench import single
from anruflotse.bench.bot import BenchError, Bot, Load, write_config
from anruflotse.bench.crowd import Outcome, Plan
from anruflotse.bench.figures import Figure, percentile, percentiles
from anruflotse.bench.procfs import Usage, cpu_per_call_minute
from anruflotse.bench.voices import short_notice, spoken
from anruflotse.settings import Settings

LONGEST_SECONDS: Final = 360.0
"""A run that takes longer is given up."""
GAP_MS: Final = 25.0
_LINE_BYTES: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: calls without a concern, with one, and in the crowd, which stays `seconds`."""

    calls: int
    concerns: int
    crowds: tuple[int, ...]
    seconds: float
    short: bool
    """Whether the crowd, too, hears the short notice."""


FULL: Final = Size(calls=20, concerns=16, crowds=(50, 100), seconds=26.0, short=False)
QUICK: Final = Size(calls=5, concerns=2, crowds=(12,), seconds=14.0, short=True)

Progress = Callable[[str, int, int], None]
"""Told what is measured, how far it is, and how far it goes."""


async def measure(settings: Settings, size: Size, progress: Progress, told: Callable[[Figure], None]) -> None:
    """Measure everything. Raises BenchError when the voicebot or the callers cannot be started, or time is up."""
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            with tempfile.TemporaryDirectory(prefix="anruflotse-bench-") as home:
                await _measure(settings, size, Path(home), progress, told)
    except TimeoutError as error:
        message = f"The benchmarks took longer than {LONGEST_SECONDS:.0f} s and were given up: the machine is too busy."
        raise BenchError(message) from error


async def _measure(
    settings: Settings, size: Size, home: Path, progress: Progress, told: Callable[[Figure], None]
) -> None:
    recordings = home / "recordings"
    notice_seconds = await short_notice(recordings)
    progress("starting the voicebot", 0, 1)
    async with Bot(write_config(settings, home / "single", 1, recordings), home / "single.log") as bot:
        step = _Steps(progress, "calls with an objection", size.calls)
        prompt = await single.promptness(bot, size.calls, step)
        _tell(prompt.figures(), told)
        step = _Steps(progress, "calls with a concern", size.concerns)
        found = await single.answers(bot, await spoken(size.concerns), notice_seconds, step)
        _tell(found.figures(single.ANSWER_SECONDS), told)
    for calls in size.crowds:
        progress("starting the voicebot", 0, 1)
        config = write_config(settings, home / f"crowd-{calls}", calls, recordings if size.short else None)
        async with Bot(config, home / f"crowd-{calls}.log") as bot:
            plan = Plan(list(bot.uris), calls, size.seconds)
            _tell(await crowd(bot, plan, _Steps(progress, f"{calls} calls at once", calls), short=size.short), told)


async def crowd(bot: Bot, plan: Plan, step: Callable[[], None], *, short: bool) -> list[Figure]:
    """Place `plan`'s calls from another process and watch the voicebot meanwhile."""
    async with _callers(plan) as stream:
        load = bot.measure_anew()
        before, worst = bot.used(), 0
        outcome = None
        while line := await stream.readline():
            match json.loads(line):
                case {"is": "done"}:
                    step()
                case {"is": "outcome", "outcome": dict(found)}:
                    outcome = Outcome(**found)
            worst = max(worst, sum(usage.rss for usage in bot.used()))
        after = bot.used()
    if outcome is None:
        message = "The callers' process ended before its time."
        raise BenchError(message)
    return crowd_figures(plan, outcome, load, Costs.between(before, after, worst), short=short)


@dataclass(frozen=True, slots=True)
class Costs:
    """What a crowd cost the voicebot: CPU-seconds of the service and of its workers, and its most memory in bytes."""

    service: float
    workers: float
    rss: int

    @classmethod
    def between(cls, before: tuple[Usage, Usage], after: tuple[Usage, Usage], rss: int) -> Costs:
        """From what service and workers had used before and after."""
        return cls(after[0].cpu - before[0].cpu, after[1].cpu - before[1].cpu, rss)


def crowd_figures(plan: Plan, outcome: Outcome, load: Load, costs: Costs, *, short: bool) -> list[Figure]:
    """The figures of one crowd."""
    name = f"{plan.calls} calls: "
    about = (
        f"{plan.seconds:.0f} s each, {plan.per_second:g} new calls/s, at most {outcome.at_once} at once, every "
        f"{plan.speaking}th states a concern, {'short' if short else 'whole'} notice"
    )
    why = "; ".join(sorted(set(outcome.failed))) or about
    found = [Figure(name + "failed", len(outcome.failed), "calls", 0, plan.calls, why)]
    if not outcome.gaps:
        return found
    minutes = f"over {outcome.call_seconds / 60:.1f} call-minutes"
    found += [
        Figure(name + "packet gap p99", percentile(outcome.gaps, 0.99), "ms", GAP_MS, len(outcome.gaps), about),
        Figure(name + "packet gap max", max(outcome.gaps), "ms", None, len(outcome.gaps)),
        Figure(name + "packets lost", outcome.lost, "packets", None, len(outcome.gaps)),
        Figure(
            name + "CPU per call-minute", cpu_per_call_minute(costs.service + costs.workers, outcome.call_seconds),
            "CPU-s", None, plan.calls, minutes,
        ),
        Figure(
            name + "  of it the service", cpu_per_call_minute(costs.service, outcome.call_seconds), "CPU-s", None,
            plan.calls, "turns, recognition, understanding, conversation",
        ),
        Figure(
            name + "  of it the SIP workers", cpu_per_call_minute(costs.workers, outcome.call_seconds), "CPU-s", None,
            plan.calls, "signalling, jitter buffer, codec",
        ),
        Figure(name + "memory", costs.rss / 2**20, "MB", None, plan.calls, "at most, service and SIP workers"),
    ]  # fmt: skip
    found += percentiles(
        name + "end of speech to answer", [ms / 1_000 for ms in outcome.answers], "s",
        about=f"{outcome.transferred} transferred within their time",
    )  # fmt: skip
    for who, late in (
        ("event loop late", load.late_ms), ("SIP worker late", load.worker_late_ms), ("callers late", outcome.late)
    ):  # fmt: skip
        if late:
            worst = f"max {max(late):.0f}"
            found.append(Figure(name + f"{who} p99", percentile(late, 0.99), "ms", None, len(late), worst))
    return found


@asynccontextmanager
async def _callers(plan: Plan) -> AsyncIterator[asyncio.StreamReader]:
    """The callers' process, ready and about to dial."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "anruflotse.bench.crowd",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LINE_BYTES,
    )  # fmt: skip
    try:
        if process.stdin is None or process.stdout is None:
            message = "The callers' process has no pipes."
            raise BenchError(message)
        process.stdin.write(json.dumps(asdict(plan)).encode() + b"\n")
        await process.stdin.drain()
        if not await process.stdout.readline():
            message = "The callers' process did not start."
            raise BenchError(message)
        yield process.stdout
    finally:
        if process.returncode is None:
            try:
                await asyncio.wait_for(process.wait(), 5)
            except TimeoutError:
                process.kill()
                await process.wait()


def _tell(figures: Sequence[Figure], told: Callable[[Figure], None]) -> None:
    for figure in figures:
        told(figure)


class _Steps:
    """Counts steps into a `Progress`."""

    def __init__(self, progress: Progress, what: str, total: int) -> None:
        self._told: Any = progress
        self._what = what
        self._total = total
        self._done = 0
        progress(what, 0, total)

    def __call__(self) -> None:
        self._done += 1
        self._told(self._what, self._done, self._total)
