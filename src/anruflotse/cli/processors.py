"""`anruflotse processors`: who may receive what, under which agreement, and what uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from anruflotse.cli.options import Config, Data, Json, emit, examples, load

if TYPE_CHECKING:
    from anruflotse.app.processing import Situation
    from anruflotse.processors import Agreement

Check = Annotated[
    bool, typer.Option("--check", help="Exit with 1 when something that is used is refused for want of an agreement.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("processors", epilog=examples("anruflotse processors", "anruflotse processors --check --json"))(
        processors
    )


def processors(config: Config = None, data: Data = None, as_json: Json = False, check: Check = False) -> None:
    """Show the register of processors: service, agreement, how it stands today, and which engine or target uses it.

    What is refused is not an error of the service: engines are replaced by the local ones, targets are skipped.
    """
    settings = load(config, data)
    from anruflotse.app import building
    from anruflotse.app.engines import LOCAL
    from anruflotse.app.opinion import with_language_model
    from anruflotse.app.processing import situations
    from anruflotse.clock import SystemClock
    from anruflotse.processors import day_in_germany

    gate = building.make_gate(settings)
    catalogue = building.make_catalogue(settings, gate)
    found = situations(gate, catalogue, with_language_model(settings, LOCAL), day_in_germany(SystemClock().now()))
    for situation in found:
        emit(_record(situation), as_json, _text(situation))
    if check and any(situation.refused for situation in found):
        raise typer.Exit(1)


def _record(situation: Situation) -> dict[str, object]:
    entry = situation.processor
    return {
        "key": entry.key,
        "name": entry.name,
        "service": entry.service,
        "categories": sorted(entry.categories),
        "contact": entry.contact,
        "state": situation.standing,
        "agreement": None if entry.agreement is None else _agreement(entry.agreement),
        "used_by": [use.by for use in situation.uses],
        "refused": [{"by": use.by, "category": use.category, "reason": reason} for use, reason in situation.refused],
    }


def _agreement(agreement: Agreement) -> dict[str, object]:
    return {
        "signed": agreement.signed,
        "in_force_from": agreement.begins,
        "in_force_until": agreement.until,
        "categories": sorted(agreement.categories),
        "places": list(agreement.places),
        "reference": agreement.reference,
        "subprocessors": [{"name": sub.name, "place": sub.place} for sub in agreement.subprocessors],
    }


def _text(situation: Situation) -> str:
    entry, agreement = situation.processor, situation.processor.agreement
    lines = [
        f"{entry.name} ({entry.key}): {situation.standing}",
        f"  service:    {entry.service}",
        f"  data:       {', '.join(sorted(entry.categories))}",
        f"  contact:    {entry.contact or 'not entered'}",
    ]
    if agreement is None:
        lines.append("  agreement:  none on file")
    else:
        held = f"from {agreement.begins} until {agreement.until or 'further notice'}"
        lines += [
            f"  agreement:  of {agreement.signed}, in force {held}, {agreement.reference}",
            f"  covers:     {', '.join(sorted(agreement.categories))} in {', '.join(agreement.places)}",
        ]
        lines += [f"  passes on:  {sub.name} in {sub.place}" for sub in agreement.subprocessors]
    lines.append(f"  used by:    {', '.join(use.by for use in situation.uses) or 'nothing'}")
    lines += [f"  → refused, {use.by}: {reason}" for use, reason in situation.refused]
    return "\n".join(lines)
