"""The register on disk: what is entered, ended or damaged while the service runs counts from then on."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import structlog

from anruflotse.processors import Category, Gate, Refusal, RegisterFile
from anruflotse.yamlshape import ShapeError

TODAY = date(2026, 3, 3)
AGREED = """\
version: 1
dienstleister:
  stimme:
    name: "Stimme GmbH"
    leistung: "Spracherkennung"
    datenkategorien: [sprachaufnahme]
    kontakt: null
    vereinbarung:
      {datum: 2026-01-15, gueltig_ab: 2026-02-01, datenkategorien: [sprachaufnahme], orte: [DE], fundstelle: "Akte 1"}
"""
ENDED = AGREED[: AGREED.index("      {")].replace("vereinbarung:\n", "vereinbarung: null\n")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "register.yaml"
    file.write_text(AGREED, "utf-8")
    return file


def permits(gate: Gate) -> bool:
    return gate.permits("stimme", Category.AUDIO, TODAY)


def test_an_agreement_that_is_taken_out_or_entered_counts_at_once(path: Path) -> None:
    gate = Gate(RegisterFile(path).reading)
    assert permits(gate)
    path.write_text(ENDED, "utf-8")
    assert gate.refusal("stimme", Category.AUDIO, TODAY) is Refusal.NO_AGREEMENT
    path.write_text(AGREED, "utf-8")
    assert permits(gate)


def overwritten(path: Path) -> None:
    path.write_text(AGREED.replace("version: 1", "version: ["), "utf-8")


def not_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def gone(path: Path) -> None:
    path.unlink()


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [overwritten, not_text, emptied, gone, a_directory])
def test_a_damaged_register_lets_nobody_in_until_it_is_mended(path: Path, damage: Callable[[Path], None]) -> None:
    gate = Gate(RegisterFile(path).reading)
    assert permits(gate)
    with structlog.testing.capture_logs() as logged:
        damage(path)
        assert gate.refusal("stimme", Category.AUDIO, TODAY) is Refusal.UNREADABLE
        assert not permits(gate)
    assert [line["log_level"] for line in logged] == ["error"]
    assert gate.fault is not None
    assert "register.yaml" in gate.fault
    assert list(gate.register) == ["stimme"]
    if path.is_dir():
        path.rmdir()
    path.write_text(AGREED, "utf-8")
    assert permits(gate)
    assert gate.fault is None


def test_damage_over_a_register_without_the_agreement_does_not_bring_the_agreement_back(path: Path) -> None:
    path.write_text(ENDED, "utf-8")
    gate = Gate(RegisterFile(path).reading)
    overwritten(path)
    assert not permits(gate)


def test_a_file_put_in_place_with_an_old_date_and_the_same_size_is_noticed(path: Path) -> None:
    register = RegisterFile(path)
    before = path.stat()
    other = path.with_suffix(".new")
    other.write_text(AGREED.replace("Akte 1", "Akte 2"), "utf-8")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    agreement = register.reading().register["stimme"].agreement
    assert agreement is not None
    assert agreement.reference == "Akte 2"


def test_an_unchanged_register_is_not_read_again(path: Path) -> None:
    register = RegisterFile(path)
    assert register.reading() is register.reading()


def test_the_shipped_register_needs_no_file() -> None:
    assert list(RegisterFile(None).reading().register) == ["aristech", "vitaservices"]


def test_a_service_does_not_begin_with_a_damaged_register(path: Path) -> None:
    overwritten(path)
    with pytest.raises(ShapeError, match="line"):
        RegisterFile(path)
