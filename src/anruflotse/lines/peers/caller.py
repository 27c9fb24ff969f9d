"""Callers: place real SIP calls, speak, press keys, listen, and follow the transfer as the telephone network would."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from anruflotse.lines.peers.agent import Agent
from anruflotse.lines.peers.call_state import CallEvent, CallFailedError, NotAnsweredError, State
from anruflotse.lines.peers.codecs import CODECS, by_name
from anruflotse.lines.peers.message import MalformedMessageError, SipError, SipUri, address, parse_uri
from anruflotse.lines.peers.session import Session
from anruflotse.lines.peers.transactions import REASONS, ServerTransaction
from anruflotse.lines.peers.transport import UnreachableError

# What a URI must not be able to put into the request it leads to (RFC 3261 section 19.1.5).
_FORBIDDEN: Final = frozenset(
    {
        "accept", "accept-encoding", "accept-language", "allow", "authorization", "body", "call-id", "contact",
        "content-length", "content-type", "cseq", "from", "max-forwards", "organization", "p-asserted-identity",
        "proxy-authorization", "record-route", "route", "supported", "to", "user-agent", "via",
    }
)  # fmt: skip
_BYE_PATIENCE: Final = 5.0


class OnRefer(StrEnum):
    """What the caller's side does with a REFER."""

    FOLLOW = "follow"
    """What a PBX does: 202, NOTIFY 100, dial the target, NOTIFY what becomes of it."""
    REFUSE = "refuse"
    """Refuse the REFER with 603."""
    IGNORE = "ignore"
    """202, then nothing ever: no NOTIFY, no BYE, the target is not dialled."""
    VANISH = "vanish"
    """202, then BYE without any NOTIFY, as some trunks do; the target is dialled all the same."""
    HANG_UP = "hang_up"
    """BYE before the REFER is answered (487): the caller put the receiver down in that moment."""


@dataclass(slots=True)
class Referral:
    """One REFER and what became of it. `status` is the target's final SIP status, None while it is open."""

    target: str
    user_to_user: str | None
    at: float
    status: int | None = None
    call: Call | None = field(default=None, repr=False)


class Call(Session):
    """A call a `Caller` placed: all of `Session`, and `referrals`, the transfers the other side asked for."""

    def __init__(
        self, caller: Caller, identity: _Identity, on_refer: OnRefer, on_event: Callable[[CallEvent], None] | None
    ) -> None:
        """Belong to `caller`; made by `Caller.start`."""
        super().__init__(caller, on_event)
        self.on_refer = on_refer
        self.referrals: list[Referral] = []
        self._caller = caller
        self._identity = identity
        self._referred = asyncio.Event()
        self._settled = asyncio.Event()

    @property
    def second(self) -> Call | None:
        """The call to the target of the last transfer that was dialled: where the caller talks once it is answered."""
        return next((referral.call for referral in reversed(self.referrals) if referral.call), None)

    async def wait_refer(self, seconds: float = 30.0, number: int = 1) -> Referral:
        """Wait for the `number`-th REFER. Raises TimeoutError, or NotAnsweredError when the call ends without it."""
        await self._wait_for(lambda: len(self.referrals) >= number, self._referred, seconds, "wait for a REFER")
        return self.referrals[number - 1]

    async def wait_transferred(self, seconds: float = 30.0) -> Referral:
        """Wait until a target has answered; returns that referral. Raises TimeoutError, NotAnsweredError."""
        answered = lambda: any(referral.status == 200 for referral in self.referrals)  # noqa: E731, PLR2004
        await self._wait_for(answered, self._settled, seconds, "wait for a transfer")
        return next(referral for referral in self.referrals if referral.status == 200)  # noqa: PLR2004

    async def hang_up(self) -> None:
        """End the call, and the second one if a transfer is under way or has succeeded."""
        second = self.second
        await super().hang_up()
        if second:
            await second.hang_up()

    def referred(self, transaction: ServerTransaction) -> None:
        """Do with the REFER what `on_refer` says."""
        request = transaction.request
        try:
            target = parse_uri(address(request.get("refer-to")))
        except MalformedMessageError:
            transaction.respond(400, reason="Bad Refer-To")
            return
        headers = {name.lower(): value for name, value in target.headers}
        uui = headers.get("user-to-user")
        referral = Referral(target.bare(), uui, self.now())
        number = request.cseq[0] if self.referrals else None
        for earlier in self.referrals:
            # The other side has given up on that target and wants another one.
            if earlier.call and earlier.status is None:
                self._agent.spawn("give up target", asyncio.ensure_future(earlier.call.hang_up()))
        self.referrals.append(referral)
        details = {"target": referral.target} | ({"user_to_user": uui} if uui is not None else {})
        self.tell("refer", **details)
        self._referred.set()
        if self.on_refer is OnRefer.REFUSE:
            referral.status = 603
            transaction.respond(603)
        elif self.on_refer is OnRefer.HANG_UP:
            self._agent.spawn("hang up on refer", asyncio.ensure_future(self._hang_up_on(transaction)))
        else:
            transaction.respond(202, [self._dialog.contact()])
            if self.on_refer is not OnRefer.IGNORE:
                self._agent.spawn(
                    "follow refer", asyncio.ensure_future(self._follow(referral, target, headers, number))
                )

    async def _hang_up_on(self, transaction: ServerTransaction) -> None:
        await super().hang_up()
        transaction.respond(487)

    async def _follow(self, referral: Referral, target: SipUri, headers: Mapping[str, str], number: int | None) -> None:
        """Dial the target and tell the other side; `number` marks a second REFER's subscription (RFC 3515, 2.4.6)."""
        vanish = self.on_refer is OnRefer.VANISH
        event = "refer" if number is None else f"refer;id={number}"
        allowed = {name: value for name, value in headers.items() if name not in _FORBIDDEN}
        if vanish:
            await super().hang_up()
        else:
            await self._notify(event, 100)
        call = referral.call = self._caller.prepare(self._identity, self.on_refer, self._forward(event, vanish=vanish))
        try:
            await self._caller.place(call, target, self._identity, allowed)
            await call.answered()
            referral.status = 200
        except CallFailedError as error:
            referral.status = error.status
        except UnreachableError:
            referral.status = 408
        self.tell("transfer", status=referral.status, target=referral.target)
        self._settled.set()
        if vanish:
            return
        await self._notify(event, referral.status, final=True)
        if referral.status == 200:  # noqa: PLR2004
            await self._leave()

    def _forward(self, event: str, *, vanish: bool) -> Callable[[CallEvent], None]:
        """Pass the second call's ringing on to the other side as it happens."""

        def told(happened: CallEvent) -> None:
            if happened.event == "ringing" and not vanish:
                self._agent.spawn("notify ringing", asyncio.ensure_future(self._notify(event, 180)))

        return told

    async def _leave(self) -> None:
        """Wait for the other side's BYE, which a successful transfer ends with, and hang up if it forgets."""
        try:
            async with asyncio.timeout(_BYE_PATIENCE):
                await self.closed()
        except TimeoutError:
            await super().hang_up()

    async def _notify(self, event: str, status: int, *, final: bool = False) -> None:
        state = "terminated;reason=noresource" if final else "active;expires=60"
        fragment = f"SIP/2.0 {status} {REASONS.get(status, 'Failure')}\r\n".encode()
        headers = [("event", event), ("subscription-state", state), ("content-type", "message/sipfrag;version=2.0")]
        # The other side may have hung up, or never answer: the transfer goes on without telling it.
        with contextlib.suppress(UnreachableError, NotAnsweredError):
            await self.request("NOTIFY", headers, fragment)

    async def _wait_for(self, reached: Callable[[], bool], signal: asyncio.Event, seconds: float, what: str) -> None:
        closed = asyncio.ensure_future(self.closed())
        try:
            async with asyncio.timeout(seconds):
                while not reached():
                    # After the end of the call a vanished caller's transfer may still be under way.
                    open_referral = any(referral.call and referral.status is None for referral in self.referrals)
                    if closed.done() and not open_referral:
                        self._must_be_up(what)
                    signal.clear()
                    waiter = asyncio.ensure_future(signal.wait())
                    watched = {waiter} if closed.done() else {waiter, closed}
                    try:
                        await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        waiter.cancel()
        finally:
            closed.cancel()


@dataclass(frozen=True, slots=True)
class _Identity:
    number: str | None = field(repr=False)
    codecs: tuple[str, ...]
    secure: bool


class Caller(Agent):
    """An endpoint that places calls, as many at once as wanted; the audio of each has its own port.

        async with Caller() as caller:
            call = await caller.dial("sip:bot@127.0.0.1:5060", number="+493012345678")
            await call.wait_prompt(after=0)
            await call.say(pcm)
            referral = await call.wait_transferred()

    Everything runs on the event loop it is opened on. It belongs into a process of its own, not into the bot's: the
    pacing of its audio is only as good as that loop is free (`call.stream.late_ms` tells).
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None, patience: float = 5.0
    ) -> None:
        """Call from `host`:`port` (0: any free one); a host that does not react in `patience` s is unreachable."""
        super().__init__(host, port, tls=tls)
        self._patience = patience

    async def dial(
        self,
        uri: str,
        *,
        number: str | None = None,
        codec: str | Sequence[str] = (),
        secure: bool | None = None,
        on_refer: OnRefer = OnRefer.FOLLOW,
        headers: Mapping[str, str] | None = None,
        on_event: Callable[[CallEvent], None] | None = None,
        seconds: float = 60.0,
    ) -> Call:
        """Call `uri` and return once it is answered.

        `number` is shown as the caller's in From and P-Asserted-Identity; None calls anonymously. `codec` offers only
        that codec (or those, in order; default all). `secure` offers SRTP; by default exactly when the URI says TLS.
        Raises CallFailedError (busy, declined; 408 after `seconds` of ringing), UnreachableError, ValueError for a
        wrong codec, MalformedMessageError for a wrong URI.
        """
        call = await self.start(
            uri, number=number, codec=codec, secure=secure, on_refer=on_refer, headers=headers, on_event=on_event
        )
        try:
            async with asyncio.timeout(seconds):
                await call.answered()
        except TimeoutError as error:
            silent = call.state is State.CALLING
            await call.hang_up()
            if silent:
                message = f"Nobody answered: no SIP reaction in {seconds:g} s."
                raise UnreachableError(message) from error
            raise CallFailedError(408, f"it rang for {seconds:g} s") from error
        except asyncio.CancelledError:
            await call.hang_up()
            raise
        return call

    async def start(
        self,
        uri: str,
        *,
        number: str | None = None,
        codec: str | Sequence[str] = (),
        secure: bool | None = None,
        on_refer: OnRefer = OnRefer.FOLLOW,
        headers: Mapping[str, str] | None = None,
        on_event: Callable[[CallEvent], None] | None = None,
    ) -> Call:
        """Send the INVITE and return at once; see `dial` for the rest and `Session.answered` for what becomes of it."""
        target = parse_uri(uri)
        names = tuple(by_name(name).name for name in ([codec] if isinstance(codec, str) else codec))
        identity = _Identity(number, names, target.transport == "tls" if secure is None else secure)
        call = self.prepare(identity, on_refer, on_event)
        await self.place(call, target, identity, headers or {})
        return call

    def prepare(self, identity: _Identity, on_refer: OnRefer, on_event: Callable[[CallEvent], None] | None) -> Call:
        """A call that is not dialled yet."""
        return Call(self, identity, on_refer, on_event)

    async def place(self, call: Call, target: SipUri, identity: _Identity, headers: Mapping[str, str]) -> None:
        """Dial `target` with a call made by `prepare`. Raises UnreachableError."""
        if any(char in text for text in (*headers, *headers.values(), identity.number or "") for char in "\r\n"):
            message = "Neither a number nor a header may contain a line break."
            raise SipError(message)
        shown = f"<sip:{identity.number}@{self.host}>"
        local = shown if identity.number else '"Anonymous" <sip:anonymous@anonymous.invalid>'
        own = [("p-asserted-identity", shown)] if identity.number else [("privacy", "id")]
        own += [(name.lower(), value) for name, value in {**dict(target.headers), **headers}.items()]
        unique = {name: value for name, value in own if name not in _FORBIDDEN or name == "p-asserted-identity"}
        await call.invite(
            target,
            local=local,
            codecs=[by_name(name) for name in identity.codecs] or CODECS,
            secure=identity.secure or target.transport == "tls",
            headers=unique.items(),
            patience=self._patience,
        )
