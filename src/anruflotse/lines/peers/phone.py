"""Department telephones: one endpoint that answers for every extension, each as it is told to behave."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from anruflotse.lines.peers.agent import Agent
from anruflotse.lines.peers.call_state import CallEvent
from anruflotse.lines.peers.codecs import CODECS, Codec
from anruflotse.lines.peers.message import MalformedMessageError, address, parse_uri
from anruflotse.lines.peers.session import Session
from anruflotse.pcm import Pcm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anruflotse.lines.peers.transactions import ServerTransaction

_RATE: Final = 8_000


class Reaction(StrEnum):
    """What an extension does when it is called."""

    ANSWER = "answer"
    """Ring for `Behaviour.ring_seconds`, then answer and play the greeting."""
    BUSY = "busy"
    """486."""
    DECLINE = "decline"
    """603, after having rung."""
    UNAVAILABLE = "unavailable"
    """480, after having rung."""
    RING = "ring"
    """Ring until the caller gives up."""
    DEAD = "dead"
    """No reaction at all, as if the telephone were unplugged."""


@functools.cache
def tone(hertz: float = 440.0, seconds: float = 0.4, level: float = 0.2) -> Pcm:
    """A sine of `hertz` at 8 kHz; `level` is its peak relative to full scale."""
    time = np.arange(round(seconds * _RATE)) / _RATE
    return Pcm((np.sin(2 * np.pi * hertz * time) * level * 32_767).astype("<i2").tobytes(), _RATE)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How an extension behaves: its reaction, how long it rings, what it says, when it hangs up (None: never)."""

    reaction: Reaction = Reaction.ANSWER
    ring_seconds: float = 0.0
    greeting: Pcm | None = field(default_factory=tone)
    hang_up_after: float | None = None


@dataclass(frozen=True, slots=True)
class PhoneEvent:
    """Something that happened at a phone: `ringing`, `answered`, `refused`, `key` or `closed`, at extension `user`.

    `at` is in seconds since the phone was opened, `call` the Call-ID. `caller` is personal data: not in the repr.
    """

    event: str
    at: float
    user: str
    call: str
    user_to_user: str | None = None
    caller: str | None = field(default=None, repr=False)
    details: Mapping[str, str | float] = field(default_factory=dict, repr=False)


class PhoneCall(Session):
    """A call that came to a phone: all of `Session`, and whom it is for, where from, with which User-to-User header."""

    def __init__(
        self, phone: Phone, transaction: ServerTransaction, on_event: Callable[[PhoneCall, CallEvent], None]
    ) -> None:
        """Read what the INVITE in `transaction` says. Raises MalformedMessageError."""
        super().__init__(phone, lambda event: on_event(self, event))
        request = transaction.request
        self.user = parse_uri(request.uri).user
        self.user_to_user = request.get("user-to-user") or None
        self.caller = _number(request.get("p-asserted-identity") or request.get("from"))


class Phone(Agent):
    """Answers on one port (UDP and TCP) for all extensions; any number of calls at once.

    `behaviours` are by user part of the dialled URI; every other extension behaves as `default`. `events` keeps what
    happened, `calls` every call that came; `expect` waits for one.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        behaviours: Mapping[str, Behaviour] | None = None,
        default: Behaviour | None = None,
        codecs: Sequence[Codec] = CODECS,
        on_event: Callable[[PhoneEvent], None] | None = None,
    ) -> None:
        """Prepare for `host`:`port` (0: any free one)."""
        super().__init__(host, port, listen_tcp=True)
        self.events: list[PhoneEvent] = []
        self.calls: list[PhoneCall] = []
        self._behaviours = dict(behaviours or {})
        self._default = default or Behaviour()
        self._codecs = codecs
        self._on_event = on_event
        self._happened = asyncio.Event()
        self._began = 0.0

    async def open(self) -> None:
        """Bind. Raises OSError when the port is taken."""
        await super().open()
        self._began = asyncio.get_running_loop().time()

    def uri(self, user: str) -> str:
        """The SIP URI of the extension `user`."""
        return f"sip:{user}@{self.host}:{self.port}"

    def behave(self, user: str, behaviour: Behaviour) -> None:
        """From the next call on, `user` behaves like this."""
        self._behaviours[user] = behaviour

    async def expect(self, event: str, user: str | None = None, seconds: float = 10.0, number: int = 1) -> PhoneEvent:
        """The `number`-th event of this kind (at `user`, if given), waiting for it if need be. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while True:
                found = [told for told in self.events if told.event == event and user in (None, told.user)]
                if len(found) >= number:
                    return found[number - 1]
                self._happened.clear()
                await self._happened.wait()

    def call(self, event: PhoneEvent) -> PhoneCall:
        """The call an event belongs to."""
        return next(call for call in self.calls if call.id == event.call)

    def incoming(self, transaction: ServerTransaction) -> None:
        """Somebody calls."""
        try:
            user = parse_uri(transaction.request.uri).user
            behaviour = self._behaviours.get(user, self._default)
            if behaviour.reaction is Reaction.DEAD:
                return
            call = PhoneCall(self, transaction, self._tell)
            if behaviour.reaction is Reaction.BUSY:
                transaction.respond(486)
                self._note("refused", call, transaction.request.get("call-id"), {"status": 486})
                return
            call.ring(transaction)
        except MalformedMessageError:
            transaction.respond(400)
            return
        self.calls.append(call)
        call.tell("ringing")
        self.spawn("phone call", asyncio.ensure_future(self._attend(call, behaviour)))

    async def _attend(self, call: PhoneCall, behaviour: Behaviour) -> None:
        """Do with a ringing call what the extension does."""
        if behaviour.reaction is Reaction.RING:
            return
        if behaviour.ring_seconds:
            await asyncio.sleep(behaviour.ring_seconds)
        if behaviour.reaction is not Reaction.ANSWER:
            call.reject(603 if behaviour.reaction is Reaction.DECLINE else 480)
            return
        if not await call.accept(self._codecs):
            return
        if behaviour.greeting:
            await call.say(behaviour.greeting)
        if behaviour.hang_up_after is not None:
            await asyncio.sleep(behaviour.hang_up_after)
            await call.hang_up()

    def _tell(self, call: PhoneCall, event: CallEvent) -> None:
        self._note(event.event, call, call.id, event.details)

    def _note(self, event: str, call: PhoneCall, call_id: str, details: Mapping[str, str | float]) -> None:
        at = round(asyncio.get_running_loop().time() - self._began, 3)
        told = PhoneEvent(event, at, call.user, call_id, call.user_to_user, call.caller, details)
        self.events.append(told)
        self._happened.set()
        if self._on_event:
            self._on_event(told)


def _number(value: str) -> str | None:
    try:
        return parse_uri(address(value)).user or None
    except MalformedMessageError:
        return None
