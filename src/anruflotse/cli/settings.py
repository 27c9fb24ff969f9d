"""`anruflotse settings` and `anruflotse init`: what holds, and a file to start from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from anruflotse.cli.options import Config, Data, Json, emit, examples, load


def register(app: typer.Typer) -> None:
    """Add both commands."""
    app.command(
        epilog=examples(
            "anruflotse settings", "ANRUFLOTSE_SIP__PORT=5070 anruflotse settings --config site.yaml --json"
        )
    )(settings)
    app.command(epilog=examples("anruflotse init", "anruflotse init /etc/anruflotse/anruflotse.yaml"))(init)


def settings(config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Show the settings that hold, secrets masked, and where each comes from."""
    from anruflotse.settings import effective

    for entry in effective(load(config, data)):
        record = {"key": entry.key, "value": entry.value, "source": entry.source}
        emit(record, as_json, f"{entry.key:<28} {_shown(entry.value):<36} {entry.source}")


def init(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to write it; ./anruflotse.yaml by default.")
    ] = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Write a commented example of the settings file; never over an existing one. --data is written into it."""
    from anruflotse.settings import example

    file = file or config or Path("anruflotse.yaml")

    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(example() + (f"\ndata: {json.dumps(str(data.absolute()))}\n" if data else ""))
    except FileExistsError:
        typer.echo(f"anruflotse: {file} exists already; name another file, or move it away first.", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        typer.echo(f"anruflotse: {file} cannot be written: {error.strerror}.", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"Wrote {file}. Every key in it shows its default; uncomment what you want to change.")


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(part) for part in value) or "none"
    return "null" if value is None else str(value)
