"""What officers type at `anruflotse rights`: times, numbers, and where the records are."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from anruflotse.cli import rights_shown
from anruflotse.rights import searching
from tests.cli.test_rights import NUMBER, WORDS, Out, data, out, run, seal, store
from tests.records.conftest import tmp_path

__all__ = ["data", "out", "tmp_path"]


def window(start: str, end: str) -> tuple[datetime, datetime] | None:
    return rights_shown.scope(None, None, None, start, end).window


def test_the_hour_that_comes_twice_is_taken_whole() -> None:
    # In the night to 25 October 2026 the clocks were put back from 3 to 2 (01:00 UTC).
    assert window("2026-10-25T02:30", "2026-10-25T02:45") == (
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 45, tzinfo=UTC),
    )
    assert window("2026-10-25T02:45", "2026-10-25T02:15") is not None
    assert window("2026-10-25T02:30+01:00", "2026-10-25T02:45+01:00") == (
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 45, tzinfo=UTC),
    )
    one, other = (
        rights_shown.scope(None, None, None, "2026-10-25T02:30", end)
        for end in ("2026-10-25T02:45", "2026-10-25T02:45")
    )
    assert searching.same(one, other)
    assert window("2026-10-25", "2026-10-25") == (
        datetime(2026, 10, 24, 22, tzinfo=UTC),
        datetime(2026, 10, 25, 23, tzinfo=UTC),
    )


@pytest.mark.parametrize("typed", ["2026-03-29T02:00", "2026-03-29T02:30", "2026-03-29T02:59:59"])
def test_the_hour_that_was_skipped_is_no_time(typed: str) -> None:
    for start, end in ((typed, "2026-03-29T05:00"), ("2026-03-29T01:00", typed)):
        with pytest.raises(typer.BadParameter, match="put forward"):
            window(start, end)
    assert window("2026-03-29T01:59:59", "2026-03-29T03:00") is not None


@pytest.mark.parametrize("typed", ["0001-01-01", "0001-01-01T00:00", "9999-12-31"])
def test_a_time_that_cannot_be_is_wrong_use(data: Path, typed: str) -> None:
    seal(data)
    assert run(data, "erase", "--from", typed, "--to", typed) == 2


@pytest.mark.parametrize("verb", ["access", "erase", "object", "list"])
def test_a_data_directory_there_is_not_is_exit_code_3_and_makes_nothing(data: Path, out: Out, verb: str) -> None:
    assert run(data, verb, "--number", NUMBER, "--json") == 3
    _, errors = out()
    assert "There is no data directory" in errors
    assert "--data" in errors
    assert not data.exists()
    # A fresh one of the service is no mistake.
    data.mkdir()
    assert run(data, "list", "--json") == 0


def test_show_makes_the_answer_again_until_the_request_is_closed(data: Path, out: Out, tmp_path: Path) -> None:
    seal(data)
    assert run(data, "access", "--number", NUMBER, "--identified", "Ausweis", "--json") == 0
    case = str(out()[0]["request"])
    assert run(data, "answer", case) == 0
    folder = tmp_path / "noch einmal"
    assert run(data, "show", case, "--out", str(folder), "--json") == 0
    told, errors = out()
    assert told["state"] == "answered"
    assert WORDS in (folder / f"{case[:8]}-auskunft.html").read_text()
    assert "no copy" not in errors
    assert run(data, "close", case) == 0
    assert run(data, "show", case, "--out", str(tmp_path / "zu"), "--json") == 0
    told, errors = out()
    assert told["files"] == []
    assert "the request is closed, so no copy of what was said is made" in errors


@pytest.mark.parametrize("looked_at", [True, False])
def test_what_was_corrected_after_the_answer_is_not_made_again_unseen(
    data: Path, out: Out, tmp_path: Path, looked_at: bool
) -> None:
    (record,) = seal(data)
    assert run(data, "access", "--number", NUMBER, "--identified", "Ausweis", "--json") == 0
    case = str(out()[0]["request"])
    if looked_at:
        assert run(data, "compare", case, "--record", record, "--include") == 0
        assert run(data, "access", "--number", NUMBER) == 0
    assert run(data, "answer", case) == 0
    assert run(data, "rectify", "--record", record, "--text", "Frau Geheim hat es gesagt.") == 0
    assert run(data, "show", case, "--out", str(tmp_path / "o"), "--json") == 0
    page = (tmp_path / "o" / f"{case[:8]}-auskunft.html").read_text()
    assert WORDS in page
    assert "Geheim" not in page


def test_several_notations_of_a_number_are_one_request(data: Path, out: Out) -> None:
    seal(data, "+493098765432")
    cases = set()
    for typed in ("030 98765432", "+49 (0)30 98765432", "Tel. 030/98765432", "tel:+49-30-98765432"):
        assert run(data, "access", "--number", typed, "--json") == 0
        cases.add(out()[0]["request"])
        assert run(data, "list", "--number", typed, "--json") == 0
        assert out()[0]["request"] in cases
    assert len(cases) == 1


def test_another_person_gets_another_answer(data: Path, out: Out) -> None:
    seal(data)
    assert run(data, "access", "--number", NUMBER, "--person", "Frau A", "--identified", "Perso", "--json") == 0
    first = out()[0]
    assert run(data, "access", "--number", NUMBER, "--person", "Herr B", "--json") == 0
    second = out()[0]
    assert second["request"] != first["request"]
    assert not second["repeated"]
    assert run(data, "answer", str(second["request"])) == 1
    assert "who asks" in out()[1]


def test_a_closed_erasure_waits_for_a_call_that_may_go_on(data: Path, out: Out) -> None:
    assert not data.exists()
    data.mkdir()
    assert run(data, "erase", "--number", NUMBER, "--identified", "Ausweis", "--json") == 1
    case = str(out()[0]["request"])
    assert run(data, "answer", case) == 0
    assert run(data, "close", case) == 1
    assert "German time" in out()[1]
    with store(data) as records:
        assert records.status().records == 0
