"""What callers were told stays readable as long as a record may name it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from anruflotse.notice import Archive, ArchiveError, Facts, Notice

DAY, LATER = datetime(2026, 3, 1, 9, tzinfo=UTC), datetime(2026, 4, 1, 9, tzinfo=UTC)
FIRST = Notice(Facts(spoken="Guten Tag. Ich zeichne auf."))
SECOND = Notice(Facts(spoken="Guten Tag. Ich zeichne auf.", objection_key="5"))


def test_every_edition_is_kept_with_what_was_heard_and_published(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "notices")
    archive.keep(FIRST, DAY)
    archive.keep(SECOND, LATER)
    one, two = archive.editions()
    assert (one.version, one.since, one.spoken) == (FIRST.version(), DAY, "Guten Tag. Ich zeichne auf.")
    assert (two.markdown, two.html) == (SECOND.markdown(), SECOND.html())
    assert Archive(tmp_path / "notices").edition(SECOND.version()) == two


def test_an_edition_that_comes_back_keeps_its_first_day(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    for notice, when in ((FIRST, DAY), (SECOND, LATER), (FIRST, LATER)):
        archive.keep(notice, when)
    assert [one.since for one in archive.editions()] == [DAY, LATER]


@pytest.mark.parametrize(
    "changed",
    [Facts(spoken="Guten Tag!"), Facts(spoken=FIRST.facts.spoken, voice="ab"), Facts(retention_days=14)],
)
def test_whatever_a_caller_hears_or_reads_makes_another_version(changed: Facts) -> None:
    assert Notice(changed).version() != FIRST.version()


@pytest.mark.parametrize("version", ["", "../../etc/passwd", "0" * 16, "0" * 15, "Z" * 16, "0" * 16 + ".json"])
def test_what_was_never_in_force_is_not_there(tmp_path: Path, version: str) -> None:
    archive = Archive(tmp_path / "none")
    assert archive.edition(version) is None
    assert archive.editions() == ()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": "x"}', '{"since": "gestern"}'])
def test_a_damaged_edition_is_told_with_its_file(tmp_path: Path, content: str) -> None:
    Archive(tmp_path).keep(FIRST, DAY)
    (file,) = tmp_path.iterdir()
    file.write_text(content)
    with pytest.raises(ArchiveError, match=file.name):
        Archive(tmp_path).editions()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "notices").write_text("a file in its place")
    with pytest.raises(ArchiveError, match="cannot be kept"):
        Archive(tmp_path / "notices").keep(FIRST, DAY)
    assert [file.name for file in tmp_path.iterdir()] == ["notices"]
