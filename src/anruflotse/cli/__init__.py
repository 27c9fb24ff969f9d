"""The command line: one Typer app, its commands in one module a room.

The convention every command module follows
-------------------------------------------
A module `anruflotse/cli/NAME.py` exposes `register(app: typer.Typer) -> None`, which adds its commands, and is listed
in `MODULES` below. `anruflotse --help` imports all of them, so a command module imports only `typer`, the standard
library and `anruflotse.cli.options` at its top; what is heavy (models, SIP, database) is imported inside the command.

    def register(app: typer.Typer) -> None:
        app.command("transcribe", epilog=examples("anruflotse transcribe caller.wav --json"))(transcribe)

    def transcribe(files: list[Path], config: Config = None, data: Data = None, as_json: Json = False) -> None:
        '''Recognise what is said in WAV files.'''
        from anruflotse.speech import whisper            # heavy: only here
        settings = load(config, data)                    # settings read, logging set up
        ...
        emit({"file": ..., "text": ...}, as_json, "a line for people")

- `Config`, `Data`, `Json`, `load`, `emit` and `examples` come from `anruflotse.cli.options`.
- The docstring of the function is its `--help`; every command has examples in its epilog.
- Results go to stdout through `emit` (with `--json` one object a line), logs and errors to stderr.
- Exit codes: 0 done; 1 the thing asked for is not so (`raise typer.Exit(1)`); 2 wrong use or settings; 3 a needed
  part cannot be reached. Errors a room raises are mapped by `EXIT_CODES`: add your room's error there, don't catch it.
- A command that awaits wraps its coroutine in `asyncio.run`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import anruflotse

MODULES: tuple[str, ...] = (
    *("service", "demo", "settings"),
    *("call", "phone", "speech", "understanding", "models"),
    *("notice", "documents", "processors", "records", "rights", "retention", "keys", "audit", "verify", "bench"),
)
"""Command modules under `anruflotse.cli`, in the order `--help` shows them."""

EXIT_CODES: dict[str, int] = {
    # what was asked for is not so
    "anruflotse.lines.peers.call_state:CallFailedError": 1,
    "anruflotse.records.model:AccessRefusedError": 1,
    "anruflotse.records.model:ConflictError": 1,
    "anruflotse.rights.model:NotNowError": 1,
    "anruflotse.understanding.errors:VersionError": 1,
    # a file the operator or caller of the command gave is wrong
    "anruflotse.settings.reading:SettingsError": 2,
    "anruflotse.notice.archive:ArchiveError": 3,
    "anruflotse.processors.gate:ProcessorError": 2,
    "anruflotse.rights.model:RightsError": 2,
    "anruflotse.speech.audio:AudioError": 2,
    "anruflotse.speech.prompts:PromptError": 2,
    "anruflotse.understanding.errors:CorpusError": 2,
    "anruflotse.verification.reporting:ReportError": 2,
    "anruflotse.yamlshape:ShapeError": 2,
    # a part is not reachable or does not work
    "anruflotse.console.serving:ConsoleError": 3,
    "anruflotse.documents.paper:PaperError": 3,
    "anruflotse.lines.line:LineError": 3,
    "anruflotse.lines.peers.message:SipError": 3,
    "anruflotse.records.model:StoreError": 3,
    "anruflotse.speech.seams:SpeechError": 3,
    "anruflotse.understanding.errors:UnderstandingError": 3,
}
"""What the process exits with when an error reaches `main`, by `module:class`, subclasses included.

Names instead of classes, so that `--help` need not import the rooms; a test checks that every name exists.
"""


def build() -> typer.Typer:
    """The app with every command module registered."""
    app = typer.Typer(
        name="anruflotse",
        help="The telephone voicebot that tells the truth about what it records.",
        no_args_is_help=True,
        add_completion=False,
        # Typer's own traceback prints local variables, and those may hold what a caller said.
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_everywhere)
    for name in MODULES:
        importlib.import_module(f"anruflotse.cli.{name}").register(app)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; an error that `EXIT_CODES` knows becomes one sentence on stderr."""
    try:
        build()(None if arguments is None else list(arguments))
    except BrokenPipeError:
        # The reader (head, less) went away: nobody is left to tell, and Python must not complain while it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        typer.echo(f"anruflotse: {error}", err=True)
        sys.exit(code)


def exit_code(error: BaseException) -> int | None:
    """The exit code `EXIT_CODES` has for the error's class or one it derives from; None for an error nobody foresaw."""
    names = (f"{kind.__module__}:{kind.__qualname__}" for kind in type(error).__mro__)
    return next((EXIT_CODES[name] for name in names if name in EXIT_CODES), None)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"anruflotse {anruflotse.__version__}")
        raise typer.Exit


def _everywhere(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """The telephone voicebot that tells the truth about what it records."""
