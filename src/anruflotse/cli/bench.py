"""The benchmarks: `bench`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from anruflotse.cli.options import Config, Data, Json, emit, examples, load

if TYPE_CHECKING:
    from anruflotse.bench.figures import Figure
    from anruflotse.bench.running import Progress

Calls = Annotated[
    str | None, typer.Option("--calls", metavar="N,N", help="How many calls at once, one crowd after the other.")
]
Quick = Annotated[
    bool, typer.Option("--quick", help="A minute instead of ten: few calls and records, for a first impression.")
]
Parts = Annotated[
    list[str] | None, typer.Argument(metavar="[calls|records]...", help="What to measure; without, everything.")
]
_PARTS = ("calls", "records")
_MOST = 400


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        "bench",
        epilog=examples(
            "anruflotse bench", "anruflotse bench --quick", "anruflotse bench calls --calls 100 --json",
            "anruflotse bench records",
        ),
    )(bench)  # fmt: skip


def bench(
    parts: Parts = None,
    calls: Calls = None,
    quick: Quick = False,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Measure how prompt the voicebot is, how many calls it carries, what they cost, and how the record store grows.

    Calls are real SIP on loopback, records lie in a PostgreSQL of their own. Every figure is shown with its limit, if
    there is one, and whether it is kept. Run it on a machine that does nothing else. Exit code 3: the voicebot or
    PostgreSQL could not be started.
    """
    import asyncio
    import dataclasses

    from anruflotse.bench import running, store
    from anruflotse.bench.bot import BenchError
    from anruflotse.bench.cluster import ClusterError
    from anruflotse.bench.procfs import machine

    wanted = set(parts or _PARTS)
    if unknown := wanted - set(_PARTS):
        message = f"{', '.join(sorted(unknown))} is not one of {', '.join(_PARTS)}."
        raise typer.BadParameter(message)
    size = running.QUICK if quick else running.FULL
    if calls is not None:
        size = dataclasses.replace(size, crowds=_crowds(calls))
    settings = load(config, data)
    here = machine()
    busy = "" if here.idle else "  BUSY: the figures say more about the other programs"
    load_average = " ".join(f"{value:.2f}" for value in here.load)
    emit(
        here.record(),
        as_json,
        f"{here.cores} cores ({here.processor}), {here.memory / 2**30:.1f} GB, Python {here.python}, "
        f"load before the run {load_average}{busy}\n",
    )
    told: list[Figure] = []

    def tell(figure: Figure) -> None:
        # What all figures of a group come from is said once.
        repeated = bool(told) and told[-1].about == figure.about
        emit(figure.record(), as_json, _line(figure, about="" if repeated else figure.about))
        told.append(figure)

    try:
        with _progress() as progress:
            if "calls" in wanted:
                asyncio.run(running.measure(settings, size, progress, tell))
            if "records" in wanted:
                store.measure(store.QUICK if quick else store.FULL, progress, tell)
    except (BenchError, ClusterError) as error:
        typer.echo(f"anruflotse: {error}", err=True)
        raise typer.Exit(3) from error


def _crowds(text: str) -> tuple[int, ...]:
    try:
        crowds = tuple(int(part) for part in text.split(","))
    except ValueError:
        crowds = ()
    if not crowds or not all(1 <= crowd <= _MOST for crowd in crowds):
        message = f"{text!r} is not a list of numbers from 1 to {_MOST}, such as 50,100."
        raise typer.BadParameter(message, param_hint="--calls")
    return crowds


def _line(figure: Figure, about: str) -> str:
    limit = "" if figure.limit is None else f"limit {figure.limit:g}"
    verdict = {True: "ok", False: "OVER", None: ""}[figure.ok]
    shown = f"{figure.value:.0f}" if float(figure.value).is_integer() else f"{figure.value:.3g}"
    said = "; ".join(part for part in (f"n={figure.n}" if figure.n else "", about) if part)
    return f"{figure.name:<38}{shown:>8} {figure.unit:<8}{limit:<11}{verdict:<5} {said}".rstrip()


@contextmanager
def _progress() -> Iterator[Progress]:
    """A progress bar on stderr, gone when done; nothing when stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal, refresh_per_second=2
    ) as bar:
        task = bar.add_task("", total=None)
        told: Callable[[str, int, int], None] = lambda what, done, total: bar.update(  # noqa: E731 - a parameter
            task, description=what, completed=done, total=total
        )
        yield told
