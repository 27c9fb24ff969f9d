"""One blind transfer inside the worker: REFER, and what becomes of it.

The stack alone cannot tell all we must know. A caller who is gone looks the same whether the peer had taken the REFER
("transferred, presumably") or not ("hung up"). And after a target that did not answer in time, the stack gives the
NOTIFYs of the next REFER to the old one unless the peer numbers them (RFC 3515 2.4.6; many do not). So while a
transfer is under way the stack's SIP trace is on, and `DialogWatch` reads in it what the peer says about it. The trace
never leaves this process, and nothing of it is kept but a yes or no and a status code.
"""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from baresip import BaresipError, CallState, TransferFailed

from anruflotse.lines.line import Outcome
from anruflotse.lines.sip.addresses import failed_transfer

if TYPE_CHECKING:
    from baresip import Call, Runtime

_TRACED = re.compile(r"\A(?P<way>[RT]X) [^\n]*\n(?P<first>[^\n]*)\n")
_CALL_ID = re.compile(r"^(?:Call-ID|i)\s*:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_CSEQ_REFER = re.compile(r"^CSeq\s*:\s*(\d+)\s+REFER\b", re.IGNORECASE | re.MULTILINE)
_EVENT_REFER = re.compile(r"^(?:Event|o)\s*:\s*refer\b(?:.*?;\s*id\s*=\s*(\d+))?", re.IGNORECASE | re.MULTILINE)
_SIPFRAG = re.compile(r"^SIP/2\.0 ([1-6]\d\d)\b", re.MULTILINE)
_LAG = 0.15
"""Seconds by which trace and events, which come over different threads, may be apart."""
_SUCCESS = range(200, 300)
_PROGRESS = range(101, 200)
"""Ringing and the like. 100 is only the NOTIFY that RFC 3515 demands at once."""


@dataclass(slots=True)
class Watched:
    """What the peer said so far about the latest REFER of one call."""

    decided: asyncio.Future[int]
    """The final status: any success in this call, or the failure of the latest REFER."""
    accepted: bool = False
    progress: bool = False
    """The peer tells how the call to the target goes on: then it would also tell that it succeeded."""
    cseq: int | None = None

    def decide(self, status: int) -> None:
        """Take the first decision."""
        if not self.decided.done():
            self.decided.set_result(status)

    @property
    def succeeded(self) -> bool:
        """Whether the peer reported a success."""
        return self.decided.done() and self.decided.result() in _SUCCESS


class DialogWatch(logging.Handler):
    """Reads traced SIP messages of the calls it was told to watch, by Call-ID, and forgets all others."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        super().__init__(logging.DEBUG)
        self._watched: dict[str, Watched] = {}

    def watch(self, call_id: str) -> Watched:
        """Begin to look for what becomes of this call's next REFER."""
        watched = Watched(asyncio.get_running_loop().create_future())
        self._watched[call_id] = watched
        return watched

    def forget(self, call_id: str) -> None:
        """Stop looking."""
        self._watched.pop(call_id, None)

    @property
    def idle(self) -> bool:
        """Whether nothing is being watched."""
        return not self._watched

    def emit(self, record: logging.LogRecord) -> None:
        """Look at one traced message, on the stack's log thread."""
        text = record.getMessage().replace("\r\n", "\n")
        traced, call_id = _TRACED.match(text), _CALL_ID.search(text)
        watched = self._watched.get(call_id[1]) if call_id is not None else None
        if traced is None or watched is None:
            return
        cseq = _CSEQ_REFER.search(text)
        if traced["way"] == "TX":
            if cseq is not None and traced["first"].startswith("REFER "):
                watched.cseq = int(cseq[1])
        elif traced["first"].startswith("SIP/2.0 2") and cseq is not None:
            watched.accepted = True
        elif traced["first"].startswith("NOTIFY "):
            self._read_notify(text, watched)

    @staticmethod
    def _read_notify(text: str, watched: Watched) -> None:
        event, frag = _EVENT_REFER.search(text), _SIPFRAG.search(text)
        if event is None or frag is None:
            return
        status = int(frag[1])
        if status < _SUCCESS.start:
            watched.progress = watched.progress or status in _PROGRESS
            return
        # A target given up on may still answer: then the caller is there, whatever the next REFER comes to. That it
        # failed after all tells nothing about the next.
        if status in _SUCCESS or event[1] is None or int(event[1]) == watched.cseq:
            watched.decided.get_loop().call_soon_threadsafe(watched.decide, status)


class Referrals:
    """Carries out transfers on the calls of one stack."""

    def __init__(self, runtime: Runtime) -> None:
        """Use `runtime`; takes over the logger of the stack's SIP trace."""
        self._runtime = runtime
        self._watch = DialogWatch()
        # Not for logging: this is where the stack hands its trace over, and where it ends.
        trace = logging.getLogger("baresip.native.sip")  # noqa: TID251
        trace.propagate = False
        trace.setLevel(logging.DEBUG)
        trace.addHandler(self._watch)

    async def refer(self, call: Call, refer_to: str, seconds: float) -> Outcome:
        """Send the REFER on `call` and say what became of it within `seconds`. Never raises for the call's sake."""
        if call.state is not CallState.ESTABLISHED:
            return Outcome.HUNG_UP
        call_id = call.call_id or ""
        watched = self._watch.watch(call_id)
        try:
            await self._trace(on=True)
            transfer = asyncio.create_task(call.transfer(refer_to, timeout=seconds))
            await asyncio.wait({transfer, watched.decided}, return_when=asyncio.FIRST_COMPLETED)
            # Both should agree, and the stack is the better judge; it also ends the call when it sees the success.
            await asyncio.wait({transfer, watched.decided}, timeout=_LAG)
            if transfer.done():
                return _judge(transfer, call, watched)
            transfer.cancel()
            await asyncio.wait({transfer})
            return (
                Outcome.SUCCEEDED if watched.succeeded else failed_transfer(watched.decided.result(), timed_out=False)
            )
        finally:
            self._watch.forget(call_id)
            watched.decided.cancel()
            await self._trace(on=False)

    async def _trace(self, *, on: bool) -> None:
        if on or self._watch.idle:
            try:
                await self._runtime.set_sip_trace(on)
            except BaresipError:
                return  # the stack is going down; then there is nothing to trace either


def _judge(transfer: asyncio.Task[None], call: Call, watched: Watched) -> Outcome:
    """The outcome of a transfer that the stack is done with."""
    try:
        transfer.result()
    except BaresipError as failure:
        if watched.succeeded:
            return Outcome.SUCCEEDED
        if call.state is CallState.CLOSED:
            # A peer that reported the ringing and then a BYE has a caller who gave up while it rang.
            return Outcome.UNKNOWN if watched.accepted and not watched.progress else Outcome.HUNG_UP
        if not isinstance(failure, TransferFailed):
            return Outcome.REFUSED
        # Without a status either our own patience or the REFER itself (no answer at all) ran out, or the transport
        # failed; the messages of the first two say so.
        timed_out = "no transfer outcome" in str(failure) or "timed out" in failure.reason
        return failed_transfer(failure.status, timed_out=timed_out)
    return Outcome.SUCCEEDED
