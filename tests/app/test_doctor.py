"""What the doctor finds, and what it says to do."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anruflotse.app.doctor import Finding, examine
from anruflotse.departments import shipped
from anruflotse.settings import load
from anruflotse.understanding import model as models
from anruflotse.understanding.versions import Versions


@pytest.fixture
def free(tmp_path: Path) -> dict[str, object]:
    """Settings whose parts are all well; the speech model is joined once for all tests of a run."""
    return {"data": tmp_path / "data", "sip.port": 0, "console.port": 0}


async def found(part: str, overrides: dict[str, object]) -> Finding:
    return next(finding for finding in await examine(load(None, overrides, environ={})) if finding.part == part)


async def test_a_sound_installation_has_no_fault(free: dict[str, object]) -> None:
    findings = await examine(load(None, free, environ={}))
    assert [finding for finding in findings if finding.status != "ok"] == []
    assert {"speech model", "departments", "understanding", "records", "prompts", "disk", "clock", "line"} <= {
        finding.part for finding in findings
    }


async def test_a_taken_port_is_named_with_what_to_do(free: dict[str, object]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        finding = await found(f"sip.port {port}/udp", free | {"sip.port": port})
    assert finding.status == "fault"
    assert "sip.port" in finding.remedy


async def test_a_malformed_catalogue_is_named_with_its_place(free: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "departments.yaml"
    file.write_text("version: 1\nabteilungen: [\n", "utf-8")
    finding = await found("departments", free | {"departments.catalogue": file})
    assert finding.status == "fault"
    assert "departments.yaml" in finding.found
    assert "line" in finding.found


async def test_a_broken_recording_of_a_prompt_is_a_fault(free: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "hinweis.wav").write_bytes(b"RIFF")
    finding = await found("prompts", free | {"prompts.recordings": tmp_path / "voice"})
    assert finding.status == "fault"
    assert "hinweis.wav" in finding.found


async def test_a_store_that_cannot_be_used_is_a_fault_that_costs_recordings(free: dict[str, object]) -> None:
    data = free["data"]
    assert isinstance(data, Path)
    data.mkdir()
    (data / "records").write_text("not a directory", "utf-8")
    finding = await found("records", free)
    assert finding.status == "fault"


async def test_a_longer_retention_than_promised_is_a_warning_however_lawful(free: dict[str, object]) -> None:
    assert (await found("retention", free | {"retention.days": 14})).status == "ok"
    longer = free | {"retention.days": 90, "retention.longer_because": "§ 304 SGB V"}
    finding = await found("retention", longer)
    assert (finding.status, "§ 304 SGB V" in finding.found) == ("warning", True)
    assert "28" in finding.remedy


NOW = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


async def test_a_model_an_older_release_trained_is_used_but_asks_for_approval(free: dict[str, object]) -> None:
    folder = Path(str(free["data"])) / "models" / "understanding"
    models.save(replace(models.load(), version="20260101T000000Z"), folder / "20260101T000000Z")
    finding = await found("understanding", free)
    assert (finding.status, "20260101T000000Z" in finding.found) == ("warning", True)
    assert "models approve 20260101T000000Z" in finding.remedy
    Versions(folder).approve("20260101T000000Z", "x", NOW, models.load().encoder)
    assert (await found("understanding", free)).status == "ok"


async def test_an_approved_model_of_another_encoder_and_a_damaged_one_are_told(free: dict[str, object]) -> None:
    folder = Path(str(free["data"])) / "models" / "understanding"
    versions = Versions(folder)
    versions.keep(replace(models.load(), version="a", encoder="another"), {})
    versions.approve("a", "x", NOW, "another")
    finding = await found("understanding", free)
    assert (finding.status, finding.remedy) == ("warning", "Run anruflotse train.")
    (folder / "a" / "heads.npz").write_bytes(b"nothing")
    finding = await found("understanding", free)
    assert (finding.status, "damaged" in finding.found) == ("fault", True)


async def test_what_in_the_catalogue_helps_nobody_is_a_warning(free: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "departments.yaml"
    file.write_text(shipped().replace("[Versichertenkarte,", "[Zahnarzt, Versichertenkarte,", 1), "utf-8")
    findings = await examine(load(None, free | {"departments.catalogue": file}, environ={}))
    (warned,) = [one for one in findings if one.status == "warning"]
    assert "`Zahnarzt` is a keyword of" in warned.found
