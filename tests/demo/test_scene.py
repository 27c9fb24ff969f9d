"""The demonstration judges itself honestly."""

from __future__ import annotations

from pathlib import Path

import pytest

from anruflotse.demo.cast import CAST, HUMAN
from anruflotse.demo.scene import Story, numbers_left

KEPT = next(caller for caller in CAST if caller.kept)
OBJECTOR = next(caller for caller in CAST if not caller.kept)


def test_the_cast_shows_what_the_demonstration_must_show() -> None:
    assert len(CAST) >= 6
    assert len({caller.ends_at for caller in CAST if caller.ends_at != HUMAN}) >= 2
    assert len({caller.number for caller in CAST}) == len(CAST)


@pytest.mark.parametrize(
    ("answered_by", "kept", "over", "good"),
    [
        (KEPT.ends_at, True, True, True),
        (KEPT.ends_at, True, False, False),
        (KEPT.ends_at, False, True, False),
        (HUMAN, True, True, False),
        (None, True, True, False),
    ],
)
def test_a_call_is_right_only_when_it_ended_and_left_what_it_must(
    answered_by: str | None, kept: bool, over: bool, good: bool
) -> None:
    assert Story(KEPT, answered_by=answered_by, kept=kept, over=over).as_it_must is good


def test_an_objector_with_a_record_is_wrong() -> None:
    assert not Story(OBJECTOR, answered_by=HUMAN, kept=True, over=True).as_it_must


def test_a_number_in_plain_on_disk_is_found(tmp_path: Path) -> None:
    tmp_path = tmp_path / "models" / "data"
    (tmp_path / "records").mkdir(parents=True)
    (tmp_path / "records" / "db").write_bytes(b"\x00" + OBJECTOR.number[1:].encode() + b"\x00")
    assert numbers_left(tmp_path, [KEPT, OBJECTOR]) == [OBJECTOR.name]
    assert numbers_left(tmp_path, [KEPT]) == []
