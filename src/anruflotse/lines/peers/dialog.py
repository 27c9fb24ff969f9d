"""The SIP dialog of a call (RFC 3261 section 12): who the two sides are, and what a request between them looks like."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from anruflotse.lines.peers.agent import ALLOW, USER_AGENT, Agent
from anruflotse.lines.peers.call_state import NotAnsweredError
from anruflotse.lines.peers.message import MalformedMessageError, Message, address, parse_uri
from anruflotse.lines.peers.transactions import ServerTransaction, new_branch, via
from anruflotse.lines.peers.transport import Flow


class Dialog:
    """Identifiers, sequence numbers, the other side's Contact (`target`) and the route there."""

    def __init__(self, agent: Agent) -> None:
        """A dialog nobody has begun; `call` or `called` fills it."""
        self.call_id = secrets.token_hex(12)
        self.tag = secrets.token_hex(6)
        self.target = ""
        self.flow: Flow | None = None
        self._agent = agent
        self._local = ""
        self._remote = ""
        self._routes: list[str] = []
        self._sequence = 0
        self._remote_sequence = -1

    def call(self, flow: Flow, uri: str, local: str) -> None:
        """Begin a call to `uri` as `local`, the value of From without its tag."""
        self.flow = flow
        self.target = uri
        self._local = f"{local};tag={self.tag}"
        self._remote = f"<{uri}>"

    def called(self, transaction: ServerTransaction) -> None:
        """Take the other side's INVITE. Raises MalformedMessageError when it names no Contact."""
        request = transaction.request
        self.flow = transaction.flow
        self.tag = transaction.tag
        self.call_id = request.get("call-id")
        self.target = address(request.get("contact"))
        self._local = f"{request.get('to')};tag={self.tag}"
        self._remote = request.get("from")
        self._routes = request.all("record-route")
        self._remote_sequence = request.cseq[0]
        if not self.target:
            message = "An INVITE names a Contact."
            raise MalformedMessageError(message)

    def established(self, response: Message) -> None:
        """Take over what the 2xx to our INVITE says about the other side."""
        self._remote = response.get("to")
        self.target = address(response.get("contact")) or self.target
        self._routes = list(reversed(response.all("record-route")))

    def in_order(self, request: Message) -> bool:
        """Whether a request of the other side's is newer than all before (section 12.2.2); notes that it came."""
        number = request.cseq[0]
        if number <= self._remote_sequence:
            return False
        self._remote_sequence = number
        return True

    def way(self) -> Flow:
        """How requests within the call travel: the connection it came by, for UDP to the first route or the target."""
        if self.flow is None:
            message = "The call was never dialled."
            raise NotAnsweredError(message)
        if self.flow.reliable:
            return self.flow
        try:
            uri = parse_uri(address(self._routes[0]) if self._routes else self.target)
        except MalformedMessageError:
            return self.flow
        return self._agent.datagrams_to(uri.host, uri.port or 5060) or self.flow

    def contact(self) -> tuple[str, str]:
        """Our Contact header."""
        host, port = self.way().local
        transport = "" if self.way().name == "UDP" else f";transport={self.way().name.lower()}"
        return "contact", f"<sip:telefon@{host}:{port}{transport}>"

    def build(
        self, method: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", number: int | None = None
    ) -> Message:
        """A request within the dialog (or the INVITE that begins it); `number`: CSeq of the INVITE an ACK is for."""
        if number is None:
            self._sequence += 1
            number = self._sequence
        own = [
            via(self.way(), new_branch()),
            ("max-forwards", "70"),
            ("from", self._local),
            ("to", self._remote),
            ("call-id", self.call_id),
            ("cseq", f"{number} {method}"),
            self.contact(),
            ("user-agent", USER_AGENT),
            *(("route", route) for route in self._routes),
        ]
        if method == "INVITE":
            own.append(("allow", ALLOW))
        return Message(method, self.target, headers=[*own, *headers], body=body)
