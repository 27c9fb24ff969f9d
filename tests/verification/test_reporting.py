"""The signed report: what is in it, and that nobody can change it unnoticed."""

from __future__ import annotations

import io
import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from anruflotse.app.building import make_records
from anruflotse.clock import SystemClock
from anruflotse.notice import Promise
from anruflotse.records.repository import Records
from anruflotse.verification import Evidence, Report, ReportError, check_report, report_of, write_report
from anruflotse.verification.finding import Status
from anruflotse.verification.reporting import lines
from tests.verification.kept import NOTICE, OBJECTION, kept, with_call
from tests.verification.place import settings_in


def report(evidence: Evidence | None = None) -> Report:
    return report_of(evidence or kept(), NOTICE.sentences(), "mkk – meine krankenkasse")


@pytest.fixture
def store(tmp_path: Path) -> Records:
    return make_records(settings_in(tmp_path / "data"), SystemClock())


@pytest.fixture
def written(store: Records, tmp_path: Path) -> tuple[Path, ...]:
    silent = replace(OBJECTION, name="words_in_answer", tally="silence")
    with closing(store):
        return write_report(report(with_call(kept(), "words_in_answer", silent)), tmp_path / "reports", store.sign)


def test_a_report_is_three_files_by_their_date(written: tuple[Path, ...]) -> None:
    assert [path.name for path in written] == [
        f"pruefbericht-2026-11-24T090000Z.{kind}" for kind in ("json", "html", "pdf")
    ]


def test_people_read_every_sentence_and_every_finding(written: tuple[Path, ...]) -> None:
    html = written[1].read_text("utf-8")
    pages = PdfReader(io.BytesIO(written[2].read_bytes())).pages
    pdf = " ".join(" ".join(page.extract_text() for page in pages).split())
    assert 'lang="de"' in html
    for promise in Promise:
        assert f"{promise.value}: " in html
        assert f"{promise.value}:" in pdf
    assert "gebrochen" in pdf
    assert "Worte statt einer Antwort: wurde nicht als Widerspruch behandelt (gezählt als silence)." in html
    assert all(sentence.text.split()[0] in pdf for sentence in NOTICE.sentences())


def test_the_data_says_the_same(written: tuple[Path, ...]) -> None:
    told = json.loads(written[0].read_text("utf-8"))["report"]
    assert told["status"] == "broken"
    assert [one["promise"] for one in told["promises"] if one["status"] != "kept"] == ["P8"]
    assert {one["status"] for one in told["sentences"]} == {"kept", "broken"}
    assert told["checked_at"] == "2026-11-24T09:00:00+00:00"


def test_as_it_was_signed_it_is_valid_and_names_the_key_of_the_trail(written: tuple[Path, ...], store: Records) -> None:
    checked = check_report(written[0])
    assert (checked.valid, checked.changed, checked.missing, checked.status) == (True, (), (), "broken")
    with closing(store):
        head = store.trail_head()
    assert head is None or head["public_key"] == checked.public_key


@pytest.mark.parametrize(
    ("old", "new"),
    [('"status": "broken"', '"status": "kept"'), ("P8", "P9"), ("09:00:00", "09:00:01"), ("krankenkasse", "kasse")],
)
def test_whoever_changes_the_data_is_found_out(written: tuple[Path, ...], old: str, new: str) -> None:
    text = written[0].read_text("utf-8")
    assert old in text
    written[0].write_text(text.replace(old, new, 1), "utf-8")
    assert not check_report(written[0]).valid


def test_whoever_changes_a_paper_is_found_out(written: tuple[Path, ...]) -> None:
    written[1].write_text(written[1].read_text("utf-8").replace("gebrochen", "gehalten"), "utf-8")
    written[2].unlink()
    checked = check_report(written[0])
    assert (checked.valid, checked.changed, checked.missing) == (True, (written[1].name,), (written[2].name,))


def test_another_signature_does_not_fit(written: tuple[Path, ...]) -> None:
    read = json.loads(written[0].read_text("utf-8"))
    read["signature"] = "00" * 64
    written[0].write_text(json.dumps(read), "utf-8")
    assert not check_report(written[0]).valid


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{}", b"[]", b"null", b"\xff", b'{"report": {}}', b"[" * 100_000),
        b'{"report": {"format": "anruflotse/verification/1", "papers": {"../x": 0}}, "signature": "", "public_key": 0}',
        b'{"report": {"format": "other", "papers": {}}, "signature": "00", "public_key": "00"}',
        b'{"report": {"format": "anruflotse/verification/1", "papers": {}}, "signature": "zz", "public_key": "00"}',
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(ReportError, match="is no report"):
        check_report(path)


def test_a_report_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="cannot be read"):
        check_report(tmp_path / "none.json")


def test_a_directory_that_cannot_be_written_is_told(store: Records, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with closing(store), pytest.raises(ReportError, match="cannot be written"):
        write_report(report(), tmp_path / "file", store.sign)


def test_there_is_a_line_for_each_sentence_and_promise() -> None:
    told = lines(report())
    assert len(told) == sum(len(sentence.promises) for sentence in NOTICE.sentences())
    assert {one["promise"] for one in told} == {promise.value for promise in Promise}
    assert all({"promise", "sentence", "status", "evidence", "checked_at"} <= one.keys() for one in told)


def test_a_report_is_as_good_as_its_worst_promise() -> None:
    assert report().status is Status.KEPT
    assert report(replace(kept(), rights=())).status is Status.UNPROVEN
