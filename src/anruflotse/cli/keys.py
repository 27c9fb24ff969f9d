"""`anruflotse keys`: which master keys there are, and replacing the current one while calls go on."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from anruflotse.cli.options import Config, Data, Json, emit, examples
from anruflotse.cli.store import Name, accessor, opened

if TYPE_CHECKING:
    from anruflotse.records.vault.rotation import Rotated, Tell

PURPOSE = "betrieb"


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    keys = typer.Typer(name="keys", help="Look after the master key everything is sealed with.", no_args_is_help=True)
    keys.command("status", epilog=examples("anruflotse keys status", "anruflotse keys status --json"))(status)
    keys.command("rotate", epilog=examples("anruflotse keys rotate", "anruflotse keys rotate --json"))(rotate)
    app.add_typer(keys)


def status(config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """List the master keys by their names: where each is, and how much is wrapped with it; exit code 3 if none works.

    A name (16 hex digits, or transit:MOUNT/KEY:vN) does not reveal the key.
    """
    with opened(config, data) as store:
        found = store.masters()
    for one in found:
        state = "current" if one.current else "retired" if one.retired else "old"
        record = {
            "master": one.master,
            "state": state,
            "source": one.source,
            "keys": one.keys,
            "named": one.named,
        }
        in_use = f"{one.keys} records" + (", own keys of the store" if one.named else "")
        emit(record, as_json, f"{one.master}  {state:<8} {in_use}; {one.source or 'not at hand'}")


def rotate(config: Config = None, data: Data = None, name: Name = None, as_json: Json = False) -> None:
    """Replace the master key while calls go on: everything stored is wrapped anew, then the old key is given up.

    Killed or failed, it continues when it is run again. Where the master key is a systemd credential or an environment
    variable, put the new key in front and restart the service first. Exit code 1 when something stored did not open.
    """
    from anruflotse.records.access import Accessor, Role

    with opened(config, data) as store, _progress() as tell:
        who = Accessor(accessor(name, None, PURPOSE).name, Role.OPERATIONS)
        rotated = store.rotate(who, PURPOSE, tell)
    record = {
        "master": rotated.master,
        "made": rotated.made,
        "moved": rotated.moved,
        "unreadable": rotated.unreadable,
        "scrubbed": rotated.scrubbed,
        "left": rotated.left,
    }
    emit(record, as_json, _told(rotated))
    if rotated.unreadable:
        raise typer.Exit(1)


def _told(rotated: Rotated) -> str:
    lines = [
        f"The master key is {rotated.master}{', a new one' if rotated.made else ''}.",
        f"{rotated.moved} keys were wrapped anew.",
    ]
    if rotated.unreadable:
        lines.append(
            f"{rotated.unreadable} keys do not open, since somebody changed them; they and the old master key stay "
            "until their records expire. Look into it, then run this again."
        )
    if not rotated.scrubbed:
        lines.append("Traces of the old master key's work are overwritten by the next daily sweep.")
    lines += [f"No longer needed: {name}: {remedy}." for name, remedy in rotated.left.items()]
    return "\n".join(lines)


@contextlib.contextmanager
def _progress() -> Iterator[Tell | None]:
    """A bar on stderr for those who watch, nothing for a log."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Wrapping keys anew", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
