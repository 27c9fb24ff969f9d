"""`anruflotse understand`, `anruflotse train` and `anruflotse evaluate understanding`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anruflotse.cli.options import Config, Data, Json, emit, examples, load

if TYPE_CHECKING:
    from anruflotse.departments import Catalogue
    from anruflotse.settings import Settings
    from anruflotse.understanding.classifier import Fused
    from anruflotse.understanding.model import Model
    from anruflotse.understanding.policy import Policy
    from anruflotse.understanding.seams import Decision, Ranking

OWN_CORPUS = "corpus.jsonl"
"""The operator's own sentences, in the data directory; learnt from when it is there."""

MODELS = Path("models") / "understanding"
"""Where trained models lie in the data directory."""

_SHOWN = 3


def register(app: typer.Typer) -> None:
    """Add the commands; `evaluate` is a group that other modules may already have opened."""
    app.command(
        epilog=examples(
            'anruflotse understand "Meine Karte ist weg"', "anruflotse understand --file sentences.jsonl --json"
        )
    )(understand)
    app.command(epilog=examples("anruflotse train", "anruflotse train --corpus own.jsonl --json"))(train)
    group = next((group.typer_instance for group in app.registered_groups if group.name == "evaluate"), None)
    if group is None:
        group = typer.Typer(name="evaluate", help="Measure how well the voicebot works.", no_args_is_help=True)
        group.callback()(lambda: None)  # one command alone would otherwise take the group's place
        app.add_typer(group, name="evaluate")
    group.command("understanding", epilog=examples("anruflotse evaluate understanding --file exam.jsonl --json"))(
        evaluate
    )


def understand(
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="What a caller said.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="FILE", help="JSONL with `text`, instead of TEXT.")
    ] = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Say which concern sentences state, and what the voicebot would do."""
    from anruflotse.understanding import corpus

    if bool(texts) == bool(file):
        message = "give either sentences or --file"
        raise typer.BadParameter(message)
    said = corpus.read_texts(file) if file else texts or []
    classifier, policy = opened(load(config, data))
    for text in said:
        ranking = classifier.rank(text)
        decision = policy.decide(text, ranking)
        emit(_record(text, ranking, decision), as_json, _for_people(text, ranking, decision))


def train(
    corpus_files: Annotated[
        list[Path] | None,
        typer.Option(
            "--corpus", metavar="FILE", help=f"Own sentences (JSONL: text, intent); default {OWN_CORPUS} in the data."
        ),
    ] = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Learn from catalogue and corpus, write a model into the data directory, show what changed."""
    from anruflotse.clock import SystemClock
    from anruflotse.understanding import corpus, encoder, training
    from anruflotse.understanding import model as models

    settings = load(config, data)
    catalogue = _catalogue(settings)
    own = corpus_files or [path for path in [settings.data / OWN_CORPUS] if path.exists()]
    lines = [line for line in corpus.read([*corpus.SHIPPED, *own]) if line.concern in catalogue.concerns]
    extra = training.lines_of_catalogue(
        {key: concern.name for key, concern in catalogue.concerns.items() if concern.action is None},
        {key: concern.description for key, concern in catalogue.concerns.items() if concern.action is None},
    )
    sentences = encoder.OnnxEncoder()
    before = models.newest(settings.data / MODELS)
    last = models.load(before) if before else models.load()
    recipe = training.read_recipe(encoder.SHIPPED)
    with _progress() as progress:
        model = training.train(lines, extra, sentences, recipe, SystemClock().now(), progress)
    folder = settings.data / MODELS / model.version
    models.save(model, folder)
    emit(
        {
            "version": model.version,
            "folder": str(folder),
            "lines": model.lines,
            "before": last.version,
            "recall": _changes(model, last),
        },
        as_json,
        _trained(model, last, folder),
    )


def evaluate(
    file: Annotated[
        Path,
        typer.Option("--file", "-f", metavar="FILE", help="JSONL with `text`, `intent` and, if need be, `department`."),
    ],
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Measure understanding on labelled sentences, with 95 % intervals; dialogues get truthful answers."""
    from anruflotse.understanding import corpus, evaluation

    lines = corpus.read([file], repeats=True)
    classifier, policy = opened(load(config, data))
    with _progress() as progress:
        cases = evaluation.examine(lines, classifier, policy, lambda share: progress("understanding", share))
    figures = evaluation.report(cases)
    emit(figures, as_json, _figures(figures))


def opened(settings: Settings) -> tuple[Fused, Policy]:
    """Classifier and policy as the settings want them. Raises UnderstandingError, or ShapeError for the catalogue."""
    from anruflotse.understanding import classifier
    from anruflotse.understanding.policy import Policy, measured

    catalogue, wanted = _catalogue(settings), settings.understanding
    departments = {key: concern.department for key, concern in catalogue.concerns.items()}
    keywords = {key: concern.keywords for key, concern in catalogue.concerns.items()}
    thresholds = measured(route=wanted.route, confirm=wanted.confirm, choose=wanted.choose, outside=wanted.outside)
    return classifier.load(settings.data / MODELS, departments, keywords, model=wanted.model), Policy(thresholds)


def _catalogue(settings: Settings) -> Catalogue:
    from anruflotse import departments

    return departments.load(settings.departments.catalogue)


def _record(text: str, ranking: Ranking, decision: Decision) -> dict[str, object]:
    return {
        "text": text,
        "ranking": [
            {"concern": r.concern, "department": r.department, "probability": round(r.probability, 4)}
            for r in ranking.concerns
        ],
        "decision": str(decision.kind),
        "certain": decision.certain,
        "suicidal": decision.suicidal,
        "concerns": [r.concern for r in decision.concerns],
        "department": decision.concerns[0].department if decision.concerns else None,
        "evidence": list(ranking.evidence),
    }


def _for_people(text: str, ranking: Ranking, decision: Decision) -> str:
    offered = " / ".join(f"{r.concern} ({r.department})" for r in decision.concerns)
    likely = ", ".join(f"{r.concern} {r.probability:.0%}" for r in ranking.concerns[:_SHOWN])
    unsure = "" if decision.certain else " (asks first)"
    return f"{text}\n  {decision.kind}{unsure} {offered}\n  {likely}   because of: {', '.join(ranking.evidence) or '-'}"


def _changes(model: Model, last: Model) -> dict[str, dict[str, float | None]]:
    """Per concern: sentences, recall now, recall of the last model (None where it had none)."""
    return {
        concern: {
            "n": now["n"],
            "recall": round(now["recall"], 4),
            "before": last.figures.get(concern, {}).get("recall"),
        }
        for concern, now in model.figures.items()
    }


def _trained(model: Model, last: Model, folder: Path) -> str:
    rows = [f"{'concern':<28}{'sentences':>10}{'recall':>9}{'before':>9}{'change':>9}"]
    for concern, now in _changes(model, last).items():
        recall, before = now["recall"] or 0.0, now["before"]
        compared = f"{before:>9.1%}{recall - before:>+9.1%}" if before is not None else f"{'new':>9}{'':>9}"
        rows.append(f"{concern:<28}{now['n']:>10.0f}{recall:>9.1%}{compared}")
    gone = sorted(last.figures.keys() - model.figures.keys())
    rows += [f"no longer in the catalogue: {', '.join(gone)}"] if gone else []
    rows.append(f"model {model.version} from {model.lines} sentences written to {folder}")
    return "\n".join(rows)


def _figures(figures: dict[str, object]) -> str:
    intervals = figures["intervals"]
    flat = {
        f"{name}.{part}" if isinstance(value, dict) else name: inner
        for name, value in figures.items()
        if name != "intervals"
        for part, inner in (value.items() if isinstance(value, dict) else [("", value)])
    }
    rows = []
    for name, value in flat.items():
        low_high = intervals.get(name) if isinstance(intervals, dict) else None
        shown = "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
        rows.append(f"{name:<28}{shown:>8}" + (f"   ({low_high[0]:.3f} to {low_high[1]:.3f})" if low_high else ""))
    return "\n".join(rows)


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """A progress bar on stderr, gone when done; nothing when stderr is no terminal."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not Console(stderr=True).is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda step, share: bar.update(task, description=step, completed=share)
