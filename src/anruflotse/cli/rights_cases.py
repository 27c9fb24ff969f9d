"""`anruflotse rights list|show|identify|extend|refuse|answer|todo|close|compare`: requests on their way."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anruflotse.cli.options import Config, Data, Json, emit, examples
from anruflotse.cli.rights_shown import (
    CaseId,
    Desk,
    From,
    Number,
    Out,
    RecordId,
    Reference,
    To,
    desk,
    made,
    missing,
    scope,
    show,
    told,
    written,
)
from anruflotse.cli.store import Name, iso, lines, table, visible

if TYPE_CHECKING:
    from anruflotse.documents import Block, Document
    from anruflotse.rights.model import Request
    from anruflotse.rights.office import Filed

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="The reason, as the person's letter says it.")]


def register(rights: typer.Typer) -> None:
    """Add these commands to the group."""
    rights.command("list", epilog=examples("anruflotse rights list", "anruflotse rights list --overdue --json"))(list_)
    rights.command("show", epilog=examples("anruflotse rights show 3f0c9a4b --out /media/stick"))(show_)
    rights.command(epilog=examples('anruflotse rights identify 3f0c9a4b "Personalausweis vorgelegt"'))(identify)
    rights.command(epilog=examples('anruflotse rights extend 3f0c9a4b --reason "Wir müssen 400 Anrufe sichten."'))(
        extend
    )
    rights.command(
        epilog=examples('anruflotse rights refuse 3f0c9a4b --reason "Wir konnten nicht klären, wer anfragt."')
    )(refuse)
    rights.command(epilog=examples('anruflotse rights answer 3f0c9a4b --how "Brief vom 24.11.2026"'))(answer)
    rights.command(
        epilog=examples(
            "anruflotse rights todo 3f0c9a4b",
            'anruflotse rights todo 3f0c9a4b 1 --done --note "E-Mail an Aristech vom 24.11.2026"',
            'anruflotse rights todo 3f0c9a4b 2 --waive --note "Die Abteilung gibt es nicht mehr."',
        )
    )(todo)
    rights.command(epilog=examples("anruflotse rights close 3f0c9a4b"))(close)
    rights.command(
        epilog=examples(
            "anruflotse rights compare 3f0c9a4b --record 7e0d…",
            'anruflotse rights compare 3f0c9a4b --record 7e0d… --redact "meine Mutter" --mute 2.5-4',
            'anruflotse rights compare 3f0c9a4b --record 7e0d… --redact "Erna" --anew',
            "anruflotse rights compare 3f0c9a4b --record 7e0d… --withhold",
        )
    )(compare)


def list_(
    *,
    article: Annotated[
        str | None, typer.Option("--article", metavar="A", help="Only this article: 15, 16, 17, 18, 18(3), 20, 21.")
    ] = None,
    state: Annotated[
        str | None,
        typer.Option("--state", metavar="S", help="Only: received, identified, prepared, answered, refused or closed."),
    ] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those that should have been answered.")] = False,
    number: Number = None,
    record: RecordId = None,
    reference: Reference = None,
    start: From = None,
    end: To = None,
    who: Name = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List requests, newest first; with --number, --record, --reference or --from and --to those about the same."""
    from anruflotse.rights.model import Article, State

    if article is not None and article not in set(Article):
        message = f"This is no article somebody can ask for. Articles are: {', '.join(Article)}."
        raise typer.BadParameter(message, param_hint="--article")
    if state is not None and state not in set(State):
        message = f"This is no state. States are: {', '.join(State)}."
        raise typer.BadParameter(message, param_hint="--state")
    named = any(one is not None for one in (number, record, reference, start, end))
    wanted = scope(number, record, reference, start, end) if named else None
    with desk(config, data, who) as at:
        found = at.requests.search(
            at.who,
            article=None if article is None else Article(article),
            state=None if state is None else State(state),
            scope=wanted,
            overdue=overdue,
        )
        rows = [told(at, filed) for filed in found]
    if as_json:
        for row in rows:
            emit(row, as_json, "")
    elif rows:
        table(
            [
                {"id": row["request"], "article": row["article"], "state": row["state"], "due": row["due"]}
                for row in rows
            ]
        )
    else:
        typer.echo("There are no such requests.")


def show_(
    case: CaseId, out: Out = None, who: Name = None, config: Config = None, data: Data = None, as_json: Json = False
) -> None:
    """Show a request with all its steps; --out writes its letters, made anew where they hold what was said.

    What was said is written until the request is closed or refused, and as long as the records live.
    """
    from anruflotse.rights.model import State
    from anruflotse.rights.taking_in import DISCLOSING

    with desk(config, data, who) as at:
        folder = made(out)
        filed = at.requests.named(case, at.who)
        records = at.requests.office.records
        names = records.attachments(filed.id, at.who)
        files = {name: records.attachment(filed.id, name, at.who) for name in names} if folder else {}
        password = None
        hints: list[str] = []
        if folder is not None and filed.request.article in DISCLOSING:
            if filed.request.state in {State.REFUSED, State.CLOSED}:
                hints = [f"the request is {filed.request.state}, so no copy of what was said is made any more."]
            else:
                prepared = at.requests.prepare(filed.id, at.who)
                filed, password = prepared.filed, prepared.password
                files |= prepared.files
                hints = missing(filed.request)
        record: dict[str, object] = {
            **told(at, filed),
            "person": filed.request.person,
            "steps": [
                {"at": iso(step.at), "by": step.by, "what": step.what, "note": step.note}
                for step in filed.request.steps
            ],
            "findings": _findings(filed.request),
            "kept": list(names),
            "files": written(folder, filed.id, files),
        }
        if password is not None:
            record["password"] = password
    emit(record, as_json, lines(record))
    for line in hints:
        typer.echo(f"anruflotse: {line}", err=True)


def identify(
    case: CaseId,
    what: Annotated[str, typer.Argument(metavar="TEXT", help="What was checked; copies of papers are never kept.")],
    who: Name = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Put down how it was checked who asks."""
    with desk(config, data, who) as at:
        _print(at, at.requests.identify(at.requests.named(case, at.who).id, at.who, what), as_json=as_json)


def extend(
    case: CaseId,
    reason: Reason,
    out: Out = None,
    who: Name = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Take two months more (Art. 12(3)): once, within the first month, with a letter that says why."""
    with desk(config, data, who) as at:
        folder = made(out)
        show(at, at.requests.extend(at.requests.named(case, at.who).id, at.who, reason), folder, as_json=as_json)


def refuse(
    case: CaseId,
    reason: Reason,
    out: Out = None,
    who: Name = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Refuse (Art. 12(4)): the letter says why, and where the person can complain."""
    with desk(config, data, who) as at:
        folder = made(out)
        show(at, at.requests.refuse(at.requests.named(case, at.who).id, at.who, reason), folder, as_json=as_json)


def answer(
    case: CaseId,
    how: Annotated[str, typer.Option("--how", metavar="TEXT", help="How it was handed out, such as by letter.")] = "",
    who: Name = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Mark the answer as handed out; exit code 1 while something has to come first, such as who asks."""
    with desk(config, data, who) as at:
        _print(at, at.requests.answer(at.requests.named(case, at.who).id, at.who, how), as_json=as_json)


def todo(
    case: CaseId,
    number: Annotated[int | None, typer.Argument(metavar="[N]", help="Which one, to settle it.")] = None,
    done: Annotated[bool, typer.Option("--done", help="It is done.")] = False,
    waive: Annotated[
        bool, typer.Option("--waive", help="It is impossible or out of proportion (Art. 19); needs --note.")
    ] = False,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="How, or why not.")] = "",
    who: Name = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List who has to be told, and settle it: with N and --done, or --waive and the reason."""
    if (number is None) == (done or waive) or (done and waive):
        message = "To settle a to-do name its number with --done or --waive; without number all are listed."
        raise typer.BadParameter(message, param_hint="N")
    with desk(config, data, who) as at:
        filed = at.requests.named(case, at.who)
        if number is not None:
            filed = at.requests.settle(filed.id, at.who, number, note=note, waived=waive)
        rows = [
            {
                "request": filed.id,
                "number": one.number,
                "kind": one.kind,
                "recipient": one.recipient,
                "task": one.task,
                "settled_at": iso(one.settled_at),
                "settled_by": one.settled_by,
                "waived": one.waived,
                "note": one.note,
            }
            for one in filed.request.todos
        ]
    for row in rows:
        emit(row, as_json, lines(row))
    if not rows and not as_json:
        typer.echo("There is nothing to do.")


def close(case: CaseId, who: Name = None, config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Close a request that is answered or refused, with nothing left to do; its retention runs from now on."""
    with desk(config, data, who) as at:
        _print(at, at.requests.close(at.requests.named(case, at.who).id, at.who), as_json=as_json)


def compare(
    case: CaseId,
    *,
    record: RecordId = None,
    include: Annotated[bool, typer.Option("--include", help="Hand it out as it is.")] = False,
    withhold: Annotated[bool, typer.Option("--withhold", help="Do not hand it out.")] = False,
    redact: Annotated[
        list[str] | None,
        typer.Option("--redact", metavar="TEXT", help="Blacken these words wherever they stand; may be repeated."),
    ] = None,
    mute: Annotated[
        list[str] | None,
        typer.Option("--mute", metavar="FROM-TO", help="Silence this stretch of sound, in seconds; may be repeated."),
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Forget what was blackened before; without it --redact and --mute add to it.")
    ] = False,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write it as a page as well.")] = None,
    who: Name = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show a record as it is stored beside what would be handed out, and decide (Art. 15(4)).

    Whoever blackens text without silencing sound hands out no sound.
    """
    from anruflotse.documents import html as page
    from anruflotse.rights.model import Decision

    if sum((include, withhold, bool(redact or mute))) > 1:
        message = "Say one of --include, --withhold, and --redact or --mute."
        raise typer.BadParameter(message, param_hint="--include")
    if anew and not (redact or mute):
        message = "--anew begins a blackening: say with --redact or --mute what."
        raise typer.BadParameter(message, param_hint="--anew")
    decision = (
        Decision.INCLUDE if include else Decision.WITHHOLD if withhold else Decision.REDACT if redact or mute else None
    )
    with desk(config, data, who) as at:
        filed = at.requests.named(case, at.who)
        record_id = record or _only(filed)
        finding = None
        if decision is not None:
            finding = at.requests.considered(filed.id, at.who, record_id, decision, redact or (), mute or (), anew=anew)
            filed = at.requests.decide(filed.id, at.who, finding)
        document = at.requests.compare(filed.id, at.who, record_id)
        now = next(one for one in filed.request.findings if one.record == record_id)
    if html is not None:
        _page(html, page(document))
    stored, handed_out, hints = _sides(document)
    record_of: dict[str, object] = {
        "request": filed.id,
        "record": record_id,
        "decision": now.decision.value,
        "stored": stored,
        "handed_out": handed_out,
        "hints": hints,
    }
    emit(record_of, as_json, _beside(stored, handed_out, hints))


def _only(filed: Filed) -> str:
    """The record to compare when none is named: the only one, or the only undecided one."""
    wanted = filed.request.undecided or filed.request.records
    if len(wanted) != 1:
        message = f"This request is about {len(wanted)} records: name one of them. `rights show` lists them."
        raise typer.BadParameter(message, param_hint="--record")
    return wanted[0]


def _page(file: Path, text: str) -> None:
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            # A file that was there keeps its rights otherwise.
            os.fchmod(out.fileno(), 0o600)
            out.write(text)
    except OSError as error:
        message = f"{file} cannot be written ({error.strerror})."
        raise typer.BadParameter(message, param_hint="--html") from None


def _print(at: Desk, filed: Filed, *, as_json: bool) -> None:
    record = told(at, filed)
    emit(record, as_json, lines(record))
    for line in missing(filed.request) if filed.request.running else ():
        typer.echo(f"anruflotse: {line}", err=True)


def _findings(request: Request) -> list[dict[str, object]]:
    return [
        {
            "record": one.record,
            "recorded_at": iso(one.recorded_at),
            "decision": one.decision.value,
            "blackened": len(one.passages),
            "muted": [list(stretch) for stretch in one.muted],
            "done": one.done,
            "done_at": iso(one.done_at) if isinstance(one.done_at, datetime) else None,
        }
        for one in request.findings
    ]


def _sides(document: Document) -> tuple[list[str], list[str], list[str]]:
    """Both sides as lists of texts, and what may be about somebody else."""
    from anruflotse.documents import Columns, Listing

    columns = next(block for block in document.blocks if isinstance(block, Columns))
    hints = [item for block in document.blocks if isinstance(block, Listing) for item in block.items]
    return _texts(columns.left), _texts(columns.right), hints


def _texts(blocks: Sequence[Block]) -> list[str]:
    from anruflotse.documents import Paragraph, Quote

    return [block.text for block in blocks if isinstance(block, Quote | Paragraph)]


def _beside(left: list[str], right: list[str], hints: list[str]) -> str:
    """Both sides next to each other, for a terminal."""
    import io

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table("So ist es gespeichert", "So würde es herausgegeben", expand=True, show_lines=True)
    for number in range(max(len(left), len(right))):
        grid.add_row(*(Text(visible(side[number]) if number < len(side) else "") for side in (left, right)))
    held = io.StringIO()
    Console(file=held, width=100).print(grid)
    if hints:
        held.write("Könnte andere Menschen betreffen: " + "; ".join(map(visible, hints)) + "\n")
    return held.getvalue().rstrip()
