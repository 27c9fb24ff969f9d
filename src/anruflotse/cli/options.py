"""What the command modules share: the options every command has, reading the settings, and printing results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from anruflotse.settings import Settings

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="The YAML settings file; ./anruflotse.yaml if there is one."),
]
"""`--config FILE` of every command; declare it `config: Config = None`."""

Data = Annotated[
    Path | None,
    typer.Option("--data", "-d", metavar="DIR", help="The data directory; wins over settings file and environment."),
]
"""`--data DIR` of every command; declare it `data: Data = None`."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
"""`--json` of every command; declare it `as_json: Json = False`."""


def load(config: Path | None, data: Path | None, overrides: Mapping[str, object] | None = None) -> Settings:
    """Read the settings as the command line gives them, and set up logging as they say.

    `overrides` are further settings a command has its own options for, by dotted key (`{"sip.port": 5070}`); None
    values are options not given. Raises SettingsError (exit 2).
    """
    # Imported late: pydantic costs more time than the whole of `--help`.
    from anruflotse import logs, settings

    given = {"data": data, **(overrides or {})}
    loaded = settings.load(config, {key: value for key, value in given.items() if value is not None})
    logs.configure(loaded.logging.level, loaded.logging.format)
    return loaded


def emit(record: Mapping[str, object], as_json: bool, text: str) -> None:
    """Print one result to stdout: `record` as a JSON line, or `text` for people."""
    typer.echo(json.dumps(record, ensure_ascii=False, default=str) if as_json else text)


def examples(*lines: str) -> str:
    """An epilog for `--help` that shows how the command is used, one line each."""
    return "Examples:\n\n" + "\n\n".join(f"  $ {line}" for line in lines)
