"""Who is used for what, as doctor and command line tell it; and targets that calls pass over."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from anruflotse.app import building, doctor
from anruflotse.app.adapters import CatalogueDirectory
from anruflotse.app.doctor import Finding
from anruflotse.app.engines import LOCAL, Offer, Offers
from anruflotse.app.metrics import Metrics
from anruflotse.app.processing import situations
from anruflotse.clock import FakeClock, SystemClock
from anruflotse.conversation.actions import Destination, Goal
from anruflotse.processors import Gatekeeper, Standing, day_in_germany
from anruflotse.settings import Settings, load
from anruflotse.speech.fake import FakeRecogniser
from tests.app.agreements import AGREED, BEGINS, NONE, UNTIL, write
from tests.app.catalogues import with_overflow

CARE = Destination(Goal.DEPARTMENT, "pflegekasse")
OFFERS = Offers(
    recogniser=Offer("Stimme Erkennung", "stimme", lambda: FakeRecogniser(processor="stimme"), lambda _: None)
)
ENDLESS = AGREED.replace(f"gueltig_bis: {UNTIL}, ", "")


@pytest.fixture
def register(tmp_path: Path) -> Path:
    return write(tmp_path / "register.yaml", ENDLESS)


@pytest.fixture
def settings(register: Path, tmp_path: Path) -> Settings:
    chosen = {
        "processors.agreements": register,
        "departments.catalogue": with_overflow(tmp_path / "departments.yaml", "stimme"),
        "data": tmp_path / "data",
        "sip.port": 0,
        "console.port": 0,
    }
    return load(None, chosen, environ={})


def test_uses_are_those_of_targets_and_of_engines(settings: Settings) -> None:
    gate = building.make_gate(settings)
    (found,) = situations(gate, building.make_catalogue(settings, gate), OFFERS, BEGINS)
    assert [(use.by, use.category.value) for use in found.uses] == [
        ("Stimme Erkennung", "sprachaufnahme"),
        ("overflow of pflegekasse", "anruf"),
    ]
    assert (found.standing, found.refused) == (Standing.IN_FORCE, ())


def test_what_an_agreement_does_not_cover_is_refused_though_it_is_in_force(settings: Settings, register: Path) -> None:
    write(
        register,
        ENDLESS.replace(
            "datenkategorien: [sprachaufnahme, transkript, ansagetexte, anruf], orte", "datenkategorien: [anruf], orte"
        ),
    )
    gate = building.make_gate(settings)
    (found,) = situations(gate, building.make_catalogue(settings, gate), OFFERS, BEGINS)
    assert found.standing is Standing.IN_FORCE
    ((use, reason),) = found.refused
    assert use.by == "Stimme Erkennung"
    assert "does not cover `sprachaufnahme`" in reason


def test_a_call_passes_over_a_target_without_agreement_and_counts_it(settings: Settings, register: Path) -> None:
    clock, metrics = FakeClock(), Metrics()
    gate = building.make_gate(settings)
    keeper = Gatekeeper(gate, clock, lambda *of: metrics.passed_over.labels(*of).inc())
    directory = CatalogueDirectory(building.make_catalogue(settings, gate), keeper)

    def dialled() -> list[tuple[str, str | None]]:
        targets = directory.targets(CARE, clock.now())
        return [(target.uri.partition("@")[0], target.processor) for target in targets]

    def passed_over(reason: str) -> float:
        labels = {"processor": "stimme", "reason": reason}
        return metrics.registry.get_sample_value("anruflotse_processor_refusals_total", labels) or 0.0

    assert dialled() == [("sip:pflegekasse", None), ("sip:helfer", "stimme")]
    write(register, NONE)
    assert dialled() == [("sip:pflegekasse", None)]
    assert (passed_over("no_agreement"), passed_over("unreadable")) == (1, 0)
    register.write_text("version: [", "utf-8")
    assert dialled() == [("sip:pflegekasse", None)]
    assert passed_over("unreadable") == 1
    write(register, AGREED)
    clock.jump(datetime(UNTIL.year, UNTIL.month, UNTIL.day, 12, tzinfo=UTC))
    assert len(dialled()) == 2
    clock.advance(24 * 3600)
    assert len(dialled()) == 1
    assert passed_over("expired") == 1


def found(settings: Settings, offers: Offers = LOCAL) -> Finding:
    return next(finding for finding in doctor._register(settings, offers) if finding.part == "processor stimme")


def test_the_doctor_tells_of_targets_and_engines_without_agreement(settings: Settings, register: Path) -> None:
    assert found(settings, OFFERS) == Finding("processor stimme", "ok", "agreement in force")
    write(register, NONE)
    finding = found(settings, OFFERS)
    assert finding.status == "warning"
    assert "Stimme Erkennung, overflow of pflegekasse" in finding.found
    assert "no agreement is on file" in finding.remedy


def test_the_doctor_tells_in_time_that_an_agreement_ends(settings: Settings, register: Path) -> None:
    today = day_in_germany(SystemClock().now())
    write(register, AGREED.replace(f"gueltig_bis: {UNTIL}", f"gueltig_bis: {today}"))
    finding = found(settings)
    assert (finding.status, finding.found) == ("warning", f"the agreement ends on {today}")


async def test_the_doctor_finds_a_damaged_register(settings: Settings, register: Path) -> None:
    damage(register)
    finding = next(finding for finding in await doctor.examine(settings) if finding.part == "processors")
    assert finding.status == "fault"
    assert "register.yaml, line" in finding.found
    assert "gives no processor anything" in finding.remedy


def damage(register: Path) -> None:
    register.write_text("version: [", "utf-8")


def test_the_screener_and_the_fallback_of_a_service_are_local(settings: Settings) -> None:
    """The real service with a processor's recogniser offered: what listens to the notice has no way to it."""
    remote = FakeRecogniser(processor="stimme")
    parts = building.build(
        settings, FakeClock(), offers=Offers(recogniser=Offer("x", "stimme", lambda: remote, lambda _: None))
    )
    try:
        assert parts.equipment.recogniser is not parts.recogniser
        assert parts.equipment.screener._recogniser is parts.recogniser  # type: ignore[attr-defined] # Whisper's
        assert parts.recogniser.processor is None
        assert parts.equipment.notice_version() == parts.notice.version()
        assert parts.notice.today().notice.facts.processors == ("Stimme GmbH",)
    finally:
        parts.close()
    assert date(2026, 3, 3) == day_in_germany(parts.clock.now())
