"""`anruflotse records`: what is stored, and one record for a stated purpose."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from anruflotse.cli.options import Config, Data, Json, emit, examples
from anruflotse.cli.store import For, InRole, Name, accessor, iso, lines, opened, table

if TYPE_CHECKING:
    from anruflotse.records.model import Record, Summary

_RIGHTS = "betroffenenrechte"
Id = Annotated[str, typer.Argument(metavar="ID", help="The record's id, as `records list` shows it.")]


def register(app: typer.Typer) -> None:
    """Add this group of commands."""
    records = typer.Typer(name="records", help="Show what is stored, and restrict it.", no_args_is_help=True)
    records.command("list", epilog=examples("anruflotse records list", "anruflotse records list --json"))(list_)
    records.command(
        epilog=examples("anruflotse records show 3f0c9a4b5d6e7f8091a2b3c4d5e6f708 --purpose betroffenenrechte")
    )(show)
    records.command(
        epilog=examples(
            "anruflotse records restrict 3f0c9a4b5d6e7f8091a2b3c4d5e6f708 --ground a",
            "anruflotse records restrict 3f0c9a4b5d6e7f8091a2b3c4d5e6f708 --ground c --hold --review 2027-01-31",
        )
    )(restrict)
    records.command(epilog=examples("anruflotse records unrestrict 3f0c9a4b5d6e7f8091a2b3c4d5e6f708"))(unrestrict)
    records.command(epilog=examples("anruflotse records reconcile", "anruflotse records reconcile --json"))(reconcile)
    app.add_typer(records)


def list_(
    config: Config = None,
    data: Data = None,
    who: Name = None,
    role: InRole = None,
    purpose: For = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, newest first.")] = 1000,
    as_json: Json = False,
) -> None:
    """List the records, newest first: never a number, never a word that was said.

    Without --purpose the list is for supervision (datenschutzkontrolle).
    """
    from anruflotse.records.model import AccessRefusedError, Purpose

    stated = "datenschutzkontrolle" if purpose is None else purpose
    with opened(config, data) as store:
        try:
            found = store.list(accessor(who, role, stated), stated, limit)
        except AccessRefusedError as error:
            typer.echo(f"anruflotse: {error}", err=True)
            raise typer.Exit(1 if stated in set(Purpose) else 2) from None
    if as_json:
        for summary in found:
            emit(_listed(summary), as_json, "")
    elif found:
        table([_listed(summary) for summary in found])
    else:
        typer.echo("There are no records.")


def show(
    record_id: Id,
    purpose: For = None,
    config: Config = None,
    data: Data = None,
    who: Name = None,
    role: InRole = None,
    as_json: Json = False,
) -> None:
    """Show one record with what was said, for a purpose from the closed list; who, what for and when is logged."""
    from anruflotse.records.model import AccessRefusedError, NotFoundError, Purpose
    from anruflotse.understanding.explaining import for_people

    # A missing purpose is refused by the store, like a wrong one, so that it is in the access log.
    with opened(config, data) as store:
        try:
            record = store.open(record_id, accessor(who, role, purpose or ""), purpose or "")
        except NotFoundError as error:
            typer.echo(f"anruflotse: {error}", err=True)
            raise typer.Exit(1) from None
        except AccessRefusedError as error:
            typer.echo(f"anruflotse: {error}", err=True)
            raise typer.Exit(1 if purpose in set(Purpose) else 2) from None
    shown = _shown(record)
    why = [f"{'':<15} {row}" for one in record.explanations for row in for_people(one)]
    emit(shown, as_json, "\n".join([lines(shown | {"explanations": f"{len(record.explanations)} turns"}), *why]))


def restrict(
    record_id: Id,
    ground: Annotated[
        str,
        typer.Option(
            "--ground",
            metavar="a|b|c|d",
            help="Art. 18(1): a accuracy contested, b unlawful but not to be erased, c needed for legal claims, "
            "d objection not settled yet.",
        ),
    ],
    hold: Annotated[
        bool, typer.Option("--hold", help="Keep it beyond its expiry until lifted; only for b and c, with --review.")
    ] = False,
    review: Annotated[
        datetime | None,
        typer.Option("--review", metavar="DATE", formats=["%Y-%m-%d"], help="When to look at it again."),
    ] = None,
    config: Config = None,
    data: Data = None,
    who: Name = None,
    as_json: Json = False,
) -> None:
    """Restrict a record (Art. 18 GDPR): from now on it opens for the handling of rights only."""
    from zoneinfo import ZoneInfo

    from anruflotse.records.restriction import Ground

    if ground not in set(Ground):
        message = f"{ground} is not a ground of Art. 18(1). Grounds are: {', '.join(Ground)}."
        raise typer.BadParameter(message, param_hint="--ground")
    review_on = review.replace(tzinfo=ZoneInfo("Europe/Berlin")) if review else None
    with opened(config, data) as store:
        try:
            store.restrict(record_id, accessor(who, None, _RIGHTS), Ground(ground), hold=hold, review_on=review_on)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    told = {"id": record_id, "restricted": True, "ground": ground, "held": hold, "review_on": iso(review_on)}
    emit(told, as_json, lines(told))


def unrestrict(
    record_id: Id, config: Config = None, data: Data = None, who: Name = None, as_json: Json = False
) -> None:
    """Lift the restriction of a record. Tell the person first (Art. 18(3) GDPR); a record past its day ends now."""
    with opened(config, data) as store:
        store.lift(record_id, accessor(who, None, _RIGHTS))
    told = {"id": record_id, "restricted": False}
    emit(told, as_json, lines(told))


def reconcile(
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Give up what lacks its key or its row, even if that is nearly everything, and accept entries of the "
            "audit trail that an old key store does not know.",
        ),
    ] = False,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Put the stores right after a restore, as every start does; exit code 1 when something resisted or is damaged."""
    with opened(config, data) as store:
        done = store.reconcile(force=force)
    told = {
        "returned": done.returned,
        "unpaired": done.unpaired,
        "deleted": done.rows_deleted,
        "keys_destroyed": done.keys_destroyed,
        "damaged": done.damaged,
        "failed": done.failed,
        "trail": done.trail,
    }
    emit(told, as_json, lines(told))
    if done.failed or done.damaged or not done.trail:
        raise typer.Exit(1)


def _listed(summary: Summary) -> dict[str, object]:
    return {
        "id": summary.id,
        "reference": summary.reference,
        "recorded_at": iso(summary.recorded_at),
        "expires_at": iso(summary.expires_at),
        "concern": summary.concern,
        "department": summary.department,
        "decision": summary.decision,
        "outcome": summary.outcome,
        "restricted": summary.restricted,
    }


def _shown(record: Record) -> dict[str, object]:
    return {
        **_listed(record.summary),
        "started_at": iso(record.started_at),
        "caller": record.caller,
        "transcripts": list(record.transcripts),
        "ranking": [
            {"concern": line.concern, "department": line.department, "probability": line.probability}
            for line in record.ranking
        ],
        "evidence": list(record.evidence),
        "explanations": [dict(one) for one in record.explanations],
        "second_concern": record.second_concern,
        "target": record.target,
        "recording": record.has_recording,
        "processors": list(record.processors),
        "engines": list(record.engines),
        "notice_version": record.notice_version,
        "legal_basis": record.legal_basis,
        "purpose": record.purpose.value,
    }
