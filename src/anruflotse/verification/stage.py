"""The stage for test calls: a service of its own, built from the very settings, that rings nobody and keeps nothing.

Same catalogue, prompts, thresholds, register and notice; but free ports on the loopback address, no registration at the
exchange, a data directory that is destroyed afterwards, and in place of every target an extension of our own phone. The
gate, the catalogue's hours and the order of targets are the real ones: only the address that is dialled is another.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Self

from anruflotse.app.building import Parts, build, make_gate
from anruflotse.app.engines import Offer, Offers
from anruflotse.app.service import Service
from anruflotse.call.equipment import Announcer, Directory, PromptMissingError
from anruflotse.clock import Clock, SystemClock
from anruflotse.conversation.actions import Destination, Goal, Play, Prompt
from anruflotse.conversation.events import Candidate
from anruflotse.departments.model import HUMAN, Target
from anruflotse.lines.peers import Behaviour, Caller, Phone
from anruflotse.lines.peers.transactions import ServerTransaction
from anruflotse.pcm import Pcm
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import Draft
from anruflotse.settings import Records, Settings
from anruflotse.settings.models import Keys
from anruflotse.speech.seams import Recogniser, Transcript
from anruflotse.verification.audio import sweep
from anruflotse.verification.watching import Watch
from anruflotse.yamlshape import ShapeError

HOST = "127.0.0.1"
SWEEP_SECONDS = 1.0
"""The test service sweeps this often, so that a run of a minute sees it done; the real interval is looked at too."""
ROOM_BYTES = 1 << 30
"""What a stage needs at most: the speech model, where it was not joined yet, and copies of its store."""
OFFICER = Accessor("anruflotse verify", Role.PRIVACY)
NUMBER = "+493023125{:03}"
"""Numbers the Bundesnetzagentur keeps free for films; nobody can be called by them."""
LISTED_NUMBERS = (NUMBER.format(98), NUMBER.format(99))
"""Test callers who objected before, for the time to come (Art. 21)."""
RING_SECONDS = 1.5
STAFF = sweep(300.0, 700.0, 0.8)
"""What whoever answers is heard to say."""
DUE_SECONDS = 6.0
"""So soon after the start a record falls due that only the service's own sweep may destroy."""


class OwnPhones:
    """The real directory, with every target replaced by an extension of our phone; see `Directory`."""

    def __init__(self, real: Directory) -> None:
        """Nothing can be dialled before `uri` is set."""
        self._real = real
        self._extensions: dict[tuple[str, int], str] = {}
        self.uri: Callable[[str], str] = str

    def candidate(self, concern: str, department: str, now: datetime) -> Candidate:
        """See `Directory.candidate`."""
        return self._real.candidate(concern, department, now)

    def targets(self, destination: Destination, now: datetime) -> Sequence[Target]:
        """See `Directory.targets`."""
        place = destination.department if destination.goal is Goal.DEPARTMENT else None
        return [
            replace(target, uri=self.uri(self.extension(place or HUMAN, number)))
            for number, target in enumerate(self._real.targets(destination, now))
        ]

    def extension(self, place: str, number: int = 0) -> str:
        """The extension of the `number`-th target of a department (or `mensch`): opaque, as a reference has to be."""
        return self._extensions.setdefault((place, number), f"z{len(self._extensions) + 1}")

    def place(self, extension: str) -> str | None:
        """Whose extension this is."""
        return next((place for (place, _), known in self._extensions.items() if known == extension), None)


class Breakable:
    """The real announcer, which can lose its notice; see `Announcer`."""

    def __init__(self, real: Announcer) -> None:
        """Whole until `broken`."""
        self._real = real
        self.broken = False
        self.missed = asyncio.Event()
        """Set when a call has asked for the notice in vain."""

    async def audio(self, play: Play, rate: int) -> Pcm:
        """See `Announcer.audio`."""
        if self.broken and play.prompt is Prompt.NOTICE:
            self.missed.set()
            raise PromptMissingError(play.prompt.value)
        return await self._real.audio(play, rate)


class Spy:
    """The engine of a processor without agreement: it must never be given anything, and counts what it is given."""

    def __init__(self, processor: str) -> None:
        """Nothing was received."""
        self.processor: str | None = processor
        self.received = 0

    async def transcribe(self, audio: Pcm, hints: Sequence[str] = ()) -> Transcript:  # noqa: ARG002 - the seam's
        """See `Recogniser.transcribe`; understands nothing."""
        self.received += bool(audio.data)
        return Transcript("", 0.0, accepted=False, reason="empty", engine="spy")

    @property
    def offer(self) -> Offer[Recogniser]:
        """The engine as it is offered to a service."""
        return Offer("verification", self.processor or "", lambda: self, lambda _: None)


class ListeningPhone(Phone):
    """Our phone; it keeps what every INVITE told, by Call-ID."""

    def __init__(self) -> None:
        """On any free port of the loopback address; whoever is called rings a moment, then makes a sound."""
        super().__init__(HOST, default=Behaviour(ring_seconds=RING_SECONDS, greeting=STAFF))
        self.told: dict[str, str] = {}

    def incoming(self, transaction: ServerTransaction) -> None:
        """See `Agent.incoming`."""
        request = transaction.request
        headers = [request.uri, *(f"{name}: {value}" for name, value in request.headers)]
        self.told[request.get("call-id")] = "\n".join(headers)
        super().incoming(transaction)


@dataclass(slots=True)
class Due:
    """A record that falls due while the stage is up."""

    record: str
    at: datetime


@dataclass(slots=True)
class Stage:
    """A running test service with a caller and a phone; use it as an asynchronous context manager."""

    settings: Settings
    """Those to be verified."""
    progress: Callable[[int, int], None] | None = None
    clock: Clock = field(default_factory=SystemClock)
    watch: Watch = field(default_factory=Watch)
    home: Path = field(init=False)
    parts: Parts = field(init=False)
    service: Service = field(init=False)
    caller: Caller = field(init=False)
    phone: ListeningPhone = field(init=False)
    phones: OwnPhones = field(init=False)
    announcer: Breakable = field(init=False)
    spy: Spy | None = field(init=False, default=None)
    due: Due | None = field(init=False, default=None)
    _stack: AsyncExitStack = field(init=False, default_factory=AsyncExitStack)
    _running: bool = field(init=False, default=False)

    async def __aenter__(self) -> Self:
        """Build and start everything. Raises what `build` and `Service.open` raise, and OSError."""
        self.home = Path(tempfile.mkdtemp(prefix="anruflotse-verify-", dir=_memory()))
        self._stack.callback(shutil.rmtree, self.home, ignore_errors=True)
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop everything and destroy the data directory."""
        await self._stack.aclose()

    @property
    def data(self) -> Path:
        """The data directory of the test service."""
        return self.home / "data"

    @property
    def uri(self) -> str:
        """Where the test service is called."""
        return f"sip:bot@{self.service.line.address.partition(':')[2]}"

    async def _open(self) -> None:
        await asyncio.to_thread(_furnish, self.settings.data, self.data)
        settings = for_stage(self.settings, self.data)
        self.spy = _spy(settings)
        parts = await asyncio.to_thread(self._build, settings)
        self.phones, self.announcer = OwnPhones(parts.equipment.directory), Breakable(parts.equipment.announcer)
        equipment = replace(parts.equipment, directory=self.phones, announcer=self.announcer)
        self.parts = replace(parts, equipment=equipment)
        self.phone = await self._stack.enter_async_context(ListeningPhone())
        self.phones.uri = self.phone.uri
        self.caller = await self._stack.enter_async_context(Caller(HOST))
        self.service = Service(self.parts, drain_seconds=0.0, progress=self.progress)
        await self.service.open()
        self._running = True
        self._stack.push_async_callback(self.settle)
        self.due = await asyncio.to_thread(self._seal_due)
        until = self.clock.now() + timedelta(days=1)
        for number in LISTED_NUMBERS:
            await asyncio.to_thread(partial(self.parts.records.object_number, number, OFFICER, until=until))

    async def settle(self) -> None:
        """End the service and leave its data where it is, until the stage itself is left. Safe to call twice."""
        if self._running:
            self._running = False
            await self.service.__aexit__()

    def _build(self, settings: Settings) -> Parts:
        offers = Offers() if self.spy is None else Offers(recogniser=self.spy.offer)
        return build(settings, self.clock, (self.watch,), offers)

    def _seal_due(self) -> Due:
        """Keep a record that was made so long ago that it falls due in a few seconds."""
        now = self.clock.now()
        made = now - timedelta(days=self.settings.retention.days) + timedelta(seconds=DUE_SECONDS)
        draft = Draft(
            reference=os.urandom(8).hex(),
            started_at=made,
            recorded_at=made,
            decision="route",
            outcome="succeeded",
            transcripts=("Prüfung der Löschfrist",),
        )
        record = self.parts.records.seal(draft)
        return Due(record, made + timedelta(days=self.settings.retention.days))


def for_stage(settings: Settings, data: Path) -> Settings:
    """The settings to be verified with what would ring somebody, keep something or take a port replaced."""
    retention = settings.retention
    return settings.model_copy(
        update={
            "data": data,
            # Without registration above all: a second service in the account would be given real calls.
            "sip": settings.sip.model_copy(
                update={"host": HOST, "port": 0, "transports": ("udp",), "registration": None, "workers": 1}
            ),
            "console": settings.console.model_copy(update={"host": HOST, "port": 0}),
            "retention": retention.model_copy(update={"sweep_seconds": min(SWEEP_SECONDS, retention.sweep_seconds)}),
            "records": Records(),
            "keys": Keys(),
        }
    )


def _memory() -> Path | None:
    """A directory in memory, if the machine has one with room: what is to be destroyed is best never on a disk."""
    found = Path("/dev/shm")  # noqa: S108 - the directory made in it is private and has an unguessable name
    return found if os.access(found, os.W_OK) and shutil.disk_usage(found).free >= ROOM_BYTES else None


def _furnish(live: Path, data: Path) -> None:
    """Give the test service the models and rendered prompts there are: both are costly, and neither is personal."""
    data.mkdir(mode=0o700)
    if (live / "models").is_dir():
        (data / "models").symlink_to((live / "models").resolve(), target_is_directory=True)
    if (live / "prompts").is_dir():
        # Its own directory: a service tidies up in there.
        shutil.copytree(live / "prompts", data / "prompts", copy_function=_linked)


def _linked(source: str, target: str) -> str:
    with suppress(OSError):
        os.link(source, target)
        return target
    return shutil.copy2(source, target)


def _spy(settings: Settings) -> Spy | None:
    """A spy in the place of a processor that has no agreement; None when the register cannot be read."""
    try:
        gate = make_gate(settings)
    except ShapeError:
        return None
    return Spy(next((key for key, entry in gate.register.items() if entry.agreement is None), "unbekannt"))
