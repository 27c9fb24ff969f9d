"""The demonstration: `demo`."""

from __future__ import annotations

from typing import Annotated

import typer

from anruflotse.cli.options import Config, Data, examples, load

Once = Annotated[bool, typer.Option("--once", help="Stop when the last sample caller has hung up.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("demo", epilog=examples("anruflotse demo", "anruflotse demo --once"))(demo)


def demo(config: Config = None, data: Data = None, once: Once = False) -> None:
    """Let sample callers phone the voicebot over real SIP, and show what becomes of every call.

    Exit code 1 when a call did not end where it must.
    """
    import asyncio

    from anruflotse import logs
    from anruflotse.demo.playing import play_demo

    settings = load(config, data)
    if settings.source("logging.level") == "default":
        # The table tells the story; what the operator asked to see in the log is shown all the same.
        logs.configure("warning", settings.logging.format)
    if not asyncio.run(play_demo(settings, once=once)):
        raise typer.Exit(1)
