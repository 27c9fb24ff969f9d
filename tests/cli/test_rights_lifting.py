from __future__ import annotations

from pathlib import Path

import pytest

from anruflotse.cli import main
from anruflotse.clock import SystemClock
from tests.cli.test_rights import NUMBER, Out, data, out, run, seal, store
from tests.records.conftest import tmp_path

__all__ = ["data", "out", "tmp_path"]


def restricted(data: Path) -> int:
    with store(data) as records:
        return records.status().restricted


def test_restrictions_of_a_stretch_of_time_are_not_lifted_at_once(data: Path, out: Out) -> None:
    mine, theirs = seal(data, times=2)
    for record in (mine, theirs):
        assert run(data, "restrict", "--record", record, "--ground", "a", "--json") == 0
    today = SystemClock().now().date().isoformat()
    out()
    for more in ((), ("--asked",)):
        times = ("--from", "2020-01-01") if more else ("--from", f"{today}T00:00Z")
        assert run(data, "unrestrict", *times, "--to", "2099-01-01", *more, "--json") == 2
        assert mine in "".join(out()[1].split())
    assert restricted(data) == 2
    assert run(data, "unrestrict", "--record", mine, "--asked", "--json") == 0
    assert out()[0]["lifted"] == [mine]
    # Said again there is nothing left to lift, though the request tells what it lifted.
    assert run(data, "unrestrict", "--record", mine, "--asked", "--json") == 1
    assert out()[0]["lifted"] == []
    assert restricted(data) == 1


def test_what_is_restricted_after_the_letter_is_not_lifted_with_it(data: Path, out: Out) -> None:
    first, second = seal(data, times=2)
    assert run(data, "restrict", "--record", first, "--ground", "a", "--json") == 0
    assert run(data, "unrestrict", "--number", NUMBER, "--json") == 0
    case = str(out()[0]["request"])
    assert run(data, "todo", case, "1", "--done") == 0
    assert run(data, "restrict", "--record", second, "--ground", "a", "--json") == 0
    out()
    assert run(data, "unrestrict", "--number", NUMBER, "--json") == 0
    told, errors = out()
    assert told["request"] == case
    assert told["lifted"] == []
    assert "not lifted yet" in errors
    assert restricted(data) == 2


def test_a_later_restriction_says_that_a_hold_stays(data: Path, out: Out) -> None:
    (record,) = seal(data)
    hold = ("--ground", "c", "--hold", "--review", "2099-01-31")
    assert run(data, "restrict", "--number", NUMBER, *hold, "--json") == 0
    assert out()[0]["held_before"] == 0
    assert run(data, "restrict", "--record", record, "--ground", "a", "--json") == 0
    told, errors = out()
    assert told["held_before"] == 1
    assert "stay held" in errors
    with store(data) as records:
        assert records._opener.stores().keys.held([record]) == {record}


def test_a_single_record_is_not_unheld_by_another_ground(data: Path, out: Out) -> None:
    (record,) = seal(data)
    assert run(data, "restrict", "--record", record, "--ground", "c", "--hold", "--review", "2099-01-31") == 0
    out()
    with pytest.raises(SystemExit) as ended:
        main(["records", "restrict", record, "--ground", "a", "--data", str(data)])
    assert ended.value.code == 2
    assert "Lift the hold first" in " ".join(out()[1].split())
    with store(data) as records:
        assert records._opener.stores().keys.held([record]) == {record}
