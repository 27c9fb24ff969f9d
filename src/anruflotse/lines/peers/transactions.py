"""SIP transactions (RFC 3261 section 17): repeating what may have been lost, and knowing repeats when they come."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from typing import Final

from anruflotse.lines.peers.message import Message, parameters
from anruflotse.lines.peers.transport import Flow

T1: Final = 0.5
T2: Final = 4.0
TIMEOUT: Final = 64 * T1
MAGIC: Final = "z9hG4bK"
REASONS: Final = {
    100: "Trying",
    180: "Ringing",
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    503: "Service Unavailable",
    600: "Busy Everywhere",
    603: "Decline",
}


def new_branch() -> str:
    """A branch that names one transaction."""
    return MAGIC + secrets.token_hex(8)


def via(flow: Flow, branch: str) -> tuple[str, str]:
    """The Via header of a request we send over `flow`."""
    host, port = flow.local
    return "via", f"SIP/2.0/{flow.name} {host}:{port};branch={branch};rport"


class Repeater:
    """Calls `again` after 0.5 s, then at doubled distances up to `longest`, until stopped; `give_up` after 32 s."""

    def __init__(
        self, again: Callable[[], None] | None, give_up: Callable[[], None], longest: float = T2, total: float = TIMEOUT
    ) -> None:
        """Start the clock; without `again` only the end is watched."""
        loop = asyncio.get_running_loop()
        self._again = again
        self._longest = longest
        self._timer = loop.call_later(T1, self._repeat, T1) if again else None
        self._end = loop.call_later(total, self._give_up, give_up)

    def quieten(self) -> None:
        """Stop repeating, but go on watching for the end."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def stop(self) -> None:
        """Stop for good."""
        self.quieten()
        self._end.cancel()

    def _repeat(self, waited: float) -> None:
        if self._again:
            self._again()
        following = min(2 * waited, self._longest)
        self._timer = asyncio.get_running_loop().call_later(following, self._repeat, following)

    def _give_up(self, give_up: Callable[[], None]) -> None:
        self.quieten()
        give_up()


class ClientTransaction:
    """A request of ours on its way; `on_response` is told every response once, and None when nobody ever answered.

    An INVITE rings as long as its owner lets it: once a provisional answer has come there is no timeout any more. Its
    2xx is told again each time it is repeated, because it is the owner who acknowledges it.
    """

    def __init__(
        self, flow: Flow, request: Message, on_response: Callable[[Message | None], None], patience: float
    ) -> None:
        """Send `request` (its topmost Via carries a new branch) and wait `patience` seconds for a first answer."""
        self.request = request
        self.final: Message | None = None
        self.progressed = False
        self._flow = flow
        self._data = request.encode()
        self._on_response = on_response
        invite = request.method == "INVITE"
        self._repeater = Repeater(
            None if flow.reliable else lambda: flow.send(self._data),
            lambda: self._on_response(None) if self.final is None else None,
            longest=TIMEOUT if invite else T2,
            total=patience,
        )
        flow.send(self._data)

    def take(self, response: Message) -> None:
        """A response that carries our branch."""
        invite = self.request.method == "INVITE"
        if response.status < 200:  # noqa: PLR2004 - provisional
            self.progressed = True
            if invite:
                self._repeater.stop()
            if self.final is None:
                self._on_response(response)
            return
        first = self.final is None
        self.final = self.final or response
        self._repeater.stop()
        if invite and response.status >= 300:  # noqa: PLR2004 - a failure
            self._acknowledge(response)
        if first or (invite and response.status < 300):  # noqa: PLR2004
            self._on_response(response)

    def quieten(self) -> None:
        """Stop repeating; answers that still come are told."""
        self._repeater.stop()

    def stop(self) -> None:
        """Stop repeating; nothing more is told."""
        self._repeater.stop()
        self._on_response = lambda _: None

    def _acknowledge(self, response: Message) -> None:
        kept = [
            (name, value)
            for name, value in self.request.headers
            if name in ("from", "call-id", "route", "max-forwards")
        ]
        own = [("via", self.request.raw("via")[0]), *kept, ("to", response.get("to"))]
        own.append(("cseq", f"{self.request.cseq[0]} ACK"))
        self._flow.send(Message(method="ACK", uri=self.request.uri, headers=own).encode())


class ServerTransaction:
    """A request of the other side's; remembers our answer for the case that the request is repeated."""

    def __init__(self, flow: Flow, request: Message, tag: str) -> None:
        """Answers carry `tag` in To when the request had none."""
        self.flow = flow
        self.request = request
        self.tag = tag
        self.status = 0
        self._last: bytes | None = None
        self._repeater: Repeater | None = None

    def respond(
        self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", reason: str = ""
    ) -> None:
        """Answer with `status`; a final answer to an INVITE is repeated until it is acknowledged."""
        if self.status >= 200:  # noqa: PLR2004 - there is only one final answer
            return
        self.status = status
        request = self.request
        to = request.get("to")
        if status > 100 and "tag" not in parameters(to):  # noqa: PLR2004
            to = f"{to};tag={self.tag}"
        kept = [("via", value) for value in self._vias()]
        kept += [("record-route", value) for value in request.raw("record-route") if request.method == "INVITE"]
        kept += [
            ("from", request.get("from")),
            ("to", to),
            ("call-id", request.get("call-id")),
            ("cseq", request.get("cseq")),
        ]
        answer = Message(
            status=status, reason=reason or REASONS.get(status, "Unknown"), headers=[*kept, *headers], body=body
        )
        self._last = answer.encode()
        self.flow.send(self._last)
        if status >= 200 and request.method == "INVITE":  # noqa: PLR2004
            # A 2xx is repeated end to end even over TCP, but there is nothing to lose between neighbours.
            self._repeater = Repeater(None if self.flow.reliable else self.repeat, lambda: None)

    def repeat(self) -> None:
        """Send the last answer again."""
        if self._last:
            self.flow.send(self._last)

    def acknowledged(self) -> None:
        """The ACK has come: stop repeating."""
        if self._repeater:
            self._repeater.stop()

    def _vias(self) -> list[str]:
        """The request's Via lines, the topmost one completed with what we saw (RFC 3581)."""
        first, *others = self.request.all("via")
        if "rport" in parameters(first) and not parameters(first)["rport"]:
            host, port = self.flow.remote
            parts = [f"rport={port}" if part.strip().lower() == "rport" else part for part in first.split(";")]
            first = ";".join([*parts, f"received={host}"])
        return [first, *others]
