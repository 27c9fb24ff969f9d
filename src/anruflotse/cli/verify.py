"""`anruflotse verify`: whether each promise of the notice is kept, with evidence, and a signed report of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anruflotse.cli.options import Config, Data, Json, emit, examples, load

if TYPE_CHECKING:
    from anruflotse.settings import Settings
    from anruflotse.verification import Checked, Evidence, Report

STOPPED = 143
"""What a shell tells of a program that SIGTERM has ended."""
_SHOWN = {"kept": "green", "broken": "red", "unproven": "yellow"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "anruflotse verify",
            "anruflotse verify --json",
            "anruflotse verify --report /media/safe/reports",
            "anruflotse verify --check /media/safe/reports/pruefbericht-2026-11-24T093000Z.json",
        )
    )(verify)


def verify(
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="DIR", help="Write a signed report there: HTML, PDF and JSON."),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="Verify nothing; check the signature of a report's JSON file."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="HEX", help="With --check: the public key it has to be signed with."),
    ] = None,
    every: Annotated[bool, typer.Option("--evidence", help="Show all evidence, not only what is not kept.")] = False,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Prove that every sentence of the notice is true, by test calls, experiments and a look at the live store.

    Takes about a minute. Rings nobody: a service of its own with these very settings takes the calls, and its own
    phone answers for every target. The live store is only read. Exit code 0 only when every promise is kept; 1 when
    one is broken or could not be proven.
    """
    settings = load(config, data)
    if check is not None:
        _check(settings, check, key, as_json)
        return
    found = _verified(settings)
    _show(found, as_json=as_json, every=every)
    if report is not None:
        _write(settings, found, report)
    if found.status != "kept":
        raise typer.Exit(1)


def _verified(settings: Settings) -> Report:
    import asyncio
    import signal

    from rich.console import Console

    from anruflotse import logs
    from anruflotse.app.building import make_gate, make_notice
    from anruflotse.clock import SystemClock
    from anruflotse.processors import day_in_germany
    from anruflotse.verification import gather, report_of

    if settings.source("logging.level") == "default":
        # The test service is made to fail in places, and says so; the findings tell what matters.
        logs.configure("critical", settings.logging.format)
    console = Console(stderr=True)
    with console.status("Verifying") as status:

        def tell(doing: str) -> None:
            status.update(doing)
            if not console.is_terminal:
                console.print(doing)

        async def gathered() -> Evidence:
            task = asyncio.current_task()
            if task is not None:
                # Also when it is told to stop: the test service and its data must go with it.
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
            return await gather(settings, tell)

        try:
            evidence = asyncio.run(gathered())
        except asyncio.CancelledError:
            typer.echo("anruflotse: stopped before it was done; nothing is proven.", err=True)
            raise typer.Exit(STOPPED) from None
    notice = make_notice(settings, make_gate(settings), day_in_germany(SystemClock().now()))
    return report_of(evidence, notice.sentences(), settings.insurer.name)


def _show(found: Report, *, as_json: bool, every: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from anruflotse.verification.reporting import TITLES, lines

    if as_json:
        for line in lines(found):
            emit(line, as_json, "")
        return
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("promise", "status", "evidence"):
        table.add_column(name, no_wrap=name != "evidence")
    for finding in found.findings:
        kept = [one for one in finding.evidence if one.startswith("✓")]
        told = [one for one in finding.evidence if every or one not in kept]
        if kept and not every:
            told.append(f"✓ {len(kept)} checks")
        evidence = "\n".join((TITLES[finding.promise], *told))
        table.add_row(finding.promise.value, Text(finding.status, style=_SHOWN[finding.status]), Text(evidence))
    console = Console()
    console.print(table)
    false = [one for one in found.sentences if one.status != "kept"]
    console.print(
        f"\n{len(found.sentences) - len(false)} of {len(found.sentences)} sentences of the notice are proven."
    )
    for one in false:
        console.print(Text(f"{one.status}: {one.sentence} ({', '.join(one.promises)})", style=_SHOWN[one.status]))


def _write(settings: Settings, found: Report, directory: Path) -> None:
    from contextlib import closing

    from anruflotse.app.building import make_records
    from anruflotse.clock import SystemClock
    from anruflotse.verification import write_report

    with closing(make_records(settings, SystemClock())) as store:
        for path in write_report(found, directory, store.sign):
            typer.echo(f"Report: {path}", err=True)


def _check(settings: Settings, path: Path, key: str | None, as_json: bool) -> None:
    """Check a report; exit code 1 when it was changed or signed by another installation."""
    from anruflotse.verification import check_report

    checked = check_report(path)
    expected = key or _own_key(settings)
    signer = "unknown" if expected is None else ("own" if expected.lower() == checked.public_key else "foreign")
    well = checked.valid and not checked.changed and signer != "foreign"
    record = {
        "file": str(path),
        "valid": well,
        "signature": checked.valid,
        "signer": signer,
        "public_key": checked.public_key,
        "checked_at": checked.at,
        "status": checked.status,
        "changed": list(checked.changed),
        "missing": list(checked.missing),
    }
    emit(record, as_json, _told(checked, signer, well=well))
    if not well:
        raise typer.Exit(1)


def _told(checked: Checked, signer: str, *, well: bool) -> str:
    by = {
        "own": "signed by the expected key",
        "foreign": "NOT signed by the expected key",
        "unknown": "compare the key with that of a filed head of the audit trail",
    }[signer]
    lines = [
        f"The report of {checked.at} ({checked.status}) is {'as it was signed' if well else 'NOT valid'}.",
        f"  signature:  {'fits' if checked.valid else 'does NOT fit: the report was changed'}",
        f"  public key: {checked.public_key} ({by})",
    ]
    lines += [f"  changed:    {name}" for name in checked.changed]
    lines += [f"  not here:   {name}" for name in checked.missing]
    return "\n".join(lines)


def _own_key(settings: Settings) -> str | None:
    """The public key of this installation; None where there is none, as on an auditor's machine."""
    from contextlib import closing

    from anruflotse.app.building import make_records
    from anruflotse.clock import SystemClock
    from anruflotse.records.model import StoreError
    from anruflotse.verification.inspection import place_of

    if not place_of(settings).exists:
        return None
    try:
        with closing(make_records(settings, SystemClock())) as store:
            head = store.trail_head()
            return None if head is None else str(head["public_key"])
    except StoreError:
        return None
