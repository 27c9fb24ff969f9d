"""The notice follows the register and the day; a call keeps the version that was valid when it began."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from anruflotse.app import building
from anruflotse.app.publishing import PublishedNotice
from anruflotse.call import Call
from anruflotse.clock import FakeClock
from anruflotse.conversation.actions import Prompt
from anruflotse.lines.line import Outcome
from anruflotse.notice import Notice
from anruflotse.settings import Settings, load
from tests.app.agreements import AGREED, NONE, UNTIL, write
from tests.call.desk import Desk

LAST_SECOND = datetime(UNTIL.year, UNTIL.month, UNTIL.day, 21, 59, 59, tzinfo=UTC)
"""Of the agreement's last day, in German summer."""


@pytest.fixture
def register(tmp_path: Path) -> Path:
    return write(tmp_path / "register.yaml", AGREED)


@pytest.fixture
def settings(register: Path, tmp_path: Path) -> Settings:
    return load(None, {"processors.agreements": register, "data": tmp_path / "data"}, environ={})


class Press:
    """The published notice of some settings, and how often it was written."""

    def __init__(self, settings: Settings, clock: FakeClock) -> None:
        self.days: list[date] = []
        self._settings = settings
        self._gate = building.make_gate(settings)
        self.notice = PublishedNotice(self._write, self._gate, clock)

    def _write(self, day: date) -> Notice:
        self.days.append(day)
        return building.make_notice(self._settings, self._gate, day)

    def named(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        facts = self.notice.today().notice.facts
        return facts.processors, facts.without_agreement


def test_an_agreement_that_ends_leaves_the_notice_with_its_last_day(settings: Settings) -> None:
    clock = FakeClock(LAST_SECOND)
    press = Press(settings, clock)
    page, version = press.notice.html(), press.notice.version()
    assert press.named() == (("Stimme GmbH",), ())
    clock.advance(1)
    assert press.named() == ((), ("Stimme GmbH",))
    assert press.notice.html() != page
    assert press.notice.version() != version
    assert press.notice.version() in press.notice.html()


def test_a_changed_register_changes_the_notice_at_once_and_back(settings: Settings, register: Path) -> None:
    press = Press(settings, FakeClock())
    version = press.notice.version()
    write(register, NONE)
    assert press.named() == ((), ("Stimme GmbH",))
    write(register, AGREED)
    assert press.notice.version() == version


def test_a_damaged_register_names_nobody_as_receiving_data(settings: Settings, register: Path) -> None:
    press = Press(settings, FakeClock())
    register.write_text("version: [", "utf-8")
    assert press.named() == ((), ("Stimme GmbH",))


def test_it_is_written_once_a_day(settings: Settings) -> None:
    clock = FakeClock(LAST_SECOND)
    press = Press(settings, clock)
    for _ in range(5):
        press.notice.html()
        press.notice.version()
    assert press.days == [UNTIL]
    clock.advance(1)
    press.notice.html()
    press.notice.html()
    assert press.days == [UNTIL, date(2026, 4, 1)]


async def test_a_record_keeps_the_version_that_was_valid_when_its_call_began(
    settings: Settings, register: Path
) -> None:
    desk = Desk("Pflegegrad", outcomes=(Outcome.SUCCEEDED,))
    press = Press(settings, desk.clock)
    version = press.notice.version()
    desk.equipment = replace(desk.equipment, notice_version=press.notice.version)
    desk.call = Call(desk.leg, desk.equipment)
    await desk.rings()
    await desk.prompt_ends(Prompt.NOTICE)
    write(register, NONE)
    await desk.prompt_ends(Prompt.QUESTION)
    await desk.says(seconds=3)
    await desk.prompt_ends(Prompt.CONNECT)
    (draft,) = desk.keeper.sealed
    assert draft.notice_version == version != press.notice.version()


def test_every_edition_goes_into_the_archive_and_earlier_ones_stay_readable(settings: Settings, register: Path) -> None:
    archive, gate = building.make_archive(settings), building.make_gate(settings)
    press = PublishedNotice(lambda day: building.make_notice(settings, gate, day), gate, FakeClock(), archive)
    first, page = press.version(), press.html()
    write(register, NONE)
    second = press.version()
    assert {one.version for one in archive.editions()} == {first, second}
    assert press.earlier(first) == page
    assert press.earlier("0" * 16) is None


def test_an_archive_that_cannot_be_written_costs_no_notice(settings: Settings) -> None:
    settings.data.mkdir(parents=True, exist_ok=True)
    (settings.data / "notices").write_text("a file in its place")
    gate = building.make_gate(settings)
    archive = building.make_archive(settings)
    press = PublishedNotice(lambda day: building.make_notice(settings, gate, day), gate, FakeClock(), archive)
    assert press.version() in press.html()
    assert press.earlier(press.version()) is None
