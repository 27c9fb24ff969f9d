"""`anruflotse transcribe` and `anruflotse screen`: what the voicebot hears in WAV files."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anruflotse.cli.options import Config, Data, Json, emit, examples, load

if TYPE_CHECKING:
    from anruflotse.pcm import Pcm

Files = Annotated[list[Path], typer.Argument(metavar="FILE.wav...", help="WAV files, 8 to 48 kHz, mono or stereo.")]


def register(app: typer.Typer) -> None:
    """Add both commands."""
    app.command(
        epilog=examples(
            "anruflotse transcribe caller.wav --json",
            "anruflotse transcribe *.wav --hint Krankengeld --hint Pflegegrad",
        )
    )(transcribe)
    app.command(epilog=examples("anruflotse screen answer.wav", "anruflotse screen *.wav --json"))(screen)


def transcribe(
    files: Files,
    hint: Annotated[
        list[str] | None,
        typer.Option(metavar="WORD", help="A word likely to occur; repeat it. Default: as speech.hints says."),
    ] = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Recognise what is said in WAV files, as in a call after the question.

    Exit code 1 when nothing in a file was accepted as speech, 2 when a file is unusable; the other files are done.
    """
    settings = load(config, data)
    from anruflotse.app import building
    from anruflotse.clock import SystemClock

    hints = hint or building.make_hints(settings)
    clock = SystemClock()
    outcome = _Outcome()
    with closing(building.make_recogniser(settings)) as recogniser:
        for file, audio in outcome.readable(files):
            started = clock.monotonic()
            heard = asyncio.run(recogniser.transcribe(audio, hints))
            outcome.note(heard.accepted)
            record = {
                "file": str(file),
                "text": heard.text,
                "confidence": round(heard.confidence, 3),
                "accepted": heard.accepted,
                "reason": heard.reason,
                "seconds": round(audio.seconds, 2),
                "latency_ms": round(1_000 * (clock.monotonic() - started)),
                "engine": heard.engine,
            }
            doubt = "" if heard.accepted else f"  (not accepted: {heard.reason})"
            emit(record, as_json, f"{file}: {heard.text or '-'}  [{heard.confidence:.0%}]{doubt}")
    outcome.leave()


def screen(files: Files, config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Say what short utterances in WAV files mean: yes, no, objection, human, emergency, repeat, speech or silence.

    Exit code 2 when a file is unusable; the other files are done.
    """
    settings = load(config, data)
    from anruflotse.app import building
    from anruflotse.speech.screening import WhisperScreener

    outcome = _Outcome()
    with closing(building.make_recogniser(settings)) as recogniser:
        screener = WhisperScreener(recogniser, building.word_rules)
        for file, audio in outcome.readable(files):
            found = asyncio.run(screener.screen(audio))
            record = {
                "file": str(file),
                "heard": str(found.heard),
                "confidence": round(found.confidence, 3),
                "certain": found.certain,
            }
            doubt = "" if found.certain else "  (uncertain)"
            emit(record, as_json, f"{file}: {found.heard}  [{found.confidence:.0%}]{doubt}")
    outcome.leave()


class _Outcome:
    """What the exit code will be; an unusable file outweighs one in which nothing was said."""

    def __init__(self) -> None:
        self._code = 0

    def readable(self, files: list[Path]) -> Iterator[tuple[Path, Pcm]]:
        """The files that hold audio; for each of the others, one sentence on stderr."""
        from anruflotse.speech.audio import AudioError, read_wav

        for file in files:
            try:
                audio = read_wav(file)
            except AudioError as error:
                typer.echo(f"anruflotse: {error}", err=True)
                self._code = 2
            else:
                yield file, audio

    def note(self, accepted: bool) -> None:
        """Note that in a file something was accepted as speech, or nothing."""
        self._code = max(self._code, 0 if accepted else 1)

    def leave(self) -> None:
        """Exit."""
        if self._code:
            raise typer.Exit(self._code)
