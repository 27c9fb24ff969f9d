"""What the commands on the record store share: who reads, in which role, what for, and the store of these settings."""

from __future__ import annotations

import contextlib
import getpass
import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anruflotse.cli.options import load

if TYPE_CHECKING:
    from anruflotse.records.access import Accessor
    from anruflotse.records.repository import Records

Name = Annotated[
    str | None, typer.Option("--accessor", metavar="NAME", help="Who reads; default is the user of this machine.")
]
InRole = Annotated[
    str | None, typer.Option("--role", metavar="R", help="In which role; default is the one the purpose belongs to.")
]
For = Annotated[str | None, typer.Option("--purpose", metavar="P", help="What for, from the closed list.")]


_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""The categories of letters that are not seen: control, format, half characters, separators of lines."""


def accessor(name: str | None, role: str | None, purpose: str) -> Accessor:
    """Who reads, in the role given or the one that does most for this purpose."""
    from anruflotse.records.access import Accessor, Role

    usual = {"weiterleitung": Role.SPEECH, "statistik": Role.MANAGEMENT, "betrieb": Role.OPERATIONS}
    if role is not None and role not in set(Role):
        message = f"{role} is not a role. Roles are: {', '.join(Role)}."
        raise typer.BadParameter(message, param_hint="--role")
    return Accessor(name or getpass.getuser(), Role(role) if role else usual.get(purpose, Role.PRIVACY))


@contextlib.contextmanager
def opened(config: Path | None, data: Path | None) -> Iterator[Records]:
    """The record store of these settings."""
    from anruflotse.clock import SystemClock
    from anruflotse.records.repository import Records
    from anruflotse.records.stores.opener import KEYS_DIRECTORY
    from anruflotse.records.vault.sources import configured

    settings = load(config, data)
    store = Records(
        settings.data / "records",
        SystemClock(),
        settings.retention.days,
        longer_reason=settings.retention.longer_because,
        ring=configured(settings.data / "records" / KEYS_DIRECTORY, os.environ, settings.keys),
        **settings.records.urls(),
    )
    try:
        yield store
    finally:
        store.close()


def visible(told: str) -> str:
    """A text whose control and format characters show as the codes Python writes them with, for a terminal.

    What somebody said or typed can ring a bell, begin a new line, or make a line read otherwise than it is.
    """
    return "".join(
        letter.encode("unicode_escape").decode() if unicodedata.category(letter) in _HIDDEN else letter
        for letter in told
    )


def lines(record: Mapping[str, object]) -> str:
    """A record for people, one field a line."""
    return "\n".join(f"{name:<15} {text(value)}" for name, value in record.items())


def table(rows: Sequence[Mapping[str, object]]) -> None:
    """The list for people; ids stay whole, for they are what the next command needs."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in rows[0]:
        table.add_column(name, no_wrap=name == "id", overflow="ellipsis" if name == "reference" else "fold")
    for row in rows:
        table.add_row(*(text(value) for value in row.values()))
    Console(markup=False).print(table)


def iso(time: object) -> str | None:
    """A time as ISO 8601 in UTC, None for none."""
    from datetime import datetime

    return time.isoformat(timespec="seconds") if isinstance(time, datetime) else None


def text(value: object) -> str:
    """A value for people."""
    if isinstance(value, dict):
        return " ".join(text(part) for part in value.values())
    if isinstance(value, list):
        return "; ".join(text(part) for part in value) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return "-" if value is None or value == "" else visible(str(value))
