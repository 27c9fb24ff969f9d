"""`anruflotse understand` and `anruflotse evaluate understanding`."""

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
    from anruflotse.understanding.policy import Policy
    from anruflotse.understanding.seams import Classifier, Decision, Ranking

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
    from anruflotse.understanding.explaining import explained
    from anruflotse.understanding.second import two_concerns

    if bool(texts) == bool(file):
        message = "give either sentences or --file"
        raise typer.BadParameter(message)
    said = corpus.read_texts(file) if file else texts or []
    settings = load(config, data)
    local, policy = opened(settings)
    classifier = _with_opinion(local, policy, settings)
    for text in said:
        ranking = classifier.rank(text)
        decision = policy.decide(text, ranking)
        if decision.certain and decision.concerns:
            decision = policy.naming(decision, ranking, two_concerns(text, ranking, local.rank))
        decision = explained(text, ranking, decision, policy.thresholds)
        emit(_record(text, ranking, decision), as_json, _for_people(text, ranking, decision))


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
    from anruflotse.understanding.classifier import SPECIAL

    lines = corpus.read([file], repeats=True)
    settings = load(config, data)
    classifier, policy = opened(settings)
    known = {"", *catalogue(settings).departments, *SPECIAL.values()}
    if strange := sorted({line.department for line in lines} - known):
        told = ", ".join(strange[:_SHOWN])
        typer.echo(f"anruflotse: the catalogue has no department {told}: such lines count as wrong.", err=True)
    with progress_bar() as progress:
        cases = evaluation.examine(lines, classifier, policy, lambda share: progress("understanding", share))
    figures = evaluation.report(cases)
    emit(figures, as_json, _figures(figures))


def opened(settings: Settings) -> tuple[Fused, Policy]:
    """Classifier and policy as the settings want them. Raises UnderstandingError, or ShapeError for the catalogue."""
    from anruflotse.understanding import classifier
    from anruflotse.understanding.policy import Policy, measured
    from anruflotse.understanding.terms import Terms

    terms, wanted = Terms.of(catalogue(settings).concerns), settings.understanding
    thresholds = measured(route=wanted.route, confirm=wanted.confirm, choose=wanted.choose, outside=wanted.outside)
    ranks = classifier.load(
        settings.data / MODELS, terms.departments, terms.keywords,
        against=terms.against, disabled=terms.disabled, model=wanted.model,
    )  # fmt: skip
    return ranks, Policy(thresholds)


def catalogue(settings: Settings) -> Catalogue:
    """The department catalogue the settings name. Raises ShapeError."""
    from anruflotse import departments
    from anruflotse.understanding.terms import acted_upon

    return departments.load(settings.departments.catalogue, hears=acted_upon)


def _with_opinion(local: Fused, policy: Policy, settings: Settings) -> Classifier:
    """`local`, and the language model beside it if it is our own: a processor's is given callers' words only."""
    if settings.understanding.llm is None:
        return local
    from anruflotse.app.opinion import own_language_model, second_opinion

    return second_opinion(local, own_language_model(settings), catalogue(settings), policy.thresholds)


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
        "second": decision.second.concern if decision.second else None,
        "evidence": list(ranking.evidence),
        "model": ranking.grounds.model if ranking.grounds else None,
        "explanation": decision.explanation.as_json() if decision.explanation else None,
    }


def _for_people(text: str, ranking: Ranking, decision: Decision) -> str:
    offered = " / ".join(f"{r.concern} ({r.department})" for r in decision.concerns)
    offered += f", and then {decision.second.concern}" if decision.second else ""
    likely = ", ".join(f"{r.concern} {r.probability:.0%}" for r in ranking.concerns[:_SHOWN])
    unsure = "" if decision.certain else " (asks first)"
    from anruflotse.understanding.explaining import for_people

    rows = [f"{decision.kind}{unsure} {offered}", f"{likely}   because of: {', '.join(ranking.evidence) or '-'}"]
    return "\n  ".join([text, *rows, *(for_people(decision.explanation.as_json()) if decision.explanation else ())])


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
def progress_bar() -> Iterator[Callable[[str, float], None]]:
    """A progress bar on stderr, gone when done; nothing when stderr is no terminal."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not Console(stderr=True).is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda step, share: bar.update(task, description=step, completed=share)
