"""`anruflotse train` and `anruflotse models`: learn, see what changes, put in force, go back."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anruflotse.cli.differences import changed_lines, for_people, summary
from anruflotse.cli.options import Config, Data, Json, emit, examples, load
from anruflotse.cli.understanding import MODELS, OWN_CORPUS, catalogue, progress_bar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anruflotse.departments import Catalogue
    from anruflotse.settings import Settings
    from anruflotse.understanding.classifier import Fused
    from anruflotse.understanding.comparing import Comparison
    from anruflotse.understanding.corpus import Line
    from anruflotse.understanding.encoder import Encoder
    from anruflotse.understanding.policy import Policy
    from anruflotse.understanding.terms import Terms
    from anruflotse.understanding.versions import Entry, Versions

CACHE = "cache"
"""Beside the versions: vectors of sentences that were learnt from, by hash."""

By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who decides; default is this machine's user.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="A version as `models list` names it, or `shipped`.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        epilog=examples(
            "anruflotse train", "anruflotse train --no-approve --json", "anruflotse train --corpus own.jsonl"
        )
    )(train)
    group = typer.Typer(name="models", help="The trained versions: list, compare, approve, go back.")
    group.command("list", epilog=examples("anruflotse models list --json"))(listed)
    group.command("diff", epilog=examples("anruflotse models diff shipped 20261124T090000Z"))(diff)
    group.command("approve", epilog=examples("anruflotse models approve 20261124T090000Z --by frau.beispiel"))(approve)
    group.command("rollback", epilog=examples("anruflotse models rollback"))(rollback)
    app.add_typer(group)


def train(
    corpus_files: Annotated[
        list[Path] | None,
        typer.Option(
            "--corpus", metavar="FILE", help=f"Own sentences (JSONL: text, intent); default {OWN_CORPUS} in the data."
        ),
    ] = None,
    wanted: Annotated[
        bool | None,
        typer.Option(
            "--approve/--no-approve",
            help="Put the version in force whatever changed, or leave it a candidate; "
            "default: in force unless a department is understood worse.",
        ),
    ] = None,
    by: By = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Learn from catalogue and corpus, write a version of the model, show what changes, put it in force."""
    from dataclasses import replace

    from anruflotse.clock import SystemClock
    from anruflotse.understanding import classifier, comparing, corpus, encoder, training
    from anruflotse.understanding import model as models
    from anruflotse.understanding.versions import SHIPPED

    place = _Workplace.at(load(config, data))
    for remark in place.catalogue.remarks:
        typer.echo(remark, err=True)
    own = corpus_files or [path for path in [place.settings.data / OWN_CORPUS] if path.exists()]
    learnt, unknown = _lines(place.catalogue, corpus.read([*corpus.SHIPPED, *own]), corpus.read(own))
    if unknown:
        typer.echo(f"left out, for the catalogue has no such concern: {', '.join(unknown)}", err=True)
    last = classifier.in_force(place.folder, place.encoder.fingerprint)
    before = SHIPPED if last.version == models.load().version else last.version
    now = SystemClock().now()
    with progress_bar() as progress:
        model = training.train(
            learnt, _catalogue_lines(place.catalogue), place.encoder, training.read_recipe(encoder.SHIPPED), now,
            lambda step, share: progress(step, 0.8 * share), examine=False,
        )  # fmt: skip
        model = replace(model, version=place.versions.fresh(now))
        found = comparing.compare(
            comparing.tasks(place.terms, _examples(place.catalogue)),
            place.remembered(before).classifier(last, place.encoder),
            place.terms.classifier(model, place.encoder),
            place.policy,
            lambda share: progress("comparing", 0.8 + 0.2 * share),
        )
    figures = {key: {"n": count.n, "right": count.now} for key, count in found.concerns.items()}
    about = {"made": now.isoformat(timespec="seconds"), "catalogue": place.terms.as_json(), "figures": figures}
    place.versions.keep(model, about)
    place.store()
    put = wanted if wanted is not None else not found.fallen
    if put:
        place.versions.approve(model.version, by or getpass.getuser(), SystemClock().now(), place.encoder.fingerprint)
    _tell(found, before, model.version, as_json, lines=model.lines, approved=put)
    if not as_json:
        typer.echo(_verdict(found, model.version, put=put, wanted=wanted))
        if put and place.settings.understanding.model is not None:
            typer.echo("It is not used: the setting understanding.model names another one.")
    if not put and wanted is None:
        raise typer.Exit(1)


def listed(config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """List the versions, the oldest first: when made, from how much, how good, and which is in force."""
    from anruflotse.understanding.versions import Versions

    for entry in Versions(load(config, data).data / MODELS).entries():
        row = _row(entry)
        right = f"{row['right']:.1%} of {row['n']} right" if row["n"] else ""
        approval = f"approved {entry.approved_at} by {entry.approved_by}" if entry.approved_at else ""
        told = [f"{entry.version:<22}{entry.state.value:<11}{entry.lines or 0:>7} lines", right, approval, entry.damage]
        emit(row, as_json, "  ".join(part for part in told if part))


def diff(before: Version, now: Version, config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Compare two versions on sentences neither has learnt, each with the catalogue it was trained with."""
    from anruflotse.understanding import comparing

    place = _Workplace.at(load(config, data))
    terms = place.remembered(now)
    with progress_bar() as progress:
        found = comparing.compare(
            comparing.tasks(terms, _examples(place.catalogue)),
            place.opened(before),
            place.opened(now),
            place.policy,
            lambda share: progress("comparing", share),
        )
    place.store()
    _tell(found, before, now, as_json)


def approve(version: Version, by: By = None, config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Put a version in force; a running service takes it up within a minute."""
    from anruflotse.clock import SystemClock
    from anruflotse.understanding.encoder import OnnxEncoder
    from anruflotse.understanding.versions import Versions

    versions, who, now = Versions(load(config, data).data / MODELS), by or getpass.getuser(), SystemClock().now()
    before = versions.approve(version, who, now, OnnxEncoder().fingerprint)
    told = f"{version} is in force" + (f", instead of {before}" if before != version else " already")
    emit({"version": version, "before": before, "by": who, "at": now.isoformat(timespec="seconds")}, as_json, told)


def rollback(by: By = None, config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Go back to the version that was in force before; a running service follows within a minute."""
    from anruflotse.clock import SystemClock
    from anruflotse.understanding.encoder import OnnxEncoder
    from anruflotse.understanding.versions import Versions

    versions, who, now = Versions(load(config, data).data / MODELS), by or getpass.getuser(), SystemClock().now()
    before = versions.current()
    version = versions.roll_back(who, now, OnnxEncoder().fingerprint)
    told = f"{version} is in force again, instead of {before}"
    emit({"version": version, "before": before, "by": who, "at": now.isoformat(timespec="seconds")}, as_json, told)


@dataclass(frozen=True, slots=True)
class _Workplace:
    """What learning and comparing need."""

    settings: Settings
    catalogue: Catalogue
    terms: Terms
    versions: Versions
    encoder: Encoder
    store: Callable[[], None]
    policy: Policy

    @classmethod
    def at(cls, settings: Settings) -> _Workplace:
        from anruflotse.understanding import model as models
        from anruflotse.understanding.encoder import OnnxEncoder
        from anruflotse.understanding.policy import Policy, measured
        from anruflotse.understanding.terms import Terms
        from anruflotse.understanding.training import Remembering
        from anruflotse.understanding.versions import Versions

        found, wanted, folder = catalogue(settings), settings.understanding, settings.data / MODELS
        encoder = Remembering(OnnxEncoder(), folder / CACHE, models.load())
        limits = measured(route=wanted.route, confirm=wanted.confirm, choose=wanted.choose, outside=wanted.outside)
        terms = Terms.of(found.concerns)
        return cls(settings, found, terms, Versions(folder), encoder, encoder.store, Policy(limits))

    @property
    def folder(self) -> Path:
        return self.settings.data / MODELS

    def remembered(self, version: str) -> Terms:
        """The catalogue's words as `version` was trained with; those of today where it does not tell."""
        from anruflotse import departments
        from anruflotse.understanding import versions
        from anruflotse.understanding.terms import Terms

        if version == versions.SHIPPED:
            return Terms.of(departments.load().concerns)
        return Terms.from_json(versions.read_about(self.versions.path(version)).get("catalogue")) or self.terms

    def opened(self, version: str) -> Fused:
        from anruflotse.understanding import model as models

        return self.remembered(version).classifier(models.load(self.versions.path(version)), self.encoder)


def _lines(found: Catalogue, everything: Sequence[Line], own: Sequence[Line]) -> tuple[list[Line], list[str]]:
    """The sentences to learn from, and the concerns of own ones that the catalogue does not have."""
    unknown = sorted({line.concern for line in own if line.concern not in found.concerns})
    return [line for line in everything if line.concern in found.concerns], unknown


def _catalogue_lines(found: Catalogue) -> list[Line]:
    """The operator's examples, and the names and descriptions piece by piece."""
    from anruflotse.understanding import training

    ordinary = {key: concern for key, concern in found.concerns.items() if concern.action is None}
    words = training.lines_of_catalogue(
        {key: concern.name for key, concern in ordinary.items()},
        {key: concern.description for key, concern in ordinary.items()},
    )
    return [*_examples(found), *words]


def _examples(found: Catalogue) -> list[Line]:
    from anruflotse.understanding.corpus import Line

    return [Line(text, key) for key, concern in found.concerns.items() for text in concern.examples]


def _tell(found: Comparison, before: str, now: str, as_json: bool, **more: object) -> None:
    """One summary, then a line for each sentence that changed."""
    if not as_json:
        typer.echo(for_people(found, before, now))
        return
    emit({"version": now, "before": before, **more, **summary(found)}, as_json, "")
    for line in changed_lines(found):
        emit(line, as_json, "")


def _verdict(found: Comparison, version: str, *, put: bool, wanted: bool | None) -> str:
    if put:
        reason = "" if wanted else ": no department is understood worse by more than chance explains"
        return f"{version} is in force{reason}. `anruflotse models rollback` undoes it."
    if wanted is None:
        fallen = f"understood worse by more than chance explains: {', '.join(found.fallen)}"
        remedy = f"Correct the catalogue and train again, or `anruflotse models approve {version}`."
        return f"{version} is a candidate and NOT in force; {fallen}. {remedy}"
    return f"{version} is a candidate, not in force. `anruflotse models approve {version}` puts it in force."


def _row(entry: Entry) -> dict[str, object]:
    n = sum(int(count["n"]) for count in entry.figures.values() if "right" in count)
    right = sum(int(count.get("right", 0)) for count in entry.figures.values())
    return {
        "version": entry.version,
        "model": entry.model,
        "state": entry.state.value,
        "made": entry.made,
        "lines": entry.lines,
        "right": round(right / n, 4) if n else None,
        "n": n,
        "figures": entry.figures,
        "approved_at": entry.approved_at,
        "approved_by": entry.approved_by,
        "damage": entry.damage or None,
    }
