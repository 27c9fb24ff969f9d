"""`anruflotse verify`: what it prints, how it ends, and that a report can be checked; the looking is done elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from anruflotse import verification
from anruflotse.cli import build, exit_code
from anruflotse.lines.line import LineError
from anruflotse.verification import Evidence, ReportError
from tests.verification.kept import kept

Run = Callable[..., Result]


@pytest.fixture
def verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command on given evidence."""

    def run(*arguments: str, evidence: Evidence | None = None) -> Result:
        async def gather(_settings: object, tell: Callable[[str], None]) -> Evidence:
            tell("Looking")
            return evidence or kept()

        monkeypatch.setattr(verification, "gather", gather)
        return CliRunner().invoke(build(), ["verify", "--data", str(tmp_path / "data"), *arguments])

    return run


def test_all_kept_is_success_and_told_by_promise(verify: Run) -> None:
    done = verify()
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines() if line.startswith("P")] == [
        f"P{n}" for n in range(1, 18)
    ]
    assert "20 of 20 sentences of the notice are proven." in done.stdout


@pytest.mark.parametrize(("lacking", "status"), [({"rights": ()}, "unproven"), ({"strays": 1}, "broken")])
def test_anything_else_is_not(verify: Run, lacking: dict[str, object], status: str) -> None:
    done = verify(evidence=replace(kept(), **lacking))  # type: ignore[arg-type]
    assert done.exit_code == 1
    assert status in done.stdout


def test_json_is_one_object_a_line(verify: Run) -> None:
    done = verify("--json", evidence=replace(kept(), strays=1))
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert {one["promise"] for one in told} == {f"P{n}" for n in range(1, 18)}
    assert [one["status"] for one in told if one["promise"] == "P9"] == ["broken"]
    assert all(one["evidence"] and one["sentence"] and one["checked_at"] for one in told)
    assert "Looking" in done.stderr


def test_all_evidence_is_shown_on_request(verify: Run) -> None:
    assert "Art. 16 DSGVO: ging." not in verify().stdout
    assert "Art. 16 DSGVO: ging." in verify("--evidence").stdout


def test_a_report_is_written_and_can_be_checked(verify: Run, tmp_path: Path) -> None:
    assert verify("--report", str(tmp_path / "reports")).exit_code == 0
    (file,) = (tmp_path / "reports").glob("*.json")
    done = verify("--check", str(file), "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["valid"], told["status"], told["missing"]) == (0, True, "kept", [])
    again = verify("--check", str(file), "--key", told["public_key"])
    assert again.exit_code == 0
    assert "signed by the expected key" in again.stdout


def test_a_report_of_another_installation_or_a_changed_one_is_not_valid(verify: Run, tmp_path: Path) -> None:
    verify("--report", str(tmp_path / "reports"))
    (file,) = (tmp_path / "reports").glob("*.json")
    assert verify("--check", str(file), "--key", "00" * 32).exit_code == 1
    file.write_text(file.read_text("utf-8").replace("kept", "broken", 1), "utf-8")
    done = verify("--check", str(file))
    assert done.exit_code == 1
    assert "NOT valid" in done.stdout


def test_what_is_no_report_is_wrong_use(verify: Run, tmp_path: Path) -> None:
    done = verify("--check", str(tmp_path / "none.json"))
    assert isinstance(done.exception, ReportError)
    assert exit_code(done.exception) == 2
    assert exit_code(LineError("no port")) == 3


def test_a_run_that_is_told_to_stop_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gather(_settings: object, _tell: object) -> Evidence:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(10)
        return kept()

    monkeypatch.setattr(verification, "gather", gather)
    done = CliRunner().invoke(build(), ["verify", "--data", str(tmp_path)])
    assert (done.exit_code, done.stdout) == (143, "")
    assert "nothing is proven" in done.stderr
