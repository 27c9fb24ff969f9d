"""`anruflotse audit`: who accessed what, whether that list is what it was, and a signed head to file elsewhere."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anruflotse.cli.options import Config, Data, Json, emit, examples
from anruflotse.cli.store import For, InRole, accessor, iso, lines, opened, table

if TYPE_CHECKING:
    from anruflotse.records.audit.entry import Chained
    from anruflotse.records.audit.trail import Filter

_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]

_MEANINGS = {
    "changed": "an entry is not what its hash says",
    "order": "an entry does not follow the one before it",
    "gap": "entries are missing",
    "truncated": "the end of the trail is missing",
    "unsigned": "an entry was not signed by this installation",
    "tip": "the note of where the trail ends is wrong",
    "head": "a signed head was changed or removed, or does not fit the trail",
    "filed": "the head that was filed elsewhere does not fit the trail",
    "lost": "a restore lost entries; the trail says so",
}
"""What the words of `records.audit.verification` mean; a test compares the two."""


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    audit = typer.Typer(name="audit", help="Show and check who accessed what.", no_args_is_help=True)
    audit.command(
        epilog=examples(
            "anruflotse audit verify",
            "anruflotse audit verify --json --head /media/safe/head-2026-11.json",
            "anruflotse audit verify --accept 1201-1260",
        )
    )(verify)
    audit.command(
        "list",
        epilog=examples(
            "anruflotse audit list --limit 20",
            "anruflotse audit list --since 2026-11-01 --until 2026-12-01 --accessor frau.beispiel --json",
            "anruflotse audit list --record 3f0c9a4b5d6e7f8091a2b3c4d5e6f708 --purpose betroffenenrechte",
        ),
    )(list_)
    audit.command(epilog=examples("anruflotse audit head --json > /media/safe/head-2026-11.json"))(head)
    app.add_typer(audit)


def verify(
    config: Config = None,
    data: Data = None,
    filed: Annotated[
        Path | None,
        typer.Option(
            "--head", metavar="FILE", help="A head filed earlier (`audit head --json`) that the trail must still hold."
        ),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", metavar="N-M", help="A known gap somebody has looked into; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check every entry and every signed head; exit code 1 when anything was changed, added or is missing.

    With --head no master key is needed: the public key in FILE is the one that counts.
    """
    from anruflotse.records.audit.signing import unfiled

    expected = None
    if filed is not None:
        try:
            expected = unfiled(json.loads(filed.read_bytes()))
        except OSError as error:
            message = f"{filed} cannot be read ({error.strerror})."
            raise typer.BadParameter(message, param_hint="--head") from None
        except (ValueError, AttributeError, RecursionError):
            message = f"{filed} is no head as `anruflotse audit head --json` prints it, or was changed since."
            raise typer.BadParameter(message, param_hint="--head") from None
    accepted = [_gap(one) for one in accept or ()]
    with opened(config, data) as store:
        verified = store.verify_trail(expected)
    intact = verified.intact_but_for(accepted)
    record = {
        "entries": verified.entries,
        "intact": intact,
        "first_broken": verified.first_broken,
        "wrong": verified.wrong,
        "damage": [{"seq": one.seq, "what": one.what} for one in verified.damage],
        "found": verified.found,
        "known_gaps": [list(gap) for gap in verified.known_gaps],
        "head": verified.head,
        "days": verified.days,
    }
    told = [f"The audit trail is {'intact' if intact else 'NOT intact'}: {verified.entries} entries."]
    told += [f"  {f'entry {one.seq}' if one.seq else 'no one entry'}: {_MEANINGS[one.what]}" for one in verified.damage]
    if verified.found > len(verified.damage):
        told.append(f"  and {verified.found - len(verified.damage)} more")
    told += [
        f"  entries {first} to {last}: {_MEANINGS['lost']}{', accepted' if (first, last) in accepted else ''}"
        for first, last in verified.known_gaps
    ]
    emit(record, as_json, "\n".join(told))
    if not intact:
        raise typer.Exit(1)


def list_(
    purpose: For = None,
    config: Config = None,
    data: Data = None,
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, newest first.")] = 1000,
    since: Annotated[
        datetime | None, typer.Option("--since", formats=_FORMATS, help="Not before this time; UTC unless it says so.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", formats=_FORMATS, help="Before this time; UTC unless it says so.")
    ] = None,
    of: Annotated[str | None, typer.Option("--accessor", metavar="NAME", help="Only accesses of this person.")] = None,
    record_id: Annotated[
        str | None, typer.Option("--record", metavar="ID", help="Only accesses to this record.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--accessor-name", metavar="NAME", help="Who looks; default is the user of this machine."),
    ] = None,
    role: InRole = None,
    as_json: Json = False,
) -> None:
    """List who accessed what, newest first; looking is an access as well, and the first line."""
    stated = purpose or "datenschutzkontrolle"
    wanted = _filter(since, until, of, record_id)
    with opened(config, data) as store:
        found = store.trail(accessor(name, role, stated), stated, wanted, limit)
    if as_json:
        for chained in reversed(found):
            emit({**_told(chained), "previous": chained.previous, "hash": chained.hash}, as_json, "")
    elif found:
        table([_told(chained) for chained in reversed(found)])
    else:
        typer.echo("There are no such entries.")


def head(config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Print the latest signed head and the public key, to be filed where nobody of this machine can reach it."""
    from anruflotse.records.times import from_micros

    with opened(config, data) as store:
        told = store.trail_head()
    if told is None:
        typer.echo("anruflotse: there is no signed head yet, because nothing was accessed.", err=True)
        raise typer.Exit(1)
    at = told["at"]
    emit(told, as_json, lines({**told, "at": iso(from_micros(at)) if isinstance(at, int) else at}))


def _told(chained: Chained) -> dict[str, object]:
    from anruflotse.records.times import from_micros

    entry = chained.entry
    try:
        at = iso(from_micros(entry.at))
    except (OverflowError, TypeError):
        # A damaged entry is shown as it is: whoever looks at the trail wants to see it.
        at = None
    return {
        "seq": chained.seq,
        "at": at,
        "accessor": entry.accessor,
        "role": entry.role,
        "purpose": entry.purpose,
        "act": entry.act,
        "record": entry.subject,
        "result": entry.result,
    }


def _filter(since: datetime | None, until: datetime | None, of: str | None, record_id: str | None) -> Filter:
    from anruflotse.records.audit.trail import Filter

    return Filter(since=_micros(since), until=_micros(until), accessor=of, subject=record_id)


def _micros(time: datetime | None) -> int | None:
    from datetime import UTC

    from anruflotse.records.times import to_micros

    if time is None:
        return None
    return to_micros(time if time.tzinfo else time.replace(tzinfo=UTC))


def _gap(told: str) -> tuple[int, int]:
    first, _, last = told.partition("-")
    if not (first.isdecimal() and last.isdecimal() and first.isascii() and last.isascii()):
        message = "A gap is given as the numbers of its first and last entry, such as 1201-1260."
        raise typer.BadParameter(message, param_hint="--accept")
    return int(first), int(last)
