"""What a call needs, checked part by part, each finding with what to do about it."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from anruflotse.app import building
from anruflotse.app.engines import LOCAL, Offers
from anruflotse.app.opinion import with_language_model
from anruflotse.app.processing import Situation, situations
from anruflotse.clock import SystemClock
from anruflotse.departments.catalogue import Catalogue
from anruflotse.lines.line import LineError
from anruflotse.processors import Gate, Standing, day_in_germany
from anruflotse.records.model import RETENTION_DAYS, StoreError
from anruflotse.settings import Settings
from anruflotse.speech.seams import SpeechError
from anruflotse.understanding.errors import UnderstandingError
from anruflotse.understanding.versions import SHIPPED, Versions
from anruflotse.yamlshape import ShapeError

FREE_BYTES = 1 << 30
"""Below this much free disk a warning is due."""
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock before this date is wrong: this version did not exist then."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One part, how it is, and what to do when it is not well."""

    part: str
    status: Literal["ok", "warning", "fault"]
    found: str
    remedy: str = ""


async def examine(settings: Settings, offers: Offers = LOCAL) -> list[Finding]:
    """Check every part. Never raises for a fault it can name; starts no server and places no call.

    `offers` are the processors' engines a service would be built with.
    """
    findings = list(await asyncio.to_thread(lambda: list(_blocking(settings, offers))))
    findings += await _prompts(settings)
    return findings


def _blocking(settings: Settings, offers: Offers) -> Iterator[Finding]:
    yield from _ports(settings)
    yield _line(settings)
    yield _tried("speech model", "complete, hashes right", lambda: building.make_recogniser(settings).close())
    yield from _register(settings, offers)
    yield from _records(settings)
    yield _retention(settings)
    yield _disk(settings)
    yield _clock()


def _register(settings: Settings, offers: Offers) -> Iterator[Finding]:
    try:
        gate = building.make_gate(settings)
    except ShapeError as error:
        remedy = "Correct the file at the place named; meanwhile a running service gives no processor anything."
        yield Finding("processors", "fault", str(error), remedy)
        return
    try:
        catalogue = building.make_catalogue(settings, gate)
    except ShapeError as error:
        yield Finding("departments", "fault", str(error), "Correct the file at the place named.")
        return
    yield Finding("departments", "ok", f"{len(catalogue.departments)} departments, {len(catalogue.concerns)} concerns")
    try:
        offers = with_language_model(settings, offers)
    except UnderstandingError as error:
        yield Finding("language model", "fault", str(error), "Correct understanding.llm in the settings.")
    yield from _agreements(gate, catalogue, offers)
    yield _understanding(settings, catalogue)
    for remark in catalogue.remarks:
        yield Finding("departments", "warning", remark, "It takes no effect; correct or delete it when convenient.")


def _understanding(settings: Settings, catalogue: Catalogue) -> Finding:
    part = "understanding"
    try:
        ranks = building.make_ranks(settings, catalogue)
        building.make_reader(settings, catalogue)
        versions = Versions(settings.data / "models" / "understanding")
        approved, adopted = versions.current(), versions.adopted()
    except UnderstandingError as error:
        return Finding(part, "fault", str(error), "")
    if settings.understanding.model is not None or approved in (SHIPPED, ranks.version):
        if adopted and settings.understanding.model is None:
            remedy = f"An older release trained it. Confirm it: anruflotse models approve {approved}"
            return Finding(part, "warning", f"the version {approved} is in force, but nobody has approved it", remedy)
        return Finding(part, "ok", f"model complete, version {ranks.version}")
    found = f"the approved version {approved} belongs to another sentence encoder; the shipped model stands in"
    return Finding(part, "warning", found, "Run anruflotse train.")


def _agreements(gate: Gate, catalogue: Catalogue, offers: Offers) -> Iterator[Finding]:
    for situation in situations(gate, catalogue, offers, day_in_germany(SystemClock().now())):
        yield _agreement(situation)


def _agreement(situation: Situation) -> Finding:
    part, agreement = f"processor {situation.processor.key}", situation.processor.agreement
    if situation.refused:
        use, reason = situation.refused[0]
        named = ", ".join(use.by for use, _ in situation.refused)
        found = f"refused as {named} ({use.category}): local engines stand in, targets are skipped"
        return Finding(part, "warning", found, reason)
    if situation.standing is Standing.ENDS_SOON and agreement is not None:
        found = f"the agreement ends on {agreement.until}"
        return Finding(part, "warning", found, "Enter the agreement that follows it (processors.agreements) by then.")
    if situation.standing is Standing.IN_FORCE:
        return Finding(part, "ok", "agreement in force")
    return Finding(part, "ok", f"{situation.standing}, and nothing is given to it")


def _tried(part: str, good: str, work: Callable[[], object]) -> Finding:
    try:
        work()
    except (SpeechError, UnderstandingError, ShapeError) as error:
        return Finding(part, "fault", str(error), "")
    return Finding(part, "ok", good)


def _ports(settings: Settings) -> Iterator[Finding]:
    wanted = [("sip.port", settings.sip.host, settings.sip.port, kind) for kind in _kinds(settings)]
    wanted.append(("console.port", settings.console.host, settings.console.port, socket.SOCK_STREAM))
    for key, host, port, kind in wanted:
        name = f"{key} {port}/{'udp' if kind == socket.SOCK_DGRAM else 'tcp'}"
        try:
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as probe:
                if kind == socket.SOCK_STREAM:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as error:
            reason = error.strerror or "not available"
            yield Finding(
                name, "fault", reason, f"End the program that uses it (or this service, if it runs), or set {key}."
            )
        else:
            yield Finding(name, "ok", "free")


def _kinds(settings: Settings) -> list[socket.SocketKind]:
    kinds = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}
    return [kinds[transport] for transport in settings.sip.transports if transport in kinds]


def _line(settings: Settings) -> Finding:
    try:
        building.make_sip(settings).check()
    except LineError as error:
        return Finding("line", "fault", str(error), "Correct the setting.")
    return Finding("line", "ok", ", ".join(settings.sip.transports))


def _records(settings: Settings) -> Iterator[Finding]:
    exposures: tuple[str, ...] = ()
    try:
        with closing(building.make_records(settings, SystemClock())) as records:
            records.prepare()
            healthy = records.healthy()
            exposures = records.exposures()
    except StoreError as error:
        yield Finding("records", "fault", str(error), "Calls are taken, but none is recorded until this is mended.")
        return
    for exposure in exposures:
        found, _, remedy = exposure.partition(": ")
        yield Finding("database", "warning", found, remedy[:1].upper() + remedy[1:])
    if healthy:
        yield Finding("records", "ok", "master key, key store and record store work")
    else:
        remedy = "Check the disk and the rights of the data directory, or whether PostgreSQL lets this user write."
        yield Finding("records", "fault", "no record can be written", remedy)


def _retention(settings: Settings) -> Finding:
    days, reason = settings.retention.days, settings.retention.longer_because
    if days > RETENTION_DAYS:
        remedy = f"Set retention.days to {RETENTION_DAYS} or less as soon as that reason has gone."
        return Finding("retention", "warning", f"{days} days, longer than promised, because of: {reason}", remedy)
    return Finding("retention", "ok", f"{days} days")


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.data if settings.data.exists() else settings.data.absolute().parent).free
    if free < FREE_BYTES:
        return Finding("disk", "warning", f"{free >> 20} MB free", "Free some space; a full disk means no recordings.")
    return Finding("disk", "ok", f"{free >> 30} GB free")


def _clock() -> Finding:
    now = SystemClock().now()
    if now < EARLIEST:
        return Finding("clock", "fault", f"the machine says {now:%Y-%m-%d}", "Set the clock; retention depends on it.")
    return Finding("clock", "ok", f"{now:%Y-%m-%d %H:%M} UTC")


async def _prompts(settings: Settings) -> list[Finding]:
    try:
        catalogue = building.make_catalogue(settings, building.make_gate(settings))
        book = building.make_prompts(settings, catalogue)
        problems = await book.check()
    except ShapeError as error:
        return [Finding("prompts", "fault", str(error), "Correct the file at the place named.")]
    if problems:
        return [Finding("prompts", "fault", problem) for problem in problems]
    return [Finding("prompts", "ok", f"{len(book.names)} prompts can be spoken")]
