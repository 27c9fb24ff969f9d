"""`anruflotse rights`: one command for each right of Articles 15 to 21 GDPR; the others are in `rights_cases`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from anruflotse.cli import rights_cases
from anruflotse.cli.options import Config, Data, Json, examples
from anruflotse.cli.rights_shown import (
    From,
    Identified,
    Number,
    Out,
    Person,
    Received,
    RecordId,
    Reference,
    To,
    Yes,
    confirm,
    day,
    desk,
    made,
    moment,
    scope,
    show,
)
from anruflotse.cli.store import Name

Worker = Name
_GROUNDS = (
    "Art. 18(1): a accuracy contested, b unlawful but not to be erased, c needed for legal claims, d objection not "
    "settled yet. Without it a."
)


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    rights = typer.Typer(
        name="rights", help="Serve the rights of Articles 15 to 21 GDPR, as requests.", no_args_is_help=True
    )
    rights.command(
        epilog=examples(
            'anruflotse rights access --number "030 1234567" --identified "Geburtsdatum und Versichertennummer"',
            "anruflotse rights access --reference 3f0c9a4b5d6e7f80 --out /media/stick",
        )
    )(access)
    rights.command(epilog=examples("anruflotse rights export --number +49301234567 --out /media/stick"))(export)
    rights.command(
        epilog=examples(
            "anruflotse rights rectify --record 3f0c9a4b5d6e7f8091a2b3c4d5e6f708 --utterance 1 "
            '--text "Ich habe Krankengeld gesagt, nicht Krankenhaus."'
        )
    )(rectify)
    rights.command(
        epilog=examples(
            "anruflotse rights erase --number 0301234567",
            "anruflotse rights erase --from 2026-11-20T10:00 --to 2026-11-20T10:30",
        )
    )(erase)
    rights.command(
        epilog=examples(
            "anruflotse rights restrict --number 0301234567 --ground a",
            "anruflotse rights restrict --reference 3f0c9a4b5d6e7f80 --ground c --hold --review 2027-01-31",
        )
    )(restrict)
    rights.command(
        epilog=examples(
            "anruflotse rights unrestrict --number 0301234567 --asked",
            'anruflotse rights unrestrict --number 0301234567 --reason "Die Angaben sind geprüft und stimmen."',
        )
    )(unrestrict)
    rights.command(
        "object",
        epilog=examples(
            "anruflotse rights object --number 0301234567", "anruflotse rights object --number 0301234567 --withdraw"
        ),
    )(object_)
    rights_cases.register(rights)
    app.add_typer(rights)


def access(
    *,
    number: Number = None,
    record: RecordId = None,
    reference: Reference = None,
    start: From = None,
    end: To = None,
    who: Worker = None,
    person: Person = "",
    identified: Identified = "",
    received: Received = None,
    out: Out = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Tell somebody what is stored about them (Art. 15): as PDF and HTML to read, as JSON for machines.

    Nothing that was said is kept with the request; `rights show REQUEST --out DIR` makes the files again while the
    records live. Exit code 1 when nothing was found: the letter then says so. `recipients` names staff as well; the
    letter tells their roles only (CJEU C-579/21).
    """
    from anruflotse.rights.model import Article

    wanted, on = scope(number, record, reference, start, end), day(received, "--received")
    with desk(config, data, who) as at:
        folder = made(out)
        filed, repeated = at.requests.take_in(
            Article.ACCESS, wanted, at.who, received=on, person=person, identified=identified
        )
        prepared = at.requests.access(filed.id, at.who)
        more: dict[str, object] = {"recipients": at.requests.recipients(prepared.filed, at.who)}
        if "auskunft.json" in prepared.files:
            answer = json.loads(prepared.files["auskunft.json"])
            more["answer"] = {key: value for key, value in answer.items() if key != "document"}
        show(at, prepared, folder, as_json=as_json, repeated=repeated, more=more)
    _exit(found=bool(prepared.filed.request.findings))


def export(
    *,
    number: Number = None,
    record: RecordId = None,
    reference: Reference = None,
    start: From = None,
    end: To = None,
    who: Worker = None,
    person: Person = "",
    identified: Identified = "",
    received: Received = None,
    password: Annotated[
        str | None,
        typer.Option(
            "--password",
            metavar="TEXT",
            envvar="ANRUFLOTSE_COPY_PASSWORD",
            help="Locks the archive; one that can be said over the telephone is made up without it.",
        ),
    ] = None,
    out: Out = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a copy (Art. 15(3), 20): sound, text and a signed vCon of every call, in an archive with a password.

    With --out the archive is written and its password printed: send the two different ways. Neither is kept.
    """
    from anruflotse.rights.model import Article

    wanted, on = scope(number, record, reference, start, end), day(received, "--received")
    with desk(config, data, who) as at:
        folder = made(out)
        filed, repeated = at.requests.take_in(
            Article.COPY, wanted, at.who, received=on, person=person, identified=identified
        )
        prepared = at.requests.copy(filed.id, at.who, password)
        show(at, prepared, folder, as_json=as_json, repeated=repeated)
    if prepared.password is not None and out is None:
        typer.echo("anruflotse: the archive was not written: say where with --out DIR.", err=True)
    _exit(found=bool(prepared.filed.request.findings))


def rectify(
    *,
    number: Number = None,
    record: RecordId = None,
    reference: Reference = None,
    start: From = None,
    end: To = None,
    text: Annotated[str | None, typer.Option("--text", metavar="TEXT", help="What was really said or meant.")] = None,
    utterance: Annotated[int, typer.Option("--utterance", min=1, help="Which utterance it corrects, from 1.")] = 1,
    corrected: Annotated[
        str | None, typer.Option("--correct-record", metavar="ID", help="Which record, when there are several.")
    ] = None,
    who: Worker = None,
    person: Person = "",
    identified: Identified = "",
    received: Received = None,
    out: Out = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Put a corrected text beside the recognised one (Art. 16), both dated; routing and counters stay as they are.

    Without --text the request is filed, and the letter asks what is wrong.
    """
    from anruflotse.rights.model import Article

    wanted, on = scope(number, record, reference, start, end), day(received, "--received")
    with desk(config, data, who) as at:
        folder = made(out)
        filed, repeated = at.requests.take_in(
            Article.RECTIFICATION, wanted, at.who, received=on, person=person, identified=identified
        )
        if text is None or not filed.request.findings:
            prepared = at.requests.ask_back(filed.id, at.who)
        else:
            prepared = at.requests.rectify(filed.id, at.who, utterance, text, corrected)
        show(at, prepared, folder, as_json=as_json, repeated=repeated)
    if text is None:
        typer.echo("anruflotse: nothing was corrected yet: say what with --text.", err=True)
    _exit(found=bool(prepared.filed.request.findings))


def erase(
    *,
    number: Number = None,
    record: RecordId = None,
    reference: Reference = None,
    start: From = None,
    end: To = None,
    yes: Yes = False,
    who: Worker = None,
    person: Person = "",
    identified: Identified = "",
    received: Received = None,
    out: Out = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Erase (Art. 17): nobody can read it any more, in any copy. The evidence tries to read it and says so.

    A stretch of time with many records asks first. Who had the data is listed as to-dos (Art. 19).
    """
    from anruflotse.rights.model import Article

    wanted, on = scope(number, record, reference, start, end), day(received, "--received")
    with desk(config, data, who) as at:
        folder = made(out)
        confirm(at, wanted, "erase", yes=yes)
        filed, repeated = at.requests.take_in(
            Article.ERASURE, wanted, at.who, received=on, person=person, identified=identified
        )
        before = {finding.record for finding in filed.request.findings if finding.done}
        prepared = at.requests.erase(filed.id, at.who)
        fresh = [one for one in prepared.filed.request.findings if one.record not in before and one.done == "erased"]
        show(at, prepared, folder, as_json=as_json, repeated=repeated, more={"erased": len(fresh)})
    _exit(found=bool(fresh))


def restrict(
    *,
    number: Number = None,
    record: RecordId = None,
    reference: Reference = None,
    start: From = None,
    end: To = None,
    ground: Annotated[str | None, typer.Option("--ground", metavar="a|b|c|d", help=_GROUNDS)] = None,
    hold: Annotated[
        bool, typer.Option("--hold", help="Keep it beyond its expiry until lifted; only for b and c, with --review.")
    ] = False,
    review: Annotated[
        str | None, typer.Option("--review", metavar="DATE", help="When to look at it again, as 2027-01-31.")
    ] = None,
    yes: Yes = False,
    who: Worker = None,
    person: Person = "",
    identified: Identified = "",
    received: Received = None,
    out: Out = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Restrict (Art. 18): it is kept, and opens for the handling of rights only."""
    from anruflotse.records.restriction import Ground
    from anruflotse.rights.model import Article

    if ground is not None and ground not in set(Ground):
        message = f"This is not a ground of Art. 18(1). Grounds are: {', '.join(Ground)}."
        raise typer.BadParameter(message, param_hint="--ground")
    wanted, on = scope(number, record, reference, start, end), day(received, "--received")
    review_on = None if review is None else moment(review, "--review")
    with desk(config, data, who) as at:
        folder = made(out)
        confirm(at, wanted, "restrict", yes=yes)
        filed, repeated = at.requests.take_in(
            Article.RESTRICTION, wanted, at.who, received=on, person=person, identified=identified
        )
        chosen = Ground(ground) if ground else Ground.CONTESTED
        prepared = at.requests.restrict(filed.id, at.who, chosen, hold=hold, review_on=review_on)
        kept = sum(one.done == "held" for one in prepared.filed.request.findings)
        more = {"ground": chosen.value, "held": hold, "held_before": kept}
        show(at, prepared, folder, as_json=as_json, repeated=repeated, more=more)
    if kept:
        typer.echo(f"anruflotse: {kept} records were held already and stay held: only unrestrict ends that.", err=True)
    if ground is None:
        typer.echo("anruflotse: no ground was named, so (a) was taken: say another one with --ground.", err=True)
    _exit(found=bool(prepared.filed.request.findings))


def unrestrict(
    *,
    number: Number = None,
    record: RecordId = None,
    reference: Reference = None,
    start: From = None,
    end: To = None,
    asked: Annotated[
        bool, typer.Option("--asked", help="The person asked for it, and so knows already (Art. 18(3)).")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it ends, for the letter.")] = "",
    who: Worker = None,
    person: Person = "",
    identified: Identified = "",
    received: Received = None,
    out: Out = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Lift a restriction; the person is told first (Art. 18(3)). A stretch of time is refused: name each record.

    The first time this makes the letter and a to-do, and lifts nothing. When the letter was sent, settle the to-do
    (`rights todo REQUEST N --done`) and say it again; with --asked it is lifted at once.
    """
    from anruflotse.rights.model import Article, clean

    wanted, on = scope(number, record, reference, start, end), day(received, "--received")
    details = {"asked": "yes"} if asked else {}
    if reason.strip():
        details["reason"] = clean(reason, "reason")
    with desk(config, data, who) as at:
        folder = made(out)
        filed, repeated = at.requests.take_in(
            Article.LIFTING, wanted, at.who, received=on, person=person, identified=identified, details=details
        )
        before = {(one.record, one.done_at) for one in filed.request.findings}
        lifting = asked or not filed.request.findings or at.requests.is_announced(filed.id, at.who)
        prepared = at.requests.lift(filed.id, at.who) if lifting else at.requests.tell_before_lifting(filed.id, at.who)
        lifted = [
            one.record
            for one in prepared.filed.request.findings
            if one.done == "lifted" and (one.record, one.done_at) not in before
        ]
        show(at, prepared, folder, as_json=as_json, repeated=repeated, more={"lifted": lifted})
    if not lifting:
        typer.echo("anruflotse: not lifted yet: send the letter, settle the to-do, then say it again.", err=True)
    _exit(found=bool(prepared.filed.request.findings) and (bool(lifted) or not lifting))


def object_(
    *,
    number: Number = None,
    record: RecordId = None,
    reference: Reference = None,
    start: From = None,
    end: To = None,
    keep: Annotated[
        str, typer.Option("--keep", metavar="REASON", help="Keep what is stored, for compelling reasons (Art. 21(1)).")
    ] = "",
    weigh: Annotated[
        bool, typer.Option("--weigh", help="Restrict what is stored until the reasons are weighed (Art. 18(1)(d)).")
    ] = False,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="The person takes the objection back: calls are recorded again.")
    ] = False,
    yes: Yes = False,
    who: Worker = None,
    person: Person = "",
    identified: Identified = "",
    received: Received = None,
    out: Out = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Object (Art. 21): calls from this number are not recorded any more, and what is stored is erased.

    The number is kept as a keyed hash only, for `rights.objection_years`.
    """
    from anruflotse.rights.model import Article
    from anruflotse.rights.objection import Course

    if sum((bool(keep.strip()), weigh, withdraw)) > 1:
        message = "Say one of --keep, --weigh and --withdraw."
        raise typer.BadParameter(message, param_hint="--keep")
    course = Course.KEEP if keep.strip() else Course.WEIGH if weigh else Course.ERASE
    wanted, on = scope(number, record, reference, start, end), day(received, "--received")
    with desk(config, data, who) as at:
        folder = made(out)
        if course is not Course.KEEP and not withdraw:
            confirm(at, wanted, "restrict" if weigh else "erase", yes=yes)
        filed, repeated = at.requests.take_in(
            Article.OBJECTION,
            wanted,
            at.who,
            received=on,
            person=person,
            identified=identified,
            details={"course": "withdrawn"} if withdraw else {},
        )
        prepared = (
            at.requests.withdraw(filed.id, at.who) if withdraw else at.requests.object(filed.id, at.who, course, keep)
        )
        details = prepared.filed.request.details
        until = details.get("until") or None
        show(at, prepared, folder, as_json=as_json, repeated=repeated, more={"objected_until": until})
    if withdraw:
        _exit(found=details.get("withdrawn") == "yes")
    elif until is None:
        typer.echo("anruflotse: no number could be put on the list: it is none, or it was not shown.", err=True)
        _exit(found=bool(prepared.filed.request.findings))


def _exit(*, found: bool) -> None:
    """End with 1 when what was asked for is not there; the request is filed and the letter says so."""
    if not found:
        raise typer.Exit(1)
