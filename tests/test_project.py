"""The files around the code keep what they promise: locks are complete and hashed, and name no place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from anruflotse.settings import Settings

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = {
    "run": ["build"],
    "test": ["build", "test"],
    "check": ["build", "test", "check"],
}
PINNED = re.compile(
    r"^([A-Za-z0-9._-]+)==(\S+)(?: ; .*)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", re.MULTILINE
)


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(name: str) -> dict[str, set[Version]]:
    versions: dict[str, set[Version]] = {}
    for match in PINNED.finditer((ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")):
        versions.setdefault(normalised(match[1]), set()).add(Version(match[2]))
    return versions


@pytest.mark.parametrize("name", ["uv", *LOCKS])
def test_every_line_of_a_lock_is_a_pin_with_hashes_and_names_no_place(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    comment, _, pins = text.partition("\n")
    assert comment.startswith("# ")
    assert PINNED.sub("", pins) == ""
    assert "/" not in pins


@pytest.mark.parametrize("name", list(LOCKS))
def test_a_lock_holds_what_pyproject_asks_for(name: str) -> None:
    wanted = list(PROJECT["project"]["dependencies"])
    for group in LOCKS[name]:
        wanted += PROJECT["dependency-groups"][group]
    pins = locked(name)
    for requirement in map(Requirement, wanted):
        versions = pins.get(normalised(requirement.name), set())
        assert versions, f"requirements/{name}.txt lacks {requirement.name}: run make lock"
        for version in versions:
            assert requirement.specifier.contains(version, prereleases=True), f"{requirement}: run make lock"


def test_larger_locks_hold_the_same_versions() -> None:
    run, test, check = locked("run"), locked("test"), locked("check")
    assert {name: test[name] for name in run} == run
    assert {name: check[name] for name in test} == test


def test_set_up_puts_the_model_where_the_settings_look_for_it() -> None:
    data = Path("anruflotse-data")
    place = Settings(data=data).embedded_model.relative_to(data)
    assert f"${{ANRUFLOTSE_DATA:-{data}}}/{place}" in (ROOT / "scripts" / "setup").read_text(encoding="utf-8")


def test_every_ignored_lint_rule_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    rules = re.findall(r'^  "([A-Z]+)[0-9]*",(?: +# (.+))?$', text, re.MULTILINE)
    assert len(rules) > 20
    explained = ""
    for family, reason in rules:
        explained = family if reason else explained
        assert explained == family, f"a {family} rule is ignored without a reason beside it or its sister above"


def test_change_notes_have_a_known_kind() -> None:
    kinds = {kind["directory"] for kind in PROJECT["tool"]["towncrier"]["type"]}
    notes = [path for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]
    for note in notes:
        assert note.suffixes[-1] == ".md"
        assert note.name.split(".")[1] in kinds, note.name
