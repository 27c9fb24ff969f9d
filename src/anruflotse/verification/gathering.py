"""Gathering all evidence: the test calls on their stage, the experiments afterwards, the live store, the page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import ParamSpec, TypeVar

import structlog

from anruflotse.app.adapters import gaps
from anruflotse.app.building import make_gate, make_notice, make_records
from anruflotse.clock import Clock, SystemClock
from anruflotse.conversation.actions import Play, Prompt
from anruflotse.departments.catalogue import Catalogue
from anruflotse.processors import Category, Gate, Processor, day_in_germany
from anruflotse.processors.register import EEA
from anruflotse.settings import Settings
from anruflotse.speech.prompts import PromptBook, PromptMissing
from anruflotse.verification import afterwards, inspection, learning, publishing
from anruflotse.verification.afterwards import Subject
from anruflotse.verification.calling import Calling
from anruflotse.verification.cast import CAST, PRIVACY_CONCERN, UNRECORDED
from anruflotse.verification.evidence import (
    Agreed,
    Agreements,
    CallSeen,
    Evidence,
    Page,
    Published,
    Store,
    Sweep,
    Wording,
)
from anruflotse.verification.purposes import look_at_purposes
from anruflotse.verification.rights import exercise
from anruflotse.verification.stage import DUE_SECONDS, Spy, Stage

log = structlog.get_logger(__name__)

D = TypeVar("D")
T = TypeVar("T")
P = ParamSpec("P")
Tell = Callable[[str], None]
"""Told what is being done, in a few words."""
SWEPT_SECONDS = 20.0
"""How long after the calls the test service's sweep is waited for."""


async def gather(settings: Settings, tell: Tell = lambda _: None, clock: Clock | None = None) -> Evidence:
    """Look at everything. Takes about a minute, most of it the calls.

    Raises what building and starting a service raises, each with its remedy: `ShapeError`, `SpeechError`,
    `UnderstandingError`, `PromptError`, `LineError`, `ConsoleError`, `StoreError`, and OSError.
    """
    clock = clock or SystemClock()
    began_at = clock.now()
    tell("Looking at the live store")
    live_store = await asyncio.to_thread(look_at_live, settings, clock)
    tell("Starting a test service")
    async with Stage(settings, clock=clock) as stage:
        calling = Calling(stage, lambda name: tell(f"Test call over: {name}"))
        tell(f"Placing {len(CAST)} test calls")
        calls = await place_all(stage, calling)
        evidence = Evidence(
            began_at,
            calls=calls,
            live_store=live_store,
            live_looked_at=True,
            live_sweep_seconds=settings.retention.sweep_seconds,
        )
        evidence = await on_stage(stage, evidence)
        tell("Destroying and restoring the test record")
        return await behind_the_scene(stage, calling, evidence)


async def place_all(stage: Stage, calling: Calling) -> dict[str, CallSeen]:
    """Place every call of the cast. The one that must not hear the notice comes first, alone until it has missed it."""
    await calling.prepared()
    stage.announcer.broken = True
    lost = asyncio.create_task(calling.place("notice_lost", "notice_lost"))
    missed = asyncio.create_task(stage.announcer.missed.wait())
    await asyncio.wait({lost, missed}, return_when=asyncio.FIRST_COMPLETED)
    missed.cancel()
    stage.announcer.broken = False
    calls = await calling.together([name for name in CAST if name != "notice_lost"])
    return {"notice_lost": await lost, **calls}


async def on_stage(stage: Stage, evidence: Evidence) -> Evidence:
    """What can be seen while the test service runs."""
    console = stage.service.console.url
    sweep = await _sweep(stage)
    place = inspection.Place(stage.data / "records")
    store = inspection.look(place, stage.clock, timedelta(0))
    return replace(
        evidence,
        sweep=sweep,
        test_store=await asyncio.to_thread(inspection.with_trail, store, stage.parts.records),
        strays=await asyncio.to_thread(_strays, place, evidence.calls, stage),
        agreements=look_at_agreements(stage.parts.gate, stage.parts.catalogue, stage.clock, stage.spy),
        wording=look_at_wording(stage.settings, stage.parts.catalogue, stage.parts.prompts, stage.clock),
        published=await look_at_pages(stage.settings, stage.clock, console),
    )


async def behind_the_scene(stage: Stage, calling: Calling, evidence: Evidence) -> Evidence:
    """What can only be seen once the test service has ended: experiments on the record of the first call."""
    live = evidence.published.live if evidence.published else None
    consoles = [stage.service.console.url, *([live.url.removesuffix(publishing.PATH)] if live else [])]
    open_pages = [page for url in consoles for page in await asyncio.to_thread(publishing.open_pages, url)]
    await stage.settle()
    subject = subject_of(stage, calling, evidence)
    if subject is None:
        return evidence
    numbers = tuple(calling.numbers.values())
    return replace(
        evidence,
        expiry=await _tried(None, afterwards.expire, subject),
        erasures=await _tried((), afterwards.erase, subject),
        access=await _tried(None, afterwards.access, subject, tuple(open_pages)),
        purposes=await _tried(None, look_at_purposes, subject, numbers, learning.readers()),
        rights=await _tried((), exercise, subject),
    )


async def _tried(without: D, experiment: Callable[P, T], *args: P.args, **named: P.kwargs) -> T | D:
    """What an experiment saw; `without` when it broke, which proves nothing and must not end the others."""
    try:
        return await asyncio.to_thread(experiment, *args, **named)
    except Exception:
        log.exception("an experiment could not be carried out; what it was to prove stays unproven")
        return without


def subject_of(stage: Stage, calling: Calling, evidence: Evidence) -> Subject | None:
    """The record of the first call; None when it left none that can be read."""
    call = evidence.calls.get("concern")
    record = next((one for one in (call.records if call else None) or () if one.readable), None)
    if record is None:
        return None
    return Subject(record, calling.numbers["concern"], stage.data, stage.parts.settings, stage.clock)


def look_at_live(settings: Settings, clock: Clock) -> Store | None:
    """The store of these settings, None when there is none yet. Blocking."""
    place = inspection.place_of(settings)
    if not place.exists:
        return None
    # First as it is: opening it by the software's own hand puts right what it finds, as every start does.
    found = inspection.look(place, clock)
    if found.fault is not None:
        return found
    store = make_records(settings, clock)
    try:
        return inspection.with_trail(found, store)
    finally:
        store.close()


def look_at_agreements(gate: Gate, catalogue: Catalogue, clock: Clock, spy: Spy | None) -> Agreements:
    """What the gate would let through now, beside what the agreements say by our own reading of the register."""
    now = clock.now()
    today = day_in_germany(now)
    covered = {key: _covered(entry, clock) for key, entry in gate.register.items()}
    routes = [catalogue.human(now), *(catalogue.route(key, now) for key in catalogue.departments)]
    dialled = {target for route in routes for target in route.targets if target.processor is not None}
    return Agreements(
        processors=tuple(
            Agreed(
                key,
                entry.name,
                frozenset(category.value for category in Category if gate.permits(key, category, today)),
                covered[key],
            )
            for key, entry in gate.register.items()
        ),
        unagreed_targets=tuple(
            sorted(
                target.processor or ""
                for target in dialled
                if Category.CALL.value not in covered.get(target.processor or "", frozenset())
            )
        ),
        probed=None if spy is None else spy.processor,
        received=0 if spy is None else spy.received,
    )


def look_at_wording(settings: Settings, catalogue: Catalogue, prompts: PromptBook, clock: Clock) -> Wording:
    """The settings the notice speaks of, and the prompts about them."""
    now = clock.now()
    concern = catalogue.concerns.get(PRIVACY_CONCERN)
    contact = settings.insurer.privacy_contact
    return Wording(
        days=settings.retention.days,
        longer_because=settings.retention.longer_because,
        objection_key=settings.call.objection_key,
        contact_written=contact.written.strip(),
        contact_spoken=contact.spoken.strip(),
        contact_prompt="" if concern is None else _text(prompts, Play(Prompt.CONNECT_PRIVACY, concern.department)),
        notice_prompt=_text(prompts, Play(Prompt.NOTICE)),
        people=len(catalogue.human(now).targets),
        destinations={key: len(catalogue.route(key, now).targets) for key in catalogue.departments},
    )


async def look_at_pages(settings: Settings, clock: Clock, console: str | None) -> Published:
    """The page at `console`, that of a service that runs with these settings, and what they should show."""
    gate = make_gate(settings)
    notice = make_notice(settings, gate, day_in_germany(clock.now()))
    live, parts = await asyncio.to_thread(_live_page, settings)
    return Published(
        expected=tuple(sentence.text for sentence in notice.sentences()),
        version=notice.version(),
        test=None if console is None else await asyncio.to_thread(publishing.page, console),
        live=live,
        live_ready=parts,
    )


def _live_page(settings: Settings) -> tuple[Page | None, Mapping[str, bool] | None]:
    if not settings.console.port:
        return None, None
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.console.host, settings.console.host)  # noqa: S104
    url = f"http://{host}:{settings.console.port}"
    return (publishing.page(url), publishing.ready(url)) if publishing.running(url) else (None, None)


async def _sweep(stage: Stage) -> Sweep | None:
    """Wait until the service's own sweep has destroyed the record that fell due, or had time enough to."""
    if stage.due is None:
        return None
    place = inspection.Place(stage.data / "records")
    patience = SWEPT_SECONDS + DUE_SECONDS
    for _ in range(round(patience)):
        gone = await asyncio.to_thread(inspection.destroyed_at, place, stage.due.record)
        late = (stage.clock.now() - stage.due.at).total_seconds() > SWEPT_SECONDS
        if gone is not None or late:
            return Sweep(stage.due.at, gone, stage.parts.settings.retention.sweep_seconds)
        await stage.clock.sleep(1.0)
    return Sweep(stage.due.at, None, stage.parts.settings.retention.sweep_seconds)


def _strays(place: inspection.Place, calls: Mapping[str, CallSeen], stage: Stage) -> int:
    """Keys and rows that no call left that may leave one."""
    may_leave = {record.id for call in calls.values() if call.name not in UNRECORDED for record in call.records or ()}
    known = may_leave | ({stage.due.record} if stage.due else set())
    keyed, rowed = inspection.ids(place)
    return len((keyed | rowed) - known)


def _covered(entry: Processor, clock: Clock) -> frozenset[str]:
    """The kinds of data an agreement on file covers today, read from the register by ourselves."""
    agreement, today = entry.agreement, day_in_germany(clock.now())
    if agreement is None or agreement.begins > today or (agreement.until is not None and agreement.until < today):
        return frozenset()
    places = {*agreement.places, *(sub.place for sub in agreement.subprocessors)}
    if not agreement.places or not places <= EEA:
        return frozenset()
    return frozenset(category.value for category in agreement.categories)


def _text(prompts: PromptBook, play: Play) -> str:
    try:
        return prompts.text(play.prompt.value, **gaps(play))
    except PromptMissing:
        return ""
