from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Sequence

import pytest
import typer

from anruflotse import cli
from anruflotse.lines.line import LineError
from anruflotse.settings import SettingsError


class NarrowLineError(LineError):
    """A room may derive its own errors."""


def run(arguments: Sequence[str]) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    return caught.value.code if isinstance(caught.value.code, int) else 1


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """A command line with the one command `fail`, which raises `error`."""
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.callback()
    def everywhere() -> None:
        pass

    @app.command()
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "build", lambda: app)


@pytest.mark.parametrize("name", sorted(cli.EXIT_CODES))
def test_every_error_in_the_table_exists(name: str) -> None:
    module, _, kind = name.partition(":")
    assert issubclass(getattr(importlib.import_module(module), kind), Exception)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError("sip.port is wrong."), 2),
        (LineError("Port 5060 is taken."), 3),
        (NarrowLineError("The certificate is expired."), 3),
    ],
)
def test_a_known_error_is_one_sentence_and_an_exit_code(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, error)
    assert run(["fail"]) == code
    shown = capsys.readouterr()
    assert shown.err == f"anruflotse: {error}\n"
    assert shown.out == ""


def test_an_error_nobody_foresaw_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        cli.main(["fail"])


def test_wrong_use_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["no-such-command"]) == 2
    assert run(["settings", "--no-such-option"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("anruflotse 0.")


def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    command = typer.main.get_command(cli.build())
    names = [name for name in getattr(command, "commands", {}) if not hasattr(command.commands[name], "commands")]  # type: ignore[attr-defined]
    assert {"settings", "init"} <= set(names)
    for name in names:
        assert run([name, "--help"]) == 0
        assert f"$ anruflotse {name}" in capsys.readouterr().out, name


def test_help_loads_nothing_heavy() -> None:
    heavy = "pydantic numpy sqlalchemy ctranslate2 faster_whisper onnxruntime sklearn scipy fastapi baresip structlog"
    program = (
        "import sys, anruflotse.cli as cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print('LOADED', [name for name in '{heavy}'.split() if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_a_reader_that_goes_away_is_no_error_worth_a_traceback() -> None:
    command = f'{sys.executable} -c \'import anruflotse.cli as c; c.main(["settings", "--json"])\' | true'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
