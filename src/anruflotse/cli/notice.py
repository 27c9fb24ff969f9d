"""`anruflotse notice`: the privacy notice as these settings make it read, today's and earlier ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anruflotse.cli.options import Config, Data, Json, emit, examples, load

if TYPE_CHECKING:
    from anruflotse.notice import Archive, Edition, Notice

Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the public page into FILE.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print it as Markdown.")]
Spoken = Annotated[bool, typer.Option("--spoken", help="Print the short form that callers hear.")]
Editions = Annotated[bool, typer.Option("--editions", help="List what was in force here, the oldest first.")]
Version = Annotated[str | None, typer.Option("--edition", metavar="VERSION", help="An earlier edition, by version.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "notice",
        epilog=examples(
            "anruflotse notice", "anruflotse notice --html hinweis.html", "anruflotse notice --spoken",
            "anruflotse notice --edition 0123456789abcdef --markdown",
        ),
    )(notice)  # fmt: skip


def notice(
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
    html: Html = None,
    markdown: Markdown = False,
    spoken: Spoken = False,
    editions: Editions = False,
    edition: Version = None,
) -> None:
    """Show the privacy notice: every sentence with the promises it makes, filled in from these settings.

    The running service publishes the same page under /datenschutzhinweis and keeps every edition, so that one can tell
    what the caller of a record was told (`notice_version` of the record).
    """
    settings = load(config, data)
    from anruflotse.app import building
    from anruflotse.clock import SystemClock
    from anruflotse.processors import day_in_germany

    archive = building.make_archive(settings)
    if editions:
        _list(archive, as_json)
        return
    if edition is not None:
        _show(_found(archive, edition), html, markdown=markdown, spoken=spoken, as_json=as_json)
        return
    now = SystemClock().now()
    made = building.make_notice(settings, building.make_gate(settings), day_in_germany(now))
    if html or markdown or spoken or not as_json:
        from anruflotse.notice import Edition

        today = Edition(made.version(), now, made.facts.spoken, made.markdown(), made.html())
        _show(today, html, markdown=markdown, spoken=spoken, as_json=as_json, sentences=made)
    else:
        _sentences(made, as_json)


def _list(archive: Archive, as_json: bool) -> None:
    found = archive.editions()
    for one in found:
        since = one.since.isoformat(timespec="seconds")
        emit({"version": one.version, "since": since, "spoken": one.spoken}, as_json, f"{one.version}  since {since}")
    if not found:
        typer.echo("No edition is kept yet: the service keeps one when it starts.", err=True)
        raise typer.Exit(1)


def _found(archive: Archive, version: str) -> Edition:
    found = archive.edition(version)
    if found is None:
        typer.echo("This edition was never in force here. See anruflotse notice --editions.", err=True)
        raise typer.Exit(1)
    return found


def _show(
    edition: Edition, html: Path | None, *, markdown: bool, spoken: bool, as_json: bool, sentences: Notice | None = None
) -> None:
    if html is not None:
        try:
            html.write_text(edition.html, encoding="utf-8")
        except OSError as error:
            message = f"{html} cannot be written ({error.strerror}). Name a file in a folder that exists."
            raise typer.BadParameter(message, param_hint="--html") from error
    if spoken:
        emit({"version": edition.version, "spoken": edition.spoken}, as_json, edition.spoken)
    elif markdown or (sentences is None and html is None):
        emit({"version": edition.version, "markdown": edition.markdown}, as_json, edition.markdown.rstrip())
    elif html is not None:
        emit({"version": edition.version, "html": str(html)}, as_json, f"Wrote {html}, version {edition.version}.")
    elif sentences is not None:
        _sentences(sentences, as_json)


def _sentences(made: Notice, as_json: bool) -> None:
    version = made.version()
    for sentence in made.sentences():
        if as_json:
            for promise in sentence.promises:
                emit({"promise": promise.value, "sentence": sentence.text, "version": version}, as_json, "")
        else:
            typer.echo(f"{', '.join(sentence.promises):<9} {sentence.text}")
    if not as_json:
        typer.echo(f"\nVersion {version}. Spoken: {made.facts.spoken}")
