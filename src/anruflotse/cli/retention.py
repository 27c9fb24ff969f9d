"""`anruflotse retention` and `anruflotse statistics`: the end of records, and what is counted without them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from anruflotse.cli.options import Config, Data, Json, emit, examples
from anruflotse.cli.store import InRole, Name, accessor, iso, lines, opened, table


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    retention = typer.Typer(name="retention", help="Watch and enforce the end of records.", no_args_is_help=True)
    retention.command(epilog=examples("anruflotse retention status --json"))(status)
    retention.command(epilog=examples("anruflotse retention sweep"))(sweep)
    app.add_typer(retention)
    app.command(epilog=examples("anruflotse statistics", "anruflotse statistics --since 2026-11-01 --json"))(statistics)


def status(config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Tell how many records there are, when the next one ends, and how many have ended."""
    with opened(config, data) as store:
        now = store.status()
    record = {
        "records": now.records,
        "next_expiry": iso(now.next_expiry),
        "deleted": now.deleted,
        "keys_destroyed": now.keys_destroyed,
        "at": iso(now.at),
        "overdue": now.overdue,
        "overlong": now.overlong,
        "restricted": now.restricted,
        "held": now.held,
        "reviews_due": now.reviews_due,
        "cases": now.cases,
        "objections": now.objections,
    }
    emit(record, as_json, lines(record))


def sweep(config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Destroy now what has expired or was never finished; exit code 1 when a record resisted."""
    with opened(config, data) as store:
        swept = store.sweep()
        after = store.status()
    record = {
        "records": after.records,
        "next_expiry": iso(after.next_expiry),
        "deleted": swept.deleted,
        "keys_destroyed": swept.keys_destroyed,
        "at": iso(swept.at),
        "failed": swept.failed,
        "scrubbed": swept.scrubbed,
        "objections": swept.objections,
    }
    emit(record, as_json, lines(record))
    if swept.failed:
        raise typer.Exit(1)


def statistics(
    since: Annotated[
        datetime | None,
        typer.Option("--since", metavar="DAY", formats=["%Y-%m-%d"], help="From this day on, such as 2026-11-01."),
    ] = None,
    config: Config = None,
    data: Data = None,
    who: Name = None,
    role: InRole = None,
    as_json: Json = False,
) -> None:
    """Show the counters by day, department and decision; numbers under 5 are hidden, and none leads to a call."""
    from anruflotse.records.model import SMALL

    first = since.date().isoformat() if since else ""
    with opened(config, data) as store:
        counted = [one for one in store.statistics(accessor(who, role, "statistik"), "statistik") if one.day >= first]
    shown = [
        {"day": one.day, "kind": one.kind, "department": one.department, "decision": one.decision, "number": one.number}
        for one in counted
    ]
    if as_json:
        for record in shown:
            emit(record, as_json, "")
    elif shown:
        table([{**one, "number": f"under {SMALL}" if one["number"] is None else one["number"]} for one in shown])
    else:
        typer.echo("Nothing has been counted.")
