"""Serving the console inside the event loop the calls run in, from an open port to a clean end."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

END_SECONDS = 3
"""So long may answers under way take when the service stops."""
_BACKLOG = 128
_START_TICK = 0.01


class ConsoleError(Exception):
    """The console cannot be served; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the console is served."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """As a browser wants it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


class _Server(uvicorn.Server):
    """Uvicorn without its hands on the process's signals: SIGTERM belongs to the calls, the app ends the console."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve(app: FastAPI, host: str, port: int) -> AsyncIterator[Address]:
    """Serve `app` on `host`:`port` (0 takes any free port) while the block runs, then free the port.

    No access log is written: URLs and addresses of visitors are nobody's business. Raises ConsoleError when the
    address cannot be had.
    """
    listener = _listen(host, port)
    address = Address(host, listener.getsockname()[1])
    config = uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        lifespan="off",
        ws="none",
        # Uvicorn believes X-Forwarded-For from this machine by default; the loopback wall needs the socket's own peer.
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=END_SECONDS,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]), name="console")
    try:
        while not server.started and not running.done():  # noqa: ASYNC110 - uvicorn offers no event to await
            await asyncio.sleep(_START_TICK)
        if running.done():
            running.result()
            message = f"The console could not be started on {address.url}."
            raise ConsoleError(message)
        yield address
    finally:
        server.should_exit = True
        await asyncio.shield(asyncio.wait({running}))
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    where = f"{host}:{port}"
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as fault:
        message = f"The console cannot listen on {where}: the address is not known here. Set console.host."
        raise ConsoleError(message) from fault
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(_BACKLOG)
    except OSError as fault:
        listener.close()
        reasons = {
            errno.EADDRINUSE: "the port is taken by another program. Set console.port to a free one, or end it",
            errno.EACCES: "this user may not open the port. Set console.port to 1024 or above",
            errno.EADDRNOTAVAIL: "this machine does not have the address. Set console.host to one of its own",
        }
        reason = reasons.get(fault.errno or 0, f"{fault.strerror}. Set console.host and console.port")
        message = f"The console cannot listen on {where}: {reason}."
        raise ConsoleError(message) from fault
    listener.setblocking(False)  # noqa: FBT003 - the socket module's own signature
    return listener
