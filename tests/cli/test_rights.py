from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from anruflotse.cli import main
from anruflotse.clock import SystemClock
from anruflotse.pcm import Pcm
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import Draft
from anruflotse.records.repository import Records
from anruflotse.rights import archive
from tests.records.conftest import tmp_path

__all__ = ["tmp_path"]

WORDS = "Ich warte auf mein Krankengeld, Kanarienvogel."
NUMBER = "+49 30 98765432"
OTHER = "+49 171 2345678"
KEYS = {"request", "article", "records", "due", "evidence"}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    return tmp_path / "data"


def store(data: Path) -> closing[Records]:
    return closing(Records(data / "records", SystemClock(), environment={}))


def seal(data: Path, number: str | None = NUMBER, times: int = 1) -> list[str]:
    now = SystemClock().now()
    with store(data) as records:
        return [
            records.seal(
                Draft(
                    reference=f"{index + 1:032x}",
                    started_at=now,
                    recorded_at=now,
                    decision="route",
                    outcome="succeeded",
                    concern="krankengeld_anliegen",
                    department="krankengeld",
                    transcripts=(WORDS,),
                    recording=Pcm(bytes(1600), 8000),
                    caller=number,
                    processors=("aristech",),
                )
            )
            for index in range(times)
        ]


def run(data: Path, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["rights", *arguments, "--data", str(data)])
    return int(ended.value.code or 0)


Out = Callable[[], tuple[dict[str, object], str]]


@pytest.fixture
def out(capsys: pytest.CaptureFixture[str]) -> Out:
    """What was printed since: the last JSON line, and stderr."""

    def read() -> tuple[dict[str, object], str]:
        printed = capsys.readouterr()
        lines = [line for line in printed.out.splitlines() if line.startswith("{")]
        return (json.loads(lines[-1]) if lines else {}), printed.err

    return read


def test_every_right_takes_a_selector_and_json_alone(data: Path, out: Out) -> None:
    (record,) = seal(data)
    for verb, article in (
        *(("access", "15"), ("export", "20"), ("rectify", "16"), ("restrict", "18"), ("unrestrict", "18")),
        *(("erase", "17"), ("object", "21")),
    ):
        assert run(data, verb, "--number", "030 98765432", "--json") == 0
        told, errors = out()
        assert told.keys() >= KEYS
        assert told["article"] == article
        assert told["evidence"]
        assert "nobody has checked who asks" in errors
        assert told["records"] == ([] if verb == "object" else [record])
    with store(data) as records:
        assert records.objected(NUMBER)
    assert run(data, "list", "--json") == 0


def test_access_tells_words_and_recipients_and_writes_files_for_one_user(data: Path, out: Out, tmp_path: Path) -> None:
    (record,) = seal(data)
    with store(data) as records:
        records.open(record, Accessor("Herr Ton", Role.SPEECH), "weiterleitung")
    folder = tmp_path / "aus gabe"
    assert run(data, "access", "--record", record, "--out", str(folder), "--accessor", "Frau Beispiel", "--json") == 0
    told, _ = out()
    assert WORDS in json.dumps(told["answer"], ensure_ascii=False)
    recipients = told["recipients"]
    assert isinstance(recipients, list)
    assert {"Herr Ton", "Frau Beispiel", "Aristech GmbH"} <= {one["name"] for one in recipients}
    assert sorted(file.name.partition("-")[2] for file in folder.iterdir()) == [
        *("auskunft.html", "auskunft.json", "auskunft.pdf"),
    ]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in folder.iterdir())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert "Herr Ton" not in next(folder.glob("*.html")).read_text()


def test_a_copy_opens_with_the_password_that_is_printed_once(data: Path, out: Out, tmp_path: Path) -> None:
    seal(data)
    assert run(data, "export", "--number", NUMBER, "--json") == 0
    told, errors = out()
    assert "password" not in told
    assert "--out" in errors
    assert run(data, "export", "--number", NUMBER, "--out", str(tmp_path / "o"), "--json") == 0
    told, _ = out()
    locked = next((tmp_path / "o").glob("*-kopie.zip")).read_bytes()
    assert "anruf-1.vcon.json" in archive.unpacked(locked, str(told["password"]))
    assert run(data, "export", "--number", NUMBER, "--password", "kurz", "--json") == 2
    assert "12 characters" in out()[1]


def test_nothing_found_is_exit_code_1_with_a_letter(data: Path, out: Out) -> None:
    seal(data)
    for verb in ("access", "export", "rectify", "erase", "restrict", "unrestrict"):
        assert run(data, verb, "--number", OTHER, "--json") == 1
        told, errors = out()
        assert told["records"] == []
        assert told["evidence"]
        assert "nothing was found" in errors
    assert run(data, "erase", "--number", NUMBER, "--json") == 0
    assert run(data, "erase", "--number", NUMBER, "--json") == 1
    assert out()[0]["repeated"]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--number", NUMBER, "--record", "0" * 32),
        ("--from", "2026-11-01"),
        ("--from", "2026-11-02", "--to", "2026-11-01"),
        ("--from", "2026-11-02T10:00", "--to", "2026-11-02T10:00"),
        ("--from", "gestern", "--to", "2026-11-01"),
        ("--from", "9999-12-31", "--to", "9999-12-31"),
        ("--number", ""),
        ("--number", "anonymous"),
        ("--number", "1" * 600),
        ("--record", "\udcff"),
        ("--number", NUMBER, "--person", "\udcff"),
        ("--number", NUMBER, "--received", "2999-01-01"),
        ("--number", NUMBER, "--received", "1.1.2026"),
        ("--number", NUMBER, "--identified", "x" * 600),
        ("--number", NUMBER, "--out", "/proc/nowhere"),
    ],
)
def test_wrong_use_is_exit_code_2_and_files_nothing(data: Path, out: Out, arguments: tuple[str, ...]) -> None:
    seal(data)
    assert run(data, "access", *arguments, "--json") == 2
    told, errors = out()
    assert told == {}
    assert "Traceback" not in errors
    assert run(data, "list", "--json") == 0
    assert out()[0] == {}


def test_many_records_or_a_huge_window_are_asked_about_first(data: Path, out: Out) -> None:
    seal(data, times=11)
    today = SystemClock().now().date().isoformat()
    for verb in ("erase", "restrict", "object"):
        assert run(data, verb, "--from", f"{today}T00:00Z", "--to", f"{today}T23:59:59Z", "--json") == 2
        assert "11 records" in " ".join(out()[1].split())
    with store(data) as records:
        assert records.status().records == 11
        assert records.status().restricted == 0
    assert run(data, "erase", "--from", "2020-01-01", "--to", "2099-01-01", "--yes", "--json") == 0
    assert out()[0]["erased"] == 11
    with store(data) as records:
        assert records.status().records == 0


def test_a_window_longer_than_anything_is_kept_is_asked_about_however_little_it_holds(data: Path, out: Out) -> None:
    seal(data)
    assert run(data, "erase", "--from", "2020-01-01", "--to", "2099-01-01", "--json") == 2
    assert "1 records" in " ".join(out()[1].split())
    # Nobody has to be asked about nothing.
    assert run(data, "erase", "--from", "2019-01-01", "--to", "2020-01-01", "--json") == 1


def test_a_small_window_is_done_at_once(data: Path, out: Out) -> None:
    seal(data, times=2)
    today = SystemClock().now().date().isoformat()
    # A day alone is that whole day in Germany, which may be tomorrow's already.
    assert run(data, "erase", "--from", f"{today}T00:00Z", "--to", f"{today}T23:59:59Z", "--json") == 0
    assert out()[0]["erased"] == 2


def test_a_restriction_is_lifted_after_the_letter_was_sent(data: Path, out: Out) -> None:
    (record,) = seal(data)
    assert run(data, "restrict", "--record", record, "--json") == 0
    told, errors = out()
    assert told["ground"] == "a"
    assert "no ground was named" in errors
    assert run(data, "restrict", "--record", record, "--ground", "x") == 2
    assert run(data, "restrict", "--record", record, "--ground", "a", "--hold") == 2
    out()
    assert run(data, "unrestrict", "--record", record, "--json") == 0
    case = str(out()[0]["request"])
    assert run(data, "unrestrict", "--record", record, "--json") == 1
    assert "Art. 18(3)" in out()[1]
    assert run(data, "todo", case[:8], "1", "--done", "--note", "Brief", "--json") == 0
    assert run(data, "unrestrict", "--record", record, "--json") == 0
    assert out()[0]["lifted"] == [record]
    assert run(data, "unrestrict", "--record", record, "--asked", "--json") == 1


def test_a_correction_is_entered_with_its_text(data: Path, out: Out) -> None:
    (record,) = seal(data)
    assert run(data, "rectify", "--record", record, "--json") == 0
    assert "nothing was corrected" in out()[1]
    assert run(data, "rectify", "--record", record, "--text", "Anders.", "--utterance", "2", "--json") == 2
    for text in ("", " ", "x" * 10_001, "\udcff"):
        assert run(data, "rectify", "--record", record, "--text", text, "--json") == 2
    assert run(data, "rectify", "--record", record, "--text", "Anders.", "--json") == 0
    assert out()[0]["state"] == "prepared"
    with store(data) as records:
        (fix,) = records.open(record, Accessor("x", Role.PRIVACY), "betroffenenrechte").corrections
    assert fix.text == "Anders."


def test_a_request_goes_all_the_way(data: Path, out: Out, tmp_path: Path) -> None:
    seal(data)
    assert run(data, "access", "--number", NUMBER, "--person", "Frau Müller", "--json") == 0
    case = str(out()[0]["request"])
    assert run(data, "answer", case) == 1
    assert "who asks" in out()[1]
    assert run(data, "identify", case, "Personalausweis vorgelegt", "--json") == 0
    assert out()[0]["identified"] == "Personalausweis vorgelegt"
    assert run(data, "extend", case, "--reason", "Viele Anrufe", "--json") == 0
    assert out()[0]["extended"]
    assert run(data, "extend", case, "--reason", "Noch mehr") == 1
    assert run(data, "show", case, "--out", str(tmp_path / "brief"), "--json") == 0
    out()
    names = sorted(file.name.partition("-")[2] for file in (tmp_path / "brief").iterdir())
    assert names == [
        *("1-fristverlaengerung.html", "1-fristverlaengerung.json", "1-fristverlaengerung.pdf"),
        *("auskunft.html", "auskunft.json", "auskunft.pdf"),
    ]
    assert run(data, "answer", case, "--how", "Brief") == 0
    assert run(data, "close", case) == 1
    assert run(data, "todo", case, "1", "--done") == 0
    assert run(data, "close", case) == 0
    out()
    assert run(data, "list", "--state", "closed", "--article", "15", "--json") == 0
    assert out()[0]["request"] == case
    assert run(data, "show", case, "--json") == 0
    told, _ = out()
    steps = told["steps"]
    assert isinstance(steps, list)
    assert [step["what"] for step in steps][-3:] == ["answered", "todo_done", "closed"]
    assert told["person"] == "Frau Müller"


def test_a_refusal_needs_a_reason(data: Path, out: Out) -> None:
    seal(data)
    assert run(data, "access", "--number", NUMBER, "--json") == 0
    case = str(out()[0]["request"])
    assert run(data, "refuse", case) == 2
    assert run(data, "refuse", case, "--reason", " ") == 2
    assert run(data, "refuse", case, "--reason", "Nicht zu klären, wer anfragt.", "--json") == 0
    assert out()[0]["state"] == "refused"


def test_both_sides_are_compared_and_decided(data: Path, out: Out, tmp_path: Path) -> None:
    (record,) = seal(data)
    today = SystemClock().now().date().isoformat()
    assert run(data, "access", "--from", f"{today}T00:00Z", "--to", f"{today}T23:59:59Z", "--json") == 0
    told, errors = out()
    assert told["undecided"] == [record]
    assert "whose they are" in errors
    case = str(told["request"])
    page = tmp_path / "vergleich.html"
    assert run(data, "compare", case, "--json", "--html", str(page)) == 0
    told, _ = out()
    assert told["decision"] == "open"
    assert WORDS in json.dumps(told["stored"], ensure_ascii=False)
    assert WORDS not in json.dumps(told["handed_out"], ensure_ascii=False)
    assert page.stat().st_mode & 0o777 == 0o600
    assert run(data, "compare", case, "--redact", "Kanarienvogel", "--json") == 0
    assert "Ich warte auf mein Krankengeld, [geschwärzt]." in json.dumps(out()[0]["handed_out"], ensure_ascii=False)
    assert run(data, "compare", case, "--redact", "x", "--withhold") == 2
    assert run(data, "compare", case, "--redact", "kommt nicht vor") == 2
    assert run(data, "compare", case) == 0


@pytest.mark.parametrize("arguments", [("list", "--article", "22"), ("list", "--state", "x"), ("todo", "a" * 32, "1")])
def test_what_there_is_not_is_wrong_use(data: Path, arguments: tuple[str, ...]) -> None:
    seal(data)
    assert run(data, *arguments) == 2


@pytest.mark.parametrize("verb", ["show", "answer", "close", "todo", "compare"])
def test_a_request_there_is_not_is_exit_code_1(data: Path, verb: str) -> None:
    seal(data)
    assert run(data, verb, "0" * 32) == 1


def test_a_store_that_is_away_is_exit_code_3(data: Path) -> None:
    seal(data)
    (data / "records" / "keys" / "keys.sqlite").write_bytes(b"no database at all" * 100)
    assert run(data, "access", "--number", NUMBER, "--json") == 3


def test_an_objection_can_be_withdrawn(data: Path, out: Out) -> None:
    data.mkdir()
    assert run(data, "object", "--number", NUMBER, "--json") == 0
    assert out()[0]["objected_until"]
    assert run(data, "object", "--number", NUMBER, "--withdraw", "--json") == 0
    assert run(data, "object", "--number", NUMBER, "--withdraw", "--json") == 1
    assert run(data, "object", "--number", "anton", "--json") == 1
    assert run(data, "object", "--number", NUMBER, "--keep", "x", "--weigh") == 2


def test_files_are_not_written_through_a_link(data: Path, out: Out, tmp_path: Path) -> None:
    (record,) = seal(data)
    assert run(data, "access", "--record", record, "--json") == 0
    case = str(out()[0]["request"])
    folder = tmp_path / "o"
    folder.mkdir()
    (folder / f"{case[:8]}-auskunft.pdf").symlink_to(tmp_path / "victim")
    assert run(data, "access", "--record", record, "--out", str(folder)) == 2
    assert not (tmp_path / "victim").exists()


def test_a_page_that_was_there_is_for_one_user_alone_afterwards(data: Path, tmp_path: Path) -> None:
    (record,) = seal(data)
    assert run(data, "access", "--record", record, "--json") == 0
    with store(data) as records:
        (case,) = records.cases(Accessor("x", Role.PRIVACY))
    page = tmp_path / "vergleich.html"
    page.write_text("older")
    page.chmod(0o644)
    assert run(data, "compare", case.id, "--html", str(page)) == 0
    assert WORDS in page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600


def test_blackening_adds_up_unless_it_begins_anew(data: Path, out: Out) -> None:
    (record,) = seal(data)
    assert run(data, "access", "--record", record, "--json") == 0
    case = str(out()[0]["request"])
    for arguments, gone, there in (
        (("--redact", "Kanarienvogel"), ["Kanarienvogel"], ["Krankengeld"]),
        (("--mute", "0-0.05"), ["Kanarienvogel"], ["Krankengeld", "0.05 Sekunden"]),
        (("--redact", "Krankengeld"), ["Kanarienvogel", "Krankengeld", "0.05 Sekunden"], ["Ohne Ton"]),
        (("--redact", "Kanarienvogel", "--anew"), ["Kanarienvogel", "0.05 Sekunden"], ["Krankengeld"]),
    ):
        assert run(data, "compare", case, *arguments, "--json") == 0
        shown = json.dumps(out()[0]["handed_out"], ensure_ascii=False)
        assert all(word not in shown for word in gone)
        assert all(word in shown for word in there)
    assert run(data, "compare", case, "--anew") == 2
    assert "--anew" in out()[1]


def test_what_was_said_cannot_write_to_the_terminal(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (record,) = seal(data)
    nasty = "Frau M\x07\u202eelor\x1b[2J\x9b2J\nzweite Zeile"
    with store(data) as records:
        records.rectify(record, Accessor("x", Role.PRIVACY), 0, nasty)
    assert run(data, "access", "--record", record) == 0
    assert run(data, "access", "--record", record, "--json") == 0
    case = json.loads(capsys.readouterr().out.splitlines()[-1])["request"]
    assert run(data, "access", "--record", record) == 0
    assert run(data, "compare", str(case)) == 0
    printed = capsys.readouterr().out
    assert "Frau M" in printed
    for letter in ("\x07", "\u202e", "\x1b", "\x9b"):
        assert letter not in printed
    assert "\nzweite" not in printed


def test_nobody_is_asked_to_erase_what_is_not_erased(data: Path, out: Out) -> None:
    seal(data, times=11)
    today = SystemClock().now().date().isoformat()
    window = ("--from", f"{today}T00:00Z", "--to", f"{today}T23:59:59Z")
    assert run(data, "object", *window, "--weigh") == 2
    told = " ".join(out()[1].replace("│", " ").split())
    assert "--yes to restrict all of them" in told
    # These touch no record, and end with what is so.
    run(data, "object", *window, "--withdraw", "--json")
    assert "all of them" not in out()[1]
    assert run(data, "object", *window, "--keep", "Zwingende Gründe", "--json") == 0
    assert "all of them" not in out()[1]
    with store(data) as records:
        assert records.status().records == 11
        assert records.status().restricted == 0


def test_a_section_in_the_environment_is_told_what_to_set(
    data: Path, out: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANRUFLOTSE_INSURER__PRIVACY_CONTACT", "Frau Beispiel")
    assert run(data, "list") == 2
    told = out()[1]
    assert "did you mean" not in told
    assert "ANRUFLOTSE_INSURER__PRIVACY_CONTACT__" in told
