"""How SIP messages travel: UDP datagrams, TCP and TLS connections, all seen as a `Flow` to one peer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from anruflotse.lines.peers.message import Framer, MalformedMessageError, SipError

Address = tuple[str, int]
CONNECT_SECONDS = 5.0
FAREWELL_SECONDS = 0.5


class UnreachableError(SipError):
    """Nobody is there to talk to: the name is unknown, the connection refused, or no answer came."""


class Flow(Protocol):
    """A way to one peer: where from, where to, and whether the transport itself repeats what was lost."""

    @property
    def name(self) -> str:
        """`UDP`, `TCP` or `TLS`, as a Via header spells it."""
        ...

    @property
    def reliable(self) -> bool:
        """True for TCP and TLS: no retransmissions."""
        ...

    @property
    def local(self) -> Address:
        """Our side, as it stands in Via and Contact."""
        ...

    @property
    def remote(self) -> Address:
        """The peer's side."""
        ...

    def send(self, data: bytes) -> None:
        """Send one message; a connection that is gone swallows it, as the network would."""
        ...

    def close(self) -> None:
        """Close a connection; nothing happens for UDP."""
        ...


Receiver = Callable[[bytes, Flow], None]


@dataclass(frozen=True, slots=True)
class UdpFlow:
    """Datagrams to `remote` from the socket all calls share."""

    endpoint: UdpEndpoint
    remote: Address
    name: str = "UDP"
    reliable: bool = False

    @property
    def local(self) -> Address:
        """Where the socket is bound."""
        return self.endpoint.local

    def send(self, data: bytes) -> None:
        """Send one datagram."""
        self.endpoint.send(data, self.remote)

    def close(self) -> None:
        """Nothing to do: the socket belongs to the agent."""


class UdpEndpoint(asyncio.DatagramProtocol):
    """The agent's UDP socket."""

    def __init__(self, received: Receiver) -> None:
        """Hand every datagram with its flow to `received`."""
        self._received = received
        self._lost = asyncio.Event()
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, host: str, port: int, received: Receiver) -> UdpEndpoint:
        """Bind `host`:`port` (0: any free one). Raises OSError when it is taken."""
        loop = asyncio.get_running_loop()
        _, endpoint = await loop.create_datagram_endpoint(lambda: cls(received), local_addr=(host, port))
        return endpoint

    @property
    def local(self) -> Address:
        """Address and port the socket is bound to."""
        host, port = self._transport.get_extra_info("sockname")[:2] if self._transport else ("", 0)
        return str(host), int(port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; asyncio calls this."""
        # Not every Python's own transport derives from the class that its documentation promises.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Hand a datagram on; asyncio calls this."""
        self._received(data, UdpFlow(self, (addr[0], addr[1])))

    def send(self, data: bytes, remote: Address) -> None:
        """Send one datagram to `remote`."""
        if self._transport and not self._transport.is_closing():
            self._transport.sendto(data, remote)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The socket is closed; asyncio calls this."""
        self._lost.set()

    async def close(self) -> None:
        """Free the port; it can be bound again when this returns."""
        if self._transport:
            self._transport.close()
            await self._lost.wait()


class StreamFlow(asyncio.Protocol):
    """One TCP or TLS connection, dialled or accepted."""

    reliable = True

    def __init__(self, received: Receiver, opened: Callable[[StreamFlow], None] | None = None) -> None:
        """Hand every message to `received`; tell `opened` once the connection stands."""
        self.name = "TCP"
        self.local: Address = ("", 0)
        self.remote: Address = ("", 0)
        self._received = received
        self._opened = opened
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._lost = asyncio.Event()

    @classmethod
    async def connect(cls, remote: Address, received: Receiver, tls: ssl.SSLContext | None) -> StreamFlow:
        """Connect to `remote`. Raises UnreachableError."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, flow = await loop.create_connection(lambda: cls(received), *remote, ssl=tls)
        except (OSError, TimeoutError) as error:
            what = "TLS" if tls else "TCP"
            message = f"No {what} connection to {remote[0]}:{remote[1]}: {str(error) or 'no answer'}."
            raise UnreachableError(message) from error
        return flow

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note both ends; asyncio calls this."""
        self._transport = cast("asyncio.Transport", transport)
        self.local = transport.get_extra_info("sockname")[:2]
        self.remote = transport.get_extra_info("peername")[:2]
        self.name = "TLS" if transport.get_extra_info("ssl_object") else "TCP"
        if self._opened:
            self._opened(self)

    def data_received(self, data: bytes) -> None:
        """Take the stream apart; one that is not SIP is cut off. asyncio calls this."""
        try:
            messages = self._framer.feed(data)
        except MalformedMessageError:
            self.close()
            return
        for message in messages:
            self._received(message, self)

    def send(self, data: bytes) -> None:
        """Write one message."""
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)

    def connection_lost(self, _error: Exception | None) -> None:
        """The connection is gone; asyncio calls this."""
        self._lost.set()

    def close(self) -> None:
        """Close the connection."""
        if self._transport:
            self._transport.close()

    async def gone(self) -> None:
        """Return when a connection that was closed is gone; one whose peer does not answer the TLS farewell is cut."""
        if self._transport is None:
            return
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._lost.wait()
        except TimeoutError:
            self._transport.abort()
            await self._lost.wait()


def trusting_context() -> ssl.SSLContext:
    """A TLS context for test calls that accepts any certificate: a bot under test has a self-signed one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
