from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from anruflotse.cli import main
from anruflotse.clock import FakeClock, SystemClock
from anruflotse.pcm import Pcm
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import Draft, RankedConcern
from anruflotse.records.repository import Records

WORDS = "Ich warte auf mein Krankengeld, Kanarienvogel."
NUMBER = "+49 30 98765432"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    return tmp_path / "data"


def seal(data: Path, age: timedelta = timedelta()) -> str:
    """One record, recorded `age` ago, as the running service writes it."""
    now = SystemClock().now()
    with closing(Records(data / "records", FakeClock(now - age), environment={})) as store:
        return store.seal(
            Draft(
                reference="ab12" * 8,
                started_at=now - age,
                recorded_at=now - age,
                decision="route",
                outcome="succeeded",
                concern="krankengeld_anliegen",
                department="krankengeld",
                target="sip:krankengeld@127.0.0.1:5090",
                transcripts=(WORDS,),
                ranking=(RankedConcern("krankengeld_anliegen", "krankengeld", 0.875),),
                explanations=({"zone": "route", "thresholds": [{"name": "route", "at": 0.74, "found": 0.875}]},),
                recording=Pcm(bytes(1600), 8000),
                caller=NUMBER,
            )
        )


@pytest.fixture
def record(data: Path) -> str:
    return seal(data)


def run(data: Path, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--data", str(data)])
    return int(ended.value.code or 0)


def trail(data: Path) -> list[tuple[str, str, str, str, str]]:
    """The audit trail, without this look at it."""
    with closing(Records(data / "records", SystemClock(), environment={})) as store:
        entries = [one.entry for one in store.trail(Accessor("Revision", Role.PRIVACY), "betroffenenrechte")]
    told = [(one.accessor, one.role, one.purpose, one.act, one.result) for one in entries]
    return [one for one in told if one[0] != "Revision"]


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_list_has_the_agreed_keys_and_neither_number_nor_words(
    data: Path, record: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, "records", "list", "--json") == 0
    (line,) = printed(capsys)
    assert list(line) == [
        "id", "reference", "recorded_at", "expires_at", "concern", "department", "decision", "outcome", "restricted",
    ]  # fmt: skip
    assert line["id"] == record
    assert line["reference"] == "ab12" * 8
    assert (line["concern"], line["decision"], line["restricted"]) == ("krankengeld_anliegen", "route", False)
    assert str(line["recorded_at"]).endswith("+00:00")
    assert run(data, "records", "list") == 0
    table = capsys.readouterr().out
    assert record in table
    assert "krankengeld_anliegen" in table
    for secret in ("Kanarienvogel", "98765432"):
        assert secret not in table + json.dumps(line)


def test_an_empty_store_is_told(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "records", "list", "--json") == 0
    assert capsys.readouterr().out == ""
    assert run(data, "records", "list") == 0
    assert "no records" in capsys.readouterr().out


def test_a_record_is_shown_for_a_purpose_and_the_access_is_logged(
    data: Path, record: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("records", "show", record, "--purpose", "betroffenenrechte", "--accessor", "frau.beispiel")
    assert run(data, *arguments, "--json") == 0
    (line,) = printed(capsys)
    assert line["id"] == record
    assert line["transcripts"] == [WORDS]
    assert line["caller"] == NUMBER
    assert line["recording"] is True
    assert line["ranking"] == [{"concern": "krankengeld_anliegen", "department": "krankengeld", "probability": 0.875}]
    assert line["explanations"] == [{"zone": "route", "thresholds": [{"name": "route", "at": 0.74, "found": 0.875}]}]
    assert line["legal_basis"] == "§ 284 SGB V i. V. m. Art. 6 Abs. 1 lit. e DSGVO"
    assert run(data, *arguments) == 0
    shown = capsys.readouterr().out
    assert WORDS in shown
    assert "krankengeld_anliegen krankengeld 0.875" in shown
    assert "zone route: route 88% of 74%" in shown
    assert trail(data) == [("frau.beispiel", "datenschutz", "betroffenenrechte", "text", "granted")] * 2


@pytest.mark.parametrize("purpose", [(), ("--purpose", "training")])
def test_without_a_purpose_from_the_list_nothing_is_shown(
    data: Path, record: str, capsys: pytest.CaptureFixture[str], purpose: tuple[str, ...]
) -> None:
    assert run(data, "records", "show", record, *purpose) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "weiterleitung, betroffenenrechte, datenschutzkontrolle" in told.err
    assert [entry[4] for entry in trail(data)] == ["refused_purpose"]


def test_the_role_belongs_to_the_purpose_unless_another_one_is_named(
    data: Path, record: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show = ("records", "show", record, "--accessor", "eva", "--json", "--purpose")
    assert run(data, *show, "weiterleitung") == 0
    (line,) = printed(capsys)
    assert (line["transcripts"], line["caller"]) == ([WORDS], None)
    assert run(data, *show, "weiterleitung", "--role", "technik") == 1
    assert "technik may not do this" in capsys.readouterr().err
    assert run(data, *show, "betrieb") == 1
    assert run(data, *show, "weiterleitung", "--role", "chef") == 2
    assert "sprachverarbeitung, fachabteilung" in capsys.readouterr().err
    assert trail(data) == [
        ("eva", "sprachverarbeitung", "weiterleitung", "text", "granted"),
        ("eva", "technik", "weiterleitung", "text", "refused_role"),
        ("eva", "technik", "betrieb", "text", "refused_role"),
    ]


def test_the_list_is_for_supervision_unless_another_purpose_is_stated(
    data: Path, record: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for purpose in ("training", ""):
        assert run(data, "records", "list", "--purpose", purpose) == 2
        assert "not on the list" in capsys.readouterr().err
    assert run(data, "records", "list", "--purpose", "weiterleitung", "--role", "leitung") == 1
    assert run(data, "records", "list", "--accessor", "eva") == 0
    assert record in capsys.readouterr().out
    assert trail(data)[-1] == ("eva", "datenschutz", "datenschutzkontrolle", "list", "granted")


def test_a_record_is_restricted_held_and_freed(data: Path, record: str, capsys: pytest.CaptureFixture[str]) -> None:
    restrict = ("records", "restrict", record, "--json", "--ground")
    assert run(data, *restrict, "x") == 2
    assert "a, b, c, d" in capsys.readouterr().err
    assert run(data, *restrict, "a", "--hold", "--review", "2199-01-31") == 2
    assert "18(1)(b) or (c)" in capsys.readouterr().err
    assert run(data, *restrict, "c", "--hold", "--review", "2020-01-31") == 2
    assert "must lie ahead" in capsys.readouterr().err
    assert run(data, *restrict, "c", "--hold", "--review", "2199-01-31") == 0
    (told,) = printed(capsys)
    assert (told["restricted"], told["held"], told["review_on"]) == (True, True, "2199-01-31T00:00:00+01:00")
    assert run(data, "records", "show", record, "--purpose", "weiterleitung") == 1
    assert "Art. 18" in capsys.readouterr().err
    assert run(data, "retention", "status", "--json") == 0
    (status,) = printed(capsys)
    assert (status["restricted"], status["held"], status["reviews_due"]) == (1, 0, 0)
    assert run(data, "records", "unrestrict", record) == 0
    assert run(data, "records", "show", record, "--purpose", "weiterleitung") == 0
    assert run(data, "records", "restrict", "0" * 32, "--ground", "a") == 1
    assert "no such record" in capsys.readouterr().err


def test_statistics_hide_small_numbers(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "statistics") == 0
    assert "Nothing has been counted" in capsys.readouterr().out
    with closing(Records(data / "records", FakeClock(), environment={})) as store:
        for _ in range(5):
            store.count("routed", "krankengeld", "route")
        store.count("objected")
    assert run(data, "statistics", "--json") == 0
    assert [(line["day"], line["kind"], line["number"]) for line in printed(capsys)] == [
        ("2026-03-03", "objected", None),
        ("2026-03-03", "routed", 5),
    ]
    assert run(data, "statistics") == 0
    assert "under 5" in capsys.readouterr().out
    assert run(data, "statistics", "--since", "2026-03-04", "--json") == 0
    assert printed(capsys) == []
    assert run(data, "statistics", "--since", "gestern") == 2
    assert run(data, "statistics", "--role", "fachabteilung") == 1


def test_what_is_not_there_or_has_expired_is_not_found(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expired = seal(data, timedelta(days=28))
    for one in ("0" * 32, "nonsense", expired):
        assert run(data, "records", "show", one, "--purpose", "weiterleitung") == 1
        assert "no such record" in capsys.readouterr().err


def test_retention_tells_and_sweeps(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seal(data, timedelta(days=28, seconds=1))
    assert run(data, "retention", "status", "--json") == 0
    (before,) = printed(capsys)
    assert (before["records"], before["next_expiry"], before["deleted"], before["overdue"]) == (0, None, 0, 1)
    assert run(data, "retention", "sweep", "--json") == 0
    (swept,) = printed(capsys)
    assert (swept["deleted"], swept["keys_destroyed"], swept["failed"], swept["scrubbed"]) == (1, 1, 0, True)
    assert {"records", "next_expiry", "at"} <= set(swept)
    living = seal(data)
    assert run(data, "retention", "sweep") == 0
    assert "deleted         0" in capsys.readouterr().out
    assert run(data, "retention", "status", "--json") == 0
    (after,) = printed(capsys)
    assert (after["records"], after["deleted"], after["keys_destroyed"], after["overdue"]) == (1, 1, 1, 0)
    assert run(data, "records", "list", "--json") == 0
    (line,) = printed(capsys)
    assert (line["id"], line["expires_at"]) == (living, after["next_expiry"])


def test_a_store_that_cannot_be_opened_is_told_in_one_sentence(
    data: Path, record: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "records" / "keys" / "master.key").chmod(0o644)
    assert run(data, "records", "list") == 3
    told = capsys.readouterr().err
    assert "chmod 600" in told
    assert "Traceback" not in told


def test_a_longer_retention_is_refused(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANRUFLOTSE_RETENTION__DAYS", "29")
    assert run(data, "retention", "status") == 2
    assert "retention.days" in capsys.readouterr().err
