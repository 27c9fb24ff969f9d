"""The software broken in one place at a time: the experiments on the stores have to notice, and blame nobody else."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from anruflotse.app.building import make_catalogue, make_gate, make_notice, make_prompts, make_records
from anruflotse.clock import Clock, SystemClock
from anruflotse.departments import shipped
from anruflotse.departments.catalogue import Catalogue
from anruflotse.notice import Notice, load
from anruflotse.notice.text import load as load_text
from anruflotse.processors import Gate, day_in_germany
from anruflotse.records import access
from anruflotse.records.access import Accessor, Kind, Role
from anruflotse.records.door import Door
from anruflotse.records.model import AccessRefusedError, Draft, Purpose
from anruflotse.records.repository import Records
from anruflotse.records.retention.journal import Journal
from anruflotse.records.stores.keystore import KeyStore, StoredKey
from anruflotse.rights import notification
from anruflotse.rights.requests import Requests
from anruflotse.settings import Settings
from anruflotse.speech.prompts import PromptBook
from anruflotse.verification import afterwards, gathering, learning
from anruflotse.verification.afterwards import MovedClock, Subject
from anruflotse.verification.evidence import Agreements, Evidence, RecordLeft
from anruflotse.verification.finding import Status
from anruflotse.verification.inspection import look, place_of
from anruflotse.verification.purposes import look_at_purposes
from anruflotse.verification.rights import exercise
from anruflotse.verification.stage import Due
from tests.app.agreements import AGREED, write
from tests.records.conftest import memory
from tests.verification.kept import CALL, RECORD, broken, kept, told, with_call
from tests.verification.place import CALLER, settings_in, subject_in


@pytest.fixture(scope="module")
def subject() -> Iterator[Subject]:
    """One record, for all experiments: each works on a copy."""
    with tempfile.TemporaryDirectory(prefix="anruflotse-", dir=memory()) as name:
        yield subject_in(Path(name))


@pytest.fixture
def home(subject: Subject, tmp_path: Path) -> Subject:
    """A store of the test's own, taken for the live one."""
    shutil.copytree(subject.store, tmp_path / "data")
    settings = subject.settings.model_copy(update={"data": tmp_path / "data"})
    return replace(subject, store=tmp_path / "data", settings=settings)


def expired(subject: Subject) -> Evidence:
    return replace(kept(), expiry=afterwards.expire(subject))


def erased(subject: Subject) -> Evidence:
    return replace(kept(), erasures=afterwards.erase(subject))


def accessed(subject: Subject) -> Evidence:
    return replace(kept(), access=afterwards.access(subject, ()))


def purposes(subject: Subject) -> Evidence:
    return replace(kept(), purposes=look_at_purposes(subject, (CALLER,), ()))


def looked(subject: Subject, clock: Clock | None = None) -> Evidence:
    return replace(kept(), live_store=gathering.look_at_live(subject.settings, clock or subject.clock))


def righted(subject: Subject, *articles: int) -> Evidence:
    tried = exercise(subject, articles or range(15, 22))
    others = tuple(one for one in kept().rights if one.article not in {found.article for found in tried})
    return replace(kept(), rights=(*others, *tried))


@pytest.mark.parametrize("gather", [expired, erased, accessed, purposes, looked, righted])
def test_as_it_is_everything_is_kept(subject: Subject, gather: Callable[[Subject], Evidence]) -> None:
    assert broken(gather(subject)) == set()


# ---- P5: solely to understand, classify and forward


def test_a_wider_purpose_is_noticed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(access._ALLOWED, (Role.MANAGEMENT, Purpose.STATISTICS), frozenset({Kind.TEXT}))
    assert broken(purposes(subject)) == {"P5"}


def test_a_purpose_that_nobody_checks_is_noticed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody lets training in by taking every word for a purpose of forwarding."""
    admit = Door.admit

    def lax(self: Door, who: Accessor, purpose: str, *rest: object) -> Purpose:
        return admit(self, who, purpose if purpose in set(Purpose) else Purpose.FORWARDING, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Door, "admit", lax)
    assert broken(purposes(subject)) == {"P5"}


def test_nothing_that_learns_reaches_the_store() -> None:
    assert learning.readers() == ()


@pytest.mark.parametrize(
    "line",
    [
        "from anruflotse.records.repository import Records",
        "import anruflotse.records.stores.rowstore",
        "from anruflotse import records",
        "def train() -> None:\n    from anruflotse.app import building",
    ],
)
def test_training_that_reads_recordings_is_noticed(tmp_path: Path, line: str) -> None:
    for name, text in {
        "records/__init__.py": "",
        "records/repository.py": "",
        "records/stores/rowstore.py": "",
        "app/building.py": "from anruflotse.records.repository import Records",
        "app/__init__.py": "",
        "understanding/training.py": line,
        "understanding/corpus.py": "import json",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    assert learning.readers(tmp_path) == ("anruflotse.understanding.training",)


def test_a_counter_that_leads_to_a_call_is_noticed(home: Subject) -> None:
    with closing(sqlite3.connect(home.store / "records" / "records.sqlite")) as rows:
        rows.execute("UPDATE counters SET department = ?", (home.record.reference,))
        rows.commit()
    assert broken(purposes(home)) == {"P5"}


# ---- P6: the legal basis


@pytest.mark.parametrize("basis", ["", "Einwilligung, Art. 6 Abs. 1 lit. a DSGVO"])
def test_records_without_their_basis_are_noticed(tmp_path: Path, basis: str) -> None:
    found = subject_in(tmp_path, legal_basis=basis)
    assert broken(looked(found)) == {"P6"}
    left = replace(RECORD, legal_basis=found.record.legal_basis)
    assert broken(with_call(kept(), "concern", replace(CALL, records=(left,)))) == {"P6"}


# ---- P11: the period


def test_records_that_open_after_their_day_are_noticed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    alive = KeyStore.alive

    def forgiving(self: KeyStore, ids: Sequence[str], now: int) -> dict[str, StoredKey]:
        return alive(self, ids, now - 10**15)

    def there(self: Records, record_id: str, fields: Sequence[str]) -> object:
        stores = self._opener.stores()
        sealed = stores.rows.get(record_id, fields)
        key = stores.keys.alive([record_id], 0).get(record_id)
        return None if sealed is None or key is None else (key, sealed)

    monkeypatch.setattr(KeyStore, "alive", forgiving)
    monkeypatch.setattr(Records, "_alive", there)
    assert broken(expired(subject)) == {"P11"}


def test_a_sweep_that_does_nothing_is_noticed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anruflotse.records.retention.sweeping.Destroyer.destroy", lambda *_args, **_named: None)
    assert broken(expired(subject)) == {"P11"}


async def test_a_sweep_that_never_comes_is_noticed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "SWEPT_SECONDS", 0.0)
    at = subject.clock.now() - timedelta(seconds=1)
    parts = SimpleNamespace(settings=subject.settings)
    stage: Any = SimpleNamespace(due=Due(subject.record.id, at), data=subject.store, clock=SystemClock(), parts=parts)
    seen = await gathering._sweep(stage)
    assert seen is not None
    assert seen.destroyed_at is None
    assert broken(replace(kept(), sweep=seen)) == {"P11"}


def test_live_records_that_nobody_swept_are_noticed(home: Subject) -> None:
    later = MovedClock(home.clock, timedelta(days=28, minutes=5))
    evidence = looked(home, later)
    assert evidence.live_store is not None
    assert evidence.live_store.overdue == 1
    assert evidence.live_store.late_seconds > 200
    assert broken(evidence) == {"P11"}


def test_a_live_record_with_a_longer_life_is_noticed(home: Subject) -> None:
    longer = home.settings.retention.model_copy(update={"days": 40, "longer_because": "§ 304 SGB V"})
    settings = home.settings.model_copy(update={"retention": longer})
    with closing(make_records(settings, home.clock)) as store:
        store.seal(draft_of(home))
    assert broken(looked(home)) == {"P11"}
    wording = gathering.look_at_wording(settings, *_equipment(settings), home.clock)
    assert "P11" in told(replace(kept(), wording=wording), Status.BROKEN)


def test_a_key_without_its_row_is_noticed(home: Subject) -> None:
    with closing(sqlite3.connect(home.store / "records" / "records.sqlite")) as rows:
        rows.execute("DELETE FROM records")
        rows.commit()
    later = MovedClock(home.clock, timedelta(minutes=20))
    assert broken(looked(home, later)) == {"P11"}


# ---- P12: earlier, on request


def test_an_erasure_that_keeps_the_key_is_noticed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KeyStore, "destroy", lambda _self, ids, *_args, **_named: (0, list(ids)))
    assert broken(erased(subject)) == {"P12"}


def test_an_erasure_that_a_backup_undoes_is_noticed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Journal, "add", lambda *_: None)
    assert broken(erased(subject)) == {"P12"}


def test_live_records_that_came_back_are_noticed(home: Subject) -> None:
    with closing(sqlite3.connect(home.store / "records" / "keys" / "keys.sqlite")) as keys:
        keys.execute("INSERT INTO tombstones VALUES (?, 1, 'geloescht')", (home.record.id,))
        keys.commit()
    # As it stands, before anybody opens it: opening a store puts such a thing right.
    found = look(place_of(home.settings), home.clock)
    assert broken(replace(kept(), live_store=replace(found, trail_intact=True))) == {"P12"}


# ---- P13: who has access


@pytest.mark.parametrize(
    ("role", "purpose", "kind"),
    [
        (Role.DEPARTMENT, Purpose.FORWARDING, Kind.AUDIO),
        (Role.SPEECH, Purpose.FORWARDING, Kind.NUMBER),
    ],
)
def test_a_role_that_may_more_is_noticed(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, role: Role, purpose: Purpose, kind: Kind
) -> None:
    wider = access._ALLOWED[role, purpose] | {kind}
    monkeypatch.setitem(access._ALLOWED, (role, purpose), wider)
    assert broken(accessed(subject)) == {"P13"}


def test_an_access_that_leaves_no_entry_is_noticed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Door.log

    def forgetful(self: Door, who: Accessor, purpose: Purpose, kind: Kind, *rest: object) -> None:
        if kind is not Kind.AUDIO:
            log(self, who, purpose, kind, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Door, "log", forgetful)
    assert broken(accessed(subject)) == {"P13"}


def test_a_trail_that_takes_forgeries_is_noticed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anruflotse.records.audit.verification.digest", lambda *_: "")
    monkeypatch.setattr("anruflotse.records.audit.verification._Walk.report", lambda *_: None)
    assert broken(accessed(subject)) == {"P13"}


def test_a_forged_entry_in_the_live_trail_is_noticed(home: Subject) -> None:
    afterwards._tamper(home.store / "records" / "records.sqlite")
    assert broken(looked(home)) == {"P13"}


def test_files_that_others_can_read_are_noticed(home: Subject) -> None:
    (home.store / "records" / "erased.log").touch()
    (home.store / "records" / "erased.log").chmod(0o644)
    assert broken(looked(home)) == {"P13"}


# ---- P14: processors


def test_an_expired_agreement_that_still_counts_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = agreed(tmp_path)
    assert broken(with_notice(settings, agreements_of(settings))) == set()
    monkeypatch.setattr(Gate, "allowed", lambda *_: None)
    assert broken(with_notice(settings, agreements_of(settings))) == {"P14"}


def test_an_agreement_that_the_notice_claims_and_nobody_signed_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gate, "in_force", lambda self, _today: tuple(self.register.values()))
    settings = settings_in(tmp_path)
    assert broken(with_notice(settings, agreements_of(settings))) == {"P14"}


def agreed(home: Path) -> Settings:
    """Settings with one processor whose agreement ended in March 2026."""
    register = write(home / "register.yaml", AGREED)
    settings = settings_in(home / "data")
    processors = settings.processors.model_copy(update={"agreements": register})
    return settings.model_copy(update={"processors": processors})


def agreements_of(settings: Settings) -> Agreements:
    gate = make_gate(settings)
    return gathering.look_at_agreements(gate, make_catalogue(settings, gate), SystemClock(), None)


def with_notice(settings: Settings, found: Agreements) -> Evidence:
    notice = make_notice(settings, make_gate(settings), day_in_germany(SystemClock().now()))
    evidence = kept()
    assert evidence.published is not None
    text = " ".join(one.text for one in notice.sentences())
    page = evidence.published.test
    assert page is not None
    published = replace(
        evidence.published,
        expected=tuple(one.text for one in notice.sentences()),
        version=notice.version(),
        test=replace(page, text=text, version=notice.version()),
    )
    record = replace(RECORD, notice_version=notice.version())
    calls = {name: replace(c, records=(record,) if c.records else ()) for name, c in evidence.calls.items()}
    spied = replace(found, probed="stimme")
    return replace(evidence, agreements=spied, published=published, calls=calls)


# ---- P15: the rights


def test_a_right_that_is_refused_is_noticed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_named: object) -> None:
        message = "no"
        raise AccessRefusedError(message)

    monkeypatch.setattr(Requests, "rectify", refuse)
    assert broken(righted(subject, 16)) == {"P15"}


def test_an_answer_without_checking_who_asks_is_noticed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anruflotse.rights.answering._must_be_ready", lambda _request: None)
    assert broken(righted(subject, 15)) == {"P15"}


def test_an_erasure_that_tells_nobody_is_noticed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notification, "who_had", lambda *_: ())
    assert broken(righted(subject, 19)) == {"P15"}


def test_an_objection_that_is_not_listed_is_noticed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Records, "objected", lambda *_: False)
    assert broken(righted(subject, 21)) == {"P8", "P15"}


def test_a_restriction_that_closes_nothing_is_noticed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anruflotse.records.desk.closed", lambda *_: False)
    assert broken(righted(subject, 18)) == {"P15"}


# ---- P16, P7, P17: what is said


def test_no_contact_is_noticed(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    contact = settings.insurer.privacy_contact.model_copy(update={"written": " "})
    insurer = settings.insurer.model_copy(update={"privacy_contact": contact})
    changed = settings.model_copy(update={"insurer": insurer})
    wording = gathering.look_at_wording(changed, *_equipment(changed), SystemClock())
    assert broken(replace(kept(), wording=wording)) == {"P16"}


def test_a_notice_that_does_not_say_that_it_records_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anruflotse.speech.catalogue.MUST_SAY", {})
    shipped_prompts = files("anruflotse.speech").joinpath("prompts.de.yaml").read_text("utf-8")
    prompts = tmp_path / "prompts.yaml"
    prompts.write_text(shipped_prompts.replace("Ich zeichne Ihre nächste Antwort auf.", "Ich höre zu."), "utf-8")
    settings = settings_in(tmp_path)
    changed = settings.model_copy(update={"prompts": settings.prompts.model_copy(update={"file": prompts})})
    wording = gathering.look_at_wording(changed, *_equipment(changed), SystemClock())
    assert broken(replace(kept(), wording=wording)) == {"P7"}


def test_a_desk_without_people_is_noticed(tmp_path: Path) -> None:
    catalogue = tmp_path / "departments.yaml"
    people = '  ziele: ["sip:mensch@127.0.0.1:5090"]'
    assert shipped().count(people) == 1
    never = '  ziele: [{ziel: "sip:mensch@127.0.0.1:5090", dienstleister: vitaservices}]'
    catalogue.write_text(shipped().replace(people, never), "utf-8")
    settings = settings_in(tmp_path)
    departments = settings.departments.model_copy(update={"catalogue": catalogue})
    changed = settings.model_copy(update={"departments": departments})
    wording = gathering.look_at_wording(changed, *_equipment(changed), SystemClock())
    assert broken(replace(kept(), wording=wording)) == {"P10"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{speicherdauer}\n            gespeichert", "90 Tage gespeichert"),
        ("findet nicht statt", "findet statt"),
        ("ausschließlich, um", "um"),
    ],
)
def test_an_edited_notice_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    text = files("anruflotse.notice").joinpath("notice.de.yaml").read_text("utf-8")
    assert text.count(old) == 1
    template = load_text(text.replace(old, new))
    monkeypatch.setattr("anruflotse.app.building.Notice", lambda facts: Notice(facts, template))
    settings = settings_in(tmp_path)
    found = with_notice(settings, agreements_of(settings))
    assert broken(replace(found, agreements=kept().agreements)) == {"P17"}
    assert load() != template


def _equipment(settings: Settings) -> tuple[Catalogue, PromptBook]:
    catalogue = make_catalogue(settings, make_gate(settings))
    return catalogue, make_prompts(settings, catalogue)


def draft_of(subject: Subject) -> Draft:
    now = subject.clock.now()
    return Draft(
        reference="fedcba9876543210",
        started_at=now,
        recorded_at=now,
        decision="route",
        outcome="succeeded",
        transcripts=("Anderes",),
    )


def test_a_record_left_that_cannot_be_read_has_its_id_only() -> None:
    assert RecordLeft("c" * 32, readable=False).phases == {}
