"""One call between two telephones: the SIP dialog (RFC 3261 section 12) with its audio."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal

from anruflotse.lines.peers.agent import ALLOW, Agent
from anruflotse.lines.peers.call_state import CallEvent, CallFailedError, NotAnsweredError, State
from anruflotse.lines.peers.codecs import CODECS, Codec
from anruflotse.lines.peers.dialog import Dialog
from anruflotse.lines.peers.heard import Heard, Stretch
from anruflotse.lines.peers.media import Media
from anruflotse.lines.peers.message import Message, SipUri, address
from anruflotse.lines.peers.rtp import KEYS, Stream
from anruflotse.lines.peers.transactions import ClientTransaction, ServerTransaction
from anruflotse.lines.peers.transport import UnreachableError
from anruflotse.pcm import FRAME_MS, Pcm

_BYE_SECONDS: Final = 2.0
_SIGNAL: Final = re.compile(rb"(?:^|[\r\n])\s*(?:Signal\s*=\s*)?([0-9*#A-D])\s*(?:[\r\n]|$)", re.IGNORECASE)


class Session:
    """One call, dialled or received. Everything happens on the event loop that made it."""

    def __init__(self, agent: Agent, on_event: Callable[[CallEvent], None] | None = None) -> None:
        """Belong to `agent`; `on_event` is told what happens besides its being kept in `events`."""
        self.state = State.CALLING
        self.events: list[CallEvent] = []
        self.keys: list[str] = []
        self.status: int | None = None
        self.ended_by: Literal["us", "them"] | None = None
        self.answer_headers: dict[str, str] = {}
        self._agent = agent
        self._dialog = Dialog(agent)
        self._media = Media()
        self._on_event = on_event
        self._began = asyncio.get_running_loop().time()
        self._invite: ClientTransaction | None = None
        self._incoming: ServerTransaction | None = None
        self._ack: bytes | None = None
        self._giving_up = False
        self._answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Asked for or not, a call that fails must not leave a warning about an exception nobody looked at.
        self._answer.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._closed = asyncio.Event()

    @property
    def id(self) -> str:
        """The Call-ID: opaque, made by chance, safe in logs."""
        return self._dialog.call_id

    def now(self) -> float:
        """Seconds since dialling (or since the call came in)."""
        return asyncio.get_running_loop().time() - self._began

    @property
    def stream(self) -> Stream:
        """The audio. Raises NotAnsweredError when the call has none yet."""
        return self._media.stream

    @property
    def heard(self) -> Heard:
        """All audio received so far; it stays readable after the call. Raises NotAnsweredError before there was any."""
        if self.stream.heard is None:
            message = "Nothing can have been heard: the call was not answered."
            raise NotAnsweredError(message)
        return self.stream.heard

    @property
    def codec(self) -> str:
        """The codec in use, in lower case, "" before the answer."""
        return self._media.codec.name.lower() if self._media.codec else ""

    async def answered(self) -> None:
        """Return once the call is answered. Raises CallFailedError, or UnreachableError when nobody reacted at all."""
        await asyncio.shield(self._answer)

    async def closed(self) -> None:
        """Return once the call is over, whoever ended it; see `ended_by` and `status`."""
        await self._closed.wait()

    async def say(self, audio: Pcm) -> bool:
        """Say `audio` (8 or 16 kHz) at its natural pace; True when all went out, False when it was cut."""
        said = self.stream.say(audio)
        try:
            return await asyncio.shield(said)
        except asyncio.CancelledError:
            self.stream.stop_saying()
            raise

    def hush(self) -> None:
        """Stop saying what is being said."""
        self.stream.stop_saying()

    async def press(self, keys: str, via: Literal["rfc4733", "info"] = "rfc4733", milliseconds: int = 120) -> bool:
        """Press `keys` one after the other, as telephone events or as SIP INFO (application/dtmf-relay).

        Returns True when all were pressed and released, False when the call ended in between. Raises ValueError on a
        key that no telephone has, NotAnsweredError when the call is not up or the other side takes no telephone events.
        """
        self._must_be_up("press keys")
        for key in keys:
            if key not in KEYS:
                message = f"A telephone has the keys {KEYS}, not {key!r}."
                raise ValueError(message)
        for key in keys:
            if via == "info":
                body = f"Signal={key}\r\nDuration={milliseconds}\r\n".encode()
                with contextlib.suppress(UnreachableError):
                    await self.request("INFO", [("content-type", "application/dtmf-relay")], body)
            elif not self.stream.takes_events:
                message = "The other side takes no telephone events (RFC 4733): press keys by INFO."
                raise NotAnsweredError(message)
            else:
                await self.stream.press(key, milliseconds)
            if self.state is not State.ANSWERED:
                return False
        return True

    async def wait_prompt(self, *, after: float | None = None, pause_ms: int = 600, seconds: float = 30.0) -> Stretch:
        """Wait until the other side has spoken and then been silent for `pause_ms`; returns when it began and ended.

        Only speech that ends later than `after` (seconds since dialling, default: now) counts. Raises TimeoutError
        after `seconds`, NotAnsweredError when the call ends first.
        """
        mark = self.now() if after is None else after
        async with asyncio.timeout(seconds):
            while True:
                if found := self.heard.finished_after(mark, self.now(), pause_ms / 1_000):
                    return found
                self._must_be_up("wait for a prompt")
                await asyncio.sleep(FRAME_MS / 1_000)

    async def wait_speech(self, *, after: float | None = None, seconds: float = 30.0) -> float:
        """Wait until the other side speaks later than `after` (default: now); returns when, in s since dialling."""
        mark = self.now() if after is None else after
        async with asyncio.timeout(seconds):
            while True:
                for stretch in self.heard.stretches(pause=0.1):
                    if stretch.end > mark:
                        return max(stretch.start, mark)
                self._must_be_up("wait for speech")
                await asyncio.sleep(FRAME_MS / 1_000)

    async def hang_up(self) -> None:
        """End the call in whatever state it is: CANCEL, decline or BYE. Takes at most 2 s. Safe to call twice."""
        if self.state is State.CLOSED:
            return
        if self._incoming and self.state is not State.ANSWERED:
            self._incoming.respond(480)
        elif self.state is State.ANSWERED:
            self._media.close()
            # Gone in between, or never to answer: over either way.
            with contextlib.suppress(UnreachableError, NotAnsweredError):
                await self.request("BYE", patience=_BYE_SECONDS)
        elif self._invite and not self._giving_up:
            self._giving_up = True
            if self._invite.progressed:
                self._send_cancel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_BYE_SECONDS):
                    await self._closed.wait()
            self._invite.quieten()
        self._close("us", 487 if self.state is not State.ANSWERED else None)

    def abandon(self) -> None:
        """Forget the call without a word to the other side, as a telephone does whose power fails."""
        self._close("us", None)

    # -- dialling -------------------------------------------------------------------------------------------------

    async def invite(
        self,
        uri: SipUri,
        *,
        local: str,
        codecs: Sequence[Codec],
        secure: bool,
        headers: Iterable[tuple[str, str]] = (),
        patience: float = 32.0,
    ) -> None:
        """Send the INVITE; `answered` tells what becomes of it. Raises UnreachableError: no way to the host."""
        flow = await self._agent.flow_to(uri)
        await self._media.open(flow.local[0], codecs, self.now, self._pressed)
        if self._giving_up or self.state is State.CLOSED:
            self._media.close()
            flow.close()
            return
        self._dialog.call(flow, uri.bare(), local)
        self._agent.sessions[self._dialog.call_id, self._dialog.tag] = self
        offer = self._media.offer(secure=secure)
        request = self._dialog.build("INVITE", [*headers, ("content-type", "application/sdp")], offer)
        self._invite = self._agent.begin(flow, request, self._invite_answered, patience)

    def _invite_answered(self, response: Message | None) -> None:
        if response is None:
            error = UnreachableError("Nobody answered: no SIP reaction from the other side.")
            self._fail(error, None)
        elif response.status < 200:  # noqa: PLR2004 - provisional
            if self._giving_up:
                self._send_cancel()
            elif response.status > 100 and self.state is State.CALLING:  # noqa: PLR2004
                self.state = State.RINGING
                self.tell("ringing", status=response.status)
            if response.body and self.state is not State.CLOSED:
                self._media.answered(response.body)
        elif response.status < 300:  # noqa: PLR2004 - answered
            self._established(response)
        else:
            self._fail(CallFailedError(response.status, response.reason), response.status)

    def _established(self, response: Message) -> None:
        if self._ack is None:
            self._dialog.established(response)
            self._ack = self._dialog.build("ACK", number=response.cseq[0]).encode()
            self._dialog.way().send(self._ack)
        else:
            # A repeated 2xx: our ACK was lost.
            self._dialog.way().send(self._ack)
            return
        if self.state is State.CLOSED or self._giving_up:
            # The answer crossed our CANCEL (RFC 3261 section 9.1): take it, then hang up.
            self._bye()
            self._close("us", 487)
        elif not self._media.answered(response.body):
            self._bye()
            self._fail(CallFailedError(488, "the answer has no audio that was offered"), 488)
        else:
            self._up(response)

    def _bye(self) -> None:
        self._agent.begin(self._dialog.way(), self._dialog.build("BYE"), lambda _: None, _BYE_SECONDS)

    def _fail(self, error: Exception, status: int | None) -> None:
        if not self._answer.done():
            self._answer.set_exception(error)
        self._close("us" if self._giving_up else "them", status)

    def _send_cancel(self) -> None:
        if not self._invite or not self._dialog.flow:
            return
        request = self._invite.request
        names = ("via", "from", "to", "call-id", "max-forwards", "route")
        kept = [(name, value) for name, value in request.headers if name in names]
        cancel = Message("CANCEL", request.uri, headers=[*kept, ("cseq", f"{request.cseq[0]} CANCEL")])
        self._agent.begin(self._dialog.flow, cancel, lambda _: None, _BYE_SECONDS)

    # -- being called ---------------------------------------------------------------------------------------------

    def ring(self, transaction: ServerTransaction) -> None:
        """Take an incoming INVITE and ring. Raises MalformedMessageError when it has no usable offer."""
        self._dialog.called(transaction)
        self._incoming = transaction
        self._agent.sessions[self._dialog.call_id, self._dialog.tag] = self
        self.state = State.RINGING
        transaction.respond(180, [self._dialog.contact()])

    async def accept(self, codecs: Sequence[Codec] = CODECS) -> bool:
        """Answer an incoming call; False when the caller was faster to hang up or offers no audio we have (488)."""
        transaction = self._incoming
        if transaction is None or self.state is not State.RINGING:
            return False
        await self._media.open(transaction.flow.local[0], codecs, self.now, self._pressed)
        if self._hung_up():
            self._media.close()
            return False
        answer = self._media.answer(transaction.request.body)
        if answer is None:
            self.reject(488)
            return False
        headers = [self._dialog.contact(), ("allow", ALLOW), ("content-type", "application/sdp")]
        transaction.respond(200, headers, answer)
        self._up(transaction.request)
        return True

    def reject(self, status: int) -> None:
        """Refuse an incoming call with `status`."""
        if self._incoming and self.state is State.RINGING:
            self._incoming.respond(status)
            self._close("us", status)

    def acknowledged(self) -> None:
        """The caller's ACK came."""
        if self._incoming:
            self._incoming.acknowledged()

    def cancelled(self) -> None:
        """The caller gave up before we answered."""
        self._close("them", 487)

    # -- within the dialog ----------------------------------------------------------------------------------------

    async def request(
        self, method: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", patience: float = 4.0
    ) -> Message:
        """Send a request within the call and return its final answer. Raises UnreachableError, NotAnsweredError."""
        self._must_be_up(f"send {method}")
        return await self._agent.request(self._dialog.way(), self._dialog.build(method, headers, body), patience)

    def take(self, transaction: ServerTransaction) -> None:
        """A request of the other side's within the call."""
        request = transaction.request
        if not self._dialog.in_order(request):
            transaction.respond(500)
        elif request.method == "BYE":
            transaction.respond(200)
            self._close("them", None)
        elif request.method in ("INVITE", "UPDATE"):
            self._renegotiate(transaction)
        elif request.method == "INFO":
            transaction.respond(200)
            match = _SIGNAL.search(request.body)
            if match:
                self._pressed(match[1].decode().upper())
        elif request.method == "REFER":
            self.referred(transaction)
        elif request.method in ("OPTIONS", "NOTIFY"):
            transaction.respond(200, [("allow", ALLOW)])
        else:
            transaction.respond(405, [("allow", ALLOW)])

    def referred(self, transaction: ServerTransaction) -> None:
        """The other side wants us to call somebody else. An ordinary telephone declines; a caller overrides this."""
        transaction.respond(603)

    def tell(self, event: str, **details: str | float) -> None:
        """Note an event and pass it on."""
        told = CallEvent(event, round(self.now(), 3), details)
        self.events.append(told)
        if self._on_event:
            self._on_event(told)

    def _renegotiate(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        if not request.body and request.method == "UPDATE":
            transaction.respond(200)
            return
        answer = self._media.answer(request.body) if request.body else self._media.reoffer()
        if answer is None:
            transaction.respond(488)
            return
        if contact := address(request.get("contact")):
            self._dialog.target = contact
        if request.method == "INVITE":
            self._incoming = transaction
        transaction.respond(200, [self._dialog.contact(), ("content-type", "application/sdp")], answer)

    def _up(self, message: Message) -> None:
        self.state = State.ANSWERED
        self.answer_headers = dict(message.headers)
        self.tell("answered", codec=self.codec)
        if not self._answer.done():
            self._answer.set_result(None)

    def _pressed(self, key: str) -> None:
        self.keys.append(key)
        self.tell("key", key=key)

    def _must_be_up(self, what: str) -> None:
        if self.state is not State.ANSWERED:
            message = f"Cannot {what}: the call is {self.state}."
            raise NotAnsweredError(message)

    def _hung_up(self) -> bool:
        return self.state is State.CLOSED

    def _close(self, by: Literal["us", "them"], status: int | None) -> None:
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self.ended_by = by
        self.status = status
        self._media.close()
        self._agent.sessions.pop((self._dialog.call_id, self._dialog.tag), None)
        if not self._answer.done():
            self._answer.set_exception(CallFailedError(status or 487, "the call ended before it was answered"))
        details: dict[str, str | float] = {"by": by}
        if status is not None:
            details["status"] = status
        self.tell("closed", **details)
        self._closed.set()
        flow = self._dialog.flow
        if flow and flow.reliable and self._invite:
            # Our own connection, one a call: leave time for an answer that is on its way.
            asyncio.get_running_loop().call_later(1.0, flow.close)
