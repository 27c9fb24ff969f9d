"""The service itself: `run` and `doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from anruflotse.cli.options import Config, Data, Json, emit, examples, load

Drain = Annotated[
    float, typer.Option("--drain", metavar="SECONDS", min=0, help="How long calls may go on after SIGTERM.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        "run",
        epilog=examples("anruflotse run", "anruflotse run --config /etc/anruflotse.yaml --data /var/lib/anruflotse"),
    )(run)
    app.command("doctor", epilog=examples("anruflotse doctor", "anruflotse doctor --json"))(doctor)


def run(config: Config = None, data: Data = None, drain: Drain = 30.0) -> None:
    """Answer the telephone until SIGTERM or Ctrl-C.

    Prints one line when calls can be taken: READY sip=udp:HOST:PORT console=http://HOST:PORT. On SIGTERM no new call
    is taken; calls under way may finish for --drain seconds and are then handed to a person.
    """
    import asyncio

    from anruflotse.app.running import run_service

    settings = load(config, data)
    asyncio.run(run_service(settings, drain_seconds=drain, announce=typer.echo))


def doctor(config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Check what a call needs, each with a remedy: ports, models, keys, store, prompts, agreements, disk, clock."""
    import asyncio

    from anruflotse.app.doctor import examine

    findings = asyncio.run(examine(load(config, data)))
    for finding in findings:
        mark = {"ok": "✓", "warning": "!", "fault": "✗"}[finding.status]
        text = f"{mark} {finding.part}: {finding.found}" + (f"\n  → {finding.remedy}" if finding.remedy else "")
        record = {"part": finding.part, "status": finding.status, "found": finding.found, "remedy": finding.remedy}
        emit(record, as_json, text)
    if any(finding.status == "fault" for finding in findings):
        raise typer.Exit(1)
