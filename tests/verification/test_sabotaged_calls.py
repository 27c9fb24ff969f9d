"""The whole of it over real SIP, once, with a short notice; and calls of a software that is broken for them alone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import pytest

from anruflotse.app import service
from anruflotse.call import Call, Equipment
from anruflotse.clock import SystemClock
from anruflotse.lines.line import Leg
from anruflotse.notice import Promise
from anruflotse.settings import Settings, load
from anruflotse.verification.calling import Calling
from anruflotse.verification.cast import CAST
from anruflotse.verification.evidence import CallSeen, Evidence
from anruflotse.verification.finding import Status
from anruflotse.verification.gathering import behind_the_scene, look_at_live, on_stage, place_all
from anruflotse.verification.judging import judge
from anruflotse.verification.stage import Stage
from tests.verification.kept import told, with_call
from tests.verification.sabotage import SABOTAGES, WHOLE

pytestmark = [pytest.mark.calls, pytest.mark.timeout(300)]

NOTICE = (
    "{versicherer}, automatischer Sprachassistent. Ich zeichne Ihre Antwort auf. Wenn nicht, {taste_widerspruch} "
    "drücken oder Widerspruch sagen. Mensch: {taste_mensch}."
)
"""Short, but long enough that somebody can speak over it; all that it has to say is in it."""
SHIPPED = files("anruflotse.speech").joinpath("prompts.de.yaml").read_text("utf-8")


@dataclass(frozen=True)
class Seen:
    """What was seen of the software as it is, and of the broken calls, by sabotage."""

    whole: Evidence
    broken: Mapping[str, CallSeen]
    home: Path


def settings_for(home: Path) -> Settings:
    """As shipped, with a short notice spoken quickly, and patience for a machine with other things to do."""
    said = next(line for line in SHIPPED.splitlines() if line.strip().startswith("hinweis:"))
    prompts = home / "prompts.yaml"
    prompts.write_text(SHIPPED.replace(said, f'  hinweis: "{NOTICE}"'), "utf-8")
    overrides = {
        "data": home / "data", "console.port": 0, "prompts.file": prompts, "prompts.speed": 1.15,
        "call.silence_seconds": 2.0, "call.recognition_seconds": 20.0,
    }  # fmt: skip
    return load(None, overrides, environ={})


async def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Seen:
    clock = SystemClock()
    async with Stage(settings) as stage:
        calling = Calling(stage)

        class Sabotaged(Call):
            """A call that is broken if it comes from a number whose call is to be."""

            def __init__(self, leg: Leg, equipment: Equipment) -> None:
                label = {number: label for label, number in calling.numbers.items()}.get(leg.caller or "", "")
                sabotage = SABOTAGES.get(label, WHOLE)
                super().__init__(leg, sabotage.equipment(equipment))
                sabotage.built(self, leg, stage.parts)

        async def break_calls() -> Mapping[str, CallSeen]:
            # Once the announcer has its notice back, which it lacks for one of the whole calls.
            await stage.announcer.missed.wait()
            await clock.sleep(0.5)
            return await calling.together([one.call for one in SABOTAGES.values()], list(SABOTAGES))

        monkeypatch.setattr(service, "Call", Sabotaged)
        good, broken = await asyncio.gather(place_all(stage, calling), break_calls())
        evidence = Evidence(clock.now(), calls={**broken, **good}, live_store=look_at_live(settings, clock))
        evidence = await on_stage(stage, replace(evidence, live_looked_at=True))
        whole = await behind_the_scene(stage, calling, replace(evidence, calls=good))
        home = stage.home
    return Seen(whole, broken, home)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    settings = settings_for(tmp_path_factory.mktemp("verify"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        return asyncio.run(run(settings, monkeypatch))


@pytest.fixture(scope="module")
def whole(seen: Seen) -> Evidence:
    """The evidence on the software as it is; what the broken calls left in the same store is not its doing."""
    assert seen.whole.strays
    return replace(seen.whole, strays=0)


def test_the_software_as_it_is_keeps_every_promise(whole: Evidence) -> None:
    findings = judge(whole)
    assert {f.promise: f.evidence for f in findings if f.status is not Status.KEPT} == {}
    assert {finding.promise for finding in findings} == set(Promise)
    assert whole.calls.keys() == CAST.keys()


@pytest.mark.parametrize("name", SABOTAGES)
def test_what_is_broken_is_told_as_broken_and_nothing_else(seen: Seen, whole: Evidence, name: str) -> None:
    sabotage = SABOTAGES[name]
    evidence = with_call(whole, sabotage.call, seen.broken[name])
    assert told(evidence, Status.BROKEN) == sabotage.breaks


def test_the_stage_leaves_nothing_behind(seen: Seen) -> None:
    assert not seen.home.exists()


def test_records_and_keys_that_must_not_be_are_counted(seen: Seen) -> None:
    (finding,) = [one for one in judge(seen.whole) if one.promise is Promise.P9]
    assert finding.status is Status.BROKEN
