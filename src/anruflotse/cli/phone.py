"""`anruflotse phone`: the telephones of all departments on one port, to see where calls go."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from anruflotse.cli.options import Config, Data, Json, emit, examples, load

if TYPE_CHECKING:
    from anruflotse.lines.peers import Behaviour, PhoneEvent


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "anruflotse phone", "anruflotse phone --port 5091 --behave mensch=ring --behave beitrag=busy --json"
        )
    )(phone)


def phone(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="The port; 0 takes any free one.")] = 5090,
    behave: Annotated[
        list[str] | None,
        typer.Option("--behave", metavar="USER=WHAT", help="answer, busy, decline, unavailable, ring or dead."),
    ] = None,
    ring: Annotated[float, typer.Option("--ring", min=0, help="Seconds to ring before anything else.")] = 0.0,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Answer for every extension on one port and tell who was called, until interrupted.

    Every extension answers unless --behave says otherwise. Exit code 3: the port is taken.
    """
    from anruflotse.lines.peers import Behaviour

    load(config, data)
    behaviours = dict(_behaviour(text, ring) for text in behave or ())
    try:
        asyncio.run(_serve(host, port, behaviours, Behaviour(ring_seconds=ring), as_json))
    except OSError as error:
        typer.echo(
            f"anruflotse: {host}:{port} cannot be listened on ({error.strerror}); choose another --port.", err=True
        )
        raise typer.Exit(3) from error


async def _serve(host: str, port: int, behaviours: dict[str, Behaviour], default: Behaviour, as_json: bool) -> None:
    from anruflotse.lines.peers import Phone

    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with Phone(host, port, behaviours, default, on_event=lambda event: _tell(event, as_json)) as opened:
        emit({"event": "ready", "port": opened.port}, as_json, f"READY sip=udp:{opened.host}:{opened.port}")
        await stop.wait()


def _tell(event: PhoneEvent, as_json: bool) -> None:
    record = {"event": event.event, "at": event.at, "user": event.user, "call": event.call}
    if event.user_to_user is not None:
        record["user_to_user"] = event.user_to_user
    reference = f" ({event.user_to_user})" if event.user_to_user else ""
    with contextlib.suppress(BrokenPipeError):
        emit(record | dict(event.details), as_json, f"{event.at:8.2f} s  {event.user}: {event.event}{reference}")


def _behaviour(text: str, ring: float) -> tuple[str, Behaviour]:
    from anruflotse.lines.peers import Behaviour, Reaction

    user, _, what = text.partition("=")
    if not user or what not in list(Reaction):
        message = f"{text!r} is not USER=WHAT with one of {', '.join(Reaction)}."
        raise typer.BadParameter(message, param_hint="--behave")
    return user, Behaviour(Reaction(what), ring_seconds=ring)
