"""`anruflotse records` and `anruflotse retention`: what is stored, one record for a stated purpose, and its end."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anruflotse.cli.options import Config, Data, Json, emit, examples, load

if TYPE_CHECKING:
    from anruflotse.records.access import Accessor
    from anruflotse.records.model import Record, Summary
    from anruflotse.records.repository import Records

Name = Annotated[
    str | None, typer.Option("--accessor", metavar="NAME", help="Who reads; default is the user of this machine.")
]
InRole = Annotated[
    str | None, typer.Option("--role", metavar="R", help="In which role; default is the one the purpose belongs to.")
]
For = Annotated[str | None, typer.Option("--purpose", metavar="P", help="What for, from the closed list.")]


def register(app: typer.Typer) -> None:
    """Add both groups of commands."""
    records = typer.Typer(name="records", help="Show what is stored.", no_args_is_help=True)
    records.command("list", epilog=examples("anruflotse records list", "anruflotse records list --json"))(list_)
    records.command(
        epilog=examples("anruflotse records show 3f0c9a4b5d6e7f8091a2b3c4d5e6f708 --purpose betroffenenrechte")
    )(show)
    app.add_typer(records)
    retention = typer.Typer(name="retention", help="Watch and enforce the end of records.", no_args_is_help=True)
    retention.command(epilog=examples("anruflotse retention status --json"))(status)
    retention.command(epilog=examples("anruflotse retention sweep"))(sweep)
    app.add_typer(retention)


def list_(
    config: Config = None,
    data: Data = None,
    accessor: Name = None,
    role: InRole = None,
    purpose: For = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, newest first.")] = 1000,
    as_json: Json = False,
) -> None:
    """List the records, newest first: never a number, never a word that was said."""
    with _opened(config, data) as store:
        found = store.list(
            _accessor(accessor, role, purpose or "datenschutzkontrolle"), purpose or "datenschutzkontrolle", limit
        )
    if as_json:
        for summary in found:
            emit(_listed(summary), as_json, "")
    elif found:
        _table([_listed(summary) for summary in found])
    else:
        typer.echo("There are no records.")


def show(
    record_id: Annotated[str, typer.Argument(metavar="ID", help="The record's id, as `records list` shows it.")],
    purpose: For = None,
    config: Config = None,
    data: Data = None,
    accessor: Name = None,
    role: InRole = None,
    as_json: Json = False,
) -> None:
    """Show one record with what was said, for a purpose from the closed list; who, what for and when is logged."""
    from anruflotse.records.model import AccessRefusedError, NotFoundError, Purpose

    # A missing purpose is refused by the store, like a wrong one, so that it is in the access log.
    with _opened(config, data) as store:
        try:
            record = store.open(record_id, _accessor(accessor, role, purpose or ""), purpose or "")
        except NotFoundError as error:
            typer.echo(f"anruflotse: {error}", err=True)
            raise typer.Exit(1) from None
        except AccessRefusedError as error:
            typer.echo(f"anruflotse: {error}", err=True)
            raise typer.Exit(1 if purpose in set(Purpose) else 2) from None
    shown = _shown(record)
    emit(shown, as_json, "\n".join(f"{name:<15} {_text(value)}" for name, value in shown.items()))


def status(config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Tell how many records there are, when the next one ends, and how many have ended."""
    with _opened(config, data) as store:
        now = store.status()
    record = {
        "records": now.records,
        "next_expiry": _iso(now.next_expiry),
        "deleted": now.deleted,
        "keys_destroyed": now.keys_destroyed,
        "at": _iso(now.at),
        "overdue": now.overdue,
        "overlong": now.overlong,
        "restricted": now.restricted,
        "held": now.held,
        "reviews_due": now.reviews_due,
    }
    emit(record, as_json, "\n".join(f"{name:<15} {_text(value)}" for name, value in record.items()))


def sweep(config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Destroy now what has expired or was never finished; exit code 1 when a record resisted."""
    with _opened(config, data) as store:
        swept = store.sweep()
        after = store.status()
    record = {
        "records": after.records,
        "next_expiry": _iso(after.next_expiry),
        "deleted": swept.deleted,
        "keys_destroyed": swept.keys_destroyed,
        "at": _iso(swept.at),
        "failed": swept.failed,
        "scrubbed": swept.scrubbed,
    }
    emit(record, as_json, "\n".join(f"{name:<15} {_text(value)}" for name, value in record.items()))
    if swept.failed:
        raise typer.Exit(1)


def _accessor(name: str | None, role: str | None, purpose: str) -> Accessor:
    """Who reads, in the role given or the one that does most for this purpose."""
    from anruflotse.records.access import Accessor, Role

    usual = {"weiterleitung": Role.SPEECH, "statistik": Role.MANAGEMENT, "betrieb": Role.OPERATIONS}
    if role is not None and role not in set(Role):
        message = f"{role} is not a role. Roles are: {', '.join(Role)}."
        raise typer.BadParameter(message, param_hint="--role")
    return Accessor(name or getpass.getuser(), Role(role) if role else usual.get(purpose, Role.PRIVACY))


@contextlib.contextmanager
def _opened(config: Path | None, data: Path | None) -> Iterator[Records]:
    """The record store of these settings."""
    from anruflotse.clock import SystemClock
    from anruflotse.records.repository import Records

    settings = load(config, data)
    store = Records(
        settings.data / "records",
        SystemClock(),
        settings.retention.days,
        longer_reason=settings.retention.longer_because,
    )
    try:
        yield store
    finally:
        store.close()


def _listed(summary: Summary) -> dict[str, object]:
    return {
        "id": summary.id,
        "reference": summary.reference,
        "recorded_at": _iso(summary.recorded_at),
        "expires_at": _iso(summary.expires_at),
        "concern": summary.concern,
        "department": summary.department,
        "decision": summary.decision,
        "outcome": summary.outcome,
        "restricted": summary.restricted,
    }


def _shown(record: Record) -> dict[str, object]:
    return {
        **_listed(record.summary),
        "started_at": _iso(record.started_at),
        "caller": record.caller,
        "transcripts": list(record.transcripts),
        "ranking": [
            {"concern": line.concern, "department": line.department, "probability": line.probability}
            for line in record.ranking
        ],
        "evidence": list(record.evidence),
        "target": record.target,
        "recording": record.has_recording,
        "processors": list(record.processors),
        "engines": list(record.engines),
        "notice_version": record.notice_version,
        "legal_basis": record.legal_basis,
        "purpose": record.purpose.value,
    }


def _table(rows: list[dict[str, object]]) -> None:
    """The list for people; ids stay whole, for they are what the next command needs."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in rows[0]:
        table.add_column(name, no_wrap=name == "id", overflow="ellipsis" if name == "reference" else "fold")
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    Console(markup=False).print(table)


def _iso(time: object) -> str | None:
    from datetime import datetime

    return time.isoformat(timespec="seconds") if isinstance(time, datetime) else None


def _text(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(_text(part) for part in value.values())
    if isinstance(value, list):
        return "; ".join(_text(part) for part in value) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return "-" if value is None or value == "" else str(value)
