from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from anruflotse import departments, processors, settings
from anruflotse.clock import FakeClock
from anruflotse.notice import Archive, Notice
from anruflotse.rights import wiring
from anruflotse.yamlshape import ShapeError


def test_letters_say_what_the_settings_say(tmp_path: Path) -> None:
    given = {
        "data": tmp_path,
        "insurer.name": "Kasse A",
        "insurer.federal_state": "BY",
        "insurer.privacy_contact.written": "Frau D, Tel. 1",
        "retention.days": 14,
        "call.objection_key": "7",
        "rights.objection_years": 5,
        "rights.case_days": 400,
        "rights.supervisory_authority": "Aufsicht B",
    }
    house = wiring.house(settings.load(None, given, {}))
    assert (house.insurer, house.contact, house.authority) == ("Kasse A", "Frau D, Tel. 1", "Aufsicht B")
    assert (house.federal_state, house.retention_days, house.objection_key) == ("BY", 14, "7")
    assert (house.objection_years, house.case_days) == (5, 400)
    assert house.processor("aristech") == "Aristech GmbH"
    assert house.processor("weg") == "weg"
    assert house.department(None) == "Telefonzentrale (persönliche Annahme)"
    assert house.department("pflegekasse") != "pflegekasse"


def test_the_longest_call_is_as_long_as_the_settings_let_it_be(tmp_path: Path) -> None:
    given = {"data": tmp_path, "call.max_seconds": 300, "call.transfer_seconds": 20}
    loaded = settings.load(None, given, {})
    catalogue = departments.load(None, federal_state="BE", processors=frozenset(processors.load(None)))
    longest = wiring.house(loaded).longest_call
    assert longest == wiring.longest_call(loaded, catalogue)
    human = len(catalogue.desk.targets) + len(catalogue.desk.emergency)
    for department in catalogue.departments.values():
        rings = len(department.targets) + len(department.overflow) + human
        assert longest >= timedelta(seconds=300 + rings * 20 + wiring.CLOSING_SECONDS)
    assert longest < timedelta(minutes=20)


def test_a_copy_has_the_notice_its_caller_heard(tmp_path: Path) -> None:
    loaded = settings.load(None, {"data": tmp_path}, {})
    notice = Notice()
    Archive(tmp_path / wiring.NOTICES).keep(notice, FakeClock().now())
    house = wiring.house(loaded)
    assert house.edition(notice.version()) == notice.facts.spoken
    assert house.edition("0" * 16) is None
    (tmp_path / wiring.NOTICES / f"{notice.version()}.json").write_text("damaged")
    assert house.edition(notice.version()) is None


def test_a_damaged_register_is_said_to_be_one(tmp_path: Path) -> None:
    file = tmp_path / "register.yaml"
    file.write_text("version: 1\n")
    with pytest.raises(ShapeError, match=r"register\.yaml"):
        wiring.house(settings.load(None, {"data": tmp_path, "processors.agreements": file}, {}))
