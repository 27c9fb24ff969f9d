"""From settings to objects: everything a service, a command or a check needs, made in one place."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from anruflotse import departments
from anruflotse.app.adapters import BookAnnouncer, CatalogueDirectory, RecordKeeper, WordReader
from anruflotse.app.engines import LOCAL, Engines, Offers
from anruflotse.app.metrics import Metrics
from anruflotse.app.opinion import own_language_model, second_opinion, with_language_model
from anruflotse.app.publishing import PublishedNotice
from anruflotse.call import Equipment, Rules
from anruflotse.call.equipment import Watcher
from anruflotse.clock import Clock
from anruflotse.departments.catalogue import Catalogue
from anruflotse.lines.sip.config import SipConfig
from anruflotse.notice import Archive, Facts, Notice
from anruflotse.processors import Category, Gate, Gatekeeper, RegisterFile, day_in_germany
from anruflotse.records.repository import Records
from anruflotse.records.stores.opener import KEYS_DIRECTORY
from anruflotse.records.vault.sources import configured
from anruflotse.settings import Settings
from anruflotse.speech import model as speech_model
from anruflotse.speech import prompts
from anruflotse.speech.catalogue import load_catalogue
from anruflotse.speech.pico import PicoSynthesiser
from anruflotse.speech.prompts import Fillings, PromptBook
from anruflotse.speech.screening import WhisperScreener
from anruflotse.speech.seams import Heard
from anruflotse.speech.silero import SileroEndpointer
from anruflotse.speech.whisper import WhisperRecogniser
from anruflotse.understanding import classifier, safety
from anruflotse.understanding.classifier import Fused
from anruflotse.understanding.encoder import OnnxEncoder
from anruflotse.understanding.following import Following
from anruflotse.understanding.policy import Policy, measured
from anruflotse.understanding.terms import Terms, acted_upon
from anruflotse.understanding.versions import Versions

BUSY_SECONDS = 5.0
"""So long a write waits for another one: many calls may end at once, and none of their records may be lost."""
THREADS = 4
"""For endpointing and understanding: short work that only must not stand on the event loop."""
STORE_THREADS = 2
"""For the store, which may have to wait for a lock."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A wired system, not yet started."""

    settings: Settings
    clock: Clock
    catalogue: Catalogue
    gate: Gate
    notice: PublishedNotice
    records: Records
    keeper: RecordKeeper
    prompts: PromptBook
    recogniser: WhisperRecogniser
    metrics: Metrics
    equipment: Equipment
    engines: Engines
    pools: tuple[ThreadPoolExecutor, ...]

    def close(self) -> None:
        """End threads and close files."""
        self.engines.close()
        self.recogniser.close()
        for pool in self.pools:
            pool.shutdown()
        self.records.close()


def build(settings: Settings, clock: Clock, watchers: tuple[Watcher, ...] = (), offers: Offers = LOCAL) -> Parts:
    """Wire everything `settings` ask for. Blocking (about a second: models are loaded); starts no server.

    `offers` are engines of processors to be used where the gate permits, beside the language model that the settings
    may name. The screener is none of them and shares the local recogniser: what is said before the notice has ended
    never leaves this process (P7).
    Raises the rooms' own errors (`SpeechError`, `UnderstandingError`, `ShapeError`, `PromptError`), each with a remedy.
    """
    metrics = Metrics()
    gate = make_gate(settings)
    gatekeeper = Gatekeeper(gate, clock, lambda *of: metrics.passed_over.labels(*of).inc())
    offers = with_language_model(settings, offers)
    engines = Engines(offers, gatekeeper, clock, lambda processor: metrics.engine_failures.labels(processor).inc())
    catalogue = make_catalogue(settings, gate)
    notice = PublishedNotice(lambda day: make_notice(settings, gate, day), gate, clock, make_archive(settings))
    records = make_records(settings, clock)
    keeper = RecordKeeper(records)
    book = make_prompts(settings, catalogue, engines)
    recogniser = make_recogniser(settings)
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="call")
    store_threads = ThreadPoolExecutor(STORE_THREADS, thread_name_prefix="store")
    call = settings.call
    equipment = Equipment(
        announcer=BookAnnouncer(book),
        recogniser=engines.recogniser(recogniser, call.recognition_seconds),
        screener=WhisperScreener(recogniser, word_rules),
        endpointer=SileroEndpointer,
        reader=make_reader(settings, catalogue, engines, clock, threads.submit),
        directory=CatalogueDirectory(catalogue, gatekeeper),
        keeper=keeper,
        clock=clock,
        threads=threads,
        store_threads=store_threads,
        rules=Rules(
            objection_key=call.objection_key,
            human_key=call.human_key,
            repeat_key=call.repeat_key,
            silence_seconds=call.silence_seconds,
            max_seconds=call.max_seconds,
            transfer_seconds=call.transfer_seconds,
            recognition_seconds=call.recognition_seconds,
            concern_pause_ms=call.concern_pause_ms,
            answer_pause_ms=call.answer_pause_ms,
        ),
        hints=make_hints(settings),
        engines=(recogniser.engine.name, "silero-vad"),
        notice_version=notice.version,
        watchers=(metrics, *watchers),
    )
    # The first endpointer loads its model and the first decision compiles its patterns: not in the first call.
    equipment.endpointer(8000).feed(bytes(2 * 320))
    equipment.reader.decide("", equipment.reader.rank("Guten Tag"))
    engines.start()
    return Parts(
        settings=settings,
        clock=clock,
        catalogue=catalogue,
        gate=gate,
        notice=notice,
        records=records,
        keeper=keeper,
        prompts=book,
        recogniser=recogniser,
        metrics=metrics,
        equipment=equipment,
        engines=engines,
        pools=(threads, store_threads),
    )


def word_rules(text: str) -> Heard | None:
    """The understanding room's word rules as the screener takes them."""
    heard = safety.read(text)
    return None if heard is None else Heard(heard)


def make_gate(settings: Settings) -> Gate:
    """The gate that processors pass; it follows the register's file while it stands. Raises `ShapeError`."""
    return Gate(RegisterFile(settings.processors.agreements).reading)


def make_catalogue(settings: Settings, gate: Gate) -> Catalogue:
    """The department catalogue; targets of processors are usable only while the gate permits. Raises `ShapeError`."""

    def permitted(processor: str, now: datetime) -> bool:
        return gate.permits(processor, Category.CALL, day_in_germany(now))

    return departments.load(
        settings.departments.catalogue,
        federal_state=settings.insurer.federal_state,
        permitted=permitted,
        processors=gate.register.keys(),
        hears=acted_upon,
    )


def make_hints(settings: Settings) -> tuple[str, ...]:
    """The words the recogniser is told to expect: the catalogue's, if the settings want it told any."""
    if not settings.speech.hints:
        return ()
    return make_catalogue(settings, make_gate(settings)).vocabulary()


def make_notice(settings: Settings, gate: Gate, day: date) -> Notice:
    """The privacy notice as these settings and the register make it read on `day`."""
    in_force = gate.in_force(day)
    return Notice(
        Facts(
            insurer=settings.insurer.name,
            retention_days=settings.retention.days,
            retention_reason=settings.retention.longer_because,
            privacy_contact=settings.insurer.privacy_contact.written,
            objection_key=settings.call.objection_key,
            processors=tuple(processor.name for processor in in_force),
            without_agreement=tuple(
                processor.name for processor in gate.register.values() if processor not in in_force
            ),
            spoken=spoken_notice(settings),
            voice=prompts.fingerprint(settings.prompts.recordings),
        )
    )


def make_archive(settings: Settings) -> Archive:
    """Where every edition of the notice is kept."""
    return Archive(settings.data / "notices")


def spoken_notice(settings: Settings) -> str:
    """The short form that callers hear, as written. Raises `ShapeError`."""
    keys = {"taste_widerspruch": settings.call.objection_key, "taste_mensch": settings.call.human_key}
    gaps = {"versicherer": settings.insurer.spoken_name, **keys}
    return load_catalogue(settings.prompts.file).fill(prompts.NOTICE, gaps)


def make_records(settings: Settings, clock: Clock) -> Records:
    """The record store, in the data directory or in PostgreSQL. Raises `StoreError` for settings that are not safe."""
    return Records(
        settings.data / "records",
        clock,
        settings.retention.days,
        longer_reason=settings.retention.longer_because,
        ring=configured(settings.data / "records" / KEYS_DIRECTORY, os.environ, settings.keys),
        busy_seconds=BUSY_SECONDS,
        **settings.records.urls(),
    )


def make_prompts(settings: Settings, catalogue: Catalogue, engines: Engines | None = None) -> PromptBook:
    """The prompt book; it speaks with the local voice unless `engines` know another. Raises `ShapeError`."""
    voice = PicoSynthesiser(speed=settings.prompts.speed)
    return PromptBook(
        voice if engines is None else engines.synthesiser(voice),
        voice=voice.voice if engines is None else engines.voice(voice.voice),
        cache=settings.data / "prompts",
        fillings=Fillings(
            departments={key: department.name for key, department in catalogue.departments.items()},
            concerns={key: concern.spoken for key, concern in catalogue.concerns.items() if concern.enabled},
            insurer=settings.insurer.spoken_name,
            contact=settings.insurer.privacy_contact.spoken,
            hours=catalogue.hours_text("mensch"),
            objection_key=settings.call.objection_key,
            human_key=settings.call.human_key,
        ),
        catalogue=settings.prompts.file,
        recordings=settings.prompts.recordings,
    )


def make_recogniser(settings: Settings, tell: Callable[[str], None] | None = None) -> WhisperRecogniser:
    """The embedded recogniser, or the CTranslate2 model the settings name. Raises `SpeechError`."""
    embedded = settings.speech.model is None
    directory = settings.speech.model or settings.embedded_model
    if embedded:
        speech_model.ensure(directory, tell)
    return WhisperRecogniser(directory, settings.speech.threads, settings.speech.beam, embedded=embedded)


def make_reader(
    settings: Settings,
    catalogue: Catalogue,
    engines: Engines | None = None,
    clock: Clock | None = None,
    aside: Callable[[Callable[[], None]], object] | None = None,
) -> WordReader:
    """Classifier and decision policy for the catalogue's concerns. Raises `UnderstandingError`.

    With `clock` and `aside` (which runs work in another thread) it follows the approved model while it stands.
    """
    ranks = make_ranks(settings, catalogue, clock, aside)
    chosen = settings.understanding
    thresholds = measured(route=chosen.route, confirm=chosen.confirm, choose=chosen.choose, outside=chosen.outside)
    adviser = own_language_model(settings)
    ranking = ranks if engines is None else engines.classifier(ranks)
    asked = second_opinion(ranking, adviser if engines is None else engines.adviser(adviser), catalogue, thresholds)
    return WordReader(asked, Policy(thresholds), catalogue, parts=ranks)


def make_ranks(
    settings: Settings,
    catalogue: Catalogue,
    clock: Clock | None = None,
    aside: Callable[[Callable[[], None]], object] | None = None,
) -> Fused | Following:
    """The model in force with the catalogue's words; see `make_reader`. Raises `UnderstandingError`."""
    terms, folder, encoder = Terms.of(catalogue.concerns), settings.data / "models" / "understanding", OnnxEncoder()

    def load() -> Fused:
        return classifier.load(
            folder, terms.departments, terms.keywords, against=terms.against, disabled=terms.disabled,
            model=settings.understanding.model, encoder=encoder,
        )  # fmt: skip

    if clock is None or aside is None or settings.understanding.model is not None:
        return load()
    return Following(Versions(folder), load, clock.monotonic, aside)


def make_sip(settings: Settings) -> SipConfig:
    """The SIP line's set-up."""
    sip = settings.sip
    registration = sip.registration
    account: dict[str, Any] = (
        {}
        if registration is None
        else {
            "registrar": registration.registrar,
            "registrar_transport": registration.transport,
            "user": registration.user,
            "password": registration.password.get_secret_value(),
        }
    )
    return SipConfig(
        host=sip.host,
        port=sip.port,
        transports=sip.transports,
        tls_certificate=sip.tls.certificate,
        workers=sip.workers,
        calls_per_worker=sip.calls_per_worker,
        codecs=sip.codecs,
        rtp_ports=(sip.first_rtp_port, sip.last_rtp_port),
        **account,
    )
