"""What the commands on requests share: how they name what a request is about, and what they print of it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anruflotse.cli.options import emit, load
from anruflotse.cli.store import accessor, iso, lines, opened

if TYPE_CHECKING:
    from anruflotse.records.access import Accessor
    from anruflotse.rights.answering import Prepared
    from anruflotse.rights.model import Request, Scope
    from anruflotse.rights.office import Filed
    from anruflotse.rights.requests import Requests

RIGHTS = "betroffenenrechte"

Number = Annotated[
    str | None,
    typer.Option("--number", metavar="N", help="A caller's number, in any German or international notation."),
]
RecordId = Annotated[str | None, typer.Option("--record", metavar="ID", help="A record's id.")]
Reference = Annotated[
    str | None, typer.Option("--reference", metavar="R", help="The reference that came with a transferred call.")
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="T", help="Recorded from this time on: a day or a time, German unless it says so."),
]
To = Annotated[
    str | None, typer.Option("--to", metavar="T", help="Recorded before this time; a day alone is that whole day.")
]
Person = Annotated[str, typer.Option("--person", metavar="TEXT", help="Who asks, as the letter is to address them.")]
Identified = Annotated[
    str, typer.Option("--identified", metavar="TEXT", help="What was checked; copies of papers are never kept.")
]
Received = Annotated[
    str | None, typer.Option("--received", metavar="DATE", help="The day it came in, as 2026-11-24; default today.")
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Write the files of the answer there, for you alone.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask, however many records it is about.")]
CaseId = Annotated[str, typer.Argument(metavar="REQUEST", help="The request's id, or its first eight digits.")]

MANY = 10
"""From more records than these on a stretch of time is asked about first."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The requests of these settings, and who works on them."""

    requests: Requests
    who: Accessor


@contextlib.contextmanager
def desk(config: Path | None, data: Path | None, name: str | None) -> Iterator[Desk]:
    """The requests in the record store of these settings. Raises `ShapeError`, `StoreError`, `AccessRefusedError`."""
    from anruflotse.clock import SystemClock
    from anruflotse.records.model import StoreError
    from anruflotse.rights import wiring

    settings = load(config, data)
    if not settings.data.is_dir():
        # Opening would make a new store there, and "nothing found" of it would be a wrong answer to a person.
        message = (
            f"There is no data directory {settings.data}, so nothing can be searched: name the one of the service "
            "(--data DIR, or `data` in the settings)."
        )
        raise StoreError(message)
    who = accessor(name, None, RIGHTS)
    with opened(config, data) as store:
        yield Desk(wiring.requests(settings, store, SystemClock()), who)


def scope(number: str | None, record: str | None, reference: str | None, start: str | None, end: str | None) -> Scope:
    """What a request is about, as the options name it. Raises `RightsError`, `typer.BadParameter`."""
    from anruflotse.rights.model import Scope

    return Scope(
        number=number,
        record=record,
        reference=reference,
        start=None if start is None else moment(start, "--from"),
        end=None if end is None else moment(end, "--to", end=True),
    )


def moment(typed: str, option: str, *, end: bool = False) -> datetime:
    """A time as people type it: `2026-11-24`, `2026-11-24T10:30`, in Germany unless it names its zone.

    As the `end` of a stretch a day alone means the end of that day, and a time in the hour that comes twice, when the
    clocks are put back, is the later one: nothing that looks as if it lay within is left out.
    """
    from anruflotse.rights.due import BERLIN

    try:
        if len(typed.strip()) == len("2026-11-24"):
            day = date.fromisoformat(typed.strip())
            return datetime.combine(day + timedelta(days=1) if end else day, time(), BERLIN)
        found = datetime.fromisoformat(typed.strip())
        if found.tzinfo:
            return found
        here = found.replace(tzinfo=BERLIN, fold=int(end))
        skipped = here.astimezone(UTC).astimezone(BERLIN).replace(tzinfo=None) != found
    except (ValueError, OverflowError):
        message = "This is no time. Write a day as 2026-11-24, or a time as 2026-11-24T10:30."
        raise typer.BadParameter(message, param_hint=option) from None
    if skipped:
        message = "There was no such time in Germany: the clocks were put forward then. Say the full hour after it."
        raise typer.BadParameter(message, param_hint=option)
    return here


def day(typed: str | None, option: str) -> date | None:
    """A day as people type it."""
    try:
        return None if typed is None else date.fromisoformat(typed.strip())
    except ValueError:
        message = "This is no day. Write it as 2026-11-24."
        raise typer.BadParameter(message, param_hint=option) from None


def confirm(at: Desk, wanted: Scope, what: str, *, yes: bool) -> None:
    """Ask before many records are changed, or a stretch of time is longer than anything is kept.

    Where nobody can be asked (no terminal) that is wrong use: exit code 2, and --yes is the answer.
    """
    if wanted.window is None or yes:
        return
    number = at.requests.size(wanted, at.who)
    start, end = wanted.window
    whole = end - start > timedelta(days=at.requests.office.house.retention_days)
    if number == 0 or (number <= MANY and not whole):
        return
    told = f"{number} records of possibly many people were recorded in this time."
    if not sys.stdin.isatty():
        message = f"{told} Say --yes to {what} all of them, or name a shorter time."
        raise typer.BadParameter(message, param_hint="--from, --to")
    if not typer.confirm(f"{told} {what.capitalize()} all of them?", err=True):
        raise typer.Exit(1)


def made(out: Path | None) -> Path | None:
    """The directory for the files, made before anything is done."""
    if out is not None:
        try:
            out.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            message = f"{out} cannot be made ({error.strerror}): name a directory you may write to."
            raise typer.BadParameter(message, param_hint="--out") from None
    return out


def written(out: Path | None, case_id: str, files: Mapping[str, bytes]) -> list[str]:
    """Write the files of an answer, readable for this user alone; their paths. Names tell the request, no person."""
    if out is None:
        return []
    paths = []
    for name, content in files.items():
        path = out / f"{case_id[:8]}-{name}"
        try:
            # Never through a link that somebody else put there.
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(content)
        except OSError as error:
            message = f"{path} cannot be written ({error.strerror}): name a directory you may write to."
            raise typer.BadParameter(message, param_hint="--out") from None
        paths.append(str(path))
    return paths


def told(at: Desk, filed: Filed) -> dict[str, object]:
    """A request as it is printed."""
    request, office = filed.request, at.requests.office
    due = office.due(request)
    return {
        "request": filed.id,
        "article": request.article.number,
        "right": request.article.name.casefold(),
        "state": request.state.value,
        "records": list(request.records),
        "received": request.received.isoformat(),
        "due": due.day.isoformat(),
        "due_ends": iso(due.ends),
        "days_left": due.days_left(office.now()) if request.running else None,
        "extended": bool(request.extended_because),
        "identified": None if request.identified is None else request.identified.what,
        "undecided": list(request.undecided),
        "todo": [
            {"number": todo.number, "kind": todo.kind, "recipient": todo.recipient, "task": todo.task}
            for todo in request.open_todos
        ],
        "kept_until": iso(filed.expires_at),
    }


def show(
    at: Desk,
    prepared: Prepared,
    out: Path | None,
    *,
    as_json: bool,
    repeated: bool = False,
    more: Mapping[str, object] | None = None,
) -> None:
    """Write the files, print the request with its evidence, and say on stderr what is still missing."""
    filed = prepared.filed
    evidence = [
        {key: iso(value) if isinstance(value, datetime) else value for key, value in one.items()}
        for one in at.requests.evidence(filed, at.who)
    ]
    record = {
        **told(at, filed),
        "evidence": evidence,
        "files": written(out, filed.id, prepared.files),
        "repeated": repeated,
        **(more or {}),
    }
    if prepared.password is not None and out is not None:
        record["password"] = prepared.password
    emit(record, as_json, lines(record))
    for line in missing(filed.request):
        typer.echo(f"anruflotse: {line}", err=True)


def missing(request: Request) -> list[str]:
    """What an officer has to know before the answer goes out."""
    found: list[str] = []
    if not request.findings and request.article.name != "OBJECTION":
        found.append("nothing was found; the letter says so, and why that may be.")
    if request.running and request.identified is None:
        found.append("nobody has checked who asks: without --identified the answer cannot be marked as handed out.")
    if request.undecided:
        found.append(
            f"{len(request.undecided)} records were found by their time alone, or corrected after a decision: decide "
            "whose they are, and what may go out (rights compare)."
        )
    if any(todo.kind == "check" for todo in request.open_todos):
        found.append(
            "some records may be about other people: look at them (rights compare) before anything goes out."
            if request.article.name in {"ACCESS", "COPY"}
            else "something has to be decided before this is finished: see rights todo."
        )
    if any(todo.kind == "notify" for todo in request.open_todos):
        found.append("others had these data and have to be told (Art. 19 GDPR): see rights todo.")
    return found
