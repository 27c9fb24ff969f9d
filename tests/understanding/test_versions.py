"""Which version decides: candidates do nothing, approvals are written down, and there is always a way back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from anruflotse.understanding import classifier, model, versions
from anruflotse.understanding.errors import UnderstandingError, VersionError
from anruflotse.understanding.model import Model
from anruflotse.understanding.versions import NOTE, SHIPPED, State, Versions
from tests.understanding.toys import DEPARTMENTS, ToyEncoder

NOW = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


@pytest.fixture
def shelf(toy_model: Model, tmp_path: Path) -> Versions:
    """Two candidates, `a` and `b`."""
    found = Versions(tmp_path / "models")
    for name in ("a", "b"):
        found.keep(replace(toy_model, version=name), {"made": NOW.isoformat()})
    return found


def states(shelf: Versions) -> dict[str, State]:
    return {entry.version: entry.state for entry in shelf.entries()}


def test_before_anything_is_trained_the_shipped_model_decides(tmp_path: Path) -> None:
    shelf = Versions(tmp_path / "nothing")
    assert shelf.in_force() is None
    assert states(shelf) == {SHIPPED: State.IN_FORCE}
    assert shelf.stamp() is None


def test_a_candidate_is_not_in_force_until_it_is_approved(shelf: Versions, tmp_path: Path) -> None:
    assert shelf.in_force() is None
    assert states(shelf) == {SHIPPED: State.IN_FORCE, "a": State.CANDIDATE, "b": State.CANDIDATE}
    assert shelf.approve("a", "frau.beispiel", NOW, "toy") == SHIPPED
    assert shelf.in_force() == tmp_path / "models" / "a"
    assert states(shelf) == {SHIPPED: State.RETIRED, "a": State.IN_FORCE, "b": State.CANDIDATE}
    entry = next(entry for entry in shelf.entries() if entry.version == "a")
    assert (entry.approved_by, entry.approved_at) == ("frau.beispiel", "2026-03-03T09:00:00+00:00")
    assert (entry.made, entry.lines, entry.model) == (NOW.isoformat(), 105, "a")
    assert classifier.load(tmp_path / "models", DEPARTMENTS, encoder=ToyEncoder()).version == "a"


def test_rolling_back_twice_goes_back_two_versions(shelf: Versions) -> None:
    shelf.approve("a", "x", NOW, "toy")
    shelf.approve("b", "x", NOW, "toy")
    stamps = {shelf.stamp()}
    assert shelf.roll_back("y", NOW + timedelta(hours=1), "toy") == "a"
    stamps.add(shelf.stamp())
    assert states(shelf)["b"] is State.RETIRED
    with pytest.raises(VersionError, match="another sentence encoder"):
        shelf.roll_back("y", NOW, "toy")  # the shipped one, which is not of the toys' encoder
    assert shelf.current() == "a"
    shipped = model.load().encoder
    assert shelf.roll_back("y", NOW, shipped) == SHIPPED
    assert shelf.in_force() is None
    assert len(stamps) == 2
    with pytest.raises(VersionError, match="no version in force before"):
        shelf.roll_back("y", NOW, shipped)


def test_approving_twice_changes_nothing(shelf: Versions) -> None:
    shelf.approve("a", "x", NOW, "toy")
    stamp = shelf.stamp()
    assert shelf.approve("a", "y", NOW, "toy") == "a"
    assert shelf.stamp() == stamp


@pytest.mark.parametrize("change", ["damaged", "other encoder", "unknown", "outside"])
def test_what_cannot_work_is_not_put_in_force(shelf: Versions, toy_model: Model, tmp_path: Path, change: str) -> None:
    name, fingerprint = "a", "toy"
    match change:
        case "damaged":
            (tmp_path / "models" / "a" / "heads.npz").write_bytes(b"nothing")
        case "other encoder":
            fingerprint = "another"
        case "unknown":
            name = "c"
        case _:
            model.save(replace(toy_model, version="x"), tmp_path / "x")
            name = "../x"
    with pytest.raises(VersionError):
        shelf.approve(name, "x", NOW, fingerprint)
    assert shelf.current() == SHIPPED
    assert not (tmp_path / "models" / NOTE).exists()


def test_a_damaged_version_is_listed_as_such(shelf: Versions, tmp_path: Path) -> None:
    (tmp_path / "models" / "a" / "heads.npz").write_bytes(b"nothing")
    damages = {entry.version: entry.damage for entry in shelf.entries()}
    assert "damaged" in damages["a"]
    assert damages["b"] == ""


def test_the_newest_version_of_a_release_without_approvals_stays_in_force(toy_model: Model, tmp_path: Path) -> None:
    for name in ("20260101T000000Z", "20260301T000000Z"):
        model.save(replace(toy_model, version=name), tmp_path / name)
    shelf = Versions(tmp_path)
    shelf.keep(replace(toy_model, version="20260401T000000Z"), {})
    assert shelf.current() == "20260301T000000Z"
    assert shelf.adopted()
    assert shelf.entries()[1].made == "2026-01-01T00:00:00+00:00"
    shelf.approve("20260401T000000Z", "x", NOW, "toy")
    assert not shelf.adopted()
    assert shelf.roll_back("x", NOW, "toy") == "20260301T000000Z"


@pytest.mark.parametrize("text", ["{", "[]", '{"in_force": "../x", "before": [], "log": []}', '{"in_force": "a"}'])
def test_a_damaged_note_is_told_and_nothing_is_guessed(shelf: Versions, tmp_path: Path, text: str) -> None:
    (tmp_path / "models" / NOTE).write_text(text)
    with pytest.raises(UnderstandingError, match="models approve"):
        shelf.in_force()


def test_versions_of_one_second_have_different_names(shelf: Versions, toy_model: Model) -> None:
    first = shelf.fresh(NOW)
    shelf.keep(replace(toy_model, version=first), {})
    second = shelf.fresh(NOW)
    assert (first, second) == ("20260303T090000Z", "20260303T090000Z-002")


def test_what_is_not_complete_is_no_version(shelf: Versions, tmp_path: Path) -> None:
    (tmp_path / "models" / "cache").mkdir()
    (tmp_path / "models" / ".making-1").mkdir()
    assert set(states(shelf)) == {SHIPPED, "a", "b"}
    assert json.loads((tmp_path / "models" / "a" / versions.ABOUT).read_text()) == {"made": NOW.isoformat()}
