"""One SIP endpoint: its sockets, its transactions, and the calls their messages belong to."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from anruflotse.lines.peers.message import MalformedMessageError, Message, SipUri, parameters, parse
from anruflotse.lines.peers.transactions import TIMEOUT, ClientTransaction, ServerTransaction
from anruflotse.lines.peers.transport import (
    Flow,
    Receiver,
    StreamFlow,
    UdpEndpoint,
    UdpFlow,
    UnreachableError,
    trusting_context,
)

if TYPE_CHECKING:
    from anruflotse.lines.peers.session import Session

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER, NOTIFY"
USER_AGENT = "Anruflotse test telephone"
DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
_CLOSE_SECONDS = 3.0
_MEMORY = 4_096
"""Transactions remembered to recognise repeats: far more than a hundred calls make in the 32 s that matter."""


class Agent:
    """Sends and takes SIP on one UDP port, on connections it dials and (`listen_tcp`) on the TCP port of that number.

    Use it as an asynchronous context manager. What cannot be read is dropped and counted in `malformed`.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, *, listen_tcp: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        """Prepare for `host`:`port` (0: any free one). `tls` is for TLS peers; by default any certificate will do."""
        self.malformed = 0
        self.sessions: dict[tuple[str, str], Session] = {}
        self._host = host
        self._port = port
        self._listen_tcp = listen_tcp
        self._tls = tls
        self._udp: UdpEndpoint | None = None
        self._server: asyncio.Server | None = None
        self._streams: set[StreamFlow] = set()
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        self._servers: dict[tuple[str, str, str], ServerTransaction] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Open the sockets."""
        await self.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End all calls and free the ports."""
        await self.close()

    async def open(self) -> None:
        """Bind. Raises OSError when the port is taken."""
        self._udp = await UdpEndpoint.open(self._host, self._port, self._received)
        if self._listen_tcp:
            loop = asyncio.get_running_loop()
            try:
                self._server = await loop.create_server(
                    lambda: StreamFlow(self._received, self._streams.add), self._host, self.port
                )
            except OSError:
                await self._udp.close()
                raise

    async def close(self) -> None:
        """Hang up whatever is still up, then free the ports; returns within 3 s. Safe to call twice."""
        sessions = list(self.sessions.values())
        if sessions:
            await asyncio.wait(
                [asyncio.ensure_future(session.hang_up()) for session in sessions], timeout=_CLOSE_SECONDS
            )
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for session in list(self.sessions.values()):
            session.abandon()
        for client in self._clients.values():
            client.stop()
        for server in self._servers.values():
            server.acknowledged()
        for stream in self._streams:
            stream.close()
        await asyncio.gather(*(stream.gone() for stream in self._streams))
        if self._server:
            self._server.close()
        if self._udp:
            await self._udp.close()

    @property
    def host(self) -> str:
        """The address we are bound to."""
        return self._host

    @property
    def port(self) -> int:
        """The UDP port (and TCP port, if we listen) we are bound to; 0 before `open`."""
        return self._udp.local[1] if self._udp else 0

    def incoming(self, transaction: ServerTransaction) -> None:
        """Somebody calls us. A caller is not called: declined. A phone overrides this."""
        transaction.respond(480)

    async def flow_to(self, uri: SipUri) -> Flow:
        """A way to the host of `uri` by the transport it names. Raises UnreachableError."""
        if self._udp is None:
            message = "The endpoint is not open."
            raise UnreachableError(message)
        remote = await self._resolve(uri)
        if uri.transport == "udp":
            return UdpFlow(self._udp, remote)
        if uri.transport not in DEFAULT_PORTS:
            message = f"The transport must be udp, tcp or tls, not {uri.transport!r}."
            raise UnreachableError(message)
        tls = (self._tls or trusting_context()) if uri.transport == "tls" else None
        stream = await StreamFlow.connect(remote, self.receiver, tls)
        self._streams.add(stream)
        return stream

    def datagrams_to(self, host: str, port: int) -> Flow | None:
        """A UDP flow to a numeric address, None when `host` is a name (or there is no socket)."""
        try:
            socket.inet_aton(host)
        except OSError:
            return None
        return UdpFlow(self._udp, (host, port)) if self._udp else None

    @property
    def receiver(self) -> Receiver:
        """What connections hand their messages to."""
        return self._received

    def begin(
        self, flow: Flow, request: Message, on_response: Callable[[Message | None], None], patience: float
    ) -> ClientTransaction:
        """Send `request`; see `ClientTransaction`."""
        transaction = ClientTransaction(flow, request, on_response, patience)
        self._clients[request.branch, request.method] = transaction
        _forget(self._clients)
        return transaction

    async def request(self, flow: Flow, request: Message, patience: float = TIMEOUT) -> Message:
        """Send `request` (not an INVITE) and return its final answer; UnreachableError if none comes in time."""
        done: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()

        def told(response: Message | None) -> None:
            if not done.done() and (response is None or response.status >= 200):  # noqa: PLR2004 - final
                done.set_result(response)

        transaction = self.begin(flow, request, told, patience)
        try:
            answer = await done
        finally:
            transaction.stop()
        if answer is None:
            message = f"No answer to {request.method} within {patience:g} s."
            raise UnreachableError(message)
        return answer

    def spawn(self, name: str, work: asyncio.Task[None]) -> None:
        """Keep `work` alive until it is done; it is cancelled when the agent closes."""
        work.set_name(name)
        self._tasks.add(work)
        work.add_done_callback(self._tasks.discard)

    async def _resolve(self, uri: SipUri) -> tuple[str, int]:
        port = uri.port or DEFAULT_PORTS.get(uri.transport, 5060)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(uri.host, port, family=socket.AF_INET)
        except OSError as error:
            message = f"The host {uri.host} is not known (IPv4)."
            raise UnreachableError(message) from error
        address = found[0][4]
        return str(address[0]), int(address[1])

    def _received(self, data: bytes, flow: Flow) -> None:
        if not data.strip(b"\r\n\0 "):
            return
        try:
            message = parse(data)
            if message.status:
                self._response(message)
            else:
                self._request(message, flow)
        except MalformedMessageError:
            self.malformed += 1

    def _response(self, response: Message) -> None:
        transaction = self._clients.get((response.branch, response.cseq[1]))
        if transaction:
            transaction.take(response)

    def _request(self, request: Message, flow: Flow) -> None:
        # The sent-by goes into the key, as RFC 3261 section 17.2.3 wants it: branches are the sender's own.
        sent_by = request.all("via")[0].partition(";")[0]
        invite = self._servers.get((request.branch, sent_by, "INVITE"))
        if request.method == "ACK":
            if invite and invite.status >= 300:  # noqa: PLR2004 - its ACK belongs to the transaction
                invite.acknowledged()
            elif session := self._session(request):
                session.acknowledged()
            return
        known = self._servers.get((request.branch, sent_by, request.method))
        if known:
            known.repeat()
            return
        transaction = ServerTransaction(flow, request, secrets.token_hex(6))
        self._servers[request.branch, sent_by, request.method] = transaction
        _forget(self._servers)
        if request.method == "CANCEL":
            self._cancel(transaction, invite)
        elif session := self._session(request):
            session.take(transaction)
        elif "tag" in parameters(request.get("to")):
            transaction.respond(481)
        elif request.method == "INVITE":
            self.incoming(transaction)
        elif request.method == "OPTIONS":
            transaction.respond(200, [("allow", ALLOW)])
        else:
            transaction.respond(405, [("allow", ALLOW)])

    def _cancel(self, transaction: ServerTransaction, invite: ServerTransaction | None) -> None:
        if invite is None:
            transaction.respond(481)
            return
        transaction.respond(200)
        if invite.status < 200:  # noqa: PLR2004 - too late once it is answered
            invite.respond(487)
            if session := self.sessions.get((invite.request.get("call-id"), invite.tag)):
                session.cancelled()

    def _session(self, request: Message) -> Session | None:
        return self.sessions.get((request.get("call-id"), parameters(request.get("to")).get("tag", "")))


def _forget(table: dict[tuple[str, str], ClientTransaction] | dict[tuple[str, str, str], ServerTransaction]) -> None:
    """Drop the oldest transaction of a table that has grown too long."""
    if len(table) > _MEMORY:
        table.pop(next(iter(table)))  # type: ignore[arg-type]
