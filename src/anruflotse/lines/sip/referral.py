"""One blind transfer inside the worker: REFER, and what becomes of it.

The stack tells only the final outcome, and a caller who is gone before it looks the same whether the peer took the
REFER or not. For us that is the difference between "transferred, presumably" and "hung up". So while a transfer is
under way the stack's SIP trace is on, and `AcceptanceWatch` looks in it for the 2xx to the REFER. The trace never
leaves this process: no handler stores or prints it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING

from baresip import BaresipError, CallState, TransferFailed

from anruflotse.lines.line import Outcome
from anruflotse.lines.sip.addresses import failed_transfer

if TYPE_CHECKING:
    from baresip import Call, Runtime

_ACCEPTED = re.compile(r"\ARX [^\n]*\nSIP/2\.0 2\d\d [^\n]*\n(?P<head>.*)", re.DOTALL)
_CALL_ID = re.compile(r"^(?:Call-ID|i)\s*:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_CSEQ_REFER = re.compile(r"^CSeq\s*:\s*\d+\s+REFER\b", re.IGNORECASE | re.MULTILINE)
_TRACE_DELAY = 0.1
"""Seconds the trace, which comes over another thread, may lag behind the events."""


class AcceptanceWatch(logging.Handler):
    """Knows which calls' REFERs were answered 2xx, by Call-ID; only of those it was told to watch."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        super().__init__(logging.DEBUG)
        self._accepted: dict[str, bool] = {}

    def watch(self, call_id: str) -> None:
        """Begin to look for this call's acceptance."""
        self._accepted[call_id] = False

    def forget(self, call_id: str) -> None:
        """Stop looking."""
        self._accepted.pop(call_id, None)

    def accepted(self, call_id: str) -> bool:
        """Whether a 2xx to a REFER in this call came."""
        return self._accepted.get(call_id, False)

    @property
    def idle(self) -> bool:
        """Whether nothing is being watched."""
        return not self._accepted

    def emit(self, record: logging.LogRecord) -> None:
        """Look at one traced message (on the stack's log thread) and forget it."""
        message = _ACCEPTED.match(record.getMessage().replace("\r\n", "\n"))
        if message is None or _CSEQ_REFER.search(message["head"]) is None:
            return
        call_id = _CALL_ID.search(message["head"])
        if call_id is not None and call_id[1] in self._accepted:
            self._accepted[call_id[1]] = True


class Referrals:
    """Carries out transfers on the calls of one stack."""

    def __init__(self, runtime: Runtime) -> None:
        """Use `runtime`; takes over the logger of the stack's SIP trace."""
        self._runtime = runtime
        self._watch = AcceptanceWatch()
        # Not for logging: this is where the stack hands its trace over, and where it ends.
        trace = logging.getLogger("baresip.native.sip")  # noqa: TID251
        trace.propagate = False
        trace.setLevel(logging.DEBUG)
        trace.addHandler(self._watch)

    async def refer(self, call: Call, refer_to: str, seconds: float) -> Outcome:
        """Send the REFER on `call` and say what became of it within `seconds`. Never raises for the call's sake."""
        call_id = call.call_id or ""
        if call.state is not CallState.ESTABLISHED:
            return Outcome.HUNG_UP
        self._watch.watch(call_id)
        try:
            await self._trace(on=True)
            await call.transfer(refer_to, timeout=seconds)
        except TransferFailed as failure:
            if call.state is CallState.CLOSED:
                await asyncio.sleep(_TRACE_DELAY)
                return Outcome.UNKNOWN if self._watch.accepted(call_id) else Outcome.HUNG_UP
            # Without a status either our own patience or the REFER itself (no answer at all) ran out, or the
            # transport failed; the messages of the first two say so.
            timed_out = "no transfer outcome" in str(failure) or "timed out" in failure.reason
            return failed_transfer(failure.status, timed_out=timed_out)
        except BaresipError:
            return Outcome.HUNG_UP if call.state is CallState.CLOSED else Outcome.REFUSED
        else:
            return Outcome.SUCCEEDED
        finally:
            self._watch.forget(call_id)
            await self._trace(on=False)

    async def _trace(self, *, on: bool) -> None:
        if on or self._watch.idle:
            try:
                await self._runtime.set_sip_trace(on)
            except BaresipError:
                return  # the stack is going down; then there is nothing to trace either
